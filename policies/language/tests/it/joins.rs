//! Which joins an agreement permits, whom it wants counted as left out of them, and that tightening never permits more.

use std::collections::BTreeSet;

use liquid_policy::decide::judge;
use liquid_policy::footprint::{Aggregate, Argument, Footprint, Function, GroupKey, Term};
use liquid_policy::table::Obligations;
use liquid_policy::{Agreement, Code, Refusal, parse};
use proptest::prelude::*;

/// What can be taken out of the agreement, each by itself: a key of a join, a key within the entity, a reference, a unique key.
const GRANTS: [&str; 19] = [
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
    "treat.upi -> person.upi",
    "visit.vid -> treat.vid",
    "unique person.upi",
    "unique visit.upi",
    "unique visit.vid",
    "unique ward.ward",
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
        let unique = keys.iter().filter(|key| granted.contains(format!("unique {table}.{key}").as_str()));
        let unique: Vec<&str> = unique.copied().collect();
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
            text += &format!("join.unique = {}\n", quote(unique));
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
        mixed: false,
        filter: vec![],
        groups: vec![],
        aggregates: vec![count],
        dates: vec![],
        step: None,
    }
}

/// Without a minimum: what one joined row may speak of, whoever it leaves out or multiplies.
fn decided(footprint: &Footprint) -> Result<Obligations, Refusal> {
    judge(&agreement(&all(), 1), footprint)
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

/// What is decided under a minimum, some grants left out.
fn guarded(tables: &[&str], joins: &[(&str, &str)], without: &[&str]) -> Result<Vec<Vec<usize>>, Refusal> {
    let granted = all().into_iter().filter(|grant| !without.contains(grant)).collect();
    let found = judge(&agreement(&granted, 10), &join(tables, joins))?;
    Ok(found.parts.iter().map(|part| part.iter().copied().collect()).collect())
}

#[track_caller]
fn no_base(tables: &[&str], joins: &[(&str, &str)], without: &[&str], clause: &str, fix: &str) {
    let refusal = guarded(tables, joins, without).expect_err("refused");
    assert_eq!((refusal.code, refusal.clause.as_str()), (Code::JoinKey, clause), "{refusal}");
    assert!(refusal.fix.contains(fix), "{refusal}");
}

const BY_PERSON: &[(&str, &str)] = &[("t0.upi", "t1.upi")];

#[test]
fn under_a_minimum_the_rows_of_a_join_are_those_of_one_table() {
    let (tables, several) = (["person", "visit"], ["unique visit.upi"]);
    assert!(guarded(&tables, BY_PERSON, &several).is_ok());
    // Neither the reference nor the unique key is enough by itself, and the other way there is no unique key.
    let fix = "`visit.upi = person.upi`";
    no_base(
        &tables,
        BY_PERSON,
        &["unique person.upi", "unique visit.upi"],
        "table.visit.join",
        "each table by itself",
    );
    no_base(
        &tables,
        BY_PERSON,
        &["visit.upi -> person.upi", "unique visit.upi"],
        "table.visit.join",
        "each table by itself",
    );
    no_base(
        &["visit", "treat"],
        &[("t0.upi", "t1.upi")],
        &several,
        "table.treat.join",
        "`treat.vid = visit.vid`",
    );
    no_base(
        &["person", "treat"],
        BY_PERSON,
        &["treat.upi -> person.upi"],
        "table.treat.join",
        "each table by itself",
    );
    no_base(
        &["person", "visit", "treat"],
        &[("t0.upi", "t1.upi"), ("t1.upi", "t2.upi")],
        &several,
        "table.treat.join",
        fix,
    );

    // Visits and treatments of one person would be multiplied with one another.
    let fan = [("t0.upi", "t1.upi"), ("t0.upi", "t2.upi")];
    no_base(
        &["person", "visit", "treat"],
        &fan,
        &several,
        "disclosure.minimum_contributors",
        "a question of its own",
    );
    // A second equality chooses rows, however true it is.
    let both = [("t0.upi", "t1.upi"), ("t0.vid", "t1.vid")];
    no_base(&["treat", "visit"], &both, &[], "disclosure.minimum_contributors", "on one column");
    let circle = [("t0.upi", "t1.upi"), ("t1.vid", "t2.vid"), ("t0.upi", "t2.upi")];
    no_base(&["person", "visit", "treat"], &circle, &[], "disclosure.minimum_contributors", "on one column");
    no_base(&["person", "person"], BY_PERSON, &[], "table.person.join", "read it once");
    // A table that protects nobody can be found, twice too, but is no base.
    let twice = [("t0.ward", "t1.ward"), ("t0.ward", "t2.ward")];
    assert!(guarded(&["person", "ward", "ward"], &twice, &[]).is_ok());
    let nobody = [("t0.ward", "t1.ward")];
    assert!(guarded(&["ward", "person"], &nobody, &[]).is_ok());
    no_base(&["ward", "person"], &nobody, &["unique ward.ward"], "table.person.join", "each table by itself");
}

/// Persons whose score leads to a band; `added` is added up.
fn by_band(added: &str, score: &str) -> Result<Obligations, Refusal> {
    let text = format!(
        r#"schema = "liquid/agreement/1"
agreement = {{ id = "A-1", version = "1", purposes = ["care"], in_force = 2026-01-01, expires = 2026-12-31 }}
party = [{{ organisation = "north", role = "controller" }}]
disclosure.minimum_contributors = 10
[table.person]
entity = "upi"
join = {{ keys = ["score"], references = {{ score = "band.score" }} }}
columns = {{ upi = {{ use = [] }}, cost = {{ use = ["measure"] }}, score = {{ use = {score} }} }}
[table.band]
replicated = true
join = {{ keys = ["score"], unique = ["score"] }}
columns = {{ score = {{ use = ["join"] }}, label = {{ use = ["group"] }}, weight = {{ use = ["measure"] }} }}
"#
    );
    let columns: Vec<_> = added.split('*').filter(|name| !name.is_empty()).map(Into::into).collect();
    let function = if columns.is_empty() { Function::Count } else { Function::Sum };
    let argument = match columns.is_empty() {
        true => Argument::Rows,
        false => Argument::Term(Term { columns, factors: vec![] }),
    };
    let aggregates = vec![Aggregate { function, argument, filter: vec![] }];
    let groups = vec![GroupKey { columns: vec!["t1.label".into()] }];
    let bands = join(&["person", "band"], &[("t0.score", "t1.score")]);
    judge(&parse(&text, "t.toml").expect("an agreement"), &Footprint { groups, aggregates, ..bands })
}

#[test]
fn what_a_join_reads_is_not_added_up() {
    let refusal = by_band("t0.score", r#"["measure", "join"]"#).expect_err("refused");
    assert_eq!(
        (refusal.code, refusal.clause.as_str()),
        (Code::ColumnUse, "table.person.columns.score.use"),
        "{refusal}"
    );
    assert!(by_band("t0.cost", r#"["measure", "join"]"#).is_ok());
    // To grant less permits no more.
    assert!(by_band("", r#"["measure", "join"]"#).is_ok());
    assert!(by_band("", r#"["join"]"#).is_ok());
}

/// The values of codes are known to all: added up, they tell one person's code from those of a known crowd, and as factors they
/// keep one person's value apart.
#[test]
fn nobody_adds_up_what_stands_beside_codes() {
    for added in ["t1.weight", "t0.cost*t1.weight", "t1.weight*t1.weight"] {
        let refusal = by_band(added, r#"["join"]"#).expect_err("refused");
        assert_eq!(
            (refusal.code, refusal.clause.as_str()),
            (Code::ColumnUse, "table.band.join"),
            "{refusal}"
        );
    }
}

/// A value that stands beside several rows of one person would be added up as long as one of them is left.
#[test]
fn nobody_adds_up_what_a_join_repeats() {
    let adds = |column: &str, function| {
        let term = Term { columns: vec![column.into()], factors: vec![] };
        let aggregates = vec![Aggregate { function, argument: Argument::Term(term), filter: vec![] }];
        let joins = [("t0.upi", "t1.upi"), ("t1.vid", "t2.vid")];
        let asked = Footprint { aggregates, ..join(&["person", "visit", "treat"], &joins) };
        judge(&agreement(&all(), 10), &asked)
    };
    for function in [Function::Sum, Function::Avg, Function::Count] {
        let refusal = adds("t1.cost", function).expect_err("refused");
        assert_eq!(
            (refusal.code, refusal.clause.as_str()),
            (Code::ColumnUse, "table.visit.join"),
            "{refusal}"
        );
    }
    for entity in ["t0.upi", "t1.upi", "t2.upi"] {
        assert!(adds(entity, Function::CountDistinct).is_ok());
    }
    let of_visits = Term { columns: vec!["t1.cost".into()], factors: vec![] };
    let sum = Aggregate { function: Function::Sum, argument: Argument::Term(of_visits), filter: vec![] };
    let asked = Footprint { aggregates: vec![sum], ..join(&["person", "visit"], BY_PERSON) };
    assert!(judge(&agreement(&all(), 10), &asked).is_ok());
}

/// A table of codes for persons gives no use back that the entity may not have.
#[test]
fn the_entity_chooses_no_rows_under_another_name() {
    let text = r#"schema = "liquid/agreement/1"
agreement = { id = "A-1", version = "1", purposes = ["care"], in_force = 2026-01-01, expires = 2026-12-31 }
party = [{ organisation = "north", role = "controller" }]
disclosure.minimum_contributors = 10
[table.visit]
entity = "upi"
join = { keys = ["upi"], references = { upi = "sector.upi" } }
columns = { upi = { use = ["join"] } }
[table.sector]
replicated = true
join = { keys = ["upi"], unique = ["upi"] }
columns = { upi = { use = ["join", "filter", "group"] }, sector = { use = ["filter", "group"] } }
"#;
    let agreement = parse(text, "t.toml").unwrap();
    let asked = |column: &str| {
        let joined = join(&["visit", "sector"], &[("t0.upi", "t1.upi")]);
        let by = GroupKey { columns: vec![column.into()] };
        [
            Footprint { filter: vec![column.into()], ..joined.clone() },
            Footprint { groups: vec![by], ..joined },
        ]
    };
    for footprint in asked("t1.upi") {
        let refusal = judge(&agreement, &footprint).expect_err("refused");
        assert_eq!(
            (refusal.code, refusal.clause.as_str()),
            (Code::ColumnUse, "table.sector.columns.upi.use")
        );
    }
    for footprint in asked("t1.sector") {
        assert!(judge(&agreement, &footprint).is_ok());
    }
}

#[test]
fn whoever_a_join_leaves_out_is_judged_unless_references_lead_to_all_of_it() {
    let parts =
        |tables: &[&str], joins: &[(&str, &str)], without: &[&str]| guarded(tables, joins, without).unwrap();
    let none: Vec<Vec<usize>> = Vec::new();
    assert_eq!(parts(&["person", "visit"], BY_PERSON, &[]), none);
    // Persons without a visit are left out; no visit is.
    assert_eq!(parts(&["person", "visit"], BY_PERSON, &["person.upi -> visit.upi"]), [[0]]);

    // From a treatment everything is found, and each visit has one: persons alone are left out, whatever they are joined with.
    let tables = ["person", "visit", "treat"];
    let (line, star) =
        ([("t0.upi", "t1.upi"), ("t1.vid", "t2.vid")], [("t0.upi", "t2.upi"), ("t1.vid", "t2.vid")]);
    assert_eq!(parts(&tables, &line, &["person.upi -> visit.upi"]), [[0]]);
    assert_eq!(parts(&tables, &star, &["person.upi -> visit.upi"]), [[0]]);
    assert_eq!(parts(&tables, &line, &[]), none);
    // A visit without one is left out, though its person can be in the join with another.
    for joins in [line, star] {
        let fix = "in a question of its own";
        no_base(&tables, &joins, &["visit.vid -> treat.vid"], "table.visit.join", fix);
        no_base(&tables[1..], &[("t0.vid", "t1.vid")], &["visit.vid -> treat.vid"], "table.visit.join", fix);
    }

    // A table that protects nobody has nobody to leave out.
    assert_eq!(parts(&["person", "ward"], &[("t0.ward", "t1.ward")], &[]), none);
    let far = [("t0.upi", "t1.upi"), ("t1.ward", "t2.ward")];
    assert_eq!(parts(&["visit", "person", "ward"], &far, &["person.upi -> visit.upi"]), [[1, 2]]);

    // Without a minimum nobody is counted.
    let open = agreement(&BTreeSet::from(["person.upi", "visit.upi"]), 1);
    assert!(judge(&open, &join(&["person", "visit"], BY_PERSON)).expect("permitted").parts.is_empty());
}

#[test]
fn a_condition_over_several_tables_needs_a_join_that_leaves_nobody_out() {
    let mixed = Footprint { mixed: true, ..join(&["person", "visit"], BY_PERSON) };
    let decided = |without: &str, minimum| {
        judge(&agreement(&all().into_iter().filter(|grant| *grant != without).collect(), minimum), &mixed)
    };
    assert!(decided("", 10).is_ok());
    assert!(decided("person.upi -> visit.upi", 1).is_ok());
    let refusal = decided("person.upi -> visit.upi", 10).expect_err("refused");
    assert_eq!(
        (refusal.code, refusal.clause.as_str()),
        (Code::Expression, "disclosure.minimum_contributors")
    );
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

    /// Take any keys, ties, references and unique keys away: no join that was refused is permitted then, and nobody who was counted as
    /// left out is counted no more.
    #[test]
    fn tighter_never_permits_more_joins(
        wide in prop::sample::subsequence(GRANTS.to_vec(), 6..=19),
        kept in prop::collection::vec(prop::bool::weighted(0.8), 19),
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
