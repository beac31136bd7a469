//! What an agreement file says is what a node decides.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

mod admission;
mod decisions;
mod diff;
mod domains;
mod examples;
mod filters;
mod grains;
mod joins;
mod life;
mod numbers;
mod schema;
mod signatures;
mod support;
mod templates;
mod words;
