//! `liquid policy preview`: a draft, held against the questions that one's own site was asked.

use liquid_node_api::preview::{AnswerCells, Cells, Preview, PreviewRequest, Questions, Reason};
use liquid_node_api::sql::request_id;
use liquid_policy::statement::Act;

use super::meaning::goes;
use super::sites::short;
use super::who::Person;
use super::{beside, read_agreement};
use crate::args::{Preview as Arguments, Said};
use crate::failure::Failure;
use crate::reach;
use crate::terminal::{Paint, say_json, say_wrapped};

/// Runs the command.
///
/// # Errors
/// Where the draft is no agreement, the node is not reached, or it refuses.
pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (draft, text) = read_agreement(&arguments.draft)?;
    let person = Person::read(&arguments.who)?;
    let organisation = person.organisation.as_str();
    let (mut node, site) = reach::own_site(&arguments.reach, organisation, arguments.site.as_deref()).await?;
    let files = beside::to_send(&draft, |name, sha256| beside::lies_by(&arguments.draft, name, sha256));
    let nonce = request_id().to_string();
    let asked =
        person.say(Act::Preview { draft: draft.hash().clone(), site, days: arguments.days, nonce })?;
    let preview = node.preview(&PreviewRequest { text, files, asked }).await?;
    match arguments.format {
        Said::Text => {
            lines(&preview, arguments.days, Paint::stdout()).iter().for_each(|line| say_wrapped(line));
        }
        Said::Json => say_json(&serde_json::to_string(&preview).unwrap_or_default()),
    }
    Ok(())
}

fn lines(preview: &Preview, days: u32, paint: Paint) -> Vec<String> {
    let Preview { agreement, standing, draft, site, .. } = preview;
    let goes = goes(preview.direction);
    let when = match preview.judged_on == preview.until.date_naive() {
        true => "today".to_owned(),
        false => format!("on its first day, {}", preview.judged_on),
    };
    let mut lines = vec![
        format!(
            "{} at {site}: draft {} ({}) {goes} version {} ({}), which stands",
            paint.bold(agreement.as_str()),
            draft.version,
            short(&draft.hash),
            standing.version,
            short(&standing.hash)
        ),
        format!("as if the draft stood {when}, for the questions of the last {days} days"),
    ];
    if let Some(to) = preview.rounded_to {
        lines.push(format!(
            "since it does not only tighten, every number is rounded down to a multiple of {to}"
        ));
    }
    lines.push(String::new());
    lines.extend(counts(&preview.questions, preview.rounded_to));
    for (title, reasons) in [
        ("would newly be refused", &preview.newly_refused),
        ("would newly be permitted", &preview.newly_permitted),
    ] {
        if !reasons.is_empty() {
            lines.push(String::new());
            lines.push(paint.bold(title));
            lines.extend(reasons.iter().flat_map(|it| reason(it, preview.rounded_to, paint)));
        }
    }
    lines.push(String::new());
    lines.extend(cells(&preview.cells, preview.rounded_to, paint));
    lines.push(String::new());
    lines.push("nothing has been changed; this preview is in the site's audit log".to_owned());
    lines
}

fn counts(questions: &Questions, rounded_to: Option<u32>) -> Vec<String> {
    let Questions { asked, callers, still_permitted, newly_refused, newly_permitted, still_refused, unknown } =
        *questions;
    let number = |n| number(n, rounded_to);
    let mut lines = vec![format!(
        "{} of {} came to the site",
        counted(asked, rounded_to, "question", "questions"),
        counted(callers, rounded_to, "caller", "callers")
    )];
    let told = [
        (still_permitted, "would still be permitted"),
        (newly_refused, "would newly be refused"),
        (newly_permitted, "would newly be permitted"),
        (still_refused, "would still be refused"),
        (
            unknown,
            "cannot be told: they were not understood when they came, or an earlier version wrote them down",
        ),
    ];
    let width = told.iter().map(|(n, _)| number(*n).len()).max().unwrap_or_default();
    lines.extend(
        told.iter()
            .enumerate()
            .filter(|(at, (n, _))| *at < 3 || *n > 0)
            .map(|(_, (n, what))| format!("  {:>width$} {what}", number(*n))),
    );
    lines
}

