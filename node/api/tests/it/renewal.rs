//! Certificates that change while a server runs: new handshakes use the new ones, what runs goes on, and whoever is revoked
//! is out. What cannot be used changes nothing.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::sql::client::FlightSqlServiceClient;
use liquid_node_api::tls::{Certificates, Files, Limits, connect};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::Channel;

use crate::backend::{Fake, Server, TOKEN};
use crate::certificates::{Authority, replace};

const SITE: &str = "liquid://site/cleveland";
const COORDINATOR: &str = "liquid://coordinator/demo";
const EVERY: Duration = Duration::from_millis(20);
/// Long after the files were looked at again.
const LOOKED: Duration = Duration::from_millis(400);

struct Scene {
    files: Files,
    authority: Arc<Authority>,
    server: Server,
}

impl Scene {
    /// A server over files that are looked at all the time, with a list of revoked certificates that is empty.
    async fn start() -> Self {
        let authority = Arc::new(Authority::new());
        let mut files = authority.files("server", &[SITE]);
        files.crl = Some(authority.revoke(&[], 10));
        let certificates = Certificates::open_every(&files, EVERY).unwrap();
        let fake = Fake::with_rows(1);
        let server =
            Server::start_with(0, fake, Limits::default(), Arc::clone(&authority), certificates).await;
        Self { files, authority, server }
    }

    fn coordinator(&self) -> (Arc<ClientConfig>, Channel) {
        let config = self.authority.material("coordinator", &[COORDINATOR]).client().unwrap();
        (Arc::clone(&config), connect(&self.server.target(), config).unwrap())
    }

    /// The certificate that a new handshake is shown, or why there is none.
    async fn handshake(&self, config: Arc<ClientConfig>) -> Result<Vec<u8>, String> {
        let stream = TcpStream::connect(("127.0.0.1", self.server.port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(config).connect(name, stream).await.map_err(|e| e.to_string())?;
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        // A client is through before the server has looked at its certificate: what comes back tells.
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0; 16])).await.unwrap();
        match read {
            Ok(0) => Err("closed".to_owned()),
            Ok(_) => Ok(shown),
            Err(error) => Err(error.to_string()),
        }
    }

    fn anonymous(&self) -> Arc<ClientConfig> {
        liquid_node_api::tls::Material::anonymous(&self.authority.ca()).unwrap()
    }
}

async fn asks(channel: &Channel) -> Result<(), String> {
    let mut client = FlightSqlServiceClient::new(channel.clone());
    client.set_token(TOKEN.to_owned());
    client.execute("SELECT 1".to_owned(), None).await.map(|_| ()).map_err(|e| e.to_string())
}

