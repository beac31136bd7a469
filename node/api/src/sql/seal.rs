//! What makes a ticket or a prepared handle ours: a seal by a key that only this process knows. A sealed text is good for
//! one caller and for a few minutes; it is still checked like any other question when it is presented.
//!
//! ```text
//! key number, 8 bytes │ HMAC-SHA256 over number and text, 32 bytes │ text, JSON
//! ```
//!
//! Keys are random and never leave the process: they change by themselves, and with every start.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use liquid_policy::id::AgreementHash;
use ring::digest::{Context, SHA256};
use ring::hmac::{self, HMAC_SHA256, Key};
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};

use super::Statement;
use super::options::SessionOptions;
use crate::channel::Token;
use crate::error::Error;
use crate::tls::{self, PeerCertificate};

/// A statement with the options under which it was described or prepared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// The statement.
    pub statement: Statement,
    /// The version of the agreement under which it was described, at a site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<AgreementHash>,
    /// What its session had set.
    #[serde(default)]
    pub options: SessionOptions,
}

/// What a sealed text may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// To fetch the answer of a statement that was just described.
    Ticket,
    /// To bind values to a prepared statement, and to run it.
    Prepared,
}

/// Who made the call: their token and the certificate of their connection. A token is signed, so this settles organisation
/// and subject too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder(String);

impl Holder {
    /// Whoever showed this token over a connection with this certificate.
    pub fn of(token: Option<&Token>, peer: Option<&PeerCertificate>) -> Self {
        let peer = peer.map(|peer| peer.identity.to_string()).unwrap_or_default();
        let mut context = Context::new(&SHA256);
        for part in [token.map_or("", Token::secret), &peer] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        Self(hex::encode(context.finish()))
    }
}

/// The text under the seal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    r#use: Use,
    holder: Holder,
    /// Milliseconds since this process began to seal: no clock that can be set has a say.
    made_ms: u64,
    ticket: Ticket,
}

/// The keys of one process.
pub struct Seals {
    random: SystemRandom,
    begun: Instant,
    keys: Mutex<Keys>,
}

struct Keys {
    number: u64,
    current: Key,
    previous: Option<Key>,
    changed: Duration,
}

/// How long a ticket may be used: clients fetch at once.
const TICKET_LIFE: Duration = Duration::from_secs(5 * 60);
/// The same for a prepared statement, which tools keep while somebody looks at the result.
const PREPARED_LIFE: Duration = Duration::from_secs(60 * 60);
/// After this time there is a new key. The one before stays good for as long again, so nothing ends before its time.
const KEY_LIFE: Duration = PREPARED_LIFE;

const NUMBER_BYTES: usize = 8;
const TAG_BYTES: usize = 32;

impl Seals {
    /// Keys for a process that begins to serve.
    ///
    /// # Errors
    /// Where the system has no randomness to give.
    pub fn new() -> Result<Self, tls::Error> {
        let random = SystemRandom::new();
        let current = Key::generate(HMAC_SHA256, &random)
            .map_err(|_| tls::Error::new("the system gives no randomness", "check `/dev/urandom`"))?;
        let keys = Keys { number: 1, current, previous: None, changed: Duration::ZERO };
        Ok(Self { random, begun: Instant::now(), keys: Mutex::new(keys) })
    }

