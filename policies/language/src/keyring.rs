//! Whose keys count: those of the node's configuration, and what their holders have said of them since.
//!
//! An organisation's key can hand over to another one (rotation): the new key has the same roles and stands for the same person,
//! and what the old one signed stays. Any key of an organisation can revoke any other one of it: then nothing that the revoked
//! one ever signed permits anything, since a thief can write any time into a statement, and neither does a key that it handed
//! over to, unless the configuration trusts that one by itself. What a revoked key has *stopped* stays stopped, and what has
//! happened by it has happened ([`Keyring::unrevoked`]): taking a key away opens nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::id::{KeyId, OrganisationName, RoleName};
use crate::statement::{Act, Statement, TrustedKey};

/// The keys that count.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    /// Several keys may have one name: nothing keeps a configuration from that, and each of them counts.
    keys: BTreeMap<Name, Vec<Key>>,
    revoked: BTreeSet<Name>,
    /// The same keys as they were before anybody revoked one.
    before: Option<Box<Keyring>>,
    /// What is known of statements by now: checking a signature takes time.
    known: BTreeMap<Statement, Result<Key, Standing>>,
    /// How many signatures were checked to make it.
    checks: usize,
}

/// Signatures that were checked: each takes time, and is asked for again and again while a ring is made.
#[derive(Default)]
struct Checks<'a>(RefCell<BTreeMap<(&'a Statement, Vec<u8>), bool>>);

impl<'a> Checks<'a> {
    fn made(&self, statement: &'a Statement, key: &Key) -> bool {
        let mut known = self.0.borrow_mut();
        *known.entry((statement, key.public.clone())).or_insert_with(|| signed(statement, key))
    }
}

/// Whether a key made a statement.
fn signed(statement: &Statement, key: &Key) -> bool {
    let Some(signature) = statement.bytes() else { return false };
    UnparsedPublicKey::new(&ED25519, &key.public).verify(&statement.message(), &signature).is_ok()
}

/// A key that counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The 32 bytes of its public half: whoever has several names for one key is still one.
    pub public: Vec<u8>,
    /// The roles that it may sign in.
    pub roles: BTreeSet<RoleName>,
    /// The public half of the key of the configuration from which it was handed over, itself as a rule: whoever hands over to
    /// a key of their own is still one person.
    pub person: Vec<u8>,
    /// When the node heard that it was revoked, or the one that handed over to it; none where it was not, or nobody knows when.
    pub until: Option<DateTime<Utc>>,
    /// Whether the configuration has retired it, or the one that handed over to it: then it revokes nothing any more.
    pub retired: bool,
}

type Name = (OrganisationName, KeyId);

/// How many keys of one person can bear one name; those that were heard first do.
const OF_ONE_NAME: usize = 8;

/// What a revocation does to a ring.
#[derive(Debug, Clone, Copy)]
enum Revoking {
    /// The key is not in it, nor what it handed over to.
    TakesAway,
    /// The key has an end.
    Ends,
}

/// Which keys are revoked, and since when as far as that is known.
type Revoked = BTreeMap<Name, Option<DateTime<Utc>>>;

/// What one statement is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A key that is trusted for its organisation made it.
    Valid,
    /// No key of that organisation and name is trusted here.
    Untrusted,
    /// The key was revoked.
    Revoked,
    /// The key is trusted, but did not sign this: what is said was changed, or the signature was.
    Broken,
}

impl Keyring {
    /// The keys of a configuration, as they stand after what was said of them.
    pub fn new(trusted: &[TrustedKey], statements: &[Statement]) -> Self {
        Self::heard(trusted, statements, &BTreeMap::new())
    }

    /// The same where it is known when the node has heard statements: who came first keeps a key, and a revocation ends it then.
    pub fn heard(
        trusted: &[TrustedKey],
        statements: &[Statement],
        heard: &BTreeMap<Statement, DateTime<Utc>>,
    ) -> Self {
        let mut given: Vec<&Statement> =
            statements.iter().filter(|s| matches!(s.act, Act::HandOver { .. })).collect();
        given.sort_by_key(|statement| (heard.get(statement), *statement));
        let checks = Checks::default();
        let ever = Self::handed_over(trusted, &given, &Revoked::new(), Revoking::Ends, &checks);
        let retired = trusted.iter().filter(|key| key.retired);
        let mut revoked: Revoked =
            retired.map(|key| ((key.organisation.clone(), key.key_id.clone()), None)).collect();
        for statement in statements {
            let Act::Revoke { revoked: key } = &statement.act else { continue };
            if ever.found(statement, |key| checks.made(statement, key)).is_ok() {
                let at = heard.get(statement).copied();
                let since = revoked.entry((statement.organisation.clone(), key.clone())).or_insert(at);
                *since = [*since, at].into_iter().flatten().min();
            }
        }
        let mut ring = Self::handed_over(trusted, &given, &revoked, Revoking::TakesAway, &checks);
        ring.revoked = revoked.keys().cloned().collect();
        ring.one_person_each(&given, &checks);
        ring.know(statements, &checks);
        let mut ever = Self::handed_over(trusted, &given, &revoked, Revoking::Ends, &checks);
        ever.know(statements, &checks);
        ring.before = Some(Box::new(ever));
        ring.checks = checks.0.borrow().len();
        ring
    }

    /// How many signatures were checked to make it: each at most once for each key of the name that it bears.
    pub fn checks(&self) -> usize {
        self.checks
    }

