//! Which joins an agreement permits, whom it wants counted as left out of them, and that tightening never permits more.

use std::collections::BTreeSet;

use liquid_policy::decide::judge;
use liquid_policy::footprint::{Aggregate, Argument, Footprint, Function, Term};
use liquid_policy::table::Obligations;
use liquid_policy::{Agreement, Code, Refusal, parse};
use proptest::prelude::*;

/// What can be taken out of the agreement, each by itself: a key of a join, a key within the entity, a reference.
const GRANTS: [&str; 13] = [
    "person.upi",
    "visit.upi",
    "visit.vid",
    "treat.upi",
    "treat.vid",
    "person.ward",
    "ward.ward",
    "within visit",
    "within treat",
    "visit.upi -> person.upi",
    "person.upi -> visit.upi",
    "treat.vid -> visit.vid",
    "person.ward -> ward.ward",
];

fn agreement(granted: &BTreeSet<&str>, minimum: u32) -> Agreement {
    let quote = |names: Vec<&str>| {
        format!("[{}]", names.iter().map(|n| format!("{n:?}")).collect::<Vec<_>>().join(", "))
    };
    let mut text = format!(
        r#"schema = "liquid/agreement/1"
[agreement]
id = "A-1"
version = "1"
purposes = ["care"]
in_force = 2026-01-01
expires = 2026-12-31
[[party]]
organisation = "north"
role = "controller"
[disclosure]
minimum_contributors = {minimum}
"#
    );
    for (table, entity, columns) in [
        ("person", "upi", &["upi", "ward"][..]),
        ("visit", "upi", &["upi", "vid", "cost"]),
        ("treat", "upi", &["upi", "vid"]),
        ("ward", "", &["ward"]),
    ] {
        let key = |column: &&&str| granted.contains(format!("{table}.{column}").as_str());
        let keys: Vec<&str> = columns.iter().filter(key).copied().collect();
        let references = granted.iter().filter_map(|grant| {
            let (from, to) = grant.split_once(" -> ")?;
            let column = from.strip_prefix(table)?.strip_prefix('.')?;
            let both = granted.contains(from) && granted.contains(to);
            both.then(|| format!("{column} = \"{to}\""))
        });
        let references: Vec<_> = references.collect();
        text += &format!("[table.{table}]\n");
        text += &if entity.is_empty() {
            "replicated = true\n".to_owned()
        } else {
            format!("entity = {entity:?}\n")
        };
        if granted.contains(format!("within {table}").as_str()) {
            text += "keys_within = [\"vid\"]\n";
        }
        if !keys.is_empty() {
            text += &format!("join.keys = {}\n", quote(keys.clone()));
            text += &format!("join.references = {{ {} }}\n", references.join(", "));
        }
        text += &format!("[table.{table}.columns]\n");
        for column in columns {
            let uses = match (*column, keys.contains(column)) {
                ("cost", _) => "[\"measure\"]",
                (_, true) => "[\"join\"]",
                (_, false) => "[]",
            };
            text += &format!("{column} = {{ use = {uses} }}\n");
        }
    }
    parse(&text, "joins.toml").unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn all() -> BTreeSet<&'static str> {
    GRANTS.into()
}

/// Counts the joined rows of some tables.
fn join(tables: &[&str], joins: &[(&str, &str)]) -> Footprint {
    let count = Aggregate { function: Function::Count, argument: Argument::Rows, filter: vec![] };
    Footprint {
        tables: tables.iter().map(|table| (*table).into()).collect(),
        joins: joins.iter().map(|(left, right)| ((*left).into(), (*right).into())).collect(),
        filter: vec![],
        groups: vec![],
        aggregates: vec![count],
    }
}

fn decided(footprint: &Footprint) -> Result<Obligations, Refusal> {
    judge(&agreement(&all(), 10), footprint)
}

#[track_caller]
fn refused(tables: &[&str], joins: &[(&str, &str)], code: Code, clause: &str) {
    let refusal = decided(&join(tables, joins)).expect_err("refused");
    assert_eq!((refusal.code, refusal.clause.as_str()), (code, clause), "{refusal}");
}

