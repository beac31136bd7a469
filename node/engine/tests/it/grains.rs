//! Days are seen on the steps of their column. The oracle: an engine without grains over files in which plain Rust has put the first
//! day of its step in the place of each day; both must say the same, hidden columns included.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use chrono::{Datelike as _, Days, NaiveDate};
use liquid_node_api::engine::Told;
use liquid_policy::Agreement;
use liquid_policy::decide::judge;
use liquid_policy::grain::Grain;
use liquid_policy::table::ColumnRule;
use proptest::prelude::*;

use crate::site::{Front, Site, caps, declare, decode, lines, obligations};

const MODEL: &str = r#"
[[table]]
name = "visit"
description = "one row a visit"
column = [
    { name = "id", type = "integer", description = "the entity" },
    { name = "day", type = "date", description = "" },
    { name = "ward", type = "text", description = "" },
]
"#;

const CONFIG: &str = r#"
    model = "model.toml"
    source = [{ name = "visit", path = "visit.parquet", format = "parquet" }]
"#;

fn agreement(minimum: u32, day: &str) -> Agreement {
    let tables = format!(
        r#"[table.visit]
entity = "id"
[table.visit.columns]
id = {{ use = [] }}
day = {{ use = ["group", "filter"]{day} }}
ward = {{ use = ["group", "filter"], domain = {{ values = ["A", "B"] }}, required = true }}
"#
    );
    crate::site::agreement(minimum, &tables)
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Year,
    Quarter,
    Month,
    Week,
}

impl Step {
    fn word(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Week => "week",
        }
    }

    /// First and last step of a domain, as they are written, and the first days of all between them.
    fn domain(self) -> (&'static str, &'static str, Vec<NaiveDate>) {
        let (from, to) = match self {
            Self::Year => ("2022", "2024"),
            Self::Quarter => ("2022-Q4", "2024-Q1"),
            Self::Month => ("2023-03", "2024-02"),
            Self::Week => ("2022-W52", "2023-W09"),
        };
        let (first, last) = match self {
            Self::Year => ("2022-01-01", "2024-01-01"),
            Self::Quarter => ("2022-10-01", "2024-01-01"),
            Self::Month => ("2023-03-01", "2024-02-01"),
            Self::Week => ("2022-12-26", "2023-02-27"),
        };
        let days = first.parse::<NaiveDate>().unwrap().iter_days();
        let last: NaiveDate = last.parse().unwrap();
        (from, to, days.take_while(|day| *day <= last).filter(|day| self.first(*day) == *day).collect())
    }

    /// Written down by hand.
    fn first(self, day: NaiveDate) -> NaiveDate {
        let on = |month| NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap();
        match self {
            Self::Year => on(1),
            Self::Quarter => on([1, 1, 1, 4, 4, 4, 7, 7, 7, 10, 10, 10][day.month0() as usize]),
            Self::Month => on(day.month()),
            Self::Week => day - Days::new(day.weekday().num_days_from_monday().into()),
        }
    }
}

