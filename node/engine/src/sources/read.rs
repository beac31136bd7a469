//! A file as a plain reader: formats that say on which line something is wrong are read by functions that wait.

use std::io::{self, BufRead, BufReader, Read};

use bytes::{Buf as _, Bytes};
use futures::StreamExt as _;
use object_store::{GetOptions, GetResultPayload};
use tokio::sync::mpsc;

use super::files::File;

/// Hands the whole file to a function, on a thread that may wait.
pub(crate) async fn with_reader<T: Send + 'static>(
    file: &File,
    work: impl FnOnce(Box<dyn BufRead>) -> T + Send + 'static,
) -> object_store::Result<T> {
    let joined = |error: tokio::task::JoinError| object_store::Error::JoinError { source: error };
    match file.get(GetOptions::default()).await?.payload {
        GetResultPayload::File(file, _) => {
            let read = move || work(Box::new(BufReader::with_capacity(BUFFER_BYTES, file)));
            tokio::task::spawn_blocking(read).await.map_err(joined)
        }
        GetResultPayload::Stream(mut stream) => {
            let (sender, receiver) = mpsc::channel(4);
            let feed = async move {
                while let Some(chunk) = stream.next().await {
                    if sender.send(chunk.map_err(io::Error::other)).await.is_err() {
                        return;
                    }
                }
            };
            let chunks = Chunks { receiver, left: Bytes::new() };
            let read = move || work(Box::new(BufReader::with_capacity(BUFFER_BYTES, chunks)));
            let (done, ()) = tokio::join!(tokio::task::spawn_blocking(read), feed);
            done.map_err(joined)
        }
    }
}

const BUFFER_BYTES: usize = 256 << 10;

/// Chunks that arrive, for a thread that waits for them.
struct Chunks {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    left: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.left = chunk?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.left.len());
        self.left.copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}
