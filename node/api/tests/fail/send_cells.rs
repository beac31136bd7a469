//! Nor can a cut's result with its hidden columns.

use liquid_disclosure::Cells;
use liquid_node_api::sql::Answer;
use liquid_node_api::wire::IntoWire;

fn send<R: IntoWire>(_: Answer<R>) {}

pub fn leak(cells: Cells) {
    send(Answer { rows: cells, metadata: String::new() });
}
