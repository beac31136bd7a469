//! What one line of the log says, and how it is chained and signed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, Utc};
use liquid_node_api::engine::HashKey;
use liquid_node_api::envelope::Nonce;
use liquid_node_api::tls::Identity;
use liquid_policy::id::{
    AgreementHash, AgreementId, OrganisationName, Purpose, RequestId, RoleName, SiteName, TemplateName,
};
use liquid_policy::statement::Statement;
use liquid_policy::{Code, Footprint};
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::previewed::Previewed;
use super::seal::{Facts, Salt32, SaltName, Sealed, Sealing, Unopened};

/// The hash that the first record names as its forerunner's.
pub(super) const BEGINNING: &str = "liquid/audit/1";

/// How long requests take is recorded in these classes alone: a precise time can tell of data.
pub const TIME_CLASSES_MS: [u64; 3] = [250, 2_000, 10_000];

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its number, from 1.
    pub number: u64,
    /// When it was written, by the site's clock.
    pub time: DateTime<Utc>,
    /// SHA-256 of the line before, in hex.
    pub previous: String,
    /// What happened.
    pub body: Body,
    /// Ed25519 over the line without what stands here, base64.
    pub signature: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// The node started to write here.
    Opened {
        /// The site.
        site: SiteName,
        /// The key that signs from here on, base64.
        key: String,
        /// The program's version.
        version: String,
        /// Bytes of a half-written last line that a crash left and that were cut off; nothing was released under it.
        cut_off_bytes: u64,
    },
    /// Somebody said something of the agreements, and it counts from here on.
    Said(Box<Said>),
    /// Somebody of the site's own organisation held a draft against the questions of the past, or tried to.
    Previewed(Box<Previewed>),
    /// What was sealed under an agreement before a day was destroyed, as the agreement says.
    Forgotten {
        /// Which agreement.
        agreement: AgreementId,
        /// The first day of which it is still there.
        before: NaiveDate,
    },
    /// A request came in.
    Asked(Box<Asked>),
    /// A request ended, with its one outcome.
    Closed {
        /// Which.
        request: RequestId,
        /// What its cuts touch, as far as it was planned.
        cuts: Vec<Touched>,
        /// The least of [`TIME_CLASSES_MS`] in which it ended; none where it took longer or was cut off by a crash.
        within_ms: Option<u64>,
        /// Of a question that was permitted and not refused later: what it was, whole, for the site's key alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sealed: Option<Sealed>,
        /// How.
        outcome: Outcome,
    },
}

/// A statement that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// It, with its signature.
    pub statement: Statement,
    /// Who sent it, as their token proved it; nobody where it lay in the folder.
    pub sent_by: Option<AskedBy>,
}

/// What a cut touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Touched {
    /// As this version says it.
    Footprint(Box<Footprint>),
    /// As an earlier version said it: footprints gain facts, and a log is good for longer than a version.
    Earlier(serde_json::Value),
}

/// A request, as far as it was understood when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Its id at this site.
    pub request: RequestId,
    /// The id that its sender gave it.
    pub sender_request: RequestId,
    /// Who asked, as their token proved it. Whoever proves nothing leaves no record.
    pub caller: AskedBy,
    /// The peer's certificate identity, where a coordinator carried the request.
    pub carried_by: Option<String>,
    /// The envelope in which it came, where a coordinator signed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Carried>,
    /// Why, if a purpose was settled.
    pub purpose: Option<Purpose>,
    /// Under which agreement, if one was settled.
    pub agreement: Option<AgreementId>,
    /// And which version of it.
    pub hash: Option<AgreementHash>,
    /// The approved query that it calls or is a cut of, with the SHA-256 of its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called: Option<(TemplateName, String)>,
    /// The SQL with `?` in place of every literal and a space in place of every comment; of a long one its beginning, so
    /// that nobody fills the disk with it.
    pub sql: Option<String>,
    /// SHA-256 over the SQL as it came and its bound values, keyed with the site's audit key: a repeat can be
    /// recognised by the site, a guess cannot be checked by anybody else.
    pub question: String,
}

/// An envelope whose signature was good and that was for this site. Its nonce is not taken again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// The coordinator that signed it.
    pub issuer: Identity,
    /// Its nonce.
    pub nonce: Nonce,
    /// When it was made, in milliseconds since 1970, by the coordinator's clock.
    pub issued_ms: i64,
    /// SHA-256 of what was signed, in hex.
    pub hash: String,
}

/// The caller, as the token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedBy {
    /// Their organisation.
    pub organisation: OrganisationName,
    /// Their roles there.
    pub roles: Vec<RoleName>,
    /// The person or program.
    pub subject: String,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// An answer was released. Written and synced before its first byte leaves.
    Released {
        /// Rows of the answer.
        rows: u64,
        /// Cells that it withholds.
        withheld: u64,
        /// SHA-256 of the answer's Arrow messages, in hex.
        answer: String,
        /// The clauses that can hide something in it.
        clauses: Vec<String>,
        /// How far the history of what was released had come, where there is one: the hash of its last line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        history: Option<String>,
    },
    /// Policy said no.
    Refused {
        /// The code.
        code: Code,
        /// The clause.
        clause: String,
    },
    /// The caller did not prove who they are, or the question was wrong.
    Rejected {
        /// `unauthenticated` or `invalid`.
        kind: String,
    },
    /// An operation failed; nothing was released.
    Failed {
        /// Which kind, without detail: the operator's log has that.
        kind: String,
    },
    /// The node stopped in the middle; nothing was released.
    Crashed,
}

