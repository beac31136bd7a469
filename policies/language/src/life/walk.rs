//! The way from the first version of a line to the one that stands: chapter by chapter, and in each of them from version to version.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::onward::{End, activated, first_day, whole_until};
use super::said::Voice;
use super::{Life, Version};
use crate::document::Agreement;
use crate::id::{AgreementHash, AgreementId, ChapterHash, OrganisationName};
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
    /// Why nothing is answered here: ways part, or those have agreed on a rollback whom it names, and not all whom the version at the
    /// end has.
    pub(super) open: Vec<Lack>,
    /// Where ways part: the versions to which each of them leads. And those to which rollbacks lead of which
    /// another one gives up which does not speak of them.
    pub(super) parted: Vec<&'a Version>,
    /// Where each of them leads; where none part, the version alone.
    ends: Vec<&'a Version>,
    /// What rollbacks of which this node knows would have begun, taken or not.
    known: BTreeSet<ChapterHash>,
    /// The rollback that began this chapter, and when; none in the first one.
    pub(super) chapter: Option<(ChapterHash, DateTime<Utc>)>,
    /// All chapters up to this one.
    chapters: Vec<Option<ChapterHash>>,
    /// The versions on which all have agreed, in which of the chapters last.
    agreed: Agreed<'a>,
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
        /// The ends of the ways that parted in the chapter before, if any did, and where the rollbacks led that are given up.
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
    /// Whether this site knows that all had agreed on the version to which it goes.
    is_known: bool,
}

/// The versions on which all have agreed, in which of the chapters last.
type Agreed<'a> = BTreeMap<&'a AgreementHash, (&'a Version, usize)>;

/// The way to the beginning of a chapter.
#[derive(Clone)]
struct Trail<'a> {
    first: &'a Version,
    /// With which version the chapter begins, and when.
    base: &'a Version,
    since: DateTime<Utc>,
    chapters: Vec<Option<ChapterHash>>,
    agreed: Agreed<'a>,
    known: BTreeSet<ChapterHash>,
    taken: Vec<Taken<'a>>,
}

impl Back<'_> {
    /// Whether it names another one in whose place it is, and those have agreed on it who sign that one.
    fn gives_up(&self, other: &Self) -> bool {
        let names = other.act.begins().is_some_and(|begins| self.act.instead().any(|it| *it == begins));
        names && [other.to, other.left].iter().all(|it| ever_lacks(&it.agreement, self.said).is_empty())
    }

    /// Whether it leaves a version, or stays with it.
    fn speaks_of(&self, version: &Version) -> bool {
        let hash = version.agreement.hash();
        same(version, self.to) || self.act.leaves().any(|left| left == hash)
    }
}

impl<'a> Trail<'a> {
    /// The way on by a rollback, from where the chapter before has led.
    fn back(
        &self,
        back: &Back<'a>,
        (mut agreed, end): (Agreed<'a>, End<'a>),
        given_up: &[&'a Version],
    ) -> Self {
        let last = self.chapters.len().saturating_sub(1);
        agreed.entry(back.to.agreement.hash()).or_insert((back.to, last));
        let parted = if end.parted.is_empty() { Vec::new() } else { end.ends };
        let ends = parted.into_iter().chain(given_up.iter().copied()).collect();
        let way = Way::Back { said: back.said, left: back.left, ends };
        let steps = end.taken.into_iter().chain([Taken { to: back.to, way }]);
        Self {
            base: back.to,
            since: back.at,
            chapters: self.chapters.iter().cloned().chain([back.act.begins()]).collect(),
            agreed,
            taken: self.taken.iter().cloned().chain(steps).collect(),
            ..self.clone()
        }
    }
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
        let whole = |placed| self.later_chapters(root, placed, &head.known);
        let (placed, said) = (whole(true), whole(false));
        // A site that knows more of the line is told of a rollback that it has not heard.
        let has_moved = head.agreed.len() > 1 || !head.known.is_empty() || !head.taken.is_empty();
        let is_late = !placed.is_empty() || !has_moved;
        let last = self.last_of(root, if placed.is_empty() { &said } else { &placed });
        // Held against what the operator placed: what one person says in it since does not make it the later one.
        let is_past = |last: &ChapterHash| {
            said.iter().any(|other| self.is_later(root, other, (last, !placed.is_empty())))
        };
        match last.filter(|last| !is_past(last)) {
            Some(last) if is_late => head = from(Some(last)),
            _ => head.open.extend((!said.is_empty()).then_some(Lack::Unheard)),
        }
        if self.is_told_of_more(&head) {
            head.open.push(Lack::Unheard);
        }
        head
    }

