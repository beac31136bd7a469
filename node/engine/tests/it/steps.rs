//! Aggregates by entity below a cut: without a minimum the answer is DataFusion's own; with one, every value, every count of
//! contributors and of those whom conditions concern is what counting row by row in plain Rust gives.

mod counted;
mod question;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::execution::context::SessionContext;
use liquid_node_api::engine::Told;
use liquid_policy::decide::judge;
use liquid_policy::{Agreement, parse};
use proptest::prelude::*;

use self::counted::oracle;
use self::question::{Question, Row, question, rows, under_a_minimum};
use crate::site::{Front, Site, lines};

const MODEL: &str = r#"
[[table]]
name = "visit"
description = "several an entity"
column = [
    { name = "id", type = "integer", description = "the entity" },
    { name = "ward", type = "text", description = "" },
    { name = "kind", type = "text", description = "" },
    { name = "cost", type = "integer", description = "" },
]
"#;

const CONFIG: &str = r#"
    model = "model.toml"
    source = [{ name = "visit", path = "visit.parquet", format = "parquet" }]
"#;

fn agreement(minimum: u32) -> Agreement {
    let text = format!(
        r#"schema = "liquid/agreement/1"
[agreement]
id = "A-1"
version = "1"
purposes = ["p"]
in_force = 2026-01-01
expires = 2026-12-31
[[party]]
organisation = "north"
role = "controller"
[table.visit]
entity = "id"
entity_counts = [1, 2, 3, 5]
[table.visit.columns]
id = {{ use = [] }}
ward = {{ use = ["group", "filter"], domain = {{ values = ["A", "B"] }} }}
kind = {{ use = ["filter"] }}
cost = {{ use = ["measure"], required = true }}
[disclosure]
minimum_contributors = {minimum}
"#
    );
    parse(&text, "steps.toml").unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn batch(rows: &[Row]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.id)).collect::<Int64Array>());
    let wards: ArrayRef = Arc::new(rows.iter().map(|row| row.ward).collect::<StringArray>());
    let kinds: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.kind)).collect::<StringArray>());
    let costs: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.cost)).collect::<Int64Array>());
    RecordBatch::try_from_iter_with_nullable([
        ("id", ids, true),
        ("ward", wards, true),
        ("kind", kinds, true),
        ("cost", costs, true),
    ])
    .unwrap()
}

async fn site(rows: &[Row]) -> (Site, Front) {
    let site = Site::new();
    site.write("model.toml", MODEL);
    site.write_parquet("visit.parquet", &batch(rows));
    let front = site.open(CONFIG).await.unwrap();
    (site, front)
}

