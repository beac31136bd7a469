//! The coordinator's side: connections on which a site wants to be asked, told from those of clients, kept by site.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, StreamExt};
use http::Uri;
use hyper_util::rt::TokioIo;
use liquid_policy::id::SiteName;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::transport::{Channel, Endpoint};
use tower::Service;

use super::protocol::{self, SETTLED_WITHIN};
use crate::tls::connect::limited;
use crate::tls::incoming::incoming_by;
use crate::tls::{Certificates, Connection, Error, Identity, Limits};

/// The sites that dial a coordinator instead of being dialled.
#[derive(Debug, Default)]
pub struct Expected(HashMap<SiteName, Arc<Callers>>);

impl Expected {
    /// Nobody is expected.
    pub fn new() -> Self {
        Self::default()
    }

    /// Expects a site, whose certificate must be good by `authority` if one is given: then no other authority that the port
    /// accepts can speak for it.
    pub fn expect(&mut self, site: SiteName, authority: Option<Certificates>) -> Arc<Callers> {
        let callers = Arc::new(Callers::new(site.clone(), authority));
        self.0.insert(site, Arc::clone(&callers));
        callers
    }

    /// The connections of clients at a port that is the sites' too: theirs are taken out, each for its site.
    ///
    /// # Errors
    /// As [`Certificates::server`].
    pub fn incoming(
        self,
        listener: TcpListener,
        certificates: &Certificates,
        limits: Limits,
    ) -> Result<impl Stream<Item = io::Result<Connection>> + Send + use<>, Error> {
        let mut config = certificates.server()?;
        if !self.0.is_empty() {
            Arc::make_mut(&mut config).alpn_protocols.push(protocol::NAME.to_vec());
        }
        let this = Arc::new(self);
        Ok(incoming_by(listener, config, certificates, limits).filter_map(move |accepted| {
            ready(match accepted {
                Ok(connection) if connection.protocol() == Some(protocol::NAME) => {
                    tokio::spawn(Arc::clone(&this).admit(connection));
                    None
                }
                other => Some(other),
            })
        }))
    }

    /// Only the site that a certificate names takes that site's place.
    async fn admit(self: Arc<Self>, mut connection: Connection) {
        let identity = connection.peer().certificate.as_ref().map(|certificate| &certificate.identity);
        let why = match identity {
            Some(Identity::Site(site)) => match self.0.get(site) {
                Some(callers) if callers.descends(connection.chain()) => {
                    return Arc::clone(callers).take(connection).await;
                }
                Some(_) => format!(
                    "the certificate of `{site}` is not of the authority that `ca` names for this site"
                ),
                None => format!(
                    "this coordinator does not expect `{site}` to connect; its operator writes `connect = \"outbound\"` \
                     instead of `url` under this site's `[[site]]`"
                ),
            },
            Some(other) => format!("`{other}` is no site; show the certificate of a site"),
            None => "no certificate was shown; show that of a site".to_owned(),
        };
        let who = identity.map_or_else(|| "somebody without a certificate".to_owned(), ToString::to_string);
        tracing::warn!(who, "a connection that offers to answer questions was refused: {why}");
        protocol::refuse(&mut connection, &why).await;
    }
}

/// The connections that one site keeps open.
///
/// A further one does not end those before it: it is asked on from now on, and they finish what they were asked. So a
/// node can be restarted, or a second one take over, and no question is lost.
#[derive(Debug)]
pub struct Callers {
    site: SiteName,
    /// What its certificate is held against, beyond what the port does.
    authority: Option<Certificates>,
    open: watch::Sender<Open>,
}

#[derive(Debug)]
struct Open {
    /// The newest last.
    channels: Vec<(u64, Channel)>,
    taken: u64,
    /// Connections whose server has not answered yet.
    settling: usize,
    /// Until when the site is waited for where it has none: after the coordinator's start, or after a cut.
    patience: Instant,
}

/// Connections that one site may have; beyond, the oldest goes, which may be dead without anybody's knowing yet.
const CONNECTIONS_MAX: usize = 8;
/// So long after the coordinator's start, or after its last connection was cut, a site is waited for: it dials again. One
/// that has ended its last connection itself, as a node does that is stopped, is not.
const PATIENCE: Duration = Duration::from_secs(3);
/// A connection is asked whether it still lives this often, idle or not, so that firewalls keep it and its end is noticed.
const PING_EVERY: Duration = Duration::from_secs(10);
/// How long the answer may take.
const PING_WITHIN: Duration = Duration::from_secs(5);

