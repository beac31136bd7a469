//! What a permitted question was, whole, sealed for the site alone: SQL with its literals, bound values, and what the
//! decision was made from. Without the site's key a record shows what it showed before, and in which class of lengths the
//! sealed text lies.
//!
//! Each request has a key of its own: HKDF-SHA256 over the seed of the audit key, with the site, the request's id and a salt. Salts lie
//! beside the log, one for each agreement and day, so that what is older than an agreement keeps can be destroyed: without its salt
//! nothing opens any more. The text is sealed by ChaCha20-Poly1305 under a random nonce, with site and request as associated data, so that it opens in its own
//! record and nowhere else. It is padded with spaces to the next power of two, 1 KiB at least.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::NaiveDate;
use liquid_node_api::call::Call;
use liquid_node_api::envelope::AnswerCaps;
use liquid_node_api::parameter::Parameter;
use liquid_policy::id::{
    AgreementHash, AgreementId, OrganisationName, Purpose, RequestId, RoleName, SiteName,
};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

/// What keys are derived with and texts are bound to.
const LABEL: &[u8] = b"liquid/audit/seal/1";

/// The shortest class of lengths.
const CLASS_BYTES_MIN: usize = 1 << 10;

/// Everything that a permit was given for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The query as it came.
    pub sql: String,
    /// Its bound values, with their types.
    pub parameters: Vec<Parameter>,
    /// The call of an approved query of which it is a cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_of: Option<Call>,
    /// The caller's organisation.
    pub organisation: OrganisationName,
    /// Their roles there.
    pub roles: Vec<RoleName>,
    /// The purposes that their token allowed.
    pub purposes: Vec<Purpose>,
    /// The purpose that was settled.
    pub purpose: Purpose,
    /// The agreement that decided.
    pub agreement: AgreementId,
    /// Its version.
    pub hash: AgreementHash,
    /// The least number of contributors that held, the site's floor included.
    pub minimum: u32,
    /// The rows that an answer could have.
    pub rows_out_max: u64,
    /// The version of the site's tables against which it was planned.
    pub catalogue: String,
    /// Whether mark columns were wanted.
    pub marks: bool,
    /// What the answer could have at most, where its sender said so.
    pub caps: Option<AnswerCaps>,
    /// How long the sender wanted to wait.
    pub deadline_ms: Option<u64>,
}

/// A sealed text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The name of its salt.
    salt: SaltName,
    /// The nonce, then what ChaCha20-Poly1305 made of the text, in base64.
    text: String,
}

/// 32 random bytes that go into the keys of one agreement's requests of one day.
pub type Salt32 = [u8; 32];

/// The name of a salt: what stands for the agreement, and the day, by the site's clock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SaltName {
    agreement: String,
    day: NaiveDate,
}

impl SaltName {
    /// That of an agreement's requests of a day.
    pub fn new(agreement: &AgreementId, day: NaiveDate) -> Self {
        let hash = hex::encode(digest(&SHA256, agreement.as_str().as_bytes()));
        Self { agreement: hash.chars().take(AGREEMENT_DIGITS).collect(), day }
    }

    /// Whether it is of the same agreement and of an earlier day.
    pub fn is_before(&self, other: &Self) -> bool {
        self.agreement == other.agreement && self.day < other.day
    }
}

/// Digits that stand for an agreement.
const AGREEMENT_DIGITS: usize = 32;

impl From<SaltName> for String {
    fn from(SaltName { agreement, day }: SaltName) -> Self {
        format!("{agreement}.{day}")
    }
}

impl TryFrom<String> for SaltName {
    type Error = &'static str;

    /// It becomes the name of a file, so it is nothing but what it must be.
    fn try_from(name: String) -> Result<Self, Self::Error> {
        let parts = name.split_once('.');
        let read = parts.and_then(|(agreement, day)| Some((agreement.to_owned(), day.parse().ok()?)));
        match read {
            Some((agreement, day))
                if agreement.len() == AGREEMENT_DIGITS
                    && agreement.bytes().all(|digit| digit.is_ascii_hexdigit()) =>
            {
                Ok(Self { agreement, day })
            }
            _ => Err("not the name of a salt"),
        }
    }
}

/// A text that does not open: another key, another record, or it was altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed question does not open")]
pub struct Unopened;

/// What the keys of all requests are derived from.
#[derive(Clone)]
pub(super) struct Sealing(Prk);

impl Sealing {
    /// From the seed of the audit key. Of an Ed25519 key in PKCS#8 it always lies at the same place.
    pub(super) fn of_pkcs8(der: &[u8]) -> Option<Self> {
        const SEED: std::ops::Range<usize> = 16..48;
        let seed = der.get(SEED).filter(|_| der.get(12..16) == Some(&[0x04, 0x22, 0x04, 0x20]))?;
        Some(Self(Salt::new(HKDF_SHA256, LABEL).extract(seed)))
    }

