//! Which version stands: signed off by whom, from when, and whether anybody has stopped it.

mod attacks;
mod ends;
mod first;
mod heard;
mod late;
mod one_key;
mod order;
mod undone;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use liquid_policy::keyring::Standing;
use liquid_policy::life::Life;
use liquid_policy::signature::Lack;
use liquid_policy::statement::{Act, Signer, Statement};
use liquid_policy::{Agreement, Code, Keyring, Signed, SigningKey, TrustedKey, admit};
use proptest::prelude::*;

use crate::support::{agreement, caller, nothing_named};

/// Two controllers, each of which signs in two of its roles; who wrote a version does not approve it.
const TWO_OF_THREE: &str = r#"schema = "liquid/agreement/1"
[agreement]
id = "A-1"
version = "1"
purposes = ["care"]
in_force = 2026-01-01
expires = 2026-12-31
[[party]]
organisation = "north"
role = "controller"
approvers = ["guardian", "siro", "dpo"]
[[party]]
organisation = "south"
role = "joint-controller"
approvers = ["guardian", "siro", "dpo"]
[[party]]
organisation = "host"
role = "processor"
[signoff]
roles_per_party = 2
author_may_sign = false
[[recipient]]
organisation = "institute"
roles = ["analyst"]
purposes = ["care"]
[table.t]
entity = "person"
[table.t.columns]
person = { use = [] }
sex = { use = ["group", "filter"] }
[disclosure]
minimum_contributors = 10
"#;

const PARTIES: [&str; 3] = ["north", "south", "host"];
const ROLES: [&str; 3] = ["guardian", "siro", "dpo"];

/// A key for each role at each party, named after the role.
fn key(organisation: &str, role: &str) -> SigningKey {
    let mut seed = [1_u8; 32];
    for (to, from) in seed.iter_mut().zip(format!("{organisation}/{role}").bytes()) {
        *to = from;
    }
    SigningKey::from_seed(&seed).expect("32 bytes")
}

fn trusted() -> Vec<TrustedKey> {
    let pairs = PARTIES.into_iter().flat_map(|party| ROLES.map(|role| (party, role)));
    pairs
        .map(|(party, role)| TrustedKey {
            organisation: party.into(),
            key_id: role.into(),
            public_key: key(party, role).public_key(),
            retired: false,
            roles: [role.into()].into(),
        })
        .collect()
}

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-{text}:00Z").parse().expect("a time")
}

fn say_at(who: &str, time: DateTime<Utc>, act: Act) -> Statement {
    let (organisation, role) = who.split_once('/').expect("party/role");
    let signer = Signer { organisation: organisation.into(), role: role.into(), key_id: role.into(), time };
    key(organisation, role).say(act, signer)
}

fn say(who: &str, act: Act) -> Statement {
    say_at(who, at("01-01T09:00"), act)
}

const QUORUM: [&str; 4] = ["north/guardian", "north/siro", "south/guardian", "south/siro"];

/// Written by the host, approved by two of each controller.
fn signed_off(agreement: &Agreement) -> Vec<Statement> {
    let hash = agreement.hash();
    let approved = QUORUM.map(|who| say(who, Act::Approve { agreement: hash.clone() }));
    approved.into_iter().chain([say("host/dpo", Act::Write { agreement: hash.clone() })]).collect()
}

fn one() -> Arc<Agreement> {
    agreement(TWO_OF_THREE)
}

/// A version that replaces others, with edits made to a text.
fn replacing(before: &[&Agreement], version: &str, text: &str, edits: &[(&str, &str)]) -> Arc<Agreement> {
    let names: Vec<String> = before.iter().map(|it| format!("\"sha256:{}\"", it.hash())).collect();
    let names = match names.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    let numbered = format!("version = \"{version}\"\nsupersedes = {names}");
    let mut text = text.replace("version = \"1\"", &numbered);
    for (from, to) in edits {
        let edited = text.replace(from, to);
        assert_ne!(edited, text);
        text = edited;
    }
    agreement(&text)
}

