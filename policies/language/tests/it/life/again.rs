//! What one person, or one organisation, tried against the rules for rollbacks, chapters and late sites: each of these once put a version in
//! force that asks less than the one which stood. What is left of them is that they close it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use liquid_policy::life::Life;
use liquid_policy::statement::{Act, Signer, Statement};
use liquid_policy::{Agreement, Code, Keyring, SigningKey};

use super::chapters::{approve, within};
use super::heard::{Heard, activate, back, end};
use super::parted::{instead, leaving};
use super::undone::{WITH_WEST, at_node, everywhere, to_come, unsigned, west_says, wrote};
use super::{LOOSER, QUORUM, TIGHTER, TWO_OF_THREE, after, at, ok, one, say_at, stands, trusted};
use crate::support::agreement;

const SOUTH: [&str; 3] = ["south/guardian", "south/siro", "south/dpo"];
const TIGHTEST: (&str, &str) = ("minimum_contributors = 10", "minimum_contributors = 30");

/// A version after another one, in other words.
pub(super) fn next(version: &str, before: &Agreement, text: &str, edits: &[(&str, &str)]) -> Arc<Agreement> {
    let supersedes = format!("version = \"{version}\"\nsupersedes = \"sha256:{}\"", before.hash());
    let mut text = text.replace("version = \"1\"", &supersedes);
    for (from, to) in edits {
        let edited = text.replace(from, to);
        assert_ne!(edited, text);
        text = edited;
    }
    agreement(&text)
}

/// One signature of each controller is enough.
fn one_each() -> String {
    TWO_OF_THREE.replace("roles_per_party = 2", "roles_per_party = 1")
}

/// A word on a rollback that is kept back until all have agreed on more does not take that from them.
#[test]
fn the_last_word_on_an_old_rollback_only_closes() {
    let v1 = one();
    let v2 = after(&v1, "2t", TIGHTER);
    let v3 = after(&v2, "3t", TIGHTEST);
    let mut heard = Heard::default();
    [&v1, &v2].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("north/siro", "02-03T00:00", &activate(&v2, "02-03T00:00"));
    let old = back(&v1, &v2, "03-01T00:00");
    QUORUM[..3].iter().for_each(|who| heard.says(who, "03-01T00:00", &old));
    heard.signed_off(&v3, "03-10T00:00");
    heard.says("north/siro", "03-11T00:00", &activate(&v3, "03-11T00:00"));
    let held = [&v2, &v3];
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("3t"));
    heard.says(QUORUM[3], "04-01T00:00", &old);
    assert_eq!(everywhere(&heard, &[&v1], &held), unsigned("3t"));
    heard.all_say("04-02T00:00", &leaving(&instead(&back(&v2, &v3, "04-02T00:00"), &[&old]), &[&v1]));
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2t"));
}

/// Where a site has tightened alone, what all agree on leaving the version below that leaves it there, too.
#[test]
fn all_go_back_from_under_what_one_has_tightened_alone() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let alone = after(&v2, "3t", TIGHTER);
    let mut heard = Heard::default();
    [&v1, &v2].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("north/siro", "02-01T00:00", &activate(&v2, "02-01T00:00"));
    heard.says("host/dpo", "02-02T00:00", &wrote(&alone));
    QUORUM[..2].iter().for_each(|who| heard.says(who, "02-02T00:00", &approve(&alone)));
    heard.says("north/siro", "02-02T00:00", &activate(&alone, "02-02T00:00"));
    let north = |heard: &Heard| at_node("north", heard, [&[&v1], &[&v2, &alone]], end());
    assert_eq!(north(&heard), ok("3t"));
    heard.all_say("03-01T00:00", &back(&v1, &v2, "03-01T00:00"));
    assert_eq!(everywhere(&heard, &[&v1], &[&v2, &alone]), ok("1"));
}