/// The site's key for its audit log.
pub struct Key {
    pair: Ed25519KeyPair,
    sealing: Sealing,
}

impl Key {
    /// Reads a PKCS#8 key.
    ///
    /// # Errors
    /// A sentence for the operator where the bytes are no Ed25519 key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, String> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok();
        pair.zip(Sealing::of_pkcs8(der))
            .map(|(pair, sealing)| Self { pair, sealing })
            .ok_or_else(|| "the audit key is no Ed25519 key in PKCS#8".to_owned())
    }

    /// Seals the facts of a permitted question for whoever holds this key.
    ///
    /// # Errors
    /// What keeps it from that; nothing may be released then.
    pub fn seal(
        &self,
        site: &SiteName,
        request: &RequestId,
        facts: &Facts,
        salt: (SaltName, &Salt32),
    ) -> Result<Sealed, String> {
        self.sealing.seal(site, request, facts, salt).map_err(str::to_owned)
    }

    /// Opens what was sealed for this request at this site.
    ///
    /// # Errors
    /// Where it was sealed with another key or salt, or for another request, or was altered.
    pub fn open(
        &self,
        site: &SiteName,
        request: &RequestId,
        sealed: &Sealed,
        salt: &Salt32,
    ) -> Result<Facts, Unopened> {
        self.sealing.open(site, request, sealed, salt)
    }

    /// The public key, base64.
    pub fn public(&self) -> String {
        STANDARD.encode(self.pair.public_key().as_ref())
    }

    /// The same, as its 32 bytes.
    pub(super) fn public_bytes(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    /// A key for hashes of people and values, always the same: it is made from this one, and tells nothing of it.
    pub fn hash_key(&self) -> HashKey {
        let hash = digest(&SHA256, self.pair.sign(b"liquid/history/1").as_ref());
        let mut key = [0; 16];
        key.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        HashKey(key)
    }

    /// A keyed hash of a question: the signature is deterministic and only this key makes it.
    pub fn keyed_hash(&self, parts: &[&[u8]]) -> String {
        let mut bytes = b"liquid/question/1".to_vec();
        for part in parts {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(*part);
        }
        hex::encode(digest(&SHA256, self.pair.sign(&bytes).as_ref()))
    }
}

/// The last record, noted beside the log: records that are cut off its end are missed by nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// The hash of its line.
    pub hash: String,
    /// Ed25519 over both, base64.
    signature: String,
}

impl Head {
    /// Signs a head.
    pub(super) fn seal(number: u64, hash: &str, key: &Key) -> Self {
        let signature = STANDARD.encode(key.pair.sign(&Self::signed_bytes(number, hash)).as_ref());
        Self { number, hash: hash.to_owned(), signature }
    }

    /// Whether the signature is this public key's (raw, 32 bytes).
    pub(super) fn is_signed_by(&self, public: &[u8]) -> bool {
        let Ok(signature) = STANDARD.decode(&self.signature) else { return false };
        let bytes = Self::signed_bytes(self.number, &self.hash);
        UnparsedPublicKey::new(&ED25519, public).verify(&bytes, &signature).is_ok()
    }

    fn signed_bytes(number: u64, hash: &str) -> Vec<u8> {
        format!("liquid/audit/head/1\n{number}\n{hash}").into_bytes()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.public())
    }
}

impl Record {
    /// Chains and signs a record; the result is its line, without the line feed.
    ///
    /// # Errors
    /// A sentence for the operator where the record has no JSON form, which is a bug.
    pub(super) fn seal(
        number: u64,
        time: DateTime<Utc>,
        previous: &str,
        body: Body,
        key: &Key,
    ) -> Result<String, String> {
        let mut record = Self { number, time, previous: previous.to_owned(), body, signature: String::new() };
        let unsigned = spelled(&record)?;
        record.signature = STANDARD.encode(key.pair.sign(&signed_bytes(&unsigned)).as_ref());
        spelled(&record)
    }

    /// Whether the line that was read as this record is signed by this public key (raw, 32 bytes). The line counts as it
    /// was written, whichever version spelled it, so a changed byte is always a changed line.
    pub(super) fn is_signed_by(&self, public: &[u8], line: &str) -> bool {
        let end = format!("{}\"}}", self.signature);
        let (Some(unsigned), Ok(signature)) = (line.strip_suffix(&end), STANDARD.decode(&self.signature))
        else {
            return false;
        };
        let bytes = signed_bytes(&format!("{unsigned}\"}}"));
        UnparsedPublicKey::new(&ED25519, public).verify(&bytes, &signature).is_ok()
    }
}

/// A record's line. Its signature stands at the end.
fn spelled(record: &Record) -> Result<String, String> {
    serde_json::to_string(record).map_err(|e| e.to_string())
}

/// What is signed: the line with an empty signature.
fn signed_bytes(unsigned: &str) -> Vec<u8> {
    [BEGINNING.as_bytes(), b"\n", unsigned.as_bytes()].concat()
}

/// SHA-256 of a line, in hex.
pub(super) fn hash(line: &str) -> String {
    hex::encode(digest(&SHA256, line.as_bytes()))
}
