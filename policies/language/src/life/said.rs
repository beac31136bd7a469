//! What was said of each version and each agreement, put in order once: by whom it counts, in which chapter, and each of it once.
//! Whoever says the same thing often, or speaks of what is not theirs to say, makes nobody look through it again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::Versions;
use crate::document::Agreement;
use crate::id::{AgreementHash, AgreementId, ChapterHash, KeyId, OrganisationName, RoleName, StatementHash};
use crate::keyring::Keyring;
use crate::signature::{Approval, Lack, lacks};
use crate::statement::{Act, Statement};

/// All of it. Statements are meant by their number.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    versions: BTreeMap<AgreementHash, OfVersion>,
    /// What is said alike by the rollbacks of each chapter, the first chapter under none, and who says so.
    rollbacks: BTreeMap<Option<ChapterHash>, BTreeMap<Act, Vec<Voice>>>,
    /// The chapters that the rollbacks of each would begin.
    begun: BTreeMap<Option<ChapterHash>, Vec<ChapterHash>>,
    suspensions: BTreeMap<AgreementId, Vec<(usize, StatementHash)>>,
    /// Who lifts each suspension.
    lifting: BTreeMap<StatementHash, Vec<Voice>>,
}

/// What was said of one version.
#[derive(Debug, Clone, Default)]
pub(super) struct OfVersion {
    /// By its parties.
    pub(super) written: Vec<Voice>,
    /// By those who sign it or the version before.
    pub(super) approved: Vec<Voice>,
    /// By the same; from when.
    pub(super) activated: Vec<(DateTime<Utc>, Voice)>,
}

/// Somebody with a key of this node's configuration, or one that was handed over, and what they said.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    pub(super) statement: usize,
    /// Whether an operator put the statement there.
    pub(super) placed: bool,
    pub(super) after: Option<ChapterHash>,
    public: Vec<u8>,
    /// When it was said, by the date of whoever says it.
    pub(super) first: DateTime<Utc>,
    /// When the same key, in the same role, said the same last.
    pub(super) last: DateTime<Utc>,
    /// As if no key had been revoked: what has happened.
    pub(super) ever: Approval,
    /// Until when the key counted; none where it does.
    pub(super) until: Option<DateTime<Utc>>,
    /// By the keys that count now.
    pub(super) now: Option<Approval>,
}

