//! Lint finds what a board should weigh, says it in a sentence, and points at it.

use liquid_policy::file::File;
use liquid_policy::lint::{Advice, Kind};
use liquid_policy::parse;

use super::leaves::{example_text, read, rich};
use crate::support::day;

/// Advice on a day on which the good agreement is in force.
fn lint(file: &File) -> Vec<Advice> {
    liquid_policy::lint::lint(file, day("2026-05-01"))
}

/// An agreement that nothing can be said against.
const GOOD: &str = r#"schema = "liquid/agreement/1"
[agreement]
id = "A-1"
title = "A"
version = "1.0.0"
purposes = ["care", "planning"]
purpose_text = "Plan care."
benefits = "Care is better planned."
legal_basis = ["UKGDPR-6-1-e"]
dpia = { reference = "D-1" }
privacy_notice = "https://a.example"
rights_procedure = "Write to us."
breach_contact = "b@a.example"
security_controls = "Locks."
termination = "P30D"
lead = "north"
contact = "c@a.example"
in_force = 2026-01-01
expires = 2026-12-31
review = { due = 2026-06-30, grace_days = 14 }
retention = { results_days = 730 }
onward = "recipients"
[[party]]
organisation = "north"
role = "controller"
point_of_contact = "Ann"
approvers = ["siro", "guardian"]
[signoff]
roles_per_party = 2
author_may_sign = false
[[recipient]]
organisation = "institute"
roles = ["analyst"]
purposes = ["care", "planning"]
residency = ["GB"]
[table.t]
entity = "person"
[table.t.columns]
person = { use = ["join"] }
sex = { use = ["group", "filter"], domain = { values = ["F", "M"] } }
age = { use = ["group"], domain = { from = 0, to = 120 }, required = true }
kind = { use = ["group", "join"], domain = { values = ["a", "b"] } }
note = { use = [] }
[table.t.join]
keys = ["person", "kind"]
references = { kind = "kinds.kind" }
unique = ["person"]
[table.visits]
entity = "person"
[table.visits.columns]
person = { use = ["join"] }
[table.visits.join]
keys = ["person"]
references = { person = "t.person" }
[table.kinds]
replicated = true
[table.kinds.columns]
kind = { use = ["join"] }
[table.kinds.join]
keys = ["kind"]
unique = ["kind"]
[disclosure]
minimum_contributors = 10
dominance = { n = 2, share = 0.9 }
p_ratio = 0.1
[history]
scope = "table"
minimum_difference = 10
[release]
rows_out_max = 10000
"#;

#[test]
fn a_good_agreement_needs_no_advice() {
    parse(GOOD, "good.toml").unwrap_or_else(|e| panic!("{:?}", miette::Report::new(e)));
    assert_eq!(lint(&read(GOOD)), []);
}

