//! Who signed which canonical form, and whether that is enough.
//!
//! Signatures lie beside the agreement in `agreement.sig.toml`. Each is an Ed25519 signature over
//! `liquid/agreement/1\n` followed by the canonical form, so any edit that changes the meaning voids it, and no signature
//! made for anything else can be passed off as one. Whose keys count is the node's own configuration: the organisation
//! of a signature is the one for which its key is trusted. Role and time are the signer's statement, not proof.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::document::Agreement;
use crate::id::{KeyId, OrganisationName, RoleName};
use crate::parse::ParseError;

/// What a signature is made over, before the canonical form.
const DOMAIN: &[u8] = b"liquid/agreement/1\n";

/// An agreement together with what its signatures prove. Made by [`Signed::verify`] alone; an unsigned agreement is
/// such a value as well, and admits nobody.
#[derive(Debug, Clone)]
pub struct Signed {
    agreement: Arc<Agreement>,
    signatures: Vec<(Signature, Standing)>,
    missing: BTreeSet<OrganisationName>,
}

impl Signed {
    /// Checks every signature against the keys that this node trusts.
    pub fn verify(agreement: Arc<Agreement>, file: &SignatureFile, trusted: &[TrustedKey]) -> Self {
        let message = message(&agreement);
        let signatures: Vec<_> = file
            .signatures
            .iter()
            .map(|signature| (signature.clone(), signature.standing(&message, trusted)))
            .collect();
        let signed: BTreeSet<_> = signatures
            .iter()
            .filter(|(_, standing)| *standing == Standing::Valid)
            .map(|(signature, _)| &signature.organisation)
            .collect();
        let missing =
            agreement.controllers().filter(|controller| !signed.contains(controller)).cloned().collect();
        Self { agreement, signatures, missing }
    }

    /// The agreement.
    pub fn agreement(&self) -> &Arc<Agreement> {
        &self.agreement
    }

    /// True where every controller has a valid signature by a trusted key.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// The controllers that have not signed, or not validly.
    pub fn missing(&self) -> &BTreeSet<OrganisationName> {
        &self.missing
    }

    /// Every signature of the file, with what it is worth.
    pub fn signatures(&self) -> &[(Signature, Standing)] {
        &self.signatures
    }
}

/// What one signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is made over this text, by a key that is trusted for its organisation.
    Valid,
    /// No key of that organisation and id is trusted here.
    Untrusted,
    /// The key is trusted, but did not sign this text: the agreement was changed, or the signature was.
    Broken,
}

/// One signature, as the file writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// For which party.
    pub organisation: OrganisationName,
    /// In which role the signer says to act.
    pub role: RoleName,
    /// Which key.
    pub key_id: KeyId,
    /// When the signer says to have signed, for example `2026-01-01T09:00:00Z`.
    pub time: String,
    /// The Ed25519 signature, in base64.
    pub signature: String,
}

impl Signature {
    fn standing(&self, message: &[u8], trusted: &[TrustedKey]) -> Standing {
        let mut standing = Standing::Untrusted;
        for key in trusted.iter().filter(|k| k.organisation == self.organisation && k.key_id == self.key_id) {
            standing = Standing::Broken;
            let (Ok(public), Ok(signature)) =
                (STANDARD.decode(&key.public_key), STANDARD.decode(&self.signature))
            else {
                continue;
            };
            if UnparsedPublicKey::new(&ED25519, public).verify(message, &signature).is_ok() {
                return Standing::Valid;
            }
        }
        standing
    }
}

/// The signatures that lie beside an agreement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureFile {
    /// In the order in which they were made.
    #[serde(default, rename = "signature")]
    pub signatures: Vec<Signature>,
}

impl SignatureFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// Where it is not TOML, or has other keys than a signature has.
    pub fn parse(text: &str, file: &str) -> Result<Self, ParseError> {
        toml::from_str(text).map_err(|error| ParseError::from_toml(&error, text, file))
    }

    /// Adds a signature, in place of an earlier one by the same key.
    pub fn add(&mut self, signature: Signature) {
        self.signatures
            .retain(|s| (&s.organisation, &s.key_id) != (&signature.organisation, &signature.key_id));
        self.signatures.push(signature);
    }
}

impl fmt::Display for SignatureFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("# Signatures over the canonical form of the agreement beside this file.\n")?;
        for signature in &self.signatures {
            let text =
                toml::to_string(&BTreeMap::from([("signature", [signature])])).map_err(|_| fmt::Error)?;
            write!(f, "\n{text}")?;
        }
        Ok(())
    }
}

/// A key whose signatures count at this node, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// The organisation for which it signs.
    pub organisation: OrganisationName,
    /// Its name.
    pub key_id: KeyId,
    /// The Ed25519 public key, in base64.
    pub public_key: String,
}

/// A key that can sign agreements. Its `Debug` shows the public half alone.
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

    /// Signs an agreement.
    pub fn sign(&self, agreement: &Agreement, signer: Signer) -> Signature {
        let Signer { organisation, role, key_id, time } = signer;
        let signature = STANDARD.encode(self.0.sign(&message(agreement)));
        Signature { organisation, role, key_id, time, signature }
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
    /// When, for example `2026-01-01T09:00:00Z`.
    pub time: String,
}

/// The bytes are no Ed25519 private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 private key; make one with `liquid key new`")]
pub struct InvalidKey;

fn message(agreement: &Agreement) -> Vec<u8> {
    [DOMAIN, agreement.canonical()].concat()
}
