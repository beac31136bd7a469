//! What parties, thieves of keys and coordinators would try with what can be said: nothing stands that was not signed off, and
//! nothing goes back by itself.

use std::sync::Arc;

use liquid_policy::life::Life;
use liquid_policy::signature::Lack;
use liquid_policy::statement::{Act, Signer, Statement};
use liquid_policy::{Agreement, Code, Keyring, SigningKey, TrustedKey};

use super::{
    TWO_OF_THREE, activate, after, at, life, ok, one, replacing, say, say_at, signed_off, stands, trusted,
};
use crate::support::agreement;

/// A further version after another one.
fn next(before: &Agreement, version: &str, minimum: u32) -> Arc<Agreement> {
    let minimum = format!("minimum_contributors = {minimum}");
    after(before, version, ("minimum_contributors = 10", &minimum))
}

/// Taking a key away takes nothing back: not what it stopped, nor the step from a looser version to a tighter one.
#[test]
fn a_revocation_opens_nothing() {
    let (v1, now) = (one(), at("06-01T00:00"));
    let revoke = say("north/dpo", Act::Revoke { revoked: "siro".into() });
    let mut said = signed_off(&v1);
    said.push(say("north/siro", Act::Suspend { id: "A-1".into() }));
    said[1] = say("north/guardian", Act::Approve { agreement: v1.hash().clone() });
    said[0] = say("north/dpo", Act::Approve { agreement: v1.hash().clone() });
    assert_eq!(stands(&life(&v1, &[], said.clone()), now).1, Some(Code::Suspended));
    said.push(revoke.clone());
    assert_eq!(stands(&life(&v1, &[], said), now).1, Some(Code::Suspended));

    let (v2, v3) = (next(&v1, "2", 5), next(&next(&v1, "2", 5), "3", 30));
    let mut said: Vec<Statement> = [&v1, &v2, &v3].into_iter().flat_map(|it| signed_off(it)).collect();
    for version in [&v1, &v2] {
        said.push(say("north/dpo", Act::Approve { agreement: version.hash().clone() }));
    }
    said.push(say("south/siro", activate(&v2, "02-01T00:00")));
    said.push(say("south/siro", activate(&v3, "03-01T00:00")));
    assert_eq!(stands(&life(&v1, &[&v2, &v3], said.clone()), now), ok("3"));
    said.push(revoke);
    assert_eq!(stands(&life(&v1, &[&v2, &v3], said), now), ("3".into(), Some(Code::Unsigned)));
}

#[test]
fn nobody_takes_the_name_of_a_key_or_becomes_somebody_else() {
    let (v1, now) = (one(), at("06-01T00:00"));
    let keys = [101, 102].map(|seed| SigningKey::from_seed(&[seed; 32]).expect("32 bytes"));
    let hand = |who: &str, to: &str, key: &SigningKey| {
        say(who, Act::HandOver { to: to.into(), public_key: key.public_key() })
    };
    let by = |role: &str, id: &str| Signer {
        organisation: "north".into(),
        role: role.into(),
        key_id: id.into(),
        time: now,
    };
    // Whoever squats a name does not undo what the other key of that name has said.
    let mut said = signed_off(&v1);
    said.push(hand("north/siro", "new", &keys[0]));
    said.push(keys[0].say(Act::Suspend { id: "A-1".into() }, by("siro", "new")));
    assert_eq!(stands(&life(&v1, &[], said.clone()), now).1, Some(Code::Suspended));
    said.push(hand("north/dpo", "new", &keys[1]));
    said.push(hand("north/guardian", "new", &keys[1]));
    assert_eq!(stands(&life(&v1, &[], said), now).1, Some(Code::Suspended));
    // An author is one person with whatever key.
    let hash = v1.hash().clone();
    let mut said = signed_off(&v1);
    said.pop();
    said.push(say("north/siro", Act::Write { agreement: hash.clone() }));
    said.push(hand("north/siro", "new", &keys[0]));
    said[1] = keys[0].say(Act::Approve { agreement: hash }, by("siro", "new"));
    assert_eq!(stands(&life(&v1, &[], said), now).1, Some(Code::Unsigned));
}

