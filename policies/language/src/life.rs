//! Which version of an agreement stands at an instant: a pure function of the versions that a node holds, of what was said of
//! them, and of the time. Nothing else is remembered, so it does not matter in which order versions and statements came,
//! how often, or whether the node was restarted in between.
//!
//! A *placed* version was put into the node's folder by its operator. One that replaces no other known one begins a line and
//! stands as it is; so does a first version that was proposed, where it is signed off, active, the site's own organisation is
//! a controller of it, and its rule asks no less of that organisation's people than what the operator has placed. From there,
//! versions follow one another:
//!
//! - *forward* to a version that names the one before (`supersedes`), at the instant at which a controller has activated it,
//!   or, if it was placed too, on its first day in force. It must be signed off, by the rule of the version before as well, so
//!   that no controller drops out unasked.
//! - *alone*: a controller goes forward at its own node to a version that only tightens, signed off by that controller.
//! - *back* to an earlier version at an instant, where the sign-off of both versions says so, and that of the version which stands.
//!   With that a *chapter* ends. In the next one only what names it counts: everything is approved anew.
//!
//! What was said is ordered by what was signed, never by when it was heard, so that nodes which have heard the same agree, however
//! late it came. Where all have agreed on several ways on from one version, and where on several rollbacks of one chapter, nothing is
//! answered until all say which one it is: what one person signs, with what date they like, chooses nothing.
//!
//! One statement of one controller suspends the agreement, whatever its version, until the sign-off lifts that statement.
//!
//! What stood at an instant rests on what the node had heard by then, and on nothing that it hears later. A key that is revoked
//! takes no step back: the version that it signed stays at the end of its line, and lacks signatures, until the sign-off of the
//! last version that is good without that key makes the way to it good.

mod onward;
mod resuming;
mod said;
mod stands_by;
mod status;
mod walk;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::document::Agreement;
use crate::id::{AgreementHash, ChapterHash, OrganisationName, StatementHash};
use crate::keyring::Keyring;
use crate::signature::{Lack, Signed, is_signatory, lacks};
use crate::statement::{Statement, TrustedKey};

use said::{Said, still_lacking};
pub use status::{AgreementStatus, Chapter, Rollback, SaidBy, VersionStatus};
use walk::{Head, Taken, Way};

type Versions = BTreeMap<AgreementHash, Version>;

/// Everything that a node knows of its agreements.
#[derive(Debug, Clone)]
pub struct Life {
    versions: Versions,
    /// The versions that name one as the one before.
    followers: BTreeMap<AgreementHash, BTreeSet<AgreementHash>>,
    /// Those to which a line leads from one that was placed, approved or not.
    rooted: BTreeSet<AgreementHash>,
    statements: Vec<Statement>,
    said: Said,
    /// When the node has heard statements; nothing for those that an operator put there, which count from ever.
    heard: BTreeMap<Statement, DateTime<Utc>>,
    /// What an operator put there, heard or not.
    placed: BTreeSet<Statement>,
    trusted: Vec<TrustedKey>,
    ring: Keyring,
    here: OrganisationName,
}

#[derive(Debug, Clone)]
struct Version {
    agreement: Arc<Agreement>,
    placed: bool,
}

impl Default for Life {
    fn default() -> Self {
        Self::new([], vec![], &[], "".into(), BTreeMap::new())
    }
}

impl Life {
    /// Puts together versions (`true` where placed), statements in any order, and the keys of the configuration of a node of the
    /// organisation `here`. Statements by keys that do not count are kept for [`Self::status`] alone.
    pub fn new(
        versions: impl IntoIterator<Item = (Arc<Agreement>, bool)>,
        statements: Vec<Statement>,
        trusted: &[TrustedKey],
        here: OrganisationName,
        heard: BTreeMap<Statement, DateTime<Utc>>,
    ) -> Self {
        let placed = statements.iter().filter(|it| !heard.contains_key(*it)).cloned().collect();
        Self::placing(versions, (statements, placed), trusted, here, heard)
    }

