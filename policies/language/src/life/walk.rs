//! The way from the first version of a line to the one that stands: chapter by chapter, and in each of them from version to version.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveTime, Utc};

use super::said::{OfVersion, Voice, holds_until};
use super::{Life, Version};
use crate::diff::tightens;
use crate::document::Agreement;
use crate::id::{AgreementHash, ChapterHash};
use crate::signature::{Approval, Lack, is_signed_by, lacks};
use crate::statement::Act;

/// The version that stands at the end of a line.
pub(super) struct Head<'a> {
    /// The one at its beginning.
    pub(super) first: &'a Version,
    pub(super) version: &'a Version,
    /// Where a controller went ahead alone: the version that all have signed, and those that tighten it since. A follower may
    /// still name any of them as the one before.
    pub(super) bases: Vec<&'a Version>,
    /// The steps from the first version to this one.
    pub(super) taken: Vec<Taken<'a>>,
    /// What a rollback lacks that those have agreed on whom it names, and not all whom the version at the end has.
    pub(super) open: Vec<Lack>,
    /// The rollback that began this chapter, and when; none in the first one.
    pub(super) chapter: Option<(ChapterHash, DateTime<Utc>)>,
    /// All chapters up to this one.
    chapters: Vec<Option<ChapterHash>>,
    /// The versions on which all have agreed, in which of the chapters last.
    agreed: BTreeMap<&'a AgreementHash, (&'a Version, usize)>,
    /// On how much all have agreed since this chapter began.
    built: usize,
}

/// A step that was taken.
#[derive(Clone)]
pub(super) struct Taken<'a> {
    pub(super) to: &'a Version,
    pub(super) way: Way<'a>,
}

/// How a step is agreed.
#[derive(Clone)]
pub(super) enum Way<'a> {
    /// By the sign-off of the version.
    Agreed,
    /// By one controller, at its own node.
    Alone,
    /// By the sign-off of both versions: who said so.
    Back(&'a [Voice]),
}

/// The way to the beginning of a chapter.
#[derive(Clone)]
struct Trail<'a> {
    first: &'a Version,
    /// With which version the chapter begins, and when.
    base: &'a Version,
    since: DateTime<Utc>,
    chapters: Vec<Option<ChapterHash>>,
    agreed: BTreeMap<&'a AgreementHash, (&'a Version, usize)>,
    taken: Vec<Taken<'a>>,
}

/// Where a chapter leads.
struct End<'a> {
    bases: Vec<&'a Version>,
    version: &'a Version,
    taken: Vec<Taken<'a>>,
    /// How many steps all have agreed on.
    built: usize,
}

impl<'a> Head<'a> {
    /// Every version of the line that all have agreed on, and those to which one controller has gone alone.
    pub(super) fn line(&self) -> impl Iterator<Item = &'a Version> {
        let alone = self.bases.iter().copied().chain([self.version]);
        self.agreed.values().map(|(version, _)| *version).chain(alone)
    }

    /// The chapters whose approvals speak for a version: since it was agreed on, or this one.
    pub(super) fn since_agreed(&self, version: &AgreementHash) -> &[Option<ChapterHash>] {
        let last = self.chapters.len().saturating_sub(1);
        let from = self.agreed.get(version).map_or(last, |(_, chapter)| *chapter);
        self.chapters.get(from..).unwrap_or_default()
    }

    /// The same for a version of which nothing else is known: one that was left by a rollback, or never stood, has this chapter.
    pub(super) fn speaking(&self, version: &Version, life: &Life) -> &[Option<ChapterHash>] {
        let mut on_the_way = Some(self.version);
        while let Some(known) = on_the_way {
            if known.agreement.hash() == version.agreement.hash() {
                return self.since_agreed(version.agreement.hash());
            }
            on_the_way = known.agreement.supersedes().and_then(|before| life.versions.get(before));
        }
        self.chapters.split_last().map(|(last, _)| std::slice::from_ref(last)).unwrap_or_default()
    }
}

