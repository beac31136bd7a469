//! What one person left over from a site's past, said late or withheld, does not open it: at late sites, of suspensions, of revoked keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use liquid_policy::life::Life;
use liquid_policy::statement::{Act, Signer, Statement};
use liquid_policy::{Agreement, Code, SigningKey};

use super::chapters::{approve, within};
use super::heard::{Heard, activate, back, end};
use super::parted::{instead, leaving};
use super::undone::{WITH_WEST, at_node, everywhere, west_says, wrote};
use super::{LOOSER, QUORUM, TIGHTER, TWO_OF_THREE, after, at, ok, one, say_at, stands, trusted};
use crate::support::agreement;

const TIGHTEST: (&str, &str) = ("minimum_contributors = 10", "minimum_contributors = 30");
const ATTACKER: &str = "south/siro";

/// One person's later word in the chapter of a late site does not make it the last one.
#[test]
fn a_late_site_is_not_reopened_by_one_word_in_its_old_chapter() {
    let v1 = one();
    let (tight, loose) = (after(&v1, "2t", TIGHTER), after(&v1, "2l", LOOSER));
    let begun = back(&v1, &tight, "02-01T00:00");
    let mut heard = Heard::default();
    [&v1, &tight, &loose].into_iter().for_each(|it| heard.says("host/dpo", "01-01T00:00", &wrote(it)));
    heard.all_say("02-03T00:00", &within(&approve(&loose), begun.begins()));
    heard.says("north/siro", "02-03T00:00", &within(&activate(&loose, "02-03T00:00"), begun.begins()));
    let put = QUORUM.map(|who| say_at(who, at("02-02T00:00"), within(&approve(&v1), begun.begins())));
    let ended = within(&back(&v1, &loose, "03-01T00:00"), begun.begins());
    heard.all_say("03-02T00:00", &within(&approve(&v1), ended.begins()));
    let late = |heard: &Heard, put: &[Statement]| {
        let known: BTreeMap<Statement, DateTime<Utc>> = heard.0.iter().cloned().collect();
        let versions = [(&v1, true), (&tight, false), (&loose, false)].map(|(it, p)| (Arc::clone(it), p));
        let said = known.keys().cloned().chain(put.iter().cloned()).collect();
        let life =
            Life::placing(versions, (said, put.iter().cloned().collect()), &trusted(), "north".into(), known);
        stands(&life, end())
    };
    assert_eq!(late(&heard, &put).1, Some(Code::Unsigned));
    let new = SigningKey::from_seed(&[77; 32]).expect("32");
    heard.says(ATTACKER, "04-01T00:00", &Act::HandOver { to: "mine".into(), public_key: new.public_key() });
    let signer = Signer {
        organisation: "south".into(),
        role: "siro".into(),
        key_id: "mine".into(),
        time: at("04-02T00:00"),
    };
    heard.hear(new.say(within(&approve(&v1), begun.begins()), signer), at("04-02T00:00"));
    assert_eq!(late(&heard, &put).1, Some(Code::Unsigned));
}

/// A site that has tightened alone is not late: what is withheld from it takes that away no more than what it hears.
#[test]
fn who_has_tightened_alone_is_not_late() {
    let v1 = one();
    let (draft, t) = (after(&v1, "2l", LOOSER), after(&v1, "2t", TIGHTER));
    let f = back(&v1, &draft, "01-15T00:00");
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-10T00:00");
    QUORUM[..3].iter().for_each(|who| heard.says(who, "01-15T00:00", &f));
    heard.says("host/dpo", "02-02T00:00", &wrote(&t));
    QUORUM[..2].iter().for_each(|who| heard.says(who, "02-02T00:00", &approve(&t)));
    heard.says("north/siro", "02-02T00:00", &activate(&t, "02-02T00:00"));
    let north = |heard: &Heard| at_node("north", heard, [&[&v1], &[&draft, &t]], end());
    assert_eq!(north(&heard), ok("2t"));
    let mut all = heard.clone();
    all.says(ATTACKER, "03-01T00:00", &f);
    all.all_say("03-05T00:00", &within(&approve(&v1), f.begins()));
    assert_eq!(north(&all), ("2t".into(), Some(Code::Unsigned)));
    heard.all_say("03-05T00:00", &within(&approve(&v1), f.begins()));
    assert_eq!(north(&heard), ("2t".into(), Some(Code::Unsigned)));
}

/// All have gone back, and on with a third party in the chapter after that; with the rollback.
fn given_up_with_west() -> (Heard, Arc<Agreement>, [Arc<Agreement>; 2], Act) {
    let v1 = one();
    let (loose, joint) = (after(&v1, "2l", LOOSER), after(&v1, "2w", WITH_WEST));
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("host/dpo", "01-10T00:00", &wrote(&joint));
    heard.says("north/siro", "01-20T00:00", &activate(&loose, "01-20T00:00"));
    let f = back(&v1, &loose, "02-01T00:00");
    heard.all_say("02-01T00:00", &f);
    heard.all_say("02-02T00:00", &within(&approve(&joint), f.begins()));
    west_says(&mut heard, "02-02T00:00", &within(&approve(&joint), f.begins()));
    heard.says("north/siro", "02-02T00:00", &within(&activate(&joint, "02-02T00:00"), f.begins()));
    (heard, v1, [loose, joint], f)
}

