//! Withheld cells become released cells: the only way out of a site. Pure code, no clock, no engine, no sockets.
//!
//! 1. [`withheld`]: rows that an engine produced; anyone may wrap, only this crate unwraps.
//! 2. [`cells`]: what the columns of a cut's result mean.
//! 3. [`concentration`]: whether few make up too much of a sum.
//! 4. [`differences`]: what cells of one group tell together, by way of `span` and `few`.
//! 5. [`measured`], [`history`]: what each cell adds up, and what cells of many answers tell together.
//! 6. `threshold`: which cells have enough contributors, in them and left out of them, and are spread over them.
//! 7. [`released`]: [`disclose`] makes [`Released`], [`finish`] is its only other constructor.

pub mod cells;
pub mod concentration;
pub mod differences;
mod few;
pub mod history;
pub mod measured;
pub mod released;
mod span;
mod threshold;
pub mod withheld;

pub use cells::{Cells, Layout};
pub use released::{Bug, Earlier, Mark, Memory, Released, Table, disclose, finish};
pub use withheld::Withheld;
