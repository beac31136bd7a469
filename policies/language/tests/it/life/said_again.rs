//! What is said again after a rollback was left half signed: by the same people, by others of their organisation, under a colleague's name.

use liquid_policy::statement::{Act, Signer};
use liquid_policy::{Code, SigningKey};

use super::again::next;
use super::chapters::{approve, within};
use super::heard::{Heard, activate, back, end};
use super::parted::instead;
use super::undone::{at_node, everywhere, wrote};
use super::{LOOSER, QUORUM, TIGHTER, TWO_OF_THREE, after, at, ok, one};
use crate::support::agreement;

const TIGHTEST: (&str, &str) = ("minimum_contributors = 10", "minimum_contributors = 30");
const ATTACKER: &str = "south/siro";

/// A key that is handed over to a name of a colleague's says nothing again for that colleague.
#[test]
fn nobody_makes_a_colleague_stand_by_a_rollback() {
    let v1 = one();
    let t = after(&v1, "2t", TIGHTER);
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-10T00:00");
    heard.says("host/dpo", "01-10T00:00", &wrote(&t));
    // north and south/guardian sign back(v1, t) as giving up a draft
    let old = back(&v1, &t, "02-01T00:00");
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-01T00:00", &old));
    // All agree on t.
    heard.all_say("02-10T00:00", &approve(&t));
    heard.says("north/siro", "02-11T00:00", &activate(&t, "02-11T00:00"));
    // North changes its mind again; south/guardian does not.
    QUORUM[..2].iter().for_each(|who| heard.says(who, "03-01T00:00", &old));
    assert_eq!(everywhere(&heard, &[&v1], &[&t]), ok("2t"));
    heard.says(ATTACKER, "04-01T00:00", &old);
    assert_eq!(everywhere(&heard, &[&v1], &[&t]).1, Some(Code::Unsigned));
    let new = SigningKey::from_seed(&[77; 32]).expect("32");
    heard.says(
        ATTACKER,
        "04-01T00:00",
        &Act::HandOver { to: "guardian".into(), public_key: new.public_key() },
    );
    let signer = Signer {
        organisation: "south".into(),
        role: "guardian".into(),
        key_id: "guardian".into(),
        time: at("04-02T00:00"),
    };
    heard.hear(new.say(old.clone(), signer), at("04-02T00:00"));
    assert_eq!(everywhere(&heard, &[&v1], &[&t]).1, Some(Code::Unsigned));
}

/// The same where there is one controller.
#[test]
fn nor_where_there_is_one_controller() {
    let text = TWO_OF_THREE
        .replace(
            "role = \"joint-controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]",
            "role = \"controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]",
        )
        .replace(
            "organisation = \"north\"\nrole = \"controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]",
            "organisation = \"north\"\nrole = \"processor\"",
        );
    let v1 = agreement(&text);
    let t = next("2t", &v1, &text, &[TIGHTER]);
    let mut heard = Heard::default();
    [&v1, &t].into_iter().for_each(|it| heard.says("host/dpo", "01-10T00:00", &wrote(it)));
    let both = ["south/guardian", ATTACKER];
    both.iter().for_each(|who| heard.says(who, "01-10T00:00", &approve(&v1)));
    let old = back(&v1, &t, "02-01T00:00");
    heard.says(both[0], "02-01T00:00", &old);
    both.iter().for_each(|who| heard.says(who, "02-10T00:00", &approve(&t)));
    heard.says(both[0], "02-11T00:00", &activate(&t, "02-11T00:00"));
    assert_eq!(everywhere(&heard, &[&v1], &[&t]), ok("2t"));
    heard.says(ATTACKER, "04-01T00:00", &old);
    assert_eq!(everywhere(&heard, &[&v1], &[&t]).1, Some(Code::Unsigned));
    let new = SigningKey::from_seed(&[77; 32]).expect("32");
    heard.says(
        ATTACKER,
        "04-01T00:00",
        &Act::HandOver { to: "guardian".into(), public_key: new.public_key() },
    );
    let signer = Signer {
        organisation: "south".into(),
        role: "guardian".into(),
        key_id: "guardian".into(),
        time: at("04-02T00:00"),
    };
    heard.hear(new.say(old.clone(), signer), at("04-02T00:00"));
    assert_eq!(everywhere(&heard, &[&v1], &[&t]).1, Some(Code::Unsigned));
}

/// Whoever approves again what a rollback gave up has agreed on it since.
#[test]
fn who_approves_again_has_agreed_since() {
    let v1 = one();
    let t = after(&v1, "2t", TIGHTER);
    let mut heard = Heard::default();
    [&v1, &t].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    let old = back(&v1, &t, "02-01T00:00");
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-01T00:00", &old));
    heard.all_say("02-10T00:00", &approve(&t));
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-11T00:00", &activate(&t, "02-11T00:00")));
    assert_eq!(everywhere(&heard, &[&v1], &[&t]), ok("2t"));
    heard.says(ATTACKER, "04-01T00:00", &old);
    assert_eq!(everywhere(&heard, &[&v1], &[&t]).1, Some(Code::Unsigned));
}

