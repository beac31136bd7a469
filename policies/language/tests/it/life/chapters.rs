//! A rollback that all have agreed on ends a chapter, whatever is heard after it: what was said in that chapter speaks no more.

use std::collections::BTreeMap;
use std::sync::Arc;

use liquid_policy::id::ChapterHash;
use liquid_policy::life::Life;
use liquid_policy::statement::{Act, Signer, Statement};
use liquid_policy::{Agreement, Code, Keyring, SigningKey, TrustedKey};

use super::heard::{Heard, activate, back, end};
use super::parted::instead;
use super::{LOOSER, QUORUM, TIGHTER, after, at, key, ok, one, say_at, signed_off, stands, trusted};

/// The same act in another chapter.
pub(super) fn within(act: &Act, chapter: Option<ChapterHash>) -> Act {
    match act.clone() {
        Act::Approve { agreement, .. } => Act::Approve { agreement, after: chapter },
        Act::Activate { agreement, at, .. } => Act::Activate { agreement, at, after: chapter },
        Act::Rollback { agreement, from, at, instead, leaves, .. } => {
            Act::Rollback { agreement, from, at, after: chapter, instead, leaves }
        }
        act => act,
    }
}

pub(super) fn approve(version: &Agreement) -> Act {
    Act::Approve { agreement: version.hash().clone(), after: None }
}

/// A node that has heard the sign-off of some versions.
fn heard(versions: &[&Arc<Agreement>]) -> Heard {
    let mut heard = Heard::default();
    versions.iter().for_each(|version| heard.signed_off(version, "01-01T00:00"));
    heard
}

#[test]
fn an_approval_that_comes_after_the_rollback_goes_nowhere() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let mut heard = heard(&[&v1, &v2]);
    let late = heard.0.pop().expect("an approval");
    heard.says("north/siro", "02-01T00:00", &activate(&v2, "02-01T00:00"));
    heard.all_say("03-01T00:00", &back(&v1, &v2, "03-01T00:00"));
    let held = [Arc::clone(&v2)];
    assert_eq!(stands(&heard.life(&v1, &held, end()), end()), ok("1"));
    heard.hear(late.0, at("03-02T00:00"));
    assert_eq!(stands(&heard.life(&v1, &held, end()), end()), ok("1"));
}

#[test]
fn copies_of_old_approvals_bring_nothing_back() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let mut heard = heard(&[&v1, &v2]);
    heard.says("north/siro", "02-01T00:00", &activate(&v2, "02-01T00:00"));
    heard.all_say("03-01T00:00", &back(&v1, &v2, "03-01T00:00"));
    for who in QUORUM {
        heard.hear(say_at(who, at("02-20T00:00"), approve(&v2)), at("04-01T00:00"));
    }
    let held = [Arc::clone(&v2)];
    let life = heard.life(&v1, &held, end());
    assert_eq!(stands(&life, end()), ok("1"));
    let [seen] = &life.status(end(), |_| true)[..] else { panic!("one agreement") };
    let lacks = seen.versions.iter().map(|it| (it.version.as_str(), it.lacks.len()));
    assert_eq!(BTreeMap::from_iter(lacks), [("1", 0), ("2", 2)].into(), "it is told to be approved anew");
}

#[test]
fn a_late_rollback_does_not_undo_what_was_agreed_after_it() {
    let v1 = one();
    let v2 = after(&v1, "2", TIGHTER);
    let mut heard = heard(&[&v1, &v2]);
    heard.says("north/siro", "02-01T00:00", &activate(&v2, "02-01T00:00"));
    heard.all_say("03-01T00:00", &back(&v1, &v2, "03-01T00:00"));
    let late = heard.0.pop().expect("a word on the rollback");
    let chapter = late.0.act.begins();
    heard.all_say("04-01T00:00", &within(&approve(&v2), chapter.clone()));
    heard.says("north/siro", "04-01T00:00", &within(&activate(&v2, "04-01T00:00"), chapter));
    let held = [Arc::clone(&v2)];
    assert_eq!(stands(&heard.life(&v1, &held, end()), end()), ok("2"));
    heard.hear(late.0, at("05-01T00:00"));
    assert_eq!(stands(&heard.life(&v1, &held, end()), end()), ok("2"));
    let life = heard.life(&v1, &held, end());
    let [seen] = &life.status(end(), |_| true)[..] else { panic!("one agreement") };
    assert_eq!(seen.chapter.as_ref().map(|it| it.since), Some(at("03-01T00:00")));
    assert!(seen.versions.iter().all(|version| version.lacks.is_empty()), "{seen:?}");
}

