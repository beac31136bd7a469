//! The way from the first version of a line to the one that stands: chapter by chapter, and in each of them from version to version.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::onward::{End, activated, first_day, whole_until};
use super::said::Voice;
use super::{Life, Version};
use crate::document::Agreement;
use crate::id::{AgreementHash, AgreementId, ChapterHash, OrganisationName};
use crate::signature::{Lack, lacks};
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
    /// Why nothing is answered here: ways part, or those have agreed on a rollback whom it names, and not all whom the version at the
    /// end has.
    pub(super) open: Vec<Lack>,
    /// Where ways part: the versions on each of which all have agreed in the place of this one.
    pub(super) parted: Vec<&'a Version>,
    /// What rollbacks of which this node knows would have begun, taken or not.
    known: BTreeSet<ChapterHash>,
    /// The rollback that began this chapter, and when; none in the first one.
    pub(super) chapter: Option<(ChapterHash, DateTime<Utc>)>,
    /// All chapters up to this one.
    chapters: Vec<Option<ChapterHash>>,
    /// The versions on which all have agreed, in which of the chapters last.
    agreed: BTreeMap<&'a AgreementHash, (&'a Version, usize)>,
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
    /// By the sign-off of both versions.
    Back {
        /// Who said so.
        said: &'a [Voice],
        /// The version that is left.
        left: &'a Version,
        /// The ends of the ways that parted in the chapter before, if any did.
        ends: Vec<&'a Version>,
    },
}

