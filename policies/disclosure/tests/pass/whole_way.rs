//! The way out of a site: decide, then disclose, then finish.

use arrow::record_batch::RecordBatch;
use liquid_disclosure::{Cells, Released, Table, Withheld, disclose, finish};
use liquid_policy::{Admitted, Footprint, decide};

pub fn way(admitted: &Admitted, footprint: &Footprint, cells: Cells) -> Option<Released<Table>> {
    let permit = decide(admitted, footprint).ok()?;
    disclose(Withheld::new(cells), &permit, None).ok()
}

pub fn look(released: &Released<Table>) -> &RecordBatch {
    released.get().batch()
}

pub fn above(released: Released<Table>, batch: RecordBatch) -> Option<Released<Table>> {
    finish(&[&released], batch, false).ok()
}
