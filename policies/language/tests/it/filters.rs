//! Who is out altogether: the language of conditions, and which tables a filter rules for.

use liquid_policy::condition::{Comparison, Condition, Wrong};
use liquid_policy::id::ColumnName;
use liquid_policy::parse;
use liquid_policy::table::DomainValue;
use proptest::prelude::*;

use crate::support::{SMALL, day};

fn condition() -> impl Strategy<Value = Condition> {
    let column = prop_oneof![
        4 => "[a-z_][a-z0-9_]{0,6}",
        1 => "[ -~é]{1,6}",
        1 => proptest::sample::select(vec!["and", "NULL", "True", "like", "date"]).prop_map(str::to_owned),
    ];
    let column = column.prop_map(ColumnName::new);
    let value = prop_oneof![
        any::<bool>().prop_map(DomainValue::Boolean),
        any::<i64>().prop_map(DomainValue::Integer),
        "[ -~é]{0,6}".prop_map(DomainValue::Text),
    ];
    let comparison = proptest::sample::select(vec![
        Comparison::Equal,
        Comparison::Different,
        Comparison::Less,
        Comparison::AtMost,
        Comparison::More,
        Comparison::AtLeast,
    ]);
    let texts = proptest::collection::vec("[a-z']{0,3}".prop_map(DomainValue::Text), 1..4);
    let leaf = prop_oneof![
        column.clone().prop_map(Condition::Holds),
        (column.clone(), comparison, value).prop_map(|(c, how, value)| Condition::Compare(c, how, value)),
        (column.clone(), texts).prop_map(|(column, texts)| Condition::In(column, texts)),
        column.prop_map(Condition::Missing),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let several = proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
            several.clone().prop_map(Condition::All),
            several.prop_map(Condition::Any),
        ]
    })
}

proptest! {
    /// What is written is what is read: nothing is lost or taken for something else.
    #[test]
    fn a_condition_reads_back_as_it_was_written(condition in condition()) {
        prop_assert_eq!(Condition::parse(&condition.to_string()), Ok(condition));
    }

    /// Whatever stands there, reading it ends, and a mistake is pointed at within the text.
    #[test]
    fn no_text_stops_the_reader(text in "[ -~é]{0,60}") {
        if let Err(Wrong { at, .. }) = Condition::parse(&text) {
            prop_assert!(at.end <= text.len() && text.get(at).is_some());
        }
    }
}

#[test]
fn sql_as_boards_write_it_is_read() {
    let same =
        |text: &str, as_if: &str| assert_eq!(Condition::parse(text), Condition::parse(as_if), "{text}");
    same("opted_out = FALSE", "opted_out=false");
    same("NOT opted_out and died is null", "(NOT (opted_out)) AND (died IS NULL)");
    same("a = 1 OR b = 2 AND c = 3", "a = 1 OR (b = 2 AND c = 3)");
    same("code not in ('x', 'y''s')", "NOT code IN ('x','y''s')");
    same("consent_until >= DATE '2026-01-01'", "consent_until >= '2026-01-01'");
    same("a != -3", "a <> -3");
    same("\"Opted out\" IS NOT NULL", "NOT \"Opted out\" IS NULL");
    assert!(Condition::parse("opted_out = false").is_ok_and(|c| c.to_string() == "opted_out = false"));
}

#[test]
fn what_is_no_condition_is_pointed_at() {
    for (text, place) in [
        ("", ""),
        ("lower(a) = 'x'", "("),
        ("a = b", "b"),
        ("a = NULL", "NULL"),
        ("a + 1 = 2", "+"),
        ("a = 1.5", "1.5"),
        ("a = 1 b = 2", "b"),
        ("a LIKE 'x%'", "LIKE"),
        ("a BETWEEN 1 AND 2", "BETWEEN"),
        ("a IN ()", ")"),
        ("a IN (1, 'x')", "'x'"),
        ("a IN (SELECT 1)", "SELECT"),
        ("(a = 1", "1"),
        ("a = 'open", "'open"),
        ("a = 1; DROP TABLE t", ";"),
        ("1 = 1", "1"),
        ("a = 1 --", "-"),
        ("a IS TRUE", "TRUE"),
        ("a = $1", "$"),
        ("AND", "AND"),
    ] {
        let Wrong { at, .. } = Condition::parse(text).expect_err(text);
        let found = text.get(at).unwrap_or_default();
        assert!(found == place || (found.starts_with(place) && !place.is_empty()), "{text}: {found}");
    }
    let deep = format!("{}a{}", "(".repeat(30), ")".repeat(30));
    assert!(Condition::parse(&deep).is_err_and(|wrong| wrong.message.contains("deep")));
    assert!(Condition::parse(&format!("a = '{}'", "x".repeat(5000))).is_err());
}

/// An agreement over persons, their crimes and households, with lines put in to each table.
fn tables([person, crime, household]: [&str; 3]) -> String {
    let tables = format!(
        r#"[table.person]
entity = "upi"
{person}
columns.upi = {{ use = ["join"] }}
join.keys = ["upi"]
[table.crime]
entity = "upi"
{crime}
columns.upi = {{ use = [] }}
[table.household]
entity = "member"
{household}
columns.member = {{ use = ["join"] }}
join.keys = ["member"]
[table.ward]
replicated = true
"#
    );
    let start = SMALL.find("[table.t]").expect("it has a table");
    let end = SMALL.find("[disclosure]").expect("it has rules");
    format!("{}{tables}{}", &SMALL[..start], &SMALL[end..])
}

const FILTER: &str = "row_filter = \"opted_out = false\"";
const FROM: &str = "filter_from = \"person\"";

