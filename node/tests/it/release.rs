//! What leaves, and what is recorded of it.

use std::sync::atomic::Ordering;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int64Type, UInt8Type};
use arrow::record_batch::RecordBatch;
use liquid_node::audit::{Body, Outcome, Touched};
use liquid_node_api::Error;
use liquid_node_api::channel::{NodeChannel, SiteAnswer};
use liquid_node_api::parameter::Parameter;
use liquid_node_api::request::SiteRequest;
use liquid_node_api::sql::text::CUT;
use liquid_node_api::wire::gate::{Quota, decode};
use liquid_policy::Code;
use ring::digest::{SHA256, digest};

use crate::site::{AGREEMENT, SENDER, Site, ask, ask_with, changed, request, token, way};

fn rows(answer: &SiteAnswer) -> RecordBatch {
    decode(&answer.ipc, &Quota::default(), |_| Ok(())).unwrap()
}

#[tokio::test]
async fn small_cells_stay_and_hidden_columns_too() {
    let mut site = Site::new();
    let node = site.open().await;
    let answer = ask(&node, "counted").await.unwrap();
    let batch = rows(&answer);
    let names: Vec<_> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["g0", "a0", "g0_mark", "a0_mark"]);
    let counts = batch.column(1).as_primitive::<Int64Type>();
    assert_eq!((counts.value(0), counts.is_null(1)), (20, true), "three men are too few");
    assert_eq!(batch.column(3).as_primitive::<UInt8Type>().values().as_ref(), [0, 2]);
    assert_eq!((answer.report.withheld, answer.report.request.as_str()), (1, SENDER));
    assert_eq!(answer.report.clauses, ["disclosure.minimum_contributors"]);
    let plain = ask_with(&node, token(), SiteRequest { marks: false, ..request("counted") }).await.unwrap();
    assert_eq!(rows(&plain).num_columns(), 2);
}

#[tokio::test]
async fn a_release_is_recorded_with_the_hash_of_its_bytes() {
    let mut site = Site::new();
    let node = site.open().await;
    let answer = ask(&node, "counted").await.unwrap();
    let hash = hex::encode(digest(&SHA256, &answer.ipc));
    let records = site.records();
    let [Body::Opened { .. }, Body::Asked(asked), Body::Closed { request, cuts, within_ms, outcome, .. }] =
        records.as_slice()
    else {
        panic!("{records:?}")
    };
    assert_eq!(request, &asked.request);
    assert_eq!(asked.sender_request.as_str(), SENDER);
    assert_eq!(asked.caller.subject, "ann");
    assert_eq!(asked.carried_by.as_deref(), Some("liquid://coordinator/demo"));
    assert_eq!(
        (asked.purpose.as_ref().unwrap().as_str(), asked.agreement.as_ref().unwrap().as_str()),
        ("care", "A-1")
    );
    assert_eq!(asked.hash.as_ref(), Some(&answer.report.hash));
    assert_eq!((cuts.len(), *within_ms), (1, Some(250)));
    let Outcome::Released { rows, withheld, answer: recorded, clauses, history } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((*rows, *withheld, recorded, clauses.len()), (2, 1, &hash, 1));
    assert_eq!(history, &None, "no agreement keeps one");
}

#[tokio::test]
async fn literals_and_bound_values_are_not_in_the_log() {
    let mut site = Site::new();
    let node = site.open().await;
    for sql in ["SELECT 'Grace Hopper' /* Grace Hopper */", "SELECT $1", "SELECT $1"] {
        let parameters = vec![Parameter::Utf8(Some("Grace Hopper".to_owned()))];
        ask_with(&node, token(), SiteRequest { parameters, ..request(sql) }).await.unwrap();
    }
    ask_with(&node, token(), request("SELECT $1")).await.unwrap();
    let log = std::fs::read_to_string(site.path("audit.jsonl")).unwrap();
    assert!(!log.contains("Grace") && !log.contains("Hopper"), "{log}");
    let asked: Vec<_> = site
        .records()
        .into_iter()
        .filter_map(|body| match body {
            Body::Asked(asked) => Some((asked.sql.unwrap(), asked.question)),
            _ => None,
        })
        .collect();
    assert_eq!(asked[0].0, "SELECT ?  ");
    assert_eq!(asked[1].1, asked[2].1, "the site recognises a repeat");
    assert_ne!(asked[2].1, asked[3].1, "other values are another question");
}

