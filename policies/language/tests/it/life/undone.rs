//! Nothing that one person signs takes back a step that was taken: where its sign-off is in doubt afterwards, nothing is answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use liquid_policy::life::Life;
use liquid_policy::statement::{Act, Statement};
use liquid_policy::{Agreement, Code, TrustedKey};

use super::chapters::{approve, within};
use super::heard::{Heard, activate, back, end};
use super::parted::{instead, leaving};
use super::{LOOSER, QUORUM, ROLES, TIGHTER, after, at, key, ok, one, say_at, stands, trusted};

const ONE: &str = "south/siro";

pub(super) fn wrote(version: &Agreement) -> Act {
    Act::Write { agreement: version.hash().clone() }
}

/// A node with a third controller's keys too.
pub(super) fn at_node(
    here: &str,
    heard: &Heard,
    versions: [&[&Arc<Agreement>]; 2],
    now: DateTime<Utc>,
) -> (String, Option<Code>) {
    let known: BTreeMap<Statement, DateTime<Utc>> = heard.0.iter().cloned().collect();
    let [placed, held] = versions;
    let held = held.iter().map(|it| (Arc::clone(it), false));
    let versions = placed.iter().map(|it| (Arc::clone(it), true)).chain(held);
    let keys: Vec<TrustedKey> = trusted().into_iter().chain(west()).collect();
    stands(&Life::new(versions, known.keys().cloned().collect(), &keys, here.into(), known), now)
}

pub(super) fn everywhere(
    heard: &Heard,
    placed: &[&Arc<Agreement>],
    held: &[&Arc<Agreement>],
) -> (String, Option<Code>) {
    let [north, south, host] =
        ["north", "south", "host"].map(|here| at_node(here, heard, [placed, held], end()));
    assert!(north == south && south == host, "{north:?} {south:?} {host:?}");
    north
}

pub(super) fn unsigned(version: &str) -> (String, Option<Code>) {
    (version.to_owned(), Some(Code::Unsigned))
}

pub(super) fn west() -> impl Iterator<Item = TrustedKey> {
    ROLES.into_iter().map(|role| TrustedKey {
        organisation: "west".into(),
        key_id: role.into(),
        public_key: key("west", role).public_key(),
        retired: false,
        roles: [role.into()].into(),
    })
}

pub(super) const WITH_WEST: (&str, &str) = (
    "[signoff]",
    "[[party]]\norganisation = \"west\"\nrole = \"joint-controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]\n[signoff]",
);

pub(super) fn west_says(heard: &mut Heard, time: &str, act: &Act) {
    heard.0.extend(["west/guardian", "west/siro"].map(|who| (say_at(who, at(time), act.clone()), at(time))));
}

/// Approved by north alone.
fn of_north(heard: &mut Heard, version: &Agreement, time: &str) {
    heard.says("host/dpo", time, &wrote(version));
    QUORUM[..2].iter().for_each(|who| heard.says(who, time, &approve(version)));
}

/// Who approved a version and then says that they wrote it bars themselves: the version stays, and lacks a signature.
#[test]
fn who_says_that_they_wrote_it_takes_back_no_step() {
    let v1 = one();
    let (tight, loose) = (after(&v1, "2t", TIGHTER), after(&v1, "2l", LOOSER));
    let further = after(&tight, "3", LOOSER);
    let mut heard = Heard::default();
    [&v1, &loose, &tight, &further].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("north/siro", "02-03T00:00", &activate(&tight, "02-03T00:00"));
    let held = [&tight, &loose, &further];
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2t"));
    let mut alone = heard.clone();
    alone.says(ONE, "04-01T00:00", &wrote(&tight));
    assert_eq!(everywhere(&alone, &[&v1], &held), unsigned("2t"));
    alone.says("south/dpo", "04-02T00:00", &approve(&tight));
    assert_eq!(everywhere(&alone, &[&v1], &held), ok("2t"));
    // Nor does it choose between two ways, nor undo a rollback to it.
    let mut parted = heard.clone();
    parted.says(ONE, "04-01T00:00", &activate(&loose, "04-01T00:00"));
    parted.says(ONE, "04-01T00:00", &wrote(&tight));
    assert_eq!(everywhere(&parted, &[&v1], &held), unsigned("1"));
    heard.says("north/siro", "02-04T00:00", &activate(&further, "02-04T00:00"));
    heard.all_say("03-01T00:00", &back(&tight, &further, "03-01T00:00"));
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2t"));
    heard.says(ONE, "04-01T00:00", &wrote(&tight));
    assert_eq!(everywhere(&heard, &[&v1], &held), unsigned("2t"));
}

