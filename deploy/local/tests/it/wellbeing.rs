//! The county, asked through its four nodes, against the files that were generated for them.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use liquid_local::answer::Mark;
use liquid_local::wellbeing::{self, Holder, Month};
use liquid_local::{Federation, Run};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::heart::rows;
use crate::question::Value;

const PEOPLE: u64 = 3_000;
/// Of the agreement.
const MINIMUM: i64 = 10;

fn read(folder: &Path, holder: Holder, month: Month, table: &str) -> Vec<RecordBatch> {
    let path = wellbeing::place(folder, holder, month).join(format!("{table}.parquet"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

/// How many rows there are of each pair of texts, those aside whose person has opted out.
fn counted(batches: &[RecordBatch], columns: [&str; 2]) -> BTreeMap<(String, String), i64> {
    let mut counts = BTreeMap::new();
    for batch in batches {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let [one, other] = columns.map(|name| column(name).as_string::<i32>());
        for row in (0..batch.num_rows()).filter(|row| !column("opted_out").as_boolean().value(*row)) {
            *counts.entry((one.value(row).to_owned(), other.value(row).to_owned())).or_default() += 1;
        }
    }
    counts
}

/// Every number that leaves is the one in the files; every one below the minimum stays.
#[tokio::test(flavor = "multi_thread")]
async fn the_nodes_tell_what_the_files_hold_and_nothing_small() {
    let folder = tempfile::tempdir().unwrap();
    let earlier = Month::snapshots().nth(2).unwrap();
    wellbeing::generate(folder.path(), wellbeing::SEED, PEOPLE, [earlier, Month::NEWEST]).unwrap();
    let mut totals = Vec::new();
    for month in [earlier, Month::NEWEST] {
        let blueprint = wellbeing::blueprint(folder.path(), month);
        let federation = Federation::start(&blueprint, Run::InProcess).await.unwrap();
        let mut client = federation.client(Some("northshire-council/analyst")).unwrap();
        client.set("liquid.marks", "columns").unwrap();
        let questions = [
            (Holder::Nhs, "patients", ["ward", "sex"]),
            (Holder::Council, "residents", ["ward", "age_band"]),
            (Holder::Schools, "pupils", ["school", "sex"]),
        ];
        for (holder, table, [one, other]) in questions {
            let sql = format!("SELECT {one}, {other}, count(*) AS n FROM {table} GROUP BY {one}, {other}");
            let answer = rows(&client.ask(&sql).await.unwrap());
            let truth = counted(&read(folder.path(), holder, month, table), [one, other]);
            let (mut told, mut withheld) = (0, 0);
            for row in &answer {
                let [(Some(Value::Text(one)), _), (Some(Value::Text(other)), _), (number, mark)] =
                    row.as_slice()
                else {
                    // NULL stands for those without a value; there are none.
                    assert_eq!(row[2].1, Mark::Withheld, "{row:?}");
                    continue;
                };
                let truth = truth.get(&(one.clone(), other.clone())).copied().unwrap_or(0);
                if truth >= MINIMUM {
                    assert_eq!(*number, Some(Value::Int(truth)), "{table}: {one}, {other}");
                    told += 1;
                } else {
                    assert_eq!((number, mark), (&None, &Mark::Withheld), "{table}: {one}, {other}");
                    withheld += 1;
                }
            }
            assert!(told > 5, "{table}: {told} told, {withheld} withheld");
            totals.push((table, truth.values().sum::<i64>()));
        }
    }
    assert_ne!(totals[..3], totals[3..], "nothing has changed since {earlier}");
}