/// Nor does one that was to take the place of a rollback, when all have gone on in the chapter which that began.
#[test]
fn the_last_word_on_what_gives_up_a_rollback_only_closes() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let (v3, v4) = (after(&v2, "3", LOOSER), after(&v1, "4", TIGHTEST));
    let mut heard = Heard::default();
    [&v1, &v2, &v3].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("north/siro", "02-01T00:00", &activate(&v2, "02-01T00:00"));
    heard.says("north/siro", "02-02T00:00", &activate(&v3, "02-02T00:00"));
    let first = back(&v1, &v3, "03-01T00:00");
    heard.all_say("03-01T00:00", &first);
    let other = instead(&back(&v2, &v3, "03-02T00:00"), &[&first]);
    QUORUM[..3].iter().for_each(|who| heard.says(who, "03-02T00:00", &other));
    heard.says("host/dpo", "03-03T00:00", &wrote(&v4));
    let held = [&v2, &v3, &v4];
    let mut at_once = heard.clone();
    at_once.says(QUORUM[3], "03-03T00:00", &other);
    assert_eq!(
        everywhere(&at_once, &[&v1], &held).1,
        Some(Code::Unsigned),
        "all have gone back to what stands"
    );
    heard.all_say("03-03T00:00", &within(&approve(&v4), first.begins()));
    heard.says("north/siro", "03-04T00:00", &within(&activate(&v4, "03-04T00:00"), first.begins()));
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("4"));
    heard.says(QUORUM[3], "04-01T00:00", &other);
    assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
    let known: BTreeMap<_, _> = heard.0.iter().cloned().collect();
    let versions =
        [(&v1, true), (&v2, false), (&v3, false), (&v4, false)].map(|(it, placed)| (Arc::clone(it), placed));
    let life = Life::new(versions, known.keys().cloned().collect(), &trusted(), "north".into(), known);
    assert_eq!(life.status(end(), |_| true)[0].parted, [&v4, &v2].map(|it| it.hash().clone()), "to be named");
    // All say what they want in the place of what stood: another one, or the same.
    for (to, from) in [(&v1, &v4), (&v4, &v3)] {
        let mut lifted = heard.clone();
        let rollback = leaving(&instead(&back(to, from, "04-02T00:00"), &[&first, &other]), &[&v2, &v3]);
        lifted.all_say("04-02T00:00", &rollback);
        let now = everywhere(&lifted, &[&v1], &held);
        assert_eq!(now.0, to.version());
        lifted.all_say("04-03T00:00", &within(&approve(to), rollback.begins()));
        assert_eq!(
            everywhere(&lifted, &[&v1], &held),
            ok(to.version()),
            "approved in another chapter, and now in this one"
        );
    }
}

/// Nor do two of which one was to take the other's place, and neither speaks of what all have agreed on since.
#[test]
fn one_that_gives_up_another_one_speaks_of_no_more_than_both() {
    let v1 = one();
    let (loose, tight) = (after(&v1, "2l", LOOSER), after(&v1, "2t", TIGHTER));
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-10T00:00");
    let first = back(&v1, &loose, "01-11T00:00");
    let other = instead(&back(&v1, &loose, "01-12T00:00"), &[&first]);
    for (act, time) in [(&first, "01-11T00:00"), (&other, "01-12T00:00")] {
        QUORUM[..3].iter().for_each(|who| heard.says(who, time, act));
    }
    heard.says("host/dpo", "02-01T00:00", &wrote(&loose));
    heard.signed_off(&tight, "02-01T00:00");
    heard.says("north/siro", "02-02T00:00", &activate(&tight, "02-02T00:00"));
    let held = [&loose, &tight];
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2t"));
    [&first, &other].into_iter().for_each(|act| heard.says(QUORUM[3], "04-01T00:00", act));
    assert_eq!(everywhere(&heard, &[&v1], &held), unsigned("2t"));
}

