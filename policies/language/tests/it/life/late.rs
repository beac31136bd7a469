//! Sites that joined late, or from which something is held back: what they were given first, by their operator or by those who
//! signed for a later chapter, is not taken from them by older words.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use liquid_policy::id::ChapterHash;
use liquid_policy::life::Life;
use liquid_policy::statement::{Act, Statement};
use liquid_policy::{Agreement, Code};

use super::chapters::{approve, within};
use super::heard::{Heard, activate, back, end};
use super::{LOOSER, QUORUM, TIGHTER, after, at, one, say_at, stands, trusted};

/// v1, left for a looser version and gone back to, then for a tighter one: of the last chapter a site has heard what was said of it.
struct Joined {
    heard: Heard,
    v1: Arc<Agreement>,
    loose: Arc<Agreement>,
    tight: Arc<Agreement>,
    chapter: Option<ChapterHash>,
    /// The approvals of v1 in that chapter.
    signed: Vec<Statement>,
}

impl Joined {
    fn new() -> Self {
        let v1 = one();
        let (loose, tight) = (after(&v1, "2l", LOOSER), after(&v1, "2t", TIGHTER));
        let chapter = back(&v1, &loose, "03-01T00:00").begins();
        let mut heard = Heard::default();
        for version in [&v1, &loose, &tight] {
            heard.says("host/dpo", "01-01T00:00", &Act::Write { agreement: version.hash().clone() });
        }
        heard.all_say("03-02T00:00", &within(&approve(&tight), chapter.clone()));
        heard.says("north/siro", "03-03T00:00", &within(&activate(&tight, "03-03T00:00"), chapter.clone()));
        let anew = within(&approve(&v1), chapter.clone());
        let signed = QUORUM.map(|who| say_at(who, at("03-02T00:00"), anew.clone())).to_vec();
        Self { heard, v1, loose, tight, chapter, signed }
    }

    /// A coordinator sends what was said in the first chapter, and holds back the rollback that ended it.
    fn hears_of_the_first_chapter(&mut self) {
        let mut hears = |who: &str, time: &str, act: Act| {
            self.heard.hear(say_at(who, at(time), act), at("04-01T00:00"));
        };
        for version in [&self.v1, &self.loose] {
            QUORUM.iter().for_each(|who| hears(who, "01-10T00:00", approve(version)));
        }
        hears("north/siro", "02-01T00:00", activate(&self.loose, "02-01T00:00"));
    }

    fn stands(&self, placed: &[Statement]) -> (String, Option<Code>) {
        let known: BTreeMap<Statement, DateTime<Utc>> = self.heard.0.iter().cloned().collect();
        let versions = [(&self.v1, true), (&self.loose, false), (&self.tight, false)];
        let versions = versions.map(|(version, placed)| (Arc::clone(version), placed));
        let all = known.keys().cloned().chain(placed.iter().cloned()).collect();
        let placed = placed.iter().cloned().collect();
        stands(&Life::placing(versions, (all, placed), &trusted(), "north".into(), known), end())
    }
}

fn ok(version: &str) -> (String, Option<Code>) {
    (version.to_owned(), None)
}

/// Older words open nothing where the site knows that there was a later chapter, and not how it began.
#[test]
fn older_words_open_nothing_at_a_site_that_has_heard_later_ones() {
    let mut joined = Joined::new();
    for statement in joined.signed.clone() {
        joined.heard.hear(statement, at("03-04T00:00"));
    }
    assert_eq!(joined.stands(&[]), ok("2t"));
    joined.hears_of_the_first_chapter();
    assert_eq!(joined.stands(&[]).1, Some(Code::Unsigned));
    // With the rollback it goes on.
    joined.heard.all_say("04-02T00:00", &back(&joined.v1, &joined.loose, "03-01T00:00"));
    assert_eq!(joined.stands(&[]), ok("2t"));
}

/// What the operator placed counts, whoever signs it again with another date, says that they wrote the version, or sends the same.
#[test]
fn what_was_placed_is_not_hidden_by_what_is_heard() {
    let anew = |joined: &Joined| within(&approve(&joined.v1), joined.chapter.clone());
    let joined = Joined::new();
    let wrote = Act::Write { agreement: joined.v1.hash().clone() };
    let said = [
        say_at("south/siro", at("02-28T00:00"), anew(&joined)),
        say_at("south/siro", at("02-28T00:00"), wrote),
        joined.signed[0].clone(),
    ];
    for statement in said {
        let mut joined = Joined::new();
        assert_eq!(joined.stands(&joined.signed), ok("2t"));
        joined.heard.hear(statement.clone(), at("04-01T00:00"));
        joined.hears_of_the_first_chapter();
        let (version, code) = joined.stands(&joined.signed);
        assert_eq!(version, "2t", "{statement:?}");
        let authored = matches!(statement.act, Act::Write { .. });
        assert!(code.is_none() || authored, "{statement:?}: {code:?}");
    }
}

/// Of two chapters that were placed the later one counts, as each of those who signed says; where they differ, none does.
#[test]
fn of_two_chapters_that_were_placed_the_later_one_counts() {
    let mut joined = Joined::new();
    let ended = back(&joined.v1, &joined.loose, "02-01T00:00").begins();
    joined.heard.all_say("02-03T00:00", &within(&approve(&joined.loose), ended.clone()));
    let active = within(&activate(&joined.loose, "02-03T00:00"), ended.clone());
    joined.heard.says("north/siro", "02-03T00:00", &active);
    let old = within(&approve(&joined.v1), ended);
    for (time, expected) in [("02-02T00:00", ok("2t")), ("03-05T00:00", ("1".into(), Some(Code::Unsigned)))] {
        let mut placed = joined.signed.clone();
        placed.extend(QUORUM[1..].iter().map(|who| say_at(who, at("02-02T00:00"), old.clone())));
        placed.push(say_at(QUORUM[0], at(time), old.clone()));
        assert_eq!(joined.stands(&placed), expected, "{time}");
    }
}

/// Two versions that an operator placed, with one between them missing, are two lines, whoever sends the missing one.
#[test]
fn a_gap_between_placed_versions_answers_nothing() {
    let v1 = one();
    let v2 = after(&v1, "2", LOOSER);
    let v3 = after(&v2, "3", TIGHTER);
    let mut heard = Heard::default();
    [&v1, &v3].into_iter().for_each(|version| heard.signed_off(version, "01-01T00:00"));
    let known: BTreeMap<_, _> = heard.0.iter().cloned().collect();
    let stands_with = |sent: &[&Arc<Agreement>], more: &[Statement]| {
        let placed = [&v1, &v3].map(|it| (Arc::clone(it), true));
        let versions = sent.iter().map(|it| (Arc::clone(it), false)).chain(placed);
        let said = known.keys().chain(more).cloned().collect();
        stands(&Life::new(versions, said, &trusted(), "north".into(), known.clone()), end()).1
    };
    let wrote = say_at("south/siro", at("02-01T00:00"), Act::Write { agreement: v3.hash().clone() });
    for (sent, more) in [(&[][..], &[][..]), (&[&v2], &[]), (&[], &[wrote])] {
        assert_eq!(stands_with(sent, more), Some(Code::Unsigned));
    }
    // Drafts that an operator keeps there one after another are of the line.
    let placed = [&v1, &v2, &v3].map(|it| (Arc::clone(it), true));
    let life = Life::new(placed, known.keys().cloned().collect(), &trusted(), "north".into(), known.clone());
    assert_eq!(stands(&life, end()), ok("1"));
}