    /// The same where some of the statements were both heard and put there by the operator.
    pub fn placing(
        versions: impl IntoIterator<Item = (Arc<Agreement>, bool)>,
        (mut statements, placed): (Vec<Statement>, BTreeSet<Statement>),
        trusted: &[TrustedKey],
        here: OrganisationName,
        heard: BTreeMap<Statement, DateTime<Utc>>,
    ) -> Self {
        let mut held = Versions::new();
        for (agreement, placed) in versions {
            let version =
                held.entry(agreement.hash().clone()).or_insert(Version { agreement, placed: false });
            version.placed |= placed;
        }
        statements.sort();
        statements.dedup();
        let ring = Keyring::heard(trusted, &statements, &heard);
        let said = Said::new(&statements, &ring, &held, |it| placed.contains(it), &heard);
        let mut followers: BTreeMap<AgreementHash, BTreeSet<AgreementHash>> = BTreeMap::new();
        for (hash, version) in &held {
            let before = version.agreement.supersedes().and_then(|before| held.get(before));
            if let Some(before) = before.filter(|before| before.agreement.id() == version.agreement.id()) {
                followers.entry(before.agreement.hash().clone()).or_default().insert(hash.clone());
            }
        }
        let mut rooted = BTreeSet::new();
        let mut to_follow: Vec<&AgreementHash> =
            held.iter().filter(|(_, version)| version.placed).map(|(hash, _)| hash).collect();
        while let Some(hash) = to_follow.pop() {
            if rooted.insert(hash.clone()) {
                to_follow.extend(followers.get(hash).into_iter().flatten());
            }
        }
        let trusted = trusted.to_vec();
        Self { versions: held, followers, rooted, statements, said, heard, placed, trusted, ring, here }
    }

    /// The versions that stand now, signed or not, suspended or not: one for each line.
    pub fn heads(&self, now: DateTime<Utc>) -> Vec<Signed> {
        let life = self.by(now);
        life.lines(now).iter().map(|head| life.standing(head)).collect()
    }

