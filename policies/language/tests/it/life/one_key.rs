//! Whatever one person signs, with whatever date, and whatever texts come late, opens nothing: what stood stays, or gives way to what
//! replaces it by its own words and those of everybody else, or nothing is answered.
//!
//! What is held against the life of an agreement here is written anew from the rule: graphs of a few versions, walked by brute force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use liquid_policy::diff::{Direction, compare};
use liquid_policy::id::{AgreementHash, OrganisationName};
use liquid_policy::life::Life;
use liquid_policy::statement::{Act, Statement};
use liquid_policy::{Agreement, Code, TrustedKey};
use proptest::prelude::*;

use super::heard::end;
use super::undone::{WITH_WEST, west};
use super::{LOOSER, ROLES, TIGHTER, TWO_OF_THREE, at, key, one, replacing, say_at, stands, trusted};

/// Who signs what they like; everybody else does what all have agreed.
const ONE: &str = "south/siro";
const HONEST: [&str; 5] = ["north/guardian", "north/siro", "south/guardian", "west/guardian", "west/siro"];
const HERE: [&str; 4] = ["north", "south", "host", "west"];

const EDITS: [&[(&str, &str)]; 7] = [
    &[],
    &[LOOSER],
    &[TIGHTER],
    &[("expires = 2026-12-31", "expires = 2027-01-31")],
    &[WITH_WEST],
    &[("role = \"joint-controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]", "role = \"processor\"")],
    &[("roles_per_party = 2", "roles_per_party = 1")],
];

/// What all do, but for the one where `but_one`, or but for north.
#[derive(Debug, Clone)]
enum Agreed {
    Approve {
        version: usize,
        but_one: bool,
        but_north: bool,
    },
    Activate {
        version: usize,
        day: i64,
        by: usize,
    },
    /// North by itself.
    Tighten {
        version: usize,
        day: i64,
    },
    Suspend {
        by: usize,
    },
    /// Whatever is suspended goes on, as all say, but for the one, or but for north.
    Resume {
        but_one: bool,
        but_north: bool,
    },
    /// A guardian takes the other key of their organisation away.
    Revoke {
        at: &'static str,
    },
}

#[derive(Debug, Clone)]
enum Alone {
    Approve(usize),
    Activate(usize, i64),
    Suspend,
    /// All that is suspended.
    Resume,
    Revoke(usize),
    Write(usize),
    HandOver(usize),
}

/// A version: what it replaces, by the distance to it, and what it changes.
type Drawn = (Vec<usize>, usize);

fn versions() -> impl Strategy<Value = Vec<Drawn>> {
    prop::collection::vec((prop::collection::vec(1..4_usize, 1..4), 0..EDITS.len()), 3..9)
}

fn agreed() -> impl Strategy<Value = Agreed> {
    let (version, day) = (0..9_usize, 0..90_i64);
    prop_oneof![
        6 => (version.clone(), prop::bool::weighted(0.25), prop::bool::weighted(0.1))
            .prop_map(|(version, but_one, but_north)| Agreed::Approve { version, but_one, but_north }),
        4 => (version.clone(), day.clone(), 0..HONEST.len())
            .prop_map(|(version, day, by)| Agreed::Activate { version, day, by }),
        1 => (version, day).prop_map(|(version, day)| Agreed::Tighten { version, day }),
        1 => (0..HONEST.len()).prop_map(|by| Agreed::Suspend { by }),
        1 => (any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(but_one, but_north)| Agreed::Resume { but_one, but_north }),
        1 => prop_oneof![Just("north"), Just("west")].prop_map(|at| Agreed::Revoke { at }),
    ]
}

fn alone() -> impl Strategy<Value = (Alone, i64)> {
    let (version, day) = (0..9_usize, 0..120_i64);
    let act = prop_oneof![
        5 => version.clone().prop_map(Alone::Approve),
        1 => Just(Alone::Resume),
        5 => (version.clone(), day.clone()).prop_map(|(v, d)| Alone::Activate(v, d)),
        1 => Just(Alone::Suspend),
        1 => (0..3_usize).prop_map(Alone::Revoke),
        1 => version.prop_map(Alone::Write),
        1 => (0..4_usize).prop_map(Alone::HandOver),
    ];
    (act, day)
}

