//! A whole federation against its oracles.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod federated_equals_pooled;
mod generate;
mod heart;
mod joins;
mod nothing_small_leaves;
mod plans;
mod pooled;
mod question;
mod ruled;
mod swapped;
mod wellbeing;