/// Who is out of one table is out of all tables of that entity, or nobody can say that they are out.
#[test]
fn one_table_rules_for_all_tables_of_an_entity() {
    for (lines, problem) in [
        (["", "", ""], None),
        ([FILTER, FROM, ""], None),
        ([FILTER, FROM, FROM], None),
        ([FILTER, "row_filter = \"done\"\nfilter_from = \"person\"", ""], None),
        (["", "", FILTER], None),
        ([FILTER, "", ""], Some("`crime`")),
        (["", FILTER, ""], Some("`person`")),
        ([FILTER, FILTER, ""], Some("`person`")), // two filters, and nobody says which of them rules
        (["", "", FROM], Some("has a `row_filter`")),
        ([FILTER, "filter_from = \"nowhere\"", ""], Some("has a `row_filter`")),
        ([&format!("{FILTER}\n{FROM}"), FROM, ""], Some("rules for it anyway")),
        (
            [FILTER, FROM, "row_filter = \"x\"\nfilter_from = \"crime\""],
            Some("`crime` is no table of the agreement"),
        ),
        (
            [FILTER, FROM, "join.references = { member = \"person.upi\" }"],
            Some("still be counted in `household`"), // whoever is joined is the same
        ),
        ([FILTER, FROM, &format!("{FROM}\njoin.references = {{ member = \"person.upi\" }}")], None),
    ] {
        let text = tables(lines).replace("join.keys = [\"member\"]\n", "");
        let text = if text.contains("join.references") {
            text.replace("join.references", "join.keys = [\"member\"]\njoin.references")
        } else {
            text.replace("columns.member = { use = [\"join\"] }", "columns.member = { use = [] }")
        };
        let found: Vec<String> = parse(&text, "test.toml")
            .err()
            .iter()
            .flat_map(|error| error.problems().map(|problem| problem.message().to_owned()))
            .collect();
        match problem {
            None => assert_eq!(found, Vec::<String>::new(), "{lines:?}"),
            Some(words) => {
                assert!(found.iter().any(|message| message.contains(words)), "{lines:?}: {found:?}")
            }
        }
    }
}

#[test]
fn filters_reach_every_table_of_their_entity_and_no_other() {
    let lines = [FILTER, "row_filter = \"done\"\nfilter_from = \"person\"", ""];
    let agreement = parse(&tables(lines), "test.toml").expect("it is one");
    let filters = |table: &str| {
        let filters = agreement.tables()[&table.into()].rules().filters;
        filters
            .into_iter()
            .map(|f| (f.table.to_string(), f.condition.to_string(), f.present))
            .collect::<Vec<_>>()
    };
    let both = [
        ("crime".to_owned(), "done".to_owned(), false),
        ("person".to_owned(), "opted_out = false".to_owned(), true),
    ];
    assert_eq!(filters("person"), both);
    assert_eq!(filters("crime"), both);
    assert_eq!(filters("household"), []);
    assert_eq!(filters("ward"), []);
}

#[test]
fn a_mistake_in_a_condition_is_pointed_at_in_the_file() {
    let text = tables(["row_filter = \"opted_out = lower('x')\"", FROM, ""]);
    let error = parse(&text, "test.toml").expect_err("a function");
    let problem = error.problems().next().expect("one");
    assert_eq!(&text[problem.span()], "lower");
    let text =
        tables([FILTER, FROM, ""]).replace("replicated = true", "replicated = true\nrow_filter = \"a\"");
    let error = parse(&text, "test.toml").expect_err("nobody to leave out");
    assert!(error.to_string().contains("protects nobody"), "{error}");
}

/// Nothing refers to somebody who can opt out but what opts out with them.
#[test]
fn references_to_people_who_can_be_left_out_are_refused() {
    let problems = |household: &str, keys: &str| {
        let text = tables([FILTER, FROM, household]);
        let text = text
            .replace(
                "columns.member = { use = [\"join\"] }",
                "columns.member = { use = [\"join\"] }\ncolumns.kin = { use = [\"join\"] }",
            )
            .replace("join.keys = [\"member\"]", &format!("join.keys = [{keys}]"));
        let found = parse(&text, "test.toml").err();
        found.iter().flat_map(|error| error.problems().map(|it| it.message().to_owned())).collect::<Vec<_>>()
    };
    let (both, kin) = ("\"member\", \"kin\"", "join.references.kin = \"person.upi\"");
    for household in [
        kin.to_owned(),
        format!("{FROM}\n{kin}"),
        format!("{FROM}\njoin.references.member = \"person.upi\"\n{kin}"),
    ] {
        let found = problems(&household, both);
        assert_eq!(
            found,
            ["`person.upi` is not there for everybody: people are left out of `person`"],
            "{household}"
        );
    }
    // A household is no person because one of its columns names one.
    assert_eq!(problems("", both), Vec::<String>::new());
    let own = tables(["row_filter = \"a\"\njoin.references.boss = \"person.upi\"", FROM, ""]).replace(
        "join.keys = [\"upi\"]",
        "columns.boss = { use = [\"join\"] }\njoin.keys = [\"upi\", \"boss\"]",
    );
    assert!(
        parse(&own, "test.toml").is_err_and(|error| error.to_string().contains("not there for everybody"))
    );
}

#[test]
fn a_table_of_which_nobody_is_left_out_is_asked_about() {
    let told = |lines: [&str; 3]| {
        let agreement = parse(&tables(lines), "test.toml").expect("an agreement");
        let advice = liquid_policy::lint::lint(agreement.file(), day("2026-05-01"));
        advice.iter().filter(|advice| format!("{advice:?}").contains("and of `household` nobody")).count()
    };
    assert_eq!(told(["", "", ""]), 0);
    assert_eq!(told([FILTER, FROM, ""]), 1);
    assert_eq!(told([FILTER, FROM, FROM]), 0);
}
