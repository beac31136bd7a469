//! Planning, running and finishing: what a front gets, and what it never gets.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt8Array};
use liquid_node_api::Error;
use liquid_node_api::engine::{Ask, Caps, Told};
use liquid_node_api::parameter::Parameter;
use liquid_policy::Code;
use liquid_policy::table::{ColumnRule, Domain, DomainValue, Obligations};

use crate::site::{Front, Site, caps, declare, encode, lines, obligations};

const MODEL: &str = r#"
[[table]]
name = "visits"
description = "one row a visit"
column = [
    { name = "patient", type = "integer", description = "a pseudonym" },
    { name = "ward", type = "text", description = "where" },
    { name = "sex", type = "text", description = "of the patient" },
    { name = "cost", type = "integer", description = "of the visit" },
]
"#;

const CONFIG: &str = r#"
    model = "model.toml"
    source = [{ name = "visits", path = "visits.csv", format = "csv" }]
"#;

/// Patients 1 to 5; patient 2 came twice, patient 4's cost is not known, patient 5's ward is not on the list.
const VISITS: &str = "patient,ward,sex,cost\n1,A,F,10\n2,A,F,20\n2,B,F,30\n3,A,M,40\n4,A,M,\n5,X,M,60\n";

async fn site(visits: &str) -> (Site, Front) {
    let site = Site::new();
    site.write("model.toml", MODEL);
    site.write("visits.csv", visits);
    let front = site.open(CONFIG).await.unwrap();
    (site, front)
}

fn guarded(k: u32) -> Obligations {
    let mut guarded = obligations("visits", "patient", Some(k));
    let wards = ["A", "B", "C"].map(|ward| DomainValue::Text(ward.to_owned())).to_vec();
    declare(
        &mut guarded,
        "ward",
        ColumnRule { domain: Some(Domain::Values(wards)), ..ColumnRule::default() },
    );
    let sexes = ["F", "M"].map(|sex| DomainValue::Text(sex.to_owned())).to_vec();
    let domain = Some(Domain::Values(sexes));
    declare(&mut guarded, "sex", ColumnRule { domain, required: true, ..ColumnRule::default() });
    guarded
}

fn names(batch: &RecordBatch) -> Vec<&str> {
    batch.schema_ref().fields().iter().map(|field| field.name().as_str()).collect()
}

fn failed(told: &Told) -> (&Error, &str) {
    let Told::Failed { error, detail } = told else { panic!("{told:?}") };
    (error, detail)
}

#[tokio::test]
async fn declared_groups_stand_there_seen_or_not_in_the_order_of_their_keys() {
    let (_site, mut front) = site(VISITS).await;
    let sql = "SELECT ward, count(*), sum(cost) FROM visits GROUP BY ward";
    let (layout, cells) = front.cells(sql, &guarded(10)).await;
    assert!(layout.guarded && layout.declared);
    assert_eq!(names(&cells), ["g0", "a0", "a1", "present", "c0_0", "c1_0", "l0", "l1", "s0", "s1"]);
    assert_eq!(
        lines(&cells),
        [
            "A 4 70 4 4 3 0 1 true false",
            "B 1 30 1 1 1 0 0 true false",
            "C 0 NULL 0 0 0 0 0 true false",
            "NULL 1 60 1 1 1 0 0 true false", // ward X is outside the domain
        ]
    );
}

#[tokio::test]
async fn groups_that_are_not_declared_stand_there_only_where_enough_pass() {
    let (_site, mut front) = site(VISITS).await;
    let sql = "SELECT ward, count(*) FROM visits WHERE sex = 'F' GROUP BY ward";
    for (k, expected) in
        [(1, &["A 2 1 1 1 false", "B 1 1 1 0 false"][..]), (2, &["A 2 2 2 2 false"]), (10, &[])]
    {
        let mut undeclared = guarded(k);
        undeclared.columns.clear();
        let (layout, cells) = front.cells(sql, &undeclared).await;
        assert!(!layout.declared);
        assert_eq!(lines(&cells), expected, "{k}");
    }
}

