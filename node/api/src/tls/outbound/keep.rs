//! The node's side: a few connections to each coordinator, opened anew whenever one ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use rustls::{AlertDescription, ClientConfig};
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;

use super::protocol::{self, SETTLED_WITHIN};
use crate::tls::dial::Dial;
use crate::tls::{Certificates, Connection, Error, Identity, Limits, Target};

/// A coordinator that a node dials.
pub struct Outbound {
    dial: Dial,
    known: Vec<Identity>,
    connections: usize,
    certificates: Certificates,
}

/// The connections that were dialled, for a node's server. When it is dropped, nothing is dialled any more.
pub type Dialled = ReceiverStream<io::Result<Connection>>;

/// How long the first attempts may keep a node from saying that it is ready.
const FIRST_WITHIN: Duration = Duration::from_secs(3);
/// A connection that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(10);
/// The first pause after a failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(15));
/// A trouble that lasts is said again after so many attempts: every ten minutes or so.
const SAID_AGAIN_AFTER: u32 = 50;

impl Outbound {
    /// A way to `target`, who must be one of `known`; `connections` are kept to it.
    ///
    /// # Errors
    /// Where the URL or the server's name is none.
    pub fn new(
        target: &Target,
        known: Vec<Identity>,
        connections: usize,
        certificates: &Certificates,
    ) -> Result<Self, Error> {
        let mut config = ClientConfig::clone(&*certificates.client()?);
        config.alpn_protocols = vec![protocol::NAME.to_vec()];
        let dial = Dial::new(target, Arc::new(config))?;
        Ok(Self { dial, known, connections, certificates: certificates.clone() })
    }

    async fn dial(&self) -> Result<(Connection, oneshot::Receiver<()>), String> {
        let (mut stream, peer) = self.dial.open().await.map_err(|error| explained(&error))?;
        let refusal = match &peer {
            Some(peer) if self.known.contains(&peer.identity) => None,
            Some(peer) => Some(format!("`{}` answers there", peer.identity)),
            None => Some("a server answers there that is no coordinator".to_owned()),
        };
        if let Some(refusal) = refusal {
            // It is not told anything, and gone if it does not wait for the end.
            let _ = timeout(SETTLED_WITHIN, stream.shutdown()).await;
            return Err(format!(
                "{refusal}; name it under `coordinators` in `[node]` if it may ask this site"
            ));
        }
        let early = protocol::first_bytes(&mut stream).await.map_err(|error| explained(&error))?;
        let early: Bytes = early.map_err(|said| match said.is_empty() {
            true => "it closes the connection without a word; see its log".to_owned(),
            false => format!("it refuses the connection: {}", crate::sql::clip(&said)),
        })?;
        let (held, gone) = oneshot::channel::<()>();
        let fetch = Limits::default().fetch;
        let connection =
            Connection::new(stream.into(), &self.certificates, fetch).map_err(|error| error.to_string())?;
        Ok((connection.after(early).holding(held), gone))
    }

    /// Dials until nobody takes the connections any more; `first` ends with the first attempt.
    async fn keep(self, connections: mpsc::Sender<io::Result<Connection>>, first: oneshot::Sender<()>) {
        let coordinator = self.dial.address();
        let (mut first, mut open, mut trouble) = (Some(first), FuturesUnordered::new(), Trouble::default());
        loop {
            while let Some(Some(lasted)) = open.next().now_or_never() {
                trouble.ended(lasted);
            }
            let pause = trouble.pause();
            tokio::select! {
                () = connections.closed() => return,
                () = tokio::time::sleep(pause), if open.len() < self.connections => {}
                Some(lasted) = open.next() => {
                    trouble.ended(lasted);
                    if open.is_empty() {
                        tracing::warn!(%coordinator, "the connection to the coordinator has ended; dialling again");
                    }
                    continue;
                }
            }
            let dialled = tokio::select! {
                () = connections.closed() => return,
                dialled = timeout(SETTLED_WITHIN, self.dial()) => dialled,
            };
            drop(first.take());
            match dialled.unwrap_or_else(|_| Err("it does not answer in time".to_owned())) {
                Ok((connection, gone)) => {
                    if open.is_empty() {
                        tracing::info!(%coordinator, "connected to the coordinator, which can ask this site now");
                    }
                    trouble.is_over();
                    let since = Instant::now();
                    open.push(gone.map(move |_| since.elapsed()));
                    if connections.send(Ok(connection)).await.is_err() {
                        return;
                    }
                }
                Err(problem) => trouble.is(&coordinator, problem, open.is_empty()),
            }
        }
    }
}

