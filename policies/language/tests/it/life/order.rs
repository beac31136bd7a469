//! Nodes that have heard the same say the same, in whatever order they heard it, however late.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use liquid_policy::id::StatementHash;
use liquid_policy::life::Life;
use liquid_policy::statement::{Act, Statement};
use liquid_policy::{Agreement, Keyring};
use proptest::prelude::*;

use super::heard::end;
use super::{
    LOOSER, PARTIES, QUORUM, ROLES, TIGHTER, TWO_OF_THREE, after, at, one, replacing, say_at, signed_off,
    trusted,
};

/// Something that people of the parties say, by numbers.
#[derive(Debug, Clone)]
enum Said {
    SignedOff(usize, i64),
    Approve(usize, usize),
    Activate(usize, usize, i64),
    Suspend(usize),
    ResumeAll,
    Resume(usize),
    Revoke(usize, usize),
}

fn said() -> impl Strategy<Value = Said> {
    let (who, version, days) = (0..6_usize, 0..9_usize, 0..60_i64);
    prop_oneof![
        8 => (version.clone(), days.clone()).prop_map(|(v, d)| Said::SignedOff(v, d)),
        3 => (who.clone(), version.clone()).prop_map(|(w, v)| Said::Approve(w, v)),
        3 => (who.clone(), version, days).prop_map(|(w, v, d)| Said::Activate(w, v, d)),
        1 => who.clone().prop_map(Said::Suspend),
        1 => Just(Said::ResumeAll),
        1 => who.clone().prop_map(Said::Resume),
        1 => (who.clone(), who).prop_map(|(w, k)| Said::Revoke(w, k)),
    ]
}

fn versions() -> Vec<Arc<Agreement>> {
    let v1 = one();
    let v2 = [after(&v1, "2a", LOOSER), after(&v1, "2b", TIGHTER)];
    let columns =
        after(&v1, "2c", ("sex = { use = [\"group\", \"filter\"] }", "sex = { use = [\"group\"] }"));
    let v3 = [after(&v2[0], "3a", TIGHTER), after(&v2[1], "3b", LOOSER)];
    let both = replacing(&[&v2[0], &v2[1]], "4", TWO_OF_THREE, &[]);
    let all = replacing(&[&v3[0], &v3[1], &columns], "5", TWO_OF_THREE, &[LOOSER]);
    let back = replacing(&[&v3[0]], "6", TWO_OF_THREE, &[]);
    [v1].into_iter().chain(v2).chain(v3).chain([columns, both, all, back]).collect()
}

/// What the parties say, in turn.
fn spoken(script: &[Said]) -> Vec<Statement> {
    let versions = versions();
    let hash = |number: usize| versions[number].hash().clone();
    let person = |number: usize| format!("{}/{}", PARTIES[number / 3], ROLES[number % 3]);
    let mut suspensions: Vec<StatementHash> = Vec::new();
    let mut said = signed_off(&versions[0]);
    said.extend(
        versions.iter().skip(1).map(|it| super::say("host/dpo", Act::Write { agreement: it.hash().clone() })),
    );
    for (hour, what) in script.iter().enumerate() {
        let now = at("02-01T00:00") + Duration::hours(hour as i64);
        let named = |days: i64| at("02-01T00:00") + Duration::days(days - 20);
        let mut says = |who: &str, act: &Act| said.push(say_at(who, now, act.clone()));
        match *what {
            Said::SignedOff(version, days) => {
                let approve = Act::Approve { agreement: hash(version) };
                QUORUM.iter().for_each(|who| says(who, &approve));
                says("north/siro", &Act::Activate { agreement: hash(version), at: named(days) });
            }
            Said::Approve(who, version) => says(&person(who), &Act::Approve { agreement: hash(version) }),
            Said::Activate(who, version, days) => {
                says(&person(who), &Act::Activate { agreement: hash(version), at: named(days) });
            }
            Said::Suspend(who) => {
                let statement = say_at(&person(who), now, Act::Suspend { id: "A-1".into() });
                suspensions.push(statement.hash());
                said.push(statement);
            }
            Said::ResumeAll => {
                let act =
                    Act::Resume { id: "A-1".into(), suspensions: suspensions.iter().cloned().collect() };
                QUORUM.iter().for_each(|who| says(who, &act));
            }
            Said::Resume(who) => {
                let act =
                    Act::Resume { id: "A-1".into(), suspensions: suspensions.iter().cloned().collect() };
                says(&person(who), &act);
            }
            Said::Revoke(who, key) => says(&person(who), &Act::Revoke { revoked: ROLES[key % 3].into() }),
        }
    }
    said
}