/// Nor a first version that was proposed: its line does not make room for one that was left.
#[test]
fn who_says_that_they_wrote_a_first_version_ends_no_line() {
    let v1 = one();
    let text = super::TWO_OF_THREE.replace("version = \"1\"", "version = \"0\"");
    let loose = crate::support::agreement(&text.replace(LOOSER.0, LOOSER.1));
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-01T00:00"));
    [&v1, &loose].into_iter().for_each(|it| heard.says(ONE, "02-01T00:00", &activate(it, "02-01T00:00")));
    heard.all_say("05-01T00:00", &back(&v1, &loose, "05-01T00:00"));
    let stands = |heard: &Heard| at_node("north", heard, [&[&super::other()], &[&v1, &loose]], end());
    assert_eq!(stands(&heard), ok("1"));
    heard.says(ONE, "05-02T00:00", &wrote(&v1));
    assert_eq!(stands(&heard), unsigned("1"));
}

/// A rollback that counts no longer, since a version of the ended chapter asks more, still gives up the other one.
#[test]
fn a_rollback_that_was_given_up_does_not_come_back() {
    let v1 = one();
    let (tight, joint) = (after(&v1, "2t", TIGHTER), after(&v1, "2w", WITH_WEST));
    let draft = after(&v1, "2d", LOOSER);
    let mut heard = Heard::default();
    [&v1, &tight, &joint].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    west_says(&mut heard, "01-11T00:00", &approve(&joint));
    heard.says("north/siro", "02-03T00:00", &activate(&tight, "02-03T00:00"));
    let first = back(&v1, &draft, "03-01T00:00");
    heard.all_say("03-01T00:00", &first);
    west_says(&mut heard, "03-01T00:00", &first);
    let second = instead(&back(&tight, &v1, "03-05T00:00"), &[&first]);
    heard.all_say("03-05T00:00", &second);
    let held = [&tight, &joint, &draft];
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2t"));
    heard.says(ONE, "04-01T00:00", &activate(&joint, "01-15T00:00"));
    assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
    west_says(&mut heard, "04-02T00:00", &second);
    assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned), "it says nothing of the third's");
    let third = leaving(&instead(&back(&tight, &joint, "04-03T00:00"), &[&first, &second]), &[&v1]);
    heard.all_say("04-03T00:00", &third);
    assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
    west_says(&mut heard, "04-03T00:00", &third);
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2t"));
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
    let ways = others.iter().flat_map(|tight| {
        [(tight, tight, &v1), (tight, tight, &joint), (tight, &v1, tight), (tight, &joint, tight)]
    });
    for (tight, to, from) in ways {
        let mut heard = Heard::default();
        [&v1, tight, &joint].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
        west_says(&mut heard, "01-11T00:00", &approve(&joint));
        [tight, &joint]
            .into_iter()
            .for_each(|it| heard.says(ONE, "02-03T00:00", &activate(it, "02-03T00:00")));
        let act = leaving(&back(to, from, "03-01T00:00"), &[tight, &joint]);
        heard.all_say("03-01T00:00", &act);
        assert_eq!(everywhere(&heard, &[&v1], &[tight, &joint]), unsigned("1"));
        west_says(&mut heard, "03-02T00:00", &act);
        assert_eq!(everywhere(&heard, &[&v1], &[tight, &joint]), ok(to.version()));
    }
}

/// A rollback that lacks a signature since a key was revoked does not get on without it because ways part in the chapter that it ended.
#[test]
fn what_a_revocation_closed_is_opened_by_no_old_version() {
    let v1 = one();
    let (tight, joint) = (after(&v1, "2t", TIGHTER), after(&v1, "2w", WITH_WEST));
    let mut heard = Heard::default();
    [&v1, &tight, &joint].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    west_says(&mut heard, "01-11T00:00", &approve(&joint));
    let third = say_at("west/dpo", at("01-11T00:00"), approve(&joint));
    heard.0.push((third, at("01-11T00:00")));
    heard.says("north/siro", "02-03T00:00", &activate(&joint, "02-03T00:00"));
    let act = back(&v1, &joint, "03-01T00:00");
    heard.all_say("03-01T00:00", &act);
    west_says(&mut heard, "03-01T00:00", &act);
    let held = [&tight, &joint];
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("1"));
    let revoked = say_at("west/guardian", at("04-01T00:00"), Act::Revoke { revoked: "siro".into() });
    heard.0.push((revoked, at("04-01T00:00")));
    assert_eq!(everywhere(&heard, &[&v1], &held), unsigned("1"));
    heard.says(ONE, "04-02T00:00", &activate(&tight, "02-01T00:00"));
    assert_eq!(everywhere(&heard, &[&v1], &held), unsigned("1"));
    heard.0.push((say_at("west/dpo", at("04-03T00:00"), act.clone()), at("04-03T00:00")));
    assert_eq!(everywhere(&heard, &[&v1], &held), unsigned("1"), "it says nothing of the tighter one");
    let again = leaving(&instead(&back(&v1, &joint, "04-04T00:00"), &[&act]), &[&tight]);
    heard.all_say("04-04T00:00", &again);
    assert_eq!(everywhere(&heard, &[&v1], &held), unsigned("1"));
    for who in ["west/guardian", "west/dpo"] {
        heard.0.push((say_at(who, at("04-04T00:00"), again.clone()), at("04-04T00:00")));
    }
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("1"));
}

