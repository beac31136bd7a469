//! Callers' tokens: JWTs signed with Ed25519 by an organisation's sign-in, validated by whoever is asked. A coordinator
//! hands them on as they came, and every site validates them again for itself.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use liquid_policy::id::{OrganisationName, Purpose, RoleName};
use serde::Deserialize;

use crate::channel::Token;
use crate::error::Error;

/// `[identity]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identities {
    /// Who signs tokens.
    #[serde(rename = "issuer")]
    pub issuers: Vec<Issuer>,
}

/// `[[identity.issuer]]`: whose tokens count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The `iss` that its tokens bear.
    pub issuer: String,
    /// The `aud` that they must bear.
    pub audience: String,
    /// Its Ed25519 public key, 32 bytes in base64.
    pub public_key: String,
}

/// The issuers whose tokens count.
pub struct Issuers(Vec<(DecodingKey, Validation)>);

/// A configured key that is none.
#[derive(Debug, thiserror::Error)]
#[error("the public key of issuer `{0}` is not 32 bytes in base64; copy it from the issuer again")]
pub struct BadKey(String);

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// Who made it.
    #[serde(rename = "iss")]
    pub issuer: String,
    /// The person or program that it speaks for.
    #[serde(rename = "sub")]
    pub subject: String,
    /// Their organisation.
    #[serde(rename = "org")]
    pub organisation: OrganisationName,
    /// Their roles there.
    pub roles: Vec<RoleName>,
    /// The purposes that they may name.
    #[serde(default)]
    pub purposes: Vec<Purpose>,
    exp: i64,
    nbf: i64,
}

/// Clocks may differ by this much.
const LEEWAY_SECONDS: i64 = 30;

/// Longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 8 << 10;

impl Issuers {
    /// Takes the configured issuers.
    ///
    /// # Errors
    /// The first key that cannot be read.
    pub fn new(issuers: &[Issuer]) -> Result<Self, BadKey> {
        let read = |issuer: &Issuer| {
            // A JWT library reads keys as JSON Web Keys write them: base64 for URLs, without padding.
            let key = issuer.public_key.trim().trim_end_matches('=').replace('+', "-").replace('/', "_");
            let bad = || BadKey(issuer.issuer.clone());
            if key.len() != 43 {
                return Err(bad());
            }
            let key = DecodingKey::from_ed_components(&key).map_err(|_| bad())?;
            let mut validation = Validation::new(Algorithm::EdDSA);
            validation.set_issuer(&[&issuer.issuer]);
            validation.set_audience(&[&issuer.audience]);
            validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
            // Times are compared below, with the clock that was given to us.
            validation.validate_exp = false;
            Ok((key, validation))
        };
        issuers.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// What a token says, if it is good at this moment.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] where there is none, or it is not good.
    pub fn validate(&self, token: Option<&Token>, now_seconds: i64) -> Result<Claims, Error> {
        let token = token.ok_or_else(|| unknown("there is no token"))?.secret();
        let claims = Some(token)
            .filter(|token| token.len() <= TOKEN_BYTES_MAX)
            .and_then(|token| {
                self.0.iter().find_map(|(key, validation)| decode::<Claims>(token, key, validation).ok())
            })
            .ok_or_else(|| unknown("the token is not one of a known issuer for this federation"))?
            .claims;
        if claims.exp.saturating_add(LEEWAY_SECONDS) <= now_seconds {
            return Err(unknown("the token has expired"));
        }
        if claims.nbf.saturating_sub(LEEWAY_SECONDS) > now_seconds {
            return Err(unknown("the token is not valid yet"));
        }
        Ok(claims)
    }
}

fn unknown(message: &str) -> Error {
    Error::unauthenticated(message, "get a new token from your organisation's sign-in")
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};

    use super::*;

    // The key pair of RFC 8032, section 7.1, test 1, as PKCS #8.
    const SEED: [u8; 32] = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44,
        0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ];
    const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    const NOW: i64 = 1_800_000_000;

    fn issuers(audience: &str, public_key: &str) -> Result<Issuers, BadKey> {
        Issuers::new(&[Issuer {
            issuer: "https://login.example".into(),
            audience: audience.into(),
            public_key: public_key.into(),
        }])
    }

    fn token(change: impl FnOnce(&mut serde_json::Value)) -> Token {
        let mut claims = serde_json::json!({
            "iss": "https://login.example", "aud": "heart", "sub": "ann@example", "org": "council",
            "roles": ["analyst"], "purposes": ["benchmarking"], "nbf": NOW - 10, "exp": NOW + 600, "jti": "1",
        });
        change(&mut claims);
        let mut der = vec![
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
        ];
        der.extend(SEED);
        let key = EncodingKey::from_ed_der(&der);
        Token::new(encode(&Header::new(Algorithm::EdDSA), &claims, &key).unwrap())
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut serde_json::Value), says: &str) {
        let error = issuers("heart", PUBLIC).unwrap().validate(Some(&token(change)), NOW).unwrap_err();
        assert!(
            matches!(&error, Error::Unauthenticated { message, .. } if message.contains(says)),
            "{error}"
        );
    }

    #[test]
    fn a_good_token_names_its_owner() {
        let claims = issuers("heart", PUBLIC).unwrap().validate(Some(&token(|_| {})), NOW).unwrap();
        assert_eq!(
            (claims.issuer.as_str(), claims.subject.as_str()),
            ("https://login.example", "ann@example")
        );
        assert_eq!(claims.roles, [RoleName::new("analyst")]);
    }

    #[test]
    fn times_issuer_audience_and_signature_count() {
        check(|claims| claims["exp"] = (NOW - 60).into(), "expired");
        check(|claims| claims["nbf"] = (NOW + 60).into(), "not valid yet");
        check(|claims| claims["iss"] = "https://other.example".into(), "known issuer");
        check(|claims| claims["aud"] = "liver".into(), "known issuer");
        check(|claims| drop(claims.as_object_mut().unwrap().remove("nbf")), "known issuer");
        check(|claims| drop(claims.as_object_mut().unwrap().remove("org")), "known issuer");
        let known = issuers("heart", PUBLIC).unwrap();
        let good = token(|_| {}).secret().to_owned();
        let at = good.rfind('.').unwrap() + 9;
        let other = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
        let mut forged = good;
        forged.replace_range(at..=at, other);
        assert!(known.validate(Some(&Token::new(forged)), NOW).is_err());
        assert!(known.validate(None, NOW).is_err());
        assert!(known.validate(Some(&Token::new("abc")), NOW).is_err());
    }

    #[test]
    fn a_bad_key_is_named() {
        let error = issuers("heart", "abc").err().unwrap().to_string();
        assert!(error.contains("`https://login.example`"), "{error}");
    }
}
