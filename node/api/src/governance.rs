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
    },
    /// Here is a version to hold until it is signed off.
    Propose {
        /// Its text.
        text: String,
        /// Who wrote it, and what else is said of it.
        statements: Vec<Statement>,
    },
    /// Here is what we say of versions that you hold.
    Say {
        /// It.
        statements: Vec<Statement>,
    },
}

/// What a site answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteGovernance {
    /// The site.
    pub site: SiteName,
    /// How things stand, as far as the caller's organisation is a party.
    pub agreements: Vec<AgreementStatus>,
    /// The texts that were wanted and are there.
    pub texts: BTreeMap<AgreementHash, String>,
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
