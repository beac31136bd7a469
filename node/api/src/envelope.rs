//! A coordinator's question to a site, signed: who asks for whom, which site, until when, and a number that is used once.
//!
//! What is signed is the canonical JSON (RFC 8785) of an [`Envelope`]: an envelope has one spelling, and no other is read.
//! The key is that of the coordinator's TLS certificate, and the certificate travels with the envelope, so a site verifies
//! it against the same authority and the same list of revoked certificates as the connection, but anew for each question.
//!
//! ```text
//! scheme, 2 bytes │ signature │ how many certificates, 1 byte │ each certificate │ the envelope's text
//!                   └─ 4 bytes of length before each ─────────────────────────┘   └─ the rest
//! ```

mod format;

use std::sync::Arc;

use liquid_policy::id::SiteName;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use crate::Clock;
use crate::channel::Token;
use crate::error::Error;
use crate::request::SiteRequest;
use crate::tls::{Certificates, Identity};

/// What is said under the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The coordinator that signs.
    pub issuer: Identity,
    /// The site that is asked; no other answers.
    pub audience: SiteName,
    /// SHA-256 of the caller's token, in hex: with another token, it is another question.
    pub token: String,
    /// 128 random bits in hex. A site takes each once.
    pub nonce: Nonce,
    /// When it was made, in milliseconds since 1970.
    pub issued_ms: i64,
    /// Until when it may be presented, likewise.
    pub expires_ms: i64,
    /// What the answer may have at most.
    pub caps: AnswerCaps,
    /// The question.
    pub request: SiteRequest,
}

/// What an answer may have at most: more would be thrown away by whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerCaps {
    /// Rows.
    pub rows: u64,
    /// Bytes of its Arrow messages.
    pub bytes: u64,
}

/// A number that is used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nonce([u8; 16]);

impl TryFrom<String> for Nonce {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl From<Nonce> for String {
    fn from(nonce: Nonce) -> Self {
        hex::encode(nonce.0)
    }
}

/// How long a fresh envelope may be on its way.
const LIFE_MS: i64 = 60_000;

/// Makes a coordinator's envelopes.
#[derive(Clone)]
pub struct Issuer {
    certificates: Certificates,
    identity: Identity,
    clock: Clock,
    caps: AnswerCaps,
}

impl Issuer {
    /// An issuer that signs with the certificate in use.
    ///
    /// # Errors
    /// Where the certificate speaks for nobody.
    pub fn new(
        certificates: Certificates,
        clock: Clock,
        caps: AnswerCaps,
    ) -> Result<Arc<Self>, crate::tls::Error> {
        let identity = certificates.identity()?;
        Ok(Arc::new(Self { certificates, identity, clock, caps }))
    }

    /// Whom its certificate speaks for.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Puts a question to a site into an envelope.
    ///
    /// # Errors
    /// [`Error::Fault`] where the system gives no randomness, or the key cannot sign; [`Error::Invalid`] where the question is
    /// longer than a site reads.
    pub fn seal(
        &self,
        token: &Token,
        audience: &SiteName,
        request: SiteRequest,
    ) -> Result<SignedEnvelope, Error> {
        let failed =
            |what: &str| Error::fault(format!("the question could not be signed: {what}"), true, "ask again");
        let mut nonce = [0; 16];
        SystemRandom::new().fill(&mut nonce).map_err(|_| failed("the system gives no randomness"))?;
        let issued_ms = (self.clock)().timestamp_millis();
        let envelope = Envelope {
            issuer: self.identity.clone(),
            audience: audience.clone(),
            token: token_hash(token),
            nonce: Nonce(nonce),
            issued_ms,
            expires_ms: issued_ms.saturating_add(LIFE_MS),
            caps: self.caps,
            request,
        };
        let signed = self.sign(envelope).ok_or_else(|| failed("the certificate's key does not sign"))?;
        match signed.is_short_enough() {
            true => Ok(signed),
            false => Err(Error::invalid(
                "the question with its values is longer than a site reads",
                "bind shorter values, or ask several questions",
            )),
        }
    }

    /// Signs what somebody else has written, whether it is true or not; none where the key cannot, or the envelope has no
    /// spelling.
    pub fn sign(&self, envelope: Envelope) -> Option<SignedEnvelope> {
        let own = self.certificates.own();
        let text = spelled(&envelope)?;
        let signer = own.key.choose_scheme(&SCHEMES)?;
        let signature = signer.sign(&[CONTEXT, &text].concat()).ok()?;
        Some(SignedEnvelope { scheme: signer.scheme(), signature, chain: own.cert.clone(), text, envelope })
    }
}

/// SHA-256 of a token, in hex.
pub fn token_hash(token: &Token) -> String {
    hex::encode(digest(&SHA256, token.secret().as_bytes()))
}

/// An envelope with its signature. Nobody has looked yet whether that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEnvelope {
    scheme: SignatureScheme,
    signature: Vec<u8>,
    chain: Vec<CertificateDer<'static>>,
    text: Vec<u8>,
    envelope: Envelope,
}

/// An envelope whose signature is its issuer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    envelope: Envelope,
    hash: String,
}

impl Verified {
    /// What was signed.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// SHA-256 of the text that was signed, in hex.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// What is signed begins with this, so that nothing that the key signs elsewhere can pass for an envelope: TLS's own texts
/// begin with spaces.
const CONTEXT: &[u8] = b"liquid/envelope/1\0";

/// The signatures that count.
const SCHEMES: [SignatureScheme; 4] = [
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
];

impl SignedEnvelope {
    /// What it says, before anybody knows whether that is true.
    pub fn unverified(&self) -> &Envelope {
        &self.envelope
    }

    /// Holds certificate and signature against the authority, now.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], which says what is wrong.
    pub fn verify(self, certificates: &Certificates) -> Result<Verified, Error> {
        let bad = |what: String| {
            Error::unauthenticated(what, "ask the coordinator's operator to look at its certificate")
        };
        let peer = certificates
            .verify(&self.chain)
            .map_err(|error| bad(format!("the envelope's certificate is not taken: {error}")))?;
        if peer.identity != self.envelope.issuer {
            return Err(bad("the envelope's certificate is not its issuer's".to_owned()));
        }
        let signed = [CONTEXT, &self.text].concat();
        format::is_signed(self.scheme, self.chain.first(), &signed, &self.signature)
            .then(|| Verified { hash: hex::encode(digest(&SHA256, &self.text)), envelope: self.envelope })
            .ok_or_else(|| bad("the envelope's signature is not its issuer's".to_owned()))
    }
}

/// The one spelling of an envelope; none where it has none, or would not read back as the same.
fn spelled(envelope: &Envelope) -> Option<Vec<u8>> {
    let text = serde_json_canonicalizer::to_vec(envelope).ok()?;
    (serde_json::from_slice::<Envelope>(&text).ok()? == *envelope).then_some(text)
}
