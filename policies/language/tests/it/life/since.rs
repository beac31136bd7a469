//! The last word on a rollback that all have left behind: they had agreed on something else since, so it only closes.

use std::collections::BTreeMap;
use std::sync::Arc;

use liquid_policy::Code;
use liquid_policy::life::Life;
use liquid_policy::statement::Statement;

use super::again::next;
use super::chapters::{approve, within};
use super::heard::{Heard, activate, back, end};
use super::parted::{instead, leaving};
use super::undone::{WITH_WEST, at_node, everywhere, west_says, wrote};
use super::{LOOSER, QUORUM, TIGHTER, TWO_OF_THREE, after, at, ok, one, say_at, stands, trusted};
use crate::support::agreement;

const LOOSEST: (&str, &str) = ("minimum_contributors = 10", "minimum_contributors = 4");
const TIGHTEST: (&str, &str) = ("minimum_contributors = 10", "minimum_contributors = 30");
const ATTACKER: &str = "south/siro";

/// Two more activations by one key do not make a rollback speak of what a controller has tightened alone.
#[test]
fn what_was_tightened_alone_ends_where_it_is_beside_ways_that_part() {
    let v1 = one();
    let (a, b, t) = (after(&v1, "2a", LOOSER), after(&v1, "2b", LOOSEST), after(&v1, "2t", TIGHTER));
    for r in [back(&a, &b, "01-15T00:00"), leaving(&back(&v1, &a, "01-15T00:00"), &[&b])] {
        let mut heard = Heard::default();
        [&v1, &a, &b].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
        QUORUM[..3].iter().for_each(|who| heard.says(who, "01-15T00:00", &r));
        heard.says("host/dpo", "02-02T00:00", &wrote(&t));
        QUORUM[..2].iter().for_each(|who| heard.says(who, "02-02T00:00", &approve(&t)));
        heard.says("north/siro", "02-02T00:00", &activate(&t, "02-02T00:00"));
        let north = |heard: &Heard| at_node("north", heard, [&[&v1], &[&a, &b, &t]], end());
        assert_eq!(north(&heard), ok("2t"));
        let mut one = heard.clone();
        one.says(ATTACKER, "04-01T00:00", &activate(&a, "04-01T00:00"));
        one.says(ATTACKER, "04-01T00:00", &r);
        assert_eq!(north(&one).1, Some(Code::Unsigned));
        one.says(ATTACKER, "04-01T00:00", &activate(&b, "04-01T00:00"));
        assert_eq!(north(&one).1, Some(Code::Unsigned));
    }
}

/// A line is left only by those who have not agreed since on what stands in it.
#[test]
fn a_line_is_not_left_by_what_was_said_before_it_went_on() {
    let v1 = one();
    let text = TWO_OF_THREE.replace("version = \"1\"", "version = \"0\"");
    let loose = agreement(&text.replace(LOOSER.0, LOOSER.1));
    let tight = after(&v1, "2t", TIGHTER);
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|version| heard.signed_off(version, "01-01T00:00"));
    heard.says("north/siro", "02-01T00:00", &activate(&v1, "02-01T00:00"));
    let old = back(&loose, &v1, "02-02T00:00");
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-02T00:00", &old));
    heard.signed_off(&tight, "02-10T00:00");
    heard.says("north/siro", "02-11T00:00", &activate(&tight, "02-11T00:00"));
    let found = |heard: &Heard| {
        let known: BTreeMap<_, _> = heard.0.iter().cloned().collect();
        let versions = [
            (Arc::clone(&v1), false),
            (Arc::clone(&loose), false),
            (Arc::clone(&tight), false),
            (super::other(), true),
        ];
        let said: Vec<Statement> = known.keys().cloned().collect();
        stands(&Life::new(versions, said, &trusted(), "north".into(), known), end())
    };
    assert_eq!(found(&heard), ok("2t"));
    heard.says(ATTACKER, "04-01T00:00", &old);
    assert_eq!(found(&heard).1, Some(Code::Unsigned));
    heard.says(ATTACKER, "04-01T00:00", &activate(&loose, "04-01T00:00"));
    assert_eq!(found(&heard).1, Some(Code::Unsigned));
}