/// A further version, with `edit` made to the text.
fn after(before: &Agreement, version: &str, edit: (&str, &str)) -> Arc<Agreement> {
    replacing(&[before], version, TWO_OF_THREE, &[edit])
}

fn approve(version: &Agreement) -> Act {
    Act::Approve { agreement: version.hash().clone() }
}

fn activate(version: &Agreement, time: &str) -> Act {
    Act::Activate { agreement: version.hash().clone(), at: at(time) }
}

fn wrote(version: &Agreement) -> Act {
    Act::Write { agreement: version.hash().clone() }
}

const LOOSER: (&str, &str) = ("minimum_contributors = 10", "minimum_contributors = 5");
const TIGHTER: (&str, &str) = ("minimum_contributors = 10", "minimum_contributors = 20");

/// Another agreement of the same parties, with the same rule, that an operator has placed.
fn other() -> Arc<Agreement> {
    agreement(&TWO_OF_THREE.replace("id = \"A-1\"", "id = \"A-0\""))
}

/// A node of north, with one version placed and others held.
fn life(placed: &Arc<Agreement>, held: &[&Arc<Agreement>], said: Vec<Statement>) -> Life {
    let versions = held.iter().map(|version| (Arc::clone(version), false));
    let versions = versions.chain([(Arc::clone(placed), true)]);
    Life::new(versions, said, &trusted(), "north".into(), Default::default())
}

/// The version that stands, and whether it could answer.
fn stands(life: &Life, now: DateTime<Utc>) -> (String, Option<Code>) {
    let mut heads = life.heads(now);
    heads.retain(|head| head.agreement().id().as_str() == "A-1");
    let [head] = heads.as_slice() else { panic!("{} versions stand", heads.len()) };
    let who = caller("institute", "analyst", &["care"]);
    let code = admit(&heads, &who, nothing_named(), now.date_naive()).err().map(|refusal| refusal.code);
    (head.agreement().version().to_owned(), code)
}

fn ok(version: &str) -> (String, Option<Code>) {
    (version.to_owned(), None)
}

#[test]
fn each_controller_signs_in_as_many_roles_as_agreed_and_each_role_by_another_key() {
    let agreement = one();
    let all = signed_off(&agreement);
    let ring = Keyring::from(trusted().as_slice());
    let verify = |said: &[Statement]| Signed::verify(Arc::clone(&agreement), said, &ring);
    assert!(verify(&all).is_complete());
    for missing in 0..4 {
        let mut said = all.clone();
        let gone = said.remove(missing);
        let signed = verify(&said);
        let [Lack::Signatures { organisation, more: 1, roles }] = signed.lacks() else {
            panic!("{:?}", signed.lacks())
        };
        assert_eq!(*organisation, gone.organisation);
        assert_eq!(roles.len(), 2, "one of the two that have not signed");
        assert!(roles.contains(&gone.role));
    }
    // Any two of the three will do.
    let mut said = all.clone();
    said[0] = say("north/dpo", Act::Approve { agreement: agreement.hash().clone() });
    assert!(verify(&said).is_complete());
    // A key signs in its own role, whatever it says.
    let mut said = all.clone();
    let signer = Signer {
        organisation: "north".into(),
        role: "guardian".into(),
        key_id: "dpo".into(),
        time: at("01-01T09:00"),
    };
    said[0] = key("north", "dpo").say(Act::Approve { agreement: agreement.hash().clone() }, signer);
    assert_eq!(ring.standing(&said[0]), Standing::Valid);
    assert!(!verify(&said).is_complete());
    // One person who holds two roles is one person.
    let mut keys = trusted();
    for role in ["guardian", "siro"] {
        let of = |key: &&mut TrustedKey| key.organisation.as_str() == "north" && key.key_id.as_str() == role;
        keys.iter_mut().find(of).unwrap().public_key = key("north", "guardian").public_key();
    }
    let signer = Signer {
        organisation: "north".into(),
        role: "siro".into(),
        key_id: "siro".into(),
        time: at("01-01T09:00"),
    };
    let mut said = all.clone();
    said[1] = key("north", "guardian").say(Act::Approve { agreement: agreement.hash().clone() }, signer);
    let ring = Keyring::from(keys.as_slice());
    assert_eq!(ring.standing(&said[1]), Standing::Valid);
    let signed = Signed::verify(Arc::clone(&agreement), &said, &ring);
    assert!(matches!(signed.lacks(), [Lack::Signatures { more: 1, .. }]), "{:?}", signed.lacks());
}

