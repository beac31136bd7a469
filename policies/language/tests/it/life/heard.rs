//! What stood at an instant depends on what the node had heard by then and on nothing that it hears later; and what rests on a
//! key that is revoked lacks its signatures, wherever on the way it signed.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use liquid_policy::life::Life;
use liquid_policy::statement::{Act, Signer, Statement};
use liquid_policy::{Agreement, Code, Keyring, SigningKey};
use proptest::prelude::*;

use super::{
    LOOSER, PARTIES, QUORUM, ROLES, TIGHTER, TWO_OF_THREE, activate, after, approve, at, ok, one, replacing,
    say_at, stands, trusted, wrote,
};

/// Statements in the order in which a node of north heard them.
#[derive(Clone, Default)]
pub(super) struct Heard(pub(super) Vec<(Statement, DateTime<Utc>)>);

impl Heard {
    /// What a node keeps: by a key that counts when it is heard.
    pub(super) fn hear(&mut self, statement: Statement, time: DateTime<Utc>) {
        let ring = self.ring();
        let ring = if matches!(statement.act, Act::Revoke { .. }) { ring.unrevoked().clone() } else { ring };
        if ring.signer(&statement).is_ok() && self.0.iter().all(|(known, _)| *known != statement) {
            self.0.push((statement, time));
        }
    }

    fn ring(&self) -> Keyring {
        let said: Vec<Statement> = self.0.iter().map(|(said, _)| said.clone()).collect();
        Keyring::heard(&trusted(), &said, &self.0.iter().cloned().collect())
    }

    /// Said and heard at once.
    pub(super) fn says(&mut self, who: &str, time: &str, act: &Act) {
        self.hear(say_at(who, at(time), act.clone()), at(time));
    }

    pub(super) fn all_say(&mut self, time: &str, act: &Act) {
        QUORUM.iter().for_each(|who| self.says(who, time, act));
    }

    pub(super) fn signed_off(&mut self, version: &Agreement, time: &str) {
        self.says("host/dpo", time, &Act::Write { agreement: version.hash().clone() });
        self.all_say(time, &Act::Approve { agreement: version.hash().clone() });
    }

    pub(super) fn life(
        &self,
        placed: &Arc<Agreement>,
        held: &[Arc<Agreement>],
        until: DateTime<Utc>,
    ) -> Life {
        let heard: BTreeMap<_, _> = self.0.iter().filter(|(_, time)| *time <= until).cloned().collect();
        let versions = held.iter().map(|version| (Arc::clone(version), false));
        let versions = versions.chain([(Arc::clone(placed), true)]);
        Life::new(versions, heard.keys().cloned().collect(), &trusted(), "north".into(), heard)
    }
}

pub(super) fn end() -> DateTime<Utc> {
    at("06-01T00:00")
}

/// Whoever holds an approval back does not decide later which of two versions stood.
#[test]
fn an_approval_that_was_held_back_rewrites_nothing() {
    let v1 = one();
    let (loose, tight) = (after(&v1, "2a", LOOSER), after(&v1, "2b", TIGHTER));
    let held = [Arc::clone(&loose), Arc::clone(&tight)];
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-01T00:00");
    heard.signed_off(&tight, "02-01T00:00");
    heard.signed_off(&loose, "02-01T00:00");
    let late = heard.0.pop().expect("an approval");
    heard.says("north/siro", "02-02T00:00", &activate(&loose, "02-02T00:00"));
    heard.says("north/siro", "03-01T00:00", &activate(&tight, "03-01T00:00"));
    assert_eq!(stands(&heard.life(&v1, &held, end()), end()), ok("2b"));
    heard.hear(late.0, at("04-01T00:00"));
    assert_eq!(stands(&heard.life(&v1, &held, end()), at("03-31T00:00")), ok("2b"));
    assert_eq!(stands(&heard.life(&v1, &held, end()), end()), ("2a".into(), Some(Code::Unsigned)));
}