/// Nor is a rollback given up by those alone who sign the version that was left.
#[test]
fn those_who_stay_give_up_no_rollback_alone() {
    let v1 = one();
    let party = "role = \"joint-controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]";
    let alone = after(&v1, "2", (party, "role = \"processor\""));
    let draft = after(&alone, "3", (party, "role = \"processor\""));
    let mut heard = Heard::default();
    [&v1, &alone, &draft].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("north/siro", "02-03T00:00", &activate(&alone, "02-03T00:00"));
    let first = back(&v1, &alone, "03-01T00:00");
    heard.all_say("03-01T00:00", &first);
    let held = [&alone, &draft];
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("1"));
    let second = leaving(&instead(&back(&alone, &draft, "03-05T00:00"), &[&first]), &[&v1]);
    QUORUM[..2].iter().for_each(|who| heard.says(who, "03-05T00:00", &second));
    assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
    QUORUM[2..].iter().for_each(|who| heard.says(who, "03-06T00:00", &second));
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2"));
}

/// A rollback of one agreement is nothing to another one of the same parties.
#[test]
fn a_rollback_of_another_agreement_closes_nothing() {
    let v1 = one();
    let v2 = after(&v1, "2", TIGHTER);
    let first = super::other();
    let text = super::TWO_OF_THREE.replace("id = \"A-1\"", "id = \"A-0\"");
    let numbered = format!("version = \"2\"\nsupersedes = \"sha256:{}\"", first.hash());
    let second = crate::support::agreement(&text.replace("version = \"1\"", &numbered));
    let mut heard = Heard::default();
    [&v1, &v2, &first, &second].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    [&v2, &second]
        .into_iter()
        .for_each(|it| heard.says("north/siro", "02-03T00:00", &activate(it, "02-03T00:00")));
    heard.all_say("03-01T00:00", &back(&first, &second, "03-01T00:00"));
    assert_eq!(everywhere(&heard, &[&v1, &first], &[&v2, &second]), ok("2"));
}

/// A tighter version stands, and one with a third party is to follow it on a day.
pub(super) fn to_come(day: &str) -> (Heard, Arc<Agreement>, [Arc<Agreement>; 2]) {
    let v1 = one();
    let tight = after(&v1, "2t", TIGHTER);
    let joint = after(&tight, "3w", WITH_WEST);
    let mut heard = Heard::default();
    [&v1, &tight, &joint].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    west_says(&mut heard, "01-11T00:00", &approve(&joint));
    heard.says("north/siro", "02-03T00:00", &activate(&tight, "02-03T00:00"));
    heard.says("north/siro", "02-03T00:00", &activate(&joint, day));
    (heard, v1, [tight, joint])
}

/// A version that was to come asks nothing of a rollback that ended its chapter before.
#[test]
fn what_was_to_come_does_not_undo_a_rollback() {
    let (mut heard, v1, [tight, joint]) = to_come("05-15T00:00");
    heard.all_say("03-05T00:00", &back(&v1, &tight, "03-05T00:00"));
    for now in ["03-05T00:00", "05-14T00:00", "05-16T00:00"] {
        for here in ["north", "south", "host"] {
            assert_eq!(at_node(here, &heard, [&[&v1], &[&tight, &joint]], at(now)), ok("1"), "{now}");
        }
    }
}

