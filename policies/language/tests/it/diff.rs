//! That *tightens* is true: whoever was refused stays refused, whatever two versions change at once; and that every key has a
//! direction.

mod asked;
mod edits;
mod steps;
mod words;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use liquid_policy::admit::foresee;
use liquid_policy::decide::judge;
use liquid_policy::diff::{Change, Example, Question, compare};
use liquid_policy::file::{File, Supersedes};
use liquid_policy::footprint::Footprint;
use liquid_policy::id::Purpose;
use liquid_policy::key::KEYS;
use liquid_policy::table::Obligations;
use liquid_policy::template::{Template, callable};
use liquid_policy::{Agreement, Caller, Diff, Direction, Named, Refusal, admit, decide, diff};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use toml::Table;

use crate::support::signed;
use asked::{callers, days, questions};
use edits::{EDITS, Edit, agreement, base, file};
use words::{NEITHER, TIGHTER};

/// Some edits, each with the place of its value.
fn some(
    edits: Vec<&'static Edit>,
    count: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = Vec<(&'static Edit, &'static str)>> {
    let one = prop::sample::select(edits)
        .prop_flat_map(|edit| prop::sample::select(edit.values).prop_map(move |value| (edit, value)));
    prop::collection::vec(one, count)
}

fn edited(from: &Table, edits: &[(&Edit, &str)]) -> Table {
    let mut to = from.clone();
    edits.iter().for_each(|(edit, value)| edit.apply(&mut to, value));
    to
}

fn enforced() -> Vec<&'static Edit> {
    EDITS.iter().filter(|edit| edit.is_enforced()).collect()
}

/// Nothing that the engine must do is less, and nothing more is public of a column that the question reads.
fn no_weaker(before: &Obligations, after: &Obligations) {
    assert!(after.minimum.unwrap_or(1) >= before.minimum.unwrap_or(1));
    assert_eq!(after.entity, before.entity);
    for part in &before.parts {
        assert!(after.parts.contains(part), "whom a join leaves out is not counted any more");
    }
    for (was, is) in before.tables.iter().zip(&after.tables) {
        assert_eq!(was.table, is.table);
        for filter in &was.filters {
            assert!(is.filters.contains(filter), "who was out of `{}` is in again", is.table);
        }
    }
    for (name, rule) in &after.columns {
        let Some(was) = before.columns.get(name) else { continue };
        assert!(!rule.missing_public || was.missing_public, "{name}");
    }
}

/// Whoever was refused stays refused; how many answers were lost.
fn nobody_learns_more(loose: &Agreement, tight: &Agreement, questions: &[Footprint], diff: &Diff) -> usize {
    let mut lost = 0;
    for who in callers() {
        for today in days() {
            let named = who.purposes.first();
            for purpose in [None, named] {
                let named = Named { purpose, ..Named::default() };
                let before = foresee(loose, &who, named, today);
                let after = foresee(tight, &who, named, today);
                assert!(before.is_ok() || after.is_err(), "{who:?} on {today}: {diff:#?}");
                lost += usize::from(before.is_ok() && after.is_err());
            }
        }
        for purpose in ["care", "research"].map(Purpose::new) {
            let open = |agreement| callable(agreement, &who, Some(&purpose)).cloned().collect::<Vec<_>>();
            let (before, after) = (open(loose), open(tight));
            lost += before.len().saturating_sub(after.len());
            for template in after {
                let same = |it: &Template| (it.name(), it.text()) == (template.name(), template.text());
                assert!(before.iter().any(same), "{who:?} may call {template:?}: {diff:#?}");
            }
        }
    }
    assert!(tight.templates_only() || !loose.templates_only(), "any question may be asked: {diff:#?}");
    lost += usize::from(tight.templates_only() && !loose.templates_only());
    for asked in questions {
        match (judge(loose, asked), judge(tight, asked)) {
            (Err(refusal), Ok(_)) => panic!("{asked:?} was refused by {refusal}: {diff:#?}"),
            (Ok(before), Ok(after)) => no_weaker(&before, &after),
            (Ok(_), Err(_)) => lost += 1,
            (Err(_), Err(_)) => {}
        }
    }
    let signs: BTreeSet<_> = tight.controllers().collect();
    assert!(loose.controllers().all(|controller| signs.contains(controller)), "{diff:#?}");
    assert!(tight.rows_out_max() <= loose.rows_out_max());
    lost
}

