//! A whole federation against its oracles.

mod federated_equals_pooled;
mod generate;
mod heart;
mod nothing_small_leaves;
mod pooled;
mod question;
