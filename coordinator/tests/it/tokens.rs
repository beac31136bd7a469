//! Tokens of a test issuer.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use liquid_node_api::channel::Token;
use liquid_node_api::token::{Identities, Issuer};
use serde_json::json;

/// The time in every test.
pub(crate) const NOW: i64 = 1_800_000_000;

// The key pair of RFC 8032, section 7.1, test 1: the private half as PKCS #8, the public half in base64.
const PRIVATE: [u8; 48] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, 0x9d,
    0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
    0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

pub(crate) fn identity() -> Identities {
    let issuer = Issuer {
        issuer: "https://login.example".into(),
        audience: "heart".into(),
        public_key: PUBLIC.into(),
    };
    Identities { issuers: vec![issuer] }
}

/// A good token of one person.
pub(crate) fn token(subject: &str) -> Token {
    let claims = json!({
        "iss": "https://login.example", "aud": "heart", "sub": subject, "org": "council", "roles": ["analyst"],
        "purposes": ["benchmarking"], "nbf": NOW - 10, "exp": NOW + 600, "jti": "1",
    });
    let key = EncodingKey::from_ed_der(&PRIVATE);
    Token::new(encode(&Header::new(Algorithm::EdDSA), &claims, &key).unwrap())
}