type Visit = (i64, Option<i32>, &'static str);

fn visits() -> impl Strategy<Value = Vec<Visit>> {
    // Around three years, and where no calendar goes.
    let day = prop_oneof![8 => 18_900..19_900_i32, 1 => proptest::sample::select(vec![i32::MIN, i32::MAX, -4_000_000])];
    let visit = (0..9_i64, proptest::option::weighted(0.9, day), proptest::sample::select(vec!["A", "B"]));
    proptest::collection::vec(visit, 0..50)
}

async fn open(visits: &[Visit]) -> (Site, Front) {
    let site = Site::new();
    site.write("model.toml", MODEL);
    let columns: [(&str, ArrayRef, bool); 3] = [
        ("id", Arc::new(visits.iter().map(|visit| Some(visit.0)).collect::<Int64Array>()), true),
        ("day", Arc::new(visits.iter().map(|visit| visit.1).collect::<Date32Array>()), true),
        ("ward", Arc::new(visits.iter().map(|visit| Some(visit.2)).collect::<StringArray>()), true),
    ];
    site.write_parquet("visit.parquet", &RecordBatch::try_from_iter_with_nullable(columns).unwrap());
    let front = site.open(CONFIG).await.unwrap();
    (site, front)
}

/// What an engine says; none where the agreement refuses.
async fn said(front: &mut Front, sql: &str, agreement: &Agreement) -> Option<String> {
    let told = front.try_plan(sql, &[], &["visit"]).await;
    let Told::Planned { plan, cuts, .. } = told else { panic!("{sql}: {told:?}") };
    let obligations = judge(agreement, &cuts[0]).ok()?;
    let (told, attached) = front.try_run(plan, 0, &obligations, caps()).await;
    let Told::Ran { layout } = told else { panic!("{sql}: {told:?}") };
    let mut lines = lines(&decode(&attached[0]));
    lines.sort();
    Some(format!("{layout:?}\n{}", lines.join("\n")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn days_are_seen_as_the_first_of_their_step(
        visits in visits(),
        step in proptest::sample::select(vec![Step::Year, Step::Quarter, Step::Month, Step::Week]),
        declared in any::<bool>(), k in 1..4_u32, at in 0..9_usize,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (from, to, firsts) = step.domain();
            let listed: Vec<String> = firsts.iter().map(|day| format!("\"{day}\"")).collect();
            let (domain, list) = if declared {
                (format!(", domain = {{ from = {from:?}, to = {to:?} }}"), format!(", domain = {{ values = [{}] }}", listed.join(", ")))
            } else {
                (String::new(), String::new())
            };
            let grained = agreement(k, &format!(", grain = {:?}{domain}", step.word()));
            let plain = agreement(k, &list);
            let epoch = NaiveDate::default();
            let first = |day: i32| {
                let day = epoch.checked_add_signed(chrono::Duration::days(day.into()))?;
                i32::try_from(step.first(day).signed_duration_since(epoch).num_days()).ok()
            };
            let stepped: Vec<Visit> = visits.iter().map(|visit| (visit.0, visit.1.and_then(first), visit.2)).collect();
            let (_one, mut all) = open(&visits).await;
            let (_two, mut ready) = open(&stepped).await;
            let day = firsts[at % firsts.len()];
            let word = step.word();
            for sql in [
                "SELECT day, count(*), count(DISTINCT id) FROM visit GROUP BY day".to_owned(),
                format!("SELECT date_trunc('{word}', day), count(*) FROM visit GROUP BY 1"),
                format!("SELECT count(*) FROM visit WHERE day >= '{day}'"),
                format!("SELECT ward, count(*) FILTER (WHERE day = DATE '{day}' OR day IS NULL) FROM visit GROUP BY ward"),
                format!("SELECT count(day), count(CASE WHEN day <> '{day}' THEN 1 END) FROM visit"),
                format!("SELECT date_part('{word}', day), count(*) FROM visit GROUP BY 1"),
            ] {
                let found = said(&mut all, &sql, &grained).await;
                prop_assert!(found.is_some(), "{} by the {} is refused", sql, word);
                let wanted = said(&mut ready, &sql, &plain).await;
                prop_assert_eq!(found, wanted, "{} by the {} over {:?}", sql, word, visits);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_grain_is_for_dates() {
    let (_site, mut front) = open(&[(1, Some(19_000), "A")]).await;
    let told = front.try_plan("SELECT ward, count(*) FROM visit GROUP BY ward", &[], &["visit"]).await;
    let Told::Planned { plan, .. } = told else { panic!("{told:?}") };
    let mut wrong = obligations("visit", "id", None);
    let rule = ColumnRule { grain: Some(Grain::Month), ..ColumnRule::default() };
    declare(&mut wrong, "ward", rule);
    let (told, _) = front.try_run(plan, 0, &wrong, caps()).await;
    let Told::Failed { detail, .. } = told else { panic!("{told:?}") };
    assert!(detail.contains("column `ward`") && detail.contains("`grain`, which is for dates"), "{detail}");
}
