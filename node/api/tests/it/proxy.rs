//! HTTP CONNECT proxies: what they see, and what is said of those that open no tunnel.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use liquid_node_api::tls::{Limits, Proxy, Target, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::Channel;

use crate::backend::{Fake, Server, TOKEN};

/// What a proxy does with whoever asks for a tunnel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    Tunnels,
    /// It tunnels for these credentials.
    Wants(&'static str),
    /// It gives these bytes, and waits.
    Says(&'static str),
    /// It closes the connection at once.
    Leaves,
}

pub(crate) struct FakeProxy {
    pub(crate) port: u16,
    /// What it was asked, with what came through the tunnel first.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
}

impl FakeProxy {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { port: listener.local_addr().unwrap().port(), seen: Arc::default() };
        let seen = Arc::clone(&proxy.seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(handle(stream, manner, Arc::clone(&seen)));
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn handle(mut stream: TcpStream, manner: Manner, seen: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    seen.lock().unwrap().push(head.clone());
    match manner {
        Manner::Leaves => return,
        Manner::Says(bytes) => {
            let _cut_off = stream.write_all(bytes.as_bytes()).await;
            let _asked_again = stream.read_u8().await;
            return;
        }
        Manner::Wants(credentials) if !head.contains(credentials) => {
            let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n";
            return stream.write_all(answer).await.unwrap();
        }
        Manner::Tunnels | Manner::Wants(_) => {}
    }
    let target = head.split(' ').nth(1).unwrap();
    let mut far = TcpStream::connect(target).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    let first = stream.read_u8().await.unwrap();
    seen.lock().unwrap().push(format!("first byte {first:#x}"));
    far.write_all(&[first]).await.unwrap();
    let _ended = tokio::io::copy_bidirectional(&mut stream, &mut far).await;
}

fn through(server: &Server, proxy: &str, credentials: Option<PathBuf>) -> Channel {
    let proxy = Some(Proxy::new(proxy, credentials.as_deref()).unwrap());
    let tls = liquid_node_api::tls::Material::anonymous(&server.authority.ca()).unwrap();
    connect(&Target { proxy, ..server.target() }, tls).unwrap()
}

/// Asks; where that fails, what lies at the bottom of it.
async fn ask(channel: Channel) -> Result<(), String> {
    let mut client = FlightSqlServiceClient::new(channel);
    client.set_token(TOKEN.to_owned());
    let error = match client.execute("SELECT 1".to_owned(), None).await {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let FlightError::Tonic(status) = error else { panic!("{error}") };
    let mut cause: &dyn StdError = &*status;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Err(cause.to_string())
}

#[tokio::test]
async fn tls_runs_end_to_end_inside_the_tunnel() {
    let server = Server::start(Fake::with_rows(1), Limits::default()).await;
    let proxy = FakeProxy::start(Manner::Tunnels).await;
    ask(through(&server, &proxy.url(), None)).await.unwrap();
    let seen = proxy.seen();
    let target = format!("localhost:{}", server.port);
    assert_eq!(
        seen[0],
        format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n"),
        "the name, not an address of ours"
    );
    assert_eq!(seen[1], "first byte 0x16", "a TLS handshake");
}

#[tokio::test]
async fn credentials_come_from_a_file_and_are_shown_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let server = Server::start(Fake::with_rows(1), Limits::default()).await;
    // `site:pass:word` in base64.
    let proxy = FakeProxy::start(Manner::Wants("proxy-authorization: Basic c2l0ZTpwYXNzOndvcmQ=\r\n")).await;
    let good = file("good", "site:pass:word\n");
    ask(through(&server, &proxy.url(), Some(good.clone()))).await.unwrap();
    let none = ask(through(&server, &proxy.url(), None)).await.unwrap_err();
    assert!(none.contains("asks for credentials (407)") && none.contains("`proxy_credentials`"), "{none}");
    let wrong = ask(through(&server, &proxy.url(), Some(file("wrong", "site:secret-x")))).await.unwrap_err();
    assert!(wrong.contains("does not take the credentials") && !wrong.contains("secret-x"), "{wrong}");

    let whole = Proxy::new(&proxy.url(), Some(&good)).unwrap();
    assert_eq!(format!("{whole:?}"), format!("Proxy(127.0.0.1:{})", proxy.port));
    let new = |url: &str, file: Option<PathBuf>| Proxy::new(url, file.as_deref()).unwrap_err().to_string();
    for (error, part) in [
        (new("http://site:secret-x@proxy.example:3128", None), "`proxy_credentials`"),
        (new("https://proxy.example:3128", None), "`http://host:port`"),
        (new("http://proxy.example", None), "`http://host:port`"),
        (new("http://proxy.example:3128/path", None), "`http://host:port`"),
        (new("proxy.example:3128", None), "`http://host:port`"),
        (new("http://p:1", Some(folder.path().join("not there"))), "not there"),
        (new("http://p:1", Some(file("nobody", "secret-x"))), "`user:password`"),
        (new("http://p:1", Some(file("lines", "a:secret-x\nb:c"))), "`user:password`"),
    ] {
        assert!(error.contains(part) && !error.contains("secret-x"), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_is_named_with_the_way_out() {
    let server = Server::start(Fake::with_rows(1), Limits::default()).await;
    for (manner, part, fix) in [
        (
            Manner::Says("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"),
            "refuses a tunnel to localhost:",
            "allow CONNECT",
        ),
        (
            Manner::Says("HTTP/1.0 401 Unauthorized\r\n\r\n"),
            "asks for credentials (401)",
            "`proxy_credentials`",
        ),
        (
            Manner::Says("HTTP/1.1 502 Bad Gateway\r\n\r\n"),
            "cannot reach localhost:",
            "see whether that runs",
        ),
        (
            Manner::Says("HTTP/1.0 301 Moved\r\nLocation: /login\r\n\r\n"),
            "opens no tunnel to localhost:",
            "ask its operator",
        ),
        (Manner::Says("SSH-2.0-OpenSSH_9.2p1\r\n"), "does not speak HTTP", "check `proxy`"),
        (Manner::Says("HTTP/1.1 200 OK\r\n\r\nhello"), "bytes of its own", "HTTP proxy"),
        (Manner::Says(""), "does not answer within 4 s", "whether it runs"),
        (Manner::Leaves, "closed the connection", "its log"),
    ] {
        let proxy = FakeProxy::start(manner).await;
        let said = ask(through(&server, &proxy.url(), None)).await.unwrap_err();
        let named = said.starts_with(&format!("the proxy 127.0.0.1:{} ", proxy.port));
        assert!(named && said.contains(part) && said.contains(fix), "{manner:?}: {said}");
        assert_eq!(proxy.seen().len(), 1);
    }
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let said = ask(through(&server, &format!("http://{gone}"), None)).await.unwrap_err();
    assert!(said.contains(&gone.to_string()) && said.contains("cannot be reached"), "{said}");
}

/// More than a proxy may send is not read.
#[tokio::test]
async fn a_proxy_that_talks_without_end_is_cut_off() {
    let server = Server::start(Fake::with_rows(1), Limits::default()).await;
    let talk: &'static str = format!("HTTP/1.1 200 OK\r\n{}", "a: b\r\n".repeat(100_000)).leak();
    let proxy = FakeProxy::start(Manner::Says(talk)).await;
    let said = ask(through(&server, &proxy.url(), None)).await.unwrap_err();
    assert!(said.contains("does not speak HTTP"), "{said}");
}
