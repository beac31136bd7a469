//! What the columns of a cut's result mean, hidden ones included.
//!
//! ```text
//! g0 … gn-1      the group keys
//! a0 … am-1      the aggregates, as asked
//! present        UInt32: min(k, distinct entities whose rows pass WHERE)                      | only
//! c0_0 … cj_b    UInt32: min(k, distinct contributors) of branch b of aggregate j             | where the
//! l0 … lm-1      UInt32: min(k, distinct entities left out of aggregate j by its conditions)  | agreement has
//! s0 … sm-1      Boolean: true where nothing can be left out of aggregate j, whatever the data | a minimum k
//! ```
//!
//! The last three kinds are computed by the engine as obligations of the permit; `s` comes from the declared domains
//! alone. With [`Layout::declared`] the rows are exactly the groups that the declared domains allow, seen or not.

use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};

/// How many columns of each kind a cut's result has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Group keys.
    pub groups: usize,
    /// Branches of each aggregate, at least one each.
    pub branches: Vec<usize>,
    /// The hidden columns are there: the agreement has a minimum.
    pub guarded: bool,
    /// Every group that the declared domains allow has a row, whether the data has it or not.
    pub declared: bool,
}

/// A cut's result as the engine produced it.
#[derive(Debug)]
pub struct Cells {
    /// Columns as [`Layout`] says.
    pub batch: RecordBatch,
    /// What they mean.
    pub layout: Layout,
}
