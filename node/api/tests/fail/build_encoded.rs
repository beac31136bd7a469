//! Encoded answers are made of released tables alone.

use arrow::record_batch::RecordBatch;
use liquid_node_api::wire::Encoded;

pub fn leak(rows: RecordBatch) -> Encoded {
    Encoded { schema: rows.schema(), messages: Vec::new() }
}