/// A version whose own rule asks fewer is agreed on when those have approved it whom the one before asks.
#[test]
fn the_rule_of_one_version_does_not_date_what_another_asks() {
    let v1 = one();
    let t = next("2t", &v1, TWO_OF_THREE, &[TIGHTER, ("roles_per_party = 2", "roles_per_party = 1")]);
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-10T00:00");
    heard.says("host/dpo", "01-10T00:00", &wrote(&t));
    // The guardians approve the draft; then they want to give it up.
    ["north/guardian", "south/guardian"].iter().for_each(|who| heard.says(who, "01-15T00:00", &approve(&t)));
    let old = back(&v1, &t, "02-01T00:00");
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-01T00:00", &old));
    // Then the others approve it, which v1's rule asks, and it stands.
    ["north/siro", ATTACKER].iter().for_each(|who| heard.says(who, "02-10T00:00", &approve(&t)));
    heard.says("north/siro", "02-11T00:00", &activate(&t, "02-11T00:00"));
    assert_eq!(everywhere(&heard, &[&v1], &[&t]), ok("2t"));
    heard.says(ATTACKER, "04-01T00:00", &old);
    assert_eq!(everywhere(&heard, &[&v1], &[&t]).1, Some(Code::Unsigned));
}

/// What one person of an organisation signed does not stand where another one has agreed for it since.
#[test]
fn different_people_of_an_organisation_agree_for_it() {
    let text = TWO_OF_THREE.replace("roles_per_party = 2", "roles_per_party = 1");
    let v1 = agreement(&text);
    let t = next("2t", &v1, &text, &[TIGHTER]);
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-10T00:00");
    heard.says("host/dpo", "01-10T00:00", &wrote(&t));
    heard.says("north/guardian", "01-15T00:00", &approve(&t));
    let old = back(&v1, &t, "02-01T00:00");
    heard.says("north/guardian", "02-01T00:00", &old);
    // north's siro approves again for north, and south does.
    ["north/siro", "south/guardian"].iter().for_each(|who| heard.says(who, "02-10T00:00", &approve(&t)));
    heard.says("north/siro", "02-11T00:00", &activate(&t, "02-11T00:00"));
    assert_eq!(everywhere(&heard, &[&v1], &[&t]), ok("2t"));
    heard.says(ATTACKER, "04-01T00:00", &old);
    assert_eq!(everywhere(&heard, &[&v1], &[&t]).1, Some(Code::Unsigned));
}

/// A rollback on which all agreed is held against an older one, also where the text of a version that it names is withheld.
#[test]
fn a_rollback_of_which_a_text_is_withheld_counts_against_others() {
    let v1 = one();
    let (loose, draft) = (after(&v1, "2l", LOOSER), after(&v1, "2d", TIGHTEST));
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("north/siro", "01-20T00:00", &activate(&loose, "01-20T00:00"));
    let f = back(&v1, &loose, "02-01T00:00");
    heard.all_say("02-01T00:00", &f);
    let s = instead(&back(&loose, &v1, "02-05T00:00"), &[&f]);
    QUORUM[..3].iter().for_each(|who| heard.says(who, "02-05T00:00", &s));
    let g = within(&back(&v1, &draft, "02-10T00:00"), f.begins());
    heard.all_say("02-10T00:00", &g);
    heard.says(ATTACKER, "04-01T00:00", &s);
    assert_eq!(everywhere(&heard, &[&v1], &[&loose, &draft]).1, Some(Code::Unsigned));
    assert_eq!(everywhere(&heard, &[&v1], &[&loose]).1, Some(Code::Unsigned));
}

/// So has whoever approves and activates alone again.
#[test]
fn who_goes_alone_again_has_gone_since() {
    let v1 = one();
    let loose = after(&v1, "2l", LOOSER);
    let t = after(&loose, "3t", TIGHTEST);
    let mut heard = Heard::default();
    [&v1, &loose].into_iter().for_each(|it| heard.signed_off(it, "01-10T00:00"));
    heard.says("north/siro", "01-12T00:00", &activate(&loose, "01-12T00:00"));
    heard.says("host/dpo", "01-14T00:00", &wrote(&t));
    QUORUM[..2].iter().for_each(|who| heard.says(who, "01-14T00:00", &approve(&t)));
    heard.says("north/siro", "01-14T00:00", &activate(&t, "01-14T00:00"));
    let old = back(&v1, &loose, "01-15T00:00");
    QUORUM[..3].iter().for_each(|who| heard.says(who, "01-15T00:00", &old));
    QUORUM[..2].iter().for_each(|who| heard.says(who, "02-02T00:00", &approve(&t)));
    heard.says("north/siro", "02-02T00:00", &activate(&t, "02-02T00:00"));
    let north = |heard: &Heard| at_node("north", heard, [&[&v1], &[&loose, &t]], end());
    assert_eq!(north(&heard), ok("3t"));
    heard.says(ATTACKER, "04-01T00:00", &old);
    assert_eq!(north(&heard).1, Some(Code::Unsigned));
}
