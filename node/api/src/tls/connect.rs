//! A client's way to a server: TCP, TLS with our own certificate, and the peer's identity if we know whom we want.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tower::Service;

use super::{Error, Identity, PeerCertificate};

/// Whom to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `https://host:port`; `grpc+tls://` means the same.
    pub url: String,
    /// The name in the server's certificate, where it is not the URL's host.
    pub server_name: Option<String>,
    /// Who must answer; none where any server that the authority signed will do.
    pub identity: Option<Identity>,
}

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes a channel that connects when it is first used, and again when the connection is lost.
///
/// # Errors
/// Where the URL or the server's name is none.
pub fn connect(target: &Target, config: Arc<ClientConfig>) -> Result<Channel, Error> {
    let bad_url = || {
        Error::new(
            format!("`{}` is no address of a server", crate::sql::clip(&target.url)),
            "write `https://host:port`",
        )
    };
    let url = target.url.replacen("grpc+tls://", "https://", 1);
    let uri: Uri = url.parse().map_err(|_| bad_url())?;
    if uri.scheme_str() != Some("https") || uri.port_u16().is_none() {
        return Err(bad_url());
    }
    let host = uri.host().ok_or_else(bad_url)?.trim_matches(['[', ']']).to_owned();
    let name = target.server_name.as_deref().unwrap_or(&host);
    let name = ServerName::try_from(name.to_owned()).map_err(|_| {
        Error::new(
            format!("`{}` is no server name", crate::sql::clip(name)),
            "write a DNS name or an IP address",
        )
    })?;
    let connector = Connector {
        host,
        port: uri.port_u16().unwrap_or_default(),
        name,
        identity: target.identity.clone(),
        tls: TlsConnector::from(config),
    };
    // Our connector does TLS itself, so tonic is told of a plain address.
    let endpoint = Endpoint::from_shared(url.replacen("https://", "http://", 1))
        .map_err(|_| bad_url())?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .http2_max_header_list_size(32 * 1024)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    Ok(endpoint.connect_with_connector_lazy(connector))
}

#[derive(Clone)]
struct Connector {
    host: String,
    port: u16,
    name: ServerName<'static>,
    identity: Option<Identity>,
    tls: TlsConnector,
}

impl Connector {
    async fn connect(self) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(self.name, stream).await?;
        if let Some(wanted) = &self.identity {
            let presented = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let presented = presented.map(PeerCertificate::read).transpose().map_err(io::Error::other)?;
            if presented.as_ref().map(|p| &p.identity) != Some(wanted) {
                return Err(io::Error::other(format!(
                    "the server at {}:{} is not `{wanted}`",
                    self.host, self.port
                )));
            }
        }
        Ok(TokioIo::new(stream))
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