    /// Whether a site knows that its line has gone on in a chapter of which it does not know how it began: what its operator placed says so of a
    /// further version, or those who sign the first one have given up a chapter of its line.
    fn is_told_of_more(&self, head: &Head<'_>) -> bool {
        let id = head.first.agreement.id();
        let known = || head.known.iter().chain(head.chapters.iter().flatten()).cloned().collect();
        let further =
            self.versions.values().filter(|it| it.placed && it.agreement.id() == id && !same(it, head.first));
        let mut further = further.filter(|it| !self.later_chapters(it, false, &known()).is_empty());
        let given_up = |(act, said): (&Act, &Vec<Voice>)| {
            act.instead().any(|it| head.chapters.first().is_some_and(|first| first.as_ref() == Some(it)))
                && ever_lacks(&head.first.agreement, said).is_empty()
        };
        further.next().is_some() || self.said.all_rollbacks().any(given_up)
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

    /// The one of several chapters in which all have approved a version after they did in the others.
    fn last_of(&self, version: &Version, chapters: &[ChapterHash]) -> Option<ChapterHash> {
        let is_last = |it: &&ChapterHash| {
            chapters.iter().all(|other| other == *it || self.is_later(version, it, (other, false)))
        };
        chapters.iter().find(is_last).cloned()
    }

    /// Whether all have approved a version in one chapter after they did in another one: its sign-off holds by those alone who approved it
    /// in both, in that order, the earlier one perhaps by what was `placed` alone. So no one of them moves it.
    fn is_later(&self, version: &Version, one: &ChapterHash, (other, placed): (&ChapterHash, bool)) -> bool {
        let approved = || self.said.of(version.agreement.hash()).into_iter().flat_map(|said| &said.approved);
        let of = |chapter: &ChapterHash, placed: bool| {
            let of = approved().filter(|it| it.after.as_ref() == Some(chapter) && (it.placed || !placed));
            of.filter_map(|it| Some((&it.ever, self.statements.get(it.statement)?.time))).collect::<Vec<_>>()
        };
        let mut before: BTreeMap<&[u8], DateTime<Utc>> = BTreeMap::new();
        for (approval, time) in of(other, placed) {
            let last = before.entry(&approval.person).or_insert(time);
            *last = time.max(*last);
        }
        let is_after = |it: &Approval, time| before.get(&*it.person).is_some_and(|last| *last < time);
        let later = of(one, false).into_iter().filter(|(it, time)| is_after(it, *time));
        lacks(&version.agreement, later.map(|(approval, _)| approval), None).is_empty()
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
            (trail.agreed.clone().into_iter().chain(agreed).collect::<Agreed<'a>>(), end)
        };
        let (agreed, end) = reach(now);
        let mut open: Vec<Lack> = (!end.parted.is_empty()).then_some(Lack::Choice).into_iter().collect();
        let backs: Vec<Back<'a>> = self.agreed_backs(&chapter, &trail, &agreed).collect();
        open.extend(self.names_what_is_not_here(&chapter, &trail).then_some(Lack::Unheard));
        known.extend(backs.iter().filter_map(|back| back.act.begins()));
        trail.known = known;
        let mut left = if end.parted.is_empty() { Vec::new() } else { end.ends.clone() };
        let mut last = backs.iter().filter(|back| self.gives_up_all_others(back, &backs));
        match (last.next(), last.next()) {
            (Some(back), None) if back.at <= now => {
                // What is to come after it is of no chapter any more.
                let until = back.at.max(self.agreed_since(back, now));
                let (agreed, end) = reach(until);
                let others = backs.iter().filter(|it| it.act != back.act);
                let led = others.map(|it| self.chapter(trail.back(it, reach(until), &[]), until));
                let others = led.collect::<Vec<_>>();
                let lacking = self.lacks_to_go(back, &end, &others);
                trail.known.extend(others.iter().flat_map(|head| head.known.iter().cloned()));
                let given_up: Vec<&Version> = others.iter().flat_map(|it| it.ends.iter().copied()).collect();
                let goes = self.chapter(trail.back(back, (agreed, end), &given_up), now);
                if lacking.is_empty() {
                    return goes;
                }
                left.extend(given_up.into_iter().chain(goes.ends).chain([back.to]));
                open.extend(lacking);
            }
            // One is to come. What it gives up is given up by then, and nobody has said what stands until then.
            (Some(_), None) => {
                let gives_up_now = backs.len() > 1 && backs.iter().any(|it| it.at <= now);
                open.extend(gives_up_now.then_some(Lack::Choice));
            }
            (None, _) if backs.is_empty() => {}
            // None gives up all others, or several do.
            _ => {
                let led = backs.iter().map(|it| self.chapter(trail.back(it, reach(now), &[]), now));
                left.extend(led.flat_map(|it| it.ends));
                left.extend(backs.iter().map(|it| it.to));
                open.push(Lack::Choice);
            }
        }
        trail.taken.extend(end.taken);
        let mut told = BTreeSet::new();
        left.retain(|it| told.insert(it.agreement.hash()));
        Head {
            first: trail.first,
            version: end.version,
            bases: end.bases,
            taken: trail.taken,
            open,
            parted: left,
            ends: end.ends,
            known: trail.known,
            // At a site that joined late nobody knows when it began.
            chapter: chapter.map(|hash| (hash, trail.since.max(first_day(&trail.first.agreement)))),
            chapters: trail.chapters,
            agreed,
        }
    }

    /// What is missing for a rollback on which those have agreed who sign its two versions: all whom what it leaves has, as it stands
    /// without it, as far as they stand by it, and that it speaks of all of that. Whoever signed it to leave one version, or to stay with one, said nothing of what all
    /// have agreed on since. It leaves where its chapter has led, and where those lead which it gives up (`others`).
    fn lacks_to_go(&self, back: &Back<'_>, end: &End<'_>, others: &[Head<'_>]) -> Vec<Lack> {
        let led = || others.iter().map(|it| (&it.ends, &it.bases)).chain([(&end.ends, &end.bases)]);
        let speaks = led().all(|(ends, below)| self.speaks_of(back, ends, below));
        let to = back.to.agreement.hash();
        let is_known = back.is_known || others.iter().any(|it| it.agreed.contains_key(to));
        let signing =
            [back.to, back.left].into_iter().chain(led().flat_map(|(ends, _)| ends.iter().copied()));
        let said = self.standing_by(back.act, back.said);
        let lacking = signing.flat_map(|it| back_lacks(&it.agreement, &said, back.at));
        let open = [(!speaks).then_some(Lack::Choice), (!is_known).then_some(Lack::Unheard)];
        open.into_iter().flatten().chain(lacking).collect()
    }

    /// Whether a rollback speaks of each of several versions. For one to which this site's own organisation has gone alone it is enough that
    /// it speaks of one below, where the organisation has signed that afterwards.
    fn speaks_of(&self, back: &Back<'_>, ends: &[&Version], below: &[&Version]) -> bool {
        let is_below = below.iter().any(|it| back.speaks_of(it));
        ends.iter().all(|end| back.speaks_of(end) || is_below && self.wants_after(back, end))
    }

    /// Whether this site's own organisation has signed a rollback after anything that it said to go alone to a version.
    fn wants_after(&self, back: &Back<'_>, alone: &Version) -> bool {
        let last = self.own_words(alone).map(|voice| voice.last).max();
        let later = back.said.iter().filter(|voice| Some(voice.last) > last).map(|voice| &voice.ever);
        is_signed_by(&lacks(&alone.agreement, later, None), &self.here)
    }

    /// The rollbacks of a chapter on which all have agreed who sign the two versions that they name, now or before a key was revoked,
    /// whether their instant has come or not. One to a version of which this site does not know that it was agreed on is among them
    /// where those have agreed on it, too, who sign the one with which the chapter begins.
    fn agreed_backs<'a>(
        &'a self,
        chapter: &Option<ChapterHash>,
        trail: &Trail<'a>,
        agreed: &Agreed<'a>,
    ) -> impl Iterator<Item = Back<'a>> {
        self.said.rollbacks(chapter).filter_map(|(act, said)| {
            let Act::Rollback { agreement, from, at, .. } = act else { return None };
            let (to, left) = (self.versions.get(agreement)?, self.versions.get(from)?);
            let id = trail.first.agreement.id();
            if to.agreement.id() != id || left.agreement.id() != id || from == agreement {
                return None;
            }
            let is_known = agreed.contains_key(to.agreement.hash());
            let signing = [to, left].into_iter().chain((!is_known).then_some(trail.base));
            let agree = signing.flat_map(|it| ever_lacks(&it.agreement, said)).next().is_none();
            agree.then_some(Back { act, said, left, to, at: trail.since.max(*at), is_known })
        })
    }

