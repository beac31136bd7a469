//! How the parties' people speak with nodes, directly or through a coordinator that may hold things back and nothing else:
//! every sentence is signed, and each node judges it by itself.

use std::collections::BTreeMap;

use liquid_policy::id::{AgreementHash, SiteName};
use liquid_policy::life::AgreementStatus;
use liquid_policy::statement::Statement;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The action; its body is a [`Governance`] in JSON, its answer a list of [`Heard`].
pub const GOVERNANCE_ACTION: &str = "liquid.governance";

/// Longest agreement that is proposed.
pub const TEXT_BYTES_MAX: usize = 256 << 10;

/// Bytes of all files that travel with one agreement.
pub const FILES_BYTES_MAX: usize = 768 << 10;

/// Files that travel with one agreement.
pub const FILES_MAX: usize = 200;

/// Versions that a node holds.
pub const VERSIONS_MAX: usize = 1_000;

/// What somebody asks or says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Governance {
    /// How things stand, for a party.
    Status {
        /// Versions of which the text is wanted too.
        texts: Vec<AgreementHash>,
        /// Files beside them of which the content is wanted, by their SHA-256.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<String>,
    },
    /// Here is a version to hold until it is signed off.
    Propose {
        /// Its text.
        text: String,
        /// Who wrote it, and what else is said of it.
        statements: Vec<Statement>,
        /// The files that it names, as far as they are sent along: lists of values, approved queries.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<FileBeside>,
    },
    /// Here is what we say of versions that you hold.
    Say {
        /// It.
        statements: Vec<Statement>,
    },
}

/// A file that lies beside an agreement. What it is worth, its SHA-256 in the signed text says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileBeside {
    /// Its name.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// What a site answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteGovernance {
    /// The site.
    pub site: SiteName,
    /// How things stand, as far as the caller's organisation is a party.
    pub agreements: Vec<AgreementStatus>,
    /// What was said by which they are suspended, as it was signed: whoever lifts it sees what it was; and who wrote and approved
    /// the texts that were wanted.
    pub statements: Vec<Statement>,
    /// The texts that were wanted and are there.
    pub texts: BTreeMap<AgreementHash, String>,
    /// The files that were wanted and are there, by their SHA-256.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// One site's answer, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The site.
    pub site: SiteName,
    /// What it answers.
    pub answer: Result<SiteGovernance, String>,
}

/// Reads what somebody says.
///
/// # Errors
/// [`Error::Invalid`] where it is nothing that this version understands.
pub fn read(body: &[u8]) -> Result<Governance, Error> {
    serde_json::from_slice(body).map_err(|_| {
        Error::invalid("this is nothing to say of agreements", "run the same version of liquid at both ends")
    })
}
