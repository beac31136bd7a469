//! What was said of each version and each agreement, put in order once: by whom it counts, and each of it once.
//! Whoever says the same thing often, or speaks of what is not theirs to say, makes nobody look through it again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::Versions;
use crate::document::Agreement;
use crate::id::{AgreementHash, AgreementId, KeyId, OrganisationName, RoleName, StatementHash};
use crate::keyring::Keyring;
use crate::signature::{Approval, Lack, lacks};
use crate::statement::{Act, Statement};

/// All of it. Statements are meant by their number.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    versions: BTreeMap<AgreementHash, OfVersion>,
    suspensions: BTreeMap<AgreementId, Vec<(usize, StatementHash)>>,
    /// Who lifts each suspension.
    lifting: BTreeMap<StatementHash, Vec<Voice>>,
}

/// What was said of one version.
#[derive(Debug, Clone, Default)]
pub(super) struct OfVersion {
    /// By its parties.
    pub(super) written: Vec<Voice>,
    /// By controllers of any version of the agreement.
    pub(super) approved: Vec<Voice>,
    /// By the same; from when.
    pub(super) activated: Vec<(DateTime<Utc>, Voice)>,
}

/// Somebody with a key of this node's configuration, or one that was handed over, and what they said.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    pub(super) statement: usize,
    public: Vec<u8>,
    /// As if no key had been revoked: what has happened.
    pub(super) ever: Approval,
    /// Until when the key counted; none where it does.
    pub(super) until: Option<DateTime<Utc>>,
    /// By the keys that count now.
    pub(super) now: Option<Approval>,
}

impl Voice {
    fn new(number: usize, statement: &Statement, ring: &Keyring) -> Option<Self> {
        let key = ring.unrevoked().signer(statement).ok()?;
        Some(Self {
            statement: number,
            public: key.public.clone(),
            ever: Approval::new(statement, key),
            until: key.until,
            now: ring.signer(statement).ok().map(|key| Approval::new(statement, key)),
        })
    }

    /// Whether the key counted at an instant.
    pub(super) fn counted(&self, at: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| at < until)
    }
}

/// Whose voice it is: a key and the role in which it speaks, but for one that is bound to none, which is the same whatever role it
/// writes.
type Whose = (OrganisationName, KeyId, Vec<u8>, Option<RoleName>);

fn whose(voice: &Voice, statement: &Statement) -> Whose {
    let role = voice.ever.proved.then(|| statement.role.clone());
    (statement.organisation.clone(), statement.key_id.clone(), voice.public.clone(), role)
}

impl Said {
    pub(super) fn new(statements: &[Statement], ring: &Keyring, versions: &Versions) -> Self {
        let (mut said, mut seen) = (Self::default(), BTreeSet::new());
        let controllers = controllers(versions);
        // The earliest instant that somebody names counts, so that none that is heard later takes it back.
        let mut earliest: BTreeMap<_, (DateTime<Utc>, Voice)> = BTreeMap::new();
        for (number, statement) in statements.iter().enumerate() {
            let act = &statement.act;
            let of = act.agreement().map(|hash| versions.get(hash).map(|it| &*it.agreement));
            if of.is_some_and(|it| !it.is_some_and(|it| may_say(it, &controllers, statement))) {
                continue;
            }
            let Some(voice) = Voice::new(number, statement, ring) else { continue };
            let whose = whose(&voice, statement);
            match act {
                Act::Suspend { id } => {
                    said.suspensions.entry(id.clone()).or_default().push((number, statement.hash()));
                }
                Act::Activate { agreement, at } => {
                    let known = earliest.entry((agreement, whose)).or_insert((*at, voice.clone()));
                    if *at < known.0 {
                        *known = (*at, voice);
                    }
                }
                _ if !seen.insert((act, whose)) => {}
                Act::Write { agreement } => {
                    said.versions.entry(agreement.clone()).or_default().written.push(voice)
                }
                Act::Approve { agreement } => {
                    said.versions.entry(agreement.clone()).or_default().approved.push(voice);
                }
                _ => {}
            }
        }
        for ((agreement, ..), activation) in earliest {
            said.versions.entry(agreement.clone()).or_default().activated.push(activation);
        }
        said.lifts(statements, ring);
        said
    }

