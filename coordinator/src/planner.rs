//! The planner: what a coordinator does with SQL and with what sites send, in a child process that may die of either.
//!
//! 1. [`messages`]: what the front asks and what it is told; every question carries all that it needs, so a planner that
//!    was killed loses nothing.
//! 2. [`Planner`]: the worker, in the child for real and in the same process in tests. The front keeps a few of them in
//!    a [`liquid_node_api::child::Pool`].

pub mod messages;
mod worker;

pub use messages::{Ask, Told};
pub use worker::Planner;
