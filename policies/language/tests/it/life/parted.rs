//! Where all have agreed on more than one way on, nothing is answered until all say by a rollback which one it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use liquid_policy::id::ChapterHash;
use liquid_policy::life::Life;
use liquid_policy::signature::Lack;
use liquid_policy::statement::{Act, Statement};
use liquid_policy::{Agreement, Code};

use super::chapters::{approve, within};
use super::heard::{Heard, activate, back, end};
use super::{LOOSER, QUORUM, TIGHTER, after, at, ok, one, say_at, stands, trusted};

fn parted(version: &str) -> (String, Option<Code>) {
    (version.to_owned(), Some(Code::Unsigned))
}

/// A rollback in the place of others.
pub(super) fn instead(act: &Act, of: &[&Act]) -> Act {
    match act.clone() {
        Act::Rollback { agreement, from, at, after, leaves, .. } => {
            let instead = of.iter().filter_map(|it| it.begins()).collect();
            Act::Rollback { agreement, from, at, after, instead, leaves }
        }
        act => act,
    }
}

/// A rollback that leaves all of these ways.
pub(super) fn leaving(act: &Act, ways: &[&Arc<Agreement>]) -> Act {
    let mut act = act.clone();
    if let Act::Rollback { leaves, .. } = &mut act {
        leaves.extend(ways.iter().map(|it| it.hash().clone()));
    }
    act
}

/// At the nodes of all three.
fn everywhere(heard: &Heard, placed: &Arc<Agreement>, held: &[Arc<Agreement>]) -> (String, Option<Code>) {
    let known: BTreeMap<_, _> = heard.0.iter().cloned().collect();
    let at = |here: &str| {
        let versions = held.iter().map(|it| (Arc::clone(it), false)).chain([(Arc::clone(placed), true)]);
        let said = known.keys().cloned().collect();
        stands(&Life::new(versions, said, &trusted(), here.into(), known.clone()), end())
    };
    let [north, south, host] = ["north", "south", "host"].map(at);
    assert!(north == south && south == host);
    north
}

/// v1, with a tighter version that stands after it and a looser one on which all had agreed before, and which all have left.
fn left_aside() -> (Heard, Arc<Agreement>, [Arc<Agreement>; 2]) {
    let v1 = one();
    let (tight, loose) = (after(&v1, "2t", TIGHTER), after(&v1, "2l", LOOSER));
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-01T00:00");
    heard.signed_off(&loose, "01-10T00:00");
    heard.signed_off(&tight, "02-01T00:00");
    heard.says("north/siro", "02-03T00:00", &activate(&tight, "02-03T00:00"));
    (heard, v1, [tight, loose])
}

/// Whoever activates what all had left, whatever its date, stops the agreement, and all of them say how it goes on.
#[test]
fn what_all_have_left_is_brought_back_by_none_alone() {
    for date in ["01-15T00:00", "02-02T00:00", "04-01T00:00"] {
        let (mut heard, v1, held) = left_aside();
        assert_eq!(everywhere(&heard, &v1, &held), ok("2t"));
        heard.says("south/siro", "04-01T00:00", &activate(&held[1], date));
        assert_eq!(everywhere(&heard, &v1, &held), parted("1"), "{date}");
        for (to, from) in [(&held[0], &held[1]), (&held[1], &held[0]), (&v1, &held[0]), (&held[0], &v1)] {
            let mut heard = heard.clone();
            let act = leaving(&back(to, from, "05-01T00:00"), &[&held[0], &held[1]]);
            QUORUM[1..].iter().for_each(|who| heard.says(who, "05-01T00:00", &act));
            assert_eq!(everywhere(&heard, &v1, &held), parted("1"));
            heard.says(QUORUM[0], "05-01T00:00", &act);
            assert_eq!(everywhere(&heard, &v1, &held), ok(to.version()));
        }
    }
}

/// However much all have built on it before, and however much tighter some clause of it is.
#[test]
fn neither_more_versions_nor_one_tighter_clause_bring_it_back() {
    let (heard, v1, [tight, loose]) = left_aside();
    let expires = after(&v1, "2e", ("expires = 2026-12-31", "expires = 2026-11-30"));
    let further = after(&loose, "3l", ("minimum_contributors = 10", "minimum_contributors = 4"));
    let held = [tight, loose, expires, further].map(|it| Arc::clone(&it));
    for left in [&held[1..2], &held[1..=1], &held[2..3]] {
        let mut heard = heard.clone();
        for version in left.iter().chain(left.first().filter(|it| it.version() == "2l").map(|_| &held[3])) {
            heard.signed_off(version, "01-11T00:00");
            heard.says("south/siro", "04-01T00:00", &activate(version, "01-15T00:00"));
        }
        assert_eq!(everywhere(&heard, &v1, &held), parted("1"));
    }
}

/// A version is given up before anybody activates it.
#[test]
fn what_is_given_up_is_activated_by_nobody() {
    let (mut heard, v1, held) = left_aside();
    heard.all_say("03-01T00:00", &back(&held[0], &held[1], "03-01T00:00"));
    assert_eq!(everywhere(&heard, &v1, &held), ok("2t"));
    let chapter = back(&held[0], &held[1], "03-01T00:00").begins();
    for chapter in [None, chapter] {
        let act = within(&activate(&held[1], "01-15T00:00"), chapter);
        heard.says("south/siro", "04-01T00:00", &act);
        assert_eq!(everywhere(&heard, &v1, &held), ok("2t"));
    }
}