/// A node lets one controller alone apply what tightens. Any edits of any keys at once.
#[test]
fn what_tightens_never_permits_more() {
    let (base, questions) = (base(), questions());
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 600, failure_persistence: None, max_shrink_iters: 300, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let (pairs, tightens, real, loosens) = (Cell::new(0), Cell::new(0), Cell::new(0), Cell::new(0));
    let more = |cell: &Cell<usize>| cell.set(cell.get() + 1);
    let strategy = (some(enforced(), 0..=6), some(enforced(), 1..=3));
    let run = runner.run(&strategy, |(first, second)| {
        let from = edited(&base, &first);
        let (Some(old), Some(new)) = (agreement(&from), agreement(&edited(&from, &second))) else {
            return Ok(());
        };
        more(&pairs);
        let found = diff(&old, &new);
        // The other way round is a pair as good as this one.
        let back = diff(&new, &old);
        for (found, loose, tight) in [(found, &old, &new), (back, &new, &old)] {
            match found.verdict() {
                Direction::Tightens => {
                    more(&tightens);
                    found.changes().iter().for_each(|change| holds(change, loose, tight));
                    if nobody_learns_more(loose, tight, &questions, &found) > 0 {
                        more(&real);
                    }
                }
                Direction::Loosens => {
                    more(&loosens);
                    found.changes().iter().for_each(|change| holds(change, loose, tight));
                }
                Direction::Same => {
                    nobody_learns_more(loose, tight, &questions, &found);
                }
                Direction::Neither => {}
            }
        }
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    let counts = [&pairs, &tightens, &real, &loosens].map(Cell::get);
    assert!(counts[0] > 250 && counts[1] > 60 && counts[2] > 40 && counts[3] > 60, "{counts:?}");
}

/// Each edit by itself, between any two of its values: the words for going there and back belong together, and a change is
/// found where the two files differ.
#[test]
fn there_and_back() {
    let mut seen = BTreeSet::new();
    for edit in EDITS {
        for one in edit.values {
            for other in edit.values {
                // The keys of a section need the section.
                let mut from = base();
                for section in EDITS.iter().filter(|s| edit.path.starts_with(&format!("{}/", s.path))) {
                    if let Some(value) = section.values.get(1).filter(|_| section.values[0].is_empty()) {
                        section.apply(&mut from, value);
                    }
                }
                edit.apply(&mut from, one);
                let mut to = from.clone();
                edit.apply(&mut to, other);
                let (Some(old), Some(new)) = (file(&from), file(&to)) else { continue };
                let (there, back) = (compare(&old, &new), compare(&new, &old));
                // A section without a key says what no section says.
                let empty = [one, other].contains(&&"{}");
                assert!(
                    there.changes().is_empty() == (old == new) || empty,
                    "{}: {one} -> {other}",
                    edit.path
                );
                for change in there.changes() {
                    assert!(!change.sentence().is_empty() && !change.sentence().ends_with('.'));
                }
                match there.verdict() {
                    Direction::Tightens | Direction::Same => {
                        assert_ne!(back.verdict(), Direction::Tightens, "{}: {one} -> {other}", edit.path);
                    }
                    Direction::Loosens | Direction::Neither => {}
                }
                if old != new {
                    seen.insert(edit.key());
                }
            }
        }
    }
    // Of these there is but one word.
    let one_word = ["schema", "signoff.rule"];
    for key in KEYS.iter().filter(|key| !one_word.contains(&key.path)) {
        let inside = |seen: &String| {
            *seen == key.path || seen.strip_prefix(key.path).is_some_and(|below| below.starts_with('.'))
        };
        assert!(seen.iter().any(inside), "no edit changes `{}`", key.path);
    }
}

fn compared(old: &File, new: &File) -> Direction {
    compare(old, new).verdict()
}

/// Tighter than tighter is tighter, over keys that nobody enforces yet too.
#[test]
fn tightening_adds_up() {
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 1_500, failure_persistence: None, max_shrink_iters: 300, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let (base, all): (_, Vec<&Edit>) = (base(), EDITS.iter().collect());
    let (chains, antisymmetric) = (Cell::new(0), Cell::new(0));
    let strategy = (some(all.clone(), 0..=25), some(all.clone(), 1..=3), some(all, 1..=3));
    let run = runner.run(&strategy, |(first, second, third)| {
        let one = edited(&base, &first);
        let two = edited(&one, &second);
        let three = edited(&two, &third);
        let (Some(one), Some(two), Some(three)) = (file(&one), file(&two), file(&three)) else {
            return Ok(());
        };
        let no_looser = |way| matches!(way, Direction::Tightens | Direction::Same);
        for [a, b, c] in [[&one, &two, &three], [&three, &two, &one], [&two, &one, &three]] {
            let (ab, bc) = (compared(a, b), compared(b, c));
            if no_looser(ab) && no_looser(bc) && a != b && b != c {
                let ac = compared(a, c);
                let expected = [ab, bc].contains(&Direction::Tightens);
                // One clause can be the end of another, and then nothing is left of it.
                prop_assert!(no_looser(ac), "{ab} {bc} {ac}: {:#?}", compare(a, c));
                prop_assert!(!expected || ac == Direction::Tightens, "{ab} {bc} {ac}");
                chains.set(chains.get() + 1);
            }
            if ab == Direction::Tightens {
                prop_assert!(!no_looser(compared(b, a)), "{:#?}", compare(b, a));
                antisymmetric.set(antisymmetric.get() + 1);
            }
        }
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    assert!(chains.get() > 120 && antisymmetric.get() > 300, "{chains:?} {antisymmetric:?}");
}

fn with(path: &'static str, value: &'static str) -> File {
    let mut written = base();
    Edit { path, values: &[] }.apply(&mut written, value);
    file(&written).unwrap_or_else(|| panic!("{path} = {value}"))
}

#[test]
fn what_a_board_would_call_tighter_tightens() {
    for (path, loose, tight) in TIGHTER {
        let (loose, tight) = (with(path, loose), with(path, tight));
        let found = compare(&loose, &tight);
        assert_eq!(found.verdict(), Direction::Tightens, "{path}: {:#?}", found.changes());
        let found = compare(&tight, &loose);
        assert_eq!(found.verdict(), Direction::Loosens, "{path}: {:#?}", found.changes());
    }
    for (path, one, other) in NEITHER {
        for (one, other) in [(one, other), (other, one)] {
            let found = compare(&with(path, one), &with(path, other));
            assert_eq!(found.verdict(), Direction::Neither, "{path}: {:#?}", found.changes());
        }
    }
}

/// Signatures and limits that go only loosen or are mixed; to bring them is not for one party to decide.
#[test]
fn what_takes_away_a_protection_is_never_tighter() {
    for (path, with_it, without, going) in [
        ("party/1", r#"{ organisation = "south", role = "joint-controller" }"#, "", Direction::Loosens),
        ("party/0/role", r#""controller""#, r#""processor""#, Direction::Loosens),
        ("party/2", r#"{ organisation = "host", role = "processor" }"#, "", Direction::Neither),
        ("table/visit/row_filter", r#""cost > 1""#, "", Direction::Loosens),
        ("table/visit/columns/vid/transform", r#""token""#, "", Direction::Loosens),
        ("history", "{}", "", Direction::Loosens),
    ] {
        let (kept, gone) = (with(path, with_it), with(path, without));
        assert_eq!(compare(&kept, &gone).verdict(), going, "{path}");
        assert_eq!(compare(&gone, &kept).verdict(), Direction::Neither, "{path}");
    }
}

/// One clause that goes another way decides the whole.
#[test]
fn the_whole_tightens_only_if_no_clause_goes_another_way() {
    let verdict = |edits: &[(&'static str, &'static str)]| {
        let mut written = base();
        edits.iter().for_each(|(path, value)| Edit { path, values: &[] }.apply(&mut written, value));
        compare(&file(&base()).expect("a file"), &file(&written).expect("a file")).verdict()
    };
    let tight = ("disclosure/minimum_contributors", "20");
    let loose = ("agreement/expires", "2026-12-31");
    let mixed = ("table/person/columns/age/domain", "{ values = [1] }");
    let words = ("agreement/title", r#""Care""#);
    assert_eq!(verdict(&[]), Direction::Same);
    assert_eq!(verdict(&[words]), Direction::Same);
    assert_eq!(verdict(&[words, tight]), Direction::Tightens);
    assert_eq!(verdict(&[tight, loose, words]), Direction::Loosens);
    assert_eq!(verdict(&[tight, mixed]), Direction::Neither);
    assert_eq!(verdict(&[loose, mixed]), Direction::Neither);
}

/// Turns every list around, but for those in which the place says something.
fn reversed(value: &mut toml::Value) {
    match value {
        toml::Value::Array(list) => {
            list.iter_mut().for_each(reversed);
            list.reverse();
        }
        toml::Value::Table(table) => {
            let kept = |(key, _): &(&str, &mut toml::Value)| !["bounds", "time_class_ms"].contains(key);
            let keys = table.iter_mut().map(|(key, value)| (key.as_str(), value));
            keys.filter(kept).for_each(|(_, value)| reversed(value));
        }
        _ => {}
    }
}

/// With each edit: comments, spacing, the order of keys and of lists, and how grants are spread over entries are no changes.
#[test]
fn order_and_comments_are_no_changes() {
    for edit in EDITS {
        for value in edit.values {
            let mut written = base();
            edit.apply(&mut written, value);
            let Some(one) = file(&written) else { continue };
            let mut around = toml::Value::Table(written.clone());
            reversed(&mut around);
            let text = format!("# Read again.\n{}", toml::to_string_pretty(&around).expect("TOML"));
            let other = file(&text.parse().expect("TOML")).expect("a file");
            assert_eq!(compare(&one, &other).changes(), [], "{}: {value}", edit.path);
            assert_eq!(compare(&one, &one).changes(), []);
        }
    }
    let spread = with(
        "recipient",
        r#"[{ organisation = "institute", roles = ["lead"], purposes = ["care"] },
            { organisation = "institute", roles = ["analyst"], purposes = ["care"] },
            { organisation = "bureau", roles = ["analyst"], purposes = ["research"] },
            { organisation = "bureau", roles = ["analyst"], purposes = ["care"] }]"#,
    );
    assert_eq!(compare(&file(&base()).expect("a file"), &spread).changes(), []);
}

/// What a version names as replaced is no rule, in whatever order; the graph of versions says what comes of it.
#[test]
fn what_is_replaced_is_for_the_record() {
    let (old, mut next) = (file(&base()).expect("a file"), file(&base()).expect("a file"));
    let several = |names: [&str; 2]| Some(Supersedes::Several(names.map(str::to_owned).to_vec()));
    next.agreement.supersedes = several(["sha256:ef", "sha256:ab"]);
    assert_eq!((compare(&old, &next).verdict(), compare(&next, &old).changes().len()), (Direction::Same, 1));
    let mut other = next.clone();
    other.agreement.supersedes = several(["sha256:ab", "sha256:ef"]);
    assert_eq!(compare(&next, &other).changes(), []);
}

/// Asks what the example asks, of agreements that everybody has signed.
fn asked(question: &Question, of: &Agreement) -> Option<Refusal> {
    let who = Caller {
        organisation: question.organisation.clone(),
        roles: vec![question.role.clone()],
        subject: "ann".into(),
        purposes: vec![question.purpose.clone()],
    };
    let named = Named { purpose: Some(&question.purpose), ..Named::default() };
    let admitted = admit(&[signed(&Arc::new(of.clone()))], &who, named, question.day);
    admitted.and_then(|admitted| decide(&admitted, &question.footprint)).err()
}

/// Every example is what a node would decide, goes the way of its clause, and is decided by it.
fn holds(change: &Change, old: &Agreement, new: &Agreement) {
    let Some(Example::Question(question)) = change.example() else { return };
    // The keys of these tests sign in one role.
    if [old, new].iter().any(|agreement| !signed(&Arc::new((*agreement).clone())).is_complete()) {
        return;
    }
    assert_eq!(asked(question, old), question.before, "{question:#?}");
    assert_eq!(asked(question, new), question.after, "{question:#?}");
    let verdicts = (question.before.is_none(), question.after.is_none());
    match change.direction() {
        Direction::Tightens => assert_eq!(verdicts, (true, false)),
        Direction::Loosens => assert_eq!(verdicts, (false, true)),
        Direction::Neither => assert_ne!(verdicts.0, verdicts.1),
        Direction::Same => panic!("{change:#?}"),
    }
}

/// The clauses that questions can show, each with the SQL that does.
#[test]
fn examples_show_what_changes() {
    for (path, value, expected) in [
        ("agreement/purposes", r#"["care", "research", "audit"]"#, ""),
        (
            "agreement/in_force",
            "2026-03-01",
            "bureau/analyst for care on 2026-02-01: SELECT count(*) FROM person",
        ),
        ("agreement/expires", "2026-12-31", ""),
        ("agreement/review", "", "bureau/analyst for care on 2026-07-15: SELECT count(*) FROM person"),
        ("recipient/1", "", "bureau/analyst for care on 2026-02-01: SELECT count(*) FROM person"),
        (
            "recipient/0/roles",
            r#"["analyst"]"#,
            "institute/lead for care on 2026-02-01: SELECT count(*) FROM person",
        ),
        (
            "table/extra",
            r#"{ entity = "uid", columns = { uid = { use = [] } } }"#,
            "bureau/analyst for care on 2026-02-01: SELECT count(*) FROM extra",
        ),
        (
            "table/person/columns/age",
            "",
            "bureau/analyst for care on 2026-02-01: SELECT count(*) FROM person WHERE age IS NOT NULL",
        ),
        (
            "table/person/columns/age/use",
            r#"["filter"]"#,
            "bureau/analyst for care on 2026-02-01: SELECT age, count(*) FROM person GROUP BY age",
        ),
        (
            "table/person/columns/income/aggregates",
            r#"["count"]"#,
            "bureau/analyst for care on 2026-02-01: SELECT avg(income) FROM person",
        ),
        (
            "table/visit/join/references",
            "",
            "bureau/analyst for care on 2026-02-01: SELECT count(*) FROM visit AS t0 JOIN person AS t1 ON t0.upi = t1.upi",
        ),
        (
            "disclosure/minimum_contributors",
            "20",
            "cells with 10 to 19 contributors behind them, or left out of them, are no longer shown",
        ),
        (
            "disclosure/minimum_contributors",
            "9",
            "cells with 9 contributors behind them, or left out of them, are shown",
        ),
        (
            "disclosure/minimum_contributors",
            "1",
            "bureau/analyst for care on 2026-02-01: SELECT max(age) FROM person",
        ),
        ("release/rows_out_max", "", ""),
        ("release", "{ rows_out_max = 5000 }", "answers with 5001 to 10000 rows are no longer given"),
    ] {
        let mut written = base();
        Edit { path, values: &[] }.apply(&mut written, value);
        let (old, new) = (agreement(&base()).expect("an agreement"), agreement(&written).expect(path));
        let found = diff(&old, &new);
        let shown = found.changes().iter().find_map(Change::example).map(|example| match example {
            Example::Cells(cells) => cells.clone(),
            Example::Question(asked) => {
                format!(
                    "{}/{} for {} on {}: {}",
                    asked.organisation, asked.role, asked.purpose, asked.day, asked.sql
                )
            }
        });
        assert_eq!(shown.unwrap_or_default(), expected, "{path} = {value}: {:#?}", found.changes());
        found.changes().iter().for_each(|change| holds(change, &old, &new));
    }
}