/// A suspension by whom only a chapter has that is given up.
#[test]
fn a_suspension_stays_where_its_chapter_is_given_up() {
    let (mut heard, v1, [loose, joint], f) = given_up_with_west();
    let held = [&loose, &joint];
    let s = leaving(&instead(&back(&loose, &joint, "02-05T00:00"), &[&f]), &[&v1]);
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-05T00:00", &s));
    west_says(&mut heard, "02-05T00:00", &s);
    heard
        .0
        .push((say_at("west/dpo", at("03-01T00:00"), Act::Suspend { id: "A-1".into() }), at("03-01T00:00")));
    assert_eq!(everywhere(&heard, &[&v1], &held), ("2w".into(), Some(Code::Suspended)));
    heard.says(ATTACKER, "04-01T00:00", &s);
    assert_eq!(everywhere(&heard, &[&v1], &held), ("2l".into(), Some(Code::Suspended)));
}

/// The same where a line is left.
#[test]
fn a_suspension_stays_where_its_line_is_left() {
    let v1 = one();
    let text = TWO_OF_THREE.replace("version = \"1\"", "version = \"0\"").replace(WITH_WEST.0, WITH_WEST.1);
    let joint = agreement(&text);
    let mut heard = Heard::default();
    [&v1, &joint].into_iter().for_each(|version| heard.signed_off(version, "01-01T00:00"));
    west_says(&mut heard, "01-01T00:00", &approve(&joint));
    heard.says("north/siro", "02-01T00:00", &activate(&joint, "02-01T00:00"));
    let stands = |heard: &Heard| at_node("north", heard, [&[&super::other()], &[&v1, &joint]], end());
    let r = back(&v1, &joint, "02-02T00:00");
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-02T00:00", &r));
    west_says(&mut heard, "02-02T00:00", &r);
    heard
        .0
        .push((say_at("west/dpo", at("03-01T00:00"), Act::Suspend { id: "A-1".into() }), at("03-01T00:00")));
    assert_eq!(stands(&heard).1, Some(Code::Suspended));
    heard.says(ATTACKER, "04-01T00:00", &r);
    assert_ne!(stands(&heard).1, None);
    heard.says(ATTACKER, "04-01T00:00", &activate(&v1, "04-01T00:00"));
    assert_eq!(stands(&heard), ("1".into(), Some(Code::Suspended)));
}

/// Whoever had a version in a chapter that is given up signs for giving it up, by keys that count.
#[test]
fn a_revoked_word_no_longer_gives_up_a_chapter() {
    let revoke = say_at("west/guardian", at("03-01T00:00"), Act::Revoke { revoked: "siro".into() });
    let (mut heard, v1, [loose, joint], f) = given_up_with_west();
    let held = [&loose, &joint];
    heard.0.push((
        say_at("west/dpo", at("02-02T00:00"), within(&approve(&joint), f.begins())),
        at("02-02T00:00"),
    ));
    let s = leaving(&instead(&back(&loose, &joint, "02-05T00:00"), &[&f]), &[&v1]);
    heard.all_say("02-05T00:00", &s);
    let mut less = heard.clone();
    less.0.push((say_at("west/guardian", at("02-05T00:00"), s.clone()), at("02-05T00:00")));
    assert_ne!(everywhere(&less, &[&v1], &held), ok("2l"));
    west_says(&mut heard, "02-05T00:00", &s);
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2l"));
    heard.0.push((revoke, at("03-01T00:00")));
    assert_eq!(everywhere(&heard, &[&v1], &held), ("2l".into(), Some(Code::Unsigned)));
}

/// A gap between placed versions is not filled where all have signed the last one in a later chapter.
#[test]
fn a_gap_is_not_filled_by_a_site_that_knows_more() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let (v3, draft) = (after(&v2, "3", TIGHTER), after(&v2, "3d", TIGHTEST));
    let ended = back(&v2, &draft, "02-10T00:00");
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-01T00:00");
    [&v2, &v3].into_iter().for_each(|it| heard.says("host/dpo", "01-01T00:00", &wrote(it)));
    heard.all_say("02-11T00:00", &within(&approve(&v3), ended.begins()));
    assert_eq!(everywhere(&heard, &[&v1, &v3], &[]).1, Some(Code::Unsigned));
    heard.all_say("01-02T00:00", &approve(&v2));
    heard.says("north/siro", "01-03T00:00", &activate(&v2, "01-03T00:00"));
    assert_eq!(everywhere(&heard, &[&v1, &v3], &[&v2]).1, Some(Code::Unsigned));
}

/// A rollback that all have signed is not passed over where the version that it leaves is withheld.
#[test]
fn a_rollback_from_what_is_not_here_closes() {
    let v1 = one();
    let (loose, draft) = (after(&v1, "2l", LOOSER), after(&v1, "2d", TIGHTEST));
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("north/siro", "01-20T00:00", &activate(&loose, "01-20T00:00"));
    let gone = leaving(&back(&v1, &draft, "03-01T00:00"), &[&loose]);
    QUORUM[..3].iter().for_each(|who| heard.says(who, "03-01T00:00", &gone));
    assert_eq!(everywhere(&heard, &[&v1], &[&loose]), ok("2l"));
    heard.says(QUORUM[3], "03-01T00:00", &gone);
    assert_eq!(everywhere(&heard, &[&v1], &[&loose]), ("2l".into(), Some(Code::Unsigned)));
    assert_eq!(everywhere(&heard, &[&v1], &[&loose, &draft]), ok("1"));
}
