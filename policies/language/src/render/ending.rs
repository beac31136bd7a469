//! The form of answers, what becomes of them, how long the agreement runs, and who signs.

use super::Texts;
use super::page::{Block, Clause, Text};
use super::words::{all, any, count, day, duration, names, said, whole};
use crate::file::{File, Onward, Review, Template};

/// The form of answers.
pub(super) fn answers(file: &File, texts: Texts<'_>) -> Vec<Block> {
    let release = &file.release;
    let rows = if release.rows {
        "Recipients may learn rows about single people, in the columns that are open for this."
    } else {
        "Recipients learn figures only. No row of a table leaves a site."
    };
    let only = if release.templates_only {
        "Only the approved questions below may be asked."
    } else {
        "Any question may be asked that keeps to these rules. It need not be approved first."
    };
    let time = if release.time_class_ms.is_empty() {
        "An answer leaves as soon as it is ready.".to_owned()
    } else {
        let ends = release.time_class_ms.iter().map(|ms| format!("{} ms", whole(*ms)));
        format!("An answer leaves after a fixed time, so that its time tells nothing: {}.", any(ends))
    };
    let most = count(release.rows_out_max, "line", "lines");
    let clauses = [
        Clause::saying("release.rows", &release.rows, rows),
        Clause::new("release.rows_out_max", format!("An answer has {most} at most.")),
        Clause::saying("release.templates_only", &release.templates_only, only),
        Clause::saying("release.time_class_ms", &release.time_class_ms, time),
    ];
    clauses
        .into_iter()
        .chain(file.template.iter().flat_map(|it| template(it, texts)))
        .map(Block::Clause)
        .collect()
}

fn template(template: &Template, texts: Texts<'_>) -> [Clause; 4] {
    let name = said(&template.name);
    let who = if template.roles.is_empty() {
        "No role is named in which it may be asked, so no one may.".to_owned()
    } else {
        format!("It may be asked by people whose role is {}.", any(template.roles.iter().map(said)))
    };
    let reserve = if template.reserve {
        "Its answers count as given out from the start, so that it can always be asked."
    } else {
        "Other answers may come first, so that it cannot be asked any more."
    };
    let file = crate::template::file(&template.name);
    let text = format!(
        "Its text lies beside this agreement in the file {}. The file has the fingerprint {}.",
        said(&file),
        said(&template.sha256)
    );
    let text = match texts(&file, &template.sha256) {
        None => text,
        Some(query) => format!("{text} {}", asks(&query)),
    };
    [
        Clause::new("template.name", format!("An approved question is {name}.")),
        Clause::new("template.sha256", text),
        Clause::new("template.roles", who),
        Clause::saying("template.reserve", &template.reserve, reserve),
    ]
}

/// What a query asks, in its author's words and in its own.
fn asks(query: &str) -> String {
    let comment = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with("--");
    let body: Vec<&str> = query.lines().skip_while(comment).map(str::trim).collect();
    let own = format!("As the computer reads it: {}.", said(body.join(" ").trim()));
    match crate::template::description(query) {
        says if says.is_empty() => format!("It does not say in words what it asks. {own}"),
        says => format!("Its author says of it: {} {own}", said(says)),
    }
}

/// Retention, handing on, breach, security.
pub(super) fn care(file: &File) -> Vec<Block> {
    let head = &file.agreement;
    let retention = head.retention.as_ref();
    let onward = |onward: &Onward| match onward {
        Onward::Recipients => "Recipients may hand results to each other, and to no one else.".to_owned(),
        Onward::Public => "Recipients may hand results to anyone, and may publish them.".to_owned(),
    };
    let clauses = [
        Clause::or_open(
            "agreement.retention.results_days",
            retention.and_then(|retention| retention.results_days.as_ref()),
            |days| format!("Recipients delete results after {}.", count(*days, "day", "days")),
            "No time is set after which recipients delete results.",
        ),
        Clause::or_open(
            "agreement.retention.logs_days",
            retention.and_then(|retention| retention.logs_days.as_ref()),
            |days| {
                format!(
                    "Sites keep the exact words of each question for {}, sealed, and then destroy them. That it was asked stays \
                     on record.",
                    count(*days, "day", "days")
                )
            },
            "No time is set after which sites destroy the exact words of questions, which they keep sealed.",
        ),
        Clause::or_open(
            "agreement.onward",
            head.onward.as_ref(),
            onward,
            "It is not said to whom recipients may hand results.",
        ),
        Clause::or_open(
            "agreement.breach_contact",
            head.breach_contact.as_ref(),
            |contact| {
                format!("If something goes wrong with the data, the first to be told is {}.", said(contact))
            },
            "It is not said whom to tell if something goes wrong with the data.",
        ),
        Clause::or_open(
            "agreement.security_controls",
            head.security_controls.as_ref(),
            |text| format!("How the data is kept safe, in the parties' words: {}", said(text)),
            "It is not written down how the data is kept safe.",
        ),
    ];
    clauses.into_iter().map(Block::Clause).collect()
}