/// Several rollbacks of a chapter that is given up do not hide where it has led.
#[test]
fn what_is_open_in_a_chapter_that_is_given_up_hides_nothing_behind_it() {
    let v1 = one();
    let (loose, tight, draft) =
        (after(&v1, "2l", LOOSER), after(&v1, "2t", TIGHTER), after(&v1, "2d", TIGHTEST));
    let held = [&loose, &tight, &draft];
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("host/dpo", "01-10T00:00", &wrote(&tight));
    heard.says("north/siro", "01-20T00:00", &activate(&loose, "01-20T00:00"));
    // All go back.
    let f = back(&v1, &loose, "02-01T00:00");
    heard.all_say("02-01T00:00", &f);
    heard.all_say("02-02T00:00", &within(&approve(&v1), f.begins()));
    // Three want to return to loose; abandoned.
    let s = instead(&back(&loose, &v1, "02-05T00:00"), &[&f]);
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-05T00:00", &s));
    // Three give up a draft; abandoned.
    let g2 = within(&back(&v1, &draft, "02-06T00:00"), f.begins());
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-06T00:00", &g2));
    // All give up a draft, another day, and go on to tight.
    let g = within(&back(&v1, &draft, "02-10T00:00"), f.begins());
    heard.all_say("02-10T00:00", &g);
    for it in [&v1, &tight] {
        heard.all_say("02-11T00:00", &within(&approve(it), g.begins()));
    }
    heard.says("north/siro", "02-12T00:00", &within(&activate(&tight, "02-12T00:00"), g.begins()));
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2t"));
    for both in [[&s, &g2], [&g2, &s]] {
        let mut heard = heard.clone();
        heard.says(ATTACKER, "04-01T00:00", both[0]);
        heard.says(ATTACKER, "04-01T12:00", both[1]);
        assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
    }
}

/// Nor does one activation in it.
#[test]
fn nor_does_an_activation_there() {
    let v1 = one();
    let (loose, tight, draft) =
        (after(&v1, "2l", LOOSER), after(&v1, "2t", TIGHTER), after(&v1, "2d", TIGHTEST));
    let held = [&loose, &tight, &draft];
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("host/dpo", "01-10T00:00", &wrote(&tight));
    heard.says("north/siro", "01-20T00:00", &activate(&loose, "01-20T00:00"));
    let f = back(&v1, &loose, "02-01T00:00");
    heard.all_say("02-01T00:00", &f);
    for it in [&v1, &loose] {
        heard.all_say("02-02T00:00", &within(&approve(it), f.begins()));
    }
    let s = instead(&back(&loose, &v1, "02-05T00:00"), &[&f]);
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-05T00:00", &s));
    let g = within(&back(&v1, &draft, "02-10T00:00"), f.begins());
    heard.all_say("02-10T00:00", &g);
    for it in [&v1, &tight] {
        heard.all_say("02-11T00:00", &within(&approve(it), g.begins()));
    }
    heard.says("north/siro", "02-12T00:00", &within(&activate(&tight, "02-12T00:00"), g.begins()));
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2t"));
    let act = within(&activate(&loose, "02-09T00:00"), f.begins());
    heard.says(ATTACKER, "04-01T00:00", &act);
    heard.says(ATTACKER, "04-01T12:00", &s);
    assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
}