#[test]
fn who_wrote_it_does_not_approve_it() {
    let agreement = one();
    let ring = Keyring::from(trusted().as_slice());
    let verify = |said: &[Statement]| Signed::verify(Arc::clone(&agreement), said, &ring);
    let mut said = signed_off(&agreement);
    assert!(verify(&said).is_complete());
    let nobody = said.pop().expect("the author");
    assert_eq!(verify(&said).lacks(), [Lack::Author]);
    assert_eq!(Lack::Author.to_string(), "its author");
    said.push(say("north/siro", nobody.act.clone()));
    assert!(matches!(verify(&said).lacks(), [Lack::Signatures { more: 1, .. }]));
    // A second author does not clear the first.
    said.push(nobody);
    assert!(!verify(&said).is_complete());
}

#[test]
fn a_version_waits_for_its_signatures_and_its_instant() {
    let (v1, mut said) = (one(), signed_off(&one()));
    let v2 = after(&v1, "2", LOOSER);
    said.extend(signed_off(&v2));
    let before = life(&v1, &[&v2], said.clone());
    assert_eq!(stands(&before, at("06-01T00:00")), ok("1"), "nobody has activated it");
    said.push(say("south/dpo", Act::Activate { agreement: v2.hash().clone(), at: at("03-01T12:00") }));
    let activated = life(&v1, &[&v2], said.clone());
    assert_eq!(stands(&activated, at("03-01T11:59")), ok("1"));
    assert_eq!(stands(&activated, at("03-01T12:00")), ok("2"));
    for missing in 5..10 {
        let mut fewer = said.clone();
        fewer.remove(missing);
        assert_eq!(stands(&life(&v1, &[&v2], fewer), at("06-01T00:00")), ok("1"), "without number {missing}");
    }
    // Nobody else activates.
    let mut strange = said.clone();
    strange.pop();
    strange.push(say("host/dpo", Act::Activate { agreement: v2.hash().clone(), at: at("03-01T12:00") }));
    assert_eq!(stands(&life(&v1, &[&v2], strange), at("06-01T00:00")), ok("1"));
    // Both placed by the operator: from its first day on.
    let v2 = agreement(
        &TWO_OF_THREE
            .replace("version = \"1\"", &format!("version = \"2\"\nsupersedes = \"sha256:{}\"", v1.hash()))
            .replace("in_force = 2026-01-01", "in_force = 2026-04-01"),
    );
    let mut said = signed_off(&v1);
    said.extend(signed_off(&v2));
    let versions = [(Arc::clone(&v1), true), (Arc::clone(&v2), true)];
    let both = Life::new(versions, said, &trusted(), "north".into(), Default::default());
    assert_eq!(stands(&both, at("03-31T23:59")), ok("1"));
    assert_eq!(stands(&both, at("04-01T00:00")), ok("2"));
    // A follower alone is where it begins.
    let alone =
        Life::new([(v2.clone(), true)], signed_off(&v2), &trusted(), "north".into(), Default::default());
    assert_eq!(stands(&alone, at("03-01T00:00")), ("2".into(), Some(Code::NotInForce)));
}

