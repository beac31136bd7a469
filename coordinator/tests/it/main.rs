//! The coordinator in one process: the planner itself instead of a child, and sites that really run the SQL they are sent.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod answers;
mod marks;
mod missing;
mod pooled;
mod tokens;
mod world;
