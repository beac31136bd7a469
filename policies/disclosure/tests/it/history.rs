//! What many answers tell together, held against all combinations of small ones by brute force.

use std::collections::{BTreeMap, BTreeSet};

use liquid_disclosure::history::{Asked, Bounds, History, Recipe, Sum, Term, Verdict, Why};
use proptest::prelude::*;

const ROOM: Bounds = Bounds { rank: 100, classes: 1000 };

/// Of one measure or another, whose values are never the same.
fn term(person: u64, measure: u32, value: u64) -> Term {
    Term { person, value: u64::from(measure) * 1_000_000 + value }
}

/// A condition on the one column that there is.
fn recipe(number: u64) -> Recipe {
    Recipe { condition: number.to_string(), columns: ["a".to_owned()].into() }
}

fn asked(number: u64, sum: Sum) -> Asked {
    Asked { recipe: recipe(number), sum, withheld: false }
}

/// With all the room that there is.
fn judge(history: &mut History, cells: &[Asked]) -> Vec<Verdict> {
    history.judge(cells, ROOM)
}

/// What is made again of what was kept, as it is written.
fn again(k: usize, kept: &[String]) -> History {
    let mut history = History::new(k);
    for line in kept {
        history.remember(serde_json::from_str(line).expect("reads")).expect("in order");
    }
    history
}

/// A count of these people.
fn count(recipe: u64, people: impl IntoIterator<Item = u64>) -> Asked {
    asked(recipe, people.into_iter().map(|person| (term(person, 0, 0), 1)).collect())
}

/// Cells over a few people, or more of them: a count has one term for each, a sum one by the value that each has then.
fn cells() -> impl Strategy<Value = Vec<Asked>> {
    prop_oneof![cells_of(6), cells_of(24)]
}

fn cells_of(people: usize) -> impl Strategy<Value = Vec<Asked>> {
    let people = prop::collection::vec((0..2_i64, 0..2_u64), people);
    let cell = (0..2_u32, people, prop::bool::weighted(0.15));
    let cell = cell.prop_map(|(measure, people, withheld)| {
        let own = people.into_iter().zip(0_u64..).filter(|((times, _), _)| *times > 0);
        let sum = own.map(|((times, value), person)| {
            (term(person, measure, if measure == 0 { 0 } else { value }), times)
        });
        Asked { recipe: recipe(0), sum: sum.collect(), withheld }
    });
    prop::collection::vec(cell, 1..6).prop_map(|mut cells| {
        cells.iter_mut().zip(0..).for_each(|(cell, number)| cell.recipe = recipe(number));
        cells
    })
}

/// All combinations of some cells with weights up to three, by their terms: rows of zeros and ones that depend on one another do so by these, as long
/// as there are five.
fn combinations(cells: &[&Asked]) -> Vec<BTreeMap<Term, i64>> {
    let many = 7_i64.pow(u32::try_from(cells.len()).expect("few"));
    let one = |mut number: i64| {
        let mut sum: BTreeMap<Term, i64> = BTreeMap::new();
        for cell in cells {
            let weight = number % 7 - 3;
            number /= 7;
            for (term, times) in &cell.sum {
                *sum.entry(*term).or_default() += weight * times;
            }
        }
        sum.retain(|_, times| *times != 0);
        sum
    };
    (0..many).map(one).collect()
}

