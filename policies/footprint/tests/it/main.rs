//! The crate from outside: attacks, benign queries, printing, and one DataFusion process as the oracle.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod analysis;
mod attacks;
mod engine;
mod examples;
mod fixture;
mod generate;
mod limits;
mod marks;
mod pooled;
mod steps;
mod upstream;