fn day(number: i64) -> DateTime<Utc> {
    at("02-01T00:00") + Duration::days(number)
}

struct World {
    versions: Vec<Arc<Agreement>>,
    said: BTreeMap<Statement, DateTime<Utc>>,
    /// Whose keys were taken away: nodes keep nothing more of them.
    revoked: BTreeSet<String>,
}

impl World {
    fn new(drawn: &[Drawn]) -> Self {
        let mut versions = vec![one()];
        for (number, (back, edit)) in drawn.iter().enumerate() {
            let mut before: Vec<&Agreement> =
                back.iter().map(|back| &*versions[versions.len().saturating_sub(*back)]).collect();
            before.sort_by_key(|it| it.hash());
            before.dedup_by_key(|it| it.hash());
            let version = replacing(&before, &format!("2.{number}"), TWO_OF_THREE, EDITS[*edit]);
            versions.push(version);
        }
        let mut world = Self { versions, said: BTreeMap::new(), revoked: BTreeSet::new() };
        let wrote = |it: &Arc<Agreement>| Act::Write { agreement: it.hash().clone() };
        for act in world.versions.iter().map(wrote).collect::<Vec<_>>() {
            world.says("host/dpo", at("01-01T00:00"), act);
        }
        let first = Agreed::Approve { version: 0, but_one: false, but_north: false };
        world.do_what_was_agreed(&first, at("01-01T00:00"));
        world
    }

    fn says(&mut self, who: &str, time: DateTime<Utc>, act: Act) {
        if !self.revoked.contains(who) {
            self.said.entry(say_at(who, time, act)).or_insert(time);
        }
    }

    fn suspensions(&self) -> impl Iterator<Item = &Statement> {
        self.said.keys().filter(|it| matches!(it.act, Act::Suspend { .. }))
    }

    fn resume(&self) -> Act {
        Act::Resume { id: "A-1".into(), suspensions: self.suspensions().map(Statement::hash).collect() }
    }

    /// Whether all who are honest at an organisation, as many as a rule asks, have lifted a suspension.
    fn is_lifted(&self, suspension: &Statement, rule: &Agreement) -> bool {
        let lifts = |who: &&&str| {
            self.said.keys().any(|it| {
                let by = format!("{}/{}", it.organisation, it.role) == ***who;
                by && matches!(&it.act, Act::Resume { suspensions, .. } if suspensions.contains(&suspension.hash()))
            })
        };
        rule.controllers().all(|organisation| {
            let own = HONEST.iter().filter(|who| who.starts_with(organisation.as_str()));
            let missing = usize::from(organisation.as_str() == "south");
            own.filter(lifts).count() + missing >= rule.signoff().roles_per_party
        })
    }

    fn hash(&self, version: usize) -> AgreementHash {
        self.versions[version % self.versions.len()].hash().clone()
    }

    fn do_what_was_agreed(&mut self, what: &Agreed, time: DateTime<Utc>) {
        match *what {
            Agreed::Approve { version, but_one, but_north } => {
                let act = Act::Approve { agreement: self.hash(version) };
                let who = HONEST.into_iter().filter(|who| !but_north || !who.starts_with("north"));
                who.chain((!but_one).then_some(ONE)).for_each(|who| self.says(who, time, act.clone()));
            }
            Agreed::Activate { version, day: date, by } => {
                self.says(HONEST[by], time, Act::Activate { agreement: self.hash(version), at: day(date) });
            }
            Agreed::Tighten { version, day: date } => {
                let act = Act::Approve { agreement: self.hash(version) };
                HONEST[..2].iter().for_each(|who| self.says(who, time, act.clone()));
                self.says(HONEST[0], time, Act::Activate { agreement: self.hash(version), at: day(date) });
            }
            Agreed::Suspend { by } => self.says(HONEST[by], time, Act::Suspend { id: "A-1".into() }),
            Agreed::Resume { but_one, but_north } => {
                let act = self.resume();
                let who = HONEST.into_iter().filter(|who| !but_north || !who.starts_with("north"));
                who.chain((!but_one).then_some(ONE)).for_each(|who| self.says(who, time, act.clone()));
            }
            Agreed::Revoke { at } => {
                self.says(&format!("{at}/guardian"), time, Act::Revoke { revoked: "siro".into() });
                self.revoked.insert(format!("{at}/siro"));
            }
        }
    }

