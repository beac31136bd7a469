//! One connection that we open: TCP or a proxy's tunnel, TLS with our own certificate, and who answered.

use std::io;
use std::sync::Arc;

use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Error, Identity, PeerCertificate, Proxy};

/// Whom to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// `https://host:port`; `grpc+tls://` means the same.
    pub url: String,
    /// The name in the server's certificate, where it is not the URL's host.
    pub server_name: Option<String>,
    /// Who must answer; none where any server that the authority signed will do.
    pub identity: Option<Identity>,
    /// The proxy between us, if there is one. It sees host and port, and TLS beyond that.
    pub proxy: Option<Proxy>,
}

/// A target that has been understood, with what TLS takes.
#[derive(Clone)]
pub(super) struct Dial {
    host: String,
    port: u16,
    name: ServerName<'static>,
    proxy: Option<Proxy>,
    tls: TlsConnector,
}

impl Dial {
    pub(super) fn new(target: &Target, config: Arc<ClientConfig>) -> Result<Self, Error> {
        let url = target.url.replacen("grpc+tls://", "https://", 1);
        let uri: Uri = url.parse().map_err(|_| bad_url(&url))?;
        let (Some("https"), Some(host), Some(port)) = (uri.scheme_str(), uri.host(), uri.port_u16()) else {
            return Err(bad_url(&url));
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = target.server_name.as_deref().unwrap_or(&host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| {
            Error::new(
                format!("`{}` is no server name", crate::sql::clip(name)),
                "write a DNS name or an IP address",
            )
        })?;
        Ok(Self { host, port, name, proxy: target.proxy.clone(), tls: TlsConnector::from(config) })
    }

    /// The name that the other end's certificate must have.
    pub(super) fn name(&self) -> &ServerName<'static> {
        &self.name
    }

    /// `host:port`, as errors and logs name it.
    pub(super) fn address(&self) -> String {
        address(&self.host, self.port)
    }

    /// Connects; what comes back is whom the certificate of the other end speaks for, if for anybody.
    pub(super) async fn open(&self) -> io::Result<(TlsStream<TcpStream>, Option<PeerCertificate>)> {
        let stream = match &self.proxy {
            Some(proxy) => proxy.tunnel(&self.address()).await?,
            None => TcpStream::connect((self.host.as_str(), self.port)).await?,
        };
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(self.name.clone(), stream).await?;
        let presented = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        // Analysts ask servers whose certificate may name no party: who must be answered by one says so.
        let peer = presented.and_then(|certificate| PeerCertificate::read(certificate).ok());
        Ok((stream, peer))
    }
}

/// `host:port`, an IPv6 address in brackets.
pub(super) fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

pub(super) fn bad_url(url: &str) -> Error {
    Error::new(format!("`{}` is no address of a server", crate::sql::clip(url)), "write `https://host:port`")
}
