//! The certificates that are in use. They change when their files do, without a restart: new handshakes use the new ones,
//! connections go on, except those of a peer whose certificate is no longer good.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use tokio::sync::watch;

use super::material::{provider, seconds_now, unusable};
use super::{Error, Files, Identity, Material, PeerCertificate};

/// How often the files are looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(2);
/// How often an operator is told again of what keeps peers out.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// The certificates in use. Clones stay the same ones.
#[derive(Debug, Clone)]
pub struct Certificates(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    current: RwLock<Arc<Material>>,
    renewals: watch::Sender<u64>,
}

impl Certificates {
    /// Certificates that will not change.
    pub fn fixed(material: Material) -> Self {
        let current = RwLock::new(Arc::new(material));
        Self(Arc::new(Shared { current, renewals: watch::Sender::new(0) }))
    }

    /// Loads the files, and looks at them again every few seconds for as long as somebody holds the certificates. Files that
    /// cannot be used leave the old ones in use, and the operator's log says what to mend.
    ///
    /// # Errors
    /// As [`Files::load`].
    pub fn open(files: &Files) -> Result<Self, Error> {
        Self::open_every(files, LOOKED_AT_EVERY)
    }

    /// The same, looking more often.
    ///
    /// # Errors
    /// As [`Files::load`].
    pub fn open_every(files: &Files, every: Duration) -> Result<Self, Error> {
        // Looked at before they are read: what changes in between is read again.
        let seen = Seen::of(files);
        let certificates = Self::fixed(files.load()?);
        tokio::spawn(renew(Arc::downgrade(&certificates.0), files.clone(), seen, every));
        Ok(certificates)
    }

    /// Whom our own certificate speaks for.
    ///
    /// # Errors
    /// Where it names nobody, or more than one.
    pub fn identity(&self) -> Result<Identity, Error> {
        self.current().identity()
    }

    /// A server's configuration. A client's certificate may come, and must be good if it does: analysts have none. Sessions
    /// are not resumed, so that every handshake meets the certificates and lists of its own time.
    ///
    /// # Errors
    /// Never, as far as is known: the files are checked when they are loaded.
    pub fn server(&self) -> Result<Arc<ServerConfig>, Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| unusable("TLS version", &e))?
            .with_client_cert_verifier(Arc::new(self.clone()))
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    /// A client's configuration, which presents our certificate.
    ///
    /// # Errors
    /// Never, as far as is known: the files are checked when they are loaded.
    pub fn client(&self) -> Result<Arc<ClientConfig>, Error> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| unusable("TLS version", &e))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self.clone()))
            .with_client_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }

    /// Our certificate with its key, as it is now.
    pub(crate) fn own(&self) -> Arc<CertifiedKey> {
        Arc::clone(self.current().own())
    }

    /// Whom a chain speaks for, if it is good for a client now.
    ///
    /// # Errors
    /// Where it is not, or speaks for nobody.
    pub(crate) fn verify(&self, chain: &[CertificateDer<'_>]) -> Result<PeerCertificate, Error> {
        let (own, others) = chain.split_first().ok_or_else(|| bad(&"there is none"))?;
        let verifier = Arc::clone(self.current().clients());
        verifier.verify_client_cert(own, others, UnixTime::now()).map_err(|e| bad(&e))?;
        PeerCertificate::read(own)
    }

    /// Whether a chain is good for a server of this name now.
    ///
    /// # Errors
    /// Where it is not.
    pub(super) fn verify_server(
        &self,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
    ) -> Result<(), Error> {
        let (own, others) = chain.split_first().ok_or_else(|| bad(&"there is none"))?;
        let verifier = Arc::clone(self.current().servers());
        verifier.verify_server_cert(own, others, name, &[], UnixTime::now()).map(|_| ()).map_err(|e| bad(&e))
    }

    /// Changes at each renewal.
    pub(super) fn renewals(&self) -> watch::Receiver<u64> {
        self.0.renewals.subscribe()
    }

    fn current(&self) -> Arc<Material> {
        self.0.current()
    }
}

fn bad(why: &dyn std::fmt::Display) -> Error {
    Error::new(format!("the certificate is not good: {why}"), "present a good certificate of the authority")
}

impl Shared {
    /// Whatever stopped while it held the lock, the value is a whole one.
    fn current(&self) -> Arc<Material> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, material: Material) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(material);
        self.renewals.send_modify(|renewals| *renewals += 1);
    }
}

/// What is known of files without reading them.
#[derive(Debug, PartialEq, Eq)]
struct Seen(HashMap<PathBuf, Option<(SystemTime, u64)>>);

impl Seen {
    fn of(files: &Files) -> Self {
        let look = |path: &Path| {
            let about = std::fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len()))
        };
        Self(files.all().map(|path| (path.to_owned(), look(path))).collect())
    }
}

/// Looks at the files until nobody holds the certificates any more.
async fn renew(shared: Weak<Shared>, files: Files, mut seen: Seen, every: Duration) {
    let mut told = None::<tokio::time::Instant>;
    loop {
        tokio::time::sleep(every).await;
        let Some(shared) = shared.upgrade() else { return };
        let ended = shared.current().revocation_ends().is_some_and(|end| end <= seconds_now());
        if ended && told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            tracing::error!(
                "the list of revoked certificates has expired, so no peer is accepted; put the authority's current list in its \
                 place"
            );
            told = Some(tokio::time::Instant::now());
        }
        let now = Seen::of(&files);
        if now == seen {
            continue;
        }
        match files.load() {
            Ok(material) => {
                shared.replace(material);
                tracing::info!("certificates renewed: new connections use them");
                told = None;
            }
            Err(error) => {
                tracing::error!(%error, "the changed certificates cannot be used, and the old ones stay in use")
            }
        }
        // Files are changed one after the other: what does not fit together yet is looked at again as soon as more changes.
        seen = now;
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.own())
    }
}

impl ResolvesClientCert for Certificates {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.own())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Certificates {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: a client has one certificate or none, and needs no hint as to which.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.current().clients().verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.current().clients().verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.current().clients().verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current().clients().supported_verify_schemes()
    }
}

impl ServerCertVerifier for Certificates {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verifier = self.current();
        verifier.servers().verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.current().servers().verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.current().servers().verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current().servers().supported_verify_schemes()
    }
}