#[tokio::test]
async fn a_group_that_the_question_shuts_out_is_publicly_empty() {
    let (_site, mut front) = site(VISITS).await;
    let sql = "SELECT ward, count(*) FROM visits WHERE ward IN ('A', 'C') GROUP BY ward";
    let (layout, cells) = front.cells(sql, &guarded(10)).await;
    assert!(layout.declared);
    assert_eq!(lines(&cells), ["A 4 4 4 0 true", "C 0 0 0 0 true"]);
}

#[tokio::test]
async fn rows_without_a_value_do_not_hide_how_few_others_are_left_out() {
    // Men's costs are all unknown but one: the sum over women leaves out one known cost, not four people.
    let (_site, mut front) =
        site("patient,ward,sex,cost\n1,A,F,10\n2,A,F,20\n3,A,M,40\n4,A,M,\n5,A,M,\n6,A,M,\n").await;
    let (_, cells) = front.cells("SELECT sum(cost) FROM visits WHERE sex = 'F'", &guarded(10)).await;
    assert_eq!(lines(&cells), ["30 2 2 0 false"]); // nobody among the women lacks a cost: that is judged too
}

/// That somebody has no value may be known to all; what else is true of them is not.
#[tokio::test]
async fn what_is_publicly_missing_is_left_out_of_all_but_the_whole() {
    let visits = "patient,ward,sex,cost\n1,A,F,10\n2,A,F,20\n3,A,M,40\n4,A,M,\n5,B,M,\n";
    let public = |k| {
        let mut guarded = guarded(k);
        declare(&mut guarded, "cost", ColumnRule { missing_public: true, ..ColumnRule::default() });
        guarded
    };
    let (_site, mut front) = site(visits).await;
    for (sql, left_out) in [
        ("SELECT count(cost) FROM visits", "3 5 3 0 true"),
        ("SELECT sum(cost) FROM visits", "70 5 3 0 true"),
        ("SELECT sum(cost) FROM visits WHERE sex = 'M'", "40 3 1 2 false"),
        ("SELECT count(cost) FILTER (WHERE ward = 'B') FROM visits", "0 5 0 1 false"),
        // Everybody without a cost takes ELSE, but for the one in ward B: the difference to the whole is that one.
        (
            "SELECT count(CASE WHEN cost > 0 OR ward = 'B' THEN cost ELSE 1 END) FROM visits",
            "4 5 3 1 1 false",
        ),
    ] {
        let (_, cells) = front.cells(sql, &public(10)).await;
        assert_eq!(lines(&cells), [left_out], "{sql}");
    }
    let (_, cells) = front.cells("SELECT sex, count(cost) FROM visits GROUP BY sex", &public(10)).await;
    assert_eq!(lines(&cells), ["F 2 2 2 0 false", "M 1 3 1 2 false"]);
    // Where nobody lacks a value, that is public as well.
    let whole = visits.replace("M,\n", "M,5\n");
    let (_site, mut front) = site(&whole).await;
    let (_, cells) = front.cells("SELECT sex, count(cost) FROM visits GROUP BY sex", &public(10)).await;
    assert_eq!(lines(&cells), ["F 2 2 2 0 true", "M 3 3 3 0 true"]);
    let private = guarded(10);
    let (_, cells) = front.cells("SELECT sex, count(cost) FROM visits GROUP BY sex", &private).await;
    assert_eq!(lines(&cells), ["F 2 2 2 0 false", "M 3 3 3 0 false"]);
}

/// A sum of zeros and one number is that number.
#[tokio::test]
async fn zeros_neither_stand_behind_a_sum_nor_hide_how_few_it_leaves_out() {
    let (_site, mut front) =
        site("patient,ward,sex,cost\n1,A,F,0\n2,A,F,0\n3,A,F,7\n4,A,M,0\n5,A,M,9\n").await;
    for (sql, cell) in [
        ("SELECT sum(cost) FROM visits", "16 5 2 0 false"),
        ("SELECT sum(cost) FROM visits WHERE sex = 'F'", "7 3 1 0 false"),
        ("SELECT avg(cost) FILTER (WHERE sex = 'M') FROM visits", "4.5 5 1 0 false"),
        ("SELECT sum(cost * cost) FROM visits WHERE sex = 'F'", "49 3 1 0 false"),
        ("SELECT count(cost) FROM visits WHERE sex = 'F'", "3 3 3 0 false"),
    ] {
        let (_, cells) = front.cells(sql, &guarded(10)).await;
        assert_eq!(lines(&cells), [cell], "{sql}");
    }
}

