//! The way through one chapter, from version to version: what all have agreed on, and what this site's own organisation tightens alone.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveTime, Utc};

use super::said::{OfVersion, Voice, holds_until};
use super::walk::{Taken, Way};
use super::{Life, Version};
use crate::diff::tightens;
use crate::document::Agreement;
use crate::id::ChapterHash;
use crate::signature::{Approval, Lack, is_signed_by, lacks};

/// Where a chapter leads.
pub(super) struct End<'a> {
    /// Where a controller went ahead alone: the version that all have signed, and those that tighten it since, but for the last.
    pub(super) bases: Vec<&'a Version>,
    pub(super) version: &'a Version,
    pub(super) taken: Vec<Taken<'a>>,
    /// Where ways part: the next version on each.
    pub(super) parted: Vec<&'a Version>,
    /// Where each of them leads; where none part, the version alone.
    pub(super) ends: Vec<&'a Version>,
}

/// The version of which all have agreed that it stands, or one to which this site's own organisation can go ahead from there alone.
struct Tip<'a> {
    version: &'a Version,
    since: DateTime<Utc>,
    /// The number of the tip that it tightens; none for the first.
    before: Option<usize>,
}

impl Life {
    /// Follows a chapter from a version on, and adds what all have agreed on to `agreed`.
    pub(super) fn onward<'a>(
        &'a self,
        base: &'a Version,
        since: DateTime<Utc>,
        chapter: &Option<ChapterHash>,
        now: DateTime<Utc>,
        agreed: &mut Vec<&'a Version>,
    ) -> End<'a> {
        let mut tips = vec![Tip { version: base, since, before: None }];
        let mut ways: Vec<(usize, &'a Version, End<'a>)> = Vec::new();
        let mut number = 0;
        while let Some(&Tip { version: tip, since, .. }) = tips.get(number) {
            for to in self.followers(tip) {
                let Some(said) = self.said.of(to.agreement.hash()) else { continue };
                if let Some(at) = due((base, tip, to), said, (chapter, since, now)) {
                    agreed.push(to);
                    ways.push((number, to, self.onward(to, at, chapter, now, agreed)));
                } else if let Some(at) = self.alone(tip, to, said, (chapter, since, now)) {
                    tips.push(Tip { version: to, since: at, before: Some(number) });
                }
            }
            number += 1;
        }
        if ways.len() > 1 {
            let parted = ways.iter().map(|(_, to, _)| *to).collect();
            // What was tightened alone beside them ends where it is, too.
            let lead_on: BTreeSet<usize> = tips.iter().filter_map(|tip| tip.before).collect();
            let mut on_the_way: BTreeSet<usize> = BTreeSet::new();
            for (from, ..) in &ways {
                let back = |tip: &usize| tips.get(*tip).and_then(|tip| tip.before);
                on_the_way.extend(std::iter::successors(Some(*from), back));
            }
            let beside = tips.iter().enumerate().skip(1);
            let beside = beside.filter(|(at, _)| !lead_on.contains(at) && !on_the_way.contains(at));
            let beside: Vec<&Version> = beside.map(|(_, tip)| tip.version).collect();
            let ends = ways.into_iter().flat_map(|(.., end)| end.ends).chain(beside).collect();
            return End { bases: Vec::new(), version: base, taken: Vec::new(), parted, ends };
        }
        match ways.pop() {
            Some(way) => self.take(base, way, &tips, chapter),
            None => alone_to(base, &tips),
        }
    }

    /// Takes the one way on which all have agreed, past what this site's own organisation has tightened beside it: where the
    /// organisation has approved what lies on the way after that. Otherwise nothing tells which of the two it wants.
    fn take<'a>(
        &self,
        base: &'a Version,
        (from, to, mut end): (usize, &'a Version, End<'a>),
        tips: &[Tip<'a>],
        chapter: &Option<ChapterHash>,
    ) -> End<'a> {
        let on_the_way: Vec<usize> =
            std::iter::successors(Some(from), |tip| tips.get(*tip).and_then(|tip| tip.before)).collect();
        let beside = tips.iter().enumerate().filter(|(number, _)| !on_the_way.contains(number));
        let approved_after = |beside: &Version| {
            let further = end.taken.iter().map(|step| step.to);
            [to].into_iter().chain(further).any(|step| self.approved_after(base, step, beside, chapter))
        };
        let open: Vec<&Version> =
            beside.map(|(_, tip)| tip.version).filter(|beside| !approved_after(beside)).collect();
        if open.is_empty() {
            end.taken.insert(0, Taken { to, way: Way::Agreed });
            return end;
        }
        let parted = [to].into_iter().chain(open.iter().copied()).collect();
        let ends = end.ends.into_iter().chain(open).collect();
        End { bases: Vec::new(), version: base, taken: Vec::new(), parted, ends }
    }

    /// Whether this site's own organisation, as the rule of `base` has it sign, has approved one version after anybody of it
    /// approved the other one.
    fn approved_after(
        &self,
        base: &Version,
        version: &Version,
        other: &Version,
        chapter: &Option<ChapterHash>,
    ) -> bool {
        let approvals = |version: &Version| {
            let said = self.said.of(version.agreement.hash());
            let approved = said.into_iter().flat_map(|said| &said.approved);
            let own = approved.filter(|it| it.after == *chapter && it.ever.organisation == self.here);
            own.filter_map(|it| Some((&it.ever, self.statements.get(it.statement)?.time))).collect::<Vec<_>>()
        };
        // Whoever of the organisation approved it: what somebody else of it had approved before tells nothing.
        let last = approvals(other).into_iter().map(|(_, time)| time).max();
        let later = approvals(version).into_iter().filter(|(_, time)| last.is_none_or(|last| last < *time));
        is_signed_by(&lacks(&base.agreement, later.map(|(approval, _)| approval), None), &self.here)
    }

    /// What this site's own organisation has said to go to a version: approvals and activations.
    pub(super) fn own_words(&self, version: &Version) -> impl Iterator<Item = &Voice> {
        let said = self.said.of(version.agreement.hash()).into_iter();
        let all = said.flat_map(|it| it.approved.iter().chain(it.activated.iter().map(|(_, voice)| voice)));
        all.filter(|voice| voice.ever.organisation == self.here)
    }

    /// The versions of the same agreement that name one as the one before.
    fn followers(&self, version: &Version) -> impl Iterator<Item = &Version> {
        let followers = self.followers.get(version.agreement.hash());
        followers.into_iter().flatten().filter_map(|hash| self.versions.get(hash))
    }

    /// When this site's own organisation goes ahead alone to a version that only tightens.
    fn alone(
        &self,
        tip: &Version,
        to: &Version,
        said: &OfVersion,
        (chapter, since, now): (&Option<ChapterHash>, DateTime<Utc>, DateTime<Utc>),
    ) -> Option<DateTime<Utc>> {
        let (before, after) = (&*tip.agreement, &*to.agreement);
        if !before.controllers().any(|controller| *controller == self.here) {
            return None;
        }
        let approved = said.approved.iter().filter(|voice| voice.after == *chapter);
        let until =
            holds_until(approved, |approvals| is_signed_by(&ever_lacks(after, approvals, said), &self.here))?;
        let signing = [before, after];
        let own = activated(said, chapter, &signing, since)
            .filter(|(at, voice)| voice.ever.organisation == self.here && *at < until && *at <= now);
        let at = own.map(|(at, _)| at).min()?;
        (tightens(before, after) && same_record(before, after)).then_some(at)
    }
}