/// Those of an old version cannot go back behind one that joined since; what they say stops it until all agree.
#[test]
fn nobody_who_joined_is_left_behind_by_a_rollback() {
    let alone = crate::support::agreement(&super::TWO_OF_THREE.replace(
        "role = \"joint-controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]",
        "role = \"processor\"",
    ));
    let text = super::TWO_OF_THREE
        .replace("version = \"1\"", &format!("version = \"2\"\nsupersedes = \"sha256:{}\"", alone.hash()));
    let joint = crate::support::agreement(&text);
    let draft = crate::support::agreement(
        &super::TWO_OF_THREE
            .replace("version = \"1\"", &format!("version = \"9\"\nsupersedes = \"sha256:{}\"", alone.hash()))
            .replace(
                "role = \"joint-controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]",
                "role = \"processor\"",
            ),
    );
    let mut heard = heard(&[&alone, &joint]);
    heard.says("north/siro", "02-01T00:00", &activate(&joint, "02-01T00:00"));
    let held = [Arc::clone(&joint), Arc::clone(&draft)];
    assert_eq!(stands(&heard.life(&alone, &held, end()), end()), ok("2"));
    let act = back(&alone, &draft, "03-01T00:00");
    ["north/siro", "north/guardian"].iter().for_each(|who| heard.says(who, "03-01T00:00", &act));
    assert_eq!(stands(&heard.life(&alone, &held, end()), end()), ("2".into(), Some(Code::Unsigned)));
    ["south/siro", "south/guardian"].iter().for_each(|who| heard.says(who, "03-02T00:00", &act));
    // It says nothing of the version that stands.
    assert_eq!(stands(&heard.life(&alone, &held, end()), end()), ("2".into(), Some(Code::Unsigned)));
    heard.all_say("03-03T00:00", &instead(&back(&alone, &joint, "03-03T00:00"), &[&act]));
    assert_eq!(stands(&heard.life(&alone, &held, end()), end()).0, "1");
}

#[test]
fn what_was_signed_before_there_were_chapters_is_of_the_first_one() {
    let v1 = one();
    let act = approve(&v1);
    let old = format!(r#"{{"approve":{{"agreement":"{}"}}}}"#, v1.hash());
    assert_eq!(serde_json::to_string(&act).expect("JSON"), old);
    assert_eq!(serde_json::from_str::<Act>(&old).expect("an act"), act);
    assert_eq!(act.begins(), None);
    let begins = back(&v1, &v1, "03-01T00:00").begins();
    assert_eq!(begins.map(|it| it.as_str().len()), Some(64));
}

/// Whoever repeats themselves, and whoever has no part in an agreement, makes no work: each signature is checked once, and of one key
/// one approval and one activation are looked at.
#[test]
fn saying_much_makes_no_work() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let mut said = signed_off(&v1);
    said.extend(signed_off(&v2));
    let named = said.len();
    let stranger = SigningKey::from_seed(&[55; 32]).expect("32 bytes");
    let mut keys = trusted();
    let other = |organisation: &str, id: &str, public_key| TrustedKey {
        organisation: organisation.into(),
        key_id: id.into(),
        public_key,
        retired: false,
        roles: Default::default(),
    };
    keys.push(other("elsewhere", "any", stranger.public_key()));
    keys.push(other("north", "any", stranger.public_key()));
    for number in 0..100_i64 {
        for organisation in ["elsewhere", "north"] {
            let signer = Signer {
                organisation: organisation.into(),
                role: format!("role-{number}").as_str().into(),
                key_id: "any".into(),
                time: at("01-01T00:00") + chrono::Duration::hours(number),
            };
            let active = Act::Activate { agreement: v2.hash().clone(), at: signer.time, after: None };
            said.push(stranger.say(approve(&v2), signer.clone()));
            said.push(stranger.say(active, signer));
        }
    }
    let ring = Keyring::new(&keys, &said);
    assert_eq!(ring.checks(), said.len(), "each once");
    let versions = [(Arc::clone(&v1), true), (Arc::clone(&v2), false)];
    let life = Life::new(versions, said, &keys, "north".into(), BTreeMap::new());
    let [seen] = &life.status(end(), |_| true)[..] else { panic!("one agreement") };
    let of = seen.versions.iter().find(|it| it.version == "2").expect("held");
    assert_eq!(of.said.len(), named / 2 + 1, "one more than those who must");
    assert_eq!(of.activated, [at("01-01T00:00")]);
}

