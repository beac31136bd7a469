//! Which version of an agreement stands at an instant: a pure function of the versions that a node holds, of what was said of
//! them, and of the time. Nothing else is remembered, so it does not matter in which order versions and statements came,
//! how often, or whether the node was restarted in between.
//!
//! A *placed* version was put into the node's folder by its operator. One that replaces no other known one begins a line and
//! stands as it is; so does a first version that was proposed, where it is signed off, active, and the site's own organisation is
//! a controller of it. From there, versions follow one another:
//!
//! - *forward* to a version that names the one before (`supersedes`), at the instant at which a controller has activated it,
//!   or, if it was placed too, on its first day in force. It must be signed off, by the rule of the version before as well, so
//!   that no controller drops out unasked. After a rollback from it, only later approvals count.
//! - *alone*: a controller goes forward at its own node to a version that only tightens, signed off by that controller.
//! - *back* to an earlier version at an instant, where the sign-off of both versions says so.
//!
//! One statement of one controller suspends the agreement, whatever its version, until the sign-off lifts that statement.
//!
//! Nothing goes back by itself. A key that is revoked takes nothing out of what has happened: the version that it signed stays
//! at the end of its line, and lacks signatures. An activation counts from when the node has heard it, whatever instant it names,
//! so none is written into the past.

mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveTime, Utc};

use crate::diff::tightens;
use crate::document::Agreement;
use crate::id::{AgreementHash, AgreementId, OrganisationName};
use crate::keyring::Keyring;
use crate::signature::{Lack, Signed, is_signatory, still_lacking};
use crate::statement::{Act, Statement, TrustedKey};

pub use status::{AgreementStatus, SaidBy, VersionStatus};

/// Everything that a node knows of its agreements.
#[derive(Debug, Clone)]
pub struct Life {
    versions: BTreeMap<AgreementHash, Version>,
    statements: Vec<Statement>,
    /// When the node has heard activations; nothing for those that lay beside a placed file.
    heard: BTreeMap<Statement, DateTime<Utc>>,
    ring: Keyring,
    here: OrganisationName,
}

#[derive(Debug, Clone)]
struct Version {
    agreement: Arc<Agreement>,
    placed: bool,
}

