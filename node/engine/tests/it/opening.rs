//! Opening a site: three formats with column names of their own, and errors that name their cure.

use std::sync::Arc;

use arrow::array::{Float64Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use liquid_engine::LocalEngine;
use liquid_node_api::engine::Told;

use crate::site::{Site, lines, obligations};

const MODEL: &str = r#"
[[table]]
name = "visits"
description = "one row a visit"

[[table.column]]
name = "patient"
type = "text"
description = "a pseudonym"

[[table.column]]
name = "ward"
type = "text"
description = "where"

[[table.column]]
name = "stay"
type = "float"
description = "how long"
unit = "d"

[[table.column]]
name = "age"
type = "integer"
description = "at arrival"
"#;

const ASKED: &str = "SELECT ward, count(*), count(age), sum(stay), sum(age) FROM visits GROUP BY ward";

const ANSWERED: [&str; 3] = ["A 2 1 4.0 40", "B 1 1 NULL 50", "NULL 1 1 2.5 60"];

fn parquet(site: &Site) -> &'static str {
    let fields = vec![
        Field::new("pid", DataType::Utf8, false),
        Field::new("unit", DataType::Utf8, true),
        Field::new("days", DataType::Float64, true),
        Field::new("years", DataType::Int32, true),
    ];
    let batch = RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        vec![
            Arc::new(StringArray::from(vec!["p1", "p2", "p3", "p4"])),
            Arc::new(StringArray::from(vec![Some("A"), Some("A"), Some("B"), None])),
            Arc::new(Float64Array::from(vec![Some(1.5), Some(2.5), None, Some(2.5)])),
            Arc::new(Int32Array::from(vec![Some(40), None, Some(50), Some(60)])),
        ],
    );
    site.write_parquet("visits.parquet", &batch.unwrap());
    site.write(
        "views.sql",
        "CREATE VIEW visits AS SELECT pid AS patient, unit AS ward, days AS stay, years AS age FROM raw;",
    );
    r#"
        model = "model.toml"
        views = "views.sql"
        source = [{ name = "raw", path = "visits.parquet", format = "parquet" }]
    "#
}

fn csv(site: &Site) -> &'static str {
    site.write("visits.csv", "Patient No,Station,LOS,Age\np1,A,1.5,40\np2,A,2.5,?\np3,B,?,50\np4,,2.5,60\n");
    site.write(
        "views.sql",
        "-- names of their own\nCREATE VIEW cleaned AS SELECT \"Patient No\" AS p, \"Station\" AS s, \"LOS\" AS l, \
         \"Age\" AS a FROM export;\nCREATE VIEW visits AS SELECT p AS patient, s AS ward, l AS stay, a AS age FROM \
         cleaned;\n",
    );
    r#"
        model = "model.toml"
        views = "views.sql"
        source = [{ name = "export", path = "visits.csv", format = "csv", null = "?" }]
    "#
}

fn ndjson(site: &Site) -> &'static str {
    site.write(
        "visits.ndjson",
        "{\"patient\":\"p1\",\"ward\":\"A\",\"stay\":1.5,\"age\":40}\n\
         {\"patient\":\"p2\",\"ward\":\"A\",\"stay\":2.5}\n\
         {\"patient\":\"p3\",\"ward\":\"B\",\"stay\":null,\"age\":50}\n\
         {\"patient\":\"p4\",\"stay\":2.5,\"age\":60}\n",
    );
    // Without views a source of the table's name is the table.
    r#"
        model = "model.toml"
        source = [{ name = "visits", path = "visits.ndjson", format = "ndjson" }]
    "#
}

#[tokio::test]
async fn three_formats_give_the_same_answer() {
    for config in [parquet, csv, ndjson] {
        let site = Site::new();
        site.write("model.toml", MODEL);
        let config = config(&site);
        let mut front = site.open(config).await.unwrap();
        let (layout, cells) = front.cells(ASKED, &obligations("visits", "patient", None)).await;
        assert!(!layout.guarded);
        assert_eq!(lines(&cells), ANSWERED, "{config}");
    }
}

#[tokio::test]
async fn a_folder_of_files_is_one_source() {
    let site = Site::new();
    site.write("model.toml", MODEL);
    std::fs::create_dir(site.path("visits")).unwrap();
    site.write("visits/1.csv", "patient,ward,stay,age\np1,A,1.5,40\np2,A,2.5,\n");
    site.write("visits/2.csv", "patient,ward,stay,age\np3,B,,50\np4,,2.5,60\n");
    let config = r#"
        model = "model.toml"
        source = [{ name = "visits", path = "visits", format = "csv" }]
    "#;
    let mut front = site.open(config).await.unwrap();
    let (_, cells) = front.cells(ASKED, &obligations("visits", "patient", None)).await;
    assert_eq!(lines(&cells), ANSWERED);
}