#[tokio::test]
async fn what_lies_above_the_cuts_runs_over_released_tables() {
    let mut site = Site::new();
    let node = site.open().await;
    for (sql, cuts) in [("finished", 1), ("two", 2)] {
        let answer = ask(&node, sql).await.unwrap();
        assert_eq!(rows(&answer).schema().field(1).name(), "n");
        assert!(answer.report.rows_may_be_missing);
        assert_eq!(site.seen.ran.swap(0, Ordering::SeqCst), cuts);
    }
    assert_eq!(site.seen.finished.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_column_without_a_use_is_refused_before_data_is_touched() {
    let mut site = Site::new();
    let node = site.open().await;
    let error = ask(&node, "named").await.map(|_| ()).unwrap_err();
    let Error::Refused { refusal } = &error else { panic!("{error}") };
    assert_eq!((refusal.code, refusal.clause.as_str()), (Code::ColumnUse, "table.cardiac.columns.name.use"));
    assert_eq!(site.seen.ran(), 0);
    let records = site.records();
    let Some(Body::Closed { cuts, outcome: Outcome::Refused { .. }, .. }) = records.last() else {
        panic!("{records:?}")
    };
    let Touched::Footprint(cut) = &cuts[0] else { panic!("{cuts:?}") };
    assert_eq!(cut.groups[0].columns[0].as_str(), "name", "the record shows what was asked for");
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_kept_in_part() {
    let mut site = Site::new();
    let node = site.open().await;
    // Longer than a site looks at, and not longer than an envelope can be.
    let long = "x".repeat(1 << 19);
    let many = vec![Parameter::Null; 1001];
    let large = vec![Parameter::Utf8(Some(long.clone()))];
    for request in [
        request(&long),
        SiteRequest { parameters: many, ..request("counted") },
        SiteRequest { parameters: large, ..request("counted") },
    ] {
        let error = ask_with(&node, token(), request).await.map(|_| ()).unwrap_err();
        let Error::Refused { refusal } = &error else { panic!("{error}") };
        assert_eq!(refusal.code, Code::Limit);
    }
    assert_eq!(site.seen.planned.load(Ordering::SeqCst), 0, "the planner never sees it");
    assert_eq!(site.outcomes().len(), 3);
    let asked: Vec<_> = site
        .records()
        .into_iter()
        .filter_map(|body| if let Body::Asked(asked) = body { asked.sql } else { None })
        .collect();
    assert_eq!(asked, [format!("{}{CUT}", "x".repeat(16 << 10)), "counted".to_owned(), "counted".to_owned()]);
}

#[tokio::test]
async fn answers_have_no_more_rows_than_agreed() {
    let mut site = Site::new();
    let fewer = AGREEMENT.replace("rows_out_max = 2", "rows_out_max = 1");
    site.agree("one", &fewer, 2);
    let node = site.open().await;
    let error = ask(&node, "counted").await.map(|_| ()).unwrap_err();
    let Error::Refused { refusal } = &error else { panic!("{error}") };
    assert_eq!((refusal.code, refusal.clause.as_str()), (Code::Limit, "release.rows_out_max"));
    assert!(matches!(site.outcomes().as_slice(), [Outcome::Refused { .. }]));
}

#[tokio::test]
async fn the_catalogue_shows_what_the_agreement_opens_to_this_caller() {
    let mut site = Site::new();
    let node = site.open().await;
    let catalogue = way(&node).catalogue(&token()).await.unwrap();
    assert_eq!(catalogue.agreements[0].id.as_str(), "A-1");
    assert_eq!(catalogue.agreements[0].purposes[0].as_str(), "care");
    let columns: Vec<_> = catalogue.tables[0].columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(columns, ["patient", "sex", "chol"], "`name` has no use, so nobody learns of it");
    let stranger = changed(|c| c["org"] = "newspaper".into());
    let error = way(&node).catalogue(&stranger).await.unwrap_err();
    assert!(matches!(&error, Error::Refused { refusal } if refusal.code == Code::Recipient), "{error}");
}