/// The version that stands at the end of a line.
struct Head<'a> {
    version: &'a Version,
    /// The versions that came before on the way here, the first one first.
    path: Vec<&'a Version>,
    /// Since when; none for the first of a line.
    since: Option<DateTime<Utc>>,
    /// Where a controller went ahead alone: the version that all have signed, and those that tighten it since. A follower may
    /// still name any of them as the one before.
    bases: Vec<&'a Version>,
    /// Of versions that were left by a rollback, when.
    left: BTreeMap<AgreementHash, DateTime<Utc>>,
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
        mut statements: Vec<Statement>,
        trusted: &[TrustedKey],
        here: OrganisationName,
        heard: BTreeMap<Statement, DateTime<Utc>>,
    ) -> Self {
        let mut held: BTreeMap<AgreementHash, Version> = BTreeMap::new();
        for (agreement, placed) in versions {
            let version =
                held.entry(agreement.hash().clone()).or_insert(Version { agreement, placed: false });
            version.placed |= placed;
        }
        statements.sort();
        statements.dedup();
        let ring = Keyring::new(trusted, &statements);
        Self { versions: held, statements, heard, ring, here }
    }

    /// The versions that stand now, signed or not, suspended or not: one for each line.
    pub fn heads(&self, now: DateTime<Utc>) -> Vec<Signed> {
        self.lines(now)
            .into_iter()
            .map(|head| {
                let suspensions = self.suspensions(&head).into_iter().cloned().collect();
                let signed = self.signed(head.version).suspend(suspensions);
                match head.bases.first() {
                    // What all have signed permits no less.
                    Some(base) => signed.tightening(&self.signed(base), &self.here),
                    None => signed,
                }
            })
            .collect()
    }

    /// The keys that count.
    pub fn ring(&self) -> &Keyring {
        &self.ring
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

    fn signed(&self, version: &Version) -> Signed {
        Signed::verify(Arc::clone(&version.agreement), &self.statements, &self.ring)
    }

    fn lines(&self, now: DateTime<Utc>) -> Vec<Head<'_>> {
        let (placed, held): (Vec<_>, Vec<_>) =
            self.versions.values().filter(|version| self.begins(version)).partition(|version| version.placed);
        let begun = held.into_iter().filter(|version| {
            !placed.iter().any(|line| line.agreement.id() == version.agreement.id())
                && self.has_begun(version, now)
        });
        placed.iter().copied().chain(begun).map(|root| self.walk(root, now)).collect()
    }

    /// A first version that nobody has placed begins a line where it is signed off and active, and this site's own organisation
    /// is one of its controllers: nobody else opens its data.
    fn has_begun(&self, version: &Version, now: DateTime<Utc>) -> bool {
        let agreement = &version.agreement;
        let controls = |organisation: &OrganisationName| agreement.controllers().any(|it| it == organisation);
        agreement.supersedes().is_none()
            && controls(&self.here)
            && Signed::verify(Arc::clone(agreement), &self.statements, self.ring.unrevoked()).is_complete()
            && self.activations(agreement).any(|(by, at)| {
                controls(&by.organisation) && is_signatory(agreement, by, self.ring.unrevoked()) && at <= now
            })
    }

    /// Who wants a version active, and from when it can be.
    fn activations(&self, agreement: &Agreement) -> impl Iterator<Item = (&Statement, DateTime<Utc>)> {
        self.statements.iter().filter_map(|statement| match &statement.act {
            Act::Activate { agreement: hash, at } if hash == agreement.hash() => {
                let from = self.heard.get(statement).map_or(*at, |heard| (*at).max(*heard));
                self.ring.unrevoked().signer(statement).is_ok().then_some((statement, from))
            }
            _ => None,
        })
    }

    /// Whether no version that this one could follow is known here.
    fn begins(&self, version: &Version) -> bool {
        let before = version.agreement.supersedes().and_then(|hash| self.versions.get(hash));
        // A version that is only held cannot stand, so it cannot hold back the one that was placed.
        !before.is_some_and(|before| {
            before.agreement.id() == version.agreement.id() && self.can_stand(before, &mut BTreeSet::new())
        })
    }

    /// Whether a line leads to a version at all, approved or not.
    fn can_stand<'a>(&'a self, version: &'a Version, seen: &mut BTreeSet<&'a AgreementHash>) -> bool {
        let before = version.agreement.supersedes().and_then(|hash| self.versions.get(hash));
        seen.insert(version.agreement.hash())
            && (version.placed || before.is_some_and(|before| self.can_stand(before, seen)))
    }

    /// Follows a line from its first version to the one that stands now.
    fn walk<'a>(&'a self, root: &'a Version, now: DateTime<Utc>) -> Head<'a> {
        let mut head =
            Head { version: root, path: vec![], since: None, bases: vec![], left: BTreeMap::new() };
        // Each step needs a statement or a version of its own, at a later instant than the step before.
        for _ in 0..=self.statements.len() + self.versions.len() {
            let steps = self.forward(&head).into_iter().chain(self.back(&head));
            let due = steps.filter(|step| step.at <= now && head.since.is_none_or(|since| step.at > since));
            let Some(step) = due.min_by_key(|step| (step.at, step.to.agreement.hash().clone())) else {
                break;
            };
            head = head.step(step);
        }
        head
    }

    fn forward<'a>(&'a self, head: &Head<'a>) -> Vec<Step<'a>> {
        let current = &head.version.agreement;
        let follows = |hash: &AgreementHash| {
            hash == current.hash() || head.bases.iter().any(|base| base.agreement.hash() == hash)
        };
        let successors = self.versions.values().filter(|version| {
            version.agreement.id() == current.id() && version.agreement.supersedes().is_some_and(follows)
        });
        successors.flat_map(|to| self.steps_to(head, to)).collect()
    }

    /// The instants at which the line may go forward to a version.
    fn steps_to<'a>(&'a self, head: &Head<'a>, to: &'a Version) -> Vec<Step<'a>> {
        let current = &head.version.agreement;
        let approvals: Vec<Statement> = match head.left.get(to.agreement.hash()) {
            None => self.statements.clone(),
            Some(left) => {
                self.statements.iter().filter(|s| is_author(&s.act) || s.time > *left).cloned().collect()
            }
        };
        let signed = Signed::verify(Arc::clone(&to.agreement), &approvals, self.ring.unrevoked());
        let agreed = signed.is_complete() && signed.satisfies(current);
        let alone = !agreed
            && current.controllers().any(|controller| *controller == self.here)
            && to.agreement.supersedes() == Some(current.hash())
            && signed.is_signed_by(&self.here)
            && tightens(current, &to.agreement)
            && same_record(current, &to.agreement);
        if !agreed && !alone {
            return Vec::new();
        }
        let may = |by: &Statement| {
            let signs = |it: &Agreement| {
                it.controllers().any(|controller| *controller == by.organisation)
                    && is_signatory(it, by, self.ring.unrevoked())
            };
            (!alone || by.organisation == self.here) && (signs(current) || signs(&to.agreement))
        };
        let activated = self.activations(&to.agreement).filter(|(by, _)| may(by)).map(|(_, at)| at);
        let begins = to.agreement.in_force().start().and_time(NaiveTime::MIN).and_utc();
        let placed = (to.placed && agreed && !head.left.contains_key(to.agreement.hash())).then_some(begins);
        // Nothing stands before its first day, and a placed version may have a first day that is long gone.
        let after = |at: DateTime<Utc>| {
            head.since.map_or(at, |since| at.max(since + chrono::Duration::nanoseconds(1)))
        };
        let placed = placed.map(after);
        activated
            .map(|at| at.max(begins))
            .chain(placed)
            .map(|at| Step { to, at, alone, back: false })
            .collect()
    }

    fn back<'a>(&'a self, head: &Head<'a>) -> Vec<Step<'a>> {
        let current = &head.version.agreement;
        let mut found = Vec::new();
        for to in &head.path {
            let instants: BTreeSet<DateTime<Utc>> = self
                .statements
                .iter()
                .filter_map(|statement| match &statement.act {
                    Act::Rollback { agreement, from, at }
                        if agreement == to.agreement.hash() && from == current.hash() =>
                    {
                        Some(*at)
                    }
                    _ => None,
                })
                .collect();
            for at in instants {
                let said = Act::Rollback {
                    agreement: to.agreement.hash().clone(),
                    from: current.hash().clone(),
                    at,
                };
                let agreed = [&to.agreement, current]
                    .into_iter()
                    .all(|agreement| self.lacking(agreement, &said, self.ring.unrevoked()).is_empty());
                if agreed {
                    found.push(Step { to, at, alone: false, back: true });
                }
            }
        }
        found
    }

    /// What the sign-off of an agreement lacks before an act is agreed that several must say alike.
    fn lacking(&self, agreement: &Agreement, said: &Act, ring: &Keyring) -> Vec<Lack> {
        let alike: Vec<Statement> = self.statements.iter().filter(|s| s.act == *said).cloned().collect();
        still_lacking(agreement, &alike, ring)
    }

    /// The suspensions that nobody has lifted.
    fn suspensions<'a>(&'a self, head: &Head<'a>) -> Vec<&'a Statement> {
        let id = head.version.agreement.id();
        let line: Vec<&Version> = head.path.iter().copied().chain([head.version]).collect();
        let controls = |organisation: &OrganisationName| {
            line.iter().any(|version| version.agreement.controllers().any(|it| it == organisation))
        };
        let suspended = self.statements.iter().filter(|statement| {
            matches!(&statement.act, Act::Suspend { id: suspended } if suspended == id)
                && controls(&statement.organisation)
                && self.ring.unrevoked().signer(statement).is_ok()
        });
        suspended.filter(|suspension| !self.lifted(id, suspension, &head.version.agreement)).collect()
    }

    fn lifted(&self, id: &AgreementId, suspension: &Statement, agreement: &Agreement) -> bool {
        let hash = suspension.hash();
        let lifting: Vec<Statement> = self
            .statements
            .iter()
            .filter(|statement| {
                matches!(&statement.act, Act::Resume { id: resumed, suspensions } if resumed == id && suspensions.contains(&hash))
            })
            .cloned()
            .collect();
        still_lacking(agreement, &lifting, &self.ring).is_empty()
    }
}