    /// Whether those who sign the version with which a chapter begins have all signed a rollback of it of which one version is not here: what
    /// that one asks, nobody can tell.
    fn names_what_is_not_here(&self, chapter: &Option<ChapterHash>, trail: &Trail<'_>) -> bool {
        let id = trail.first.agreement.id();
        let is_one_here = |act: &Act| {
            let Act::Rollback { agreement, from, .. } = act else { return false };
            match [agreement, from].map(|hash| self.version(hash)) {
                [Some(here), None] | [None, Some(here)] => here.id() == id,
                _ => false,
            }
        };
        let mut rollbacks = self.said.rollbacks(chapter).filter(|(act, _)| is_one_here(act));
        rollbacks.any(|(_, said)| ever_lacks(&trail.base.agreement, said).is_empty())
    }

    /// Whether a rollback is in the place of all others: it gives them up, or what it gives up does. Also where its instant has not come, or
    /// others must still agree on it: nothing that happens to it brings back what was given up for it.
    fn gives_up_all_others(&self, back: &Back<'_>, backs: &[Back<'_>]) -> bool {
        let (mut given_up, mut to_look) = (BTreeSet::from([back.act]), vec![back]);
        while let Some(one) = to_look.pop() {
            for other in backs {
                if !given_up.contains(other.act) && one.gives_up(other) {
                    given_up.insert(other.act);
                    to_look.push(other);
                }
            }
        }
        given_up.len() == backs.len()
    }

    /// Since when this node knows that those have agreed on a rollback who sign the two versions: whoever joined before then is asked
    /// too, also where it is dated back.
    fn agreed_since(&self, back: &Back<'_>, now: DateTime<Utc>) -> DateTime<Utc> {
        // Of what an operator placed nobody knows since when.
        let heard = |voice: &Voice| {
            let heard = self.statements.get(voice.statement).filter(|_| !voice.placed);
            heard.and_then(|statement| self.heard.get(statement)).copied().unwrap_or(now)
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
    // By its first version: what else is in it can be put there by whoever activates it.
    let is_left = |line: &Head<'_>| left.contains(line.first.agreement.hash());
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

fn same(one: &Version, other: &Version) -> bool {
    one.agreement.hash() == other.agreement.hash()
}

/// What the rule of a version asked of a rollback, whichever key was revoked since.
fn ever_lacks(agreement: &Agreement, said: &[Voice]) -> Vec<Lack> {
    lacks(agreement, said.iter().map(|voice| &voice.ever), None)
}

/// What the rule of a version asks of a rollback, by keys that counted then.
fn back_lacks(agreement: &Agreement, said: &[Voice], at: DateTime<Utc>) -> Vec<Lack> {
    lacks(agreement, said.iter().filter(|voice| voice.counted(at)).map(|voice| &voice.ever), None)
}