/// How far one goes alone: to what is tighter than all else to which one could go from there. Where nothing is, ways part.
fn alone_to<'a>(base: &'a Version, tips: &[Tip<'a>]) -> End<'a> {
    let (mut bases, mut version, mut at) = (Vec::new(), base, 0);
    let mut taken = Vec::new();
    loop {
        let next: Vec<(usize, &Version)> = tips
            .iter()
            .enumerate()
            .filter(|(_, tip)| tip.before == Some(at))
            .map(|(number, tip)| (number, tip.version))
            .collect();
        let is_tightest = |(number, to): &&(usize, &Version)| {
            next.iter().all(|(other, it)| other == number || tightens(&it.agreement, &to.agreement))
        };
        let Some((number, to)) = next.iter().find(is_tightest) else {
            let parted: Vec<&Version> = next.into_iter().map(|(_, to)| to).collect();
            let ends = if parted.is_empty() { vec![version] } else { parted.clone() };
            return End { bases, version, taken, parted, ends };
        };
        bases.push(version);
        taken.push(Taken { to, way: Way::Alone });
        (version, at) = (*to, *number);
    }
}

/// From when a version stands on which all have agreed, by its own rule, by that of the version before and that of the last one on which
/// they had.
fn due(
    (base, tip, to): (&Version, &Version, &Version),
    said: &OfVersion,
    (chapter, since, now): (&Option<ChapterHash>, DateTime<Utc>, DateTime<Utc>),
) -> Option<DateTime<Utc>> {
    let until = whole_until(said, chapter, &to.agreement, &[&base.agreement, &tip.agreement])?;
    let signing = [&*tip.agreement, &*to.agreement];
    let activated = activated(said, chapter, &signing, since).map(|(at, _)| at);
    // What an operator placed needs none.
    let placed = to.placed.then(|| first_day(&to.agreement).max(since));
    activated.chain(placed).filter(|at| *at < until && *at <= now).min()
}

pub(super) fn first_day(agreement: &Agreement) -> DateTime<Utc> {
    agreement.in_force().start().and_time(NaiveTime::MIN).and_utc()
}

/// What approvals lacked, whoever says later that they wrote the version: that takes no step back. Whether it answers is another question.
fn ever_lacks(agreement: &Agreement, approvals: &[&Approval], said: &OfVersion) -> Vec<Lack> {
    let nobody = !agreement.signoff.author_may_sign && said.written.is_empty();
    let signatures = lacks(agreement, approvals.iter().copied(), None);
    nobody.then_some(Lack::Author).into_iter().chain(signatures).collect()
}

/// Until when a version is signed off in a chapter, by its own rule and by those of versions before: found once for all instants
/// at which somebody wants it active.
pub(super) fn whole_until(
    said: &OfVersion,
    chapter: &Option<ChapterHash>,
    agreement: &Agreement,
    before: &[&Agreement],
) -> Option<DateTime<Utc>> {
    let approved = said.approved.iter().filter(|voice| voice.after == *chapter);
    holds_until(approved, |approvals: &[&Approval]| {
        [agreement].iter().chain(before).all(|rule| ever_lacks(rule, approvals, said).is_empty())
    })
}

/// Who wants a version active in a chapter, with a key that counts then, and from when.
pub(super) fn activated<'a>(
    said: &'a OfVersion,
    chapter: &'a Option<ChapterHash>,
    signing: &'a [&'a Agreement],
    since: DateTime<Utc>,
) -> impl Iterator<Item = (DateTime<Utc>, &'a Voice)> {
    let begins = signing.last().map_or(since, |to| first_day(to));
    let of = said.activated.iter().filter(|(_, voice)| voice.after == *chapter);
    let may = of.filter(|(_, voice)| signing.iter().any(|it| voice.ever.is_of_controller(it)));
    let may = may.map(move |(at, voice)| ((*at).max(begins).max(since), voice));
    may.filter(|(at, voice)| voice.counted(*at))
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
