//! Certificates and keys from PEM files, and the rustls configurations made of them: TLS 1.3 and `ring`, nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::Deserialize;

use super::{Error, Identity, PeerCertificate};

/// Where certificate, key and authority lie.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Our certificate chain, PEM.
    pub cert: PathBuf,
    /// Its private key, PEM (PKCS #8).
    pub key: PathBuf,
    /// The authority's certificate that peers must descend from, PEM.
    pub ca: PathBuf,
}

/// What was loaded.
#[derive(Debug)]
pub struct Material {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Arc<RootCertStore>,
}

/// Makes `ring` the process's provider. Call it first in `main`; calling it again does no harm.
pub fn install_provider() {
    // An error means that a provider is installed already; every configuration here names its own anyway.
    let _ = ring::default_provider().install_default();
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl Files {
    /// The same files, with relative paths counted from `folder`.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        Self { cert: folder.join(self.cert), key: folder.join(self.key), ca: folder.join(self.ca) }
    }

    /// Reads them.
    ///
    /// # Errors
    /// For the first file that is not there or does not hold what it should.
    pub fn load(&self) -> Result<Material, Error> {
        let chain = certificates(&self.cert)?;
        let key =
            PrivateKeyDer::from_pem_file(&self.key).map_err(|e| unreadable(&self.key, "private key", &e))?;
        Ok(Material { chain, key, roots: Arc::new(authority(&self.ca)?) })
    }
}

/// Reads an authority's certificates, for a client that has none of its own.
pub(super) fn authority(path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|_| {
            Error::new(
                format!("`{}` holds a certificate that is no authority's", path.display()),
                "give the file of the federation's certificate authority",
            )
        })?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| unreadable(path, "certificate", &e))?;
    if read.is_empty() {
        return Err(unreadable(path, "certificate", &rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(read)
}

fn unreadable(path: &Path, what: &str, error: &rustls::pki_types::pem::Error) -> Error {
    use rustls::pki_types::pem::Error as Pem;
    let path = path.display();
    match error {
        Pem::Io(e) => Error::new(
            format!("the {what} `{path}` cannot be read: {e}"),
            "correct the path in the configuration, or make the file readable for this user",
        ),
        Pem::NoItemsFound => Error::new(
            format!("`{path}` holds no {what}"),
            format!("give a PEM file with a {what}; `liquid init` makes a set for trying out"),
        ),
        _ => Error::new(
            format!("`{path}` is no sound PEM file"),
            format!("give a PEM file with a {what}; `liquid init` makes a set for trying out"),
        ),
    }
}

impl Material {
    /// Whom our own certificate speaks for.
    ///
    /// # Errors
    /// Where it names nobody, or more than one.
    pub fn identity(&self) -> Result<Identity, Error> {
        let own = self.chain.first().ok_or_else(|| unusable("certificate", &"there is none"))?;
        PeerCertificate::read(own).map(|own| own.identity)
    }

    /// A server's configuration. A client's certificate may come, and must be good if it does: analysts have none.
    ///
    /// # Errors
    /// Where certificate and key do not belong together.
    pub fn server(&self) -> Result<Arc<ServerConfig>, Error> {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&self.roots), provider())
            .allow_unauthenticated()
            .build()
            .map_err(|e| unusable("authority", &e))?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| unusable("TLS version", &e))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .map_err(|e| unusable("certificate or key", &e))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }

    /// A client's configuration, which presents our certificate.
    ///
    /// # Errors
    /// Where certificate and key do not belong together.
    pub fn client(&self) -> Result<Arc<ClientConfig>, Error> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| unusable("TLS version", &e))?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            .map_err(|e| unusable("certificate or key", &e))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }

    /// A client's configuration without a certificate of its own, as analysts have it.
    ///
    /// # Errors
    /// Where the authority's file cannot be used.
    pub fn anonymous(authority: &Path) -> Result<Arc<ClientConfig>, Error> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| unusable("TLS version", &e))?
            .with_root_certificates(self::authority(authority)?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

fn unusable(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::new(
        format!("the {what} cannot be used: {error}"),
        "check that certificate, key and authority belong together",
    )
}
