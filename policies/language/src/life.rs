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
//! Nothing goes back by itself, and nothing is written into the past: whether a step was taken at an instant depends on what the
//! node had heard by then, by keys that counted then, and on nothing that it hears later. A key that is revoked takes no step
//! back: the version that it signed stays at the end of its line, and lacks signatures, until the sign-off of the last version
//! that is good without that key makes the way to it good.

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
    /// When the node has heard statements; nothing for those that an operator put there, which count from ever.
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
    /// The one at its beginning.
    first: &'a Version,
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
    /// The steps from the first version to this one.
    taken: Vec<Taken<'a>>,
}

/// A step that was taken.
struct Taken<'a> {
    to: &'a Version,
    way: Way,
}

/// How a step is agreed.
#[derive(Clone)]
enum Way {
    /// By the sign-off of the version.
    Agreed,
    /// By one controller, at its own node.
    Alone,
    /// By the sign-off of both versions, who said this.
    Back(Act),
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
        let ring = Keyring::heard(trusted, &statements, &heard);
        Self { versions: held, statements, heard, ring, here }
    }

    /// The versions that stand now, signed or not, suspended or not: one for each line.
    pub fn heads(&self, now: DateTime<Utc>) -> Vec<Signed> {
        self.lines(now)
            .into_iter()
            .map(|head| {
                let (good, owed) = self.good(&head);
                let suspensions = self.suspensions(&head, good).into_iter().cloned().collect();
                let signed = self.signed(head.version);
                let signed = match head.bases.first() {
                    // What all have signed permits no less.
                    Some(base) => signed.tightening(&self.signed(base), &self.here),
                    None => signed,
                };
                signed.owing(owed).suspend(suspensions)
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

    /// Whether a statement is by somebody who approves this agreement for a party, with a key that counts.
    pub fn is_of_approver(&self, agreement: &Agreement, statement: &Statement) -> bool {
        agreement.parties.contains_key(&statement.organisation)
            && is_signatory(agreement, statement, &self.ring)
    }

    fn signed(&self, version: &Version) -> Signed {
        Signed::verify(Arc::clone(&version.agreement), &self.statements, &self.ring)
    }

    fn lines(&self, now: DateTime<Utc>) -> Vec<Head<'_>> {
        let (placed, held): (Vec<_>, Vec<_>) =
            self.versions.values().filter(|version| self.begins(version)).partition(|version| version.placed);
        let placed_already =
            |version: &Version| placed.iter().any(|line| line.agreement.id() == version.agreement.id());
        let begun = held.into_iter().filter(|version| !placed_already(version));
        let begun = begun.filter_map(|version| Some((version, Some(self.begun(version, now)?))));
        let placed = placed.iter().map(|version| (*version, None));
        placed.chain(begun).map(|(root, since)| self.walk(root, since, now)).collect()
    }

    /// Since when a first version that nobody has placed begins a line: it is signed off and active, and this site's own
    /// organisation is one of its controllers, so that nobody else opens its data.
    fn begun(&self, version: &Version, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let agreement = &version.agreement;
        let controls = |organisation: &OrganisationName| agreement.controllers().any(|it| it == organisation);
        if agreement.supersedes().is_some() || !controls(&self.here) {
            return None;
        }
        let spoken = self.spoken(agreement);
        let begun = self.activations(agreement).filter_map(|(by, from)| {
            self.first(from, &spoken, |at, spoken| {
                let signed = Signed::verify(Arc::clone(agreement), spoken, self.ring.unrevoked());
                (signed.is_complete() && self.activates(by, agreement, at)).then_some(at)
            })
        });
        begun.filter(|at| *at <= now).min()
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

    /// Whether somebody who signs an agreement wanted something with a key that counted then.
    fn activates(&self, by: &Statement, agreement: &Agreement, at: DateTime<Utc>) -> bool {
        agreement.controllers().any(|controller| *controller == by.organisation)
            && is_signatory(agreement, by, self.ring.unrevoked())
            && self.ring.counted(by, at)
    }

    /// What was said of who wrote and who approves a version.
    fn spoken(&self, agreement: &Agreement) -> Vec<&Statement> {
        let wrote = Act::Write { agreement: agreement.hash().clone() };
        let approved = Act::Approve { agreement: agreement.hash().clone() };
        self.statements.iter().filter(|s| s.act == wrote || s.act == approved).collect()
    }

    /// The first instant from which on `found` finds something in what had been heard by then, by keys that counted then.
    fn first<T>(
        &self,
        from: DateTime<Utc>,
        said: &[&Statement],
        found: impl Fn(DateTime<Utc>, &[Statement]) -> Option<T>,
    ) -> Option<T> {
        let later = said.iter().filter_map(|statement| self.heard.get(*statement).copied());
        let instants: BTreeSet<DateTime<Utc>> = later.filter(|at| *at > from).chain([from]).collect();
        instants.into_iter().find_map(|at| {
            let by_then = |s: &&&Statement| self.heard.get(**s).is_none_or(|heard| *heard <= at);
            let counted = said.iter().filter(by_then).filter(|s| self.ring.counted(s, at));
            found(at, &counted.map(|s| (*s).clone()).collect::<Vec<_>>())
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
    fn walk<'a>(&'a self, root: &'a Version, since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Head<'a> {
        let mut head = Head {
            first: root,
            version: root,
            path: vec![],
            since,
            bases: vec![],
            left: BTreeMap::new(),
            taken: vec![],
        };
        // Each step needs a statement or a version of its own, at a later instant than the step before.
        for _ in 0..=self.statements.len() + self.versions.len() {
            let steps = self.forward(&head).into_iter().chain(self.back(&head));
            let due = steps.filter(|step| step.at <= now);
            let Some(step) = due.min_by_key(|step| (step.at, step.to.agreement.hash().clone())) else {
                break;
            };
            head = head.step(step);
        }
        head
    }

    /// The last version on the way to a head to which every step is good by the keys that count now, and what is missing for
    /// the head to be it.
    fn good<'a>(&self, head: &Head<'a>) -> (&'a Version, Vec<Lack>) {
        let (mut good, mut owed) = (head.first, Vec::new());
        for Taken { to, way } in &head.taken {
            let lacks = match way {
                // It rests on what is good before it, with the signatures of one.
                Way::Alone => continue,
                Way::Agreed => {
                    let signed = self.signed(to);
                    let before = signed.lacks_for(&good.agreement);
                    signed.lacks().iter().cloned().chain(before).collect::<Vec<_>>()
                }
                Way::Back(said) => [&to.agreement, &good.agreement]
                    .into_iter()
                    .flat_map(|agreement| self.lacking(agreement, said, &self.ring))
                    .collect(),
            };
            if lacks.is_empty() {
                good = to;
            }
            owed = lacks;
        }
        (good, owed)
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
        let left = head.left.get(to.agreement.hash());
        // After a rollback from it, what was approved before brings it back no more.
        let again = |s: &Statement| {
            is_author(&s.act) || left.is_none_or(|left| self.heard.get(s).unwrap_or(&s.time) > left)
        };
        let spoken: Vec<&Statement> =
            self.spoken(&to.agreement).into_iter().filter(|statement| again(statement)).collect();
        let way = |at: DateTime<Utc>, spoken: &[Statement], by: Option<&Statement>| {
            let signed = Signed::verify(Arc::clone(&to.agreement), spoken, self.ring.unrevoked());
            let wanted =
                by.is_none_or(|by| [current, &to.agreement].into_iter().any(|it| self.activates(by, it, at)));
            let agreed = signed.is_complete() && signed.satisfies(current);
            let alone = || {
                by.is_some_and(|by| by.organisation == self.here)
                    && current.controllers().any(|controller| *controller == self.here)
                    && to.agreement.supersedes() == Some(current.hash())
                    && signed.is_signed_by(&self.here)
                    && tightens(current, &to.agreement)
                    && same_record(current, &to.agreement)
            };
            match (wanted, agreed) {
                (true, true) => Some(Way::Agreed),
                (true, false) => alone().then_some(Way::Alone),
                (false, _) => None,
            }
        };
        let begins = to.agreement.in_force().start().and_time(NaiveTime::MIN).and_utc();
        let activated = self.activations(&to.agreement).map(|(by, at)| (Some(by), at.max(begins)));
        // A placed version needs nobody's activation, and may have a first day that is long gone.
        let placed = (to.placed && left.is_none()).then_some((None, begins));
        activated
            .chain(placed)
            .filter_map(|(by, from)| {
                self.first(head.after(from), &spoken, |at, spoken| {
                    way(at, spoken, by).map(|way| Step { to, at, way })
                })
            })
            .collect()
    }

    fn back<'a>(&'a self, head: &Head<'a>) -> Vec<Step<'a>> {
        let current = &head.version.agreement;
        let mut found = Vec::new();
        for to in &head.path {
            let of = |statement: &&Statement| {
                matches!(&statement.act, Act::Rollback { agreement, from, .. }
                    if agreement == to.agreement.hash() && from == current.hash())
            };
            // What was said of an earlier time at which the version stood is done, or given up.
            let since = |s: &&Statement| {
                self.heard.get(*s).is_none_or(|heard| head.since.is_none_or(|since| *heard > since))
            };
            let done = |act: &Act| {
                head.taken.iter().any(|taken| matches!(&taken.way, Way::Back(said) if said == act))
            };
            let said: Vec<&Statement> = self.statements.iter().filter(of).filter(since).collect();
            let acts: BTreeSet<&Act> = said.iter().map(|s| &s.act).filter(|act| !done(act)).collect();
            for act in acts {
                let Act::Rollback { at, .. } = act else { continue };
                let alike: Vec<&Statement> = said.iter().filter(|s| s.act == *act).copied().collect();
                found.extend(self.first(head.after(*at), &alike, |at, alike| {
                    let agreed = [&to.agreement, current]
                        .into_iter()
                        .all(|agreement| still_lacking(agreement, alike, self.ring.unrevoked()).is_empty());
                    agreed.then(|| Step { to, at, way: Way::Back(act.clone()) })
                }));
            }
        }
        found
    }

    /// What the sign-off of an agreement lacks before an act is agreed that several must say alike.
    fn lacking(&self, agreement: &Agreement, said: &Act, ring: &Keyring) -> Vec<Lack> {
        let alike: Vec<Statement> = self.statements.iter().filter(|s| s.act == *said).cloned().collect();
        still_lacking(agreement, &alike, ring)
    }

    /// The suspensions that nobody has lifted: that takes the sign-off of the version that stands, and of the last `good` one.
    fn suspensions<'a>(&'a self, head: &Head<'a>, good: &Version) -> Vec<&'a Statement> {
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
        let lifted = |suspension: &&Statement| {
            [head.version, good].iter().all(|version| self.lifted(id, suspension, &version.agreement))
        };
        suspended.filter(|suspension| !lifted(suspension)).collect()
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
    way: Way,
}

impl<'a> Head<'a> {
    /// The instant itself, or the first one after the last step.
    fn after(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        self.since.map_or(at, |since| at.max(since + chrono::Duration::nanoseconds(1)))
    }

    fn step(mut self, step: Step<'a>) -> Self {
        let left = self.version;
        if matches!(step.way, Way::Back(_)) {
            let target =
                self.path.iter().position(|version| version.agreement.hash() == step.to.agreement.hash());
            let since = self.path.iter().skip(target.map_or(0, |target| target + 1)).chain([&left]);
            let given_up: Vec<AgreementHash> =
                since.map(|version| version.agreement.hash().clone()).collect();
            self.left.extend(given_up.into_iter().map(|hash| (hash, step.at)));
            self.path.retain(|version| version.agreement.hash() != step.to.agreement.hash());
        }
        self.path.push(left);
        let bases = match step.way {
            Way::Alone => self.bases.into_iter().chain([left]).collect(),
            Way::Agreed | Way::Back(_) => Vec::new(),
        };
        self.taken.push(Taken { to: step.to, way: step.way });
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
