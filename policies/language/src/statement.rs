//! What people of the parties say about agreements, each sentence signed with a key: that they wrote a version, approve it,
//! want it active at an instant, suspend the agreement, resume it, or give up a key. And that they want a draft held against a site's past questions, which is asked and not kept.
//!
//! A statement is an Ed25519 signature over `liquid/statement/1\n` and the statement's canonical form (RFC 8785) without its
//! signature: what is said, by whom, in which role, with which key and when. A version is meant by the SHA-256 of *its*
//! canonical form, so any edit that changes the meaning voids what was said of it, and no signature that was made for
//! anything else can be passed off as a statement. Statements need no order and no secrecy: whoever carries them can hold
//! them back, and nothing else.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SubsecRound as _, Utc};
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};

use crate::id::{AgreementHash, AgreementId, KeyId, OrganisationName, RoleName, SiteName, StatementHash};

/// What a statement is signed over, before its canonical form.
const DOMAIN: &[u8] = b"liquid/statement/1\n";

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// "I wrote this version."
    Write {
        /// Which.
        agreement: AgreementHash,
    },
    /// "We approve this version."
    Approve {
        /// Which.
        agreement: AgreementHash,
    },
    /// "This version takes the place of those that it replaces at this instant." It does so where it is approved by then.
    Activate {
        /// Which.
        agreement: AgreementHash,
        /// When.
        at: DateTime<Utc>,
    },
    /// "Nothing leaves under this agreement from now on, whatever its version."
    Suspend {
        /// Which agreement.
        id: AgreementId,
    },
    /// "We lift these suspensions."
    Resume {
        /// Of which agreement.
        id: AgreementId,
        /// Which.
        suspensions: BTreeSet<StatementHash>,
    },
    /// "This key of ours counts no longer, nor does anything that it signed or handed over."
    Revoke {
        /// Which of the organisation's own keys.
        revoked: KeyId,
    },
    /// "This key takes the place of mine, in the same roles."
    HandOver {
        /// The new key's name.
        to: KeyId,
        /// The new Ed25519 public key, in base64.
        public_key: String,
    },
    /// "Hold this draft against the questions of your last days." It changes nothing, and is good for minutes.
    Preview {
        /// The draft.
        draft: AgreementHash,
        /// At which site.
        site: SiteName,
        /// How many days.
        days: u32,
        /// Tells one request from another: each is taken once.
        nonce: String,
    },
}

impl Act {
    /// The version that it speaks of.
    pub fn agreement(&self) -> Option<&AgreementHash> {
        match self {
            Self::Write { agreement } | Self::Approve { agreement } | Self::Activate { agreement, .. } => {
                Some(agreement)
            }
            Self::Suspend { .. }
            | Self::Resume { .. }
            | Self::Revoke { .. }
            | Self::HandOver { .. }
            | Self::Preview { .. } => None,
        }
    }

    /// The agreement that it speaks of, where it names one by its id.
    pub fn id(&self) -> Option<&AgreementId> {
        match self {
            Self::Suspend { id } | Self::Resume { id, .. } => Some(id),
            _ => None,
        }
    }

    /// What somebody does who makes it.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Write { .. } => "write",
            Self::Approve { .. } => "approve",
            Self::Activate { .. } => "activate",
            Self::Suspend { .. } => "suspend",
            Self::Resume { .. } => "resume",
            Self::Revoke { .. } => "revoke",
            Self::HandOver { .. } => "hand over",
            Self::Preview { .. } => "preview",
        }
    }
}

/// What is said, by whom and when, with the signature.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// For which party.
    pub organisation: OrganisationName,
    /// In which role.
    pub role: RoleName,
    /// With which key.
    pub key_id: KeyId,
    /// When, by the signer's clock.
    pub time: DateTime<Utc>,
    /// The Ed25519 signature, in base64.
    pub signature: String,
    /// What is said.
    pub act: Act,
}

impl Statement {
    /// The name of the statement: SHA-256 over what is signed and the signature, in hex.
    pub fn hash(&self) -> StatementHash {
        let bytes = [self.message().as_slice(), self.signature.as_bytes()].concat();
        StatementHash::new(hex::encode(digest(&SHA256, &bytes)))
    }

    /// What is signed.
    pub(crate) fn message(&self) -> Vec<u8> {
        let Self { organisation, role, key_id, time, signature: _, act } = self;
        let said = serde_json::json!({
            "organisation": organisation, "role": role, "key_id": key_id, "time": time, "act": act,
        });
        // Texts alone, so that there always is a canonical form.
        let canonical = serde_json_canonicalizer::to_vec(&said).unwrap_or_default();
        [DOMAIN, &canonical].concat()
    }

    /// The signature's bytes; none where it is no base64.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.signature).ok()
    }
}

/// A key whose statements count at this node, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// The organisation for which it signs.
    pub organisation: OrganisationName,
    /// Its name.
    pub key_id: KeyId,
    /// The Ed25519 public key, in base64.
    pub public_key: String,
    /// The roles that whoever holds it has. None: it signs for the organisation where an agreement names no roles.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<RoleName>,
    /// It counts no longer, as one that was revoked: what it stopped stays stopped, what it signed permits nothing, and it says
    /// nothing new. A key leaves the configuration by this and not by being deleted, so that what it said can still be told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
}

/// A key that can sign. Its `Debug` shows the public half alone.
#[derive(Debug)]
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Makes the key that belongs to 32 random bytes.
    ///
    /// # Errors
    /// Where there are not exactly 32 of them.
    pub fn from_seed(seed: &[u8]) -> Result<Self, InvalidKey> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self).map_err(|_| InvalidKey)
    }

    /// Reads a key in PKCS#8, as DER.
    ///
    /// # Errors
    /// Where it is not an Ed25519 key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, InvalidKey> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Self).map_err(|_| InvalidKey)
    }

    /// The public half, in base64, as [`TrustedKey`] writes it.
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.0.public_key())
    }

    /// Says something. Times are kept to the second.
    pub fn say(&self, act: Act, signer: Signer) -> Statement {
        let Signer { organisation, role, key_id, time } = signer;
        let time = time.trunc_subsecs(0);
        let mut statement = Statement { organisation, role, key_id, time, signature: String::new(), act };
        statement.signature = STANDARD.encode(self.0.sign(&statement.message()));
        statement
    }
}

/// Who signs, when, with which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// For which party.
    pub organisation: OrganisationName,
    /// In which role.
    pub role: RoleName,
    /// With which key.
    pub key_id: KeyId,
    /// When.
    pub time: DateTime<Utc>,
}

/// The bytes are no Ed25519 private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 private key; make one with `liquid key new`")]
pub struct InvalidKey;
