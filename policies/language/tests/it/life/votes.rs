//! Of versions of which only one can stand, each person's approval is for the one that they approved last.

use std::sync::{Arc, LazyLock};

use chrono::Duration;
use liquid_policy::Agreement;
use liquid_policy::statement::Act;
use proptest::prelude::*;

use super::heard::{Heard, activate, end};
use super::{LOOSER, QUORUM, TIGHTER, after, at, ok, one, say_at, stands};

/// What all agreed on is signed on these days.
fn signed(versions: &[(&Arc<Agreement>, &str)]) -> Heard {
    let mut heard = Heard::default();
    heard.signed_off(&one(), "01-01T00:00");
    versions.iter().for_each(|(version, day)| heard.signed_off(version, day));
    heard
}

fn number(heard: &Heard, held: &[&Arc<Agreement>]) -> String {
    let held: Vec<_> = held.iter().map(|version| Arc::clone(version)).collect();
    let (number, refused) = stands(&heard.life(&one(), &held, end()), end());
    assert_eq!(refused, None, "{number}");
    number
}

/// Whatever was approved before and left aside, one controller activates it in vain: by itself, further along, or dated back.
#[test]
fn what_all_have_left_aside_is_nobodys() {
    let v1 = one();
    let stood = after(&v1, "2", TIGHTER);
    let aside = after(&v1, "3", LOOSER);
    let further = after(&aside, "4", ("minimum_contributors = 10", "minimum_contributors = 3"));
    // Neither is tighter: it ends a month earlier, too.
    let other = after(&v1, "5", ("expires = 2026-12-31", "expires = 2026-11-30"));
    let held = [&stood, &aside, &further, &other];
    let mut heard = signed(&[
        (&aside, "01-10T00:00"),
        (&further, "01-11T00:00"),
        (&other, "01-12T00:00"),
        (&stood, "02-01T00:00"),
    ]);
    heard.says("north/siro", "02-02T00:00", &activate(&stood, "02-02T00:00"));
    assert_eq!(number(&heard, &held), "2");
    for (version, named) in [
        (&aside, "03-01T00:00"),
        (&further, "03-01T00:00"),
        (&aside, "01-15T00:00"),
        (&further, "01-15T00:00"),
        (&other, "01-15T00:00"),
    ] {
        heard.says("south/siro", "03-01T00:00", &activate(version, named));
        assert_eq!(number(&heard, &held), "2", "{} from {named}", version.version());
    }
    // A version that follows it is another matter: all agree on it now.
    let next = after(&stood, "6", LOOSER);
    heard.signed_off(&next, "04-01T00:00");
    heard.says("south/siro", "04-01T00:00", &activate(&next, "04-01T00:00"));
    assert_eq!(number(&heard, &[&stood, &aside, &further, &other, &next]), "6");
}

/// Who goes over alone changes nothing of what stands, and keeps what is to come from coming until they are asked again.
#[test]
fn one_who_goes_over_undoes_nothing_that_stands() {
    let v1 = one();
    let (stood, other) = (after(&v1, "2", LOOSER), after(&v1, "3", TIGHTER));
    let held = [&stood, &other];
    let over = Act::Approve { agreement: other.hash().clone(), after: None };
    let active = activate(&stood, "02-01T00:00");

    let mut heard = signed(&[(&stood, "01-10T00:00")]);
    heard.says("north/siro", "01-10T00:00", &active);
    heard.says("south/siro", "03-01T00:00", &over);
    assert_eq!(number(&heard, &held), "2");
    let life = heard.life(&v1, &[Arc::clone(&stood), Arc::clone(&other)], end());
    let seen = life.status(end(), |_| true);
    let seen = seen[0].versions.iter().find(|it| it.version == "2").expect("it is held");
    assert!(seen.lacks.is_empty() && seen.said.len() == 5, "what stands is shown signed: {seen:?}");

    let mut heard = signed(&[(&stood, "01-10T00:00")]);
    heard.says("south/siro", "01-20T00:00", &over);
    heard.says("north/siro", "01-21T00:00", &active);
    assert_eq!(number(&heard, &held), "1");
    let life = heard.life(&v1, &[Arc::clone(&stood)], end());
    let seen = life.status(end(), |_| true);
    let lacks = seen[0].versions.iter().find(|it| it.version == "2").map(|it| it.lacks.len());
    assert_eq!(lacks, Some(0), "nobody holds the other one here");
    let life = heard.life(&v1, &[Arc::clone(&stood), Arc::clone(&other)], end());
    let seen = life.status(end(), |_| true);
    let seen = seen[0].versions.iter().find(|it| it.version == "2").expect("it is held");
    assert_eq!(seen.lacks.len(), 1, "{:?}", seen.lacks);
    assert!(seen.said.iter().all(|it| it.organisation.as_str() != "south" || it.role.as_str() != "siro"));
    // Asked again, they come back.
    heard.says("south/siro", "03-01T00:00", &Act::Approve { agreement: stood.hash().clone(), after: None });
    assert_eq!(number(&heard, &held), "2");
}