#[tokio::test]
async fn without_a_minimum_the_cut_is_what_was_asked_over_declared_values() {
    let (_site, mut front) = site(VISITS).await;
    let mut open = guarded(10);
    open.minimum = None;
    let sql = "SELECT ward, count(*), avg(cost) FROM visits WHERE sex = 'M' GROUP BY ward";
    let (layout, cells) = front.cells(sql, &open).await;
    assert!(!layout.guarded && !layout.declared);
    assert_eq!(names(&cells), ["g0", "a0", "a1"]);
    assert_eq!(lines(&cells), ["A 2 40.0", "NULL 1 60.0"]);
}

#[tokio::test]
async fn distinct_asks_for_nothing_but_presence() {
    let (_site, mut front) = site(VISITS).await;
    let (layout, cells) = front.cells("SELECT DISTINCT sex FROM visits", &guarded(3)).await;
    assert!(layout.branches.is_empty());
    assert_eq!(lines(&cells), ["F 2", "M 3"]);
}

#[tokio::test]
async fn bound_values_are_values() {
    let (_site, mut front) = site(VISITS).await;
    let sql = "SELECT count(*) AS n FROM visits WHERE sex = $1";
    let value = Parameter::Utf8(Some("F' OR 'x' = 'x".to_owned()));
    let told = front.try_plan(sql, &[value], &["visits"]).await;
    let Told::Planned { plan, .. } = told else { panic!("{told:?}") };
    let (_, cells) = front.run(plan, 0, &obligations("visits", "patient", None)).await;
    assert_eq!(lines(&cells), ["0"]);
}

#[tokio::test]
async fn every_row_has_an_entity_and_required_columns_have_values() {
    let (_site, mut front) = site("patient,ward,sex,cost\n1,A,F,10\n,A,F,20\n").await;
    let planned = front.plan("SELECT count(*) FROM visits", "visits").await;
    let (told, attached) = front.try_run(planned.plan, 0, &guarded(1), caps()).await;
    let (error, detail) = failed(&told);
    assert!(attached.is_empty());
    assert!(matches!(error, Error::Fault { retry: false, .. }));
    assert!(!error.to_string().contains("patient"), "{error}");
    assert!(
        detail.contains("1 rows have no value in `patient`") && detail.contains("WHERE patient IS NOT NULL")
    );

    for visits in ["patient,ward,sex,cost\n1,A,,10\n", "patient,ward,sex,cost\n1,A,D,10\n"] {
        let (_site, mut front) = site(visits).await;
        let planned = front.plan("SELECT count(*) FROM visits", "visits").await;
        let (told, _) = front.try_run(planned.plan, 0, &guarded(1), caps()).await;
        let (error, detail) = failed(&told);
        assert!(!error.to_string().contains("sex"), "{error}");
        assert!(detail.contains("`sex`, which the agreement says is required"), "{detail}");
    }
}

#[tokio::test]
async fn a_changed_file_is_read_and_checked_anew() {
    let (site, mut front) = site(VISITS).await;
    let open = obligations("visits", "patient", None);
    let (_, cells) = front.cells("SELECT count(*) FROM visits", &open).await;
    assert_eq!(lines(&cells), ["6"]);
    site.write("visits.csv", "patient,ward,sex,cost\n1,A,F,10\n");
    let (_, cells) = front.cells("SELECT count(*) FROM visits", &open).await;
    assert_eq!(lines(&cells), ["1"]);
    site.write("visits.csv", "patient,ward,sex,cost\n,A,F,10\n");
    let planned = front.plan("SELECT count(*) FROM visits", "visits").await;
    let (told, _) = front.try_run(planned.plan, 0, &open, caps()).await;
    assert!(failed(&told).1.contains("`patient`"));
    site.write("visits.csv", "patient,ward,sex,price\n1,A,F,10\n");
    let (told, _) = front.try_run(planned.plan, 0, &open, caps()).await;
    let changed = "the site's tables have changed meanwhile";
    assert!(
        failed(&told).0.to_string().starts_with(changed),
        "what was planned runs over nothing else: {told:?}"
    );
    let told = front.try_plan("SELECT count(*) FROM visits", &[], &["visits"]).await;
    let (error, detail) = failed(&told);
    assert!(detail.contains("column `cost` is missing"), "{detail}");
    assert!(error.to_string().starts_with("the site's tables are not ready for questions"), "{error}");
}

