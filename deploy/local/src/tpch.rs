//! The TPC-H federation: generated trade data, split over sites by customer, under two example agreements.
//!
//! A customer lies at one site, with all orders and all their lines; the tables that belong to nobody lie whole at every
//! site. `data/tpch/README.md` says what differs from TPC-H itself.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::error::ArrowError;
use liquid_policy::id::{OrganisationName, SiteName};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow,
    SupplierArrow,
};

use crate::Error;
use crate::blueprint::{Blueprint, Connect, Content, SitePlan, Source};

/// The shared schema.
pub const MODEL: &str = include_str!("../data/tpch/model.toml");
/// *open*: everything is allowed, for correctness and speed.
pub const OPEN: &str = include_str!("../../../policies/examples/open/agreement.toml");
/// *customers*: nothing about fewer than ten customers leaves a site.
pub const CUSTOMERS: &str = include_str!("../../../policies/examples/customers/agreement.toml");

/// Most sites that a federation on one machine is given.
pub const SITES_MAX: usize = 40;

/// The organisations that are parties of both agreements; further sites are further places of theirs.
const ORGANISATIONS: [&str; 4] = ["north", "south", "east", "west"];
const SPLIT: [&str; 3] = ["customer", "orders", "lineitem"];
const WHOLE: [&str; 5] = ["part", "supplier", "partsupp", "nation", "region"];

/// The federation over data that [`generate`] has written into `folder`.
pub fn blueprint(folder: &Path, sites: usize) -> Blueprint {
    let source = |site: usize, table: &str| Source {
        name: format!("raw_{table}"),
        file: format!("{table}.parquet"),
        format: "parquet".to_owned(),
        null: None,
        delimiter: None,
        content: Content::File(place(folder, table, site)),
    };
    let plan = |at: usize| SitePlan {
        site: SiteName::new(name(at)),
        organisation: OrganisationName::new(organisation(at)),
        model: MODEL.to_owned(),
        agreements: vec![OPEN.to_owned(), CUSTOMERS.to_owned()],
        beside: vec![],
        sources: SPLIT.into_iter().chain(WHOLE).map(|table| source(at, table)).collect(),
        views: SPLIT
            .into_iter()
            .chain(WHOLE)
            .map(|table| format!("CREATE VIEW {table} AS SELECT * FROM raw_{table};\n"))
            .collect(),
        tables: None,
        connect: if at.is_multiple_of(2) { Connect::Inbound } else { Connect::Outbound { port: true } },
    };
    Blueprint { name: "tpch".to_owned(), sites: (0..sites).map(plan).collect() }
}

fn organisation(at: usize) -> &'static str {
    ORGANISATIONS.iter().cycle().nth(at).copied().unwrap_or_default() // a cycle never ends
}

/// `north`, `south`, `east`, `west`, `north-2`, …
fn name(at: usize) -> String {
    match at / ORGANISATIONS.len() {
        0 => organisation(at).to_owned(),
        round => format!("{}-{}", organisation(at), round + 1),
    }
}

/// Where one table of one site lies; what is whole at every site is written once.
fn place(folder: &Path, table: &str, site: usize) -> PathBuf {
    if WHOLE.contains(&table) {
        return folder.join("whole").join(format!("{table}.parquet"));
    }
    folder.join(name(site)).join(format!("{table}.parquet"))
}

/// Generates TPC-H at a scale factor (1 is about 8.7 million rows) as Parquet files for `sites` sites. The same scale
/// and number of sites give the same files.
///
/// # Errors
/// Where a file cannot be written.
pub fn generate(folder: &Path, scale: f64, sites: usize) -> Result<(), Error> {
    // Now and not when they are needed: where the folder is removed meanwhile, nothing brings it back.
    for name in (0..sites).map(name).chain(["whole".to_owned()]) {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).map_err(Error::writing(&folder))?;
    }
    let written = |table: &str, batches: &mut dyn Iterator<Item = Result<RecordBatch, ArrowError>>| {
        write_whole(&place(folder, table, 0), batches)
    };
    written("part", &mut PartArrow::new(PartGenerator::new(scale, 1, 1)))?;
    written("supplier", &mut SupplierArrow::new(SupplierGenerator::new(scale, 1, 1)))?;
    written("partsupp", &mut PartSuppArrow::new(PartSuppGenerator::new(scale, 1, 1)))?;
    written("nation", &mut NationArrow::new(NationGenerator::new(scale, 1, 1)))?;
    written("region", &mut RegionArrow::new(RegionGenerator::new(scale, 1, 1)))?;

    let split =
        |table: &str, batches: &mut dyn Iterator<Item = Result<RecordBatch, ArrowError>>, key: &str| {
            write_split(&|site| place(folder, table, site), sites, batches, key)
        };
    let orders = || OrderArrow::new(OrderGenerator::new(scale, 1, 1));
    split("customer", &mut CustomerArrow::new(CustomerGenerator::new(scale, 1, 1)), "c_custkey")?;
    split("orders", &mut orders(), "o_custkey")?;
    let lines = LineItemArrow::new(LineItemGenerator::new(scale, 1, 1));
    let mut customers = Customers { orders: orders(), known: VecDeque::new() };
    split("lineitem", &mut lines.map(|batch| customers.added(&batch?)), "l_custkey")
}

/// Who ordered what: orders come in the same order as the lines, so a short queue of them is enough.
struct Customers {
    orders: OrderArrow,
    known: VecDeque<(i64, i64)>,
}