#[test]
fn nothing_is_written_into_the_past() {
    let v1 = one();
    let (loose, tight) = (next(&v1, "2.0", 5), next(&v1, "2.1", 20));
    let mut said: Vec<Statement> = [&v1, &loose, &tight].into_iter().flat_map(|it| signed_off(it)).collect();
    said.push(say("north/siro", activate(&tight, "03-01T00:00")));
    let late = say("north/siro", activate(&loose, "02-01T00:00"));
    said.push(late.clone());
    let versions = [(Arc::clone(&v1), true), (Arc::clone(&loose), false), (Arc::clone(&tight), false)];
    let heard = |time: &str| [(late.clone(), at(time))].into();
    let life = |heard| Life::new(versions.clone(), said.clone(), &trusted(), "north".into(), heard);
    assert_eq!(
        stands(&life(heard("05-01T00:00")), at("06-01T00:00")),
        ("2.0".into(), Some(Code::Unsigned)),
        "said when the other one stood"
    );
    assert_eq!(stands(&life(heard("01-15T00:00")), at("02-15T00:00")), ok("2.0"), "said in time");
    // Who may not sign does not activate either.
    let mut said: Vec<Statement> = [&v1, &loose].into_iter().flat_map(|it| signed_off(it)).collect();
    let signer = Signer {
        organisation: "north".into(),
        role: "author".into(),
        key_id: "author".into(),
        time: at("01-01T00:00"),
    };
    let key = SigningKey::from_seed(&[77; 32]).expect("32 bytes");
    let mut keys = trusted();
    keys.push(TrustedKey {
        organisation: "north".into(),
        key_id: "author".into(),
        public_key: key.public_key(),
        retired: false,
        roles: ["author".into()].into(),
    });
    said.push(key.say(activate(&loose, "02-01T00:00"), signer));
    let life = Life::new(versions, said, &keys, "north".into(), Default::default());
    assert_eq!(stands(&life, at("06-01T00:00")), ok("1"));
}

#[test]
fn going_back_over_several_versions_gives_up_all_of_them() {
    let v1 = one();
    let v2 = next(&v1, "2", 5);
    let v3 = next(&v2, "3", 4);
    let v4 = replacing(&[&v3], "4", TWO_OF_THREE, &[]);
    let all = [&v1, &v2, &v3, &v4];
    let mut said: Vec<Statement> = all.into_iter().flat_map(|it| signed_off(it)).collect();
    said.push(say("south/siro", activate(&v3, "03-01T00:00")));
    said.push(say("south/siro", activate(&v4, "04-01T00:00")));
    assert_eq!(stands(&life(&v1, &all[1..], said.clone()), at("05-01T00:00")), ok("4"));
    said.push(say_at("north/siro", at("04-02T00:00"), activate(&v2, "05-01T00:00")));
    assert_eq!(stands(&life(&v1, &all[1..], said), at("06-01T00:00")), ok("4"));
}

/// A draft that only tightens may still not change, for one party alone, what all have put on record.
#[test]
fn nobody_changes_the_record_alone() {
    let v1 = one();
    let tighter = |record: &str| {
        let text = TWO_OF_THREE
            .replace(
                "version = \"1\"",
                &format!("version = \"2\"\nsupersedes = \"sha256:{}\"\n{record}", v1.hash()),
            )
            .replace("minimum_contributors = 10", "minimum_contributors = 20");
        agreement(&text)
    };
    for (record, expected) in
        [("", "2"), ("legal_basis = [\"UKGDPR-6-1-e\"]", "1"), ("lead = \"north\"", "1")]
    {
        let v2 = tighter(record);
        let hash = v2.hash().clone();
        let mut said = signed_off(&v1);
        said.extend(
            ["north/guardian", "north/siro"].map(|who| say(who, Act::Approve { agreement: hash.clone() })),
        );
        said.push(say("host/dpo", Act::Write { agreement: hash }));
        said.push(say("north/dpo", activate(&v2, "03-01T12:00")));
        assert_eq!(stands(&life(&v1, &[&v2], said), at("06-01T00:00")), ok(expected), "{record}");
    }
}