/// A way forward or back that is agreed.
struct Step<'a> {
    to: &'a Version,
    at: DateTime<Utc>,
    alone: bool,
    back: bool,
}

impl<'a> Head<'a> {
    fn step(mut self, step: Step<'a>) -> Self {
        let left = self.version;
        if step.back {
            let target =
                self.path.iter().position(|version| version.agreement.hash() == step.to.agreement.hash());
            let since = self.path.iter().skip(target.map_or(0, |target| target + 1)).chain([&left]);
            let given_up: Vec<AgreementHash> =
                since.map(|version| version.agreement.hash().clone()).collect();
            self.left.extend(given_up.into_iter().map(|hash| (hash, step.at)));
            self.path.retain(|version| version.agreement.hash() != step.to.agreement.hash());
        }
        self.path.push(left);
        let bases = match step.alone {
            true => self.bases.into_iter().chain([left]).collect(),
            false => Vec::new(),
        };
        Self { version: step.to, since: Some(step.at), bases, ..self }
    }
}

fn is_author(act: &Act) -> bool {
    matches!(act, Act::Write { .. })
}

/// Whether two versions say the same but for their rules: texts for the record bind all parties, so nobody changes them alone.
fn same_record(old: &Agreement, new: &Agreement) -> bool {
    let ruled = |agreement: &Agreement| {
        let mut head = agreement.file().agreement.clone();
        let before = &old.file().agreement;
        (head.version, head.supersedes) = (before.version.clone(), before.supersedes.clone());
        (head.purposes, head.marking) = (before.purposes.clone(), before.marking.clone());
        (head.in_force, head.expires) = (before.in_force, before.expires);
        head.review.clone_from(&before.review);
        (head, agreement.file().party.clone())
    };
    ruled(old) == ruled(new)
}
