//! The demo's sign-in: tokens for the roles that agreements name. A real federation has its organisations' own.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::Error;
use crate::keys::NewKey;

/// Makes tokens.
pub struct Issuer {
    key: NewKey,
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
        Ok(Self { key: NewKey::generate()? })
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
        let payload = Payload {
            iss: Self::NAME,
            aud: Self::AUDIENCE,
            sub: format!("{role}@{}", claims.organisation),
            org: &claims.organisation,
            roles: &claims.roles,
            purposes: &claims.purposes,
            nbf: now - 60,
            exp: now + claims.seconds,
            jti: token_id(),
        };
        let key = EncodingKey::from_ed_der(&self.key.private);
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &payload, &key)?)
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: String,
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
