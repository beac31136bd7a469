//! Ending a connection from outside, in the middle of whatever it does: its peer's certificate is no longer good, or the
//! peer does not take what it has asked for.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::task::AbortHandle;

use super::{Certificates, Error};

/// One connection's end. Clones are of the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending(Arc<State>);

#[derive(Debug, Default)]
struct State {
    over: AtomicBool,
    reader: AtomicWaker,
}

impl Ending {
    /// Ends the connection now.
    pub(crate) fn end(&self) {
        self.0.over.store(true, Ordering::Release);
        self.0.reader.wake();
    }

    /// Fails where the connection was ended; whoever reads from it is woken when it is. One task reads from a connection.
    pub(super) fn check(&self, cx: &Context<'_>) -> io::Result<()> {
        self.0.reader.register(cx.waker());
        match self.0.over.load(Ordering::Acquire) {
            true => Err(io::ErrorKind::ConnectionAborted.into()),
            false => Ok(()),
        }
    }

    /// Ends the connection as soon as its peer is no longer `good`: certificates or lists have changed. It looks for as long
    /// as what comes back is held.
    pub(super) fn unless(
        &self,
        certificates: &Certificates,
        good: impl Fn(&Certificates) -> Result<(), Error> + Send + 'static,
    ) -> Watched {
        let (ending, certificates, mut renewals) =
            (self.clone(), certificates.clone(), certificates.renewals());
        let watching = tokio::spawn(async move {
            // Once at the beginning: they may have changed since the handshake.
            loop {
                if let Err(error) = good(&certificates) {
                    tracing::warn!(%error, "a connection is closed");
                    return ending.end();
                }
                if renewals.changed().await.is_err() {
                    return;
                }
            }
        });
        Watched(Task(watching.abort_handle()))
    }

    /// Ends the connection after a time, unless what comes back is dropped before.
    pub(super) fn unless_dropped_within(&self, allowed: Duration) -> Fetching {
        let ending = self.clone();
        let waiting = tokio::spawn(async move {
            tokio::time::sleep(allowed).await;
            tracing::warn!(
                seconds = allowed.as_secs(),
                "a connection is closed: its peer does not fetch its answer"
            );
            ending.end();
        });
        Fetching(Task(waiting.abort_handle()))
    }
}

/// Looks after a peer's certificate until it is dropped.
#[derive(Debug)]
pub(super) struct Watched(#[expect(dead_code, reason = "held for its drop")] Task);

/// Waits for an answer to be fetched until it is dropped.
#[derive(Debug)]
pub(crate) struct Fetching(#[expect(dead_code, reason = "held for its drop")] Task);

/// Stops when it is dropped.
#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