/// The one cut of a question, run as its agreement demands.
async fn cells(front: &mut Front, sql: &str, agreement: &Agreement) -> RecordBatch {
    let told = front.plan_under(sql, agreement).await;
    let Told::Planned { plan, cuts, .. } = told else { panic!("{sql}: {told:?}") };
    assert!(cuts.len() == 1 && cuts[0].step.is_some(), "{sql}: {cuts:?}");
    let obligations = judge(agreement, &cuts[0]).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
    front.run(plan, 0, &obligations).await.1
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn sorted(batch: &RecordBatch) -> Vec<String> {
    let mut lines = lines(batch);
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn without_a_minimum_the_answer_is_datafusions_own(rows in rows(), questions in prop::collection::vec(question(), 6)) {
        runtime().block_on(async {
            let (site, mut front) = site(&rows).await;
            let plain = SessionContext::new();
            let path = site.path("visit.parquet");
            plain.register_parquet("file", path.to_str().unwrap(), Default::default()).await.unwrap();
            // A value outside the declared domain is NULL.
            let view = "CREATE VIEW visit AS SELECT id, CASE WHEN ward IN ('A', 'B') THEN ward END ward, kind, cost FROM file";
            plain.sql(view).await.unwrap().collect().await.unwrap();
            for question in questions.iter().map(Question::sql) {
                let found = cells(&mut front, &question, &agreement(1)).await;
                let frame = plain.sql(&question).await.unwrap();
                let schema = frame.schema().inner().clone();
                let pooled = arrow::compute::concat_batches(&schema, &frame.collect().await.unwrap()).unwrap();
                assert_eq!(sorted(&found), sorted(&pooled), "{question}");
            }
        });
    }

    #[test]
    fn with_a_minimum_every_count_is_what_counting_row_by_row_gives(
        rows in rows(), questions in prop::collection::vec(under_a_minimum(), 6), k in 2..4_u32,
    ) {
        runtime().block_on(async {
            let (_site, mut front) = site(&rows).await;
            for question in &questions {
                let found = cells(&mut front, &question.sql(), &agreement(k)).await;
                assert_eq!(sorted(&found), oracle(&rows, question, k), "{}\n{rows:#?}", question.sql());
            }
        });
    }
}

/// A crowd of rows that fail and change nothing does not hide the one row that does.
#[tokio::test]
async fn a_crowd_that_changes_nothing_hides_nobody() {
    let row = |id, kind, cost| Row { id, ward: Some("A"), kind, cost };
    let rows: Vec<Row> = (0..12)
        .flat_map(|id| [row(id, "x", 1), row(id, "x", 1), row(id, "z", if id == 7 { 5 } else { 0 })])
        .collect();
    let each =
        |values: &str, filter: &str| format!("(SELECT id, {values} FROM visit {filter} GROUP BY id) p");
    for (question, expected) in [
        // One person's five, whichever way the others are kept out of the sum.
        (format!("SELECT sum(s) FROM {}", each("sum(cost) s", "WHERE kind <> 'z'")), 1),
        (format!("SELECT sum(s) FROM {}", each("sum(cost) FILTER (WHERE kind = 'x') s", "")), 1),
        (format!("SELECT sum(s) FROM {}", each("max(cost) FILTER (WHERE kind = 'x') s", "")), 1),
        // Nobody is left out by it, and that is as little to be known as few.
        (format!("SELECT count(*) FROM {}", each("sum(cost) s", "WHERE kind <> 'z'")), 0),
        (format!("SELECT count(DISTINCT id) FROM {}", each("count(*) n", "WHERE kind <> 'z'")), 0),
        // Everybody has one visit fewer.
        (format!("SELECT sum(n) FROM {}", each("count(*) n", "WHERE kind <> 'z'")), 3),
        // From three visits to two: everybody moves between these groups.
        (
            format!("SELECT count(*) FROM {} WHERE n >= 3", each("count(*) FILTER (WHERE kind = 'x') n", "")),
            3,
        ),
    ] {
        assert_eq!(left_out(&rows, &question).await, expected, "{question}");
    }
}

/// Some move into a group and others out of it, each with nothing to add where they come from: all that is left of the difference
/// to the question without several conditions at once is one person's.
#[tokio::test]
async fn those_who_cancel_out_hide_nobody() {
    let of = |id, visits: &[(&'static str, i64)]| {
        let row = |(kind, cost): &(&'static str, i64)| Row { id, ward: Some("A"), kind, cost: *cost };
        visits.iter().map(row).collect::<Vec<_>>()
    };
    let six = |from: i64, visits: &[(&'static str, i64)]| {
        (from..from + 6).flat_map(|id| of(id, visits)).collect::<Vec<_>>()
    };
    let ann = of(99, &[("x", 1), ("x", 0), ("z", 5)]);

    // Two conditions below, each undone alone with six others, and together with Ann alone.
    let two = [
        six(0, &[("x", 1), ("x", 0)]),
        six(10, &[("x", 1), ("z", -1)]),
        six(20, &[("x", 0), ("x", 0), ("x", 0), ("x", 0), ("z", 2)]),
        ann.clone(),
    ];
    let values = "count(*) FILTER (WHERE kind = 'x') n, sum(cost) FILTER (WHERE kind <> 'z') s";
    let question =
        format!("SELECT sum(s) FROM (SELECT id, {values} FROM visit GROUP BY id) p WHERE n >= 2 AND n < 5");
    assert_eq!(left_out(&two.concat(), &question).await, 1, "{question}");

    // One below and one above.
    let one = [
        six(0, &[("x", 1), ("x", 0), ("z", 0)]),
        six(10, &[("x", 1), ("x", 0), ("x", 0), ("z", -1)]),
        of(99, &[("x", 1), ("z", 5)]),
    ];
    let values = "count(*) FILTER (WHERE kind = 'x') n, sum(cost) FILTER (WHERE kind = 'x') s";
    let question = format!("SELECT sum(s) FROM (SELECT id, {values} FROM visit GROUP BY id) p WHERE n < 3");
    assert_eq!(left_out(&one.concat(), &question).await, 1, "{question}");
}

/// How many the first cell leaves out under a minimum of three, at most three.
async fn left_out(rows: &[Row], question: &str) -> u32 {
    let (_site, mut front) = site(rows).await;
    let found = cells(&mut front, question, &agreement(3)).await;
    arrow::array::AsArray::as_primitive::<arrow::datatypes::UInt32Type>(found.column_by_name("l0").unwrap())
        .value(0)
}

/// A file says how many values it has, and a condition above a step changes how many are left.
#[tokio::test]
async fn what_a_file_says_of_itself_answers_nothing() {
    let rows = [Row { id: 0, ward: Some("B"), kind: "x", cost: 0 }];
    let (_site, mut front) = site(&rows).await;
    let each = "SELECT id, count(*) n FROM visit WHERE ward = 'A' GROUP BY id";
    for (question, answer) in [
        (format!("SELECT count(DISTINCT id) FROM ({each}) p WHERE n >= 1"), "0"),
        (format!("SELECT count(DISTINCT id) FROM ({}) p WHERE n >= 1", each.replace("'A'", "'B'")), "1"),
    ] {
        assert_eq!(lines(&cells(&mut front, &question, &agreement(1)).await), [answer], "{question}");
    }
}
