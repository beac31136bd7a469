//! Nothing that one person signs takes back a step that was taken: where its sign-off is in doubt afterwards, nothing is answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use liquid_policy::life::Life;
use liquid_policy::statement::{Act, Statement};
use liquid_policy::{Agreement, Code, TrustedKey};

use super::heard::{Heard, end};
use super::{
    LOOSER, QUORUM, ROLES, TIGHTER, TWO_OF_THREE, activate, after, approve, at, key, ok, one, replacing,
    say_at, stands, trusted, wrote,
};

const ONE: &str = "south/siro";

/// Neither tighter nor looser.
const LONGER: (&str, &str) = ("expires = 2026-12-31", "expires = 2027-01-31\nlead = \"north\"");

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
pub(super) fn of_north(heard: &mut Heard, version: &Agreement, time: &str) {
    heard.says("host/dpo", time, &wrote(version));
    QUORUM[..2].iter().for_each(|who| heard.says(who, time, &approve(version)));
}

/// Who approved a version and then says that they wrote it bars themselves: the version stays, and lacks a signature.
#[test]
fn who_says_that_they_wrote_it_takes_back_no_step() {
    let v1 = one();
    let v2 = after(&v1, "2", LONGER);
    let (other, back) = (after(&v1, "2l", LOOSER), replacing(&[&v2], "3", TWO_OF_THREE, &[LOOSER]));
    let mut heard = Heard::default();
    [&v1, &v2, &other, &back].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("north/siro", "02-03T00:00", &activate(&v2, "02-03T00:00"));
    let held = [&v2, &other, &back];
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2"));
    let mut alone = heard.clone();
    alone.says(ONE, "04-01T00:00", &wrote(&v2));
    assert_eq!(everywhere(&alone, &[&v1], &held), unsigned("2"));
    alone.says("south/dpo", "04-02T00:00", &approve(&v2));
    assert_eq!(everywhere(&alone, &[&v1], &held), ok("2"));
    // Nor does it choose between two ways, nor undo a way back.
    let mut parted = heard.clone();
    parted.says(ONE, "04-01T00:00", &activate(&other, "04-01T00:00"));
    parted.says(ONE, "04-01T00:00", &wrote(&v2));
    assert_eq!(everywhere(&parted, &[&v1], &held).1, Some(Code::Unsigned));
    heard.says("north/siro", "03-01T00:00", &activate(&back, "03-01T00:00"));
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("3"));
    heard.says(ONE, "04-01T00:00", &wrote(&back));
    assert_eq!(everywhere(&heard, &[&v1], &held), unsigned("3"));
}

/// Nor a first version that was proposed: its line does not make room for one that was left.
#[test]
fn who_says_that_they_wrote_a_first_version_ends_no_line() {
    let loose = crate::support::agreement(
        &TWO_OF_THREE.replace("version = \"1\"", "version = \"0\"").replace(LOOSER.0, LOOSER.1),
    );
    let v1 = replacing(&[&loose], "1", TWO_OF_THREE, &[LONGER]);
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-01T00:00"));
    [&v1, &loose].into_iter().for_each(|it| heard.says(ONE, "02-01T00:00", &activate(it, "02-01T00:00")));
    let stands = |heard: &Heard| at_node("north", heard, [&[&super::other()], &[&v1, &loose]], end());
    assert_eq!(stands(&heard), ok("1"));
    heard.says(ONE, "05-02T00:00", &wrote(&v1));
    assert_eq!(stands(&heard), unsigned("1"));
    heard.says(ONE, "05-03T00:00", &wrote(&loose));
    assert_eq!(stands(&heard), unsigned("1"));
}

