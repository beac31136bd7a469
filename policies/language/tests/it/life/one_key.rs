//! Whatever one person signs, with whatever date, opens nothing: what stands goes on, alone to what all have signed in its place, or
//! nothing is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use liquid_policy::id::{AgreementHash, ChapterHash};
use liquid_policy::life::{AgreementStatus, Life};
use liquid_policy::statement::{Act, Statement};
use liquid_policy::{Agreement, Code};
use proptest::prelude::*;

use super::chapters::within;
use super::heard::end;
use super::{LOOSER, QUORUM, TIGHTER, after, at, one, say_at, stands, trusted};

/// Who signs what they like. The other three who sign for the parties do what they have agreed.
const ONE: &str = "south/siro";

/// What all of them do, but for the one where `but_one`.
#[derive(Debug, Clone)]
enum Agreed {
    Approve {
        version: usize,
        but_one: bool,
    },
    /// Of the versions that all have approved in the place of the one that stands, one is activated.
    Choose {
        which: usize,
        day: i64,
    },
    /// From the version that stands to an earlier one, or to it from one that is given up; in the place of other rollbacks where they
    /// are aware of them.
    Back {
        other: usize,
        gives_up: bool,
        day: i64,
        but_one: bool,
        aware: bool,
    },
    /// North goes ahead alone to what it has approved by itself.
    Tighten {
        version: usize,
        day: i64,
    },
}

/// What the one signs then.
#[derive(Debug, Clone)]
enum Alone {
    Approve(usize, usize),
    Activate(usize, i64, usize),
    Back(usize, usize, i64, usize),
    Join(usize),
    Suspend,
    Revoke(usize),
    Write(usize),
    HandOver(usize),
}

fn agreed() -> impl Strategy<Value = Agreed> {
    let (version, day) = (0..8_usize, 0..90_i64);
    prop_oneof![
        5 => (version.clone(), prop::bool::weighted(0.2))
            .prop_map(|(version, but_one)| Agreed::Approve { version, but_one }),
        2 => (0..3_usize, day.clone()).prop_map(|(which, day)| Agreed::Choose { which, day }),
        2 => (version, any::<bool>(), day, any::<bool>(), any::<bool>()).prop_map(
            |(other, gives_up, day, but_one, aware)| Agreed::Back { other, gives_up, day, but_one, aware }
        ),
        1 => (0..8_usize, 0..90_i64).prop_map(|(version, day)| Agreed::Tighten { version, day }),
    ]
}

fn alone() -> impl Strategy<Value = (Alone, i64)> {
    let (version, day, chapter) = (0..8_usize, 0..120_i64, 0..4_usize);
    let back = (version.clone(), version.clone(), day.clone(), chapter.clone());
    let act = prop_oneof![
        4 => (version.clone(), chapter.clone()).prop_map(|(v, c)| Alone::Approve(v, c)),
        5 => (version, day.clone(), chapter).prop_map(|(v, d, c)| Alone::Activate(v, d, c)),
        1 => back.prop_map(|(v, f, d, c)| Alone::Back(v, f, d, c)),
        3 => (0..4_usize).prop_map(Alone::Join),
        1 => Just(Alone::Suspend),
        1 => (0..3_usize).prop_map(Alone::Revoke),
        2 => (0..8_usize).prop_map(Alone::Write),
        1 => (0..4_usize).prop_map(Alone::HandOver),
    ];
    (act, day)
}

/// Several ways on from most versions, looser ones and tighter ones, and some that are both.
fn versions() -> Vec<Arc<Agreement>> {
    let v1 = one();
    let still = ("minimum_contributors = 10", "minimum_contributors = 4");
    let (loose, tight) = (after(&v1, "2l", LOOSER), after(&v1, "2t", TIGHTER));
    let shorter = after(&v1, "2e", ("expires = 2026-12-31", "expires = 2026-11-30"));
    let of_loose = [after(&loose, "3l", still), after(&loose, "3t", TIGHTER)];
    let of_tight = [after(&tight, "4l", LOOSER), after(&tight, "4m", still)];
    [v1, loose, tight, shorter].into_iter().chain(of_loose).chain(of_tight).collect()
}

fn day(number: i64) -> DateTime<Utc> {
    at("01-10T00:00") + Duration::days(number)
}

struct World {
    versions: Vec<Arc<Agreement>>,
    /// What was said, with when it was heard.
    said: BTreeMap<Statement, DateTime<Utc>>,
    /// All rollbacks of which anybody has spoken.
    backs: Vec<Act>,
    /// The chapters that honest people take themselves to have been in.
    chapters: Vec<Option<ChapterHash>>,
}