/// A version of which south alone was a controller stood, and all went back from it. South alone does not bring it back, not by a version that
/// makes the way back lack somebody either.
#[test]
fn who_once_had_it_alone_does_not_bring_it_back() {
    let v1 = one();
    let joint = "organisation = \"north\"\nrole = \"controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]\n[[party]]\n\
                 organisation = \"south\"\nrole = \"joint-controller\"";
    let alone = "organisation = \"north\"\nrole = \"processor\"\n[[party]]\norganisation = \"south\"\nrole = \"controller\"";
    let solo = next("2s", &v1, TWO_OF_THREE, &[(joint, alone), LOOSER]);
    let draft = next("3d", &solo, TWO_OF_THREE, &[(joint, alone)]);
    let three =
        next("3j", &solo, TWO_OF_THREE, &[(joint, alone), ("roles_per_party = 2", "roles_per_party = 3")]);
    let mut heard = Heard::default();
    [&v1, &solo].into_iter().for_each(|it| heard.signed_off(it, "01-01T00:00"));
    heard.says("north/siro", "02-01T00:00", &activate(&solo, "02-01T00:00"));
    let left = back(&v1, &solo, "03-01T00:00");
    heard.all_say("03-01T00:00", &left);
    heard.all_say("03-02T00:00", &within(&approve(&v1), left.begins()));
    let held = [&solo, &draft, &three];
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("1"));
    let again = back(&solo, &draft, "04-01T00:00");
    SOUTH.iter().for_each(|who| heard.says(who, "04-01T00:00", &again));
    assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
    heard.says("host/dpo", "04-01T00:00", &wrote(&three));
    SOUTH.iter().for_each(|who| heard.says(who, "04-01T00:00", &approve(&three)));
    heard.says("south/siro", "04-01T00:00", &activate(&three, "02-10T00:00"));
    assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
}

/// Of two rollbacks none is chosen by who makes the other one lack somebody.
#[test]
fn a_rollback_that_lacks_somebody_leaves_no_choice_to_another_one() {
    let v1 = one();
    let (tight, joint) = (after(&v1, "2t", TIGHTER), after(&v1, "2w", WITH_WEST));
    let draft = after(&v1, "2d", LOOSER);
    let mut heard = Heard::default();
    [&v1, &tight, &joint].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    west_says(&mut heard, "01-11T00:00", &approve(&joint));
    heard.says("north/siro", "02-03T00:00", &activate(&tight, "02-03T00:00"));
    let (one, other) = (back(&v1, &tight, "03-01T00:00"), back(&tight, &draft, "03-05T00:00"));
    let held = [&tight, &joint, &draft];
    let mut both = heard.clone();
    both.all_say("03-01T00:00", &one);
    both.all_say("03-05T00:00", &other);
    assert_eq!(everywhere(&both, &[&v1], &held), unsigned("2t"));
    both.says("south/siro", "04-01T00:00", &activate(&joint, "03-03T00:00"));
    assert_eq!(everywhere(&both, &[&v1], &held).1, Some(Code::Unsigned));

    heard.all_say("03-05T00:00", &other);
    QUORUM[..3].iter().for_each(|who| heard.says(who, "03-01T00:00", &one));
    west_says(&mut heard, "03-01T00:00", &one);
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2t"));
    heard.says("south/siro", "04-01T00:00", &activate(&joint, "02-01T00:00"));
    heard.says("south/siro", "04-01T00:00", &one);
    assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
}

/// What is given up is given up as soon as all have said so, also where that is for a later day, and where a key goes before it.
#[test]
fn what_is_given_up_for_a_later_day_is_given_up_now() {
    let v1 = one();
    let (tight, draft) = (after(&v1, "2t", TIGHTER), after(&v1, "2d", LOOSER));
    let mut heard = Heard::default();
    [&v1, &tight].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("north/siro", "02-03T00:00", &activate(&tight, "02-03T00:00"));
    let old = back(&v1, &tight, "03-01T00:00");
    // A third one of south signs, too, so that what has happened stays good without the one whose key goes.
    [&v1, &tight].into_iter().for_each(|it| heard.says("south/dpo", "01-10T00:00", &approve(it)));
    QUORUM[..3].iter().chain(&["south/dpo"]).for_each(|who| heard.says(who, "03-01T00:00", &old));
    heard
        .0
        .retain(|(it, _)| it.act != old || it.organisation.as_str() == "north" || it.role.as_str() == "dpo");
    heard.all_say("03-05T00:00", &instead(&back(&tight, &draft, "05-15T00:00"), &[&old]));
    heard.says(QUORUM[3], "04-01T00:00", &old);
    let now = |heard: &Heard, time: &str| at_node("north", heard, [&[&v1], &[&tight, &draft]], at(time));
    for (time, is_open) in
        [("03-31T00:00", true), ("04-02T00:00", false), ("05-14T00:00", false), ("05-16T00:00", false)]
    {
        assert_eq!(now(&heard, time), if is_open { ok("2t") } else { unsigned("2t") }, "{time}");
    }
    let (organisation, role) = QUORUM[3].split_once('/').expect("who");
    heard.says(&format!("{organisation}/guardian"), "04-10T00:00", &Act::Revoke { revoked: role.into() });
    for time in ["04-11T00:00", "05-14T00:00", "05-16T00:00"] {
        assert_eq!(now(&heard, time).0, "2t", "{time}");
    }
}