    /// One person signs it, dated as they like; it is heard after everything else.
    fn alone(&mut self, (what, dated): &(Alone, i64)) {
        let act = match *what {
            Alone::Approve(version) => Act::Approve { agreement: self.hash(version) },
            Alone::Activate(version, date) => Act::Activate { agreement: self.hash(version), at: day(date) },
            Alone::Suspend => Act::Suspend { id: "A-1".into() },
            Alone::Resume => self.resume(),
            Alone::Write(version) => Act::Write { agreement: self.hash(version) },
            // To the key of a colleague, or to another one of their own.
            Alone::HandOver(to) => {
                let (name, key) = match ROLES.get(to) {
                    Some(role) => (*role, key("south", role)),
                    None => ("new", key("new", "key")),
                };
                Act::HandOver { to: name.into(), public_key: key.public_key() }
            }
            Alone::Revoke(role) => Act::Revoke { revoked: ROLES[role].into() },
        };
        self.said.entry(say_at(ONE, day(*dated), act)).or_insert(at("05-20T00:00"));
    }

    fn life(&self, here: &str, placed: &[usize], withheld: &[usize]) -> Life {
        let is = |list: &[usize], number: usize| list.iter().any(|it| it % self.versions.len() == number);
        let held = self.versions.iter().enumerate();
        let held = held.filter(|(number, _)| *number == 0 || is(placed, *number) || !is(withheld, *number));
        let versions = held.map(|(number, it)| (Arc::clone(it), number == 0 || is(placed, number)));
        let said = self.said.keys().cloned().collect();
        let keys: Vec<TrustedKey> = trusted().into_iter().chain(west()).collect();
        Life::new(versions, said, &keys, here.into(), self.said.clone())
    }

    fn of(&self, hash: &AgreementHash) -> &Agreement {
        self.versions.iter().find(|it| it.hash() == hash).expect("held")
    }

    /// All versions that one replaces, by the texts.
    fn below(&self, version: &Agreement) -> Vec<&Agreement> {
        let named = version.supersedes().iter().map(|hash| self.of(hash));
        named.flat_map(|it| [it].into_iter().chain(self.below(it))).collect()
    }

    /// Whether all who are honest at an organisation have approved a version, in as many roles as the rule asks.
    fn signed(&self, organisation: &OrganisationName, version: &Agreement, rule: &Agreement) -> bool {
        let approves =
            |it: &&Statement| it.organisation == *organisation && it.act.agreement() == Some(version.hash());
        let approves = self.said.keys().filter(approves).filter(|it| matches!(it.act, Act::Approve { .. }));
        let honest =
            approves.filter(|it| HONEST.contains(&format!("{}/{}", it.organisation, it.role).as_str()));
        let missing = usize::from(organisation.as_str() == "south");
        honest.count() + missing >= rule.signoff().roles_per_party
    }

    /// Whether everybody has signed a version whom its own rule asks, and on the way to it from each of these whom their rules ask.
    fn is_agreed(&self, version: &Agreement, stood: &[&Agreement]) -> bool {
        let way: Vec<&Agreement> = [version].into_iter().chain(self.below(version)).collect();
        let replaces =
            |it: &Agreement, one: &Agreement| self.below(it).iter().any(|it| it.hash() == one.hash());
        version.controllers().all(|it| self.signed(it, version, version))
            && stood.iter().all(|one| {
                let mut later = way.iter().filter(|it| replaces(it, one));
                one.controllers().all(|who| later.clone().any(|it| self.signed(who, it, one)))
                    && later.next().is_some()
            })
    }

