//! One connection that we open: TCP or a proxy's tunnel, TLS with our own certificate, and who answered.

use std::fmt;
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
    to: HostPort,
    name: ServerName<'static>,
    proxy: Option<Proxy>,
    tls: TlsConnector,
}

impl Dial {
    pub(super) fn new(target: &Target, config: Arc<ClientConfig>) -> Result<Self, Error> {
        let uri = server(&target.url).filter(|uri| uri.scheme_str() == Some("https"));
        let to =
            uri.and_then(|uri| HostPort::of(&uri, uri.port_u16())).ok_or_else(|| bad_url(&target.url))?;
        let name = target.server_name.as_deref().unwrap_or(&to.host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| {
            Error::new(
                format!("`{}` is no server name", crate::sql::clip(name)),
                "write a DNS name or an IP address",
            )
        })?;
        Ok(Self { to, name, proxy: target.proxy.clone(), tls: TlsConnector::from(config) })
    }

    /// The name that the other end's certificate must have.
    pub(super) fn name(&self) -> &ServerName<'static> {
        &self.name
    }

    /// `host:port`, as errors and logs name it.
    pub(super) fn address(&self) -> String {
        self.to.to_string()
    }

    /// Connects; what comes back is whom the certificate of the other end speaks for, if for anybody.
    pub(super) async fn open(&self) -> io::Result<(TlsStream<TcpStream>, Option<PeerCertificate>)> {
        let stream = match &self.proxy {
            Some(proxy) => proxy.tunnel(&self.address()).await?,
            None => self.to.connect().await?,
        };
        let stream = self.tls.connect(self.name.clone(), stream).await?;
        let presented = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        // Analysts ask servers whose certificate may name no party: who must be answered by one says so.
        let peer = presented.and_then(|certificate| PeerCertificate::read(certificate).ok());
        Ok((stream, peer))
    }
}

/// A server's URL; `grpc+tls` is what Flight SQL drivers call https.
pub(super) fn server(url: &str) -> Option<Uri> {
    url.replacen("grpc+tls://", "https://", 1).parse().ok()
}

/// Where a server or a proxy listens.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct HostPort {
    /// A name or an address, without the brackets that an IPv6 address has in a URL.
    pub(super) host: String,
    port: u16,
}

impl HostPort {
    /// The host of a URL, at a port; none where either is missing.
    pub(super) fn of(uri: &Uri, port: Option<u16>) -> Option<Self> {
        Some(Self { host: uri.host()?.trim_matches(['[', ']']).to_owned(), port: port? })
    }

    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

pub(super) fn bad_url(url: &str) -> Error {
    Error::new(format!("`{}` is no address of a server", crate::sql::clip(url)), "write `https://host:port`")
}
