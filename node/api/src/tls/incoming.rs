//! A server's connections: bound, capped, and through their handshake before anything else sees them.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;

use super::seats::{Seat, Seats};
use super::{Certificates, Connection, Error};

/// Binds a listener.
///
/// # Errors
/// Where the address is taken or may not be used; the error names what to change.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|e| match e.kind() {
        io::ErrorKind::AddrInUse => Error::new(
            format!("port {} on {} is in use by another process", address.port(), address.ip()),
            "stop that process, or set another port in `listen` (0 takes a free one)",
        ),
        io::ErrorKind::PermissionDenied => Error::new(
            format!("port {} may not be used by this user", address.port()),
            "set a port from 1024 in `listen`, or grant the right to bind this one",
        ),
        io::ErrorKind::AddrNotAvailable => Error::new(
            format!("address {} does not belong to this machine", address.ip()),
            "set one of this machine's addresses in `listen`, for example 0.0.0.0",
        ),
        _ => Error::new(format!("`{address}` cannot be listened on: {e}"), "set another address in `listen`"),
    })
}

/// Limits on a server's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time.
    pub connections: usize,
    /// Connections of one address, handshakes included. An IPv6 address counts with its whole network of 64 bits.
    pub per_address: usize,
    /// Handshakes at one time; where more begin, the oldest gives way.
    pub handshakes: usize,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How long a peer may take to fetch a small answer; a large one may take longer, by its size.
    pub fetch: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            per_address: 64,
            handshakes: 64,
            handshake: Duration::from_secs(5),
            fetch: Duration::from_secs(60),
        }
    }
}

/// Accepts connections until the stream is dropped. A connection that fails its handshake is logged and forgotten.
///
/// # Errors
/// As [`Certificates::server`].
pub fn incoming(
    listener: TcpListener,
    certificates: &Certificates,
    limits: Limits,
) -> Result<ReceiverStream<io::Result<Connection>>, Error> {
    Ok(incoming_by(listener, certificates.server()?, certificates, limits))
}

/// The same, with another configuration of these certificates.
pub(super) fn incoming_by(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    certificates: &Certificates,
    limits: Limits,
) -> ReceiverStream<io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(16);
    let acceptor = Acceptor {
        tls: TlsAcceptor::from(config),
        certificates: certificates.clone(),
        places: Arc::new(Semaphore::new(limits.connections)),
        limits,
    };
    tokio::spawn(accept(listener, acceptor, sender));
    ReceiverStream::new(receiver)
}

#[derive(Clone)]
struct Acceptor {
    tls: TlsAcceptor,
    certificates: Certificates,
    places: Arc<Semaphore>,
    limits: Limits,
}

async fn accept(listener: TcpListener, acceptor: Acceptor, sender: mpsc::Sender<io::Result<Connection>>) {
    let (seats, mut opening) = (Seats::default(), VecDeque::<AbortHandle>::new());
    loop {
        let accepted = tokio::select! {
            () = sender.closed() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Descriptors may have run out: a pause gives others the time to close some. The loop never ends here.
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(seat) = seats.take(address.ip(), acceptor.limits.per_address) else {
            tracing::debug!(%address, "too many connections of one address");
            continue;
        };
        // Whoever is silent or slow gives way to who comes: an honest handshake takes milliseconds.
        opening.retain(|handshake| !handshake.is_finished());
        while opening.len() >= acceptor.limits.handshakes {
            opening.pop_front().inspect(AbortHandle::abort);
        }
        let handshake = tokio::spawn(open(acceptor.clone(), stream, address, seat, sender.clone()));
        opening.push_back(handshake.abort_handle());
    }
}

/// One connection, from its first byte until it is handed on.
async fn open(
    acceptor: Acceptor,
    stream: TcpStream,
    address: SocketAddr,
    seat: Seat,
    sender: mpsc::Sender<io::Result<Connection>>,
) {
    match tokio::time::timeout(acceptor.limits.handshake, handshake(&acceptor, stream)).await {
        Ok(Ok(connection)) => match Arc::clone(&acceptor.places).try_acquire_owned() {
            Ok(place) => {
                // The server has stopped if nobody receives.
                let _ = sender.send(Ok(connection.holding((place, seat)))).await;
            }
            Err(_) => {
                tracing::warn!(%address, "connection closed: there are as many as `connections` allows")
            }
        },
        Ok(Err(error)) => tracing::info!(%address, %error, "handshake failed"),
        Err(_) => tracing::info!(%address, "handshake took too long"),
    }
}

async fn handshake(acceptor: &Acceptor, stream: TcpStream) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let stream = acceptor.tls.accept(stream).await?;
    Connection::new(stream.into(), &acceptor.certificates, acceptor.limits.fetch).map_err(io::Error::other)
}

/// A gRPC server with every HTTP/2 limit set: left alone, several of them mean "no limit".
pub fn http2() -> Server {
    Server::builder()
        .max_concurrent_streams(64)
        .http2_max_pending_accept_reset_streams(Some(20))
        .http2_max_local_error_reset_streams(Some(256))
        .http2_max_header_list_size(32 * 1024)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .max_frame_size(64 * 1024)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
}