/// Who gives the last word on a way back late goes back from what stood then, or stops what all have gone on to.
#[test]
fn the_last_word_on_an_old_way_back_only_closes() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let v3 = after(&v2, "3", TIGHTER);
    let back = replacing(&[&v2], "4", TWO_OF_THREE, &[]);
    let held = [Arc::clone(&v2), Arc::clone(&v3), Arc::clone(&back)];
    let mut heard = Heard::default();
    [&v1, &v2].into_iter().for_each(|it| heard.signed_off(it, "01-01T00:00"));
    heard.says("north/siro", "02-01T00:00", &activate(&v2, "02-01T00:00"));
    let (last, others) = QUORUM.split_last().expect("four");
    heard.says("host/dpo", "03-01T00:00", &wrote(&back));
    others.iter().for_each(|who| heard.says(who, "03-01T00:00", &approve(&back)));
    heard.says("south/siro", "03-01T00:00", &activate(&back, "03-01T00:00"));
    let mut past = heard.clone();
    past.signed_off(&v3, "03-10T00:00");
    past.says("north/siro", "03-11T00:00", &activate(&v3, "03-11T00:00"));
    assert_eq!(stands(&past.life(&v1, &held, end()), end()), ok("3"));
    for date in ["03-02T00:00", "04-01T00:00"] {
        let mut past = past.clone();
        past.hear(say_at(last, at(date), approve(&back)), at("04-01T00:00"));
        assert_eq!(stands(&past.life(&v1, &held, end()), end()).1, Some(Code::Unsigned));
    }
    heard.says(last, "04-01T00:00", &approve(&back));
    assert_eq!(stands(&heard.life(&v1, &held, end()), end()), ok("4"));
}

/// Stolen keys of south, then revoked: neither before nor after the activation does a version stand on them.
#[test]
fn what_stolen_keys_have_signed_stands_on_nothing() {
    let v1 = one();
    let party = "[[party]]\norganisation = \"south\"\nrole = \"joint-controller\"\napprovers = [\"guardian\", \"siro\", \"dpo\"]\n";
    let without = after(&v1, "2", (party, ""));
    let held = [Arc::clone(&without)];
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-01T00:00");
    let own = Act::Approve { agreement: v1.hash().clone() };
    heard.says("south/dpo", "01-01T00:00", &own);
    heard.signed_off(&without, "02-01T00:00");
    let revoke = |heard: &mut Heard, time: &str| {
        heard.says("south/dpo", time, &Act::Revoke { revoked: "siro".into() });
    };
    let mut before = heard.clone();
    revoke(&mut before, "02-10T00:00");
    before.says("north/siro", "02-20T00:00", &activate(&without, "02-20T00:00"));
    assert_eq!(
        stands(&before.life(&v1, &held, end()), end()).0,
        "1",
        "it was not signed off when it was activated"
    );

    let mut late = heard.clone();
    late.says("north/siro", "02-05T00:00", &activate(&without, "02-05T00:00"));
    assert_eq!(stands(&late.life(&v1, &held, end()), end()), ok("2"));
    late.says("south/dpo", "02-09T00:00", &Act::Suspend { id: "A-1".into() });
    revoke(&mut late, "02-10T00:00");
    assert_eq!(stands(&late.life(&v1, &held, end()), end()), ("2".into(), Some(Code::Unsigned)));
    let suspensions = late.0.iter().filter(|(s, _)| matches!(s.act, Act::Suspend { .. }));
    let suspensions = suspensions.map(|(s, _)| s.hash()).collect();
    let resume = Act::Resume { id: "A-1".into(), suspensions };
    ["north/siro", "north/guardian"].iter().for_each(|who| late.says(who, "03-01T00:00", &resume));
    let heads = late.life(&v1, &held, end()).heads(end());
    assert_eq!(
        heads[0].suspended().len(),
        1,
        "north alone lifts nothing: south is still one of those who sign"
    );
    // South agrees after all, with keys of its own: the way is good again.
    late.says("south/dpo", "03-02T00:00", &Act::Approve { agreement: without.hash().clone() });
    ["south/dpo", "south/guardian"].iter().for_each(|who| late.says(who, "03-02T00:00", &resume));
    assert_eq!(stands(&late.life(&v1, &held, end()), end()), ok("2"));
}

