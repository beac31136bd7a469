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
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tower::Service;

use super::dial::{Dial, Target};
use super::{Error, Identity};

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes a channel that connects when it is first used, and again when the connection is lost.
///
/// # Errors
/// Where the URL or the server's name is none.
pub fn connect(target: &Target, config: Arc<ClientConfig>) -> Result<Channel, Error> {
    let dial = Dial::new(target, config)?;
    // Our connector does TLS itself, so tonic is told of a plain address.
    let endpoint = Endpoint::from_shared(format!("http://{}", dial.address()))
        .map_err(|_| super::dial::bad_url(&target.url))?;
    let connector = Connector { dial, identity: target.identity.clone() };
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
}

impl Connector {
    async fn connect(self) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let (stream, peer) = self.dial.open().await?;
        match &self.identity {
            Some(wanted) if peer.as_ref().map(|peer| &peer.identity) != Some(wanted) => {
                Err(io::Error::other(format!("the server at {} is not `{wanted}`", self.dial.address())))
            }
            _ => Ok(TokioIo::new(stream)),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}
