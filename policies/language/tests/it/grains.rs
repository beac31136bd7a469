//! Steps of the calendar: domains of them, and which looks at days an agreement permits.

use liquid_policy::decide::judge;
use liquid_policy::footprint::{DateUse, Footprint, GroupKey, Looked};
use liquid_policy::grain::Grain;
use liquid_policy::table::{Domain, DomainValue};
use liquid_policy::{Agreement, Code, ParseError, parse};
use proptest::prelude::*;

use crate::support::SMALL;

fn written(day: &str) -> Result<Agreement, ParseError> {
    let day = format!("person = {{ use = [] }}\nday = {{ use = [\"group\", \"filter\"], {day} }}\n");
    parse(&SMALL.replace("person = { use = [] }\n", &day), "grains.toml")
}

fn domain(day: &str) -> Result<Vec<String>, String> {
    let agreement = written(day).map_err(|error| error.to_string())?;
    let rules = agreement.tables()[&"t".into()].rules();
    Ok(rules.columns[&"day".into()]
        .domain
        .iter()
        .flat_map(Domain::values)
        .map(|value| value.to_string())
        .collect())
}

#[test]
fn domains_of_steps_are_their_first_days() {
    for (day, first, last, size) in [
        (
            "grain = \"month\", domain = { from = \"2024-01\", to = \"2025-12\" }",
            "2024-01-01",
            "2025-12-01",
            24,
        ),
        ("grain = \"year\", domain = { from = \"1999\", to = \"2001\" }", "1999-01-01", "2001-01-01", 3),
        (
            "grain = \"quarter\", domain = { from = \"2024-Q4\", to = \"2025-Q1\" }",
            "2024-10-01",
            "2025-01-01",
            2,
        ),
        (
            "grain = \"week\", domain = { from = \"2020-W53\", to = \"2021-W01\" }",
            "2020-12-28",
            "2021-01-04",
            2,
        ),
        (
            "grain = \"day\", domain = { from = \"2024-02-28\", to = \"2024-03-01\" }",
            "2024-02-28",
            "2024-03-01",
            3,
        ),
        (
            "grain = \"month\", domain = { values = [\"2024-03\", \"2024-05\"] }",
            "2024-03-01",
            "2024-05-01",
            2,
        ),
    ] {
        let days = domain(day).expect(day);
        assert_eq!(
            (days.first().map(String::as_str), days.last().map(String::as_str)),
            (Some(first), Some(last))
        );
        assert_eq!(days.len(), size, "{day}");
    }
    assert_eq!(DomainValue::Text("x".into()).to_string(), "x");
}

#[test]
fn what_is_no_step_is_said() {
    for (day, words) in [
        ("domain = { from = \"2024-01\", to = \"2024-02\" }", "needs to know its steps"),
        ("grain = \"month\", domain = { from = \"2024-1\", to = \"2024-02\" }", "`2024-1` is no month"),
        ("grain = \"month\", domain = { from = \"2024-01\", to = \"2024-02-01\" }", "is no month"),
        ("grain = \"month\", domain = { from = \"2024-03\", to = \"2024-02\" }", "before it begins"),
        ("grain = \"month\", domain = { from = \"2024-03\", to = \"snapshot\" }", "newest snapshot"),
        ("grain = \"month\", domain = { from = 1, to = 12 }", "do not fit together"),
        ("grain = \"month\", domain = { from = 1, to = \"2024-02\" }", "do not fit together"),
        ("grain = \"month\", domain = { values = [\"2024-03-02\"] }", "`2024-03-02` is no month"),
        ("grain = \"month\", domain = { values = [3, 4] }", "`3` is no month"),
        ("grain = \"hour\"", "`hour` is not a word"),
    ] {
        let error = domain(day).expect_err(day);
        assert!(error.contains(words), "{day}: {error}");
    }
    let entity = SMALL.replace("person = { use = [] }", "person = { use = [], grain = \"month\" }");
    assert!(parse(&entity, "t.toml").is_err_and(|error| error.to_string().contains("has no steps")));
    // A row_filter reads what is stored, so it may be finer than what callers see.
    let text = SMALL
        .replace("[table.t]\n", "[table.t]\nrow_filter = \"NOT (a OR day IN ('2024-03-02'))\"\n")
        .replace("person = { use = [] }\n", "person = { use = [] }\nday = { use = [], grain = \"month\" }\n");
    parse(&text, "t.toml").expect("an agreement");
}

fn asked(looked: Looked, fits: &[Grain]) -> Footprint {
    Footprint {
        tables: vec!["t".into()],
        joins: vec![],
        mixed: false,
        filter: vec![],
        groups: vec![GroupKey { columns: vec!["day".into()] }],
        aggregates: vec![],
        dates: vec![DateUse { column: "day".into(), looked, fits: fits.to_vec() }],
        step: None,
    }
}

proptest! {
    /// What is looked at must fit the grain; a coarser calendar grain lets nothing pass that a finer one refuses.
    #[test]
    fn a_look_must_fit_the_grain(fits in proptest::sample::subsequence(Grain::ALL.to_vec(), 0..=5), parts in any::<bool>()) {
        let (looked, code) = if parts { (Looked::Parts, Code::ColumnUse) } else { (Looked::Compared, Code::LiteralCompare) };
        let question = asked(looked, &fits);
        prop_assert!(judge(&written("required = true").unwrap(), &question).is_ok());
        for grain in Grain::ALL {
            let agreement = written(&format!("grain = {:?}", grain.word())).unwrap();
            match judge(&agreement, &question) {
                Ok(_) => prop_assert!(fits.contains(&grain)),
                Err(refusal) => {
                    prop_assert!(!fits.contains(&grain));
                    prop_assert_eq!(refusal.code, code);
                    prop_assert_eq!(refusal.clause, "table.t.columns.day.grain");
                    prop_assert!(refusal.fix.contains("2026-") || looked == Looked::Parts, "{}", refusal.fix);
                }
            }
        }
    }
}

#[test]
fn a_part_of_a_coarse_step_is_a_part_of_a_finer_one() {
    for (coarse, fine) in [
        (Grain::Year, Grain::Quarter),
        (Grain::Quarter, Grain::Month),
        (Grain::Month, Grain::Day),
        (Grain::Week, Grain::Day),
    ] {
        assert!(coarse.parts().iter().all(|part| fine.parts().contains(part)), "{coarse:?}");
    }
}