/// All can go over from what stands, and do when the last of them has, and it is active.
#[test]
fn all_go_over_together() {
    let v1 = one();
    let (stood, other) = (after(&v1, "2", TIGHTER), after(&v1, "3", LOOSER));
    let held = [&stood, &other];
    let mut heard = signed(&[(&stood, "01-10T00:00")]);
    heard.says("north/siro", "01-10T00:00", &activate(&stood, "01-10T00:00"));
    heard.says("south/siro", "01-11T00:00", &activate(&other, "03-10T00:00"));
    heard.says("host/dpo", "03-01T00:00", &Act::Write { agreement: other.hash().clone() });
    let over = Act::Approve { agreement: other.hash().clone(), after: None };
    for (day, who) in QUORUM.iter().enumerate() {
        assert_eq!(number(&heard, &held), "2", "{day} have gone over");
        heard.says(who, &format!("03-0{}T00:00", day + 1), &over);
    }
    let at_first = heard.life(&v1, &[Arc::clone(&stood), Arc::clone(&other)], at("03-05T00:00"));
    assert_eq!(stands(&at_first, at("03-05T00:00")), ok("2"), "not yet");
    assert_eq!(number(&heard, &held), "3");
    // They go back to what follows the other one, once somebody has activated it.
    let next = after(&stood, "4", LOOSER);
    heard.signed_off(&next, "04-01T00:00");
    assert_eq!(number(&heard, &[&stood, &other, &next]), "3");
    heard.says("north/siro", "04-02T00:00", &activate(&next, "04-02T00:00"));
    assert_eq!(number(&heard, &[&stood, &other, &next]), "4");
}

/// Versions of which one follows the other are approved in any order, long before they are active.
#[test]
fn what_follows_is_not_in_the_way() {
    let v1 = one();
    let second = after(&v1, "2", LOOSER);
    let third = after(&second, "3", TIGHTER);
    for days in [["01-10T00:00", "01-11T00:00"], ["01-11T00:00", "01-10T00:00"]] {
        let mut heard = signed(&[(&second, days[0]), (&third, days[1])]);
        let life = heard.life(&v1, &[Arc::clone(&second), Arc::clone(&third)], end());
        let seen = life.status(end(), |_| true);
        assert!(seen[0].versions.iter().all(|it| it.lacks.is_empty()), "{seen:?}");
        heard.says("north/siro", "02-01T00:00", &activate(&second, "02-01T00:00"));
        assert_eq!(number(&heard, &[&second, &third]), "2");
        heard.says("north/siro", "02-02T00:00", &activate(&third, "02-02T00:00"));
        assert_eq!(number(&heard, &[&second, &third]), "3");
    }
}

/// v1, three in its place, and what follows two of them.
static TREE: LazyLock<Vec<Arc<Agreement>>> = LazyLock::new(|| {
    let v1 = one();
    let seconds = [LOOSER, TIGHTER, ("expires = 2026-12-31", "expires = 2026-11-30")];
    let seconds: Vec<_> =
        seconds.iter().enumerate().map(|(at, edit)| after(&v1, &format!("2.{at}"), *edit)).collect();
    let thirds = [after(&seconds[0], "3.0", TIGHTER), after(&seconds[1], "3.1", LOOSER)];
    let fourth = after(&thirds[0], "4.0", LOOSER);
    seconds.into_iter().chain(thirds).chain([fourth]).collect()
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    /// What all have signed, version by version, some of them activated and the others left aside. Then one key says what it likes, dated
    /// as it likes: what stands is still what stood, or what all have approved to follow it.
    #[test]
    fn one_key_brings_nothing_back(
        signed_off in prop::collection::vec((0..6_usize, any::<bool>()), 1..7),
        said in prop::collection::vec((0..6_usize, any::<bool>(), 0..60_i64, 0..60_i64), 1..8),
    ) {
        let versions = &*TREE;
        let held = |heard: &Heard| {
            let life = heard.life(&one(), versions, end());
            let number = life.heads(end())[0].agreement().version().to_owned();
            (number, stands(&life, end()).1)
        };
        let day = |day: i64| at("01-02T00:00") + Duration::days(day);
        let mut heard = signed(&[]);
        let mut last = Vec::new();
        let count = signed_off.len();
        for (number, (version, is_active)) in signed_off.into_iter().enumerate() {
            let time = (day(number as i64 * 8)).format("%m-%dT00:00").to_string();
            heard.signed_off(&versions[version], &time);
            last.push(version);
            if is_active || number + 1 == count {
                heard.says("south/guardian", &time, &activate(&versions[version], &time));
            }
        }
        let (stood, refused) = held(&heard);
        prop_assert_eq!(refused, None);
        let word = *last.last().expect("at least one");
        // The last word of all may lead nowhere: what it follows does not stand.
        prop_assume!(stood == versions[word].version());
        for (version, approves, named, dated) in said {
            let hash = versions[version].hash().clone();
            let act = match approves {
                true => Act::Approve { agreement: hash, after: None },
                false => Act::Activate { agreement: hash, at: day(named), after: None },
            };
            heard.hear(say_at("north/siro", day(dated), act), at("05-01T00:00"));
        }
        let (stands, refused) = held(&heard);
        prop_assert_eq!(refused, None);
        let follows = |one: usize, other: usize| {
            let mut at = Some(one);
            while let Some(here) = at {
                if here == other { return true; }
                at = versions[here].supersedes().and_then(|hash| versions.iter().position(|it| it.hash() == hash));
            }
            false
        };
        let now = versions.iter().position(|it| it.version() == stands).expect("one of them");
        prop_assert!(follows(now, word), "{stood}, and then {stands}");
    }
}