    fn know<'a>(&mut self, statements: &'a [Statement], checks: &Checks<'a>) {
        let known = |s: &'a Statement| self.found(s, |key| checks.made(s, key)).cloned();
        self.known = statements.iter().map(|s| (s.clone(), known(s))).collect();
    }

    fn handed_over<'a>(
        trusted: &[TrustedKey],
        given: &[&'a Statement],
        revoked: &Revoked,
        how: Revoking,
        checks: &Checks<'a>,
    ) -> Self {
        let mut ring = Self::default();
        let gone = |name: &Name| matches!(how, Revoking::TakesAway) && revoked.contains_key(name);
        let end = |name: &Name| revoked.get(name).copied().flatten();
        for key in trusted {
            let name = (key.organisation.clone(), key.key_id.clone());
            if let Ok(public) = STANDARD.decode(&key.public_key)
                && !gone(&name)
            {
                let (roles, until, retired) = (key.roles.clone(), end(&name), key.retired);
                ring.keys.entry(name).or_default().push(Key {
                    person: public.clone(),
                    public,
                    roles,
                    until,
                    retired,
                });
            }
        }
        // What was handed over can be handed on, in whichever order it is found. Nobody takes a name from another: several keys of
        // one name all count.
        let mut open: Vec<&Statement> = given.to_vec();
        loop {
            let before = open.len();
            open.retain(|statement| {
                let Ok(from) = ring.found(statement, |key| checks.made(statement, key)) else { return true };
                let Some((name, public)) = taken_over(statement).filter(|(name, _)| !gone(name)) else {
                    return false;
                };
                let until = [from.until, end(&name)].into_iter().flatten().min();
                let (roles, person, retired) = (from.roles.clone(), from.person.clone(), from.retired);
                let key = Key { public, roles, person, until, retired };
                let keys = ring.keys.entry(name).or_default();
                let of_one = keys.iter().filter(|known| known.person == key.person).count();
                match keys.iter_mut().find(|known| known.public == key.public) {
                    // Whoever else hands over to the same key, and was heard first, takes no role from it, and does not end it.
                    Some(known) if known.person != known.public => {
                        known.roles.extend(key.roles);
                        known.until = known.until.zip(key.until).map(|(one, other)| one.max(other));
                        known.retired &= key.retired;
                    }
                    Some(_) => {}
                    // Each statement that bears the name is held against all its keys.
                    None if of_one >= OF_ONE_NAME => {}
                    None => keys.push(key),
                }
                false
            });
            if open.len() == before {
                return ring;
            }
        }
    }

    /// Whoever hands over to a key is one person with it, also where the configuration has that key as well.
    fn one_person_each<'a>(&mut self, given: &[&'a Statement], checks: &Checks<'a>) {
        for statement in given {
            let Some((name, public)) = taken_over(statement) else { continue };
            let giver =
                self.found(statement, |key| checks.made(statement, key)).map(|key| key.person.clone());
            let Ok(giver) = giver else { continue };
            let taker = self.keys.get(&name).and_then(|keys| keys.iter().find(|key| key.public == public));
            let Some(taker) = taker.map(|key| key.person.clone()) else { continue };
            self.keys.values_mut().flatten().filter(|key| key.person == taker).for_each(|key| {
                key.person.clone_from(&giver);
            });
        }
    }

    /// The key that made a statement.
    ///
    /// # Errors
    /// Why none that counts has.
    pub fn signer(&self, statement: &Statement) -> Result<&Key, Standing> {
        match self.known.get(statement) {
            Some(known) => known.as_ref().map_err(|standing| *standing),
            None => self.found(statement, |key| signed(statement, key)),
        }
    }

    fn found(&self, statement: &Statement, made: impl Fn(&Key) -> bool) -> Result<&Key, Standing> {
        let name = (statement.organisation.clone(), statement.key_id.clone());
        if self.revoked.contains(&name) {
            return Err(Standing::Revoked);
        }
        let keys = self.keys.get(&name).ok_or(Standing::Untrusted)?;
        keys.iter().find(|key| made(key)).ok_or(Standing::Broken)
    }

    /// Whether a key may revoke another one: of two keys that revoke each other neither counts any more, whichever was heard first, so
    /// one that was revoked may; one that the configuration has retired may not.
    pub fn may_revoke(&self, statement: &Statement) -> bool {
        self.unrevoked().signer(statement).is_ok_and(|key| !key.retired)
    }

    /// Who made a statement, whichever of their keys they took, and whether or not it was revoked since.
    pub fn person(&self, statement: &Statement) -> Option<&[u8]> {
        let signer = self.signer(statement).or_else(|_| self.unrevoked().signer(statement));
        signer.ok().map(|key| key.person.as_slice())
    }

    /// The same keys as if none had been revoked: for what stops something, and for the order of what has happened.
    pub fn unrevoked(&self) -> &Self {
        self.before.as_deref().unwrap_or(self)
    }

    /// What a statement is worth.
    pub fn standing(&self, statement: &Statement) -> Standing {
        self.signer(statement).err().unwrap_or(Standing::Valid)
    }
}

/// The key to which somebody hands over.
fn taken_over(statement: &Statement) -> Option<(Name, Vec<u8>)> {
    let Act::HandOver { to, public_key } = &statement.act else { return None };
    Some(((statement.organisation.clone(), to.clone()), STANDARD.decode(public_key).ok()?))
}

impl From<&[TrustedKey]> for Keyring {
    fn from(trusted: &[TrustedKey]) -> Self {
        Self::new(trusted, &[])
    }
}
