//! Where all have agreed on more than one way on, nothing is answered until all sign a version that takes the place of each.

use std::sync::Arc;

use liquid_policy::signature::Lack;
use liquid_policy::{Agreement, Code};

use super::heard::{Heard, end};
use super::undone::{WITH_WEST, at_node, everywhere, unsigned, west_says};
use super::{
    LOOSER, QUORUM, TIGHTER, TWO_OF_THREE, activate, after, approve, ok, one, other, replacing, wrote,
};
use crate::support::agreement;

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
        let (mut heard, v1, [tight, loose]) = left_aside();
        let both = |number: &str, edits: &[_]| replacing(&[&tight, &loose], number, TWO_OF_THREE, edits);
        let next = [both("3t", &[TIGHTER]), both("3l", &[LOOSER]), both("3", &[])];
        let one_alone = after(&tight, "4", LOOSER);
        let held: Vec<_> = next.iter().chain([&tight, &loose, &one_alone]).collect();
        assert_eq!(everywhere(&heard, &[&v1], &held), ok("2t"));
        heard.says("south/siro", "04-01T00:00", &activate(&loose, date));
        assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned), "{date}");
        let goes_on = |version: &Arc<Agreement>| {
            let mut heard = heard.clone();
            heard.says("host/dpo", "05-01T00:00", &wrote(version));
            heard.says("north/dpo", "05-01T00:00", &activate(version, "05-01T00:00"));
            QUORUM[1..].iter().for_each(|who| heard.says(who, "05-01T00:00", &approve(version)));
            assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
            heard.says(QUORUM[0], "05-01T00:00", &approve(version));
            everywhere(&heard, &[&v1], &held)
        };
        next.iter().for_each(|it| assert_eq!(goes_on(it), ok(it.version())));
        assert_eq!(goes_on(&one_alone).1, Some(Code::Unsigned), "it says nothing of the other one");
    }
}

/// What is given up before anybody activates it is activated by nobody; nor what follows it alone.
#[test]
fn what_is_given_up_is_activated_by_nobody() {
    let (mut heard, v1, [tight, loose]) = left_aside();
    let v3 = replacing(&[&tight, &loose], "3", TWO_OF_THREE, &[TIGHTER]);
    heard.signed_off(&v3, "03-01T00:00");
    heard.says("north/siro", "03-01T00:00", &activate(&v3, "03-01T00:00"));
    let held = [&tight, &loose, &v3];
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("3"));
    heard.says("south/siro", "04-01T00:00", &activate(&loose, "01-15T00:00"));
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("3"));
}

/// What parts is told to those who may see it.
#[test]
fn the_parties_are_told_what_parts() {
    let (mut heard, v1, held) = left_aside();
    let status = |heard: &Heard| heard.life(&v1, &held, end()).status(end(), |_| true).remove(0);
    assert_eq!((status(&heard).parted, status(&heard).lacks), (vec![], vec![]));
    heard.says("south/siro", "04-01T00:00", &activate(&held[1], "04-01T00:00"));
    let seen = status(&heard);
    assert_eq!(seen.lacks.as_slice(), [Lack::Choice]);
    assert_eq!(seen.parted, [held[1].hash().clone(), held[0].hash().clone()], "2l and 2t");
    let hidden = heard.life(&v1, &held, end()).status(end(), |it| it.version() != "2l").remove(0);
    assert_eq!(hidden.parted, [held[0].hash().clone()]);
}

/// Two first versions of one agreement, each approved by all.
#[test]
fn of_two_first_versions_none_stands_until_all_say_which() {
    let v1 = one();
    let loose =
        agreement(&TWO_OF_THREE.replace("version = \"1\"", "version = \"0\"").replace(LOOSER.0, LOOSER.1));
    let v2 = replacing(&[&v1, &loose], "2", TWO_OF_THREE, &[]);
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|version| heard.signed_off(version, "01-01T00:00"));
    heard.says("north/siro", "02-01T00:00", &activate(&v1, "02-01T00:00"));
    let found = |heard: &Heard| at_node("north", heard, [&[&other()], &[&v1, &loose, &v2]], end());
    assert_eq!(found(&heard), ok("1"));
    heard.says("south/siro", "04-01T00:00", &activate(&loose, "01-15T00:00"));
    assert_eq!(found(&heard).1, Some(Code::Unsigned));
    heard.signed_off(&v2, "05-01T00:00");
    heard.says("north/siro", "05-01T00:00", &activate(&v2, "05-01T00:00"));
    assert_eq!(found(&heard), ok("2"));
}

/// Where ways part, all whom any of them has say how it goes on.
#[test]
fn whom_any_of_several_ways_has_is_asked() {
    let v1 = one();
    let joint = after(&v1, "2w", WITH_WEST);
    // Whichever comes first by its hash.
    let others: Vec<_> = (0..6).map(|number| after(&v1, &format!("2t{number}"), TIGHTER)).collect();
    assert!(
        others.iter().any(|it| it.hash() < joint.hash()) && others.iter().any(|it| it.hash() > joint.hash())
    );
    for tight in &others {
        let v3 = replacing(&[tight, &joint], "3", TWO_OF_THREE, &[]);
        let mut heard = Heard::default();
        [&v1, tight, &joint, &v3].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
        west_says(&mut heard, "01-11T00:00", &approve(&joint));
        let active = [tight, &joint, &v3];
        active
            .into_iter()
            .for_each(|it| heard.says("south/siro", "02-03T00:00", &activate(it, "02-03T00:00")));
        assert_eq!(everywhere(&heard, &[&v1], &active), unsigned("3"));
        west_says(&mut heard, "03-02T00:00", &approve(&v3));
        assert_eq!(everywhere(&heard, &[&v1], &active), ok("3"));
    }
}

/// A draft between two versions asks whom it and what it replaces ask: nobody is passed over by way of what nobody has signed.
#[test]
fn a_draft_between_passes_nobody_over() {
    let v1 = one();
    let party = "role = \"joint-controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]";
    let of_north = (party, "role = \"processor\"");
    let draft = after(&v1, "2", of_north);
    let v3 = replacing(&[&draft], "3", TWO_OF_THREE, &[of_north]);
    let held = [&draft, &v3];
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-01T00:00");
    for version in [&draft, &v3] {
        heard.says("host/dpo", "01-10T00:00", &wrote(version));
        QUORUM[..2].iter().for_each(|who| heard.says(who, "01-10T00:00", &approve(version)));
        heard.says("north/siro", "02-01T00:00", &activate(version, "02-01T00:00"));
    }
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("1"));
    let mut last = heard.clone();
    QUORUM[2..].iter().for_each(|who| last.says(who, "03-01T00:00", &approve(&v3)));
    assert_eq!(everywhere(&last, &[&v1], &held), ok("3"), "all have signed it");
    // Where south signs that it leaves, what north goes on to is its own affair.
    QUORUM[2..].iter().for_each(|who| heard.says(who, "03-01T00:00", &approve(&draft)));
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("3"));
}