    /// Whether an organisation has signed a version that is no looser than whatever it names.
    fn is_tightened(&self, here: &str, version: &Agreement) -> bool {
        let no_looser = |old: &Agreement| {
            let verdict = compare(old.file(), version.file()).verdict();
            matches!(verdict, Direction::Tightens | Direction::Same)
        };
        let here: OrganisationName = here.into();
        let mut named = version.supersedes().iter().map(|hash| self.of(hash));
        self.signed(&here, version, version) && named.all(no_looser)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_one_person_signs_opens_nothing(
        drawn in versions(),
        script in prop::collection::vec(agreed(), 4..25),
        more in prop::collection::vec(alone(), 1..8),
        placed in prop::collection::vec(0..9_usize, 0..2),
        withheld in prop::collection::vec(0..9_usize, 0..3),
    ) {
        let mut world = World::new(&drawn);
        for (hour, what) in script.iter().enumerate() {
            world.do_what_was_agreed(what, at("02-01T00:00") + Duration::hours(hour as i64));
        }
        let lives = HERE.map(|here| world.life(here, &placed, &withheld));
        more.iter().for_each(|it| world.alone(it));
        for (here, before) in HERE.into_iter().zip(&lives) {
            let status = before.status(end(), |_| true).remove(0);
            let stood: Vec<AgreementHash> = status.parted.iter().chain(&status.stands).cloned().collect();
            let life = world.life(here, &placed, &[]);
            if stands(&life, end()).1.is_some() {
                continue;
            }
            let now = life.status(end(), |_| true).remove(0).stands.expect("a version");
            // By whom nobody ever agreed with, nobody is stopped.
            let by_one = |it: &&Statement| format!("{}/{}", it.organisation, it.role) == ONE;
            for suspension in world.suspensions().filter(|it| it.organisation.as_str() != "west" && !by_one(it)) {
                prop_assert!(world.is_lifted(suspension, world.of(&now)), "at {here}: it goes on");
            }
            if stood.iter().all(|it| *it == now) {
                continue;
            }
            let (now, stood): (_, Vec<&Agreement>) =
                (world.of(&now), stood.iter().filter(|it| **it != now).map(|it| world.of(it)).collect());
            for one in &stood {
                let follows = world.below(now).iter().any(|it| it.hash() == one.hash());
                prop_assert!(follows, "at {here}: {} after {}", now.version(), one.version());
            }
            let held = world.is_agreed(now, &stood) || world.is_tightened(here, now);
            prop_assert!(held, "at {here}: {} is not signed", now.version());
        }
    }
}

/// The scripts do reach what they speak of: steps that wait for one word, ways that part and come together.
#[test]
fn the_scripts_reach_what_they_speak_of() {
    let drawn: [Drawn; 4] = [(vec![1], 1), (vec![2], 2), (vec![1, 2], 0), (vec![1], 3)];
    let approve = |version, but_one| Agreed::Approve { version, but_one, but_north: false };
    let activate = |version| Agreed::Activate { version, day: 40, by: 2 };
    let script = [approve(1, false), activate(1), approve(2, true), activate(2), approve(3, false)];
    let of = |script: &[Agreed], more: &[Alone]| {
        let mut world = World::new(&drawn);
        script.iter().for_each(|it| world.do_what_was_agreed(it, at("02-01T00:00")));
        more.iter().for_each(|it| world.alone(&(it.clone(), 5)));
        stands(&world.life("host", &[], &[]), end())
    };
    assert_eq!(of(&script, &[]), ("2.0".into(), None));
    assert_eq!(of(&script, &[Alone::Approve(2)]), ("2.0".into(), Some(Code::Unsigned)));
    assert_eq!(of(&script, &[Alone::Approve(2), Alone::Activate(3, 50)]), ("2.2".into(), None));
    assert_eq!(of(&script, &[Alone::Approve(4), Alone::Activate(4, 50)]), ("2.0".into(), None));
    assert_eq!(of(&script, &[Alone::Suspend]), ("2.0".into(), Some(Code::Suspended)));
}