impl Life {
    pub(super) fn lines(&self, now: DateTime<Utc>) -> Vec<Head<'_>> {
        let (placed, held): (Vec<_>, Vec<_>) =
            self.versions.values().filter(|version| self.begins(version)).partition(|version| version.placed);
        let placed_already: BTreeSet<_> = placed.iter().map(|line| line.agreement.id()).collect();
        let begun = held.into_iter().filter(|version| !placed_already.contains(version.agreement.id()));
        let begun = begun.filter_map(|version| Some((version, self.begun(version, now)?)));
        let placed = placed.iter().map(|version| (*version, DateTime::<Utc>::MIN_UTC));
        placed.chain(begun).map(|(root, since)| self.walk(root, since, now)).collect()
    }

    /// Since when a first version that nobody has placed begins a line: it is signed off and active, and this site's own
    /// organisation is one of its controllers, so that nobody else opens its data.
    fn begun(&self, version: &Version, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let agreement = &version.agreement;
        if agreement.supersedes().is_some() || !agreement.controllers().any(|it| *it == self.here) {
            return None;
        }
        let said = self.said.of(agreement.hash())?;
        let until = whole_until(said, &None, agreement, &[])?;
        let from = DateTime::<Utc>::MIN_UTC;
        activated(said, &None, &[agreement], from)
            .map(|(_, at, _)| at)
            .filter(|at| *at < until && *at <= now)
            .min()
    }

    /// Follows a line from its first version to the one that stands now.
    fn walk<'a>(&'a self, root: &'a Version, since: DateTime<Utc>, now: DateTime<Utc>) -> Head<'a> {
        let from = |first: Option<ChapterHash>| {
            let agreed = [(root.agreement.hash(), (root, 0))].into();
            self.chapter(
                Trail { first: root, base: root, since, chapters: vec![first], agreed, taken: Vec::new() },
                now,
            )
        };
        let head = from(None);
        match self.later_chapter(root) {
            Some(later) if !head.chapters.contains(&Some(later.clone())) => from(Some(later)),
            _ => head,
        }
    }

    /// The last chapter but the first in which a line's first version is signed off. A site that joined late has neither the
    /// versions nor the rollbacks before, so its line begins there. What its operator placed beside the version says so before
    /// anything that was heard: who signs one chapter late moves nobody into it.
    fn later_chapter(&self, root: &Version) -> Option<ChapterHash> {
        let said = self.said.of(root.agreement.hash())?;
        let chapters: BTreeSet<&ChapterHash> =
            said.approved.iter().filter_map(|it| it.after.as_ref()).collect();
        let authors = authors(said);
        // By when the sign-off was whole. Where nothing is placed, whoever signs last sets that.
        let whole = |chapter: &ChapterHash, placed: bool| {
            let mut approved: Vec<_> = said
                .approved
                .iter()
                .filter(|voice| voice.after.as_ref() == Some(chapter))
                .filter_map(|voice| Some((self.statements.get(voice.statement)?, &voice.ever)))
                .filter(|(statement, _)| !placed || !self.heard.contains_key(*statement))
                .map(|(statement, approval)| (statement.time, approval))
                .collect();
            approved.sort();
            let is_whole = |last: &usize| {
                let first = approved.iter().take(last + 1).map(|(_, approval)| *approval);
                lacks(&root.agreement, first, Some(&authors)).is_empty()
            };
            let last = (0..approved.len()).find(is_whole)?;
            approved.get(last).map(|(time, _)| *time)
        };
        let last = |placed: bool| {
            chapters.iter().filter_map(|chapter| Some((whole(chapter, placed)?, *chapter))).max()
        };
        last(true).or_else(|| last(false)).map(|(_, chapter)| chapter.clone())
    }

    /// Follows it from the beginning of a chapter.
    fn chapter<'a>(&'a self, mut trail: Trail<'a>, now: DateTime<Utc>) -> Head<'a> {
        let number = trail.chapters.len().saturating_sub(1);
        let chapter = trail.chapters.last().cloned().flatten();
        let mut agreed = Vec::new();
        let end = self.onward(trail.base, trail.since, (&chapter, &trail), now, &mut agreed);
        trail.agreed.extend(agreed.into_iter().map(|it| (it.agreement.hash(), (it, number))));
        trail.taken.extend(end.taken.iter().cloned());
        let mut open = Vec::new();
        let mut next: Option<(Head<'a>, (DateTime<Utc>, ChapterHash))> = None;
        for (act, said) in self.said.rollbacks(&chapter) {
            let Some((to, at)) = self.agreed_back(act, said, &trail).filter(|(_, at)| *at <= now) else {
                continue;
            };
            let lacking = back_lacks(&end.version.agreement, said, at);
            let (Act::Rollback { at: named, .. }, Some(hash), true) = (act, act.begins(), lacking.is_empty())
            else {
                open.extend(lacking);
                continue;
            };
            let mut trail = trail.clone();
            (trail.base, trail.since) = (to, at);
            trail.chapters.push(Some(hash.clone()));
            trail.taken.push(Taken { to, way: Way::Back(said) });
            let head = self.chapter(trail, now);
            let order = (*named, hash);
            let is_before = next.as_ref().is_none_or(|(known, first)| {
                (std::cmp::Reverse(head.built), &order) < (std::cmp::Reverse(known.built), first)
            });
            if is_before {
                next = Some((head, order));
            }
        }
        if let Some((head, _)) = next {
            return Head { built: head.built + end.built + 1, ..head };
        }
        Head {
            first: trail.first,
            version: end.version,
            bases: end.bases,
            taken: trail.taken,
            open,
            // At a site that joined late nobody knows when it began.
            chapter: chapter.map(|hash| (hash, trail.since.max(first_day(&trail.first.agreement)))),
            chapters: trail.chapters,
            agreed: trail.agreed,
            built: end.built,
        }
    }

    /// Where a rollback leads on which those have agreed who sign the two versions that it names, and from when.
    fn agreed_back<'a>(
        &'a self,
        act: &Act,
        said: &[Voice],
        trail: &Trail<'a>,
    ) -> Option<(&'a Version, DateTime<Utc>)> {
        let Act::Rollback { agreement, from, at, .. } = act else { return None };
        let (to, _) = *trail.agreed.get(agreement)?;
        let from = self.versions.get(from)?;
        if from.agreement.id() != to.agreement.id() || from.agreement.hash() == agreement {
            return None;
        }
        let at = trail.since.max(*at);
        let agree = |version: &Version| back_lacks(&version.agreement, said, at).is_empty();
        (agree(to) && agree(from)).then_some((to, at))
    }

    /// Follows a chapter from a version on.
    fn onward<'a>(
        &'a self,
        base: &'a Version,
        since: DateTime<Utc>,
        (chapter, trail): (&Option<ChapterHash>, &Trail<'a>),
        now: DateTime<Utc>,
        agreed: &mut Vec<&'a Version>,
    ) -> End<'a> {
        let (mut bases, mut from) = (vec![base], since);
        let mut ends: Vec<(DateTime<Utc>, &'a Version, End<'a>)> = Vec::new();
        let mut tip = base;
        loop {
            let mut alone: Vec<(DateTime<Utc>, DateTime<Utc>, &'a Version)> = Vec::new();
            for to in self.followers(tip) {
                let Some(said) = self.said.of(to.agreement.hash()) else { continue };
                let rules = [&*base.agreement, &*tip.agreement];
                let earlier = trail.agreed.contains_key(to.agreement.hash());
                let whole = whole_until(said, chapter, &to.agreement, &rules);
                let signing = [&*tip.agreement, &*to.agreement];
                let by = activated(said, chapter, &signing, from);
                let begins = first_day(&to.agreement);
                let placed = (to.placed && !earlier).then(|| (begins, begins.max(from)));
                let all = by.map(|(named, at, _)| (named, at)).chain(placed);
                let due = whole.and_then(|until| all.filter(|(_, at)| *at < until && *at <= now).min());
                match due {
                    Some((named, at)) => {
                        agreed.push(to);
                        ends.push((named, to, self.onward(to, at, (chapter, trail), now, agreed)));
                    }
                    None => {
                        let step = self.alone(tip, to, said, (chapter, from, now));
                        alone.extend(step.map(|(named, at)| (named, at, to)));
                    }
                }
            }
            // What is tighter than another one is taken.
            let looser = |to: &Version| alone.iter().any(|(_, _, it)| tightens(&to.agreement, &it.agreement));
            let next = alone.iter().filter(|(_, _, to)| !looser(to));
            let Some((_, at, to)) = next.min_by_key(|(named, _, to)| (*named, to.agreement.hash())) else {
                break;
            };
            bases.push(*to);
            (tip, from) = (*to, *at);
        }
        if let Some(end) = taken(ends) {
            return end;
        }
        let version = bases.pop().unwrap_or(base);
        let mut taken: Vec<Taken<'a>> =
            bases.iter().skip(1).map(|to| Taken { to, way: Way::Alone }).collect();
        if !bases.is_empty() {
            taken.push(Taken { to: version, way: Way::Alone });
        }
        End { bases, version, taken, built: 0 }
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
    ) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let (before, after) = (&*tip.agreement, &*to.agreement);
        if !before.controllers().any(|controller| *controller == self.here) {
            return None;
        }
        let authors = authors(said);
        let approved = said.approved.iter().filter(|voice| voice.after == *chapter);
        let until = holds_until(approved, |approvals| {
            is_signed_by(&lacks(after, approvals.iter().copied(), Some(&authors)), &self.here)
        })?;
        let signing = [before, after];
        let own = activated(said, chapter, &signing, since)
            .filter(|(_, at, voice)| voice.ever.organisation == self.here && *at < until && *at <= now);
        let (named, at) = own.map(|(named, at, _)| (named, at)).min()?;
        (tightens(before, after) && same_record(before, after)).then_some((named, at))
    }
}