/// Dials each coordinator from now on. Returns when each has been tried once, or soon if one does not answer: a node
/// starts whether or not its coordinators are there.
pub async fn keep(coordinators: Vec<Outbound>) -> Dialled {
    let (sender, receiver) = mpsc::channel(1);
    let mut firsts = Vec::new();
    for coordinator in coordinators {
        let (first, tried) = oneshot::channel();
        tokio::spawn(coordinator.keep(sender.clone(), first));
        firsts.push(tried);
    }
    // Dialling goes on behind this.
    let _ = timeout(FIRST_WITHIN, futures::future::join_all(firsts)).await;
    ReceiverStream::new(receiver)
}

/// How often it went wrong lately, which sets the pause before the next attempt, and what was said of it.
#[derive(Debug, Default)]
struct Trouble {
    failures: u32,
    said: Option<String>,
    silent_for: u32,
}

impl Trouble {
    fn is(&mut self, coordinator: &str, problem: String, is_alone: bool) {
        self.failures = self.failures.saturating_add(1);
        self.silent_for += 1;
        if self.said.as_ref() == Some(&problem) && self.silent_for < SAID_AGAIN_AFTER {
            return;
        }
        let consequence = match is_alone {
            true => "it cannot ask this site; dialling goes on",
            false => "other connections to it stand",
        };
        tracing::warn!(%coordinator, problem, "not connected to the coordinator: {consequence}");
        (self.said, self.silent_for) = (Some(problem), 0);
    }

    fn is_over(&mut self) {
        (self.said, self.silent_for) = (None, 0);
    }

    /// A connection has ended. One that lasts is worth a fresh start, one that is cut at once is a failure.
    fn ended(&mut self, lasted: Duration) {
        self.failures = if lasted < GOOD { self.failures.saturating_add(1) } else { 0 };
    }

    fn pause(&self) -> Duration {
        // The low bits of a fresh id are random.
        pause(self.failures, uuid::Uuid::now_v7().as_u128() as u32)
    }
}

/// The pause before the next attempt: none at first, then twice as long each time, less a random part of up to a half, so
/// that the sites of a coordinator that has come back do not all dial at once.
fn pause(failures: u32, random: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
    let (least, most) = PAUSES;
    let whole = least.saturating_mul(2_u32.saturating_pow(doublings)).min(most);
    whole - whole.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0)
}

/// What went wrong, in words for the site's operator.
fn explained(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            "it takes no connections of sites; its operator writes `connect = \"outbound\"` under this site's `[[site]]`"
                .to_owned()
        }
        Some(rustls::Error::AlertReceived(alert)) => format!(
            "it does not accept this site's certificate ({alert:?}); check `cert` in `[tls]`, and the authority with its operator"
        ),
        Some(rustls::Error::InvalidCertificate(why)) => format!(
            "its certificate is not accepted here ({why}); check the authority in `[tls]` or `[connect]`, and `server_name`"
        ),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pauses_double_up_to_a_limit_and_differ(failures in 1..200_u32, random: u32) {
            let (least, most) = PAUSES;
            let it = pause(failures, random);
            prop_assert!(it >= least / 2 && it <= most);
            prop_assert!(pause(failures, u32::MAX) * 2 >= pause(failures, 0) - Duration::from_nanos(2));
            prop_assert!(pause(failures + 1, random) >= it);
        }
    }

    #[test]
    fn the_first_attempt_is_made_at_once_and_a_connection_that_lasted_is_a_fresh_start() {
        let mut trouble = Trouble::default();
        assert_eq!(trouble.pause(), Duration::ZERO);
        trouble.ended(Duration::from_millis(1));
        assert!(trouble.pause() > Duration::ZERO, "cut at once");
        trouble.ended(GOOD);
        assert_eq!(trouble.pause(), Duration::ZERO);
        assert!(pause(1, 0) > pause(1, u32::MAX), "two nodes do not dial together");
    }
}