    /// Seals a ticket for its holder.
    ///
    /// # Errors
    /// Where it has no JSON form, which is a bug.
    pub fn seal(&self, r#use: Use, holder: &Holder, ticket: &Ticket) -> Result<Bytes, Error> {
        self.seal_at(self.begun.elapsed(), r#use, holder, ticket)
    }

    /// What is under the seal, if it is this holder's, for this use, and not too old.
    ///
    /// # Errors
    /// [`Error::Invalid`], which says how to get another.
    pub fn open(&self, r#use: Use, holder: &Holder, handle: &[u8]) -> Result<Ticket, Error> {
        self.open_at(self.begun.elapsed(), r#use, holder, handle)
    }

    /// The same for a ticket that is in use already, which may be as old as it likes.
    pub fn in_use(&self, holder: &Holder, handle: &[u8]) -> Option<Ticket> {
        let sealed = self.read(handle)?;
        (sealed.r#use == Use::Ticket && sealed.holder == *holder).then_some(sealed.ticket)
    }

    fn seal_at(&self, now: Duration, r#use: Use, holder: &Holder, ticket: &Ticket) -> Result<Bytes, Error> {
        let made_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let sealed = Sealed { r#use, holder: holder.clone(), made_ms, ticket: ticket.clone() };
        let text = serde_json::to_vec(&sealed)
            .map_err(|_| Error::fault("the ticket could not be written", false, "tell the operator"))?;
        let mut keys = self.keys();
        keys.renew(now, &self.random);
        let number = keys.number.to_be_bytes();
        let tag = tag(&keys.current, number, &text);
        Ok([number.as_slice(), tag.as_ref(), &text].concat().into())
    }

    fn open_at(&self, now: Duration, r#use: Use, holder: &Holder, handle: &[u8]) -> Result<Ticket, Error> {
        let sealed = self.read(handle).ok_or_else(|| unusable(r#use, "was not made here, or was changed"))?;
        if sealed.r#use != r#use {
            return Err(unusable(r#use, "was made for another use"));
        }
        if sealed.holder != *holder {
            return Err(unusable(r#use, "was made for another caller"));
        }
        let age = now.saturating_sub(Duration::from_millis(sealed.made_ms));
        if age > r#use.life() {
            return Err(unusable(r#use, "has expired"));
        }
        Ok(sealed.ticket)
    }

    /// Nothing is parsed before the seal was found good.
    fn read(&self, handle: &[u8]) -> Option<Sealed> {
        let (number, rest) = handle.split_first_chunk::<NUMBER_BYTES>()?;
        let (tag, text) = rest.split_first_chunk::<TAG_BYTES>()?;
        let key = self.keys().numbered(u64::from_be_bytes(*number))?;
        hmac::verify(&key, &[number.as_slice(), text].concat(), tag).ok()?;
        serde_json::from_slice(text).ok()
    }

    /// Keys are changed in one step each, so they are good even where a holder of the lock stopped.
    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    /// A new key where the current one is old. Without randomness it stays, and seals are as good as before.
    fn renew(&mut self, now: Duration, random: &SystemRandom) {
        let age = now.saturating_sub(self.changed);
        if age < KEY_LIFE {
            return;
        }
        let Ok(next) = Key::generate(HMAC_SHA256, random) else {
            tracing::error!("the system gives no randomness for a new key");
            return;
        };
        let last = std::mem::replace(&mut self.current, next);
        self.previous = Some(last);
        self.number += 1;
        self.changed = now;
    }

    fn numbered(&self, number: u64) -> Option<Key> {
        match self.number.checked_sub(number)? {
            0 => Some(self.current.clone()),
            1 => self.previous.clone(),
            _ => None,
        }
    }
}

impl Use {
    fn life(self) -> Duration {
        match self {
            Self::Ticket => TICKET_LIFE,
            Self::Prepared => PREPARED_LIFE,
        }
    }
}

fn tag(key: &Key, number: [u8; NUMBER_BYTES], text: &[u8]) -> hmac::Tag {
    hmac::sign(key, &[number.as_slice(), text].concat())
}

fn unusable(r#use: Use, why: &str) -> Error {
    match r#use {
        Use::Ticket => {
            Error::invalid(format!("the ticket {why}"), "ask for the statement's FlightInfo again")
        }
        Use::Prepared => {
            Error::invalid(format!("the prepared statement {why}"), "prepare the statement again")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::request_id;
    use super::*;

    fn ticket(sql: &str) -> Ticket {
        let statement = Statement { id: request_id(), sql: sql.to_owned(), parameters: vec![] };
        Ticket { statement, pinned: Some("h".into()), options: SessionOptions::default() }
    }

    fn ann() -> Holder {
        Holder::of(Some(&Token::new("ann")), None)
    }

    fn says(opened: Result<Ticket, Error>) -> String {
        opened.unwrap_err().to_string()
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_ticket_is_good_for_its_holder_its_use_and_its_time() {
        let seals = Seals::new().unwrap();
        let made = ticket("SELECT 1");
        let handle = seals.seal_at(MINUTE, Use::Ticket, &ann(), &made).unwrap();
        let open = |at, r#use, holder: &Holder| seals.open_at(at, r#use, holder, &handle);
        assert_eq!(open(MINUTE + TICKET_LIFE, Use::Ticket, &ann()), Ok(made.clone()));
        let late = MINUTE + TICKET_LIFE + Duration::from_millis(1);
        assert_eq!(
            says(open(late, Use::Ticket, &ann())),
            "the ticket has expired; ask for the statement's FlightInfo again"
        );
        assert_eq!(seals.in_use(&ann(), &handle), Some(made), "what runs may be cancelled at any time");
        let peer = PeerCertificate { identity: "liquid://coordinator/demo".parse().unwrap() };
        let others = [
            Holder::of(Some(&Token::new("bob")), None),
            Holder::of(None, None),
            Holder::of(Some(&Token::new("ann")), Some(&peer)),
        ];
        for other in others {
            assert!(says(open(MINUTE, Use::Ticket, &other)).contains("another caller"));
            assert_eq!(seals.in_use(&other, &handle), None);
        }
        assert!(says(open(MINUTE, Use::Prepared, &ann())).contains("another use"));
        let elsewhere = Seals::new().unwrap();
        assert!(says(elsewhere.open_at(MINUTE, Use::Ticket, &ann(), &handle)).contains("not made here"));
    }

    #[test]
    fn keys_change_and_nothing_ends_before_its_time() {
        let seals = Seals::new().unwrap();
        let made = ticket("SELECT ?");
        let mut now = Duration::ZERO;
        let mut handles = Vec::new();
        for _ in 0..200 {
            handles.push((now, seals.seal_at(now, Use::Prepared, &ann(), &made).unwrap()));
            for (at, handle) in &handles {
                let good = seals.open_at(now, Use::Prepared, &ann(), handle).is_ok();
                assert_eq!(good, now - *at <= PREPARED_LIFE, "made at {at:?}, opened at {now:?}");
            }
            now += 7 * MINUTE;
        }
        let (_, first) = handles.first().unwrap();
        assert!(
            says(seals.open_at(now, Use::Prepared, &ann(), first)).contains("not made here"),
            "its key is gone"
        );
    }

    proptest! {
        #[test]
        fn a_changed_ticket_is_none(at in any::<prop::sample::Index>(), bit in 0..8u8, cut in any::<prop::sample::Index>()) {
            let seals = Seals::new().unwrap();
            let handle = seals.seal(Use::Ticket, &ann(), &ticket("SELECT 1")).unwrap();
            let mut changed = handle.to_vec();
            changed[at.index(handle.len())] ^= 1 << bit;
            prop_assert!(says(seals.open(Use::Ticket, &ann(), &changed)).contains("not made here"));
            prop_assert!(seals.open(Use::Ticket, &ann(), &handle[..cut.index(handle.len())]).is_err());
            prop_assert!(seals.in_use(&ann(), &changed).is_none());
        }
    }
}
