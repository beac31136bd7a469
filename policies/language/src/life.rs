//! Which version of an agreement stands at an instant: a pure function of the versions that a node holds, of what was said of
//! them, and of the time. Nothing else is remembered, so it does not matter in which order versions and statements came,
//! how often, or whether the node was restarted in between.
//!
//! A version names those that it replaces (`supersedes`): one as a rule, several where it brings ways together that had parted, or gives
//! up what some had signed. Going back is going on: to a new version with the text of an earlier one. Three things make a version take
//! its place:
//!
//! - an operator has *placed* it in the node's folder, and it is a first version;
//! - *all* have approved it whom its own rule asks, and the rule of a version below it, so that no controller drops out unasked;
//!   and a controller has activated it. Where an operator has placed it, its own rule is enough, and its first day counts;
//! - a controller has gone on to it *alone*, at its own node: it only tightens what has taken its place there.
//!
//! A first version that was proposed needs besides that the site's own organisation controls it, and that its rule asks no less of that
//! organisation's people than what the operator has placed.
//!
//! What has taken its place and is replaced by nothing else that has is an *end*. Where there is one, it stands; where there are several,
//! nothing is answered until all agree on a version that names them. And it answers only where everybody's signature is good, by the keys
//! that count now, whom its rule and the rules of all that it replaces ask.
//!
//! To have taken its place is for ever: nothing that is said or heard later undoes it. So a version that stood is replaced
//! by what names it and all have signed, or nothing is answered. What one person signs, with what date they like, can stop; it chooses nothing.
//!
//! One statement of one controller suspends the agreement, whatever its version, until the sign-off lifts that statement.
//!
//! What stood at an instant rests on the statements that the node had heard by then, and on none that it hears later; of texts it does not
//! matter when they came. A key that is revoked
//! takes no step back: the version that it signed stays at its end, and lacks signatures.

mod line;
mod resuming;
mod said;
mod status;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::document::Agreement;
use crate::id::{AgreementHash, OrganisationName, StatementHash};
use crate::keyring::Keyring;
use crate::signature::{Approval, Signed, is_signatory};
use crate::statement::{Statement, TrustedKey};

use line::Line;
use said::Said;
pub use status::{AgreementStatus, SaidBy, VersionStatus};

type Versions = BTreeMap<AgreementHash, Version>;

