//! Who a certificate speaks for: exactly one URI among its alternative names, `liquid://site/…` or
//! `liquid://coordinator/…`.

use std::fmt;
use std::str::FromStr;

use liquid_policy::id::SiteName;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use x509_parser::extensions::GeneralName;

use super::Error;

/// A party of a federation, as its certificate names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Identity {
    /// A site's node.
    Site(SiteName),
    /// A coordinator.
    Coordinator(String),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(name) => write!(f, "liquid://site/{name}"),
            Self::Coordinator(name) => write!(f, "liquid://coordinator/{name}"),
        }
    }
}

impl FromStr for Identity {
    type Err = Error;

    fn from_str(uri: &str) -> Result<Self, Error> {
        let parts = uri.strip_prefix("liquid://").and_then(|rest| rest.split_once('/'));
        let plain = |name: &str| {
            !name.is_empty()
                && name.len() <= 64
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        match parts {
            Some(("site", name)) if plain(name) => Ok(Self::Site(SiteName::new(name))),
            Some(("coordinator", name)) if plain(name) => Ok(Self::Coordinator(name.to_owned())),
            _ => Err(Error::new(
                format!("`{}` is no identity", crate::sql::clip(uri)),
                "write `liquid://site/<name>` or `liquid://coordinator/<name>`, a name being letters, digits, `-`, `_`, `.`",
            )),
        }
    }
}

impl TryFrom<String> for Identity {
    type Error = Error;

    fn try_from(uri: String) -> Result<Self, Error> {
        uri.parse()
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        identity.to_string()
    }
}

/// The certificate that a peer presented and that our authority signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Whom it speaks for.
    pub identity: Identity,
}

impl PeerCertificate {
    /// Reads a verified certificate.
    ///
    /// # Errors
    /// Where it has no URI, more than one, or one that is no identity.
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let fix = "issue a certificate with exactly one URI name, `liquid://site/<name>` or `liquid://coordinator/<name>`";
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
            .map_err(|_| Error::new("the certificate cannot be read", fix))?;
        let names = parsed
            .subject_alternative_name()
            .map_err(|_| Error::new("the certificate's names cannot be read", fix))?;
        let uris: Vec<&str> = names
            .iter()
            .flat_map(|names| names.value.general_names.iter())
            .filter_map(|name| match name {
                GeneralName::URI(uri) => Some(*uri),
                _ => None,
            })
            .collect();
        match uris.as_slice() {
            [uri] => Ok(Self { identity: uri.parse()? }),
            [] => Err(Error::new("the certificate names no party", fix)),
            _ => Err(Error::new("the certificate names more than one party", fix)),
        }
    }
}