/// Where a version only tightens, and a site's own organisation has signed it, it answers there without the others.
#[test]
fn what_only_tightens_needs_its_own_organisation_alone() {
    let v1 = one();
    let v2 = after(&v1, "2t", TIGHTER);
    let mut heard = Heard::default();
    [&v1, &v2].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("north/siro", "02-03T00:00", &activate(&v2, "02-03T00:00"));
    heard.says(ONE, "04-01T00:00", &wrote(&v2));
    let at = |here: &str, heard: &Heard| at_node(here, heard, [&[&v1], &[&v2]], end());
    assert_eq!(
        ["north", "south", "host"].map(|it| at(it, &heard)),
        [ok("2t"), unsigned("2t"), unsigned("2t")]
    );
    // Not where what it tightens lacks a signature itself.
    heard.says(ONE, "04-01T00:00", &wrote(&v1));
    assert_eq!(at("north", &heard), unsigned("2t"));
}

/// A version that lacks a signature since a key was revoked does not get on without it, whatever is activated beside it.
#[test]
fn what_a_revocation_closed_is_opened_by_no_old_version() {
    let v1 = one();
    let (tight, joint) = (after(&v1, "2t", TIGHTER), after(&v1, "2w", WITH_WEST));
    let back = replacing(&[&joint], "3", TWO_OF_THREE, &[]);
    let mut heard = Heard::default();
    [&v1, &tight, &joint, &back].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    [&joint, &back].into_iter().for_each(|it| west_says(&mut heard, "01-11T00:00", &approve(it)));
    let joined = say_at("west/dpo", at("01-11T00:00"), approve(&joint));
    heard.0.push((joined, at("01-11T00:00")));
    heard.says("north/siro", "02-03T00:00", &activate(&joint, "02-03T00:00"));
    heard.says("north/siro", "03-01T00:00", &activate(&back, "03-01T00:00"));
    let held = [&tight, &joint, &back];
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("3"));
    let revoked = say_at("west/guardian", at("04-01T00:00"), Act::Revoke { revoked: "siro".into() });
    heard.0.push((revoked, at("04-01T00:00")));
    assert_eq!(everywhere(&heard, &[&v1], &held), unsigned("3"));
    let mut parted = heard.clone();
    parted.says(ONE, "04-02T00:00", &activate(&tight, "02-01T00:00"));
    assert_eq!(everywhere(&parted, &[&v1], &held).1, Some(Code::Unsigned));
    heard.0.push((say_at("west/dpo", at("04-03T00:00"), approve(&back)), at("04-03T00:00")));
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("3"));
}

/// A text that is heard late, and had stood between others all the time, takes back nothing.
#[test]
fn a_text_that_was_held_back_takes_nothing_back() {
    let v1 = one();
    let draft = after(&v1, "2d", LOOSER);
    let between = after(&v1, "2w", WITH_WEST);
    for named in [&draft, &between] {
        // All have signed it, but for those whom the draft has beside them.
        let v3 = replacing(&[&v1, named], "3", TWO_OF_THREE, &[TIGHTER]);
        let mut heard = Heard::default();
        [&v1, &v3].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
        heard.says("north/siro", "02-03T00:00", &activate(&v3, "02-03T00:00"));
        assert_eq!(everywhere(&heard, &[&v1], &[&v3]), ok("3"));
        let found = everywhere(&heard, &[&v1], &[&v3, named]);
        assert_eq!(found, if named == &draft { ok("3") } else { unsigned("3") });
        // Nor where all come to agree on it.
        heard.signed_off(named, "04-01T00:00");
        west_says(&mut heard, "04-01T00:00", &approve(named));
        heard.says(ONE, "04-01T00:00", &activate(named, "01-15T00:00"));
        assert_eq!(everywhere(&heard, &[&v1], &[&v3, named]).0, "3");
    }
}

/// Nor does agreeing on a draft below what stands: one more that all have signed takes the place of nobody's signature.
#[test]
fn what_is_agreed_on_below_takes_nothing_back() {
    let v1 = one();
    let draft = after(&v1, "2w", WITH_WEST);
    let v3 = replacing(&[&draft], "3", TWO_OF_THREE, &[LONGER]);
    let mut heard = Heard::default();
    [&v1, &draft, &v3].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("north/siro", "02-03T00:00", &activate(&v3, "02-03T00:00"));
    let held = [&draft, &v3];
    assert_eq!(
        everywhere(&heard, &[&v1], &held),
        unsigned("3"),
        "west has not signed that its draft is passed over"
    );
    west_says(&mut heard, "04-01T00:00", &approve(&draft));
    assert_eq!(everywhere(&heard, &[&v1], &held), unsigned("3"));
    west_says(&mut heard, "04-02T00:00", &approve(&v3));
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("3"));
}