/// But who joined before all agreed on a rollback is asked, to whatever day it is dated back.
#[test]
fn a_rollback_that_is_dated_back_leaves_nobody_behind() {
    let v1 = one();
    let (tight, joint) = (after(&v1, "2t", TIGHTER), after(&v1, "2w", WITH_WEST));
    let mut heard = Heard::default();
    [&v1, &tight, &joint].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    west_says(&mut heard, "01-11T00:00", &approve(&joint));
    heard.says("north/siro", "02-03T00:00", &activate(&joint, "02-03T00:00"));
    let rollback = back(&v1, &tight, "01-15T00:00");
    for who in QUORUM {
        heard.hear(say_at(who, at("01-15T00:00"), rollback.clone()), at("03-01T00:00"));
    }
    assert_eq!(everywhere(&heard, &[&v1], &[&tight, &joint]), unsigned("2w"));
    west_says(&mut heard, "03-02T00:00", &rollback);
    assert_eq!(everywhere(&heard, &[&v1], &[&tight, &joint]), unsigned("2w"), "it is from another version");
    let from = instead(&back(&v1, &joint, "03-03T00:00"), &[&rollback]);
    heard.all_say("03-03T00:00", &from);
    assert_eq!(everywhere(&heard, &[&v1], &[&tight, &joint]), unsigned("2w"));
    west_says(&mut heard, "03-03T00:00", &from);
    assert_eq!(everywhere(&heard, &[&v1], &[&tight, &joint]), ok("1"));
}

/// The last word on a version in a chapter that has ended takes back nothing that its operator placed for the next one: it closes it, since
/// nobody has said that they leave it.
#[test]
fn a_late_approval_takes_back_no_placed_version() {
    let v1 = one();
    let (tight, loose) = (after(&v1, "2t", TIGHTER), after(&v1, "2l", LOOSER));
    let mut heard = Heard::default();
    [&v1, &loose, &tight].into_iter().for_each(|it| heard.signed_off(it, "01-01T00:00"));
    let late = heard.0.pop().expect("an approval of the tighter one").0;
    heard.says("north/siro", "02-03T00:00", &activate(&loose, "02-03T00:00"));
    let rollback = back(&v1, &loose, "03-01T00:00");
    heard.all_say("03-01T00:00", &rollback);
    heard.all_say("03-02T00:00", &within(&approve(&tight), rollback.begins()));
    assert_eq!(everywhere(&heard, &[&v1, &tight], &[&loose]), ok("2t"));
    heard.hear(late, at("04-01T00:00"));
    assert_eq!(everywhere(&heard, &[&v1, &tight], &[&loose]), unsigned("1"));
    let again = leaving(&instead(&back(&v1, &loose, "04-02T00:00"), &[&rollback]), &[&tight]);
    heard.all_say("04-02T00:00", &again);
    heard.all_say("04-02T00:00", &within(&approve(&tight), again.begins()));
    assert_eq!(everywhere(&heard, &[&v1, &tight], &[&loose]), ok("2t"));
}

/// Of two versions to which an organisation could go alone none takes the place of the other but by being tighter, and none what all
/// have agreed on since.
#[test]
fn a_step_alone_takes_back_no_other_one() {
    let v1 = one();
    let tight = after(&v1, "2t", TIGHTER);
    let shorter = after(&v1, "2e", ("expires = 2026-12-31", "expires = 2026-11-30"));
    let tighter = after(&v1, "2u", ("minimum_contributors = 10", "minimum_contributors = 25"));
    let agreed = after(&tight, "3", ("minimum_contributors = 10", "minimum_contributors = 50"));
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-01T00:00");
    [&tight, &shorter, &tighter].into_iter().for_each(|it| of_north(&mut heard, it, "01-05T00:00"));
    heard.says("north/siro", "02-01T00:00", &activate(&tight, "02-01T00:00"));
    let held = [&tight, &shorter, &tighter, &agreed];
    let north = |heard: &Heard| at_node("north", heard, [&[&v1], &held], end());
    let with = |heard: &Heard, version: &Arc<Agreement>| {
        let mut heard = heard.clone();
        heard.says("north/dpo", "04-01T00:00", &activate(version, "01-15T00:00"));
        heard
    };
    assert_eq!(north(&heard), ok("2t"));
    assert_eq!(north(&with(&heard, &shorter)), unsigned("1"));
    assert_eq!(north(&with(&heard, &tighter)), ok("2u"));
    heard.signed_off(&agreed, "02-10T00:00");
    heard.says("north/siro", "02-11T00:00", &activate(&agreed, "02-11T00:00"));
    assert_eq!(north(&with(&heard, &tighter)), ok("3"));
}