impl Voice {
    fn new((number, placed): (usize, bool), statement: &Statement, ring: &Keyring) -> Option<Self> {
        let key = ring.unrevoked().signer(statement).ok()?;
        Some(Self {
            statement: number,
            placed,
            after: statement.act.after().cloned(),
            public: key.public.clone(),
            first: statement.time,
            last: statement.time,
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
    pub(super) fn new(
        statements: &[Statement],
        ring: &Keyring,
        versions: &Versions,
        is_placed: impl Fn(&Statement) -> bool,
        heard: &BTreeMap<Statement, DateTime<Utc>>,
    ) -> Self {
        let (mut said, mut seen) = (Self::default(), BTreeSet::new());
        // The earliest instant that somebody names counts, so that none that is heard later takes it back.
        let mut earliest: BTreeMap<_, (DateTime<Utc>, Voice)> = BTreeMap::new();
        // What was placed goes before what says the same: a copy that is dated back does not hide it.
        let numbered = statements.iter().enumerate().map(|(number, it)| (number, is_placed(it), it));
        let (placed, mut sent): (Vec<_>, Vec<_>) = numbered.partition(|(_, placed, _)| *placed);
        // A rollback rests on when it was heard: a copy that comes later does not hide that.
        sent.sort_by_key(|(_, _, it)| heard.get(*it).filter(|_| matches!(it.act, Act::Rollback { .. })));
        let mut voices = Vec::new();
        let mut last: BTreeMap<(Act, Whose), DateTime<Utc>> = BTreeMap::new();
        for (number, placed, statement) in placed.into_iter().chain(sent) {
            let may = statement.act.agreement().is_none_or(|hash| may_say(versions, hash, statement));
            let Some(voice) = Voice::new((number, placed), statement, ring).filter(|_| may) else {
                continue;
            };
            let whose = whose(&voice, statement);
            let again = last.entry((alike(&statement.act), whose.clone())).or_insert(voice.first);
            *again = voice.first.max(*again);
            voices.push((number, statement, voice, whose));
        }
        for (number, statement, mut voice, whose) in voices {
            let act = &statement.act;
            voice.last = last.get(&(alike(act), whose.clone())).copied().unwrap_or(voice.first);
            match act {
                Act::Suspend { id } => {
                    said.suspensions.entry(id.clone()).or_default().push((number, statement.hash()));
                }
                Act::Activate { agreement, at, after } => {
                    let known = earliest.entry((agreement, after, whose)).or_insert((*at, voice.clone()));
                    if *at < known.0 {
                        *known = (*at, voice);
                    }
                }
                _ if !seen.insert((act, whose)) => {}
                Act::Write { agreement } => {
                    said.versions.entry(agreement.clone()).or_default().written.push(voice)
                }
                Act::Approve { agreement, .. } => {
                    said.versions.entry(agreement.clone()).or_default().approved.push(voice);
                }
                Act::Rollback { after, .. } => {
                    let of = said.rollbacks.entry(after.clone()).or_default();
                    if !of.contains_key(act) {
                        said.begun.entry(after.clone()).or_default().extend(act.begins());
                    }
                    of.entry(act.clone()).or_default().push(voice);
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
            let Some(voice) = Voice::new((number, false), statement, ring) else { continue };
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

    /// The rollbacks that would end a chapter.
    pub(super) fn rollbacks(
        &self,
        chapter: &Option<ChapterHash>,
    ) -> impl Iterator<Item = (&Act, &Vec<Voice>)> {
        self.rollbacks.get(chapter).into_iter().flatten()
    }

    /// The chapters to which a rollback leads: the one that it begins, and all that follow upon it.
    pub(super) fn led_to(&self, back: &Act) -> BTreeSet<ChapterHash> {
        let (mut led_to, mut to_follow) = (BTreeSet::new(), back.begins().into_iter().collect::<Vec<_>>());
        while let Some(chapter) = to_follow.pop() {
            if led_to.insert(chapter.clone()) {
                to_follow.extend(self.begun.get(&Some(chapter)).into_iter().flatten().cloned());
            }
        }
        led_to
    }

    /// The rollbacks of all chapters.
    pub(super) fn all_rollbacks(&self) -> impl Iterator<Item = (&Act, &Vec<Voice>)> {
        self.rollbacks.values().flatten()
    }

    pub(super) fn suspensions(&self, id: &AgreementId) -> &[(usize, StatementHash)] {
        self.suspensions.get(id).map_or(&[], Vec::as_slice)
    }

    /// What the sign-off of an agreement lacks before a suspension is lifted.
    pub(super) fn keep(&self, suspension: &StatementHash, agreement: &Agreement) -> Vec<Lack> {
        still_lacking(agreement, self.lifting.get(suspension).into_iter().flatten())
    }
}

/// An act as it is said again: an activation at any instant is the same.
fn alike(act: &Act) -> Act {
    match act {
        Act::Activate { agreement, after, .. } => {
            Act::Activate { agreement: agreement.clone(), after: after.clone(), at: DateTime::<Utc>::MIN_UTC }
        }
        other => other.clone(),
    }
}

/// Whether somebody's word on a version is theirs to say: parties write it; those who sign it or the version before approve and
/// activate it; who must agree to go back to it is seen when they have.
fn may_say(versions: &Versions, hash: &AgreementHash, statement: &Statement) -> bool {
    let Some(version) = versions.get(hash) else { return false };
    let before = version.agreement.supersedes().and_then(|hash| versions.get(hash));
    let controls = |agreement: &Agreement| agreement.controllers().any(|it| *it == statement.organisation);
    match statement.act {
        Act::Write { .. } => version.agreement.parties.contains_key(&statement.organisation),
        Act::Rollback { .. } => true,
        _ => [Some(version), before].into_iter().flatten().any(|version| controls(&version.agreement)),
    }
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