#[test]
fn no_controller_drops_out_unasked() {
    let v1 = one();
    let v2 = after(
        &v1,
        "2",
        (
            "role = \"joint-controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]",
            "role = \"processor\"",
        ),
    );
    let hash = v2.hash().clone();
    let mut said = signed_off(&v1);
    said.push(say("host/dpo", Act::Write { agreement: hash.clone() }));
    for who in ["north/guardian", "north/siro"] {
        said.push(say(who, Act::Approve { agreement: hash.clone() }));
    }
    said.push(say("north/siro", Act::Activate { agreement: hash.clone(), at: at("03-01T12:00") }));
    let ring = Keyring::from(trusted().as_slice());
    assert!(Signed::verify(Arc::clone(&v2), &said, &ring).is_complete(), "by its own rule");
    assert_eq!(stands(&life(&v1, &[&v2], said.clone()), at("06-01T00:00")), ok("1"));
    for who in ["south/guardian", "south/siro"] {
        said.push(say(who, Act::Approve { agreement: hash.clone() }));
    }
    assert_eq!(stands(&life(&v1, &[&v2], said), at("06-01T00:00")), ok("2"));
    // Nor is the rule for authors loosened by the author.
    let v2 = after(&v1, "2", ("author_may_sign = false", "author_may_sign = true"));
    let mut said = signed_off(&v1);
    said.extend(signed_off(&v2));
    said.push(say("north/siro", Act::Write { agreement: v2.hash().clone() }));
    said.push(say("north/siro", Act::Activate { agreement: v2.hash().clone(), at: at("03-01T12:00") }));
    assert!(Signed::verify(Arc::clone(&v2), &said, &ring).is_complete());
    assert_eq!(stands(&life(&v1, &[&v2], said), at("06-01T00:00")), ("2".into(), Some(Code::Unsigned)));
}

#[test]
fn a_controller_tightens_alone_at_its_own_node() {
    let v1 = one();
    let (tighter, looser) = (after(&v1, "2t", TIGHTER), after(&v1, "2l", LOOSER));
    let own = |version: &Agreement| {
        let hash = version.hash().clone();
        let approved =
            ["north/guardian", "north/siro"].map(|who| say(who, Act::Approve { agreement: hash.clone() }));
        let mut said = signed_off(&v1);
        said.extend(approved);
        said.push(say("host/dpo", Act::Write { agreement: hash.clone() }));
        said.push(say("north/dpo", Act::Activate { agreement: hash, at: at("03-01T12:00") }));
        said
    };
    let alone = own(&tighter);
    assert_eq!(stands(&life(&v1, &[&tighter], alone.clone()), at("03-01T11:59")), ok("1"));
    assert_eq!(stands(&life(&v1, &[&tighter], alone.clone()), at("03-01T12:00")), ok("2t"));
    let head = |version: &Arc<Agreement>, here: &str, said| {
        let versions = [(Arc::clone(&v1), true), (Arc::clone(version), false)];
        let life = Life::new(versions, said, &trusted(), here.into(), Default::default());
        life.heads(at("06-01T00:00"))[0].agreement().version().to_owned()
    };
    assert_eq!(head(&tighter, "south", alone.clone()), "1", "at its own node alone");
    assert_eq!(head(&looser, "north", own(&looser)), "1", "only to tighten");
    // It stands on what all have signed, and on its own controller's signatures.
    for missing in 0..4 {
        let mut fewer = alone.clone();
        fewer.remove(missing);
        assert_eq!(stands(&life(&v1, &[&tighter], fewer), at("06-01T00:00")).1, Some(Code::Unsigned));
    }
    for missing in [5, 6, 8] {
        let mut fewer = alone.clone();
        fewer.remove(missing);
        assert_eq!(stands(&life(&v1, &[&tighter], fewer), at("06-01T00:00")), ok("1"));
    }
    // What all agree on later takes its place where it names it: whether north has approved it before or after it went alone, nobody can
    // tell from dates.
    let tight: &Agreement = &tighter;
    for (names, expected) in [(&[&*v1, tight][..], ok("2")), (&[&*v1], ("2".into(), Some(Code::Unsigned)))] {
        let v2 = replacing(names, "2", TWO_OF_THREE, &[LOOSER]);
        let mut said = alone.clone();
        said.extend(signed_off(&v2));
        said.push(say("south/siro", activate(&v2, "05-01T00:00")));
        let life = life(&v1, &[&tighter, &v2], said);
        assert_eq!(stands(&life, at("04-30T00:00")), ok("2t"));
        assert_eq!(stands(&life, at("05-01T00:00")), expected);
    }
}

