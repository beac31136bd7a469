//! HTTP proxies: a tunnel by CONNECT (RFC 9110, 9.3.6), inside which TLS runs as it does without one.

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Error;
use super::dial::HostPort;

/// A proxy to dial through.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    at: HostPort,
    /// A `Proxy-Authorization` header.
    credentials: Option<HeaderValue>,
    is_of_environment: bool,
}

/// How long a proxy may take to open a tunnel: less than a connection may take to come up, so that it is named.
const TUNNEL_WITHIN: Duration = Duration::from_secs(4);
/// Longest answer of a proxy that is read.
const ANSWER_BYTES_MAX: usize = 16 << 10;

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.at)
    }
}

impl Proxy {
    /// The proxy at `http://host:port`, with the credentials in a file, if it wants any: `user:password` in one line.
    ///
    /// # Errors
    /// Where the URL is none, or holds the credentials, or the file holds none.
    pub fn new(url: &str, credentials: Option<&Path>) -> Result<Self, Error> {
        let bad_url =
            |said: &str| Error::new(format!("{said} is no address of a proxy"), "write `http://host:port`");
        // A password is not to be read in an error.
        if url.contains('@') {
            return Err(Error::new(
                "the URL of a proxy holds credentials",
                "put `user:password` into a file and name it in `proxy_credentials`",
            ));
        }
        let shown = format!("`{}`", crate::sql::clip(url));
        let uri: Uri = url.parse().map_err(|_| bad_url(&shown))?;
        let is_bare = uri.path_and_query().is_none_or(|path| path == "/");
        let (Some("http"), Some(at), true) = (uri.scheme_str(), HostPort::of(&uri, uri.port_u16()), is_bare)
        else {
            return Err(bad_url(&shown));
        };
        let credentials = credentials.map(read_credentials).transpose()?;
        Ok(Self { at, credentials, is_of_environment: false })
    }

    /// The proxy that `HTTPS_PROXY` and `NO_PROXY` name for an address, as curl and others read them. Nobody reaches this
    /// very machine through a proxy.
    ///
    /// # Errors
    /// Where what they name cannot be used.
    pub fn of_environment(url: &str) -> Result<Option<Self>, Error> {
        use hyper_util::client::proxy::matcher::Matcher;

        let Some(target) = super::dial::server(url) else { return Ok(None) };
        let host = target.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_here =
            host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        let Some(named) = Matcher::from_env().intercept(&target).filter(|_| !is_here) else {
            return Ok(None);
        };
        let uri = named.uri();
        let port = uri.port_u16().unwrap_or(80);
        let (Some("http"), Some(at)) = (uri.scheme_str(), HostPort::of(uri, Some(port))) else {
            return Err(Error::new(
                "HTTPS_PROXY names a proxy that does not speak HTTP",
                "set it to `http://host:port`, or name this server in NO_PROXY",
            ));
        };
        let mut credentials = named.basic_auth().cloned();
        if let Some(credentials) = &mut credentials {
            credentials.set_sensitive(true);
        }
        Ok(Some(Self { at, credentials, is_of_environment: true }))
    }

    /// Opens a tunnel to `target`, `host:port`.
    ///
    /// # Errors
    /// What the proxy says against it, and what to do.
    pub(super) async fn tunnel(&self, target: &str) -> io::Result<TcpStream> {
        let said = match timeout(TUNNEL_WITHIN, self.connect(target)).await {
            Ok(opened) => opened,
            Err(_) => {
                Err(format!("does not answer within {} s; see whether it runs", TUNNEL_WITHIN.as_secs()))
            }
        };
        said.map_err(|what| io::Error::other(format!("the proxy {} {what}", self.at)))
    }

    async fn connect(&self, target: &str) -> Result<TcpStream, String> {
        let stream =
            self.at.connect().await.map_err(|error| {
                format!("cannot be reached ({error}); check `proxy`, and whether it runs")
            })?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(ANSWER_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| no_proxy(&error))?;
        // It ends with the tunnel's opening, or with the answer.
        tokio::spawn(connection.with_upgrades());
        let answer = sender.send_request(self.request(target)?).await.map_err(|error| no_proxy(&error))?;
        if !answer.status().is_success() {
            return Err(self.refusal(answer.status(), target));
        }
        let tunnel = hyper::upgrade::on(answer).await.map_err(|error| no_proxy(&error))?;
        let parts = tunnel.downcast::<TokioIo<TcpStream>>().map_err(|_| "opens no tunnel".to_owned())?;
        match parts.read_buf.is_empty() {
            true => Ok(parts.io.into_inner()),
            // A server waits for us to speak first, so these are the proxy's own.
            false => Err("puts bytes of its own into the tunnel; is it an HTTP proxy?".to_owned()),
        }
    }

    fn request(&self, target: &str) -> Result<Request<String>, String> {
        let mut request = Request::builder().method(Method::CONNECT).uri(target).header(header::HOST, target);
        if let Some(credentials) = &self.credentials {
            request = request.header(header::PROXY_AUTHORIZATION, credentials);
        }
        request.body(String::new()).map_err(|_| format!("cannot be asked for `{}`", crate::sql::clip(target)))
    }

    fn refusal(&self, status: StatusCode, target: &str) -> String {
        let code = status.as_u16();
        match status {
            // Tinyproxy says 401 of wrong credentials.
            StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::UNAUTHORIZED => {
                let what = match self.credentials {
                    Some(_) => "does not take the credentials",
                    None => "asks for credentials",
                };
                let fix = match self.is_of_environment {
                    true => "write HTTPS_PROXY as `http://user:password@host:port`",
                    false => "write `user:password` into a file and name it in `proxy_credentials`",
                };
                format!("{what} ({code}); {fix}")
            }
            StatusCode::FORBIDDEN | StatusCode::METHOD_NOT_ALLOWED => {
                format!("refuses a tunnel to {target} ({code}); have its operator allow CONNECT to it")
            }
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                format!(
                    "cannot reach {target} ({code}); see whether that runs, and whether the proxy may connect to it"
                )
            }
            _ => format!("opens no tunnel to {target} ({code}); ask its operator"),
        }
    }
}

/// What a proxy that breaks HTTP's rules is said to do: nothing that it sent is repeated.
fn no_proxy(error: &hyper::Error) -> String {
    let is_foreign = error.is_parse() || error.is_parse_too_large();
    match is_foreign {
        true => "does not speak HTTP; check `proxy`".to_owned(),
        false => "closed the connection without an answer; see its log".to_owned(),
    }
}

fn read_credentials(path: &Path) -> Result<HeaderValue, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(
            format!("the credentials of a proxy in `{}` cannot be read: {error}", path.display()),
            "correct `proxy_credentials`, or make the file readable for this user",
        )
    })?;
    let line = text.trim_end_matches(['\r', '\n']);
    let is_pair = line.split_once(':').is_some_and(|(user, _)| !user.is_empty());
    let header = format!("Basic {}", BASE64_STANDARD.encode(line));
    match HeaderValue::from_str(&header) {
        Ok(mut header) if is_pair && !line.contains(char::is_control) => {
            header.set_sensitive(true);
            Ok(header)
        }
        _ => Err(Error::new(
            format!("`{}` holds no credentials", path.display()),
            "write `user:password` in one line",
        )),
    }
}
