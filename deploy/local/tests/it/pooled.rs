//! The oracle "one big database": one DataFusion process over the union of what the four hospitals hold, and the same
//! rows as plain Rust values. It reads the demo's own files through the demo's own views, and uses nothing else of ours.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use datafusion::datasource::MemTable;
use datafusion::prelude::{
    CsvReadOptions, JsonReadOptions, ParquetReadOptions, SessionConfig, SessionContext,
};

use crate::generate::SITES;
use crate::question::{Row, Value};

const COLUMNS: [&str; 15] = [
    "patient",
    "age",
    "sex",
    "chest_pain",
    "resting_bp",
    "cholesterol",
    "fasting_sugar_high",
    "resting_ecg",
    "max_heart_rate",
    "exercise_angina",
    "st_depression",
    "slope",
    "vessels",
    "thalassemia",
    "disease",
];

/// The union, as a database and as rows.
pub(crate) struct Pooled {
    context: SessionContext,
    pub(crate) rows: Vec<Row>,
}

impl Pooled {
    pub(crate) async fn open() -> Self {
        let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        let mut batches = Vec::new();
        for site in SITES {
            batches.extend(site_rows(site).await);
        }
        let rows = batches.iter().flat_map(rows_of).collect();
        let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
        context.register_table("cardiac", Arc::new(table)).unwrap();
        Self { context, rows }
    }

    pub(crate) async fn answer(&self, sql: &str) -> Vec<RecordBatch> {
        let frame = self.context.sql(sql).await.unwrap_or_else(|e| panic!("pooled: {sql}: {e}"));
        frame.collect().await.unwrap_or_else(|e| panic!("pooled: {sql}: {e}"))
    }
}

async fn site_rows(site: &str) -> Vec<RecordBatch> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/heart").join(site);
    let copies = tempfile::tempdir().unwrap();
    let context = SessionContext::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let path = file.to_str().unwrap();
        match file.extension().and_then(|e| e.to_str()) {
            Some("parquet") => {
                context.register_parquet(name, path, ParquetReadOptions::default()).await.unwrap()
            }
            Some("csv") => {
                // `?` is this hospital's sign for a missing value, as its node.toml says.
                let text = std::fs::read_to_string(&file).unwrap().replace(",?", ",");
                let without = copies.path().join(file.file_name().unwrap());
                std::fs::write(&without, text).unwrap();
                context.register_csv(name, without.to_str().unwrap(), CsvReadOptions::new()).await.unwrap();
            }
            Some("ndjson") => context
                .register_json(name, path, JsonReadOptions::default().file_extension(".ndjson"))
                .await
                .unwrap(),
            _ => {}
        }
    }
    let views = std::fs::read_to_string(folder.join("views.sql")).unwrap();
    context.sql(&views).await.unwrap().collect().await.unwrap();
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|c| match *c {
            "age" | "resting_bp" | "cholesterol" | "max_heart_rate" | "vessels" | "disease" => {
                format!("CAST({c} AS BIGINT) AS {c}")
            }
            "st_depression" => format!("CAST({c} AS DOUBLE) AS {c}"),
            "fasting_sugar_high" | "exercise_angina" => format!("CAST({c} AS BOOLEAN) AS {c}"),
            _ => format!("arrow_cast({c}, 'Utf8') AS {c}"),
        })
        .collect();
    let sql = format!("SELECT {}, arrow_cast('{site}', 'Utf8') AS site FROM cardiac", columns.join(", "));
    let batches = context.sql(&sql).await.unwrap().collect().await.unwrap();
    // Nullability differs between the four; the union needs one schema.
    let fields: Vec<_> =
        batches[0].schema().fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    batches.into_iter().map(|b| RecordBatch::try_new(schema.clone(), b.columns().to_vec()).unwrap()).collect()
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    (0..batch.num_rows())
        .map(|row| {
            COLUMNS
                .iter()
                .chain(&["site"])
                .filter_map(|name| value(batch.column_by_name(name).unwrap(), row).map(|v| (*name, v)))
                .collect()
        })
        .collect()
}

/// One cell, or none for NULL.
pub(crate) fn value(column: &dyn Array, row: usize) -> Option<Value> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        DataType::Int64 => Value::Int(column.as_primitive::<Int64Type>().value(row)),
        DataType::Int32 => Value::Int(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Date32 => Value::Text(array_value_to_string(column, row).unwrap()),
        DataType::Float64 => Value::Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Value::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::Utf8View => Value::Text(column.as_string_view().value(row).to_owned()),
        DataType::Null => return None,
        other => panic!("no value of type {other}"),
    })
}
