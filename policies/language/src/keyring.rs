//! Whose keys count: those of the node's configuration, and what their holders have said of them since.
//!
//! An organisation's key can hand over to another one (rotation): the new key has the same roles and stands for the same person,
//! and what the old one signed stays. Any key of an organisation can revoke any other one of it: then nothing that the revoked
//! one ever signed permits anything, since a thief can write any time into a statement, and neither does a key that it handed
//! over to, unless the configuration trusts that one by itself. What a revoked key has *stopped* stays stopped
//! ([`Keyring::unrevoked`]): taking a key away opens nothing.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::id::{KeyId, OrganisationName, RoleName};
use crate::statement::{Act, Statement, TrustedKey};

/// The keys that count.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    /// Several keys may have one name: nothing keeps a configuration from that, and each of them counts.
    keys: BTreeMap<(OrganisationName, KeyId), Vec<Key>>,
    revoked: BTreeSet<(OrganisationName, KeyId)>,
    /// The same keys as they were before anybody revoked one.
    before: Option<Box<Keyring>>,
    /// What is known of statements by now: checking a signature takes time.
    known: BTreeMap<Statement, Result<Key, Standing>>,
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
}

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
        let everything = Self::handed_over(trusted, statements, &BTreeSet::new());
        let revocations = statements.iter().filter_map(|statement| match &statement.act {
            Act::Revoke { revoked } if everything.signer(statement).is_ok() => {
                Some((statement.organisation.clone(), revoked.clone()))
            }
            _ => None,
        });
        let revoked: BTreeSet<_> = revocations.collect();
        let mut ring = Self { revoked: revoked.clone(), ..Self::handed_over(trusted, statements, &revoked) };
        ring.know(statements);
        let mut everything = everything;
        everything.know(statements);
        ring.before = Some(Box::new(everything));
        ring
    }

    fn know(&mut self, statements: &[Statement]) {
        self.known = statements.iter().map(|s| (s.clone(), self.check(s).cloned())).collect();
    }

    fn handed_over(
        trusted: &[TrustedKey],
        statements: &[Statement],
        revoked: &BTreeSet<(OrganisationName, KeyId)>,
    ) -> Self {
        let mut ring = Self::default();
        for key in trusted {
            let name = (key.organisation.clone(), key.key_id.clone());
            if let Ok(public) = STANDARD.decode(&key.public_key) {
                let roles = key.roles.clone();
                ring.add(name, Key { person: public.clone(), public, roles }, revoked);
            }
        }
        // What was handed over can be handed on: as often as there are statements at most. Nobody takes a name from another:
        // several keys of one name all count.
        loop {
            let next = statements.iter().find_map(|statement| match &statement.act {
                Act::HandOver { to, public_key } => {
                    let name = (statement.organisation.clone(), to.clone());
                    let from = ring.signer(statement).ok()?;
                    let public = STANDARD.decode(public_key).ok()?;
                    let is_known =
                        ring.keys.get(&name).is_some_and(|keys| keys.iter().any(|key| key.public == public));
                    let key = Key { public, roles: from.roles.clone(), person: from.person.clone() };
                    (!is_known && !revoked.contains(&name)).then_some((name, key))
                }
                _ => None,
            });
            let Some((name, key)) = next else { return ring };
            ring.add(name, key, revoked);
        }
    }

    fn add(
        &mut self,
        name: (OrganisationName, KeyId),
        key: Key,
        revoked: &BTreeSet<(OrganisationName, KeyId)>,
    ) {
        if !revoked.contains(&name) {
            self.keys.entry(name).or_default().push(key);
        }
    }

    /// The key that made a statement.
    ///
    /// # Errors
    /// Why none that counts has.
    pub fn signer(&self, statement: &Statement) -> Result<&Key, Standing> {
        match self.known.get(statement) {
            Some(known) => known.as_ref().map_err(|standing| *standing),
            None => self.check(statement),
        }
    }

    fn check(&self, statement: &Statement) -> Result<&Key, Standing> {
        let name = (statement.organisation.clone(), statement.key_id.clone());
        if self.revoked.contains(&name) {
            return Err(Standing::Revoked);
        }
        let keys = self.keys.get(&name).ok_or(Standing::Untrusted)?;
        let (message, signature) = (statement.message(), statement.bytes().ok_or(Standing::Broken)?);
        keys.iter()
            .find(|key| UnparsedPublicKey::new(&ED25519, &key.public).verify(&message, &signature).is_ok())
            .ok_or(Standing::Broken)
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

impl From<&[TrustedKey]> for Keyring {
    fn from(trusted: &[TrustedKey]) -> Self {
        Self::new(trusted, &[])
    }
}
