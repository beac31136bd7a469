//! The seam to a process that plans and computes: one question, some Arrow IPC with it, one answer, some with that.

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Error;

/// Something that answers questions of type `A` with answers of type `T`, one at a time.
///
/// A child process for real ([`crate::child`]), the same process in tests. The caller sets the deadline from outside.
#[async_trait]
pub trait Worker<A, T>: Send {
    /// Asks and waits; `attached` are Arrow IPC streams.
    ///
    /// # Errors
    /// [`Error::Fault`] where the worker died, was killed, or broke the protocol. What a worker itself reports is a `T`.
    async fn ask(&mut self, ask: A, attached: Vec<Bytes>) -> Result<(T, Vec<Bytes>), Error>;

    /// False where it is known to be of no more use, for example since its process has ended while it was idle.
    fn alive(&mut self) -> bool {
        true
    }
}