#[tokio::test]
async fn engine_messages_never_reach_the_caller() {
    let site = Site::new();
    site.write("model.toml", MODEL);
    site.write("visits.csv", VISITS);
    site.write(
        "views.sql",
        "CREATE VIEW visits AS SELECT patient, ward, sex, CAST(ward AS BIGINT) AS cost FROM raw;",
    );
    let config = r#"
        model = "model.toml"
        views = "views.sql"
        source = [{ name = "raw", path = "visits.csv", format = "csv" }]
    "#;
    let mut front = site.open(config).await.unwrap();
    let planned = front.plan("SELECT sum(cost) FROM visits", "visits").await;
    let (told, _) = front.try_run(planned.plan, 0, &obligations("visits", "patient", None), caps()).await;
    let (error, detail) = failed(&told);
    assert!(detail.contains("a value cannot be cast") && detail.contains("TRY_CAST"), "{detail}");
    assert!(!detail.contains('\''), "no value stands in the log: {detail}");
    assert!(!error.to_string().to_lowercase().contains("cast"), "{error}");
}

#[tokio::test]
async fn what_may_not_be_asked_is_refused_and_what_is_wrong_is_said() {
    let (_site, mut front) = site(VISITS).await;
    let told = front.try_plan("SELECT patient FROM visits", &[], &["visits"]).await;
    assert!(
        matches!(failed(&told).0, Error::Refused { refusal } if refusal.code == Code::AggRequired),
        "{told:?}"
    );
    let told = front.try_plan("SELECT count(*) FROM visits WHERE nowhere = 1", &[], &["visits"]).await;
    assert!(matches!(failed(&told).0, Error::Invalid { .. }), "{told:?}");
    let told = front.try_plan("SELECT count(*) FROM visits", &[], &[]).await;
    assert!(matches!(failed(&told).0, Error::Invalid { .. }), "{told:?}");
}

#[tokio::test]
async fn plans_are_for_one_catalogue_one_number_and_one_table() {
    let (_site, mut front) = site(VISITS).await;
    let open = obligations("visits", "patient", None);
    let first = front.plan("SELECT count(*) FROM visits", "visits").await;
    let second = front.plan("SELECT count(cost) FROM visits", "visits").await;
    let (told, _) = front.try_run(first.plan, 0, &open, caps()).await;
    assert_eq!(failed(&told).1, "there is no such plan");
    let (told, _) = front.try_run(second.plan, 1, &open, caps()).await;
    assert_eq!(failed(&told).1, "there is no such cut");
    let (told, _) = front.try_run(second.plan, 0, &obligations("other", "patient", None), caps()).await;
    assert_eq!(failed(&told).1, "the permit is for other tables than the cut");
    front.catalogue = "another".to_owned();
    let told = front.try_plan("SELECT count(*) FROM visits", &[], &["visits"]).await;
    assert!(matches!(failed(&told).0, Error::Fault { retry: true, .. }), "{told:?}");
}

#[tokio::test]
async fn caps_hold() {
    let (_site, mut front) = site(VISITS).await;
    let planned = front.plan("SELECT patient, count(*) FROM visits GROUP BY patient", "visits").await;
    let open = obligations("visits", "patient", None);
    let (told, _) = front.try_run(planned.plan, 0, &open, Caps { rows: 4, ..caps() }).await;
    assert!(failed(&told).0.to_string().contains("group by fewer or coarser keys"));
    let (told, _) = front.try_run(planned.plan, 0, &open, Caps { memory_bytes: 10, ..caps() }).await;
    assert!(failed(&told).0.to_string().contains("group by fewer or coarser keys"), "{told:?}");
    let (told, _) = front.try_run(planned.plan, 0, &open, caps()).await;
    assert!(matches!(told, Told::Ran { .. }));
}

