//! The coordinator in one process: the planner itself instead of a child, and sites that really run the SQL they are sent.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

mod answers;
mod marks;
mod missing;
mod pooled;
mod tokens;
mod world;
