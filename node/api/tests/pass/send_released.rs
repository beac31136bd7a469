//! What was released can be sent, and what a coordinator computed over it.

use arrow::record_batch::RecordBatch;
use liquid_disclosure::{Released, Table};
use liquid_node_api::sql::Answer;
use liquid_node_api::wire::{Combined, Encoded, IntoWire};

fn send<R: IntoWire>(_: Answer<R>) {}

pub fn released(rows: Released<Table>) -> Option<Encoded> {
    send(Answer { rows: rows.clone(), metadata: String::new() });
    rows.into_wire(true, None).ok()
}

pub fn combined(rows: RecordBatch) -> Option<Encoded> {
    Combined::of_released_tables(rows).into_wire(false, Some("{}")).ok()
}