fn reason(reason: &Reason, rounded_to: Option<u32>, paint: Paint) -> Vec<String> {
    let times = counted(reason.questions, rounded_to, "question", "questions");
    let mut lines = vec![
        format!("  {times}: {}", clean(&reason.message)),
        format!("    {} {} (clause {})", paint.dim("refused as"), reason.code, clean(&reason.clause)),
    ];
    lines.extend(
        reason.examples.iter().map(|shape| format!("    {} {}", paint.dim("such as:"), clean(shape))),
    );
    lines
}

fn cells(cells: &Cells, rounded_to: Option<u32>, paint: Paint) -> Vec<String> {
    match cells {
        Cells::Same => vec!["nothing changes in any answer".to_owned()],
        Cells::Totals { answers, withheld } => vec![
            format!(
                "in the {} of that time {} withheld",
                counted(*answers, rounded_to, "answer", "answers"),
                counted(*withheld, rounded_to, "cell was", "cells were")
            ),
            "how many of them the draft would show is not told: it would tell of single people. Exact counts are told only of a \
             draft that does nothing but tighten: for them, preview what tightens in a draft of its own"
                .to_owned(),
        ],
        Cells::ByQuestion { answers, too_long, not_run, not_counted } => {
            let mut lines = vec![paint.bold("what the draft would withhold, on today's data")];
            lines.extend(answers.iter().flat_map(|it| answer(it, paint)));
            let more: u64 = answers.iter().map(|it| it.newly_withheld).sum();
            if answers.is_empty() {
                lines.push("  no question was run anew".to_owned());
            } else {
                lines.push(format!(
                    "  together {} more in {}",
                    counted(more, None, "cell", "cells"),
                    counted(answers.len() as u64, None, "answer", "answers")
                ));
            }
            if *too_long > 0 {
                lines.push(format!(
                    "  {} refused then: more rows in the answer than the draft lets out",
                    counted(*too_long, None, "question", "questions")
                ));
            }
            if *not_counted > 0 {
                lines.push(format!(
                    "  {} not counted: the draft changes what is computed for them, and not only how many people \
                     must stand behind it",
                    counted(*not_counted, None, "question", "questions")
                ));
            }
            if *not_run > 0 {
                lines.push(format!(
                    "  {} not run: too many, too slow, or their callers may not ask them now",
                    counted(*not_run, None, "question", "questions")
                ));
            }
            lines
        }
    }
}

fn answer(answer: &AnswerCells, paint: Paint) -> Vec<String> {
    let AnswerCells { question, asked, standing, draft, newly_withheld, groups_gone } = answer;
    let mut line = match newly_withheld {
        0 => format!("  no further cell withheld ({} today)", standing.withheld),
        more => format!(
            "  {} ({} today, {} under the draft)",
            counted(*more, None, "further cell withheld", "further cells withheld"),
            standing.withheld,
            draft.withheld
        ),
    };
    if *groups_gone > 0 {
        line.push_str(&format!(
            ", {} of {} shown no longer",
            counted(*groups_gone, None, "group", "groups"),
            standing.rows
        ));
    }
    let times = counted(*asked, None, "time", "times");
    vec![line, format!("    {} {}", paint.dim(&format!("asked {times}:")), clean(question))]
}

/// A number with its noun.
fn counted(n: u64, rounded_to: Option<u32>, one: &str, many: &str) -> String {
    format!("{} {}", number(n, rounded_to), if n == 1 && rounded_to.is_none() { one } else { many })
}

/// A number, which says so where it is rounded down.
fn number(n: u64, rounded_to: Option<u32>) -> String {
    match (rounded_to, n) {
        (None, n) => n.to_string(),
        (Some(to), 0) => format!("fewer than {to}"),
        (Some(_), n) => format!("{n} or more"),
    }
}

/// What callers wrote, fit for a terminal and one line.
fn clean(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = |c: char| if c.is_control() || turns(c) { ' ' } else { c };
    let text: String = text.chars().map(plain).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(SHAPE_CHARS_MAX) {
        Some((end, _)) => format!("{} …", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Of a longer question the beginning is shown.
const SHAPE_CHARS_MAX: usize = 400;