#[tokio::test]
async fn callers_cannot_name_raw_sources_or_helper_views() {
    let site = Site::new();
    site.write("model.toml", MODEL);
    let mut front = site.open(csv(&site)).await.unwrap();
    for table in ["export", "cleaned", "information_schema.tables"] {
        let told = front.try_plan(&format!("SELECT count(*) FROM {table}"), &[], &["visits", "export"]).await;
        assert!(matches!(told, Told::Failed { .. }), "{told:?}");
    }
}

/// Opens the CSV site with other views or another model, and answers with the operator's error.
async fn refused(model: &str, views: &str) -> String {
    let site = Site::new();
    let config = csv(&site);
    site.write("model.toml", model);
    site.write("views.sql", views);
    let Err(error) = site.open(config).await else { panic!("it opened") };
    let text = error.to_string();
    assert!(!text.contains("Internal"), "{text}");
    text
}

fn view(stay: &str, more: &str) -> String {
    format!(
        "CREATE VIEW visits AS SELECT \"Patient No\" AS patient, \"Station\" AS ward, {stay}, \"Age\" AS age{more} \
         FROM export;"
    )
}

#[tokio::test]
async fn what_does_not_fit_the_model_names_its_cure() {
    let text = refused(MODEL, "").await;
    assert!(text.contains("write `CREATE VIEW visits AS SELECT … ;`"), "{text}");

    let text = refused(MODEL, &view("CAST(\"LOS\" AS VARCHAR) AS stay", "")).await;
    assert!(text.contains("column `stay` is Utf8 where the model says float"), "{text}");
    assert!(text.contains("write `CAST(stay AS DOUBLE) AS stay`"), "{text}");

    let text = refused(MODEL, &view("1 AS extra", ", \"Age\" AS more")).await;
    assert!(text.contains("column `stay` is missing; add `… AS stay`"), "{text}");
    assert!(text.contains("`CAST(NULL AS DOUBLE) AS stay`"), "{text}");
    assert!(!text.contains("extra"), "what the model does not have is nobody's to ask for: {text}");
}

#[tokio::test]
async fn a_column_of_nothing_but_null_fits_any_type() {
    let site = Site::new();
    site.write("model.toml", MODEL);
    let config = csv(&site);
    site.write("views.sql", &view("NULL AS stay", ""));
    let mut front = site.open(config).await.unwrap();
    let (_, cells) = front
        .cells("SELECT count(stay), sum(stay) FROM visits", &obligations("visits", "patient", None))
        .await;
    assert_eq!(lines(&cells), ["0 NULL"]);
}

#[tokio::test]
async fn wrong_views_and_models_name_their_cure() {
    let text = refused(MODEL, "DROP TABLE export").await;
    assert!(text.contains("`DROP TABLE export` creates no view; keep only `CREATE VIEW"), "{text}");

    let text = refused(MODEL, "CREATE VIEW visits AS SELECT a FROM nowhere").await;
    assert!(
        text.contains(
            "views.sql`, line 1: view `visits` reads `nowhere`, which is not there; there are `export`"
        ),
        "{text}"
    );

    let text = refused("[[table]]\nname = \"visits\"", "").await;
    assert!(text.contains("is no valid model") && text.contains("description"), "{text}");

    let twice = format!("{MODEL}\n{MODEL}");
    let text = refused(&twice, "").await;
    assert!(text.contains("table `visits` stands there twice"), "{text}");
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let site = Site::new();
    let config = csv(&site);
    let Err(error) = site.open(config).await else { panic!("it opened") };
    let text = error.to_string();
    assert!(text.contains("model.toml") && text.contains("check `model`"), "{text}");

    site.write("model.toml", MODEL);
    std::fs::remove_file(site.path("visits.csv")).unwrap();
    let Err(error) = site.open(config).await else { panic!("it opened") };
    let text = error.to_string();
    assert!(text.contains("source `export`") && text.contains("check `path`"), "{text}");
}

#[tokio::test]
async fn an_engine_can_be_dropped_anywhere() {
    let site = Site::new();
    site.write("model.toml", MODEL);
    let config: liquid_engine::EngineConfig = toml::from_str(csv(&site)).unwrap();
    let engine = LocalEngine::open(config.relative_to(site.folder())).await.unwrap();
    drop(engine);
}
