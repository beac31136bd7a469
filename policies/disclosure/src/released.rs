//! Released tables: what may go on the wire. [`disclose`] makes them from withheld cells under a permit; [`finish`] is
//! the only other constructor, for what was computed over released tables alone.

use arrow::record_batch::RecordBatch;

/// Why a cell is not simply its value. Marks travel as UInt8 columns, and the greater one wins where cells meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Mark {
    /// The cell is what it says.
    Plain = 0,
    /// Rows may be missing: an operator that drops or mixes rows read a withheld cell.
    Incomplete = 1,
    /// The cell is NULL because the agreement withholds it, or something it is computed from.
    Withheld = 2,
}

/// A value that may leave. Its field is private: see the module's head for who makes it.
#[derive(Debug, Clone)]
pub struct Released<T>(T);

impl<T> Released<T> {
    /// Looks at what was released.
    pub fn get(&self) -> &T {
        &self.0
    }
}

/// A released table: `n` columns of values, then their `n` marks.
#[derive(Debug, Clone)]
pub struct Table {
    batch: RecordBatch,
    groups_may_be_missing: bool,
    rows_may_be_missing: bool,
    clauses: Vec<String>,
}