/// What was approved before a rollback and activated alone after it is not what the rollback left.
#[test]
fn what_was_activated_alone_since_is_not_taken_away() {
    let v1 = one();
    let loose = after(&v1, "2l", LOOSER);
    let t = after(&loose, "3t", TIGHTEST);
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("north/siro", "01-12T00:00", &activate(&loose, "01-12T00:00"));
    heard.says("host/dpo", "01-14T00:00", &wrote(&t));
    QUORUM[..2].iter().for_each(|who| heard.says(who, "01-14T00:00", &approve(&t)));
    let old = back(&v1, &loose, "01-15T00:00");
    QUORUM[..3].iter().for_each(|who| heard.says(who, "01-15T00:00", &old));
    heard.says("north/siro", "02-02T00:00", &activate(&t, "02-02T00:00"));
    let north = |heard: &Heard| at_node("north", heard, [&[&v1], &[&loose, &t]], end());
    assert_eq!(north(&heard), ok("3t"));
    heard.says(ATTACKER, "04-01T00:00", &old);
    assert_eq!(north(&heard).1, Some(Code::Unsigned));
}

/// Nor what all have agreed on while a third party kept its word on a rollback back.
#[test]
fn what_all_agreed_on_while_it_was_closed_is_not_passed_over() {
    let v1 = one();
    let joint = after(&v1, "2w", WITH_WEST);
    let draft = after(&v1, "2d", TIGHTEST);
    let k = next("3w", &joint, TWO_OF_THREE, &[WITH_WEST, TIGHTER]);
    let mut heard = Heard::default();
    [&v1, &joint].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    west_says(&mut heard, "01-10T00:00", &approve(&joint));
    heard.says("north/siro", "02-01T00:00", &activate(&joint, "02-01T00:00"));
    let held = [&joint, &draft, &k];
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2w"));
    for old in [leaving(&back(&v1, &draft, "02-10T00:00"), &[&joint]), back(&v1, &joint, "02-10T00:00")] {
        let mut heard = heard.clone();
        heard.all_say("02-10T00:00", &old);
        heard.0.push((say_at("west/guardian", at("02-10T00:00"), old.clone()), at("02-10T00:00")));
        heard.signed_off(&k, "02-15T00:00");
        west_says(&mut heard, "02-15T00:00", &approve(&k));
        heard.says("north/siro", "02-16T00:00", &activate(&k, "02-16T00:00"));
        heard.0.push((say_at("west/siro", at("04-01T00:00"), old.clone()), at("04-01T00:00")));
        assert_eq!(everywhere(&heard, &[&v1], &held), ("3w".into(), Some(Code::Unsigned)));
    }
}

/// A rollback for a later day is agreed on as well, and so is what followed it.
#[test]
fn what_is_to_come_in_a_chapter_is_not_passed_over() {
    let v1 = one();
    let (loose, x) = (after(&v1, "2l", LOOSEST), after(&v1, "2x", LOOSER));
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("host/dpo", "01-10T00:00", &wrote(&x));
    heard.says("north/siro", "01-20T00:00", &activate(&loose, "01-20T00:00"));
    let f = back(&v1, &loose, "02-01T00:00");
    heard.all_say("02-01T00:00", &f);
    for it in [&v1, &x] {
        heard.all_say("02-02T00:00", &within(&approve(it), f.begins()));
    }
    heard.says("north/siro", "02-02T00:00", &within(&activate(&x, "02-02T00:00"), f.begins()));
    let s = instead(&back(&loose, &x, "02-05T00:00"), &[&f]);
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-05T00:00", &s));
    let now = |heard: &Heard, time: &str| at_node("north", heard, [&[&v1], &[&loose, &x]], at(time));
    assert_eq!(now(&heard, "03-01T00:00"), ok("2x"));
    let g = within(&back(&v1, &x, "05-15T00:00"), f.begins());
    heard.all_say("02-10T00:00", &g);
    heard.all_say("02-10T00:00", &within(&approve(&v1), g.begins()));
    assert_eq!([now(&heard, "05-14T00:00"), now(&heard, "05-16T00:00")], [ok("2x"), ok("1")]);
    for time in ["04-01T00:00", "05-20T00:00"] {
        let mut heard = heard.clone();
        heard.says(ATTACKER, time, &s);
        assert_eq!(now(&heard, "05-21T00:00").1, Some(Code::Unsigned));
    }
}

