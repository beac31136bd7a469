//! Sites that joined late, or from which something is held back: what their operator gave them first stands, whatever is sent of the
//! time before.

use std::collections::BTreeMap;
use std::sync::Arc;

use liquid_policy::life::Life;
use liquid_policy::{Agreement, Code};

use super::heard::{Heard, end};
use super::undone::{at_node, everywhere};
use super::{LOOSER, QUORUM, TIGHTER, TWO_OF_THREE, activate, after, ok, one, replacing, stands, trusted};

/// v1, left for a looser version and gone back to by a third, then a tighter one.
fn moved() -> (Heard, [Arc<Agreement>; 4]) {
    let v1 = one();
    let loose = after(&v1, "2l", LOOSER);
    let v3 = replacing(&[&loose], "3", TWO_OF_THREE, &[]);
    let tight = after(&v3, "4t", TIGHTER);
    let mut heard = Heard::default();
    for (version, time) in
        [(&v1, "01-01T00:00"), (&loose, "02-01T00:00"), (&v3, "03-01T00:00"), (&tight, "04-01T00:00")]
    {
        heard.signed_off(version, time);
        heard.says("north/siro", time, &activate(version, time));
    }
    (heard, [v1, loose, v3, tight])
}

/// A site to which its operator gave the third version first knows nothing of what was before, and hears it in any order.
#[test]
fn who_joins_late_begins_where_the_operator_says() {
    let (heard, [v1, loose, v3, tight]) = moved();
    assert_eq!(everywhere(&heard, &[&v1], &[&loose, &v3, &tight]), ok("4t"));
    for before in [&[][..], &[&loose], &[&v1], &[&v1, &loose]] {
        let held: Vec<&Arc<Agreement>> = before.iter().copied().chain([&tight]).collect();
        assert_eq!(everywhere(&heard, &[&v3], &held), ok("4t"));
        assert_eq!(everywhere(&heard, &[&v3], before), ok("3"), "the text of the last one has not come");
    }
    // It is not told who had signed what was before, and does not ask.
    let mut late = Heard::default();
    late.signed_off(&v3, "03-01T00:00");
    assert_eq!(everywhere(&late, &[&v3], &[&v1, &loose]), ok("3"));
}

/// A site from which the text of a step is held back stays where it was, and goes on when it comes.
#[test]
fn what_is_held_back_is_waited_for() {
    let (heard, [v1, loose, v3, tight]) = moved();
    assert_eq!(everywhere(&heard, &[&v1], &[&loose, &tight]), ok("2l"));
    assert_eq!(everywhere(&heard, &[&v1], &[&v3, &tight]), ok("1"));
    // With all their signatures nobody goes past what they do not know.
    assert_eq!(everywhere(&heard, &[&v1], &[&tight]), ok("1"));
}

/// Two versions that an operator placed, with one between them missing, are two ends, until the missing one comes.
#[test]
fn a_gap_between_placed_versions_answers_nothing() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let v3 = after(&v2, "3", TIGHTER);
    let mut heard = Heard::default();
    [&v1, &v3].into_iter().for_each(|version| heard.signed_off(version, "01-01T00:00"));
    assert_eq!(everywhere(&heard, &[&v1, &v3], &[]).1, Some(Code::Unsigned));
    assert_eq!(everywhere(&heard, &[&v1, &v3], &[&v2]), ok("3"), "all have signed what replaces both");
    assert_eq!(everywhere(&heard, &[&v1, &v2, &v3], &[]), ok("3"));
    // One that nobody has signed does not hold back what stands.
    let mut unsigned = Heard::default();
    unsigned.signed_off(&v1, "01-01T00:00");
    assert_eq!(everywhere(&unsigned, &[&v1, &v2], &[]), ok("1"));
    assert_eq!(everywhere(&unsigned, &[&v1, &v3], &[]), ok("1"));
    let known: BTreeMap<_, _> = heard.0.iter().cloned().collect();
    let versions = [(&v1, false), (&v3, true)].map(|(it, placed)| (Arc::clone(it), placed));
    let life = Life::new(versions, known.keys().cloned().collect(), &trusted(), "north".into(), known);
    assert_eq!(stands(&life, end()), ok("3"), "the operator says where it begins");
}

/// What an operator placed and all have signed is not taken back when something below it is placed too, or sent.
#[test]
fn what_was_placed_gives_way_to_nothing_below_it() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let party = "role = \"joint-controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]";
    let v3 = replacing(&[&v2], "3", TWO_OF_THREE, &[(party, "role = \"processor\"")]);
    let mut heard = Heard::default();
    [&v1, &v2].into_iter().for_each(|version| heard.signed_off(version, "01-01T00:00"));
    heard.says("host/dpo", "01-01T00:00", &super::wrote(&v3));
    QUORUM[..2].iter().for_each(|who| heard.says(who, "01-01T00:00", &super::approve(&v3)));
    let north = |placed: &[&Arc<Agreement>], held: &[&Arc<Agreement>]| {
        at_node("north", &heard, [placed, held], end())
    };
    assert_eq!(north(&[&v3], &[]), ok("3"));
    assert_eq!(north(&[&v3], &[&v1, &v2]), ok("3"));
    // South is asked by the rule of what is placed below it.
    for (placed, held) in [(&[&v1, &v3][..], &[][..]), (&[&v1, &v3], &[&v2]), (&[&v1, &v2, &v3], &[])] {
        assert_eq!(north(placed, held).1, Some(Code::Unsigned));
    }
}