impl World {
    fn new(script: &[Agreed]) -> Self {
        let mut world =
            Self { versions: versions(), said: BTreeMap::new(), backs: vec![], chapters: vec![None] };
        let start = day(0);
        for version in world.versions.clone() {
            world.says("host/dpo", start, Act::Write { agreement: version.hash().clone() });
        }
        let first = world.versions[0].hash().clone();
        QUORUM.iter().for_each(|who| {
            world.says(who, start, Act::Approve { agreement: first.clone(), after: None });
        });
        for (number, what) in script.iter().enumerate() {
            world.do_what_was_agreed(what, day(number as i64 * 3));
        }
        world
    }

    fn says(&mut self, who: &str, time: DateTime<Utc>, act: Act) {
        self.said.entry(say_at(who, time, act)).or_insert(time);
    }

    fn hash(&self, version: usize) -> AgreementHash {
        self.versions[version].hash().clone()
    }

    /// Honest people say of each thing in which chapter they are.
    fn do_what_was_agreed(&mut self, what: &Agreed, time: DateTime<Utc>) {
        let status = self.status("north");
        let chapter = status.chapter.as_ref().map(|it| it.after.clone());
        if !self.chapters.contains(&chapter) {
            self.chapters.push(chapter.clone());
        }
        let (act, but_one) = match *what {
            Agreed::Approve { version, but_one } => {
                (Act::Approve { agreement: self.hash(version), after: chapter }, but_one)
            }
            Agreed::Choose { which, day: date } => {
                let next = status.versions.iter().filter(|it| it.supersedes == status.stands);
                let next: Vec<_> = next.filter(|it| it.lacks.is_empty()).collect();
                if next.is_empty() || next.iter().any(|it| !it.activated.is_empty()) {
                    return;
                }
                let agreement = next[which % next.len()].hash.clone();
                return self.says(
                    QUORUM[0],
                    time,
                    Act::Activate { agreement, at: day(date), after: chapter },
                );
            }
            Agreed::Tighten { version, day: date } => {
                let (hash, north) = (self.hash(version), [QUORUM[0], QUORUM[1]]);
                let approve = Act::Approve { agreement: hash.clone(), after: chapter.clone() };
                north.iter().for_each(|who| self.says(who, time, approve.clone()));
                let act = Act::Activate { agreement: hash, at: day(date), after: chapter };
                return self.says(QUORUM[0], time, act);
            }
            Agreed::Back { other, gives_up, day: date, but_one, aware } => {
                let stands = status.stands.expect("one");
                let of = |hash: &AgreementHash| self.versions.iter().find(|it| it.hash() == hash);
                let before = std::iter::successors(of(&stands), |it| it.supersedes().and_then(of)).skip(1);
                let before: Vec<_> = before.map(|it| it.hash().clone()).collect();
                let (to, from) = match gives_up || before.is_empty() {
                    true => (stands, self.hash(other)),
                    false => (before[other % before.len()].clone(), stands),
                };
                let known = self.backs.iter().filter(|it| it.after() == chapter.as_ref());
                let instead = known.filter(|_| aware).filter_map(Act::begins).collect();
                let leads = self.backs.iter().filter_map(|it| it.agreement().cloned()).filter(|_| aware);
                let leaves = status.parted.iter().cloned().chain(leads).collect();
                let act =
                    Act::Rollback { agreement: to, from, at: day(date), after: chapter, instead, leaves };
                self.backs.push(act.clone());
                (act, but_one)
            }
        };
        for who in QUORUM.iter().filter(|who| !but_one || **who != ONE) {
            self.says(who, time, act.clone());
        }
    }

    /// One person signs it, dated as they like; it is heard after everything else.
    fn alone(&mut self, (what, dated): &(Alone, i64)) {
        let of = |chapter: usize| self.chapters.iter().rev().nth(chapter).cloned().flatten();
        let act = match *what {
            Alone::Approve(version, chapter) => {
                Act::Approve { agreement: self.hash(version), after: of(chapter) }
            }
            Alone::Activate(version, date, chapter) => {
                let act = Act::Activate { agreement: self.hash(version), at: day(date), after: None };
                within(&act, of(chapter))
            }
            Alone::Back(to, from, date, chapter) => Act::Rollback {
                agreement: self.hash(to),
                from: self.hash(from),
                at: day(date),
                after: of(chapter),
                instead: self.backs.iter().filter_map(Act::begins).collect(),
                leaves: Default::default(),
            },
            Alone::Join(number) => match self.backs.get(number) {
                Some(act) => act.clone(),
                None => return,
            },
            Alone::Suspend => Act::Suspend { id: "A-1".into() },
            Alone::Write(version) => Act::Write { agreement: self.hash(version) },
            // To the key of a colleague, or to another one of their own.
            Alone::HandOver(to) => {
                let (name, key) = match super::ROLES.get(to) {
                    Some(role) => (*role, super::key("south", role)),
                    None => ("new", super::key("new", "key")),
                };
                Act::HandOver { to: name.into(), public_key: key.public_key() }
            }
            Alone::Revoke(role) => Act::Revoke { revoked: super::ROLES[role].into() },
        };
        if matches!(act, Act::Rollback { .. }) {
            self.backs.push(act.clone());
        }
        self.said.entry(say_at(ONE, day(*dated), act)).or_insert(at("05-20T00:00"));
    }