#[tokio::test]
async fn certificates_are_changed_under_load() {
    let scene = Scene::start().await;
    let (_, lasting) = scene.coordinator();
    asks(&lasting).await.unwrap();
    let asking = tokio::spawn({
        let lasting = lasting.clone();
        async move {
            for _ in 0..200 {
                asks(&lasting).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    let mut shown = vec![scene.handshake(scene.anonymous()).await.unwrap()];
    for _ in 0..3 {
        // Certificate and key, one after the other, in the place of the old ones.
        scene.authority.files("server", &[SITE]);
        tokio::time::sleep(LOOKED).await;
        shown.push(scene.handshake(scene.anonymous()).await.unwrap());
        let (_, fresh) = scene.coordinator();
        asks(&fresh).await.unwrap();
    }
    asking.await.unwrap();
    let distinct: std::collections::BTreeSet<_> = shown.iter().collect();
    assert_eq!(distinct.len(), 4, "each new handshake met the certificate of its time");
}

#[tokio::test]
async fn what_cannot_be_used_changes_nothing() {
    let scene = Scene::start().await;
    let trusting = scene.anonymous();
    let first = scene.handshake(Arc::clone(&trusting)).await.unwrap();
    let (cert, key) =
        [&scene.files.cert, &scene.files.key].map(|path| std::fs::read_to_string(path).unwrap()).into();
    let crl = scene.files.crl.clone().unwrap();
    let list = std::fs::read_to_string(&crl).unwrap();
    let other = scene.authority.files("other", &[SITE]);
    let spoiled = [
        (&scene.files.cert, "no certificate".to_owned()),
        (&scene.files.cert, std::fs::read_to_string(&other.cert).unwrap()),
        (&scene.files.key, std::fs::read_to_string(&other.key).unwrap()),
        (&crl, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n".to_owned()),
        (&scene.files.ca, String::new()),
    ];
    let ca = std::fs::read_to_string(&scene.files.ca).unwrap();
    for (path, text) in spoiled {
        replace(path, &text);
        tokio::time::sleep(LOOKED).await;
        assert_eq!(scene.handshake(Arc::clone(&trusting)).await.as_ref(), Ok(&first), "{}", path.display());
        for (path, good) in [(&scene.files.cert, &cert), (&scene.files.key, &key), (&crl, &list)] {
            replace(path, good);
        }
    }
    std::fs::write(&scene.files.ca, ca).unwrap();
    // And what can be used is, after all of that.
    scene.authority.files("server", &[SITE]);
    tokio::time::sleep(LOOKED).await;
    assert_ne!(scene.handshake(trusting).await.unwrap(), first);
}

#[tokio::test]
async fn who_is_revoked_is_out_at_once() {
    let scene = Scene::start().await;
    let (config, channel) = scene.coordinator();
    let serial = scene.authority.last();
    let (_, other) = scene.coordinator();
    asks(&channel).await.unwrap();
    asks(&other).await.unwrap();
    scene.handshake(Arc::clone(&config)).await.unwrap();
    scene.authority.revoke(&[serial], 10);
    // The connection that it has is closed, and it gets no other, not by resuming a session either.
    tokio::time::sleep(LOOKED).await;
    assert!(asks(&channel).await.is_err());
    let refused = scene.handshake(config).await.unwrap_err();
    assert!(refused.to_lowercase().contains("revoked"), "{refused}");
    asks(&other).await.unwrap();
    // Pardoned, it comes in again.
    scene.authority.revoke(&[], 10);
    tokio::time::sleep(LOOKED).await;
    asks(&channel).await.unwrap();
}

/// A session that a server let a client keep would pass by the lists: there is none.
#[tokio::test]
async fn no_session_is_resumed() {
    let scene = Scene::start().await;
    let files = scene.authority.files("keeping", &[COORDINATOR]);
    let serial = scene.authority.last();
    let config = keeping(&files);
    for _ in 0..2 {
        scene.handshake(Arc::clone(&config)).await.unwrap();
    }
    scene.authority.revoke(&[serial], 10);
    tokio::time::sleep(LOOKED).await;
    assert!(scene.handshake(config).await.is_err());
}

/// A client that resumes whatever it can.
fn keeping(files: &Files) -> Arc<ClientConfig> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_file(&files.cert).unwrap()],
            PrivateKeyDer::from_pem_file(&files.key).unwrap(),
        );
    Arc::new(config.unwrap())
}

#[tokio::test]
async fn a_server_that_is_revoked_or_expired_is_not_asked() {
    let scene = Scene::start().await;
    let serial = 2; // the first that the authority has issued
    let mut own = scene.authority.files("careful", &[COORDINATOR]);
    own.crl = scene.files.crl.clone();
    let certificates = Certificates::open_every(&own, EVERY).unwrap();
    let target = scene.server.target();
    let ask = async || asks(&connect(&target, certificates.client().unwrap()).unwrap()).await;
    ask().await.unwrap();
    let lasting = certificates.connect(&target).unwrap();
    asks(&lasting).await.unwrap();
    scene.authority.revoke(&[serial], 10);
    tokio::time::sleep(LOOKED).await;
    assert!(ask().await.is_err());
    assert!(asks(&lasting).await.is_err(), "on the connection that there was neither");
    scene.authority.revoke(&[], 10);
    tokio::time::sleep(LOOKED).await;
    ask().await.unwrap();
    asks(&lasting).await.unwrap();
    scene.authority.files_until("server", &[SITE], -1);
    tokio::time::sleep(LOOKED).await;
    assert!(ask().await.is_err(), "a certificate that has expired");
}

#[tokio::test]
async fn a_client_whose_certificate_has_expired_is_not_let_in() {
    let scene = Scene::start().await;
    let old = scene.authority.files_until("old", &[COORDINATOR], -1).load().unwrap();
    let refused = scene.handshake(old.client().unwrap()).await.unwrap_err();
    assert!(refused.to_lowercase().contains("expired"), "{refused}");
}

#[test]
fn a_list_that_cannot_be_used_is_named_with_the_way_out() {
    let authority = Authority::new();
    let mut files = authority.files("own", &[SITE]);
    let says = |files: &Files, parts: [&str; 2]| {
        let error = files.load().map(|_| ()).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    files.crl = Some(authority.revoke(&[], -1));
    says(&files, ["crl.pem` has expired", "current list"]);
    let crl = authority.revoke(&[], 1);
    files.load().unwrap();
    for text in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        replace(&crl, text);
        says(&files, ["holds no list of revoked certificates", "PEM"]);
    }
    replace(&crl, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    says(&files, ["malformed", "openssl crl -inform der"]);
    std::fs::remove_file(&crl).unwrap();
    says(&files, ["cannot be read", "correct the path"]);
}

/// A list of another authority says nothing of our peers, so none of them is let in.
#[tokio::test]
async fn a_list_of_another_authority_lets_nobody_in() {
    let scene = Scene::start().await;
    let (config, _) = scene.coordinator();
    scene.handshake(Arc::clone(&config)).await.unwrap();
    let mut foreign = scene.files.clone();
    let another = Authority::named("another authority");
    foreign.crl = Some(another.revoke(&[], 10));
    let material = foreign.load().unwrap();
    let fake = Fake::with_rows(1);
    let certificates = Certificates::fixed(material);
    let server =
        Server::start_with(0, fake, Limits::default(), Arc::clone(&scene.authority), certificates).await;
    let foreign = Scene { files: scene.files.clone(), authority: Arc::clone(&scene.authority), server };
    assert!(foreign.handshake(config).await.is_err());
    foreign.handshake(foreign.anonymous()).await.unwrap();
}
