//! A type of one's own cannot be declared fit for the wire.

use arrow::record_batch::RecordBatch;
use liquid_node_api::Error;
use liquid_node_api::wire::{Encoded, IntoWire};

pub struct Mine(pub RecordBatch);

impl IntoWire for Mine {
    fn into_wire(self, _: bool, _: Option<&str>) -> Result<Encoded, Error> {
        Err(Error::invalid("", ""))
    }
}