    fn life(&self, here: &str) -> Life {
        let versions = self.versions.iter().enumerate().map(|(number, it)| (Arc::clone(it), number == 0));
        let said = self.said.keys().cloned().collect();
        Life::new(versions, said, &trusted(), here.into(), self.said.clone())
    }

    fn status(&self, here: &str) -> AgreementStatus {
        self.life(here).status(end(), |_| true).remove(0)
    }

    /// All chapters that lead to one.
    fn to(&self, chapter: Option<ChapterHash>) -> Vec<Option<ChapterHash>> {
        let mut all = vec![chapter];
        while let Some(Some(last)) = all.last().cloned() {
            let act = self.backs.iter().find(|it| it.begins().as_ref() == Some(&last)).expect("known");
            all.push(act.after().cloned());
        }
        all
    }

    /// Whether both who sign for north have said something: nothing goes on without either party.
    fn north_said(&self, act: &Act) -> bool {
        let by = |who: &str| {
            self.said.keys().any(|it| format!("{}/{}", it.organisation, it.role) == who && it.act == *act)
        };
        by(QUORUM[0]) && by(QUORUM[1])
    }

    /// Whether ways part by what north has tightened alone, and it has approved since what is taken in the place of each.
    fn wanted_since(&self, before: &AgreementStatus, after: &AgreementStatus) -> bool {
        let of = |hash: &AgreementHash| after.versions.iter().find(|it| it.hash == *hash);
        let before_it = |it: &&liquid_policy::life::VersionStatus| it.supersedes.as_ref().and_then(of);
        let way: Vec<_> = std::iter::successors(after.stands.as_ref().and_then(of), before_it).collect();
        let said = |hash: &AgreementHash, approvals: bool| {
            let is = |it: &&Statement| {
                it.organisation.as_str() == "north"
                    && it.act.agreement() == Some(hash)
                    && (matches!(it.act, Act::Approve { .. })
                        || !approvals && matches!(it.act, Act::Activate { .. }))
            };
            self.said.keys().filter(is).map(|it| it.time).max()
        };
        let of_before = |hash: &AgreementHash| before.versions.iter().find(|it| it.hash == *hash);
        let alone = |it: &&AgreementHash| of_before(it).is_some_and(|it| !it.lacks.is_empty());
        let alone: Vec<_> = before.parted.iter().filter(alone).collect();
        let since = |it: &&AgreementHash| way.iter().any(|step| said(&step.hash, true) > said(it, false));
        !alone.is_empty() && alone.iter().all(since)
    }

    /// What all have agreed on, by words of north that are later than its words on a rollback, and that does not follow from it.
    fn agreed_by_north_after(&self, back: &Act) -> Option<&Act> {
        let by = |act: &Act, who: &str| {
            let is = |it: &&Statement| format!("{}/{}", it.organisation, it.role) == who && it.act == *act;
            self.said.keys().filter(is).map(|it| it.time).collect::<Vec<_>>()
        };
        let said = QUORUM[..2].iter().filter_map(|who| by(back, who).into_iter().max()).min()?;
        let mut acts = self.said.keys().map(|it| &it.act);
        acts.find(|act| {
            let agreed = matches!(act, Act::Approve { .. } | Act::Rollback { .. })
                && *act != back
                && QUORUM.iter().all(|who| !by(act, who).is_empty());
            let first = QUORUM[..2].iter().filter_map(|who| by(act, who).into_iter().min()).max();
            let follows = self.to(act.after().cloned()).contains(&back.begins());
            agreed && !follows && first.is_some_and(|first| first > said)
        })
    }

    /// The version that stands, and those below it on which all had agreed and which somebody has tightened alone.
    fn standing(&self, status: &AgreementStatus) -> impl Iterator<Item = AgreementHash> {
        let of = |hash: &AgreementHash| status.versions.iter().find(|it| it.hash == *hash).expect("held");
        let mut all = vec![of(status.stands.as_ref().expect("a version"))];
        while let Some(last) = all.last().copied().filter(|it| !it.lacks.is_empty()) {
            all.extend(last.supersedes.as_ref().map(of));
            if last.supersedes.is_none() {
                break;
            }
        }
        all.into_iter().map(|it| it.hash.clone()).collect::<Vec<_>>().into_iter()
    }

