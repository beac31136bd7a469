//! A sign-in for trying out: tokens for the roles that agreements name. A real federation has its organisations' own.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::Error;
use crate::keys::Key;

/// Makes tokens.
pub struct Issuer {
    key: Key,
}

/// Who a token speaks for, and for how long.
#[derive(Debug, Clone)]
pub struct Claims {
    /// The organisation.
    pub organisation: String,
    /// The roles there.
    pub roles: Vec<String>,
    /// The purposes that it may name.
    pub purposes: Vec<String>,
    /// Seconds from now until it ends; below 0 for one that has ended.
    pub seconds: i64,
}

impl Issuer {
    /// The `iss` of its tokens.
    pub const NAME: &str = "liquid-local";
    /// The `aud` of its tokens.
    pub const AUDIENCE: &str = "liquid";

    /// Makes an issuer with a key of its own.
    ///
    /// # Errors
    /// Where no key can be made.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { key: Key::generate()? })
    }

    /// Takes up the issuer whose key `liquid init` has kept.
    ///
    /// # Errors
    /// Where the file cannot be read or holds no such key.
    pub fn open(key: &std::path::Path) -> Result<Self, Error> {
        Ok(Self { key: Key::read(key)? })
    }

    /// Its private key, as key files hold it.
    pub fn private_key(&self) -> &[u8] {
        &self.key.private
    }

    /// Its public key, as configurations write it.
    pub fn public_key(&self) -> String {
        self.key.public.clone()
    }

    /// Makes a token.
    ///
    /// # Errors
    /// Where it cannot be signed.
    pub fn token(&self, claims: &Claims) -> Result<String, Error> {
        let now = chrono::Utc::now().timestamp();
        let role = claims.roles.first().map_or("nobody", String::as_str);
        let subject = format!("{role}@{}", claims.organisation);
        let payload = Payload {
            iss: Self::NAME,
            aud: Self::AUDIENCE,
            sub: &subject,
            org: &claims.organisation,
            roles: &claims.roles,
            purposes: &claims.purposes,
            nbf: now - 60,
            exp: now + claims.seconds,
            jti: token_id(),
        };
        let key = EncodingKey::from_ed_der(&self.key.private);
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &payload, &key)
            .map_err(|cause| Error::Token { subject: subject.clone(), cause })
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    org: &'a str,
    roles: &'a [String],
    purposes: &'a [String],
    nbf: i64,
    exp: i64,
    jti: String,
}

/// Tells tokens apart; it is no secret.
fn token_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static MADE: AtomicU64 = AtomicU64::new(1);
    let nanos = chrono::Utc::now().timestamp_nanos_opt().unwrap_or_default();
    format!("{nanos:x}-{}", MADE.fetch_add(1, Ordering::Relaxed))
}
