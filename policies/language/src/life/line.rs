//! How far the versions of one agreement have come: which have taken their place, and which of those no other one has replaced.
//!
//! Versions name those that they replace, so they are a directed graph without circles. A version *replaces* whatever one comes to
//! from it by those names. Only what stays true whatever is heard later makes a version take its place; whether it may
//! answer there is another question ([`Life::lacks`]), which what is heard later can change either way. So a version that has stood
//! is replaced by what names it, or nothing is answered.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::said::{OfVersion, Voice, ever_lacks, holds_until};
use super::{Life, Version};
use crate::diff::{Direction, compare};
use crate::document::Agreement;
use crate::id::{AgreementHash, AgreementId, OrganisationName};
use crate::signature::{Approval, Lack, is_signed_by};

/// The versions of one agreement that have taken their place.
#[derive(Default)]
pub(super) struct Line<'a> {
    /// Those that no other one of them replaces, that of the first day first.
    pub(super) ends: Vec<&'a Version>,
    taken: BTreeMap<&'a AgreementHash, Taken<'a>>,
}

struct Taken<'a> {
    version: &'a Version,
    /// What is missing for it to answer there, by the keys that count now.
    lacks: Vec<Lack>,
}

impl<'a> Line<'a> {
    /// All of them.
    pub(super) fn taken(&self) -> impl Iterator<Item = &'a Version> {
        self.taken.values().map(|it| it.version)
    }

    /// What is missing for the agreement to answer.
    pub(super) fn lacks(&self) -> Vec<Lack> {
        let ends = self.ends.iter().filter_map(|it| self.taken.get(it.agreement.hash()));
        let lacks = ends.flat_map(|it| it.lacks.iter().cloned());
        let choice = (self.ends.len() > 1).then_some(Lack::Choice);
        lacks.chain(choice).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl Life {
    /// What has come of each agreement by an instant.
    pub(super) fn lines(&self, now: DateTime<Utc>) -> Vec<Line<'_>> {
        let mut of_each: BTreeMap<&AgreementId, Line<'_>> = BTreeMap::new();
        for version in self.order.iter().filter_map(|hash| self.versions.get(hash)) {
            let line = of_each.entry(version.agreement.id()).or_default();
            if self.has_taken_its_place(version, line, now) {
                let lacks = self.lacks(version, line);
                line.taken.insert(version.agreement.hash(), Taken { version, lacks });
            }
        }
        let mut lines: Vec<Line<'_>> = of_each.into_values().filter(|it| !it.taken.is_empty()).collect();
        for line in &mut lines {
            let below = line.taken().flat_map(|version| self.below(version, |_| true));
            let replaced: BTreeSet<&AgreementHash> = below.map(|version| version.agreement.hash()).collect();
            line.ends = line.taken().filter(|it| !replaced.contains(it.agreement.hash())).collect();
            line.ends.sort_by_key(|it| by_first_day(&it.agreement));
        }
        lines
    }

    /// Whether a version has taken its place: agreed by all and active, or tightened alone. Nothing that is heard later makes this false.
    fn has_taken_its_place(&self, version: &Version, line: &Line<'_>, now: DateTime<Utc>) -> bool {
        if begins(version) {
            return true;
        }
        let Some(said) = self.said.of(version.agreement.hash()) else { return false };
        let rules: Vec<&Version> = self.named(version).chain([version]).collect();
        let may = |voice: &Voice| rules.iter().any(|rule| voice.ever.is_of_controller(&rule.agreement));
        let first_day = first_day(&version.agreement);
        let active = said.activated.iter().filter(|(_, voice)| may(voice));
        let active = active.map(|(at, voice)| ((*at).max(first_day), voice));
        let active = active.filter(|(at, voice)| *at <= now && voice.counted(*at));
        let (own, others): (Vec<_>, Vec<_>) =
            active.partition(|(_, voice)| voice.ever.organisation == self.here);
        let first = |active: &[(DateTime<Utc>, &Voice)]| active.iter().map(|(at, _)| *at).min();
        // What an operator placed needs nobody to activate it, and where it is the first, it waits for its day where it stands.
        let from = if self.is_first_placed(version) { DateTime::<Utc>::MIN_UTC } else { first_day };
        let placed = (version.placed && from <= now).then_some(from);
        let first_of_all = [first(&own), first(&others), placed].into_iter().flatten().min();
        let until = |holds: &dyn Fn(&[&Approval]) -> bool| holds_until(said.approved.iter(), holds);
        let by_all = |ever: &[&Approval]| self.is_agreed(version, ever, said);
        let alone = |ever: &[&Approval]| self.is_tightened(version, ever, said, line);
        first_of_all.is_some_and(|at| Some(at) < until(&by_all))
            || first(&own).is_some_and(|at| Some(at) < until(&alone))
    }

    /// Whether an operator placed a version, and none below it of which this site knows.
    fn is_first_placed(&self, version: &Version) -> bool {
        version.placed && !self.below(version, |_| true).iter().any(|it| it.placed)
    }

    /// Whether all have approved a version whom its own rule asks, and whom the rule asks of one below it on which all have agreed.
    /// Whoever says later that they wrote it takes no step back.
    pub(super) fn is_agreed(&self, version: &Version, approvals: &[&Approval], said: &OfVersion) -> bool {
        let signs = |rule: &Version| ever_lacks(&rule.agreement, approvals, said).is_empty();
        // Of any: that more of them are agreed on takes nothing away.
        let below = self.agreed_below.get(version.agreement.hash()).into_iter().flatten();
        let mut below = below.filter_map(|hash| self.versions.get(hash));
        signs(version) && (version.placed || self.may_begin(version) || below.any(signs))
    }

    /// Whether a first version that nobody has placed can begin a line: this site's own organisation is one of its controllers, so
    /// that nobody else opens its data, and it asks no less of that organisation's people than what the operator has placed, so that
    /// none of them opens it with a rule of their own.
    fn may_begin(&self, version: &Version) -> bool {
        let agreement = &version.agreement;
        let controls = |it: &Agreement| it.controllers().any(|it| *it == self.here);
        if !agreement.supersedes().is_empty() || !controls(agreement) {
            return false;
        }
        let placed = || self.versions.values().filter(|it| it.placed).map(|it| &*it.agreement);
        let mut own = placed().filter(|it| controls(it)).peekable();
        own.peek().is_some()
            && own.all(|placed| asks_no_less(agreement, placed, &self.here))
            && !placed().any(|it| it.id() == agreement.id())
    }

    /// Whether this site's own organisation has approved a version that only tightens one which has taken its place.
    fn is_tightened(
        &self,
        version: &Version,
        approvals: &[&Approval],
        said: &OfVersion,
        line: &Line<'_>,
    ) -> bool {
        let signs = |rule: &Agreement| {
            rule.controllers().any(|it| *it == self.here)
                && is_signed_by(&ever_lacks(rule, approvals, said), &self.here)
        };
        let tighter = |it: &Version| {
            line.taken.contains_key(it.agreement.hash()) && signs(&it.agreement) && only_tightens(it, version)
        };
        signs(&version.agreement) && self.named(version).any(tighter)
    }

    /// What is missing for a version that has taken its place to answer there: by the keys that count now.
    fn lacks(&self, version: &Version, line: &Line<'_>) -> Vec<Lack> {
        let by_all = self.agreed_lacks(version);
        if by_all.is_empty() {
            return by_all;
        }
        let said = self.said.of(version.agreement.hash());
        let voices = said.into_iter().flat_map(|said| &said.approved);
        let approvals: Vec<&Approval> = voices.filter_map(|voice| voice.now.as_ref()).collect();
        let alone = said.is_some_and(|said| self.is_tightened(version, &approvals, said, line));
        if !alone {
            return by_all;
        }
        let own = self.signed(version);
        let own = own.lacks().iter().filter(|_| !own.is_signed_by(&self.here)).cloned();
        let rests_on = version.agreement.supersedes().iter().flat_map(|hash| match line.taken.get(hash) {
            Some(it) if only_tightens(it.version, version) => it.lacks.clone(),
            Some(_) => vec![Lack::Choice],
            None => vec![Lack::Unheard],
        });
        let lacks: BTreeSet<Lack> = own.chain(rests_on).collect();
        lacks.into_iter().collect()
    }

    /// What the sign-off of a version lacks: by its own rule, by those of the versions that it names, and where they are not signed off
    /// themselves, by those of what they name.
    pub(super) fn agreed_lacks(&self, version: &Version) -> Vec<Lack> {
        let signed = self.signed(version);
        let lacks = self.asked_below(version).into_iter().flat_map(|it| signed.lacks_for(&it.agreement));
        let lacks: BTreeSet<Lack> = signed.lacks().iter().cloned().chain(lacks).collect();
        lacks.into_iter().collect()
    }

    /// Whether it lacks nothing.
    pub(super) fn lacks_nothing(&self, version: &Version) -> bool {
        let signed = self.signed(version);
        let below = || self.asked_below(version);
        signed.is_complete() && below().into_iter().all(|it| signed.lacks_for(&it.agreement).is_empty())
    }

    fn asked_below<'a>(&'a self, version: &'a Version) -> Vec<&'a Version> {
        // An operator vouches for what is placed first: that it follows what this site has never had.
        if self.is_first_placed(version) {
            return Vec::new();
        }
        self.below(version, |it| !self.is_good(it))
    }

    /// The versions whose rules say who lifts what stops an agreement where a version is at the end.
    pub(super) fn signing<'a>(&'a self, end: &'a Version) -> Vec<&'a Version> {
        let below = if self.is_good(end) { Vec::new() } else { self.below(end, |it| !self.is_good(it)) };
        [end].into_iter().chain(below).collect()
    }

    fn is_good(&self, version: &Version) -> bool {
        self.good.contains(version.agreement.hash())
    }

    /// The versions that one names as those that it replaces.
    pub(super) fn named<'a>(&'a self, version: &'a Version) -> impl Iterator<Item = &'a Version> {
        let named = version.agreement.supersedes().iter().filter_map(|hash| self.versions.get(hash));
        named.filter(|it| it.agreement.id() == version.agreement.id())
    }

    /// The versions to which one comes by those names, as far as they lead on.
    pub(super) fn below<'a>(
        &'a self,
        version: &'a Version,
        leads_on: impl Fn(&Version) -> bool,
    ) -> Vec<&'a Version> {
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        let mut to_look = vec![version];
        while let Some(from) = to_look.pop() {
            for it in self.named(from) {
                if seen.insert(it.agreement.hash()) {
                    found.push(it);
                    to_look.extend(leads_on(it).then_some(it));
                }
            }
        }
        found
    }
}