/// What parts is told to those who may see it.
#[test]
fn the_parties_are_told_what_parts() {
    let (mut heard, v1, held) = left_aside();
    let status = |heard: &Heard| heard.life(&v1, &held, end()).status(end(), |_| true).remove(0);
    assert_eq!((status(&heard).parted, status(&heard).lacks), (vec![], vec![]));
    heard.says("south/siro", "04-01T00:00", &activate(&held[1], "04-01T00:00"));
    let seen = status(&heard);
    let mut expected = [held[0].hash().clone(), held[1].hash().clone()];
    expected.sort();
    assert_eq!((seen.stands.as_ref(), seen.lacks.as_slice()), (Some(v1.hash()), &[Lack::Choice][..]));
    assert_eq!(seen.parted, expected);
    let hidden = heard.life(&v1, &held, end()).status(end(), |it| it.version() != "2l").remove(0);
    assert_eq!(hidden.parted, [held[0].hash().clone()]);
}

/// Of two rollbacks of one chapter the one counts that was agreed in the place of the other; where neither was, nothing is answered.
#[test]
fn two_rollbacks_of_one_chapter() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let v3 = after(&v2, "3", TIGHTER);
    let held = [Arc::clone(&v2), Arc::clone(&v3)];
    let mut begun = Heard::default();
    [&v1, &v2, &v3].into_iter().for_each(|version| begun.signed_off(version, "01-01T00:00"));
    begun.says("north/siro", "02-01T00:00", &activate(&v2, "02-01T00:00"));
    begun.says("north/siro", "02-02T00:00", &activate(&v3, "02-02T00:00"));
    let (one, other) = (back(&v2, &v3, "03-01T00:00"), back(&v1, &v3, "03-02T00:00"));
    for (first, second) in [(&one, &other), (&other, &one)] {
        // The last word on the first one is held back, and given when the other one has long been agreed.
        let mut heard = begun.clone();
        QUORUM[1..].iter().for_each(|who| heard.says(who, "04-01T00:00", first));
        let (mut unaware, mut aware) = (heard.clone(), heard);
        unaware.all_say("04-02T00:00", second);
        let named = instead(second, &[first]);
        aware.all_say("04-02T00:00", &named);
        for heard in [&mut unaware, &mut aware] {
            let to = if second == &one { "2" } else { "1" };
            assert_eq!(everywhere(heard, &v1, &held), ok(to));
            heard.hear(say_at(QUORUM[0], at("04-01T00:00"), first.clone()), at("05-01T00:00"));
        }
        assert_eq!(everywhere(&unaware, &v1, &held), parted("3"));
        assert_eq!(
            everywhere(&aware, &v1, &held),
            parted("3"),
            "it says nothing of where the first one leads"
        );
        // A third one in the place of both.
        let third = leaving(&instead(&back(&v2, &v3, "05-02T00:00"), &[first, second]), &[&v1]);
        QUORUM[1..].iter().for_each(|who| unaware.says(who, "05-02T00:00", &third));
        assert_eq!(everywhere(&unaware, &v1, &held), parted("3"));
        unaware.says(QUORUM[0], "05-02T00:00", &third);
        assert_eq!(everywhere(&unaware, &v1, &held), ok("2"));
    }
}

/// Approvals that were given while one of two rollbacks seemed to count do not choose it.
#[test]
fn what_was_approved_after_one_of_two_rollbacks_chooses_neither() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let held = [Arc::clone(&v2)];
    let mut heard = Heard::default();
    [&v1, &v2].into_iter().for_each(|version| heard.signed_off(version, "01-01T00:00"));
    heard.says("north/siro", "02-01T00:00", &activate(&v2, "02-01T00:00"));
    let (one, other) = (back(&v1, &v2, "03-01T00:00"), back(&v1, &v2, "03-02T00:00"));
    heard.all_say("03-01T00:00", &one);
    heard.all_say("03-03T00:00", &within(&approve(&v1), one.begins()));
    assert_eq!(everywhere(&heard, &v1, &held), ok("1"));
    heard.all_say("03-02T00:00", &other);
    assert_eq!(everywhere(&heard, &v1, &held), parted("2"));
}

/// Two first versions of one agreement, each approved by all.
#[test]
fn of_two_first_versions_none_stands_until_all_say_which() {
    let v1 = one();
    let text = super::TWO_OF_THREE.replace("version = \"1\"", "version = \"0\"");
    let loose = crate::support::agreement(&text.replace(LOOSER.0, LOOSER.1));
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|version| heard.signed_off(version, "01-01T00:00"));
    heard.says("north/siro", "02-01T00:00", &activate(&v1, "02-01T00:00"));
    let found = |heard: &Heard| {
        let known: BTreeMap<_, _> = heard.0.iter().cloned().collect();
        let versions = [(Arc::clone(&v1), false), (Arc::clone(&loose), false), (super::other(), true)];
        let said: Vec<Statement> = known.keys().cloned().collect();
        stands(&Life::new(versions, said, &trusted(), "north".into(), known), end())
    };
    assert_eq!(found(&heard), ok("1"));
    heard.says("south/siro", "04-01T00:00", &activate(&loose, "01-15T00:00"));
    assert_eq!(found(&heard).1, Some(Code::Unsigned));
    heard.all_say("05-01T00:00", &back(&v1, &loose, "05-01T00:00"));
    assert_eq!(found(&heard), ok("1"));
    let chapter = back(&v1, &loose, "05-01T00:00").begins();
    let chapters: [Option<ChapterHash>; 2] = [None, chapter];
    for chapter in chapters {
        heard.says("south/siro", "05-02T00:00", &within(&activate(&loose, "01-15T00:00"), chapter));
        assert_eq!(found(&heard), ok("1"));
    }
}