/// Whoever signs a rollback again, dated back, does not make it one that was agreed only now.
#[test]
fn a_rollback_that_is_signed_again_was_agreed_before() {
    let (mut heard, v1, [tight, joint]) = to_come("04-15T00:00");
    let rollback = back(&v1, &tight, "03-05T00:00");
    heard.all_say("03-05T00:00", &rollback);
    heard.hear(say_at("south/siro", at("03-01T00:00"), rollback), at("05-01T00:00"));
    assert_eq!(everywhere(&heard, &[&v1], &[&tight, &joint]), ok("1"));
}

/// What a rollback gives up may have led to several versions: it takes all who have them, and the sign-off of what is given up.
#[test]
fn who_was_brought_in_is_asked_before_it_is_given_up() {
    let v1 = one();
    let (tight, joint) = (after(&v1, "2t", TIGHTER), after(&v1, "2w", WITH_WEST));
    let loose = after(&v1, "2l", LOOSER);
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    [&tight, &joint].into_iter().for_each(|it| heard.says("host/dpo", "01-10T00:00", &wrote(it)));
    heard.says("north/siro", "02-01T00:00", &activate(&loose, "02-01T00:00"));
    let first = back(&v1, &loose, "03-01T00:00");
    heard.all_say("03-01T00:00", &first);
    let held = [&tight, &joint, &loose];
    let mut parted = heard.clone();
    for it in [&tight, &joint] {
        parted.all_say("03-02T00:00", &within(&approve(it), first.begins()));
        parted.says("north/siro", "03-03T00:00", &within(&activate(it, "03-03T00:00"), first.begins()));
    }
    west_says(&mut parted, "03-02T00:00", &within(&approve(&joint), first.begins()));
    let other = leaving(&instead(&back(&v1, &tight, "03-04T00:00"), &[&first]), &[&joint, &loose]);
    parted.all_say("03-04T00:00", &other);
    assert_eq!(everywhere(&parted, &[&v1], &held).1, Some(Code::Unsigned));
    west_says(&mut parted, "03-05T00:00", &other);
    assert_eq!(everywhere(&parted, &[&v1], &held), ok("1"));

    // One that leaves a version of the third takes the third to be given up.
    let mut left = heard.clone();
    let of_joint = leaving(&instead(&back(&v1, &joint, "03-02T00:00"), &[&first]), &[&loose]);
    left.all_say("03-02T00:00", &of_joint);
    west_says(&mut left, "03-02T00:00", &of_joint);
    assert_eq!(everywhere(&left, &[&v1], &held), ok("1"));
    let other = instead(&back(&v1, &loose, "03-03T00:00"), &[&first, &of_joint]);
    left.all_say("03-03T00:00", &other);
    assert_eq!(everywhere(&left, &[&v1], &held).1, Some(Code::Unsigned));
    west_says(&mut left, "03-04T00:00", &other);
    assert_eq!(everywhere(&left, &[&v1], &held), ok("1"));
}

/// Of two chapters in which others have signed than in the first, one person who signed both chooses none, with whatever dates.
#[test]
fn one_who_signed_two_chapters_moves_no_site_that_joins_late() {
    let v1 = agreement(&one_each());
    let [tight, loose] =
        [("2t", TIGHTER), ("2l", LOOSER)].map(|(name, edit)| next(name, &v1, &one_each(), &[edit]));
    let old = back(&v1, &tight, "02-01T00:00").begins();
    let new = back(&v1, &loose, "03-01T00:00").begins();
    let begun = |souths: [&str; 2]| {
        let mut heard = Heard::default();
        [&v1, &tight, &loose].into_iter().for_each(|it| heard.says("host/dpo", "01-01T00:00", &wrote(it)));
        let chapters =
            [(&old, &loose, "02-02T00:00", "north/guardian"), (&new, &tight, "03-02T00:00", "north/dpo")];
        for ((chapter, version, time, north), south) in chapters.into_iter().zip(souths) {
            for who in [north, south] {
                heard.says(who, time, &within(&approve(&v1), chapter.clone()));
                heard.says(who, time, &within(&approve(version), chapter.clone()));
            }
            heard.says(north, time, &within(&activate(version, time), chapter.clone()));
        }
        heard
    };
    let held = [&tight, &loose];
    // The same person of south in both; and another one, who signs both afterwards.
    let mut same = begun(["south/siro"; 2]);
    assert_eq!(everywhere(&same, &[&v1], &held), unsigned("1"));
    same.hear(say_at("south/siro", at("01-20T00:00"), within(&approve(&v1), new.clone())), at("04-01T00:00"));
    assert_eq!(everywhere(&same, &[&v1], &held), unsigned("1"));
    let mut others = begun(["south/guardian", "south/dpo"]);
    for (chapter, time) in [(&new, "04-01T00:00"), (&old, "04-02T00:00")] {
        others
            .hear(say_at("south/siro", at(time), within(&approve(&v1), chapter.clone())), at("04-02T00:00"));
    }
    assert_eq!(everywhere(&others, &[&v1], &held), unsigned("1"));
}

