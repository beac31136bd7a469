//! The coordinator in one process: the planner itself instead of a child, and sites that really run the SQL they are sent.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

#[path = "../../../node/api/tests/it/certificates.rs"]
mod certificates;

mod answers;
mod marks;
mod missing;
mod pooled;
mod tls;
mod tokens;
mod turns;
mod world;