    /// The same as it was known at an instant: what is heard later says nothing of what stood then.
    fn by(&self, now: DateTime<Utc>) -> Cow<'_, Self> {
        let later = |statement: &Statement| self.heard.get(statement).is_some_and(|heard| *heard > now);
        if !self.heard.values().any(|heard| *heard > now) {
            return Cow::Borrowed(self);
        }
        let versions = self.versions.values().map(|it| (Arc::clone(&it.agreement), it.placed));
        let statements = self.statements.iter().filter(|it| !later(it)).cloned().collect();
        let heard =
            self.heard.iter().filter(|(_, heard)| **heard <= now).map(|(s, heard)| (s.clone(), *heard));
        let said = (statements, self.placed.clone());
        Cow::Owned(Self::placing(versions, said, &self.trusted, self.here.clone(), heard.collect()))
    }

    /// The version at a line's end, and what it lacks.
    fn standing(&self, head: &Head<'_>) -> Signed {
        let (good, owed) = self.good(head);
        let suspensions = self.suspensions(head, good).into_iter().cloned().collect();
        let signed = self.signed(head.version, head.since_agreed(head.version.agreement.hash()));
        let signed = match head.bases.first() {
            // What all have signed permits no less.
            Some(base) => {
                let base = self.signed(base, head.since_agreed(base.agreement.hash()));
                signed.tightening(&base, &self.here)
            }
            None => signed,
        };
        signed.owing(owed).owing(head.open.clone()).suspend(suspensions)
    }

    /// The keys that count.
    pub fn ring(&self) -> &Keyring {
        &self.ring
    }

    /// When the last of the statements was heard.
    pub fn last_heard(&self) -> Option<DateTime<Utc>> {
        self.heard.values().max().copied()
    }

    /// What was heard by keys of which this node knows nothing any more, not even that they were retired: it may have stopped something.
    pub fn of_nobody(&self) -> impl Iterator<Item = &Statement> {
        self.heard.keys().filter(|statement| self.ring.unrevoked().signer(statement).is_err())
    }

    /// What was heard.
    pub fn heard(&self) -> impl Iterator<Item = &Statement> {
        self.heard.keys()
    }

    /// All versions that are held.
    pub fn versions(&self) -> impl Iterator<Item = &Arc<Agreement>> {
        self.versions.values().map(|version| &version.agreement)
    }

    /// A version by its hash.
    pub fn version(&self, hash: &AgreementHash) -> Option<&Arc<Agreement>> {
        self.versions.get(hash).map(|version| &version.agreement)
    }

    /// All statements that are known.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Whether a statement is by somebody who approves this agreement for a party, with a key that counts.
    pub fn is_of_approver(&self, agreement: &Agreement, statement: &Statement) -> bool {
        agreement.parties.contains_key(&statement.organisation)
            && is_signatory(agreement, statement, &self.ring)
    }

    /// What was said of a version in some chapters.
    fn signed(&self, version: &Version, chapters: &[Option<ChapterHash>]) -> Signed {
        let agreement = &version.agreement;
        let (written, approved) =
            self.said.of(agreement.hash()).map(|it| (&it.written, &it.approved)).unzip();
        let approved = approved.into_iter().flatten().filter(|voice| chapters.contains(&voice.after));
        let voices = written.into_iter().flatten().chain(approved);
        let said = voices.filter_map(|voice| self.statements.get(voice.statement));
        Signed::of(Arc::clone(agreement), said, &self.ring)
    }

    /// Whether no version that this one could follow is known here. One that is only held cannot stand, so it cannot hold back the
    /// one that was placed.
    fn begins(&self, version: &Version) -> bool {
        !version.agreement.supersedes().is_some_and(|before| {
            self.rooted.contains(before)
                && self.followers.get(before).is_some_and(|it| it.contains(version.agreement.hash()))
        })
    }

    /// The last version on the way to a head to which every step is good by the keys that count now, and what is missing for
    /// the head to be it.
    fn good<'a>(&'a self, head: &Head<'a>) -> (&'a Version, Vec<Lack>) {
        let (mut good, mut owed) = (head.first, Vec::new());
        for Taken { to, way } in &head.taken {
            let lacks = match way {
                // It rests on what is good before it, with the signatures of one.
                Way::Alone => continue,
                Way::Agreed => {
                    let signed = self.signed(to, head.since_agreed(to.agreement.hash()));
                    let before = signed.lacks_for(&good.agreement);
                    signed.lacks().iter().cloned().chain(before).collect::<Vec<_>>()
                }
                Way::Back { said, ends, .. } => {
                    let signing = [to, &good].into_iter().chain(ends);
                    signing.flat_map(|it| still_lacking(&it.agreement, said.iter())).collect()
                }
            };
            if lacks.is_empty() {
                good = to;
            }
            owed = lacks;
        }
        (good, owed)
    }

    /// The suspensions that nobody has lifted: that takes the sign-off of the version that stands, and of the last `good` one.
    fn suspensions(&self, head: &Head<'_>, good: &Version) -> Vec<&Statement> {
        // Also of a version on which all agreed in a chapter that was given up since.
        let id = head.version.agreement.id();
        let of_it = self.versions.values().filter(|it| it.agreement.id() == id && self.was_agreed(it));
        let versions: Vec<&Version> = head.line().chain(of_it).collect();
        let controls = |organisation: &OrganisationName| {
            versions.iter().any(|version| version.agreement.controllers().any(|it| it == organisation))
        };
        let is_lifted = |hash: &StatementHash| {
            [head.version, good].iter().all(|version| self.said.keep(hash, &version.agreement).is_empty())
        };
        let said = self.said.suspensions(id).iter();
        let known = said.filter_map(|(number, hash)| Some((self.statements.get(*number)?, hash)));
        let held = known.filter(|(it, hash)| controls(&it.organisation) && !is_lifted(hash));
        held.map(|(suspension, _)| suspension).collect()
    }
    /// Whether all have approved a version whom its rule asks, in whatever chapters.
    fn was_agreed(&self, version: &Version) -> bool {
        let approved = self.said.of(version.agreement.hash()).into_iter().flat_map(|said| &said.approved);
        lacks(&version.agreement, approved.map(|voice| &voice.ever), None).is_empty()
    }
}