/// What a controller has tightened alone stays until its own people approve something else afterwards: that others of them had approved that before
/// tells nothing.
#[test]
fn what_was_tightened_alone_is_not_loosened_by_older_words_of_others() {
    let v1 = agreement(&one_each());
    let [tight, loose] =
        [("2t", TIGHTER), ("2l", LOOSER)].map(|(name, edit)| next(name, &v1, &one_each(), &[edit]));
    let mut heard = Heard::default();
    [&v1, &tight, &loose].into_iter().for_each(|it| heard.says("host/dpo", "01-01T00:00", &wrote(it)));
    for who in ["north/guardian", "south/guardian"] {
        heard.says(who, "01-01T00:00", &approve(&v1));
        heard.says(who, "01-02T00:00", &approve(&loose));
    }
    heard.says("north/siro", "02-01T00:00", &approve(&tight));
    heard.says("north/siro", "02-01T00:00", &activate(&tight, "02-01T00:00"));
    let north = |heard: &Heard| at_node("north", heard, [&[&v1], &[&tight, &loose]], end());
    assert_eq!(north(&heard), ok("2t"));
    heard.says("south/siro", "04-01T00:00", &activate(&loose, "04-01T00:00"));
    assert_eq!(north(&heard), unsigned("1"));
    heard.says("north/siro", "04-02T00:00", &approve(&loose));
    assert_eq!(north(&heard), ok("2l"), "north wants it now");
}

fn placing(heard: &Heard, versions: [&[&Arc<Agreement>]; 2], put: &[Statement]) -> (String, Option<Code>) {
    let known: BTreeMap<Statement, DateTime<Utc>> = heard.0.iter().cloned().collect();
    let [placed, held] = versions;
    let held = held.iter().map(|it| (Arc::clone(it), false));
    let versions = placed.iter().map(|it| (Arc::clone(it), true)).chain(held);
    let said = known.keys().cloned().chain(put.iter().cloned()).collect();
    stands(
        &Life::placing(versions, (said, put.iter().cloned().collect()), &trusted(), "north".into(), known),
        end(),
    )
}

/// A gap between two placed versions is not closed by a coordinator that sends what lies between and holds back how it ended.
#[test]
fn a_gap_is_not_filled_with_what_was_left() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let (v3, draft) = (after(&v2, "3", TIGHTER), after(&v2, "3d", TIGHTEST));
    let ended = back(&v2, &draft, "02-10T00:00");
    let put = QUORUM.map(|who| say_at(who, at("02-11T00:00"), within(&approve(&v3), ended.begins())));
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-01T00:00");
    [&v2, &v3].into_iter().for_each(|it| heard.says("host/dpo", "01-01T00:00", &wrote(it)));
    assert_eq!(placing(&heard, [&[&v1, &v3], &[]], &put).1, Some(Code::Unsigned));
    heard.all_say("01-02T00:00", &approve(&v2));
    heard.says("north/siro", "01-03T00:00", &activate(&v2, "01-03T00:00"));
    assert_eq!(placing(&heard, [&[&v1, &v3], &[&v2]], &put), unsigned("2"));
    heard.all_say("02-10T00:00", &ended);
    assert_eq!(placing(&heard, [&[&v1, &v3], &[&v2, &draft]], &put), ok("3"));
}