/// Whoever is a party to a draft alone learns nothing of the version that stands.
#[test]
fn a_draft_shows_nothing_of_what_stands() {
    let v1 = agreement(&TWO_OF_THREE.replace("id = \"A-1\"", "id = \"A-1\"\ntitle = \"Not for you\""));
    let draft = after(&v1, "2", ("organisation = \"south\"", "organisation = \"stranger\""));
    let mut said = signed_off(&v1);
    said.push(say("south/siro", Act::Suspend { id: "A-1".into() }));
    let life = life(&v1, &[&draft], said);
    let party = |name: &'static str| {
        move |it: &Agreement| it.file().party.iter().any(|party| party.organisation.as_str() == name)
    };
    let [seen] = &life.status(at("02-01T00:00"), party("stranger"))[..] else { panic!("one agreement") };
    assert_eq!((seen.title.as_str(), &seen.stands, seen.suspended.len()), ("A-1", &None, 0));
    let [version] = &seen.versions[..] else { panic!("the draft alone") };
    // Nor who signs it.
    assert!(version.lacks.contains(&Lack::Others), "{:?}", version.lacks);
    assert!(!serde_json::to_string(&seen).expect("JSON").contains("south"));
    let [seen] = &life.status(at("02-01T00:00"), party("south"))[..] else { panic!("one agreement") };
    assert_eq!((seen.title.as_str(), seen.suspended.len()), ("Not for you", 1));
}

/// A key that the configuration has retired is as one that was revoked: nothing that it signed permits anything, what it stopped
/// stays stopped, and no key that it handed over to counts either.
#[test]
fn a_retired_key_counts_as_a_revoked_one() {
    let (v1, now) = (one(), at("06-01T00:00"));
    let new = SigningKey::from_seed(&[99; 32]).expect("32 bytes");
    let signer = Signer {
        organisation: "north".into(),
        role: "siro".into(),
        key_id: "siro-2".into(),
        time: at("01-01T00:00"),
    };
    let mut said = signed_off(&v1);
    said.push(say("north/siro", Act::HandOver { to: "siro-2".into(), public_key: new.public_key() }));
    said.push(new.say(Act::Approve { agreement: v1.hash().clone() }, signer.clone()));
    let suspension = say("north/siro", Act::Suspend { id: "A-1".into() });
    let mut keys = trusted();
    let stands_with = |keys: &[TrustedKey], said: &[Statement]| {
        let life = Life::new([(v1.clone(), true)], said.to_vec(), keys, "north".into(), Default::default());
        stands(&life, now)
    };
    assert_eq!(stands_with(&keys, &said), ok("1"));
    let is_it = |key: &&mut TrustedKey| key.organisation.as_str() == "north" && key.key_id.as_str() == "siro";
    keys.iter_mut().find(is_it).expect("trusted").retired = true;
    assert_eq!(stands_with(&keys, &said), ("1".into(), Some(Code::Unsigned)));
    said.push(say("north/dpo", Act::Approve { agreement: v1.hash().clone() }));
    assert_eq!(stands_with(&keys, &said), ok("1"));
    let revoke = new.say(Act::Revoke { revoked: "dpo".into() }, signer);
    assert!(!Keyring::new(&keys, &said).may_revoke(&revoke));
    assert!(Keyring::new(&trusted(), &said).may_revoke(&revoke));
    said.push(suspension);
    assert_eq!(stands_with(&keys, &said).1, Some(Code::Suspended));
}
