//! The child's side: frames in, a worker's answers out, until the parent is gone.

use std::future::Future;
use std::io;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;

use super::frame::{self, Frame};
use crate::error::Error;
use crate::worker::Worker;

/// The child's first frame: it stands ready, or it cannot and says why, for the operator.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Hello {
    /// Ask away.
    Ready,
    /// It did not open.
    Failed(String),
}

/// One answer: what the worker said, or that it could not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer<T> {
    /// The worker's own answer.
    Told(T),
    /// The worker failed.
    Failed(Error),
}

/// Opens a worker and answers the parent's questions on stdin and stdout, one at a time.
///
/// The process **ends** when stdin does: a thread of its own watches it, so a worker that is busy or starves every task
/// does not outlive its parent.
///
/// # Errors
/// Where the worker did not open (after telling the parent) or the parent is gone.
pub async fn serve<A, T, W>(open: impl Future<Output = Result<W, String>>) -> io::Result<()>
where
    A: DeserializeOwned + Send + 'static,
    T: Serialize,
    W: Worker<A, T>,
{
    serve_on(io::stdin(), tokio::io::stdout(), open).await
}

/// As [`serve`], on other streams; the process ends when `input` does.
///
/// # Errors
/// As [`serve`].
pub async fn serve_on<A, T, W>(
    input: impl io::Read + Send + Unpin + 'static,
    mut output: impl AsyncWrite + Unpin,
    open: impl Future<Output = Result<W, String>>,
) -> io::Result<()>
where
    A: DeserializeOwned + Send + 'static,
    T: Serialize,
    W: Worker<A, T>,
{
    let mut questions = watch::<A>(input)?;
    let mut worker = match open.await {
        Ok(worker) => worker,
        Err(detail) => {
            Frame::new(&Hello::Failed(detail.clone()), Vec::new())?.write(&mut output).await?;
            return Err(io::Error::other(detail));
        }
    };
    Frame::new(&Hello::Ready, Vec::new())?.write(&mut output).await?;
    while let Some((ask, attached)) = questions.recv().await {
        let (answer, attached) = match worker.ask(ask, attached).await {
            Ok((told, attached)) => (Answer::Told(told), attached),
            Err(error) => (Answer::Failed(error), Vec::new()),
        };
        Frame::new(&answer, attached)?.write(&mut output).await?;
    }
    Ok(())
}

/// Reads frames in a thread with its own little runtime; at the end, or at anything that is no frame, the process ends.
fn watch<A: DeserializeOwned + Send + 'static>(
    input: impl io::Read + Send + Unpin + 'static,
) -> io::Result<mpsc::Receiver<(A, Vec<Bytes>)>> {
    let (sender, receiver) = mpsc::channel(1);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut input = Blocking(input);
        loop {
            match runtime.block_on(frame::read::<A>(&mut input)) {
                // The parent asks one question at a time: a second one before the answer is none of our parent's.
                Ok(Some(question)) => match sender.try_send(question) {
                    Ok(()) => {}
                    Err(_) => std::process::exit(4),
                },
                Ok(None) => std::process::exit(0),
                Err(error) => {
                    tracing::error!(%error, "parent broke the protocol");
                    std::process::exit(3);
                }
            }
        }
    })?;
    Ok(receiver)
}

/// A blocking reader as an async one, for a thread that has nothing else to do.
struct Blocking<R>(R);

impl<R: io::Read + Unpin> tokio::io::AsyncRead for Blocking<R> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        let mut chunk = [0_u8; 64 * 1024];
        let most = chunk.len().min(buf.remaining());
        let read = self.0.read(chunk.get_mut(..most).unwrap_or_default());
        std::task::Poll::Ready(read.map(|n| buf.put_slice(chunk.get(..n).unwrap_or_default())))
    }
}
