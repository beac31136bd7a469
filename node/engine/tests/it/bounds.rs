//! Values are moved to the bounds of their column before anything is computed of them. The oracle: an engine without bounds over
//! files in which plain Rust has moved them; both must say the same, hidden columns included.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use liquid_node_api::engine::Told;
use liquid_policy::Agreement;
use liquid_policy::decide::judge;
use proptest::prelude::*;

use crate::site::{Front, Site, caps, decode, lines};

const MODEL: &str = r#"
[[table]]
name = "t"
description = "one row a thing"
column = [
    { name = "id", type = "integer", description = "the entity" },
    { name = "x", type = "integer", description = "" },
    { name = "f", type = "float", description = "" },
    { name = "sex", type = "integer", description = "" },
]
"#;

const CONFIG: &str = r#"
    model = "model.toml"
    source = [{ name = "t", path = "t.parquet", format = "parquet" }]
"#;

fn agreement(minimum: u32, x: &str, f: &str) -> Agreement {
    let tables = format!(
        r#"[table.t]
entity = "id"
[table.t.columns]
id = {{ use = [] }}
x = {{ use = ["measure", "filter"]{x} }}
f = {{ use = ["measure"], missing = "public"{f} }}
sex = {{ use = ["group", "filter"], domain = {{ from = 0, to = 1 }}, required = true }}
"#
    );
    crate::site::agreement(minimum, &tables)
}

type Row = (i64, Option<i64>, Option<f64>, i64);

async fn open(rows: &[Row]) -> (Site, Front) {
    let site = Site::new();
    site.write("model.toml", MODEL);
    let columns: [(&str, ArrayRef, bool); 4] = [
        ("id", Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>()), true),
        ("x", Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()), true),
        ("f", Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>()), true),
        ("sex", Arc::new(rows.iter().map(|row| Some(row.3)).collect::<Int64Array>()), true),
    ];
    site.write_parquet("t.parquet", &RecordBatch::try_from_iter_with_nullable(columns).unwrap());
    let front = site.open(CONFIG).await.unwrap();
    (site, front)
}

async fn said(front: &mut Front, sql: &str, agreement: &Agreement) -> Result<String, String> {
    let told = front.try_plan(sql, &[], &["t"]).await;
    let Told::Planned { plan, cuts, .. } = told else { panic!("{sql}: {told:?}") };
    let obligations = judge(agreement, &cuts[0]).unwrap();
    let (told, attached) = front.try_run(plan, 0, &obligations, caps()).await;
    match told {
        Told::Ran { layout } => {
            let mut lines = lines(&decode(&attached[0]));
            lines.sort();
            Ok(format!("{layout:?}\n{}", lines.join("\n")))
        }
        Told::Failed { detail, .. } => Err(detail),
        other => panic!("{other:?}"),
    }
}

const ASKED: [&str; 7] = [
    "SELECT sum(x), count(x), avg(x) FROM t",
    "SELECT sex, sum(f), count(f) FROM t GROUP BY sex",
    "SELECT sum(x * f) FROM t WHERE sex = 1",
    "SELECT sum(x * x), avg(f) FILTER (WHERE sex = 0) FROM t",
    "SELECT sum(f * (1 - x)) FROM t",
    "SELECT count(*) FROM t WHERE x > 2",
    "SELECT count(CASE WHEN x = 5 THEN f END) FROM t",
];

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let x = prop_oneof![6 => -9..12_i64, 1 => proptest::sample::select(vec![i64::MIN, i64::MAX])];
    let odd = vec![f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MAX];
    // Quarters add up to the same in any order.
    let f =
        prop_oneof![6 => (-40..40_i32).prop_map(|f| f64::from(f) / 4.0), 1 => proptest::sample::select(odd)];
    let row = (0..8_i64, proptest::option::weighted(0.9, x), proptest::option::weighted(0.9, f), 0..2_i64);
    proptest::collection::vec(row, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_outside_is_moved_to_the_bounds(rows in rows(), k in 1..4_u32) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let moved: Vec<Row> = rows
                .iter()
                .map(|row| {
                    let f = row.2.filter(|f| !f.is_nan()).map(|f| if f <= -1.5 { -1.5 } else { f.min(7.25) });
                    (row.0, row.1.map(|x| x.clamp(0, 5)), f, row.3)
                })
                .collect();
            let bounded = agreement(k, ", bounds = [0, 5]", ", bounds = [-1.5, 7.25]");
            let plain = agreement(k, "", "");
            let (_one, mut all) = open(&rows).await;
            let (_two, mut ready) = open(&moved).await;
            for sql in ASKED {
                let found = said(&mut all, sql, &bounded).await;
                prop_assert!(found.is_ok());
                prop_assert_eq!(found, said(&mut ready, sql, &plain).await, "{} over {:?}", sql, rows);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn bounds_fit_their_column() {
    let (_site, mut front) = open(&[(1, Some(3), Some(1.0), 0)]).await;
    let wrong = agreement(1, ", bounds = [0, 4.5]", "");
    let detail = said(&mut front, "SELECT sum(x) FROM t", &wrong).await.unwrap_err();
    assert!(detail.contains("column `x`") && detail.contains("4.5 is no whole number"), "{detail}");
}

/// A value that is moved is there; what is no number is not.
#[tokio::test]
async fn a_required_value_may_lie_outside_of_bounds() {
    let required = agreement(1, ", bounds = [0, 5], required = true", ", bounds = [0, 1]");
    let required_f = agreement(1, "", ", bounds = [0, 1], required = true");
    let (_site, mut front) = open(&[(1, Some(30), Some(f64::NAN), 0)]).await;
    assert!(said(&mut front, "SELECT sum(x) FROM t", &required).await.unwrap().ends_with("\n5"));
    let detail = said(&mut front, "SELECT sum(f) FROM t", &required_f).await.unwrap_err();
    assert!(detail.contains("1 rows have no value in `f`"), "{detail}");
}