/// A rollback on which all have agreed who sign the two versions that it names.
struct Back<'a> {
    act: &'a Act,
    said: &'a [Voice],
    left: &'a Version,
    to: &'a Version,
    at: DateTime<Utc>,
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
    known: BTreeSet<ChapterHash>,
    taken: Vec<Taken<'a>>,
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

    /// The versions of other lines that were left.
    fn left(&self) -> impl Iterator<Item = &'a AgreementHash> {
        let backs = self.taken.iter().filter_map(|step| match &step.way {
            Way::Back { left, .. } => Some(left.agreement.hash()),
            Way::Agreed | Way::Alone => None,
        });
        backs.filter(|hash| !self.agreed.contains_key(*hash))
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
        let mut of_each: BTreeMap<&AgreementId, Vec<Head<'_>>> = BTreeMap::new();
        let (placed, held): (Vec<_>, Vec<_>) = self.versions.values().partition(|version| version.placed);
        let (first, further): (Vec<_>, Vec<_>) = placed.into_iter().partition(|version| self.begins(version));
        for root in first {
            let head = self.walk(root, DateTime::<Utc>::MIN_UTC, now);
            of_each.entry(root.agreement.id()).or_default().push(head);
        }
        // One that was placed after a gap is of a line of its own, whoever sends what would lie between.
        let follows = |version: &&Version| {
            let lines = || of_each.get(version.agreement.id()).into_iter().flatten().flat_map(Head::line);
            let before = |it: &&Version| self.versions.get(it.agreement.supersedes()?);
            let known = |it: &Version| lines().any(|known| known.agreement.hash() == it.agreement.hash());
            let mut way = std::iter::successors(before(version), before);
            way.find(|it| known(it) || !it.placed).is_some_and(known)
        };
        for root in further.into_iter().filter(|version| !follows(version)).collect::<Vec<_>>() {
            let head = self.walk(root, DateTime::<Utc>::MIN_UTC, now);
            of_each.entry(root.agreement.id()).or_default().push(head);
        }
        let begun = held.into_iter().filter(|version| !of_each.contains_key(version.agreement.id()));
        let begun: Vec<_> = begun.filter_map(|version| Some((version, self.begun(version, now)?))).collect();
        for (root, since) in begun {
            of_each.entry(root.agreement.id()).or_default().push(self.walk(root, since, now));
        }
        of_each.into_values().filter_map(one_line).collect()
    }

    /// Since when a first version that nobody has placed begins a line: it is signed off and active, and this site's own
    /// organisation is one of its controllers, so that nobody else opens its data. It asks no less of that organisation's people than what the
    /// operator has placed, so that none of them opens it with a rule of their own.
    fn begun(&self, version: &Version, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let agreement = &version.agreement;
        if agreement.supersedes().is_some() || !agreement.controllers().any(|it| *it == self.here) {
            return None;
        }
        let placed =
            self.versions.values().filter(|version| version.placed).map(|version| &*version.agreement);
        let mut own = placed.filter(|placed| placed.controllers().any(|it| *it == self.here)).peekable();
        if own.peek().is_none() || !own.all(|placed| asks_no_less(agreement, placed, &self.here)) {
            return None;
        }
        let said = self.said.of(agreement.hash())?;
        let until = whole_until(said, &None, agreement, &[])?;
        let from = DateTime::<Utc>::MIN_UTC;
        activated(said, &None, &[agreement], from)
            .map(|(at, _)| at)
            .filter(|at| *at < until && *at <= now)
            .min()
    }

    /// Follows a line from its first version to the one that stands now.
    fn walk<'a>(&'a self, root: &'a Version, since: DateTime<Utc>, now: DateTime<Utc>) -> Head<'a> {
        let from = |first: Option<ChapterHash>| {
            let agreed = [(root.agreement.hash(), (root, 0))].into();
            let (chapters, taken) = (vec![first], Vec::new());
            let known = BTreeSet::new();
            self.chapter(Trail { first: root, base: root, since, chapters, agreed, known, taken }, now)
        };
        let mut head = from(None);
        let unknown = |placed: bool| self.later_chapters(root, placed, &head.known);
        let (said, is_late) = match unknown(true) {
            placed if !placed.is_empty() => (placed, true),
            // A site that knows more of the line is told of a rollback that it has not heard.
            _ => (unknown(false), head.agreed.len() == 1 && head.known.is_empty()),
        };
        match self.last_of(root, &said) {
            Some(last) if is_late => from(Some(last)),
            _ if said.is_empty() => head,
            _ => {
                head.open.push(Lack::Choice);
                head
            }
        }
    }

    /// The chapters of which a site does not know how they began in which a line's first version is signed off, by what its operator placed
    /// beside it, or by whatever is known. A site that joined late has neither the versions nor the rollbacks before, so its line begins
    /// in one of them.
    fn later_chapters(
        &self,
        root: &Version,
        placed: bool,
        known: &BTreeSet<ChapterHash>,
    ) -> Vec<ChapterHash> {
        let approved = || self.said.of(root.agreement.hash()).into_iter().flat_map(|said| &said.approved);
        let chapters: BTreeSet<&ChapterHash> = approved().filter_map(|it| it.after.as_ref()).collect();
        let is_whole = |chapter: &&ChapterHash| {
            let of = approved().filter(|it| it.after.as_ref() == Some(chapter) && (it.placed || !placed));
            lacks(&root.agreement, of.map(|it| &it.ever), None).is_empty()
        };
        chapters.into_iter().filter(|it| !known.contains(*it)).filter(is_whole).cloned().collect()
    }

    /// The one of several chapters in which each person has approved a version after they did in the others: who signs one chapter late
    /// moves nobody into it.
    fn last_of(&self, version: &Version, chapters: &[ChapterHash]) -> Option<ChapterHash> {
        let mut times: BTreeMap<&ChapterHash, BTreeMap<&[u8], DateTime<Utc>>> = BTreeMap::new();
        for it in self.said.of(version.agreement.hash()).into_iter().flat_map(|said| &said.approved) {
            let time = self.statements.get(it.statement).map(|statement| statement.time);
            let chapter = it.after.as_ref().filter(|chapter| chapters.contains(chapter));
            if let (Some(chapter), Some(time)) = (chapter, time) {
                times.entry(chapter).or_default().insert(&it.ever.person, time);
            }
        }
        let is_later = |one: &ChapterHash, other: &ChapterHash| {
            let of = |chapter| times.get(chapter).into_iter().flatten();
            let mut both =
                of(one).filter_map(|(person, time)| Some((time, times.get(other)?.get(person)?))).peekable();
            both.peek().is_some() && both.all(|(one, other)| one > other)
        };
        let is_last = |it: &&ChapterHash| chapters.iter().all(|other| other == *it || is_later(it, other));
        chapters.iter().find(is_last).cloned()
    }

    /// Follows it from the beginning of a chapter.
    fn chapter<'a>(&'a self, mut trail: Trail<'a>, now: DateTime<Utc>) -> Head<'a> {
        let number = trail.chapters.len().saturating_sub(1);
        let mut known = std::mem::take(&mut trail.known);
        let chapter = trail.chapters.last().cloned().flatten();
        let reach = |until: DateTime<Utc>| {
            let mut agreed = Vec::new();
            let end = self.onward(trail.base, trail.since, &chapter, until, &mut agreed);
            let agreed = agreed.into_iter().map(|it| (it.agreement.hash(), (it, number)));
            (trail.agreed.clone().into_iter().chain(agreed).collect::<BTreeMap<_, _>>(), end)
        };
        let (agreed, end) = reach(now);
        let mut open: Vec<Lack> = (!end.parted.is_empty()).then_some(Lack::Choice).into_iter().collect();
        let (mut backs, mut given_up): (Vec<(Back<'a>, _, End<'a>)>, BTreeSet<&ChapterHash>) =
            Default::default();
        for (act, said) in self.said.rollbacks(&chapter) {
            let Some(back) = self.agreed_back(act, said, &trail).filter(|back| back.at <= now) else {
                continue;
            };
            let is_agreed = agreed.contains_key(back.to.agreement.hash());
            if !is_agreed && !back_lacks(&trail.base.agreement, said, back.at).is_empty() {
                continue;
            }
            known.extend(act.begins());
            given_up.extend(act.instead().filter(|it| self.may_give_up(&back, &chapter, it)));
            // What is to come after it is of no chapter any more.
            let (mut agreed, end) = reach(back.at.max(self.agreed_since(&back)));
            let lacks = |end: &&'a Version| back_lacks(&end.agreement, said, back.at);
            let lacking: Vec<Lack> = end.ends.iter().flat_map(lacks).collect();
            if !is_agreed {
                open.push(Lack::Choice);
            } else if lacking.is_empty() {
                agreed.entry(back.to.agreement.hash()).or_insert((back.to, number));
                backs.push((back, agreed, end));
            }
            open.extend(lacking);
        }
        trail.known = known;
        // Also for one that does not count yet.
        backs.retain(|(back, ..)| back.act.begins().is_some_and(|begins| !given_up.contains(&begins)));
        if backs.len() > 1 {
            open.push(Lack::Choice);
        } else if let Some((back, agreed, end)) = backs.pop() {
            let ends = if end.parted.is_empty() { Vec::new() } else { end.ends };
            let way = Way::Back { said: back.said, left: back.left, ends };
            trail.taken.extend(end.taken);
            trail.taken.push(Taken { to: back.to, way });
            trail.chapters.push(back.act.begins());
            (trail.base, trail.since, trail.agreed) = (back.to, back.at, agreed);
            return self.chapter(trail, now);
        }
        trail.taken.extend(end.taken);
        Head {
            first: trail.first,
            version: end.version,
            bases: end.bases,
            taken: trail.taken,
            open,
            parted: end.parted,
            known: trail.known,
            // At a site that joined late nobody knows when it began.
            chapter: chapter.map(|hash| (hash, trail.since.max(first_day(&trail.first.agreement)))),
            chapters: trail.chapters,
            agreed,
        }
    }

    /// A rollback where those have agreed on it who sign the two versions that it names.
    fn agreed_back<'a>(&'a self, act: &'a Act, said: &'a [Voice], trail: &Trail<'a>) -> Option<Back<'a>> {
        let Act::Rollback { agreement, from, at, .. } = act else { return None };
        let (to, left) = (self.versions.get(agreement)?, self.versions.get(from)?);
        let id = trail.first.agreement.id();
        if to.agreement.id() != id || left.agreement.id() != id || from == agreement {
            return None;
        }
        let at = trail.since.max(*at);
        let agree = |version: &Version| back_lacks(&version.agreement, said, at).is_empty();
        (agree(to) && agree(left)).then_some(Back { act, said, left, to, at })
    }

    /// Whether all have agreed on a rollback whom another one names that it gives up.
    fn may_give_up(&self, back: &Back<'_>, chapter: &Option<ChapterHash>, other: &ChapterHash) -> bool {
        let mut known = self.said.rollbacks(chapter).map(|(act, _)| act);
        let Some(Act::Rollback { agreement, from, .. }) =
            known.find(|act| act.begins().as_ref() == Some(other))
        else {
            return true;
        };
        let signing = [agreement, from].into_iter().filter_map(|hash| self.versions.get(hash));
        signing.flat_map(|it| back_lacks(&it.agreement, back.said, back.at)).next().is_none()
    }

    /// Since when this node knows that those have agreed on a rollback who sign the two versions: whoever joined before then is asked
    /// too, also where it is dated back.
    fn agreed_since(&self, back: &Back<'_>) -> DateTime<Utc> {
        let heard = |voice: &Voice| {
            let heard = self.statements.get(voice.statement).filter(|_| !voice.placed);
            heard.and_then(|statement| self.heard.get(statement)).copied().unwrap_or(DateTime::<Utc>::MIN_UTC)
        };
        let instants: BTreeSet<DateTime<Utc>> = back.said.iter().map(heard).collect();
        let is_whole = |instant: &&DateTime<Utc>| {
            let said = back.said.iter().filter(|voice| heard(voice) <= **instant);
            let said: Vec<Voice> = said.cloned().collect();
            [back.to, back.left].iter().all(|it| back_lacks(&it.agreement, &said, back.at).is_empty())
        };
        instants.iter().find(is_whole).copied().unwrap_or(back.at)
    }
}