/// The cap on rows is judged on rows that may be released: it does not tell how many groups are too small.
#[tokio::test]
async fn small_groups_do_not_count_towards_the_cap() {
    let (_site, mut front) = site(VISITS).await;
    let small = guarded(3);
    let sql = "SELECT cost, count(*) FROM visits GROUP BY cost";
    let planned = front.plan(sql, "visits").await;
    for rows in [1, 100] {
        let (told, attached) = front.try_run(planned.plan, 0, &small, Caps { rows, ..caps() }).await;
        let Told::Ran { layout } = told else { panic!("{told:?}") };
        assert!(!layout.declared);
        assert_eq!(crate::site::decode(&attached[0]).num_rows(), 0);
    }
    let (told, _) = front.try_run(planned.plan, 0, &guarded(1), Caps { rows: 1, ..caps() }).await;
    assert!(failed(&told).0.to_string().contains("group by fewer or coarser keys"), "{told:?}");
}

/// Released cells of `SELECT sex, count(*)`: women withheld or not, men released.
fn released(women: Option<i64>) -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("g0", Arc::new(StringArray::from(vec![Some("F"), Some("M")]))),
        ("a0", Arc::new(Int64Array::from(vec![women, Some(30)]))),
        ("g0_mark", Arc::new(UInt8Array::from(vec![0, 0]))),
        ("a0_mark", Arc::new(UInt8Array::from(vec![if women.is_some() { 0 } else { 2 }, 0]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[tokio::test]
async fn what_lies_above_the_cut_runs_over_released_tables() {
    let (_site, mut front) = site(VISITS).await;
    let sql = "SELECT sex AS \"who\", count(*) * 2 AS twice FROM visits GROUP BY sex ORDER BY twice DESC";
    let planned = front.plan(sql, "visits").await;
    assert!(!planned.bare);
    assert_eq!(planned.cuts.len(), 1);
    let fields: Vec<_> = planned.schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(fields, ["who", "twice"]);
    for (women, expected) in [(Some(40), ["F 80 0 0", "M 60 0 0"]), (None, ["M 60 0 0", "F NULL 0 2"])] {
        let ask = Ask::Finish { plan: planned.plan, caps: caps() };
        let (told, attached) = front.ask(ask, vec![encode(&released(women))]).await;
        assert_eq!(told, Told::Finished { rows_may_be_missing: false });
        let batch = crate::site::decode(&attached[0]);
        assert_eq!(lines(&batch), expected);
        assert!(batch.schema().fields().iter().take(2).all(|field| field.is_nullable()));
    }
}

#[tokio::test]
async fn a_condition_on_withheld_cells_says_that_rows_may_be_missing() {
    let (_site, mut front) = site(VISITS).await;
    let sql = "SELECT sex, count(*) AS n FROM visits GROUP BY sex HAVING count(*) > 35";
    let planned = front.plan(sql, "visits").await;
    for (women, missing) in [(Some(40), false), (None, true)] {
        let ask = Ask::Finish { plan: planned.plan, caps: caps() };
        let (told, attached) = front.ask(ask, vec![encode(&released(women))]).await;
        assert_eq!(told, Told::Finished { rows_may_be_missing: missing });
        assert_eq!(crate::site::decode(&attached[0]).num_rows(), usize::from(women.is_some()));
    }
}

#[tokio::test]
async fn a_printed_question_is_bare() {
    let (_site, mut front) = site(VISITS).await;
    let sql = r#"SELECT "sex" AS g0, count(*) AS a0 FROM "visits" GROUP BY "sex""#;
    assert!(front.plan(sql, "visits").await.bare);
}

#[tokio::test]
async fn a_query_without_tables_has_no_cuts_and_is_finished_at_once() {
    let (_site, mut front) = site(VISITS).await;
    let planned = front.plan("SELECT 1 + 1 AS two", "visits").await;
    assert!(planned.cuts.is_empty() && !planned.bare);
    let (told, attached) = front.ask(Ask::Finish { plan: planned.plan, caps: caps() }, Vec::new()).await;
    assert_eq!(told, Told::Finished { rows_may_be_missing: false });
    assert_eq!(lines(&crate::site::decode(&attached[0])), ["2 0"]);
}

#[tokio::test]
async fn a_domain_of_the_wrong_type_is_the_operators_to_know() {
    let (_site, mut front) = site(VISITS).await;
    let mut wrong = guarded(2);
    let domain = Some(Domain::Range { from: 0, to: 9 });
    declare(&mut wrong, "ward", ColumnRule { domain, ..ColumnRule::default() });
    let planned = front.plan("SELECT ward, count(*) FROM visits GROUP BY ward", "visits").await;
    let (told, _) = front.try_run(planned.plan, 0, &wrong, caps()).await;
    let (error, detail) = failed(&told);
    assert!(detail.contains("declared of column `ward` does not fit the model"), "{detail}");
    assert!(!error.to_string().contains("ward"), "{error}");
}

/// DataFusion's own check of schemas takes some nested conditions for a fault; ours is to run them.
#[tokio::test]
async fn conditions_within_conditions_are_answered() {
    let (_site, mut front) = site(VISITS).await;
    let nested = "CASE WHEN sex = 'F' THEN cost > 15 WHEN ward = 'A' THEN NULL ELSE cost IS NULL END";
    let twice = format!("CASE WHEN ({nested}) IS NOT TRUE THEN {nested} ELSE ward = 'B' END");
    for condition in [nested, &format!("({nested}) IS NOT TRUE"), &twice, &format!("NOT ({twice})")] {
        for aggregate in [
            format!("sum(CASE WHEN {condition} THEN cost ELSE 0 END)"),
            format!("count(*) FILTER (WHERE {condition})"),
            format!("avg(CASE WHEN {condition} THEN cost WHEN ({condition}) IS NULL THEN 1 END)"),
        ] {
            let planned =
                front.plan(&format!("SELECT sex, {aggregate} FROM visits GROUP BY sex"), "visits").await;
            for obligations in [guarded(2), obligations("visits", "patient", None)] {
                let (told, _) = front.try_run(planned.plan, 0, &obligations, caps()).await;
                assert!(matches!(told, Told::Ran { .. }), "{aggregate}: {told:?}");
            }
        }
    }
}

/// Whether a question fails must not depend on one row: everybody but one, and nobody but one, takes the far value.
#[tokio::test]
async fn far_values_make_no_question_fail() {
    let least = "(-9223372036854775807 - 1)";
    let far = "CAST(CAST(-2147483648 AS INT) AS DATE)";
    let day = |day: &str| format!("CASE WHEN # THEN {day} ELSE DATE '2020-01-01' END");
    let number = |number: &str| format!("CASE WHEN # THEN {number} ELSE patient END");
    let expressions = [
        format!("date_part('week', {}) <> 5", day(far)),
        format!("date_part('doy', {}) <> 5", day("CAST(2147483647 AS DATE)")),
        format!("date_part('year', {}) IS NULL", day(far)),
        format!("-({}) <> 5", number(least)),
        format!("-({} + 1) <> 5", number("9223372036854775807")),
        format!("abs({}) <> 5", number(least)),
    ];
    for only in ["patient = 1", "patient <> 1", "patient < 100", "patient > 100"] {
        let (_site, mut front) = site(VISITS).await;
        for expression in &expressions {
            let condition = expression.replace('#', only);
            for sql in [
                format!("SELECT count(*) FROM visits WHERE {condition}"),
                format!(
                    "SELECT {condition} AS k, count(*) FILTER (WHERE {condition}) FROM visits GROUP BY 1"
                ),
            ] {
                let planned = front.plan(&sql, "visits").await;
                for obligations in [guarded(2), obligations("visits", "patient", None)] {
                    let (told, _) = front.try_run(planned.plan, 0, &obligations, caps()).await;
                    assert!(matches!(told, Told::Ran { .. }), "{sql}: {told:?}");
                }
            }
        }
    }
}

/// Two keys that DataFusion calls by one name.
#[tokio::test]
async fn keys_are_told_apart_whatever_they_are_called() {
    let (_site, mut front) = site(VISITS).await;
    let sql = "SELECT TRY_CAST(sex AS DATE) AS day, sex, count(*) FROM visits GROUP BY 1, 2";
    let (_, cells) = front.cells(sql, &obligations("visits", "patient", None)).await;
    assert_eq!(lines(&cells), ["NULL F 3", "NULL M 3"]);
    let (_, cells) = front.cells(sql, &guarded(2)).await;
    assert_eq!(lines(&cells), ["NULL F 3 2 2 0 true", "NULL M 3 2 2 0 true"]);
}

#[tokio::test]
async fn numbers_outside_their_domain_are_missing() {
    let (_site, mut front) = site(VISITS).await;
    let mut ranged = obligations("visits", "patient", None);
    let domain = Some(Domain::Range { from: 20, to: 40 });
    declare(&mut ranged, "cost", ColumnRule { domain, ..ColumnRule::default() });
    let (_, cells) = front.cells("SELECT count(*), count(cost), sum(cost) FROM visits", &ranged).await;
    assert_eq!(lines(&cells), ["6 3 90"]);
}

#[tokio::test]
async fn a_factor_of_zero_stands_behind_no_sum() {
    let (_site, mut front) =
        site("patient,ward,sex,cost\n1,A,F,1\n2,A,F,1\n3,A,M,1\n4,A,M,5\n5,A,M,0\n").await;
    // Present, contributors: 1 - cost is 0 for three, and cost itself for one.
    let (_, cells) = front.cells("SELECT sum(cost * (1 - cost)) FROM visits", &guarded(10)).await;
    assert!(lines(&cells)[0].starts_with("-20 5 1 "), "{:?}", lines(&cells));
    let (_, cells) = front.cells("SELECT sum(cost * (1 + cost)) FROM visits", &guarded(10)).await;
    assert!(lines(&cells)[0].starts_with("36 5 4 "), "{:?}", lines(&cells));
    let (_, cells) = front.cells("SELECT count(cost * (1 - cost)) FROM visits", &guarded(10)).await;
    assert!(lines(&cells)[0].starts_with("5 5 5 "), "{:?}", lines(&cells));
}

#[tokio::test]
async fn without_a_minimum_any_expression_and_extremes_are_answered() {
    let (_site, mut front) = site(VISITS).await;
    let sql = "SELECT ward, sum(abs(cost - 25) * 2), min(cost), max(sex) FROM visits GROUP BY ward";
    let (layout, cells) = front.cells(sql, &obligations("visits", "patient", None)).await;
    assert_eq!(layout.branches, [1, 1, 1]);
    assert_eq!(lines(&cells), ["A 70 10 M", "B 10 30 F", "X 70 60 M"]);
}

/// Where everybody has one row, rows are counted in the place of people, and nothing else changes; a second row is found out.
#[tokio::test]
async fn one_row_each_is_counted_as_people_are() {
    let visits: String = (0..30)
        .map(|i| format!("{i},{},{},{}\n", ["A", "B", "C"][i % 3], if i % 7 < 4 { "F" } else { "M" }, i % 4))
        .collect();
    let visits = format!("patient,ward,sex,cost\n{visits}");
    let each = |k| {
        let mut guarded = guarded(k);
        guarded.tables[0].rows_per_entity_max = Some(1);
        guarded
    };
    let (_site, mut front) = site(&visits).await;
    for sql in [
        "SELECT count(*) FROM visits",
        "SELECT ward, count(*) FROM visits GROUP BY ward",
        "SELECT ward, sum(cost), count(*) FILTER (WHERE sex = 'F') FROM visits WHERE sex = 'M' OR ward = 'A' GROUP BY ward",
        "SELECT sex, avg(cost), count(DISTINCT patient) FROM visits WHERE ward <> 'B' GROUP BY sex",
        "SELECT count(*) FROM visits WHERE ward = 'nowhere'",
    ] {
        for k in [2, 5, 12] {
            let (_, people) = front.cells(sql, &guarded(k)).await;
            let (_, rows) = front.cells(sql, &each(k)).await;
            assert_eq!(lines(&rows), lines(&people), "{sql} with {k}");
        }
    }
    let twice = format!("{visits}7,A,F,1\n");
    let (_site, mut front) = site(&twice).await;
    let told = front.try_plan("SELECT count(*) FROM visits", &[], &["visits"]).await;
    let Told::Planned { plan, .. } = told else { panic!("{told:?}") };
    let (told, _) = front.try_run(plan, 0, &each(5), caps()).await;
    assert!(matches!(told, Told::Failed { .. }), "{told:?}");
}