#[test]
fn one_controller_suspends_and_all_resume() {
    let (v1, mut said) = (one(), signed_off(&one()));
    let suspend = Act::Suspend { id: "A-1".into() };
    let now = at("02-01T00:00");
    said.push(say("host/dpo", suspend.clone()));
    assert_eq!(stands(&life(&v1, &[], said.clone()), now), ok("1"), "a processor does not");
    let mut other = said.clone();
    other.push(say("south/dpo", Act::Suspend { id: "A-2".into() }));
    assert_eq!(stands(&life(&v1, &[], other), now), ok("1"), "another agreement");
    for who in ["north/dpo", "south/siro"] {
        let mut said = said.clone();
        let suspension = say(who, suspend.clone());
        said.push(suspension.clone());
        assert_eq!(stands(&life(&v1, &[], said.clone()), now), ("1".into(), Some(Code::Suspended)));
        let resume = |of: &Statement| Act::Resume { id: "A-1".into(), suspensions: [of.hash()].into() };
        for resuming in QUORUM {
            said.push(say(resuming, resume(&suspension)));
            let expected = if resuming == QUORUM[3] { ok("1") } else { ("1".into(), Some(Code::Suspended)) };
            assert_eq!(stands(&life(&v1, &[], said.clone()), now), expected, "{resuming}");
        }
        // What was lifted does not lift the next one, by whomever.
        let again = say_at(who, at("01-20T00:00"), suspend.clone());
        said.push(again);
        assert_eq!(stands(&life(&v1, &[], said.clone()), now).1, Some(Code::Suspended));
    }
    // A new version does not end a suspension, and one that drops the controller does not either.
    let v2 = after(
        &v1,
        "2",
        (
            "role = \"joint-controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]",
            "role = \"processor\"",
        ),
    );
    let mut said = signed_off(&v1);
    said.extend(QUORUM.map(|who| say(who, Act::Approve { agreement: v2.hash().clone() })));
    said.push(say("host/dpo", Act::Write { agreement: v2.hash().clone() }));
    said.push(say("north/siro", Act::Activate { agreement: v2.hash().clone(), at: at("03-01T12:00") }));
    assert_eq!(stands(&life(&v1, &[&v2], said.clone()), at("06-01T00:00")), ok("2"));
    said.push(say("south/dpo", suspend));
    assert_eq!(stands(&life(&v1, &[&v2], said), at("06-01T00:00")), ("2".into(), Some(Code::Suspended)));
}

/// Going back is going on to a version with the text of an earlier one, by the same sign-off; and so is going forward again.
#[test]
fn back_needs_the_sign_off_and_forward_again_needs_it_anew() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let v3 = replacing(&[&v2], "3", TWO_OF_THREE, &[]);
    let v4 = after(&v3, "4", LOOSER);
    let held = [&v2, &v3, &v4];
    let mut said = signed_off(&v1);
    said.extend(signed_off(&v2));
    said.push(say("north/siro", activate(&v2, "03-01T00:00")));
    said.push(say("host/dpo", wrote(&v3)));
    said.push(say("south/siro", activate(&v3, "04-01T00:00")));
    let now = at("06-01T00:00");
    for who in QUORUM {
        assert_eq!(stands(&life(&v1, &held, said.clone()), now), ok("2"), "before {who}");
        said.push(say_at(who, at("03-30T00:00"), approve(&v3)));
    }
    let back = life(&v1, &held, said.clone());
    assert_eq!(stands(&back, at("03-31T23:59")), ok("2"));
    assert_eq!(stands(&back, now), ok("3"));
    // The old approvals are not there for one controller to use again.
    said.push(say_at("south/siro", at("04-02T00:00"), activate(&v2, "05-01T00:00")));
    assert_eq!(stands(&life(&v1, &held, said.clone()), now), ok("3"));
    said.extend(signed_off(&v4));
    assert_eq!(stands(&life(&v1, &held, said.clone()), now), ok("3"), "nobody has activated it");
    said.push(say_at("south/siro", at("04-03T00:00"), activate(&v4, "05-01T00:00")));
    assert_eq!(stands(&life(&v1, &held, said), now), ok("4"));
}

