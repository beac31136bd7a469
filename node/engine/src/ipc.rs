//! Arrow IPC between an engine and its front, through the same gate as everything else that comes from another process.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use bytes::Bytes;
use liquid_node_api::wire::gate::{self, Quota};

use crate::error::Failure;

pub(crate) use liquid_node_api::wire::gate::encode_schema as write_schema;

/// Writes one batch as a stream.
pub(crate) fn write(batch: &RecordBatch) -> Result<Bytes, ArrowError> {
    gate::encode(batch)
}

/// Reads a stream that the front has sent, as one batch. How much it is, the front has seen to.
pub(crate) fn read(stream: &Bytes) -> Result<RecordBatch, Failure> {
    let most = usize::MAX;
    let quota = Quota { bytes: most, rows: most, columns: most, batches: most };
    gate::decode(stream, &quota, |_| Ok(())).map_err(|error| Failure::engine(error.to_string()))
}