/// Of two versions to which an organisation could go alone neither takes the place of the other, and none what all have agreed on since.
#[test]
fn a_step_alone_takes_back_no_other_one() {
    let v1 = one();
    let tight = after(&v1, "2t", TIGHTER);
    let tighter = after(&v1, "2u", ("minimum_contributors = 10", "minimum_contributors = 25"));
    let further = after(&tight, "3u", ("minimum_contributors = 10", "minimum_contributors = 25"));
    let agreed = after(&tight, "3", ("minimum_contributors = 10", "minimum_contributors = 50"));
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-01T00:00");
    [&tight, &tighter, &further].into_iter().for_each(|it| of_north(&mut heard, it, "01-05T00:00"));
    heard.says("north/siro", "02-01T00:00", &activate(&tight, "02-01T00:00"));
    let held = [&tight, &tighter, &further, &agreed];
    let north = |heard: &Heard| at_node("north", heard, [&[&v1], &held], end());
    let with = |heard: &Heard, version: &Arc<Agreement>| {
        let mut heard = heard.clone();
        heard.says("north/dpo", "04-01T00:00", &activate(version, "01-15T00:00"));
        heard
    };
    assert_eq!(north(&heard), ok("2t"));
    assert_eq!(north(&with(&heard, &tighter)), unsigned("2t"));
    assert_eq!(north(&with(&heard, &further)), ok("3u"));
    heard.signed_off(&agreed, "02-10T00:00");
    heard.says("north/siro", "02-11T00:00", &activate(&agreed, "02-11T00:00"));
    assert_eq!(north(&heard), ok("3"));
    assert_eq!(north(&with(&heard, &tighter)).1, Some(Code::Unsigned));
}

/// What an organisation had approved before it tightened alone does not loosen its node when somebody else activates it: it names what
/// both stand on, or nothing is answered there. Alone, the organisation goes on to what is no looser than either.
#[test]
fn what_was_approved_before_does_not_loosen_what_was_tightened_alone() {
    let v1 = one();
    let (tight, loose) = (after(&v1, "2t", TIGHTER), after(&v1, "2l", LOOSER));
    let both = |number: &str, edit| replacing(&[&tight, &loose], number, TWO_OF_THREE, &[edit]);
    let (again, too_loose) = (both("3t", TIGHTER), both("3l", LOOSER));
    let held = [&tight, &loose, &again, &too_loose];
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-01T00:00");
    of_north(&mut heard, &tight, "01-05T00:00");
    heard.says("north/siro", "02-01T00:00", &activate(&tight, "02-01T00:00"));
    heard.signed_off(&loose, "02-09T00:00");
    let at = |here: &str, heard: &Heard| at_node(here, heard, [&[&v1], &held], end());
    assert_eq!(at("north", &heard), ok("2t"));
    heard.says(ONE, "04-01T00:00", &activate(&loose, "01-15T00:00"));
    assert_eq!((at("north", &heard).1, at("south", &heard)), (Some(Code::Unsigned), ok("2l")));
    for (version, expected) in [(&again, ok("3t")), (&too_loose, unsigned("3l"))] {
        let mut heard = heard.clone();
        of_north(&mut heard, version, "04-02T00:00");
        heard.says("north/siro", "04-02T00:00", &activate(version, "04-02T00:00"));
        assert_eq!((at("north", &heard), at("south", &heard)), (expected, ok("2l")), "{}", version.version());
    }
    // All agree on one that names both.
    heard.signed_off(&too_loose, "04-03T00:00");
    heard.says(ONE, "04-03T00:00", &activate(&too_loose, "04-03T00:00"));
    assert_eq!((at("north", &heard), at("south", &heard)), (ok("3l"), ok("3l")));
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
