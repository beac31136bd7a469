//! Who has approved what last. Of versions of which only one can stand, a person's approval counts for the one that they approved
//! last: whoever approves another one withdraws it. So a version that all have approved and left aside is nobody's any more. What
//! follows a version, or comes before it, is not in its way.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrono::{DateTime, Utc};

use super::said::OfVersion;
use super::{Life, Version};
use crate::id::{AgreementHash, ChapterHash};

/// Somebody, whatever their keys are called.
type Person = [u8];

/// What people have approved of all that follows a version, in the order in which they signed.
pub(super) struct Votes<'a> {
    life: &'a Life,
    cast: BTreeMap<DateTime<Utc>, Vec<(&'a Person, &'a AgreementHash)>>,
}

/// A time in which the same people stand behind a version.
pub(super) struct Behind<'a> {
    pub(super) people: BTreeSet<&'a Person>,
    /// When one of them went over to another version.
    pub(super) until: DateTime<Utc>,
}

impl Life {
    /// The approvals of a chapter for everything that follows a version.
    pub(super) fn votes<'a>(&'a self, base: &'a Version, chapter: &Option<ChapterHash>) -> Votes<'a> {
        let mut cast: BTreeMap<DateTime<Utc>, Vec<_>> = BTreeMap::new();
        let mut to_follow: Vec<&Version> = self.followers(base).collect();
        while let Some(version) = to_follow.pop() {
            let hash = version.agreement.hash();
            for vote in self.said.of(hash).into_iter().flat_map(|said| said.votes(chapter)) {
                cast.entry(vote.time).or_default().push((vote.person.as_slice(), hash));
            }
            to_follow.extend(self.followers(version));
        }
        Votes { life: self, cast }
    }

    /// Whether one version follows another, or is it.
    fn follows(&self, version: &AgreementHash, other: &AgreementHash) -> bool {
        let start = self.places.get(version).map(|place| place.start);
        start.zip(self.places.get(other)).is_some_and(|(start, other)| other.contains(&start))
    }

    /// Whether only one of two versions can stand: neither follows the other.
    fn is_apart(&self, one: &AgreementHash, other: &AgreementHash) -> bool {
        !self.follows(one, other) && !self.follows(other, one)
    }

    /// Whether somebody who has approved a version has since approved another one of the chapter in its place.
    pub(super) fn went_over(
        &self,
        version: &Version,
        person: &Person,
        chapter: &Option<ChapterHash>,
    ) -> bool {
        let own = version.agreement.hash();
        let of_agreement = self.versions.values().filter(|it| it.agreement.id() == version.agreement.id());
        let (mut with, mut against) = (None, None);
        for other in of_agreement {
            let hash = other.agreement.hash();
            let votes = self.said.of(hash).into_iter().flat_map(|said| said.votes(chapter));
            let last = votes.filter(|vote| vote.person == person).map(|vote| vote.time).max();
            if hash == own {
                with = last;
            } else if last > against && self.is_apart(hash, own) {
                against = last;
            }
        }
        against > with
    }
}

impl<'a> Votes<'a> {
    /// Who stood behind a version, from the last time to the first. Who approves two at once stands behind both.
    pub(super) fn behind(&self, version: &Version) -> Vec<Behind<'a>> {
        let mut times: Vec<Behind<'a>> = Vec::new();
        let mut people: BTreeSet<&'a Person> = BTreeSet::new();
        let own = version.agreement.hash();
        for (time, votes) in &self.cast {
            let mut next = people.clone();
            for (person, hash) in votes {
                if self.life.is_apart(hash, own) {
                    next.remove(person);
                }
            }
            next.extend(votes.iter().filter(|(_, hash)| *hash == own).map(|(person, _)| *person));
            if next != people {
                if let Some(last) = times.last_mut() {
                    last.until = *time;
                }
                people.clone_from(&next);
                times.push(Behind { people: next, until: DateTime::<Utc>::MAX_UTC });
            }
        }
        times.reverse();
        times
    }
}

/// Writes down each version before all that follow it: it and they stand in one range.
pub(super) fn places<'a>(
    versions: impl Iterator<Item = &'a AgreementHash>,
    followers: &'a BTreeMap<AgreementHash, BTreeSet<AgreementHash>>,
) -> BTreeMap<AgreementHash, Range<usize>> {
    let follow: BTreeSet<_> = followers.values().flatten().collect();
    let mut places: BTreeMap<AgreementHash, Range<usize>> = BTreeMap::new();
    // Each once before what follows it, and once more after.
    let mut to_write: Vec<(&AgreementHash, bool)> =
        versions.filter(|version| !follow.contains(version)).map(|version| (version, false)).collect();
    while let Some((version, is_done)) = to_write.pop() {
        let written = places.len();
        if is_done {
            places.entry(version.clone()).and_modify(|place| place.end = written);
            continue;
        }
        places.insert(version.clone(), written..written);
        to_write.push((version, true));
        to_write.extend(followers.get(version).into_iter().flatten().map(|next| (next, false)));
    }
    places
}

/// An approval, whenever it was said again.
#[derive(Debug, Clone)]
pub(super) struct Vote {
    pub(super) time: DateTime<Utc>,
    pub(super) person: Vec<u8>,
    pub(super) after: Option<ChapterHash>,
}

impl OfVersion {
    fn votes<'a>(&'a self, chapter: &Option<ChapterHash>) -> impl Iterator<Item = &'a Vote> {
        self.votes.iter().filter(move |vote| vote.after == *chapter)
    }
}