/// What a node keeps of what it hears, hour by hour.
fn kept(said: &[Statement]) -> BTreeMap<Statement, DateTime<Utc>> {
    let mut heard: BTreeMap<Statement, DateTime<Utc>> = BTreeMap::new();
    let mut ring = Keyring::new(&trusted(), &[]);
    for (minute, statement) in said.iter().enumerate() {
        let revokes = matches!(statement.act, Act::Revoke { .. });
        let counts = if revokes { ring.unrevoked().signer(statement) } else { ring.signer(statement) };
        if counts.is_ok() {
            heard.entry(statement.clone()).or_insert(at("02-01T00:00") + Duration::minutes(minute as i64));
            if revokes {
                let statements: Vec<_> = heard.keys().cloned().collect();
                ring = Keyring::heard(&trusted(), &statements, &heard);
            }
        }
    }
    heard
}

fn life(heard: &BTreeMap<Statement, DateTime<Utc>>, here: &str) -> Life {
    let versions = versions().into_iter().enumerate().map(|(number, version)| (version, number == 0));
    Life::new(versions, heard.keys().cloned().collect(), &trusted(), here.into(), heard.clone())
}

/// All that a node answers by.
fn stands(life: &Life) -> (String, Vec<String>, Vec<Statement>) {
    let heads = life.heads(end());
    let [head] = heads.as_slice() else { panic!("{} versions stand", heads.len()) };
    let lacks = head.lacks().iter().map(ToString::to_string).collect();
    (head.agreement().version().to_owned(), lacks, head.suspended().to_vec())
}

/// Another order in which the same could come: a revocation stays where it is, since what its key says later is not kept, and what it
/// wanted for later does not happen.
fn shuffled(said: &[Statement], order: &[u32]) -> Vec<Statement> {
    let mut part = 0;
    let parts = said.iter().zip(order.iter().cycle()).map(|(statement, order)| {
        let revokes = matches!(statement.act, Act::Revoke { .. });
        part += usize::from(revokes);
        let place = (part, !revokes, *order);
        part += usize::from(revokes);
        (place, statement.clone())
    });
    let mut parts: Vec<_> = parts.collect();
    parts.sort_by_key(|(place, _)| *place);
    parts.into_iter().map(|(_, statement)| statement).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn what_stands_in_the_end_does_not_depend_on_the_order(
        script in prop::collection::vec(said(), 1..20),
        orders in prop::collection::vec(prop::collection::vec(any::<u32>(), 97), 2),
    ) {
        let said = spoken(&script);
        for here in ["north", "south"] {
            let mut found = orders.iter().map(|order| kept(&shuffled(&said, order)));
            let (one, other) = (found.next().expect("two"), found.next().expect("two"));
            prop_assert!(one.keys().eq(other.keys()), "the same was kept");
            let (one, other) = (life(&one, here), life(&other, here));
            prop_assert_eq!(stands(&one), stands(&other));
            let status = |life: &Life| life.status(end(), |_| true);
            prop_assert_eq!(status(&one), status(&other));
        }
    }
}

/// The scripts do part ways and bring them together: the property speaks of something.
#[test]
fn the_scripts_part_ways_and_bring_them_together() {
    let script = [
        Said::SignedOff(1, 1),
        Said::SignedOff(2, 2),
        Said::SignedOff(6, 3),
        Said::SignedOff(3, 4),
        Said::SignedOff(4, 4),
        Said::SignedOff(7, 5),
        Said::Suspend(0),
    ];
    let seen: Vec<_> = (0..=script.len())
        .map(|to| stands(&life(&kept(&spoken(&script[..to])), "north")))
        .map(|(version, lacks, _)| (version, lacks.len()))
        .collect();
    let seen: Vec<_> = seen.iter().map(|(version, lacks)| (version.as_str(), *lacks)).collect();
    let expected = [("1", 0), ("2a", 0), ("2a", 1), ("4", 0), ("3a", 1), ("3a", 1), ("4", 1), ("4", 1)];
    assert_eq!(seen, expected);
    assert_eq!(stands(&life(&kept(&spoken(&script)), "north")).2.len(), 1);
}
