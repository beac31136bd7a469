//! A table in the making: rows of values under named columns, and the Parquet file that it becomes.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Date32Type, Field, Schema};
use chrono::NaiveDate;
use liquid_node_api::catalogue::Kind;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::failed;
use crate::Error;

/// One value; each column has values of its kind alone, or none.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Missing,
    Text(String),
    Whole(i64),
    Real(f64),
    Flag(bool),
    Day(NaiveDate),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<NaiveDate> for Value {
    fn from(day: NaiveDate) -> Self {
        Self::Day(day)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}

/// A table of one organisation at one month's end. Its first column is its key.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    pub(super) name: &'static str,
    pub(super) columns: Vec<(&'static str, Kind)>,
    pub(super) rows: Vec<Vec<Value>>,
}

impl Sheet {
    pub(super) fn new(name: &'static str, columns: &[(&'static str, Kind)]) -> Self {
        Self { name, columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(super) fn push<const N: usize>(&mut self, row: [Value; N]) {
        self.rows.push(row.into());
    }

    /// Rows in the order of their key: the order in which they were made would tell who is who at another organisation.
    pub(super) fn sorted(mut self) -> Self {
        self.rows.sort_by(|one, other| key(one).cmp(key(other)));
        self
    }

    /// The rows in Arrow.
    pub(super) fn batch(&self) -> Result<RecordBatch, Error> {
        let fields: Vec<_> =
            self.columns.iter().map(|(name, kind)| Field::new(*name, kind.arrow_type(), true)).collect();
        let arrays = self.columns.iter().enumerate().map(|(at, (_, kind))| self.array(at, *kind)).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(failed)
    }

    fn array(&self, at: usize, kind: Kind) -> ArrayRef {
        let values = self.rows.iter().map(|row| row.get(at).unwrap_or(&Value::Missing));
        match kind {
            Kind::Text => Arc::new(StringArray::from_iter(values.map(|value| match value {
                Value::Text(text) => Some(text.as_str()),
                _ => None,
            }))),
            Kind::Integer => Arc::new(Int64Array::from_iter(values.map(|value| match value {
                Value::Whole(number) => Some(*number),
                _ => None,
            }))),
            Kind::Float => Arc::new(Float64Array::from_iter(values.map(|value| match value {
                Value::Real(number) => Some(*number),
                _ => None,
            }))),
            Kind::Boolean => Arc::new(BooleanArray::from_iter(values.map(|value| match value {
                Value::Flag(flag) => Some(*flag),
                _ => None,
            }))),
            Kind::Date => Arc::new(Date32Array::from_iter(values.map(|value| match value {
                Value::Day(day) => Some(Date32Type::from_naive_date(*day)),
                _ => None,
            }))),
        }
    }

    /// Writes `NAME.parquet` into a folder.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        fs::create_dir_all(folder).map_err(Error::writing(folder))?;
        let path = folder.join(format!("{}.parquet", self.name));
        let batch = self.batch()?;
        let how = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let file = File::create(&path).map_err(Error::writing(&path))?;
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(how)).map_err(failed)?;
        writer.write(&batch).map_err(failed)?;
        writer.close().map(drop).map_err(failed)
    }
}

/// What stands in the first column.
pub(super) fn key(row: &[Value]) -> &str {
    match row.first() {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}