impl Callers {
    fn new(site: SiteName, authority: Option<Certificates>) -> Self {
        let open = Open { channels: Vec::new(), taken: 0, settling: 0, patience: Instant::now() + PATIENCE };
        Self { site, authority, open: watch::Sender::new(open) }
    }

    /// Whether a certificate, with those that lead to its authority, is of the authority that this site has.
    fn descends(&self, chain: &[CertificateDer<'_>]) -> bool {
        self.authority.as_ref().is_none_or(|authority| authority.verify(chain).is_ok())
    }

    /// The newest connection. A site that has only just lost its last one, or not connected yet, is waited for a little.
    pub(in crate::tls) async fn newest(&self) -> Option<Channel> {
        let mut open = self.open.subscribe();
        let newest = |open: &Open| open.channels.last().map(|(_, channel)| channel.clone());
        let patience = {
            let now = open.borrow_and_update();
            if let Some(channel) = newest(&now) {
                return Some(channel);
            }
            match now.settling {
                0 => now.patience,
                _ => Instant::now() + PATIENCE,
            }
        };
        let wait = open.wait_for(|open| !open.channels.is_empty());
        let found = timeout_at(patience, wait).await.ok()?.ok()?;
        newest(&found)
    }

    /// Takes a connection of this site: we are its HTTP/2 client from now on.
    async fn take(self: Arc<Self>, connection: Connection) {
        let mut number = 0;
        self.open.send_modify(|open| {
            open.taken += 1;
            open.settling += 1;
            number = open.taken;
        });
        let closed = connection.closed();
        let place = || Place { callers: Arc::downgrade(&self), number, closed: Arc::clone(&closed) };
        let (connection, heard) = connection.holding(place()).listened_to();
        let once = Once { connection: Some(connection), place: place() };
        let endpoint = limited(Endpoint::from_static("http://site"))
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_WITHIN)
            .keep_alive_while_idle(true);
        // It is asked on when its server has answered our first bytes: a node that is about to end may still dial.
        let ready = async {
            let channel = endpoint.connect_with_connector(once).await.ok()?;
            heard.await.ok()?;
            Some(channel)
        };
        let settled = timeout(SETTLED_WITHIN, ready).await.ok().flatten();
        match settled {
            Some(channel) => self.add(number, channel),
            None => tracing::info!(site = %self.site, "a connection of the site came to nothing"),
        }
        self.open.send_modify(|open| open.settling = open.settling.saturating_sub(1));
    }

    fn add(&self, number: u64, channel: Channel) {
        let mut oldest = None; // dropped outside, since its end is told to us
        self.open.send_modify(|open| {
            if open.channels.is_empty() {
                tracing::info!(site = %self.site, "the site has connected");
            }
            open.channels.push((number, channel));
            if open.channels.len() > CONNECTIONS_MAX {
                oldest = Some(open.channels.remove(0));
            }
        });
    }

    fn remove(&self, number: u64, is_closed: bool) {
        let mut ended = None;
        self.open.send_if_modified(|open| {
            if let Some(at) = open.channels.iter().position(|(other, _)| *other == number) {
                ended = Some(open.channels.remove(at));
                if open.channels.is_empty() {
                    open.patience = Instant::now() + if is_closed { Duration::ZERO } else { PATIENCE };
                    tracing::warn!(site = %self.site, "the site has no connection any more; waiting for it to dial again");
                }
            }
            false // nobody waits for an end
        });
    }
}

/// A connection's place among those of its site, given up with the connection at the latest.
struct Place {
    callers: Weak<Callers>,
    number: u64,
    closed: Arc<AtomicBool>,
}

impl Place {
    fn give_up(&self) {
        if let Some(callers) = self.callers.upgrade() {
            callers.remove(self.number, self.closed.load(Ordering::Acquire));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Gives its connection once: whoever dialled cannot be dialled again.
struct Once {
    connection: Option<Connection>,
    place: Place,
}

/// The connection takes no more requests, and this one was not sent.
#[derive(Debug, thiserror::Error)]
#[error("the site's connection has ended")]
pub(in crate::tls) struct Spent;

impl Service<Uri> for Once {
    type Response = TokioIo<Connection>;
    type Error = Spent;
    type Future = Ready<Result<Self::Response, Spent>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Spent>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connection = self.connection.take();
        if connection.is_none() {
            self.place.give_up();
        }
        ready(connection.map(TokioIo::new).ok_or(Spent))
    }
}
