//! A released table cannot be given other rows.

use arrow::record_batch::RecordBatch;
use liquid_disclosure::{Released, Table};

pub fn leak(secret: RecordBatch, mut released: Released<Table>) -> Released<Table> {
    released.0.batch = secret;
    released
}