#[test]
fn what_a_revoked_key_wanted_for_later_does_not_happen() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let held = [Arc::clone(&v2)];
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-01T00:00");
    heard.signed_off(&v2, "01-01T00:00");
    heard.says("south/dpo", "01-02T00:00", &activate(&v2, "05-01T00:00"));
    let mut kept = heard.clone();
    assert_eq!(stands(&kept.life(&v1, &held, end()), end()), ok("2"));
    kept.says("south/siro", "02-01T00:00", &Act::Revoke { revoked: "dpo".into() });
    assert_eq!(stands(&kept.life(&v1, &held, end()), end()), ok("1"));
    heard.says("south/siro", "05-02T00:00", &Act::Revoke { revoked: "dpo".into() });
    assert_eq!(stands(&heard.life(&v1, &held, end()), end()), ok("2"), "it had happened");
}

/// Two keys that revoke each other: neither counts, whichever was heard first.
#[test]
fn keys_that_revoke_each_other_both_go() {
    let [thief, owner] = [("south/siro", "dpo"), ("south/dpo", "siro")]
        .map(|(who, key)| say_at(who, at("02-01T00:00"), Act::Revoke { revoked: key.into() }));
    for order in [[&thief, &owner], [&owner, &thief]] {
        let mut heard = Heard::default();
        for (minute, statement) in order.into_iter().enumerate() {
            heard.hear(statement.clone(), at("02-01T00:00") + Duration::minutes(minute as i64));
        }
        assert_eq!(heard.0.len(), 2, "a node keeps both");
        let said = say_at("south/siro", at("01-01T00:00"), Act::Suspend { id: "A-1".into() });
        let other = say_at("south/dpo", at("01-01T00:00"), Act::Suspend { id: "A-1".into() });
        assert!([said, other].iter().all(|s| heard.ring().signer(s).is_err()));
    }
}

/// A key of the configuration to which somebody hands over is no second person any more.
#[test]
fn whoever_hands_over_to_a_known_key_is_one_person_with_it() {
    let v1 = one();
    let (mine, known) = (super::key("north", "siro"), super::key("north", "guardian"));
    let mut heard = Heard::default();
    heard.signed_off(&v1, "01-01T00:00");
    assert_eq!(stands(&heard.life(&v1, &[], end()), end()), ok("1"));
    let signer = |key: &str| Signer {
        organisation: "north".into(),
        role: "siro".into(),
        key_id: key.into(),
        time: at("02-01T00:00"),
    };
    let given = Act::HandOver { to: "guardian".into(), public_key: known.public_key() };
    heard.hear(mine.say(given, signer("siro")), at("02-01T00:00"));
    assert_eq!(stands(&heard.life(&v1, &[], end()), end()), ("1".into(), Some(Code::Unsigned)));
}

/// Something that people of the parties say, by numbers.
#[derive(Debug, Clone)]
enum Said {
    SignedOff(usize),
    Approve(usize, usize),
    Write(usize, usize),
    Activate(usize, usize, i64),
    Revoke(usize, usize),
    HandOver(usize, usize),
}