/// Which of several ways on from one version is taken: one whose end is not looser than another's, of these the one on which all
/// have built furthest, then the one that was to be first.
fn taken<'a>(ends: Vec<(DateTime<Utc>, &'a Version, End<'a>)>) -> Option<End<'a>> {
    let mut looser: Vec<bool> = ends
        .iter()
        .map(|(_, _, end)| {
            ends.iter().any(|(_, _, other)| tightens(&end.version.agreement, &other.version.agreement))
        })
        .collect();
    // Nothing goes back because several are each looser than another.
    if looser.iter().all(|looser| *looser) {
        looser.fill(false);
    }
    let order = |(named, to, end): &(DateTime<Utc>, &Version, End<'_>)| {
        (std::cmp::Reverse(end.built), *named, to.agreement.hash().clone())
    };
    let tight = ends.into_iter().zip(looser).filter(|(_, looser)| !looser).map(|(end, _)| end);
    let (_, to, mut end) = tight.min_by_key(order)?;
    end.taken.insert(0, Taken { to, way: Way::Agreed });
    Some(End { built: end.built + 1, ..end })
}

fn first_day(agreement: &Agreement) -> DateTime<Utc> {
    agreement.in_force().start().and_time(NaiveTime::MIN).and_utc()
}

/// Who wrote a version: whoever said so once bars themselves for ever.
fn authors(said: &OfVersion) -> BTreeSet<Vec<u8>> {
    said.written.iter().map(|voice| voice.ever.person.clone()).collect()
}

