//! Every example in `policies/examples`: each question is admitted, planned, cut and decided as it is written down, and the
//! matrix says so in plain words. To write decisions and matrix anew:
//! `LIQUID_PUBLISH=1 cargo test -p liquid-footprint --test it examples`, then read the difference.

mod folder;
mod matrix;

use folder::{Example, Verdict, Who, all, root};

/// Asks every question of an example; how many are permitted.
#[track_caller]
fn check(example: &Example) -> usize {
    let path = root().join(&example.name).join("queries.toml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    let mut permitted = 0;
    for query in &example.queries.query {
        let sql = &query.sql;
        let found = match example.verdict(&example.who(query), sql) {
            Verdict::Permit => None,
            Verdict::Refusal(refusal) => Some(refusal),
            // The decision on what is not there is written beside what the question would touch, and tested with the language.
            Verdict::Unknown if query.touches.is_some() && query.refused.is_some() => continue,
            Verdict::Unknown => panic!("{}: {sql}: names what is not in schema.sql", example.name),
        };
        permitted += usize::from(found.is_none());
        if std::env::var_os("LIQUID_PUBLISH").is_some() && found != query.refused {
            assert!(query.refused.is_none(), "take the old decision out of {} first: {sql}", example.name);
            let new = found.map(|refusal| toml::to_string(&refusal).unwrap()).unwrap_or_default();
            let new: String = new.lines().map(|line| format!("refused.{line}\n")).collect();
            text = text.replace(&format!("{sql}\"\"\"\n"), &format!("{sql}\"\"\"\n{new}"));
            std::fs::write(&path, &text).unwrap();
        } else {
            assert_eq!(found, query.refused, "{}: {sql}", example.name);
        }
    }
    permitted
}

#[test]
fn everything_that_can_be_written_is_permitted_under_the_open_agreement() {
    assert_eq!(check(&Example::read("open")), 12);
}

#[test]
fn statistics_are_permitted_under_the_customers_agreement_and_single_customers_are_not() {
    assert_eq!(check(&Example::read("customers")), 7);
}

#[test]
fn questions_of_every_example_are_decided_as_written_down() {
    for example in all() {
        let permitted = check(&example);
        let refused = example.queries.query.len() - permitted;
        assert!(permitted >= 2 && refused >= 3, "{}: {permitted} yes, {refused} no", example.name);
    }
}

/// What is written down as touched is what the question's plan touches.
#[test]
fn questions_touch_what_is_said() {
    let mut seen = 0;
    for example in all() {
        for query in &example.queries.query {
            let (Some(said), Some(touches)) = (&query.touches, example.touches(&query.sql)) else { continue };
            assert_eq!(touches, std::slice::from_ref(said), "{}: {}", example.name, query.sql);
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen}");
}

/// What the tutorials say of a changed line: example, the line, what it becomes, who asks for what, what is asked, and the code
/// before and after; an empty one is a permit.
const CHANGES: [(&str, &str, &str, (&str, &str), &str, &str, &str); 15] = [
    (
        "benchmarking",
        "rows_out_max = 1000",
        "templates_only = true",
        ("makers-association/benchmark-analyst", "delivery-benchmark"),
        "SELECT avg(delivery_cost) FROM orders",
        "",
        "TEMPLATE_ONLY",
    ),
    (
        "heart",
        r#"cholesterol = { use = ["measure"], aggregates = ["avg", "sum"], missing = "public" }"#,
        "cholesterol = { use = [] }",
        ("heart-institute/analyst", "cardiac-care"),
        "SELECT avg(cholesterol) FROM cardiac",
        "",
        "COLUMN_USE",
    ),
    (
        "heart",
        "[[recipient]]\norganisation = \"cleveland\"\nroles = [\"analyst\"]\npurposes = [\"cardiac-care\"]\n",
        "",
        ("cleveland/analyst", "cardiac-care"),
        "SELECT count(*) FROM cardiac",
        "",
        "RECIPIENT",
    ),
    (
        "heart",
        "expires = 2029-12-31                                   # E\nreview = { due = 2029-06-30",
        "expires = 2026-10-31\nreview = { due = 2026-06-30",
        ("heart-institute/analyst", "cardiac-care"),
        "SELECT count(*) FROM cardiac",
        "",
        "NOT_IN_FORCE",
    ),
    (
        "wellbeing",
        "purposes = [\"wellbeing-statistics\"]",
        "purposes = [\"wellbeing-statistics\", \"school-nurse-planning\"]",
        ("northshire-council/analyst", "school-nurse-planning"),
        "SELECT count(*) FROM pupils",
        "PURPOSE",
        "",
    ),
    (
        "wellbeing",
        r#"cost = { use = ["measure"],"#,
        r#"cost = { use = ["measure", "filter"],"#,
        ("northshire-council/analyst", "wellbeing-statistics"),
        "SELECT count(*) FROM admissions WHERE cost > 20000",
        "LITERAL_COMPARE",
        "",
    ),
    (
        "wellbeing",
        r#"grain = "month", domain = { from = "2024-01", to = "2025-12" }"#,
        r#"grain = "day""#,
        ("northshire-council/analyst", "wellbeing-statistics"),
        "SELECT count(*) FROM admissions WHERE admitted = DATE '2025-05-13'",
        "LITERAL_COMPARE",
        "",
    ),
    (
        "benchmarking",
        "[table.orders] ",
        "[[recipient]]\norganisation = \"alder\"\nroles = [\"analyst\"]\npurposes = [\"delivery-benchmark\"]\n\n[table.orders] ",
        ("alder/analyst", "delivery-benchmark"),
        "SELECT avg(wait_days) FROM orders",
        "RECIPIENT",
        "",
    ),
    (
        "benchmarking",
        "price = { use = [] }",
        r#"price = { use = ["measure"], aggregates = ["avg"] }"#,
        ("makers-association/benchmark-analyst", "delivery-benchmark"),
        "SELECT avg(price) FROM orders",
        "COLUMN_USE",
        "",
    ),
    (
        "benchmarking",
        r#"delivery_cost = { use = ["measure"], aggregates = ["avg"], required = true }"#,
        "delivery_cost = { use = [] }",
        ("makers-association/benchmark-analyst", "delivery-benchmark"),
        "SELECT avg(delivery_cost) FROM orders",
        "",
        "COLUMN_USE",
    ),
    (
        "research",
        r#"grain = "year", domain = { from = "2016", to = "2025" }"#,
        r#"grain = "day""#,
        ("lakeside-university/researcher", "readmission-study"),
        "SELECT date_part('month', admitted), count(*) FROM stays GROUP BY 1",
        "COLUMN_USE",
        "",
    ),
    (
        "research",
        "purposes = [\"readmission-study\"]",
        "purposes = [\"readmission-study\", \"service-evaluation\"]",
        ("lakeside-university/researcher", "service-evaluation"),
        "SELECT count(*) FROM stays",
        "PURPOSE",
        "",
    ),
    (
        "research",
        "due = 2029-06-30",
        "due = 2026-10-31",
        ("lakeside-university/researcher", "readmission-study"),
        "SELECT count(*) FROM stays",
        "",
        "REVIEW_OVERDUE",
    ),
    (
        "research",
        r#"nights = { use = ["measure"],"#,
        r#"nights = { use = ["measure", "filter"],"#,
        ("lakeside-university/researcher", "readmission-study"),
        "SELECT count(*) FROM stays WHERE nights > 15",
        "LITERAL_COMPARE",
        "",
    ),
    (
        "research",
        r#"nights = { use = ["measure"],"#,
        r#"nights = { use = ["measure", "filter"],"#,
        ("lakeside-university/researcher", "readmission-study"),
        "SELECT avg(nights) FROM stays WHERE nights > 15",
        "LITERAL_COMPARE",
        "COLUMN_USE",
    ),
];

#[test]
fn a_changed_line_changes_what_the_tutorials_say() {
    for (name, from, to, (who, purpose), sql, before, after) in CHANGES {
        let who = Who {
            name: String::new(),
            who: who.to_owned(),
            purpose: purpose.to_owned(),
            on: "2026-11-01".to_owned(),
        };
        let code = |example: Example| match example.verdict(&who, sql) {
            Verdict::Permit => String::new(),
            Verdict::Refusal(refusal) => refusal.code.to_string(),
            Verdict::Unknown => panic!("{name}: {sql}"),
        };
        assert_eq!(code(Example::read(name)), before, "{name}: {sql}");
        assert_eq!(code(Example::edited(name, from, to)), after, "{name} with `{to}`: {sql}");
    }
}
