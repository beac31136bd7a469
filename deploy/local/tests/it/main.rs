//! A whole federation against its oracles.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

#[cfg(test)]
mod federated_equals_pooled;
#[cfg(test)]
mod generate;
#[cfg(test)]
mod heart;
#[cfg(test)]
mod nothing_small_leaves;
#[cfg(test)]
mod pooled;
#[cfg(test)]
mod question;
