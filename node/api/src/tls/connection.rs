//! A connection on which requests come, whoever dialled it, and who is at its other end.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsStream;
use tonic::transport::server::Connected;

use super::ending::Fetching;
use super::{Certificates, Ending, Error, PeerCertificate};
use crate::sql::ConnectionOptions;

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