/// One edit to the good agreement, what is said of it, and the text that it points at.
const FAULTS: &[(&str, &str, Kind, &str, &str)] = &[
    ("lead = \"north\"\n", "", Kind::Missing, "no organisation leads", "[agreement]"),
    ("contact = \"c@a.example\"\n", "", Kind::Missing, "whom to ask about the agreement", "[agreement]"),
    ("purpose_text = \"Plan care.\"\n", "", Kind::Missing, "codes only", "[agreement]"),
    (
        "benefits = \"Care is better planned.\"",
        "benefits = \" \"",
        Kind::Missing,
        "who is better off",
        "\" \"",
    ),
    ("legal_basis = [\"UKGDPR-6-1-e\"]", "legal_basis = []", Kind::Missing, "no legal basis", "[]"),
    ("dpia = { reference = \"D-1\" }\n", "", Kind::Missing, "no data protection impact", "[agreement]"),
    ("privacy_notice = \"https://a.example\"\n", "", Kind::Missing, "can read that", "[agreement]"),
    ("rights_procedure = \"Write to us.\"\n", "", Kind::Missing, "see and correct", "[agreement]"),
    ("breach_contact = \"b@a.example\"\n", "", Kind::Missing, "told of a breach", "[agreement]"),
    ("security_controls = \"Locks.\"\n", "", Kind::Missing, "keep the data safe", "[agreement]"),
    ("termination = \"P30D\"\n", "", Kind::Missing, "how a party leaves", "[agreement]"),
    ("retention = { results_days = 730 }\n", "", Kind::Missing, "for ever", "[agreement]"),
    ("retention = { results_days = 730 }", "retention = {}", Kind::Missing, "for ever", "{}"),
    ("onward = \"recipients\"\n", "", Kind::Missing, "may be handed on", "[agreement]"),
    (
        "review = { due = 2026-06-30, grace_days = 14 }\n",
        "",
        Kind::Missing,
        "no review is due",
        "[agreement]",
    ),
    ("expires = 2026-12-31", "expires = 2027-01-02", Kind::Weak, "runs for 367 days", "2027-01-02"),
    (
        "due = 2026-06-30",
        "due = 2027-01-01",
        Kind::Contradiction,
        "only after the agreement has ended",
        "2027-01-01",
    ),
    ("grace_days = 14", "grace_days = 91", Kind::Weak, "still stands 91 days", "91"),
    ("point_of_contact = \"Ann\"\n", "", Kind::Missing, "whom to ask at `north`", "[[party]]"),
    ("approvers = [\"siro\", \"guardian\"]\n", "", Kind::Weak, "", ""),
    (
        "lead = \"north\"",
        "lead = \"nroth\"",
        Kind::Contradiction,
        "neither a party nor a recipient",
        "\"nroth\"",
    ),
    ("roles_per_party = 2", "roles_per_party = 1", Kind::Weak, "one person can approve alone", "1"),
    ("author_may_sign = false", "author_may_sign = true", Kind::Weak, "may sign it too", "true"),
    ("residency = [\"GB\"]\n", "", Kind::Missing, "`institute` promises no country", "[[recipient]]"),
    (
        "residency = [\"GB\"]",
        "residency = [\"UK\"]",
        Kind::Contradiction,
        "`UK` is no code of a country",
        "\"UK\"",
    ),
    (
        "residency = [\"GB\"]",
        "residency = [\"France\"]",
        Kind::Contradiction,
        "`France` is no code",
        "\"France\"",
    ),
    (
        "note = { use = [] }",
        "diagnosis = { use = [] }",
        Kind::Missing,
        "no basis of Article 9",
        "[\"UKGDPR-6-1-e\"]",
    ),
    ("id = \"A-1\"", "id = \"A-2\"", Kind::Weak, "", ""),
    (
        "[table.visits]\nentity = \"person\"\n",
        "[table.visits]\nentity = \"person\"\nrows_per_entity_max = 4\nentity_counts = [1, 2, 5]\n",
        Kind::Contradiction,
        "nobody can have 5",
        "5",
    ),
    (
        "[table.visits]\nentity = \"person\"\n",
        "[table.visits]\nentity = \"person\"\nrows_per_entity_max = 5\nentity_counts = [1, 2, 5]\n",
        Kind::Weak,
        "",
        "",
    ),
    (
        "purposes = [\"care\", \"planning\"]\nresidency",
        "purposes = [\"care\"]\nresidency",
        Kind::Contradiction,
        "nobody may ask for `planning`",
        "\"planning\"",
    ),
    (
        "person = { use = [\"join\"] }\nsex",
        "person = { use = [\"join\"] }\nnew = { use = [\"group\"] }\nsex",
        Kind::Missing,
        "its values are not declared",
        "[\"group\"]",
    ),
    (
        "to = 120",
        "to = 10000",
        Kind::Contradiction,
        "more lines than an answer may have",
        "{ from = 0, to = 10000 }",
    ),
    (
        "note = { use = [] }",
        "note = { use = [], domain = { values = [1] } }",
        Kind::Contradiction,
        "become public, but no question",
        "{ values = [1] }",
    ),
    (
        "note = { use = [] }",
        "note = { use = [], missing = \"public\" }",
        Kind::Contradiction,
        "but no question may use the column",
        "\"public\"",
    ),
    (
        "required = true",
        "required = true, missing = \"public\"",
        Kind::Contradiction,
        "nothing that could be public",
        "\"public\"",
    ),
    (
        "references = { kind = \"kinds.kind\" }\n",
        "",
        Kind::Contradiction,
        "no reference leads from or to `kind`",
        "\"kind\"",
    ),
    (
        "kind = { use = [\"join\"] }\n",
        "kind = { use = [\"join\"] }\nperson = { use = [] }\n",
        Kind::Weak,
        "`kinds` protects nobody",
        "{ use = [] }",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors = 5",
        Kind::Weak,
        "only 5 people, below the usual 10: weaker than *published statistics* (10) and *research* (10), as strict as *trusted analysts* (5)",
        "5",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors = 3",
        Kind::Weak,
        "weaker than *published statistics* (10), *trusted analysts* (5) and *research* (10)",
        "3",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors = 1",
        Kind::Weak,
        "a figure can be about one person",
        "1",
    ),
    (
        "rows_out_max = 10000",
        "rows_out_max = 20000",
        Kind::Weak,
        "`rows_out_max` is 20000: weaker than *published statistics* (10000) and *research* (10000), stricter than *trusted analysts* (100000)",
        "20000",
    ),
];