/// Whether one agreement asks as much as another one of the people of an organisation before it is signed off.
fn asks_no_less(agreement: &Agreement, other: &Agreement, organisation: &OrganisationName) -> bool {
    let roles = |agreement: &Agreement| agreement.approvers.get(organisation).cloned();
    let among = roles(other).is_none_or(|known| roles(agreement).is_some_and(|it| it.is_subset(&known)));
    let (own, known) = (&agreement.signoff, &other.signoff);
    among && own.roles_per_party >= known.roles_per_party && (known.author_may_sign || !own.author_may_sign)
}

/// The one of several lines of an agreement that those have taken in the place of the others who sign them; any of them, and nothing is
/// answered, where they have not.
fn one_line(mut lines: Vec<Head<'_>>) -> Option<Head<'_>> {
    let left: BTreeSet<&AgreementHash> = lines.iter().flat_map(Head::left).collect();
    let is_left = |line: &Head<'_>| line.agreed.keys().any(|hash| left.contains(*hash));
    if lines.iter().filter(|line| !is_left(line)).count() == 1 {
        lines.retain(|line| !is_left(line));
    }
    let firsts: Vec<_> = lines.iter().map(|line| line.first).collect();
    let mut line = lines.into_iter().max_by_key(|line| (line.chapters.len(), line.taken.len()))?;
    if firsts.len() > 1 {
        line.open.push(Lack::Choice);
        line.parted = firsts;
    }
    Some(line)
}

/// What the rule of a version asks of a rollback, by keys that counted then.
fn back_lacks(agreement: &Agreement, said: &[Voice], at: DateTime<Utc>) -> Vec<Lack> {
    lacks(agreement, said.iter().filter(|voice| voice.counted(at)).map(|voice| &voice.ever), None)
}
