//! A server's connections: bound, capped, and through their handshake before anything else sees them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use super::{Error, PeerCertificate};
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
    /// Connections at one time, handshakes included.
    pub connections: usize,
    /// How long a handshake may take.
    pub handshake: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 256, handshake: Duration::from_secs(5) }
    }
}

/// Who is at the other end, in the extensions of every request.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    /// Their certificate, if they presented one.
    pub certificate: Option<PeerCertificate>,
    /// What callers on this connection have set for it.
    pub options: ConnectionOptions,
}

/// An established TLS connection that holds its place under the cap.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    peer: PeerInfo,
    _place: OwnedSemaphorePermit,
}

/// Accepts connections until the stream is dropped. A connection that fails its handshake is logged and forgotten.
pub fn incoming(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    limits: Limits,
) -> ReceiverStream<io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(accept(listener, TlsAcceptor::from(config), limits, sender));
    ReceiverStream::new(receiver)
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    limits: Limits,
    sender: mpsc::Sender<io::Result<Connection>>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
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
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(limits.handshake, handshake(&acceptor, stream)).await {
                Ok(Ok((stream, peer))) => {
                    // The server has stopped if nobody receives.
                    let _ = sender.send(Ok(Connection { stream, peer, _place: place })).await;
                }
                Ok(Err(error)) => tracing::info!(%address, %error, "handshake failed"),
                Err(_) => tracing::info!(%address, "handshake took too long"),
            }
        });
    }
}

async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
) -> io::Result<(TlsStream<TcpStream>, PeerInfo)> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let presented = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = presented.map(PeerCertificate::read).transpose().map_err(io::Error::other)?;
    Ok((stream, PeerInfo { certificate, options: ConnectionOptions::default() }))
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
        Pin::new(&mut self.stream).poll_read(cx, buf)
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