/// Everything that a node knows of its agreements.
#[derive(Debug, Clone)]
pub struct Life {
    versions: Versions,
    /// All of them, each after those that it names.
    order: Vec<AgreementHash>,
    /// Those on which all have agreed, whichever key was revoked since, active or not.
    ever_agreed: BTreeSet<AgreementHash>,
    /// Those of them to which one comes from each version.
    agreed_below: BTreeMap<AgreementHash, BTreeSet<AgreementHash>>,
    /// Those whose sign-off lacks nothing by the keys that count now.
    good: BTreeSet<AgreementHash>,
    statements: Vec<Statement>,
    said: Said,
    /// When the node has heard statements; nothing for those that an operator put there, which count from ever.
    heard: BTreeMap<Statement, DateTime<Utc>>,
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
        mut statements: Vec<Statement>,
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
        let said = Said::new(&statements, &ring, &held);
        let order = in_order(&held);
        let (ever_agreed, agreed_below, good) = Default::default();
        let trusted = trusted.to_vec();
        let life = Self {
            versions: held,
            order,
            ever_agreed,
            agreed_below,
            good,
            statements,
            said,
            heard,
            trusted,
            ring,
            here,
        };
        life.judged()
    }

    /// The same once it is known on which versions all have agreed: each rests on those that it names.
    fn judged(mut self) -> Self {
        for hash in self.order.clone() {
            let Some(version) = self.versions.get(&hash) else { continue };
            let mut below = BTreeSet::new();
            for named in self.named(version).map(|it| it.agreement.hash()) {
                below.extend(self.agreed_below.get(named).into_iter().flatten().cloned());
                below.extend(self.ever_agreed.get(named).cloned());
            }
            self.agreed_below.insert(hash.clone(), below);
            let Some(version) = self.versions.get(&hash) else { continue };
            let said = self.said.of(&hash);
            let ever = said.into_iter().flat_map(|said| &said.approved).map(|voice| &voice.ever);
            let ever: Vec<&Approval> = ever.collect();
            let agreed =
                line::begins(version) || said.is_some_and(|said| self.is_agreed(version, &ever, said));
            let good = self.lacks_nothing(version);
            self.ever_agreed.extend(agreed.then(|| hash.clone()));
            self.good.extend(good.then_some(hash));
        }
        self
    }

    /// The versions that stand now, signed or not, suspended or not: one for each line.
    pub fn heads(&self, now: DateTime<Utc>) -> Vec<Signed> {
        let life = self.by(now);
        life.lines(now).iter().filter_map(|line| life.standing(line)).collect()
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
        Cow::Owned(Self::new(versions, statements, &self.trusted, self.here.clone(), heard.collect()))
    }

    /// The version at a line's end, and what it lacks; where it has several ends, the one of the first day.
    fn standing(&self, line: &Line<'_>) -> Option<Signed> {
        let suspensions = self.suspensions(line).into_iter().cloned().collect();
        Some(self.signed(line.ends.first()?).lacking(line.lacks()).suspend(suspensions))
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

    /// What was said of a version.
    fn signed(&self, version: &Version) -> Signed {
        let agreement = &version.agreement;
        let said = self.said.of(agreement.hash()).into_iter();
        let voices = said.flat_map(|said| said.written.iter().chain(&said.approved));
        let said = voices.filter_map(|voice| self.statements.get(voice.statement));
        Signed::of(Arc::clone(agreement), said, &self.ring)
    }

    /// The suspensions that nobody has lifted, by controllers of what has taken its place or on which all have agreed: to lift them takes the
    /// sign-off of every end, and where that is not good, of what it rests on.
    fn suspensions(&self, line: &Line<'_>) -> Vec<&Statement> {
        let Some(id) = line.ends.first().map(|it| it.agreement.id()) else { return Vec::new() };
        let is_agreed = |it: &&Version| self.ever_agreed.contains(it.agreement.hash());
        let agreed = self.versions.values().filter(|it| it.agreement.id() == id).filter(is_agreed);
        let versions: Vec<&Version> = line.taken().chain(agreed).collect();
        let controls = |organisation: &OrganisationName| {
            versions.iter().any(|version| version.agreement.controllers().any(|it| it == organisation))
        };
        let signing: Vec<&Version> = line.ends.iter().flat_map(|end| self.signing(end)).collect();
        let is_lifted = |hash: &StatementHash| {
            signing.iter().all(|version| self.said.keep(hash, &version.agreement).is_empty())
        };
        let said = self.said.suspensions(id).iter();
        let known = said.filter_map(|(number, hash)| Some((self.statements.get(*number)?, hash)));
        let held = known.filter(|(it, hash)| controls(&it.organisation) && !is_lifted(hash));
        held.map(|(suspension, _)| suspension).collect()
    }
}

/// All versions, each after those that it names: hashes leave no circles.
fn in_order(versions: &Versions) -> Vec<AgreementHash> {
    let mut waits: BTreeMap<&AgreementHash, usize> = BTreeMap::new();
    let mut followers: BTreeMap<&AgreementHash, Vec<&AgreementHash>> = BTreeMap::new();
    for (hash, version) in versions {
        let named = version.agreement.supersedes().iter().filter(|it| versions.contains_key(*it));
        waits.insert(hash, named.clone().count());
        named.for_each(|before| followers.entry(before).or_default().push(hash));
    }
    let mut next: Vec<&AgreementHash> =
        waits.iter().filter(|(_, waits)| **waits == 0).map(|(hash, _)| *hash).collect();
    let mut order = Vec::new();
    while let Some(hash) = next.pop() {
        order.push(hash.clone());
        for follower in followers.get(hash).into_iter().flatten() {
            if let Some(waits) = waits.get_mut(follower) {
                *waits = waits.saturating_sub(1);
                next.extend((*waits == 0).then_some(*follower));
            }
        }
    }
    order
}