#[test]
fn tables_are_joined_on_their_keys_alone() {
    refused(&["visit", "visit"], &[("t0.cost", "t1.cost")], Code::JoinKey, "table.visit.join.keys");
    refused(
        &["person", "visit"],
        &[("t0.upi", "t1.upi"), ("t0.ward", "t1.cost")],
        Code::JoinKey,
        "table.visit.join.keys",
    );
    refused(&["person", "visit"], &[("t0.upi", "t7.upi")], Code::JoinKey, "table");
    refused(&["person", "visit"], &[("t0.upi", "upi")], Code::JoinKey, "table");
    refused(&["person", "visit"], &[], Code::JoinKey, "table.visit.join.keys");
    refused(&["person", "visit", "ward"], &[("t0.upi", "t1.upi")], Code::JoinKey, "table.ward.join.keys");
    refused(&["ward"], &[], Code::PlanNode, "table.ward.replicated");
    refused(&["ward", "ward"], &[("t0.ward", "t1.ward")], Code::PlanNode, "table.ward.replicated");
    refused(&[], &[], Code::AggRequired, "table");
    refused(&["person"; 16], &[], Code::Limit, "liquid.joins");
}

#[test]
fn one_joined_row_speaks_of_one_entity() {
    // By where they live, by way of a table that protects nobody, and by columns that mean something else.
    refused(&["person", "person"], &[("t0.ward", "t1.ward")], Code::JoinKey, "table.person.join.keys");
    refused(
        &["person", "ward", "person"],
        &[("t0.ward", "t1.ward"), ("t1.ward", "t2.ward")],
        Code::JoinKey,
        "table.person.join.keys",
    );
    refused(&["visit", "treat"], &[("t0.upi", "t1.vid")], Code::JoinKey, "table.treat.join.keys");
    refused(
        &["person", "visit", "treat"],
        &[("t0.upi", "t1.upi"), ("t0.ward", "t2.vid")],
        Code::JoinKey,
        "table.treat.join.keys",
    );

    let by_entity = decided(&join(&["person", "visit"], &[("t0.upi", "t1.upi")])).expect("permitted");
    assert_eq!((by_entity.entity.as_str(), by_entity.tied.len()), ("t0.upi", 0));
    let by_key = decided(&join(&["visit", "treat"], &[("t0.vid", "t1.vid")])).expect("permitted");
    assert_eq!(by_key.tied, [("t0.vid".into(), "t1.vid".into())]);
    // Along one another: person and treat are joined to visit alone.
    let three = [("t0.upi", "t1.upi"), ("t1.vid", "t2.vid")];
    assert!(decided(&join(&["person", "visit", "treat"], &three)).is_ok());
    // By way of a table that protects nobody, equal all the same.
    let far = decided(&join(&["ward", "person"], &[("t0.ward", "t1.ward")])).expect("permitted");
    assert_eq!(far.entity.as_str(), "t1.upi");
}

#[test]
fn any_protected_entity_of_a_join_can_be_counted() {
    let distinct = |column: &str| {
        let term = Term { columns: vec![column.into()], factors: vec![] };
        let count =
            Aggregate { function: Function::CountDistinct, argument: Argument::Term(term), filter: vec![] };
        Footprint { aggregates: vec![count], ..join(&["person", "visit"], &[("t0.upi", "t1.upi")]) }
    };
    assert!(decided(&distinct("t0.upi")).is_ok());
    assert!(decided(&distinct("t1.upi")).is_ok());
    assert_eq!(decided(&distinct("t1.vid")).expect_err("refused").code, Code::Function);
}

fn parts(tables: &[&str], joins: &[(&str, &str)], without: &[&str]) -> Vec<Vec<usize>> {
    let granted = all().into_iter().filter(|grant| !without.contains(grant)).collect();
    let found = judge(&agreement(&granted, 10), &join(tables, joins)).expect("permitted");
    found.parts.iter().map(|part| part.iter().copied().collect()).collect()
}