/// Of two placed lines one is not left because somebody activates in it what all have given up.
#[test]
fn a_line_is_not_left_by_what_one_puts_into_it() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let v3 = after(&v2, "3", TIGHTER);
    let draft = after(&v3, "4d", ("minimum_contributors = 10", "minimum_contributors = 4"));
    for to in [&v1, &v3] {
        let mut heard = Heard::default();
        [&v1, &v3, &draft].into_iter().for_each(|it| heard.signed_off(it, "01-01T00:00"));
        heard.all_say("02-01T00:00", &back(to, &draft, "02-01T00:00"));
        assert_eq!(everywhere(&heard, &[&v1, &v3], &[&draft]).1, Some(Code::Unsigned));
        heard.says("south/siro", "03-01T00:00", &activate(&draft, "01-15T00:00"));
        assert_eq!(everywhere(&heard, &[&v1, &v3], &[&draft]).1, Some(Code::Unsigned));
    }
}

/// A site that joined late hears that the chapter in which it began was given up, or that all went on in another one.
#[test]
fn a_late_site_hears_that_its_chapter_was_given_up() {
    let v1 = one();
    let (tight, loose) = (after(&v1, "2t", TIGHTER), after(&v1, "2l", LOOSER));
    let begun = back(&v1, &tight, "02-01T00:00");
    let mut heard = Heard::default();
    [&v1, &tight, &loose].into_iter().for_each(|it| heard.says("host/dpo", "01-01T00:00", &wrote(it)));
    heard.all_say("02-03T00:00", &within(&approve(&loose), begun.begins()));
    heard.says("north/siro", "02-03T00:00", &within(&activate(&loose, "02-03T00:00"), begun.begins()));
    let put = QUORUM.map(|who| say_at(who, at("02-02T00:00"), within(&approve(&v1), begun.begins())));
    let late = |heard: &Heard| placing(heard, [&[&v1], &[&tight, &loose]], &put);
    assert_eq!(late(&heard), ok("2l"));
    let mut given_up = heard.clone();
    let other = instead(&back(&v1, &tight, "03-01T00:00"), &[&begun]);
    QUORUM[1..].iter().for_each(|who| given_up.says(who, "03-01T00:00", &other));
    assert_eq!(late(&given_up), ok("2l"), "not by all");
    given_up.says(QUORUM[0], "03-01T00:00", &other);
    assert_eq!(late(&given_up).1, Some(Code::Unsigned));
    let ended = within(&back(&v1, &loose, "03-01T00:00"), begun.begins());
    heard.all_say("03-02T00:00", &within(&approve(&v1), ended.begins()));
    assert_eq!(late(&heard).1, Some(Code::Unsigned), "all say that there is a later chapter");
}

/// Two forgotten words bring nothing back where one would not: a rollback from one of two ways, once somebody has parted them; one that gives up
/// another one, which speaks of what stands.
#[test]
fn two_forgotten_words_are_no_more_than_one() {
    let v1 = one();
    let (loose, tight, other) =
        (after(&v1, "2l", LOOSER), after(&v1, "2t", TIGHTER), after(&v1, "2x", TIGHTEST));
    let held = [&loose, &tight, &other];
    let mut begun = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| begun.signed_off(it, "01-10T00:00"));
    let stands = |heard: &mut Heard| {
        heard.signed_off(&tight, "02-01T00:00");
        heard.says("north/siro", "02-03T00:00", &activate(&tight, "02-03T00:00"));
        assert_eq!(everywhere(heard, &[&v1], &held), ok("2t"));
    };
    for old in [back(&v1, &loose, "01-15T00:00"), back(&loose, &v1, "01-15T00:00")] {
        let mut heard = begun.clone();
        QUORUM[..3].iter().for_each(|who| heard.says(who, "01-15T00:00", &old));
        stands(&mut heard);
        heard.says(QUORUM[3], "04-01T00:00", &activate(&loose, "04-01T00:00"));
        heard.says(QUORUM[3], "04-01T00:00", &old);
        assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
        let again = leaving(&instead(&back(&tight, &loose, "04-02T00:00"), &[&old]), &[&v1]);
        heard.all_say("04-02T00:00", &again);
        assert_eq!(everywhere(&heard, &[&v1], &held), ok("2t"));
    }
    let mut heard = begun.clone();
    let first = back(&tight, &loose, "01-15T00:00");
    let second = instead(&back(&v1, &other, "01-16T00:00"), &[&first]);
    for act in [&first, &second] {
        QUORUM[..3].iter().for_each(|who| heard.says(who, "01-16T00:00", act));
    }
    stands(&mut heard);
    heard.says(QUORUM[3], "04-01T00:00", &first);
    heard.says(QUORUM[3], "04-01T12:00", &second);
    assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
}

