//! A line between two parties that can be cut, or go dead without a word.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Carries,
    /// Bytes vanish, and nobody is told.
    Dead,
    /// Every connection is closed, and no other one is taken.
    Cut,
}

pub(crate) struct Line {
    pub(crate) port: u16,
    state: Arc<watch::Sender<State>>,
}

impl Line {
    /// A line to a port of this machine.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::new(watch::Sender::new(State::Carries)),
        };
        let state = Arc::clone(&line.state);
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                if *state.borrow() == State::Cut {
                    continue;
                }
                let Ok(far) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await else {
                    continue;
                };
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(carry(near_in, far_out, state.subscribe()));
                tokio::spawn(carry(far_in, near_out, state.subscribe()));
            }
        });
        line
    }

    pub(crate) fn is(&self, state: State) {
        self.state.send_replace(state);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 16 << 10];
    let is_dead = |state: &watch::Receiver<State>| *state.borrow() == State::Dead;
    // A connection that was dead once stays so: what has vanished is missing for ever.
    let mut dead = is_dead(&state);
    loop {
        let length = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            changed = state.changed() => {
                if changed.is_err() || *state.borrow() == State::Cut {
                    return;
                }
                dead |= is_dead(&state);
                continue;
            }
        };
        if dead {
            if length == 0 {
                return state.wait_for(|state| *state == State::Cut).await.map_or((), |_| ());
            }
            continue;
        }
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
