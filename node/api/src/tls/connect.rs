//! A client's way to a server: a channel that dials when it is used, and insists on the peer's identity if we know whom we
//! want.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tower::Service;

use super::dial::{Dial, Target};
use super::ending::Watched;
use super::{Certificates, Ending, Error, Identity};

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes a channel that connects when it is first used, and again when the connection is lost.
///
/// # Errors
/// Where the URL or the server's name is none.
pub fn connect(target: &Target, config: Arc<ClientConfig>) -> Result<Channel, Error> {
    channel(target, Dial::new(target, config)?, None)
}

impl Certificates {
    /// The same with these certificates: a connection ends when they change and its peer's is no longer good.
    ///
    /// # Errors
    /// As [`connect`].
    pub fn connect(&self, target: &Target) -> Result<Channel, Error> {
        channel(target, Dial::new(target, self.client()?)?, Some(self.clone()))
    }
}

fn channel(target: &Target, dial: Dial, certificates: Option<Certificates>) -> Result<Channel, Error> {
    // Our connector does TLS itself, so tonic is told of a plain address.
    let endpoint = Endpoint::from_shared(format!("http://{}", dial.address()))
        .map_err(|_| super::dial::bad_url(&target.url))?;
    let connector = Connector { dial, identity: target.identity.clone(), certificates };
    Ok(limited(endpoint).connect_timeout(CONNECT_TIMEOUT).connect_with_connector_lazy(connector))
}

/// A gRPC client with its HTTP/2 limits set, wherever its connection comes from.
pub(super) fn limited(endpoint: Endpoint) -> Endpoint {
    endpoint
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .http2_max_header_list_size(32 * 1024)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
}

#[derive(Clone)]
struct Connector {
    dial: Dial,
    identity: Option<Identity>,
    certificates: Option<Certificates>,
}

impl Connector {
    async fn connect(self) -> io::Result<TokioIo<Dialled>> {
        let (stream, peer) = self.dial.open().await?;
        match &self.identity {
            Some(wanted) if peer.as_ref().map(|peer| &peer.identity) != Some(wanted) => {
                Err(io::Error::other(format!("the server at {} is not `{wanted}`", self.dial.address())))
            }
            _ => Ok(TokioIo::new(self.watched(stream))),
        }
    }

    fn watched(self, stream: TlsStream<TcpStream>) -> Dialled {
        let (ending, name) = (Ending::default(), self.dial.name().clone());
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
        let watched = self.certificates.map(|certificates| {
            ending.unless(&certificates, move |certificates| certificates.verify_server(&chain, &name))
        });
        Dialled { stream, ending, _watched: watched }
    }
}

/// A connection that we opened.
struct Dialled {
    stream: TlsStream<TcpStream>,
    ending: Ending,
    _watched: Option<Watched>,
}

impl AsyncRead for Dialled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.ending.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Dialled {
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

impl Service<Uri> for Connector {
    type Response = TokioIo<Dialled>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}