/// Whoever has gone on, and back again to a version, has agreed on two things since.
#[test]
fn back_again_at_a_version_it_is_another_chapter() {
    let v1 = one();
    let (loose, x) = (after(&v1, "2l", LOOSER), after(&v1, "2x", TIGHTER));
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("host/dpo", "01-10T00:00", &wrote(&x));
    heard.says("north/siro", "01-20T00:00", &activate(&loose, "01-20T00:00"));
    let f = back(&v1, &loose, "02-01T00:00");
    heard.all_say("02-01T00:00", &f);
    let s = instead(&back(&loose, &v1, "02-05T00:00"), &[&f]);
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-05T00:00", &s));
    for it in [&v1, &x] {
        heard.all_say("02-06T00:00", &within(&approve(it), f.begins()));
    }
    heard.says("north/siro", "02-06T00:00", &within(&activate(&x, "02-06T00:00"), f.begins()));
    let g = within(&back(&v1, &x, "03-01T00:00"), f.begins());
    let held = [&loose, &x];
    heard.all_say("03-01T00:00", &g);
    heard.all_say("03-01T00:00", &within(&approve(&v1), g.begins()));
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("1"));
    heard.says(ATTACKER, "04-01T00:00", &s);
    assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
}

/// Whoever has agreed on something else since stands by a rollback by signing it again. One person's words are no agreement.
#[test]
fn whoever_signs_it_again_stands_by_it_again() {
    let v1 = one();
    let loose = after(&v1, "2l", LOOSER);
    let draft = after(&loose, "3d", TIGHTEST);
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("host/dpo", "01-10T00:00", &wrote(&draft));
    heard.says("north/siro", "01-20T00:00", &activate(&loose, "01-20T00:00"));
    let old = back(&v1, &loose, "02-01T00:00");
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-01T00:00", &old));
    let held = [&loose, &draft];
    let found = |heard: &Heard| everywhere(heard, &[&v1], &held);

    // One word on the draft, whatever its date, keeps nobody from going back.
    let mut alone = heard.clone();
    alone.says(ATTACKER, "02-05T00:00", &approve(&draft));
    alone.says(ATTACKER, "02-05T00:00", &activate(&draft, "02-05T00:00"));
    alone.says(ATTACKER, "02-06T00:00", &old);
    assert_eq!(found(&alone), ok("1"));

    heard.all_say("02-10T00:00", &approve(&draft));
    heard.says(ATTACKER, "04-01T00:00", &old);
    assert_eq!(found(&heard), ("2l".into(), Some(Code::Unsigned)));
    for who in &QUORUM[..3] {
        assert_ne!(found(&heard), ok("1"), "without {who}");
        heard.says(who, "04-02T00:00", &old);
    }
    assert_eq!(found(&heard), ok("1"));
}
/// A site from which a rollback is withheld, and not what followed upon it.
#[test]
fn what_follows_a_rollback_that_is_withheld_counts_against_others() {
    let v1 = one();
    let (t, draft) = (after(&v1, "2t", TIGHTER), after(&v1, "2d", LOOSER));
    let t3 = after(&t, "3t", TIGHTEST);
    let mut heard = Heard::default();
    [&v1, &t].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("host/dpo", "01-10T00:00", &wrote(&t3));
    heard.says("north/siro", "01-20T00:00", &activate(&t, "01-20T00:00"));
    let r = back(&v1, &t, "01-25T00:00");
    QUORUM[..3].iter().for_each(|who| heard.says(who, "01-25T00:00", &r));
    let f = back(&t, &draft, "02-01T00:00");
    // F is withheld here
    for it in [&t, &t3] {
        heard.all_say("02-02T00:00", &within(&approve(it), f.begins()));
    }
    heard.says("north/siro", "02-03T00:00", &within(&activate(&t3, "02-03T00:00"), f.begins()));
    assert_eq!(everywhere(&heard, &[&v1], &[&t, &t3, &draft]), ok("2t"));
    heard.says(ATTACKER, "04-01T00:00", &r);
    assert_eq!(everywhere(&heard, &[&v1], &[&t, &t3, &draft]).1, Some(Code::Unsigned));
}