/// Handing a key over and over again is checked once as well.
#[test]
fn a_chain_of_keys_is_checked_once() {
    let keys: Vec<SigningKey> =
        (0..60_u8).map(|seed| SigningKey::from_seed(&[seed + 100; 32]).expect("32 bytes")).collect();
    let give = |by: &SigningKey, id: String, to: &SigningKey, number: usize| -> Statement {
        let signer = Signer {
            organisation: "north".into(),
            role: "siro".into(),
            key_id: id.as_str().into(),
            time: at("01-01T00:00"),
        };
        let next = format!("k{number}");
        by.say(Act::HandOver { to: next.as_str().into(), public_key: to.public_key() }, signer)
    };
    let first = key("north", "siro");
    let mut said = vec![give(&first, "siro".to_owned(), &keys[0], 0)];
    said.extend(
        keys.windows(2)
            .enumerate()
            .map(|(number, pair)| give(&pair[0], format!("k{number}"), &pair[1], number + 1)),
    );
    for order in [false, true] {
        let ring = Keyring::new(&trusted(), &said);
        assert_eq!(ring.checks(), said.len());
        assert!(said.iter().all(|it| ring.signer(it).is_ok()));
        said.sort_by_key(|it| (order, it.signature.clone()));
        said.reverse();
    }
}

/// Whose operator places the version that stands elsewhere, with its signatures of a later chapter, goes on with the others.
#[test]
fn a_site_that_joins_late_begins_in_the_chapter_of_its_first_version() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let chapter = back(&v1, &v1, "03-01T00:00").begins();
    let mut heard = Heard::default();
    let mut all_say = |act: Act| heard.all_say("04-01T00:00", &within(&act, chapter.clone()));
    all_say(approve(&v1));
    all_say(approve(&v2));
    all_say(activate(&v2, "05-01T00:00"));
    for version in [&v1, &v2] {
        heard.says("host/dpo", "04-01T00:00", &Act::Write { agreement: version.hash().clone() });
    }
    let held = [Arc::clone(&v2)];
    assert_eq!(stands(&heard.life(&v1, &held, end()), at("04-30T00:00")), ok("1"));
    assert_eq!(stands(&heard.life(&v1, &held, end()), end()), ok("2"));
    // Whoever sends it what was signed before takes it nowhere.
    heard.all_say("01-01T00:00", &approve(&v1));
    assert_eq!(stands(&heard.life(&v1, &held, end()), end()), ok("2"));
    // Nor do some who name another chapter.
    let other = back(&v1, &v1, "06-01T00:00").begins();
    let ahead = within(&approve(&v1), other);
    QUORUM[1..]
        .iter()
        .for_each(|who| heard.hear(say_at(who, at("12-01T00:00"), ahead.clone()), at("05-02T00:00")));
    assert_eq!(stands(&heard.life(&v1, &held, end()), end()), ok("2"));
}

/// Nor does one who keeps back an approval of the chapter before, and gives it now.
#[test]
fn who_signs_an_ended_chapter_late_takes_a_site_that_joins_nowhere() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let [ended, chapter, elsewhere] =
        ["02-01T00:00", "03-01T00:00", "04-15T00:00"].map(|time| back(&v1, &v1, time).begins());
    let anew = within(&approve(&v1), chapter);
    let placed = QUORUM.map(|who| say_at(who, at("04-01T00:00"), anew.clone()));
    let mut heard = Heard::default();
    heard.says("host/dpo", "01-01T00:00", &Act::Write { agreement: v2.hash().clone() });
    heard.says("host/dpo", "01-01T00:00", &Act::Write { agreement: v1.hash().clone() });
    let late = within(&approve(&v1), ended.clone());
    QUORUM[1..].iter().for_each(|who| heard.says(who, "02-01T00:00", &late));
    heard.says(QUORUM[0], "05-01T00:00", &late);
    heard.all_say("02-10T00:00", &within(&approve(&v2), ended.clone()));
    heard.says("north/siro", "02-10T00:00", &within(&activate(&v2, "02-10T00:00"), ended));
    let stands_with = |heard: &Heard, placed: &[Statement]| {
        let known: BTreeMap<_, _> = heard.0.iter().cloned().collect();
        let all = known.keys().chain(placed).cloned().collect();
        let versions = [(Arc::clone(&v2), false), (Arc::clone(&v1), true)];
        stands(&Life::new(versions, all, &trusted(), "north".into(), known), end())
    };
    assert_eq!(stands_with(&heard, &[]), ok("2"), "nothing else is known");
    assert_eq!(stands_with(&heard, &placed), ok("1"));
    // That all approved it there later than here nobody can take for the past.
    let again = QUORUM.map(|who| {
        (say_at(who, at("05-01T00:00"), within(&approve(&v1), elsewhere.clone())), at("05-01T00:00"))
    });
    heard.0.extend(again);
    assert_eq!(stands_with(&heard, &placed), ("1".into(), Some(Code::Unsigned)));
}
