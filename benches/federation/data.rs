//! Generated visits: the same rows for every run, since they follow from their number.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use liquid_local::Blueprint;
use liquid_local::blueprint::{Connect, Content, SitePlan, Source};
use liquid_policy::id::{OrganisationName, SiteName};
use parquet::arrow::ArrowWriter;

const SITES: [&str; 3] = ["north", "middle", "south"];
const WARDS: u64 = 40;
/// Visits of one person, on average.
const VISITS: u64 = 4;
const BATCH: u64 = 100_000;

/// One site's file.
pub(crate) struct SiteRows {
    name: &'static str,
    pub(crate) file: PathBuf,
}

/// Writes `rows` rows, a third at each site.
pub(crate) fn write(folder: &Path, rows: u64) -> Result<Vec<SiteRows>, Box<dyn Error>> {
    let third = rows / SITES.len() as u64;
    let mut sites = Vec::new();
    for (at, name) in SITES.into_iter().enumerate() {
        let file = folder.join(format!("{name}.parquet"));
        let first = at as u64 * third;
        let last = if at + 1 == SITES.len() { rows } else { first + third };
        let mut writer: Option<ArrowWriter<File>> = None;
        for start in (first..last).step_by(usize::try_from(BATCH)?) {
            let batch = batch(start, (start + BATCH).min(last))?;
            let mut open = match writer.take() {
                Some(open) => open,
                None => ArrowWriter::try_new(File::create(&file)?, batch.schema(), None)?,
            };
            open.write(&batch)?;
            writer = Some(open);
        }
        if let Some(writer) = writer {
            writer.close()?;
        }
        sites.push(SiteRows { name, file });
    }
    Ok(sites)
}

fn batch(start: u64, end: u64) -> Result<RecordBatch, Box<dyn Error>> {
    let mixed = |row: u64, salt: u64| (row ^ salt).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    let person = (start..end).map(|row| i64::try_from(row / VISITS).unwrap_or_default());
    let ward = (start..end).map(|row| format!("W{:02}", mixed(row / VISITS, 1) % WARDS));
    let sex = (start..end).map(|row| if mixed(row / VISITS, 2) % 2 == 0 { "F" } else { "M" });
    let cost = (start..end).map(|row| (mixed(row, 3) % 100_000) as f64 / 100.0);
    let columns: [(&str, ArrayRef); 4] = [
        ("person", Arc::new(Int64Array::from_iter_values(person))),
        ("ward", Arc::new(StringArray::from_iter_values(ward))),
        ("sex", Arc::new(StringArray::from_iter_values(sex))),
        ("cost", Arc::new(Float64Array::from_iter_values(cost))),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// The federation over these files.
pub(crate) fn blueprint(sites: &[SiteRows]) -> Blueprint {
    let plan = |site: &SiteRows| SitePlan {
        site: SiteName::new(site.name),
        organisation: OrganisationName::new(site.name),
        model: include_str!("model.toml").to_owned(),
        agreements: vec![include_str!("agreement.toml").to_owned()],
        beside: vec![],
        sources: vec![Source {
            name: "rows".to_owned(),
            file: "rows.parquet".to_owned(),
            format: "parquet".to_owned(),
            null: None,
            delimiter: None,
            content: Content::File(site.file.clone()),
        }],
        views: "CREATE VIEW visits AS SELECT person, ward, sex, cost FROM rows;\n".to_owned(),
        tables: None,
        connect: Connect::Inbound,
    };
    Blueprint { name: "bench".to_owned(), sites: sites.iter().map(plan).collect() }
}