    /// Seals the facts of a request.
    pub(super) fn seal(
        &self,
        site: &SiteName,
        request: &RequestId,
        facts: &Facts,
        (name, salt): (SaltName, &Salt32),
    ) -> Result<Sealed, &'static str> {
        let mut text = serde_json::to_vec(facts).map_err(|_| "the facts of a question have no form")?;
        text.resize(text.len().max(CLASS_BYTES_MIN).next_power_of_two(), b' ');
        let bound = bound(site, request);
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| "the system gives no randomness")?;
        let key = self.key(&bound, salt).ok_or("no key can be derived")?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&bound), &mut text)
            .map_err(|_| "the facts of a question cannot be sealed")?;
        Ok(Sealed { salt: name, text: STANDARD.encode([nonce.as_slice(), &text].concat()) })
    }

    /// Opens what was sealed for this request.
    pub(super) fn open(
        &self,
        site: &SiteName,
        request: &RequestId,
        sealed: &Sealed,
        salt: &Salt32,
    ) -> Result<Facts, Unopened> {
        let bytes = STANDARD.decode(&sealed.text).map_err(|_| Unopened)?;
        let (nonce, text) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(Unopened)?;
        let bound = bound(site, request);
        let (key, mut text) = (self.key(&bound, salt).ok_or(Unopened)?, text.to_vec());
        let opened = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(&bound), &mut text);
        serde_json::from_slice(opened.map_err(|_| Unopened)?).map_err(|_| Unopened)
    }

    fn key(&self, bound: &[u8], salt: &Salt32) -> Option<LessSafeKey> {
        let info = [salt.as_slice(), bound];
        let derived = self.0.expand(&info, &CHACHA20_POLY1305).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(derived)))
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing(…)")
    }
}

impl Sealed {
    /// How much room it takes.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The name of its salt.
    pub fn salt(&self) -> &SaltName {
        &self.salt
    }
}

/// What a text is bound to. The length keeps a site and a request from passing for another pair.
fn bound(site: &SiteName, request: &RequestId) -> Vec<u8> {
    let (site, request) = (site.as_str().as_bytes(), request.as_str().as_bytes());
    [LABEL, &(site.len() as u64).to_be_bytes(), site, request].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealing(seed: u8) -> Sealing {
        let mut der = vec![
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
        ];
        der.extend([seed; 32]);
        Sealing::of_pkcs8(&der).unwrap()
    }

    fn facts(sql: &str, value: &str) -> Facts {
        Facts {
            sql: sql.to_owned(),
            parameters: vec![Parameter::Utf8(Some(value.to_owned())), Parameter::Date32(None)],
            cut_of: None,
            organisation: "institute".into(),
            roles: vec!["analyst".into()],
            purposes: vec!["care".into()],
            purpose: "care".into(),
            agreement: "A-1".into(),
            hash: "00".into(),
            minimum: 10,
            rows_out_max: 100,
            catalogue: "v1".to_owned(),
            marks: true,
            caps: Some(AnswerCaps { rows: 1, bytes: 1 << 40 }),
            deadline_ms: None,
        }
    }

    fn salt(seed: u8) -> (SaltName, &'static Salt32) {
        let day = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        (SaltName::new(&"A-1".into(), day), if seed == 1 { &[1; 32] } else { &[2; 32] })
    }

    #[test]
    fn the_name_of_a_salt_is_nothing_else() {
        let name = String::from(salt(1).0);
        assert_eq!(SaltName::try_from(name.clone()), Ok(salt(1).0));
        for other in [
            "".to_owned(),
            "../../audit.key".to_owned(),
            name.replace('.', "/"),
            format!("{name}/x"),
            format!("../{name}"),
            name.replace("2026-11-22", "2026-13-22"),
        ] {
            assert!(SaltName::try_from(other.clone()).is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn it_opens_with_its_key_for_its_request_alone(sql in "\\PC{0,200}", value in "\\PC{0,50}", at in any::<prop::sample::Index>(), bit in 0..8) {
            let (site, request) = (SiteName::new("cleveland"), RequestId::new("r1"));
            let facts = facts(&sql, &value);
            let sealed = sealing(7).seal(&site, &request, &facts, salt(1)).unwrap();
            let open = |sealed: &Sealed| sealing(7).open(&site, &request, sealed, salt(1).1);
            prop_assert_eq!(open(&sealed), Ok(facts.clone()));
            prop_assert_eq!(sealing(7).open(&site, &request, &sealed, salt(2).1), Err(Unopened), "another salt");
            prop_assert_eq!(sealing(8).open(&site, &request, &sealed, salt(1).1), Err(Unopened), "another key");
            prop_assert_eq!(sealing(7).open(&site, &RequestId::new("r2"), &sealed, salt(1).1), Err(Unopened), "moved");
            prop_assert_eq!(sealing(7).open(&SiteName::new("clevelan"), &RequestId::new("dr1"), &sealed, salt(1).1), Err(Unopened), "moved");
            let with = |bytes: &[u8]| Sealed { text: STANDARD.encode(bytes), ..sealed.clone() };
            let mut bytes = STANDARD.decode(&sealed.text).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            prop_assert_eq!(open(&with(&bytes)), Err(Unopened), "altered");
            bytes[at] ^= 1_u8 << bit;
            bytes.truncate(at);
            prop_assert_eq!(open(&with(&bytes)), Err(Unopened), "cut");
            let again = sealing(7).seal(&site, &request, &facts, salt(1)).unwrap();
            prop_assert_ne!(again, sealed, "no nonce is used twice");
        }
    }

    #[test]
    fn its_length_tells_its_class_alone() {
        let length = |letters: usize| {
            let facts = facts(&"x".repeat(letters), "");
            sealing(7).seal(&SiteName::new("s"), &RequestId::new("r"), &facts, salt(1)).unwrap().bytes()
        };
        assert_eq!(length(0), length(500));
        let classes: std::collections::BTreeSet<usize> = (0..64).map(|n| length(n * 1_000)).collect();
        assert_eq!(classes.len(), 7, "1 KiB to 64 KiB");
    }
}
