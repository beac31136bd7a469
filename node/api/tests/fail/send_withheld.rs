//! What an engine produced cannot be put on the wire.

use liquid_disclosure::{Cells, Withheld};
use liquid_node_api::wire::{Encoded, IntoWire};

pub fn leak(withheld: Withheld<Cells>) -> Option<Encoded> {
    withheld.into_wire(false, None).ok()
}
