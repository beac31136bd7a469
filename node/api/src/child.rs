//! A worker in a child process, killed when it is late: 500 bytes of SQL can abort a process that plans them, and a join
//! can starve every timer in the process that runs it, so both live where they can be killed.
//!
//! ```text
//! parent                                     child
//! Program ─ start ─▶ stdin/stdout ◀──────── serve(open)
//! Pool of Children ─ lease ─▶ ask, frames ─▶ Worker::ask
//!        deadline passed: kill, start another; parent gone (end of stdin): the child exits, busy or not
//! ```
//!
//! A frame is its lengths, a JSON header and raw attachments ([`frame`]). The child's stderr goes to the parent's log.

pub mod frame;
mod pool;
mod process;
mod serve;
mod turns;

pub use pool::{Failure, Lease, Pool, PoolSettings, Start, start_with};
pub use process::{Child, Program};
pub use serve::{serve, serve_on};