/// Whether an operator placed a version that replaces no other one: it stands as it is.
pub(super) fn begins(version: &Version) -> bool {
    version.placed && version.agreement.supersedes().is_empty()
}

fn first_day(agreement: &Agreement) -> DateTime<Utc> {
    agreement.in_force().start().and_time(NaiveTime::MIN).and_utc()
}

/// Whether one agreement asks as much as another one of the people of an organisation before it is signed off.
fn asks_no_less(agreement: &Agreement, other: &Agreement, organisation: &OrganisationName) -> bool {
    let roles = |agreement: &Agreement| agreement.approvers.get(organisation).cloned();
    let among = roles(other).is_none_or(|known| roles(agreement).is_some_and(|it| it.is_subset(&known)));
    let (own, known) = (&agreement.signoff, &other.signoff);
    among && own.roles_per_party >= known.roles_per_party && (known.author_may_sign || !own.author_may_sign)
}

/// In which order versions are told.
pub(super) fn by_first_day(agreement: &Agreement) -> (NaiveDate, &str, &AgreementHash) {
    (*agreement.in_force().start(), agreement.version(), agreement.hash())
}

/// Whether a version is no looser than another one, and says the same of everything but its rules: texts for the record bind all parties, so
/// nobody changes them alone.
fn only_tightens(old: &Version, new: &Version) -> bool {
    let (old, new) = (&*old.agreement, &*new.agreement);
    let ruled = |agreement: &Agreement| {
        let mut head = agreement.file().agreement.clone();
        let before = &old.file().agreement;
        (head.version, head.supersedes) = (before.version.clone(), before.supersedes.clone());
        (head.purposes, head.marking) = (before.purposes.clone(), before.marking.clone());
        (head.in_force, head.expires) = (before.in_force, before.expires);
        head.review.clone_from(&before.review);
        (head, agreement.file().party.clone())
    };
    let no_looser = || compare(old.file(), new.file()).verdict();
    ruled(old) == ruled(new) && matches!(no_looser(), Direction::Tightens | Direction::Same)
}
