//! A server's connections: bound, capped, and through their handshake before anything else sees them.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio_rustls::{TlsAcceptor, TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use super::ending::Fetching;
use super::seats::{Seat, Seats};
use super::{Certificates, Ending, Error, PeerCertificate};
use crate::sql::ConnectionOptions;

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

/// Who is at the other end, in the extensions of every request.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    /// Their certificate, if they presented one.
    pub certificate: Option<PeerCertificate>,
    /// What callers on this connection have set for it.
    pub options: ConnectionOptions,
    /// By which peers of this server are verified.
    pub(crate) certificates: Certificates,
    /// Ends the connection.
    pub(crate) ending: Ending,
    /// How long they may take to fetch a small answer.
    pub(crate) fetch: Duration,
}

/// Bytes of an answer for which a peer gets one more second: a slow line is not a hostile one.
const FETCH_BYTES_PER_SECOND: usize = 256 << 10;

impl PeerInfo {
    /// Ends the connection unless what comes back is dropped in time: a peer that takes nothing keeps its answer in our
    /// memory.
    pub(crate) fn must_fetch(&self, bytes: usize) -> Fetching {
        let more = u64::try_from(bytes / FETCH_BYTES_PER_SECOND).unwrap_or(u64::MAX);
        let allowed = self.fetch.saturating_add(Duration::from_secs(more));
        self.ending.unless_dropped_within(allowed)
    }
}

/// An established TLS connection, whoever dialled it.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    /// What was read before the connection came here.
    early: Bytes,
    peer: PeerInfo,
    /// Told of the first bytes that come.
    heard: Option<oneshot::Sender<()>>,
    /// Set when the other end has ended it, and said so.
    closed: Arc<AtomicBool>,
    /// Dropped with the connection: its places under the caps, what looks after its peer, what tells its owner of its end.
    _held: Box<dyn Any + Send>,
}

impl Connection {
    /// A connection whose handshake is over. It ends when its peer's certificate is no longer good.
    pub(super) fn new(
        stream: TlsStream<TcpStream>,
        certificates: &Certificates,
        fetch: Duration,
    ) -> Result<Self, Error> {
        let presented = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let certificate = presented.first().map(PeerCertificate::read).transpose()?;
        let (certificates, ending) = (certificates.clone(), Ending::default());
        let chain = presented.to_vec();
        let good = move |certificates: &Certificates| certificates.verify(&chain).map(|_| ());
        let watched = certificate.is_some().then(|| ending.unless(&certificates, good));
        let options = ConnectionOptions::default();
        let peer = PeerInfo { certificate, options, certificates, ending, fetch };
        Ok(Self {
            stream,
            early: Bytes::new(),
            peer,
            heard: None,
            closed: Arc::default(),
            _held: Box::new(watched),
        })
    }

    /// The same, of which this was read already.
    pub(super) fn after(self, early: Bytes) -> Self {
        Self { early, ..self }
    }

    /// The same, holding one thing more until it ends.
    pub(super) fn holding(self, more: impl Any + Send) -> Self {
        Self { _held: Box::new((self._held, more)), ..self }
    }

    /// The same, and what is told of the first bytes that come.
    pub(super) fn listened_to(self) -> (Self, oneshot::Receiver<()>) {
        let (heard, first) = oneshot::channel();
        (Self { heard: Some(heard), ..self }, first)
    }

    /// Whether the other end has ended it, and said so.
    pub(super) fn closed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.closed)
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    /// The certificate of the other end, with those that lead to its authority.
    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        self.stream.get_ref().1.peer_certificates().unwrap_or_default()
    }

    /// The protocol that both ends agreed on.
    pub(super) fn protocol(&self) -> Option<&[u8]> {
        self.stream.get_ref().1.alpn_protocol()
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

impl Connected for Connection {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.peer.ending.check(cx)?;
        if self.early.has_remaining() {
            let length = self.early.len().min(buf.remaining());
            buf.put_slice(&self.early.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let (before, room) = (buf.filled().len(), buf.remaining());
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before
            && let Some(heard) = self.heard.take()
        {
            // Nobody waits any more if it took too long.
            let _ = heard.send(());
        }
        if matches!(read, Poll::Ready(Ok(()))) && room > 0 && buf.filled().len() == before {
            self.closed.store(true, Ordering::Release);
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