#[test]
fn keys_are_handed_over_and_revoked() {
    let v1 = one();
    let now = at("02-01T00:00");
    let hash = v1.hash().clone();
    let new = SigningKey::from_seed(&[99; 32]).expect("32 bytes");
    let hand_over = say("north/siro", Act::HandOver { to: "siro-2".into(), public_key: new.public_key() });
    let signer = |role: &str| Signer {
        organisation: "north".into(),
        role: role.into(),
        key_id: "siro-2".into(),
        time: now,
    };
    let mut said = signed_off(&v1);
    said.remove(1); // north/siro
    let by_new = new.say(Act::Approve { agreement: hash.clone() }, signer("siro"));
    said.push(by_new.clone());
    assert_eq!(stands(&life(&v1, &[], said.clone()), now).1, Some(Code::Unsigned), "nobody knows the key");
    said.push(hand_over.clone());
    assert_eq!(stands(&life(&v1, &[], said.clone()), now), ok("1"));
    // In the same roles, not in others.
    let mut other = said.clone();
    let at_new = other.len() - 2;
    other[at_new] = new.say(Act::Approve { agreement: hash.clone() }, signer("dpo"));
    assert_eq!(stands(&life(&v1, &[], other), now).1, Some(Code::Unsigned));
    // Nobody hands over another's key name, and what a revoked key handed over is gone with it.
    let mut taken = said.clone();
    taken.push(say("south/dpo", Act::Revoke { revoked: "siro".into() }));
    assert_eq!(stands(&life(&v1, &[], taken), now).1, Some(Code::Unsigned), "south revokes its own");
    let mut revoked = said.clone();
    revoked.push(say("north/dpo", Act::Revoke { revoked: "siro".into() }));
    assert_eq!(stands(&life(&v1, &[], revoked.clone()), now).1, Some(Code::Unsigned));
    let ring = Keyring::new(&trusted(), &revoked);
    assert_eq!(ring.standing(&by_new), Standing::Untrusted);
    assert_eq!(ring.standing(&hand_over), Standing::Revoked);
    // By the revoked key itself too, and nobody else's key does it.
    let mut itself = said.clone();
    itself.push(new.say(Act::Revoke { revoked: "siro-2".into() }, signer("siro")));
    assert_eq!(stands(&life(&v1, &[], itself), now).1, Some(Code::Unsigned));
    let mut strange = said.clone();
    strange.push(say("south/dpo", Act::Revoke { revoked: "siro-2".into() }));
    assert_eq!(stands(&life(&v1, &[], strange), now), ok("1"));
}