impl Customers {
    /// A batch of lines with the customer's number as a last column.
    fn added(&mut self, lines: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let keys = lines.column(0).as_primitive::<Int64Type>().values();
        let customers = keys.iter().map(|order| self.of(*order)).collect::<Result<Vec<_>, _>>()?;
        let mut fields: Vec<_> = lines.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new("l_custkey", DataType::Int64, false)));
        let mut columns = lines.columns().to_vec();
        columns.push(Arc::new(Int64Array::from(customers)));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }

    fn of(&mut self, order: i64) -> Result<i64, ArrowError> {
        loop {
            match self.known.front() {
                Some((key, customer)) if *key == order => return Ok(*customer),
                Some(_) => {
                    self.known.pop_front();
                }
                None => {
                    let lost = || ArrowError::ComputeError(format!("line of an unknown order {order}"));
                    let batch = self.orders.next().ok_or_else(lost)??;
                    let column = |at: usize| batch.column(at).as_primitive::<Int64Type>().values();
                    self.known.extend(column(0).iter().copied().zip(column(1).iter().copied()));
                }
            }
        }
    }
}

fn write_whole(
    path: &Path,
    batches: &mut dyn Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<(), Error> {
    let mut writer = None;
    for batch in batches {
        append(&mut writer, path, &plain(&batch.map_err(failed)?)?)?;
    }
    close(writer)
}

/// Gives every row to the site of its customer.
fn write_split(
    place: &dyn Fn(usize) -> PathBuf,
    sites: usize,
    batches: &mut dyn Iterator<Item = Result<RecordBatch, ArrowError>>,
    key: &str,
) -> Result<(), Error> {
    let mut writers: Vec<Option<ArrowWriter<File>>> = (0..sites).map(|_| None).collect();
    for batch in batches {
        let batch = plain(&batch.map_err(failed)?)?;
        let at = batch.schema().index_of(key).map_err(failed)?;
        let customers = batch.column(at).as_primitive::<Int64Type>().values();
        for (site, writer) in writers.iter_mut().enumerate() {
            let here = customers.iter().map(|customer| Some(site_of(*customer, sites) == site));
            let rows = filter_record_batch(&batch, &here.collect::<BooleanArray>()).map_err(failed)?;
            append(writer, &place(site), &rows)?;
        }
    }
    writers.into_iter().try_for_each(close)
}

/// The site of a customer. Numbers of neighbours spread, and the sites differ a little in size.
fn site_of(customer: i64, sites: usize) -> usize {
    let mixed = customer.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    usize::try_from(mixed).unwrap_or(0) % sites.max(1)
}

/// The same rows in the types of the model: 64-bit whole numbers, floats for money, plain strings.
fn plain(batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let (mut fields, mut columns) = (Vec::new(), Vec::<ArrayRef>::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let kind = match field.data_type() {
            DataType::Int32 => DataType::Int64,
            DataType::Decimal128(..) => DataType::Float64,
            DataType::Utf8View => DataType::Utf8,
            other => other.clone(),
        };
        columns.push(cast(column, &kind).map_err(failed)?);
        fields.push(Field::new(field.name(), kind, false));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(failed)
}

fn append(writer: &mut Option<ArrowWriter<File>>, path: &Path, batch: &RecordBatch) -> Result<(), Error> {
    if writer.is_none() {
        let file = File::create(path).map_err(Error::writing(path))?;
        let how = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        *writer = Some(ArrowWriter::try_new(file, batch.schema(), Some(how)).map_err(failed)?);
    }
    match writer {
        Some(writer) => writer.write(batch).map_err(failed),
        None => Ok(()),
    }
}

fn close(writer: Option<ArrowWriter<File>>) -> Result<(), Error> {
    match writer {
        Some(writer) => writer.close().map(drop).map_err(failed),
        None => Ok(()),
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::machine("the data cannot be generated", error)
}

#[cfg(test)]
mod tests {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn read(path: &Path) -> Vec<RecordBatch> {
        let file = File::open(path).unwrap();
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect()
    }

    fn numbers(batches: &[RecordBatch], column: &str) -> Vec<i64> {
        let column = |batch: &RecordBatch| {
            let column = batch.column_by_name(column).unwrap();
            column.as_primitive::<Int64Type>().values().to_vec()
        };
        batches.iter().flat_map(column).collect()
    }

    /// No customer is at two sites, no order or line elsewhere than its customer, and nothing is lost.
    #[test]
    fn each_customer_lies_at_one_site_with_all_that_is_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let sites = 3;
        generate(folder.path(), 0.001, sites).unwrap();
        let (mut customers, mut orders, mut lines) = (0, 0, 0);
        for site in 0..sites {
            let table = |table| read(&place(folder.path(), table, site));
            let here = numbers(&table("customer"), "c_custkey");
            assert!(here.iter().all(|customer| site_of(*customer, sites) == site));
            let ordered = numbers(&table("orders"), "o_custkey");
            assert!(ordered.iter().all(|customer| site_of(*customer, sites) == site));
            let line = table("lineitem");
            let orders_here: std::collections::HashMap<i64, i64> =
                numbers(&table("orders"), "o_orderkey").into_iter().zip(ordered.clone()).collect();
            for (order, customer) in numbers(&line, "l_orderkey").iter().zip(numbers(&line, "l_custkey")) {
                assert_eq!(orders_here.get(order), Some(&customer), "a line lies with its order");
            }
            customers += here.len();
            orders += ordered.len();
            lines += numbers(&line, "l_orderkey").len();
        }
        assert_eq!((customers, orders), (150, 1500));
        assert_eq!(lines, 6005, "as TPC-H has it at this scale");
        assert_eq!(
            read(&place(folder.path(), "nation", 2)).iter().map(RecordBatch::num_rows).sum::<usize>(),
            25
        );
    }

    #[test]
    fn sites_have_names_of_their_own() {
        let names: Vec<String> = (0..9).map(name).collect();
        assert_eq!(names[..5], ["north", "south", "east", "west", "north-2"]);
        assert_eq!(names[8], "north-3");
    }
}