/// A looser version has taken the place of the first one, and another one is written.
fn loosened(v1: &Agreement, loose: &Agreement, written: &Agreement) -> Heard {
    let mut heard = Heard::default();
    [v1, loose].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("host/dpo", "01-10T00:00", &wrote(written));
    heard.says("north/siro", "01-20T00:00", &activate(loose, "01-20T00:00"));
    heard
}

/// The last word on a rollback for a later day, in the place of one that has begun a chapter, does not bring back the chapter before until then.
#[test]
fn what_has_begun_is_not_given_up_for_a_later_day() {
    let v1 = one();
    let (loose, tight) = (after(&v1, "2l", LOOSER), after(&v1, "2t", TIGHTER));
    let mut heard = loosened(&v1, &loose, &tight);
    let first = back(&v1, &loose, "02-01T00:00");
    let later = instead(&back(&v1, &loose, "05-20T00:00"), &[&first]);
    QUORUM[..3].iter().for_each(|who| heard.says(who, "01-25T00:00", &later));
    heard.all_say("01-26T00:00", &first);
    heard.all_say("02-03T00:00", &within(&approve(&tight), first.begins()));
    heard.says("north/siro", "02-04T00:00", &within(&activate(&tight, "02-04T00:00"), first.begins()));
    let now = |heard: &Heard, time: &str| at_node("north", heard, [&[&v1], &[&loose, &tight]], at(time));
    assert_eq!(now(&heard, "04-01T00:00"), ok("2t"));
    heard.says(QUORUM[3], "04-02T00:00", &later);
    for time in ["04-03T00:00", "05-19T00:00", "05-21T00:00"] {
        assert_eq!(now(&heard, time).1, Some(Code::Unsigned), "{time}");
    }
}

/// A rollback in the place of one for a later day that was to be forgotten, completed when that one has long taken effect.
#[test]
fn what_took_effect_stands_whatever_was_to_take_its_place() {
    let v1 = one();
    let loose = after(&v1, "2l", LOOSER);
    let draft = after(&loose, "3d", TIGHTER);
    let mut heard = loosened(&v1, &loose, &draft);
    let first = back(&v1, &loose, "03-01T00:00");
    heard.all_say("02-10T00:00", &first);
    let other = instead(&back(&loose, &draft, "02-20T00:00"), &[&first]);
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-20T00:00", &other));
    assert_eq!(everywhere(&heard, &[&v1], &[&loose, &draft]), ok("1"));
    heard.says(QUORUM[3], "05-01T00:00", &other);
    assert_eq!(everywhere(&heard, &[&v1], &[&loose, &draft]).1, Some(Code::Unsigned));
}

/// Of ways that have parted in a chapter that is given up a rollback speaks of each.
#[test]
fn ways_that_part_in_what_is_given_up_are_all_named() {
    let v1 = one();
    let (loose, tight) = (after(&v1, "2l", LOOSER), after(&v1, "2t", TIGHTER));
    let mut heard = loosened(&v1, &loose, &tight);
    let first = back(&v1, &loose, "02-01T00:00");
    let second = instead(&back(&loose, &v1, "02-01T00:00"), &[&first]);
    QUORUM[..3].iter().for_each(|who| heard.says(who, "01-25T00:00", &second));
    heard.all_say("01-26T00:00", &first);
    for (it, time) in [(&loose, "02-02T00:00"), (&tight, "02-03T00:00")] {
        heard.all_say(time, &within(&approve(it), first.begins()));
    }
    heard.says("north/siro", "02-04T00:00", &within(&activate(&tight, "02-04T00:00"), first.begins()));
    let held = [&loose, &tight];
    assert_eq!(everywhere(&heard, &[&v1], &held), ok("2t"));
    heard.says(QUORUM[3], "04-01T00:00", &within(&activate(&loose, "04-01T00:00"), first.begins()));
    heard.says(QUORUM[3], "04-01T00:00", &second);
    assert_eq!(everywhere(&heard, &[&v1], &held).1, Some(Code::Unsigned));
}