/// Acts that the parties could say of three versions.
fn acts() -> Vec<Act> {
    let v1 = one();
    let (v2, v3) = (after(&v1, "2", LOOSER), after(&v1, "3", TIGHTER));
    let (h2, h3) = (v2.hash().clone(), v3.hash().clone());
    let (march, april) = (at("03-01T00:00"), at("04-01T00:00"));
    vec![
        Act::Approve { agreement: h2.clone() },
        Act::Approve { agreement: h3.clone() },
        Act::Activate { agreement: h2.clone(), at: march },
        Act::Activate { agreement: h3.clone(), at: march },
        Act::Activate { agreement: h3, at: april },
        Act::Write { agreement: h2 },
        Act::Suspend { id: "A-1".into() },
        Act::Revoke { revoked: "siro".into() },
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is said by whomever, in whatever order and however often: all nodes that heard the same agree; nothing but
    /// the sign-off ends a suspension; nothing stands that was not signed off, or is tighter than what was.
    #[test]
    fn what_stands_depends_on_what_was_said_alone(
        picks in prop::collection::vec((0..8_usize, 0..9_usize, 0..5_u32), 0..24),
        quorum in prop::collection::vec(any::<bool>(), 2),
        order in any::<u64>(),
        day in 0..200_i64,
    ) {
        let v1 = one();
        let (v2, v3) = (after(&v1, "2", LOOSER), after(&v1, "3", TIGHTER));
        let acts = acts();
        let mut said = signed_off(&v1);
        for (version, all) in [&v2, &v3].into_iter().zip(&quorum) {
            if *all {
                said.extend(signed_off(version));
            }
        }
        for (act, who, hour) in picks {
            let who = format!("{}/{}", PARTIES[who / 3], ROLES[who % 3]);
            said.push(say_at(&who, at(&format!("01-02T0{hour}:00")), acts[act].clone()));
        }
        let now = at("01-05T00:00") + chrono::Duration::days(day);
        let here = life(&v1, &[&v2, &v3], said.clone());
        let mut shuffled = said.clone();
        let turn = usize::try_from(order % said.len() as u64).unwrap();
        shuffled.rotate_left(turn);
        shuffled.extend(said.iter().take(3).cloned());
        let again = life(&v1, &[&v3, &v2], shuffled);
        let heads = |life: &Life| -> Vec<_> {
            life.heads(now).iter().map(|h| (h.agreement().hash().clone(), h.lacks().to_vec(), h.suspended().to_vec())).collect()
        };
        prop_assert_eq!(heads(&here), heads(&again));

        let standing = &here.heads(now)[0];
        let ring = Keyring::new(&trusted(), &said);
        let complete = |version: &Arc<Agreement>| Signed::verify(Arc::clone(version), &said, &ring).is_complete();
        let (code, version) = (stands(&here, now).1, standing.agreement().version());
        if code.is_none() {
            match version {
                "1" => prop_assert!(complete(&v1)),
                "2" => prop_assert!(complete(&v2)),
                _ => prop_assert!(complete(&v3) || complete(&v1)),
            }
            let suspended = said.iter().any(|s| {
                matches!(s.act, Act::Suspend { .. }) && s.organisation.as_str() != "host" && ring.signer(s).is_ok()
            });
            prop_assert!(!suspended, "nobody has resumed it");
        }
    }
}

#[test]
fn a_sign_off_that_nobody_could_give_is_no_agreement() {
    let problem = |edit: (&str, &str)| {
        let text = TWO_OF_THREE.replace(edit.0, edit.1);
        assert_ne!(text, TWO_OF_THREE);
        let error = liquid_policy::parse(&text, "test.toml").expect_err("a problem");
        error.problems().map(|problem| problem.message().to_owned()).collect::<Vec<_>>()
    };
    let few = (
        "organisation = \"north\"\nrole = \"controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]",
        "organisation = \"north\"\nrole = \"controller\"\napprovers = [\"dpo\"]",
    );
    assert_eq!(problem(few), ["`north` names 1 of the 2 roles that must sign"]);
    let twice = (
        "[\"guardian\", \"siro\", \"dpo\"]\n[[party]]\norganisation = \"host\"",
        "[\"dpo\", \"dpo\"]\n[[party]]\norganisation = \"host\"",
    );
    assert_eq!(problem(twice).len(), 2);
    let processor = ("role = \"processor\"", "role = \"processor\"\napprovers = [\"dpo\", \"siro\"]");
    assert_eq!(problem(processor), ["`host` is no controller, so it does not sign"]);
    assert_eq!(
        problem(("roles_per_party = 2", "roles_per_party = 0")),
        ["with 0 roles nobody would sign the agreement"]
    );
}