    fn lifts(&mut self, statements: &[Statement], ring: &Keyring) {
        let mut known: BTreeMap<StatementHash, &AgreementId> = BTreeMap::new();
        for (id, suspensions) in &self.suspensions {
            known.extend(suspensions.iter().map(|(_, hash)| (hash.clone(), id)));
        }
        let mut seen = BTreeSet::new();
        for (number, statement) in statements.iter().enumerate() {
            let Act::Resume { id, suspensions } = &statement.act else { continue };
            let Some(voice) = Voice::new(number, statement, ring) else { continue };
            for suspension in suspensions.iter().filter(|it| known.get(it) == Some(&id)) {
                if seen.insert((suspension, whose(&voice, statement))) {
                    self.lifting.entry(suspension.clone()).or_default().push(voice.clone());
                }
            }
        }
    }

    pub(super) fn of(&self, version: &AgreementHash) -> Option<&OfVersion> {
        self.versions.get(version)
    }

    pub(super) fn suspensions(&self, id: &AgreementId) -> &[(usize, StatementHash)] {
        self.suspensions.get(id).map_or(&[], Vec::as_slice)
    }

    /// What the sign-off of an agreement lacks before a suspension is lifted.
    pub(super) fn keep(&self, suspension: &StatementHash, agreement: &Agreement) -> Vec<Lack> {
        still_lacking(agreement, self.lifting.get(suspension).into_iter().flatten())
    }
}

/// Who controls any version of each agreement.
fn controllers(versions: &Versions) -> BTreeMap<&AgreementId, BTreeSet<&OrganisationName>> {
    let mut of_each: BTreeMap<&AgreementId, BTreeSet<&OrganisationName>> = BTreeMap::new();
    for version in versions.values() {
        of_each.entry(version.agreement.id()).or_default().extend(version.agreement.controllers());
    }
    of_each
}

/// Whether somebody's word on a version is theirs to say: parties write it; controllers of any version of the agreement approve and
/// activate it, since it can take the place of any.
fn may_say(
    version: &Agreement,
    controllers: &BTreeMap<&AgreementId, BTreeSet<&OrganisationName>>,
    statement: &Statement,
) -> bool {
    match statement.act {
        Act::Write { .. } => version.parties.contains_key(&statement.organisation),
        _ => controllers.get(version.id()).is_some_and(|it| it.contains(&statement.organisation)),
    }
}

/// What approvals lack of what a rule asks, whichever key was revoked since. Whoever says later that they wrote the version takes no step
/// back; whether it answers is another question.
pub(super) fn ever_lacks(rule: &Agreement, approvals: &[&Approval], said: &OfVersion) -> Vec<Lack> {
    let nobody = !rule.signoff.author_may_sign && said.written.is_empty();
    let signatures = lacks(rule, approvals.iter().copied(), None);
    nobody.then_some(Lack::Author).into_iter().chain(signatures).collect()
}

/// What those who all say one thing still lack of an agreement's sign-off, by the keys that count now.
pub(super) fn still_lacking<'a>(agreement: &Agreement, alike: impl Iterator<Item = &'a Voice>) -> Vec<Lack> {
    lacks(agreement, alike.filter_map(|voice| voice.now.as_ref()), None)
}

/// Until when something holds of what is said, by keys that counted: for ever, up to an instant, or never (none). It holds of
/// more wherever it holds of less.
pub(super) fn holds_until<'a>(
    said: impl Iterator<Item = &'a Voice> + Clone,
    holds: impl Fn(&[&Approval]) -> bool,
) -> Option<DateTime<Utc>> {
    let ends: BTreeSet<DateTime<Utc>> = said.clone().filter_map(|voice| voice.until).collect();
    let to = |end: &DateTime<Utc>| {
        let counting = said.clone().filter(|voice| voice.until.is_none_or(|until| until >= *end));
        holds(&counting.map(|voice| &voice.ever).collect::<Vec<_>>())
    };
    [DateTime::<Utc>::MAX_UTC].into_iter().chain(ends.into_iter().rev()).find(to)
}