/// A rollback on which a third party must still agree, in the place of one for a later day, closes nothing when that day comes.
#[test]
fn what_is_not_agreed_gives_up_nothing() {
    let v1 = one();
    let (loose, joint) = (after(&v1, "2l", LOOSER), after(&v1, "2w", WITH_WEST));
    let mut heard = loosened(&v1, &loose, &joint);
    let first = back(&v1, &loose, "03-01T00:00");
    heard.all_say("02-10T00:00", &first);
    heard.all_say("02-20T00:00", &instead(&back(&v1, &joint, "02-20T00:00"), &[&first]));
    for (time, version) in [("02-25T00:00", "2l"), ("04-25T00:00", "1")] {
        assert_eq!(at_node("north", &heard, [&[&v1], &[&loose, &joint]], at(time)), ok(version));
    }
}

/// What a controller has tightened alone is not taken from it by the last word on what it had signed before.
#[test]
fn a_forgotten_rollback_takes_away_nothing_that_was_tightened_alone() {
    let v1 = one();
    let (loose, tight) = (after(&v1, "2l", LOOSER), after(&v1, "2t", TIGHTER));
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    let old = back(&v1, &loose, "01-15T00:00");
    QUORUM[..3].iter().for_each(|who| heard.says(who, "01-15T00:00", &old));
    heard.says("host/dpo", "02-02T00:00", &wrote(&tight));
    QUORUM[..2].iter().for_each(|who| heard.says(who, "02-02T00:00", &approve(&tight)));
    heard.says("north/siro", "02-02T00:00", &activate(&tight, "02-02T00:00"));
    let north = |heard: &Heard| at_node("north", heard, [&[&v1], &[&loose, &tight]], end());
    assert_eq!(north(&heard), ok("2t"));
    heard.says(QUORUM[3], "04-01T00:00", &old);
    assert_eq!(north(&heard).1, Some(Code::Unsigned));
}

/// Statements that an operator placed, with their dates, are no older than those that are heard.
#[test]
fn a_placed_last_word_counts_no_earlier_than_one_that_is_heard() {
    let v1 = one();
    let (loose, tight) = (after(&v1, "2l", LOOSER), after(&v1, "2t", TIGHTER));
    let mut heard = Heard::default();
    [&v1, &loose, &tight].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    QUORUM.iter().for_each(|who| heard.says(who, "01-15T00:00", &back(&v1, &loose, "01-15T00:00")));
    heard.says("north/siro", "02-02T00:00", &activate(&tight, "02-02T00:00"));
    let put: Vec<Statement> = heard.0.iter().map(|(it, _)| it.clone()).collect();
    let versions =
        [(&loose, false), (&tight, false), (&v1, true)].map(|(it, placed)| (Arc::clone(it), placed));
    let life = Life::new(versions, put, &trusted(), "north".into(), BTreeMap::new());
    assert_eq!(stands(&life, end()).1, Some(Code::Unsigned));
}

/// Whoever hands over to one name again and again makes no work for those who look at what bears it.
#[test]
fn many_keys_of_one_name_make_no_work() {
    let v1 = one();
    let keys: Vec<SigningKey> =
        (0..100).map(|n| SigningKey::from_seed(&[n; 32]).expect("32 bytes")).collect();
    let minutes = |n: usize| Duration::minutes(i64::try_from(n).expect("few"));
    let mut said: Vec<Statement> = Vec::new();
    for (n, key) in keys.iter().enumerate() {
        let act = Act::HandOver { to: "x".into(), public_key: key.public_key() };
        said.push(say_at("south/siro", at("02-01T00:00") + minutes(n), act));
    }
    for n in 0..200 {
        let time = at("02-02T00:00") + minutes(n);
        let signer = Signer { organisation: "south".into(), role: "siro".into(), key_id: "x".into(), time };
        said.push(keys[99].say(approve(&v1), signer));
    }
    let heard = said.iter().map(|it| (it.clone(), it.time)).collect();
    let checks = Keyring::heard(&trusted(), &said, &heard).checks();
    assert!(checks <= 10 * said.len(), "{checks} for {}", said.len());
}