#[test]
fn a_part_of_a_join_is_judged_unless_references_lead_to_all_of_it() {
    let two = (&["person", "visit"][..], &[("t0.upi", "t1.upi")][..]);
    let none: Vec<Vec<usize>> = Vec::new();
    assert_eq!(parts(two.0, two.1, &[]), none);
    assert_eq!(parts(two.0, two.1, &["person.upi -> visit.upi"]), [[0]]);
    assert_eq!(parts(two.0, two.1, &["visit.upi -> person.upi"]), [[1]]);
    // A second condition is not sure to hold, wherever the reference leads.
    let both = [("t0.upi", "t1.upi"), ("t0.vid", "t1.vid")];
    assert_eq!(parts(&["treat", "visit"], &both, &[]), [[0], [1]]);

    let three = [("t0.upi", "t1.upi"), ("t1.vid", "t2.vid")];
    let tables = ["person", "visit", "treat"];
    // From a treatment everything is found; visits without one, with or without their person, are left out.
    assert_eq!(parts(&tables, &three, &[]), [vec![0], vec![1], vec![0, 1]]);
    // Persons and treatments equal a visit's person: they could be joined with each other, too.
    let star = [("t0.upi", "t1.upi"), ("t1.upi", "t2.upi")];
    assert!(parts(&tables, &star, &["person.upi -> visit.upi"]).contains(&vec![0, 2]));

    // A table that protects nobody has nobody to leave out, but leaves out others.
    let ward = [("t0.ward", "t1.ward")];
    assert_eq!(parts(&["person", "ward"], &ward, &[]), none);
    assert_eq!(parts(&["person", "ward"], &ward, &["person.ward -> ward.ward"]), [[0]]);

    // Without a minimum nobody is counted.
    let open = agreement(&BTreeSet::from(["person.upi", "visit.upi"]), 1);
    assert!(judge(&open, &join(two.0, two.1)).expect("permitted").parts.is_empty());
}

fn footprints() -> impl Strategy<Value = Footprint> {
    let table = prop::sample::select(vec!["person", "visit", "treat", "ward"]);
    let column = |table: &str| match table {
        "person" => &["upi", "ward"][..],
        "visit" => &["upi", "vid", "cost"],
        "treat" => &["upi", "vid"],
        _ => &["ward"],
    };
    (
        prop::collection::vec(table, 1..4),
        prop::collection::vec((0..3_usize, 0..3_usize, 0..9_usize, 0..9_usize), 0..4),
    )
        .prop_map(move |(tables, pairs)| {
            let named = |at: usize, pick: usize| {
                let columns = column(tables[at]);
                format!("t{at}.{}", columns[pick % columns.len()])
            };
            let pairs = pairs.into_iter().filter(|(l, r, ..)| l < r && *r < tables.len());
            let joins: Vec<_> = pairs.map(|(l, r, one, other)| (named(l, one), named(r, other))).collect();
            let joins: Vec<_> = joins.iter().map(|(l, r)| (l.as_str(), r.as_str())).collect();
            if tables.len() == 1 { join(&tables, &[]) } else { join(&tables, &joins) }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Take any keys, ties and references away: no join that was refused is permitted then, and nobody who was counted as
    /// left out is counted no more.
    #[test]
    fn tighter_never_permits_more_joins(
        wide in prop::sample::subsequence(GRANTS.to_vec(), 6..=13),
        kept in prop::collection::vec(any::<bool>(), 13),
        footprint in footprints(),
        minimum in prop::sample::select(vec![1, 10]),
    ) {
        let wide: BTreeSet<&str> = wide.into_iter().collect();
        let narrow: BTreeSet<_> = wide.iter().zip(kept).filter(|(_, kept)| *kept).map(|(grant, _)| *grant).collect();
        if let Ok(tight) = judge(&agreement(&narrow, 10), &footprint) {
            let loose = judge(&agreement(&wide, minimum), &footprint);
            prop_assert!(loose.is_ok(), "{wide:?} -> {narrow:?}: {loose:?}");
            prop_assert!(loose.unwrap().parts.iter().all(|part| tight.parts.contains(part)));
        }
    }
}