    /// What stood goes on to this: by rollbacks from the chapter in which it was, or that name one of it as given up; or in the same one by
    /// versions that all have signed there. All of it signed by both of north.
    fn goes_on(&self, before: &AgreementStatus, after: &AgreementStatus) -> Result<(), String> {
        let chapter = |it: &AgreementStatus| it.chapter.as_ref().map(|chapter| chapter.after.clone());
        let (old, new) = (self.to(chapter(before)), self.to(chapter(after)));
        let begun: Vec<&Act> = new
            .iter()
            .filter(|it| !old.contains(it))
            .filter_map(|it| self.backs.iter().find(|act| act.begins() == *it))
            .collect();
        if let Some(act) = begun.iter().find(|act| !self.north_said(act)) {
            return Err(format!("not agreed: {act:?}"));
        }
        let left: BTreeSet<&ChapterHash> = old.iter().filter(|it| !new.contains(it)).flatten().collect();
        if let Some(first) = begun.last() {
            let named = begun.iter().flat_map(|act| act.instead()).any(|it| left.contains(it));
            if !left.is_empty() && !named {
                return Err("sideways".to_owned());
            }
            if let Some(since) = self.agreed_by_north_after(first) {
                return Err(format!("north has agreed since on {since:?}, and not on {first:?} again"));
            }
            // It speaks of what stood.
            let named =
                |it: &AgreementHash| first.agreement() == Some(it) || first.leaves().any(|left| left == it);
            let speaks = self.standing(before).any(|it| named(&it));
            return if speaks || !before.lacks.is_empty() {
                Ok(())
            } else {
                Err(format!("it does not speak of what stood: {first:?}"))
            };
        }
        if !left.is_empty() {
            return Err("a rollback is undone".to_owned());
        }
        if !before.parted.is_empty() && !self.wanted_since(before, after) {
            return Err("one of several ways is taken".to_owned());
        }
        // The last version on which all had agreed.
        let of = |hash: &AgreementHash| before.versions.iter().find(|it| it.hash == *hash).expect("held");
        let mut base = of(before.stands.as_ref().expect("a version"));
        while !base.lacks.is_empty() {
            base = of(base.supersedes.as_ref().ok_or("nothing was agreed")?);
        }
        let mut on_the_way = of(after.stands.as_ref().expect("a version"));
        while on_the_way.hash != base.hash {
            let approved = Act::Approve { agreement: on_the_way.hash.clone(), after: chapter(before) };
            if !self.north_said(&approved) {
                return Err(format!("{} was not approved", on_the_way.version));
            }
            on_the_way = of(on_the_way.supersedes.as_ref().ok_or("it follows what stood")?);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn what_one_person_signs_opens_nothing(
        script in prop::collection::vec(agreed(), 4..20),
        more in prop::collection::vec(alone(), 1..8),
    ) {
        let mut world = World::new(&script);
        let before = ["north", "south", "host"].map(|here| world.status(here));
        more.iter().for_each(|it| world.alone(it));
        for (here, before) in ["north", "south", "host"].into_iter().zip(&before) {
            if stands(&world.life(here), end()).1.is_none() {
                let after = world.status(here);
                let held = world.goes_on(before, &after);
                prop_assert!(held.is_ok(), "{here}: {held:?} {:?} {:?}", before.stands, after.stands);
            }
        }
    }
}

/// The scripts do reach what they speak of: ways that part, chapters, and versions that still stand after what the one has signed.
#[test]
fn the_scripts_reach_what_they_speak_of() {
    let approve = |version| Agreed::Approve { version, but_one: false };
    let choose = |which| Agreed::Choose { which, day: 40 };
    let script = [approve(2), choose(0), approve(1), approve(4)];
    let of = |script: &[Agreed], more: &[Alone]| {
        let mut world = World::new(script);
        more.iter().for_each(|it| world.alone(&(it.clone(), 5)));
        (stands(&world.life("north"), end()), world.status("north").chapter.is_some())
    };
    assert_eq!(of(&script, &[]), (("2t".into(), None), false));
    assert_eq!(of(&script, &[Alone::Activate(1, 3, 0)]), (("1".into(), Some(Code::Unsigned)), false));
    assert_eq!(of(&script, &[Alone::Activate(3, 3, 0), Alone::Approve(6, 0)]), (("2t".into(), None), false));
    let alone = Agreed::Tighten { version: 2, day: 40 };
    assert_eq!(of(&[alone], &[]), (("2t".into(), None), false));
    let back = |aware, day, but_one| Agreed::Back { other: 0, gives_up: false, day, but_one, aware };
    for (aware, code) in [(true, None), (false, Some(Code::Unsigned))] {
        let script: Vec<_> =
            script.iter().cloned().chain([back(false, 40, true), back(aware, 41, false)]).collect();
        assert_eq!(of(&script, &[]), (("1".into(), None), true));
        let (stands, chapter) = of(&script, &[Alone::Join(0)]);
        assert_eq!((stands.1, chapter), (code, aware));
    }
}
