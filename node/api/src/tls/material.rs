//! Certificates, keys and revocation lists from PEM files, checked once, and what verifies peers by them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::Deserialize;

use super::{Certificates, Error, Identity, PeerCertificate};

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
    /// The authority's list of revoked certificates, PEM. Where it is given, a certificate that it does not cover is as good
    /// as revoked, and so is every one once the list has expired.
    #[serde(default)]
    pub crl: Option<PathBuf>,
}

/// What was loaded: it fits together, and stays as it is.
#[derive(Debug, Clone)]
pub struct Material {
    own: Arc<CertifiedKey>,
    clients: Arc<dyn ClientCertVerifier>,
    servers: Arc<dyn ServerCertVerifier>,
    revocation_ends: Option<i64>,
}

/// Makes `ring` the process's provider. Call it first in `main`; calling it again does no harm.
pub fn install_provider() {
    // An error means that a provider is installed already; every configuration here names its own anyway.
    let _ = ring::default_provider().install_default();
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl Files {
    /// The same files, with relative paths counted from `folder`.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        let Self { cert, key, ca, crl } = self;
        Self {
            cert: folder.join(cert),
            key: folder.join(key),
            ca: folder.join(ca),
            crl: crl.map(|crl| folder.join(crl)),
        }
    }

    /// The same certificate, with peers of another authority where one is named; its list of revoked certificates is its own.
    #[must_use]
    pub fn trusting(&self, ca: Option<&Path>, crl: Option<&Path>) -> Self {
        match ca {
            Some(ca) => Self { ca: ca.to_owned(), crl: crl.map(Path::to_owned), ..self.clone() },
            None => self.clone(),
        }
    }

    /// Every file that is named.
    pub(super) fn all(&self) -> impl Iterator<Item = &Path> {
        let Self { cert, key, ca, crl } = self;
        [cert, key, ca].into_iter().chain(crl).map(PathBuf::as_path)
    }

    /// Reads them.
    ///
    /// # Errors
    /// For the first file that is not there or does not hold what it should, and where they do not belong together.
    pub fn load(&self) -> Result<Material, Error> {
        let chain = certificates(&self.cert)?;
        let key =
            PrivateKeyDer::from_pem_file(&self.key).map_err(|e| unreadable(&self.key, "private key", &e))?;
        let own = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            Error::new(
                format!(
                    "`{}` is not the key of the certificate `{}`: {error}",
                    self.key.display(),
                    self.cert.display()
                ),
                "give certificate and key that belong together, each by its path in `[tls]`",
            )
        })?;
        let roots = Arc::new(authority(&self.ca)?);
        let (lists, revocation_ends) = match &self.crl {
            Some(path) => revoked(path).map(|(lists, ends)| (lists, Some(ends)))?,
            None => (Vec::new(), None),
        };
        let unusable = |error: &dyn std::fmt::Display| {
            let crl = self.crl.as_ref().map(|crl| format!(" with `{}`", crl.display())).unwrap_or_default();
            Error::new(
                format!("the authority `{}`{crl} cannot be used: {error}", self.ca.display()),
                "give the authority's own certificate, and its own list of revoked certificates",
            )
        };
        // Analysts have no certificate; a list counts for whole chains, and not beyond its end.
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider())
            .allow_unauthenticated()
            .with_crls(lists.clone())
            .enforce_revocation_expiration()
            .build()
            .map_err(|e| unusable(&e))?;
        let servers = WebPkiServerVerifier::builder_with_provider(roots, provider())
            .with_crls(lists)
            .enforce_revocation_expiration()
            .build()
            .map_err(|e| unusable(&e))?;
        Ok(Material { own: Arc::new(own), clients, servers, revocation_ends })
    }
}

/// Lists of revoked certificates, and the second at which the first of them ends.
fn revoked(path: &Path) -> Result<(Vec<CertificateRevocationListDer<'static>>, i64), Error> {
    let shown = path.display();
    let fix = "give the authority's current list as PEM (`openssl crl -inform der -in LIST -out crl.pem` makes it of DER), or \
               leave `crl` out to accept every certificate of the authority";
    let lists: Vec<_> = CertificateRevocationListDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| unreadable(path, "list of revoked certificates", &e))?;
    let mut first = None::<i64>;
    for list in &lists {
        let unreadable =
            || Error::new(format!("`{shown}` holds a list of revoked certificates that is malformed"), fix);
        let (_, parsed) = x509_parser::parse_x509_crl(list).map_err(|_| unreadable())?;
        let end = parsed.next_update().ok_or_else(|| {
            Error::new(
                format!("the list of revoked certificates `{shown}` does not say until when it is good"),
                fix,
            )
        })?;
        first = Some(first.map_or(end.timestamp(), |first| first.min(end.timestamp())));
    }
    let end = first.ok_or_else(|| {
        unreadable(path, "list of revoked certificates", &rustls::pki_types::pem::Error::NoItemsFound)
    })?;
    if end <= seconds_now() {
        let fix = "get the authority's current list: until then no peer is accepted";
        return Err(Error::new(format!("the list of revoked certificates `{shown}` has expired"), fix));
    }
    Ok((lists, end))
}

/// The time by which certificates are judged, as rustls itself takes it.
pub(super) fn seconds_now() -> i64 {
    i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX)
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
        let own = self.own.end_entity_cert().map_err(|e| unusable("certificate", &e))?;
        PeerCertificate::read(own).map(|own| own.identity)
    }

    /// As [`Certificates::server`], of what will not change.
    ///
    /// # Errors
    /// As there.
    pub fn server(&self) -> Result<Arc<ServerConfig>, Error> {
        Certificates::fixed(self.clone()).server()
    }

    /// As [`Certificates::client`], of what will not change.
    ///
    /// # Errors
    /// As there.
    pub fn client(&self) -> Result<Arc<ClientConfig>, Error> {
        Certificates::fixed(self.clone()).client()
    }

    /// Our certificate with its key.
    pub(super) fn own(&self) -> &Arc<CertifiedKey> {
        &self.own
    }

    /// What verifies those who dial us.
    pub(super) fn clients(&self) -> &Arc<dyn ClientCertVerifier> {
        &self.clients
    }

    /// What verifies those whom we dial.
    pub(super) fn servers(&self) -> &Arc<dyn ServerCertVerifier> {
        &self.servers
    }

    /// The second at which the list of revoked certificates ends; none where there is no list.
    pub(super) fn revocation_ends(&self) -> Option<i64> {
        self.revocation_ends
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

pub(super) fn unusable(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::new(
        format!("the {what} cannot be used: {error}"),
        "check that certificate, key and authority belong together",
    )
}