/// What an organisation had approved before it tightened alone does not loosen its node when somebody else activates it.
#[test]
fn what_was_approved_before_does_not_loosen_what_was_tightened_alone() {
    let v1 = one();
    let (tight, loose) = (after(&v1, "2t", TIGHTER), after(&v1, "2l", LOOSER));
    for (time, expected) in [("01-02T00:00", unsigned("1")), ("01-09T00:00", ok("2l"))] {
        let mut heard = Heard::default();
        heard.signed_off(&v1, "01-01T00:00");
        heard.signed_off(&loose, time);
        of_north(&mut heard, &tight, "01-05T00:00");
        heard.says("north/siro", "02-01T00:00", &activate(&tight, "02-01T00:00"));
        let held = [&tight, &loose];
        assert_eq!(at_node("north", &heard, [&[&v1], &held], end()), ok("2t"));
        heard.says(ONE, "04-01T00:00", &activate(&loose, "01-15T00:00"));
        assert_eq!(at_node("north", &heard, [&[&v1], &held], end()), expected);
        assert_eq!(at_node("south", &heard, [&[&v1], &held], end()), ok("2l"));
    }
}

/// Where all go back to a version that one site alone knows as agreed, the others answer nothing.
#[test]
fn a_rollback_to_what_a_site_does_not_know_as_agreed_closes_it() {
    let v1 = one();
    let (tight, loose) = (after(&v1, "2t", TIGHTER), after(&v1, "2l", LOOSER));
    let agreed = after(&tight, "3", ("minimum_contributors = 10", "minimum_contributors = 50"));
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-01T00:00"));
    of_north(&mut heard, &tight, "01-05T00:00");
    heard.says("north/siro", "02-01T00:00", &activate(&tight, "02-01T00:00"));
    heard.signed_off(&agreed, "02-10T00:00");
    heard.says("north/siro", "02-11T00:00", &activate(&agreed, "02-11T00:00"));
    heard.says(ONE, "04-01T00:00", &activate(&loose, "04-01T00:00"));
    heard.all_say("05-01T00:00", &back(&agreed, &loose, "05-01T00:00"));
    let at = |here: &str| at_node(here, &heard, [&[&v1], &[&tight, &loose, &agreed]], end());
    assert_eq!((at("north"), at("south")), (ok("3"), unsigned("2l")));
}

/// Two lines that were each left for the other go on with a rollback in the place of both.
#[test]
fn lines_that_left_each_other_go_on() {
    let v1 = one();
    let text = super::TWO_OF_THREE.replace("version = \"1\"", "version = \"0\"");
    let loose = crate::support::agreement(&text.replace(LOOSER.0, LOOSER.1));
    let mut heard = Heard::default();
    for version in [&v1, &loose] {
        heard.signed_off(version, "01-01T00:00");
        heard.says("north/siro", "02-01T00:00", &activate(version, "02-01T00:00"));
    }
    let both = [back(&v1, &loose, "05-01T00:00"), back(&loose, &v1, "05-01T00:00")];
    both.iter().for_each(|act| heard.all_say("05-01T00:00", act));
    let stands = |heard: &Heard| at_node("north", heard, [&[&super::other()], &[&v1, &loose]], end());
    assert_eq!(stands(&heard).1, Some(Code::Unsigned));
    heard.all_say("05-02T00:00", &instead(&back(&v1, &loose, "05-02T00:00"), &[&both[0], &both[1]]));
    assert_eq!(stands(&heard), ok("1"));
}

/// Whoever hands over to a colleague's new key, and is heard first, takes no role from it, and does not end it when they are revoked.
#[test]
fn nobody_takes_the_roles_of_a_new_key() {
    let v1 = one();
    let v2 = after(&v1, "2", TIGHTER);
    let new = key("south", "new");
    let hand_over = |who: &str, time: &str| {
        say_at(who, at(time), Act::HandOver { to: "new".into(), public_key: new.public_key() })
    };
    let signer = liquid_policy::statement::Signer {
        organisation: "south".into(),
        role: "guardian".into(),
        key_id: "new".into(),
        time: at("02-01T00:00"),
    };
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-01T00:00");
    heard.says("host/dpo", "01-01T00:00", &wrote(&v2));
    ["north/guardian", "north/siro", "south/dpo"]
        .into_iter()
        .for_each(|who| heard.says(who, "02-01T00:00", &approve(&v2)));
    heard.hear(hand_over(ONE, "01-02T00:00"), at("01-02T00:00"));
    heard.hear(hand_over("south/guardian", "01-03T00:00"), at("01-03T00:00"));
    heard.hear(new.say(approve(&v2), signer), at("02-01T00:00"));
    heard.says("north/siro", "02-03T00:00", &activate(&v2, "02-03T00:00"));
    let found = |heard: &Heard| at_node("south", heard, [&[&v1], &[&v2]], end());
    assert_eq!(found(&heard), ok("2"));
    heard.says("south/dpo", "01-20T00:00", &Act::Revoke { revoked: "siro".into() });
    assert_eq!(found(&heard).0, "2");
}