fn said() -> impl Strategy<Value = Said> {
    let (who, version, days) = (0..6_usize, 0..6_usize, 0..60_i64);
    prop_oneof![
        3 => version.clone().prop_map(Said::SignedOff),
        2 => (who.clone(), version.clone()).prop_map(|(w, v)| Said::Approve(w, v)),
        1 => (who.clone(), version.clone()).prop_map(|(w, v)| Said::Write(w, v)),
        4 => (who.clone(), version, days).prop_map(|(w, v, d)| Said::Activate(w, v, d)),
        1 => (who.clone(), who.clone()).prop_map(|(w, k)| Said::Revoke(w, k)),
        1 => (who.clone(), who).prop_map(|(w, k)| Said::HandOver(w, k)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever is heard later, what stood at an instant is what was seen to stand then.
    #[test]
    fn nothing_that_is_heard_later_changes_what_stood(script in prop::collection::vec(said(), 1..25)) {
        let v1 = one();
        let v2 = [after(&v1, "2a", LOOSER), after(&v1, "2b", TIGHTER)];
        let both = [&*v2[0], &v2[1]];
        let v3 = [after(&v2[0], "3a", TIGHTER), after(&v2[1], "3b", LOOSER), replacing(&both, "3c", TWO_OF_THREE, &[])];
        let versions: Vec<Arc<Agreement>> = [Arc::clone(&v1)].into_iter().chain(v2).chain(v3).collect();
        let hash = |number: usize| versions[number].hash().clone();
        let person = |number: usize| format!("{}/{}", PARTIES[number / 3], ROLES[number % 3]);
        let mut heard = Heard::default();
        heard.signed_off(&v1, "01-01T00:00");
        let begin = at("02-01T00:00");
        for (day, said) in script.iter().enumerate() {
            let now = begin + Duration::days(day as i64);
            let named = |days: i64| begin + Duration::days(days - 20);
            let mut says = |who: &str, act: Act| heard.hear(say_at(who, now, act), now);
            match *said {
                Said::SignedOff(version) => {
                    says("host/dpo", Act::Write { agreement: hash(version) });
                    QUORUM.iter().for_each(|who| says(who, Act::Approve { agreement: hash(version) }));
                }
                Said::Approve(who, version) => says(&person(who), Act::Approve { agreement: hash(version) }),
                Said::Write(who, version) => says(&person(who), Act::Write { agreement: hash(version) }),
                Said::Activate(who, version, days) => {
                    says(&person(who), Act::Activate { agreement: hash(version), at: named(days) });
                }
                Said::Revoke(who, key) => says(&person(who), Act::Revoke { revoked: ROLES[key % 3].into() }),
                Said::HandOver(who, key) => {
                    let to = SigningKey::from_seed(&[120 + key as u8; 32]).expect("32 bytes");
                    let known = super::key(PARTIES[who / 3], ROLES[key % 3]);
                    let (to, public_key) = match key {
                        0..3 => (ROLES[key].to_owned(), known.public_key()),
                        _ => (format!("new-{key}"), to.public_key()),
                    };
                    says(&person(who), Act::HandOver { to: to.as_str().into(), public_key });
                }
            }
        }
        let held: Vec<_> = versions[1..].to_vec();
        let all = heard.life(&v1, &held, end() + Duration::days(1000));
        for day in 0..script.len() as i64 + 2 {
            let then = begin + Duration::days(day) + Duration::hours(1);
            let by_then = heard.life(&v1, &held, then);
            prop_assert_eq!(stands(&all, then).0, stands(&by_then, then).0, "on day {}", day);
        }
    }
}

/// The scripts do move agreements: the property speaks of something.
#[test]
fn the_scripts_reach_every_version() {
    let v1 = one();
    let v2 = after(&v1, "2a", LOOSER);
    let v3 = after(&v2, "3a", TIGHTER);
    let mut heard = Heard::default();
    for version in [&v1, &v2, &v3] {
        heard.signed_off(version, "01-01T00:00");
    }
    heard.says("north/siro", "02-01T00:00", &activate(&v2, "01-01T00:00"));
    heard.says("north/siro", "02-02T00:00", &activate(&v3, "01-01T00:00"));
    let v4 = replacing(&[&v3], "4", TWO_OF_THREE, &[]);
    heard.signed_off(&v4, "02-03T00:00");
    heard.says("north/siro", "02-03T00:00", &activate(&v4, "02-03T00:00"));
    let life = heard.life(&v1, &[v2, v3, v4], end());
    let seen = ["01-30", "02-01", "02-02", "02-03"].map(|day| stands(&life, at(&format!("{day}T01:00"))).0);
    assert_eq!(seen, ["1", "2a", "3a", "4"]);
}
