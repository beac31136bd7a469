//! Every row that declared domains allow: what can be said of a question without looking at data is found out here.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use liquid_policy::id::ColumnName;
use liquid_policy::table::Obligations;

use crate::base::misfit;
use crate::domain;
use crate::error::Failure;
use crate::names;

/// The most rows a product may have.
const ROWS_MAX: u64 = 10_000;

/// The cartesian product of some columns' declared domains, with NULL where a value may be missing.
#[derive(Debug)]
pub(crate) struct Product<'a> {
    schema: &'a Schema,
    obligations: &'a Obligations,
    columns: BTreeSet<String>,
    rows: u64,
}

impl<'a> Product<'a> {
    /// A product of no columns: one row.
    pub(crate) fn new(schema: &'a Schema, obligations: &'a Obligations) -> Self {
        Self { schema, obligations, columns: BTreeSet::new(), rows: 1 }
    }

    /// Takes in some more columns, all or none: none where one of them has no declared domain, or where the product
    /// would have too many rows. Answers whether all of them are in it now.
    pub(crate) fn take_in(&mut self, columns: &BTreeSet<String>) -> bool {
        let mut rows = self.rows;
        for column in columns.difference(&self.columns) {
            let Some(size) = self.size(column) else { return false };
            rows = rows.saturating_mul(size);
        }
        if rows > ROWS_MAX {
            return false;
        }
        self.rows = rows;
        self.columns.extend(columns.iter().cloned());
        true
    }

    /// All rows.
    pub(crate) fn batch(&self) -> Result<RecordBatch, Failure> {
        let rows = usize::try_from(self.rows).unwrap_or(0);
        let mut fields = vec![Field::new(names::ROW, DataType::Boolean, false)];
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(BooleanArray::from(vec![true; rows]))];
        let mut stride = 1;
        for column in &self.columns {
            let field = self
                .schema
                .field_with_name(column)
                .map_err(|_| misfit(column, "the model has no such column"))?;
            let values = self.values(column, field.data_type())?;
            let row = |row: usize| values.get(row / stride % values.len().max(1)).cloned();
            arrays.push(ScalarValue::iter_to_array((0..rows).filter_map(row))?);
            fields.push(Field::new(column, field.data_type().clone(), true));
            stride *= values.len();
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }

    fn size(&self, column: &str) -> Option<u64> {
        let rule = self.obligations.columns.get(&ColumnName::new(column))?;
        let domain = rule.domain.as_ref()?;
        Some(domain.size().saturating_add(u64::from(!rule.required)))
    }

    fn values(&self, column: &str, kind: &DataType) -> Result<Vec<ScalarValue>, Failure> {
        let Some(rule) = self.obligations.columns.get(&ColumnName::new(column)) else {
            return Ok(Vec::new());
        };
        let Some(domain) = &rule.domain else { return Ok(Vec::new()) };
        let mut values = domain::values(domain, kind).map_err(|reason| misfit(column, &reason))?;
        if !rule.required {
            values.push(ScalarValue::try_from(kind)?);
        }
        Ok(values)
    }
}