/// Until when a version is signed off in a chapter, by its own rule and by those of versions before: found once for all instants
/// at which somebody wants it active.
fn whole_until(
    said: &OfVersion,
    chapter: &Option<ChapterHash>,
    agreement: &Agreement,
    before: &[&Agreement],
) -> Option<DateTime<Utc>> {
    let authors = authors(said);
    let approved = said.approved.iter().filter(|voice| voice.after == *chapter);
    holds_until(approved, |approvals: &[&Approval]| {
        let lacks = |rule: &Agreement| lacks(rule, approvals.iter().copied(), Some(&authors)).is_empty();
        lacks(agreement) && before.iter().all(|before| lacks(before))
    })
}

/// Who wants a version active in a chapter, with a key that counts then: the instant that they name, and the one from which it
/// can be.
fn activated<'a>(
    said: &'a OfVersion,
    chapter: &'a Option<ChapterHash>,
    signing: &'a [&'a Agreement],
    since: DateTime<Utc>,
) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>, &'a Voice)> {
    let begins = signing.last().map_or(since, |to| first_day(to));
    let of = said.activated.iter().filter(|(_, voice)| voice.after == *chapter);
    let may = of.filter(|(_, voice)| signing.iter().any(|it| voice.ever.is_of_controller(it)));
    let may = may.map(move |(at, voice)| (*at.max(&begins), (*at).max(begins).max(since), voice));
    may.filter(|(_, at, voice)| voice.counted(*at))
}

/// What the rule of a version asks of a rollback, by keys that counted then.
fn back_lacks(agreement: &Agreement, said: &[Voice], at: DateTime<Utc>) -> Vec<Lack> {
    lacks(agreement, said.iter().filter(|voice| voice.counted(at)).map(|voice| &voice.ever), None)
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