#[test]
fn each_fault_is_said_and_pointed_at() {
    for (from, to, kind, says, points_at) in FAULTS {
        assert_eq!(GOOD.matches(from).count(), 1, "{from}");
        let text = GOOD.replace(from, to);
        let advice = lint(&read(&text));
        if says.is_empty() {
            assert_eq!(advice, [], "{from} may be left out");
            continue;
        }
        let found = advice.iter().find(|advice| advice.message.contains(says));
        let found = found.unwrap_or_else(|| panic!("`{says}` is not said of `{to}`: {advice:#?}"));
        assert_eq!(found.kind, *kind, "{says}");
        let path: Vec<&str> = found.path.iter().map(String::as_str).collect();
        assert_eq!(&text[parse::place(&text, &path)], *points_at, "{says}");
        assert!(!found.help.is_empty() && !found.help.ends_with('.'), "{says}");
        assert!(advice.len() <= 2, "one fault, no more than two pieces of advice: {advice:#?}");
    }
}

#[test]
fn faults_that_need_more_than_one_edit() {
    let open = GOOD
        .replace("onward = \"recipients\"", "onward = \"public\"")
        .replace("minimum_contributors = 10", "minimum_contributors = 1");
    assert!(lint(&read(&open)).iter().any(|a| a.message.contains("results may be published")));
    let late = GOOD.replace("2026-12-31", "2028-12-31").replace("due = 2026-06-30", "due = 2027-06-30");
    assert!(
        lint(&read(&late))
            .iter()
            .any(|a| a.message.contains("first review is due only after more than a year"))
    );
    let again = GOOD.replace(
        "[table.t]\n",
        "[[recipient]]\norganisation = \"institute\"\nroles = [\"lead\", \"analyst\"]\npurposes = [\"care\"]\n\
         residency = [\"GB\"]\n[table.t]\n",
    );
    assert!(
        lint(&read(&again))
            .iter()
            .any(|a| a.message == "`analyst` at `institute` may ask for `care` already")
    );
    let one = GOOD.replace("approvers = [\"siro\", \"guardian\"]", "approvers = [\"siro\"]");
    assert!(lint(&read(&one)).iter().any(|a| a.message == "one role alone approves for `north`"));
    let bare = GOOD.replace("[signoff]\nroles_per_party = 2\nauthor_may_sign = false\n", "");
    let advice = lint(&read(&bare));
    assert_eq!(advice.len(), 2, "{advice:#?}");
    for advice in advice {
        let path: Vec<&str> = advice.path.iter().map(String::as_str).collect();
        assert_eq!(&bare[parse::place(&bare, &path)], "[agreement]", "the section is not there");
    }
    let basis = GOOD.replace("note = ", "diagnosis = ").replace("-6-1-e\"", "-6-1-e\", \"UKGDPR-9-2-h\"");
    assert_eq!(lint(&read(&basis)), [], "the basis is there");
    let nobody = GOOD.split("[[recipient]]").next().expect("a start").to_owned()
        + "[table.kinds]\nreplicated = true\n[disclosure]\nminimum_contributors = 10\n";
    let said: Vec<String> = lint(&read(&nobody)).into_iter().map(|a| a.message).collect();
    assert!(said.iter().any(|m| m.contains("nobody may ask anything")), "{said:?}");
    assert!(said.iter().any(|m| m.contains("the minimum protects nobody")), "{said:?}");
}