/// Review, expiry and termination.
pub(super) fn times(file: &File) -> Vec<Block> {
    let head = &file.agreement;
    let review = |review: &Review| {
        if review.grace_days == 0 {
            return format!("It must be reviewed by {}. After that day no one may ask.", day(review.due));
        }
        let late = count(u64::from(review.grace_days) + 1, "day", "days");
        format!(
            "It must be reviewed by {}. Once that is {late} late, no one may ask any more.",
            day(review.due)
        )
    };
    let clauses = [
        Clause::new(
            "agreement.in_force",
            format!("It holds from {}. Before that day no one may ask.", day(head.in_force)),
        ),
        Clause::new(
            "agreement.expires",
            format!("Its last day is {}. Later no one may ask.", day(head.expires)),
        ),
        Clause::or_open("agreement.review", head.review.as_ref(), review, "No review is due."),
        Clause::or_open(
            "agreement.termination",
            head.termination.as_ref(),
            |notice| format!("A party that wants to leave says so {} before.", duration(notice)),
            "It is not said how a party leaves.",
        ),
    ];
    let mut blocks: Vec<Block> = clauses.into_iter().map(Block::Clause).collect();
    blocks.push(Block::Paragraph(Text::new(
        "Each controller alone can stop the agreement at any time, at once. It goes on only when all those who must sign have \
         signed that it may.",
    )));
    blocks
}

/// Sign-off.
pub(super) fn signoff(file: &File) -> Vec<Block> {
    let signoff = &file.signoff;
    let rule = super::words::word(&signoff.rule);
    let controllers = file.party.iter().filter(|party| party.role.is_controller());
    let who = match rule.as_str() {
        "all-controllers" => {
            let names: Vec<String> = controllers.map(|party| said(&party.organisation)).collect();
            if names.is_empty() {
                "Each controller must sign, but there is none.".to_owned()
            } else {
                format!("Each controller must sign: {}. Until then no one may ask.", all(names))
            }
        }
        other => format!("Who must sign is ruled by {}.", said(other)),
    };
    let roles = if signoff.roles_per_party == 1 {
        "For each of them one signature is enough, and so one person can decide.".to_owned()
    } else {
        format!(
            "Each of them must sign in {}, with a key for each.",
            count(signoff.roles_per_party, "role", "roles")
        )
    };
    let author = if signoff.author_may_sign {
        "The person who wrote the agreement may sign it too."
    } else {
        "The person who wrote the agreement may not sign it."
    };
    let mut clauses = vec![
        Clause::saying("signoff.rule", &rule, who),
        Clause::saying("signoff.roles_per_party", &signoff.roles_per_party, roles),
        Clause::saying("signoff.author_may_sign", &signoff.author_may_sign, author),
    ];
    clauses.extend(file.party.iter().filter(|party| !party.approvers.is_empty()).map(|party| {
        let text =
            format!("These roles can sign for {}: {}.", said(&party.organisation), names(&party.approvers));
        Clause::new("party.approvers", text)
    }));
    let mut blocks: Vec<Block> = clauses.into_iter().map(Block::Clause).collect();
    blocks.push(Block::Paragraph(Text::new(
        "Any change to the agreement makes all signatures void, and it must be signed anew.",
    )));
    blocks
}