/// What is wrong with releasing all of these beside the withheld ones.
fn leak(released: &[&Asked], withheld: &[&Asked], k: usize) -> Option<Why> {
    let same = |one: &Asked, other: &Asked| one.sum == other.sum && !one.sum.is_empty();
    for (at, one) in released.iter().enumerate() {
        if released[..at].iter().any(|other| same(one, other)) {
            return Some(Why::Nobody);
        }
    }
    for combination in combinations(released) {
        let people: BTreeSet<u64> = combination.keys().map(|term| term.person).collect();
        if !people.is_empty() && people.len() < k {
            return Some(Why::Few);
        }
        let is_told = |target: &&&Asked| {
            let times = |by: i64| target.sum.iter().map(|(term, times)| (*term, times * by)).collect();
            !target.sum.is_empty()
                && (1..4).any(|by| combination == times(by))
                && !released.iter().any(|cell| same(cell, target))
        };
        if withheld.iter().any(|target| is_told(&target)) {
            return Some(Why::Target);
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    /// In whatever questions they are asked: what is released tells of no few, and what is withheld would have.
    #[test]
    fn what_is_released_tells_of_no_few_and_what_is_withheld_would(
        cells in cells(),
        k in 2..5_usize,
        cut in 1..6_usize,
    ) {
        let (first, second) = cells.split_at(cut.min(cells.len()));
        let (mut kept, mut verdicts) = (vec![], vec![]);
        for asked in [first, second] {
            // What it was before has been forgotten but for what was kept.
            let mut history = again(k, &kept);
            verdicts.extend(judge(&mut history, asked));
            let lines = history.take_unsaved();
            kept.extend(lines.iter().map(|line| serde_json::to_string(line).expect("is spelled")));
            prop_assert_eq!(again(k, &kept).rank(), history.rank());
        }
        let (mut released, mut withheld): (Vec<&Asked>, Vec<&Asked>) = (vec![], vec![]);
        for (at, (cell, verdict)) in cells.iter().zip(&verdicts).enumerate() {
            // All cells of an answer that are withheld are known before any of them is released.
            let answer = if at < first.len() { first } else { &cells[..] };
            withheld = answer.iter().filter(|cell| cell.withheld).collect();
            if cell.withheld {
                prop_assert_eq!(*verdict, Verdict::Withheld(Why::Own));
                continue;
            }
            let with: Vec<&Asked> = released.iter().copied().chain([cell]).collect();
            match (verdict, leak(&with, &withheld, k)) {
                (Verdict::Released, None) => released = with,
                // What was told before it was to be withheld is told already.
                (Verdict::Released, Some(Why::Target)) if leak(&released, &withheld, k).is_some() => released = with,
                (Verdict::Withheld(_), Some(_)) => {}
                (verdict, leak) => prop_assert!(false, "{:?}, and {:?}: {:?}", verdict, leak, cell),
            }
        }
        prop_assert!(withheld.len() <= cells.len());
    }
}

/// `opened <= 'June'`, then `<= 'July'`, with one new row of a known person; and the same question a month later.
#[test]
fn one_new_row_is_not_told() {
    let mut history = History::new(10);
    assert_eq!(judge(&mut history, &[count(1, 0..40)]), [Verdict::Released]);
    assert_eq!(judge(&mut history, &[count(2, 0..41)]), [Verdict::Withheld(Why::Few)]);
    assert_eq!(judge(&mut history, &[count(2, 0..50)]), [Verdict::Released], "ten more");
    // The same question again: as it was, with few changes, with many.
    assert_eq!(judge(&mut history, &[count(1, 0..40)]), [Verdict::Released]);
    assert_eq!(judge(&mut history, &[count(1, 0..43)]), [Verdict::Withheld(Why::Few)]);
    assert_eq!(judge(&mut history, &[count(1, 100..140)]), [Verdict::Released]);
}

/// A three-query tracker over A, B, and A or B, in three questions.
#[test]
fn three_questions_isolate_nobody() {
    let mut history = History::new(10);
    assert_eq!(judge(&mut history, &[count(1, 0..33)]), [Verdict::Released]);
    assert_eq!(judge(&mut history, &[count(2, 30..60)]), [Verdict::Released]);
    assert_eq!(judge(&mut history, &[count(3, 0..60)]), [Verdict::Withheld(Why::Few)], "three are in both");
}

/// A column changes for everybody and a count does not: the count is held against the count.
#[test]
fn what_did_not_change_is_the_same_whatever_else_did() {
    let mut history = History::new(10);
    let sum = |recipe, people: std::ops::Range<u64>, month: u64| {
        asked(recipe, people.map(|person| (term(person, 1, month * 1000 + person), 1)).collect())
    };
    assert_eq!(judge(&mut history, &[count(1, 0..40), sum(2, 0..40, 1)]), [Verdict::Released; 2]);
    let second = judge(&mut history, &[count(1, 0..41), sum(2, 0..41, 2)]);
    assert_eq!(second, [Verdict::Withheld(Why::Few), Verdict::Released], "nobody's value is as it was");
    // Where it stays for all but three of them, the sum goes, too.
    let mut third = sum(2, 0..41, 2);
    let changed: Sum = (0..3).map(|person| (term(person, 1, 9000 + person), 1)).collect();
    third.sum.retain(|term, _| term.person >= 3);
    third.sum.extend(changed);
    assert_eq!(judge(&mut history, &[third]), [Verdict::Withheld(Why::Few)]);
}

/// Whoever moves leaves one cell for another: both are held against what they were.
#[test]
fn who_moves_is_not_told() {
    let mut history = History::new(10);
    assert_eq!(judge(&mut history, &[count(1, 0..40), count(2, 40..80)]), [Verdict::Released; 2]);
    let moved = [count(1, (0..39).collect::<Vec<_>>()), count(2, 39..80)];
    assert_eq!(judge(&mut history, &moved), [Verdict::Withheld(Why::Few); 2]);
    assert_eq!(
        judge(&mut history, &[count(3, 0..80)]),
        [Verdict::Released],
        "all of them are as many as they were"
    );
}

/// A cell of few that is withheld does not come back from a total and the rest.
#[test]
fn a_withheld_cell_does_not_come_back() {
    let mut history = History::new(10);
    let few = Asked { withheld: true, ..count(1, 0..4) };
    assert_eq!(
        judge(&mut history, &[few, count(2, 4..60)]),
        [Verdict::Withheld(Why::Own), Verdict::Released]
    );
    assert_eq!(judge(&mut history, &[count(3, 0..60)]), [Verdict::Withheld(Why::Few)]);
    // One of many people that one of them dominates.
    let mut history = History::new(10);
    let dominated = Asked { withheld: true, ..count(1, 0..30) };
    assert_eq!(
        judge(&mut history, &[dominated, count(2, 30..60)]),
        [Verdict::Withheld(Why::Own), Verdict::Released]
    );
    assert_eq!(judge(&mut history, &[count(3, 0..60)]), [Verdict::Withheld(Why::Target)]);
}

#[test]
fn a_full_history_lets_through_what_adds_nothing() {
    let mut history = History::new(10);
    let little = Bounds { rank: 2, classes: 100 };
    assert_eq!(history.judge(&[count(1, 0..40), count(2, 40..80)], little), [Verdict::Released; 2]);
    assert_eq!(history.judge(&[count(3, 80..120)], little), [Verdict::Withheld(Why::Full)]);
    assert_eq!(history.judge(&[count(4, 0..80), count(1, 0..40)], little), [Verdict::Released; 2]);
    assert_eq!((history.rank(), history.classes()), (2, 2));
}

/// Cells of the same people tell of nobody where neither condition can imply the other.
#[test]
fn conditions_on_other_columns_may_let_in_the_same_people() {
    let on = |columns: &[&str]| Recipe {
        condition: columns.concat(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
    };
    let mut history = History::new(10);
    let mut ask = |columns: &[&str], people: std::ops::Range<u64>| {
        let cell = Asked { recipe: on(columns), ..count(0, people) };
        judge(&mut history, &[cell])[0]
    };
    assert_eq!(ask(&["ward"], 0..40), Verdict::Released);
    assert_eq!(ask(&["school"], 0..40), Verdict::Released, "a ward's children go to one school");
    assert_eq!(ask(&["school", "ward"], 0..40), Verdict::Withheld(Why::Nobody));
    assert_eq!(
        ask(&["school", "year"], 0..40),
        Verdict::Withheld(Why::Nobody),
        "all of them are in this year"
    );
    assert_eq!(ask(&[], 0..40), Verdict::Withheld(Why::Nobody), "it is not known what it says");
    assert_eq!(ask(&["school"], 0..40), Verdict::Released, "as before");
}

/// A cell of ten people of whom each two would do for the same basis only, until another basis takes somebody else.
#[test]
fn a_basis_gives_up_whom_a_tight_cell_needs() {
    let mut history = History::new(10);
    assert_eq!(judge(&mut history, &[count(1, 0..100), count(2, 200..300)]), [Verdict::Released; 2]);
    let new =
        |people: Vec<u64>| asked(3, people.into_iter().map(|person| (term(person, 1, person), 1)).collect());
    let tight: Vec<u64> = (0..5).chain(200..205).collect();
    let mut nine = tight.clone();
    nine.pop();
    assert_eq!(judge(&mut history, &[new(nine)]), [Verdict::Withheld(Why::Few)]);
    assert_eq!(judge(&mut history, &[new(tight)]), [Verdict::Released]);
    assert_eq!(
        judge(&mut history, &[count(4, 0..99)]),
        [Verdict::Withheld(Why::Few)],
        "they are bases still"
    );
    assert_eq!(judge(&mut history, &[count(4, 0..90)]), [Verdict::Released]);
}

/// Margins of a table by three columns, over and over: the rank is bounded by what they have in common, and nothing is withheld.
#[test]
fn margins_of_a_table_go_together() {
    let mut history = History::new(10);
    let people = |keep: &dyn Fn(u64, u64, u64) -> bool| {
        (0..2400_u64).filter(|person| keep(person % 6, person / 6 % 4, person / 24 % 5)).collect::<Vec<_>>()
    };
    let mut recipe = 0;
    let mut ask = |keep: &dyn Fn(u64, u64, u64) -> bool| {
        recipe += 1;
        assert_eq!(judge(&mut history, &[count(recipe, people(keep))]), [Verdict::Released]);
    };
    ask(&|_, _, _| true);
    (0..6).for_each(|one| ask(&|a, _, _| a == one));
    for (one, other) in (0..6).flat_map(|one| (0..4).map(move |other| (one, other))) {
        ask(&|a, b, _| (a, b) == (one, other));
    }
    for (one, other) in (0..4).flat_map(|one| (0..5).map(move |other| (one, other))) {
        ask(&|_, b, c| (b, c) == (one, other));
    }
    assert_eq!((history.rank(), history.classes()), (24 + 20 - 4, 120));
}
