//! Whoever signs the agreements of a federation on one machine: a key for each role in which a party must sign, and one for
//! the author where an author may not sign.

use std::collections::{BTreeMap, BTreeSet};

use liquid_policy::document::Agreement;
use liquid_policy::id::{KeyId, OrganisationName, RoleName};
use liquid_policy::statement::{Act, Signer, Statement, TrustedKey};

use super::KEYS;
use crate::Error;
use crate::keys::{self, Key};

/// The role of those who sign where an agreement names none.
const OFFICER: &str = "data-protection-officer";
/// The role of those who write agreements and may not sign them.
const AUTHOR: &str = "author";

/// Somebody with a key.
pub(super) struct Person {
    pub(super) organisation: OrganisationName,
    pub(super) role: RoleName,
    pub(super) key_id: KeyId,
    pub(super) key: Key,
    /// Whether the key signs in that role alone.
    pub(super) bound: bool,
}

impl Person {
    /// Where the key lies.
    pub(super) fn file(&self) -> String {
        match self.bound {
            true => format!("{KEYS}/{}.{}.key", self.organisation, self.role),
            false => format!("{KEYS}/{}.key", self.organisation),
        }
    }

    /// The key as nodes trust it.
    pub(super) fn trusted(&self) -> TrustedKey {
        TrustedKey {
            organisation: self.organisation.clone(),
            key_id: self.key_id.clone(),
            public_key: self.key.public.clone(),
            retired: false,
            roles: self.bound.then(|| self.role.clone()).into_iter().collect(),
        }
    }

    fn say(&self, act: Act) -> Result<Statement, Error> {
        let signer = Signer {
            organisation: self.organisation.clone(),
            role: self.role.clone(),
            key_id: self.key_id.clone(),
            time: keys::now(),
        };
        Ok(self.key.signing()?.say(act, signer))
    }
}

/// A person for every role that the agreements need.
///
/// # Errors
/// Where no key can be made.
pub(super) fn people<'a>(
    agreements: impl Iterator<Item = &'a Agreement> + Clone,
) -> Result<Vec<Person>, Error> {
    let mut roles: BTreeMap<&OrganisationName, BTreeSet<RoleName>> = BTreeMap::new();
    for agreement in agreements.clone() {
        for controller in agreement.controllers() {
            let named = agreement.approvers(controller).cloned().unwrap_or_default();
            let needed = agreement.signoff().roles_per_party;
            let unnamed = (1..=needed).map(|number| RoleName::new(format!("{OFFICER}-{number}")));
            let roles = roles.entry(controller).or_default();
            roles.extend(named.iter().cloned());
            if named.is_empty() && needed > 1 {
                roles.extend(unnamed);
            }
        }
        if let Some(author) = agreement.controllers().next().filter(|_| !agreement.signoff().author_may_sign)
        {
            roles.entry(author).or_default().insert(RoleName::new(AUTHOR));
        }
    }
    let mut people = Vec::new();
    for (organisation, roles) in roles {
        let officer =
            roles.iter().all(|role| role.as_str() == AUTHOR).then_some((RoleName::new(OFFICER), false));
        let everybody = officer.into_iter().chain(roles.into_iter().map(|role| (role, true)));
        for (number, (role, bound)) in (1..).zip(everybody) {
            let key_id = KeyId::new(format!("{organisation}-{number}"));
            people.push(Person {
                organisation: organisation.clone(),
                role,
                key_id,
                key: Key::generate()?,
                bound,
            });
        }
    }
    Ok(people)
}

/// What is to be said of an agreement, so that it is signed off.
///
/// # Errors
/// Where a key cannot be used.
pub(super) fn sign_off(agreement: &Agreement, people: &[Person]) -> Result<Vec<Statement>, Error> {
    let hash = agreement.hash().clone();
    let mut said = Vec::new();
    for person in people {
        let is_author = person.role.as_str() == AUTHOR;
        if is_author && !agreement.signoff().author_may_sign {
            said.push(person.say(Act::Write { agreement: hash.clone() })?);
        }
        let signs = agreement.controllers().any(|controller| *controller == person.organisation);
        let named = agreement.approvers(&person.organisation);
        if signs && !is_author && named.is_none_or(|roles| roles.contains(&person.role)) {
            said.push(person.say(Act::Approve { agreement: hash.clone() })?);
        }
    }
    Ok(said)
}