/// Days that have gone by are said on the day, not before.
#[test]
fn what_has_ended_is_said_to_have_ended() {
    let said = |text: &str, today: &str| -> Vec<String> {
        liquid_policy::lint::lint(&read(text), day(today)).into_iter().map(|a| a.message).collect()
    };
    assert_eq!(said(GOOD, "2026-07-14"), [""; 0]);
    assert_eq!(said(GOOD, "2026-07-15"), ["the review was due on 2026-06-30, so every question is refused"]);
    let reviewed = GOOD.replace("due = 2026-06-30", "due = 2026-12-31");
    assert_eq!(said(&reviewed, "2026-12-31"), [""; 0]);
    assert_eq!(
        said(&reviewed, "2027-01-01"),
        ["the agreement ended on 2026-12-31, so every question is refused"]
    );
}

/// What is said to write can be written: no advice names a key that a site refuses.
#[test]
fn advice_can_be_followed() {
    for file in rich() {
        for advice in lint(file) {
            for quoted in advice.help.split('`').skip(1).step_by(2) {
                let Some((key, _)) = quoted.split_once(" = ") else { continue };
                let mut path: Vec<&str> =
                    advice.path.iter().map(String::as_str).filter(|s| s.parse::<u8>().is_err()).collect();
                if path.last() != Some(&key) {
                    path.push(key);
                }
                let path = path.join(".");
                if let Some(known) = liquid_policy::key::Key::of(&path) {
                    assert_ne!(known.support, liquid_policy::key::Support::None, "{path}: {}", advice.help);
                }
            }
        }
    }
}

/// Advice on the demo's own agreement, as its board would see it.
#[test]
fn the_heart_agreement_gets_honest_advice() {
    let said: Vec<String> = lint(&read(&example_text("heart")))
        .into_iter()
        .map(|a| format!("{}: {}", a.path.join("."), a.message))
        .collect();
    assert_eq!(
        said,
        [
            "agreement.privacy_notice: nothing says where people can read that their data is used",
            "agreement.expires: the agreement runs for 1461 days, which is more than a year",
            "agreement.review.due: the first review is due only after more than a year",
            "signoff.roles_per_party: one signature is enough for each controller, so one person can approve alone",
            "signoff.author_may_sign: who wrote the agreement may sign it too",
            "recipient.0.residency: `heart-institute` promises no country in which it keeps results",
            "recipient.1.residency: `cleveland` promises no country in which it keeps results",
            "disclosure.dominance: `dominance` is off: weaker than *published statistics* ({ n = 2, share = 0.9 }) and *research* \
             ({ n = 2, share = 0.9 })",
            "disclosure.p_ratio: `p_ratio` is off: weaker than *published statistics* (0.1)",
            "history.scope: `scope` is off: weaker than *published statistics* (\"table\"), *trusted analysts* (\"table\") and \
             *research* (\"table\")",
            "history.minimum_difference: `minimum_difference` is off: weaker than *published statistics* (10), *trusted analysts* (5) \
             and *research* (10)",
        ]
    );
}
