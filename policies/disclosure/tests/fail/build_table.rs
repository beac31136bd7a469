//! A released table cannot be put together from columns.

use arrow::record_batch::RecordBatch;
use liquid_disclosure::{Released, Table};

pub fn leak(secret: RecordBatch, released: &Released<Table>) -> Table {
    Table { batch: secret, ..released.get().clone() }
}
