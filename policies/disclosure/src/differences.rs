//! What the cells of one group tell together: none of them may be taken from the others so that few people are left.
//!
//! Cells that add up the same numbers over different rows are a family: two sums of costs under two conditions, or two counts. All that
//! can be worked out from them exactly are their combinations with any weights, and what such a combination tells, it tells of
//! the people with a row in it whose weight is not 0. *Atoms* are the rows that lie in the same populations of a family.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::span::{Span, vanishing};

/// How many populations of a family are told apart; what lies beyond is withheld.
pub const POPULATIONS: usize = 64;

/// Sets of columns that are tried before it is taken for granted that a combination tells of few.
const TRIED: usize = 4096;

/// Cells that add up the same numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// Each of its cells: the aggregate, and the number of the population that it adds up over. An aggregate of several branches
    /// has several.
    pub cells: Vec<(usize, usize)>,
}

/// Rows that lie in the same populations: a bit for each population, and the people whose rows they are, or any `k` of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Atom {
    /// Bit `p` stands where the rows lie in population `p`.
    pub populations: u64,
    /// People, by any numbers.
    pub people: BTreeSet<u64>,
}

/// A group's value in a family's column: pairs of a set of populations and a person's number.
pub fn written(pairs: impl Iterator<Item = (u64, u64)>) -> String {
    let pairs: Vec<String> = pairs.map(|(populations, person)| format!("{populations} {person}")).collect();
    pairs.join(" ")
}

/// The atoms that such a value names; none where it is no such value.
pub fn read(text: &str) -> Option<Vec<Atom>> {
    let numbers: Vec<u64> =
        text.split_ascii_whitespace().map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let mut people: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for pair in numbers.chunks(2) {
        let [populations, person] = pair else { return None };
        people.entry(*populations).or_default().insert(*person);
    }
    Some(people.into_iter().map(|(populations, people)| Atom { populations, people }).collect())
}

/// Which aggregates' cells of one group must be withheld beside those that are anyway (`withheld`, by aggregate), so that nothing that
/// can be worked out from the released ones tells of 1 to `k - 1` people, or what a withheld one is.
///
/// They are judged in their order: the first ones stay. One withheld cell that holds the same rows as a released one, as where its condition
/// leaves nobody out, is not told by it, since nobody knows that it does. Two populations that hold the same rows, by other conditions, tell that nobody
/// is between them, so the second is withheld too.
pub(crate) fn told_together(family: &Family, atoms: &[Atom], withheld: &[bool], k: usize) -> BTreeSet<usize> {
    // From the atom of most people to the one of fewest, so that what vanishes on the great ones is seen at once.
    let mut atoms: Vec<&Atom> = atoms.iter().collect();
    atoms.sort_by_key(|atom| std::cmp::Reverse(atom.people.len()));
    let great = atoms.iter().take_while(|atom| atom.people.len() >= k).count();
    let row = |population: usize| -> Vec<u64> {
        let bit =
            |populations: u64| u32::try_from(population).ok().and_then(|at| populations.checked_shr(at));
        atoms.iter().map(|atom| bit(atom.populations).unwrap_or(0) & 1).collect()
    };
    let hidden = |aggregate: usize| withheld.get(aggregate).copied().unwrap_or(true);
    let targets = family.cells.iter().filter(|(aggregate, _)| hidden(*aggregate));
    let targets: Vec<Vec<u64>> = targets
        .map(|(_, population)| row(*population))
        .filter(|row| row.iter().any(|number| *number != 0))
        .collect();
    let mut released: Vec<(usize, Vec<u64>)> = Vec::new();
    let mut span = Span::default();
    let mut told = BTreeSet::new();
    let aggregates: BTreeSet<usize> = family.cells.iter().map(|(aggregate, _)| *aggregate).collect();
    for aggregate in aggregates.into_iter().filter(|aggregate| !hidden(*aggregate)) {
        let own = family.cells.iter().filter(|(of, _)| *of == aggregate).map(|(_, population)| *population);
        let mut trial = (released.clone(), span.clone());
        let mut passes = true;
        for population in own {
            if trial.0.iter().any(|(known, _)| *known == population) {
                continue;
            }
            let row = row(population);
            passes &= population < POPULATIONS && trial.0.iter().all(|(_, known)| *known != row);
            if trial.1.add(&row) {
                // What holds the same rows as a withheld one does not tell that it does: a condition that nobody fails here.
                let is_own = |target: &Vec<u64>| *target == row || trial.0.iter().any(|(_, it)| it == target);
                passes &= !targets.iter().any(|target| !is_own(target) && trial.1.has(target));
                passes &= tells_of_enough(&trial.1, &atoms, great, k);
            }
            trial.0.push((population, row));
        }
        if passes {
            (released, span) = trial;
        } else {
            told.insert(aggregate);
        }
    }
    told
}

/// Whether every combination that is not 0 everywhere has a weight for rows of at least `k` people; the first `great` atoms have so many
/// each.
///
/// A combination that has a weight on a great atom does. The others lie in what vanishes on all great atoms; of these, those with the
/// fewest atoms vanish on as many atoms as they can, and each other one touches all the people of one of them.
fn tells_of_enough(span: &Span, atoms: &[&Atom], great: usize, k: usize) -> bool {
    let few = span.from(great);
    let Some(free) = few.len().checked_sub(1) else { return true };
    let columns: Vec<usize> = (great..atoms.len()).collect();
    if choices(columns.len(), free) > TRIED {
        return false;
    }
    let touched = |combination: &[u64]| {
        let weighed = atoms.iter().zip(combination).filter(|(_, weight)| **weight != 0);
        weighed.flat_map(|(atom, _)| &atom.people).collect::<BTreeSet<_>>().len()
    };
    let mut chosen: Vec<usize> = (0..free).collect();
    loop {
        let zeros: Vec<usize> = chosen.iter().filter_map(|at| columns.get(*at).copied()).collect();
        if vanishing(&few, &zeros).is_some_and(|combination| touched(&combination) < k) {
            return false;
        }
        if !advance(&mut chosen, columns.len()) {
            return true;
        }
    }
}

/// How many ways there are to choose so many of so many, or more than are tried.
fn choices(of: usize, chosen: usize) -> usize {
    let mut ways = 1_usize;
    for at in 0..chosen.min(of.saturating_sub(chosen)) {
        ways = ways * (of - at) / (at + 1);
        if ways > TRIED {
            break;
        }
    }
    ways
}

/// The next choice in order; whether there is one.
fn advance(chosen: &mut [usize], of: usize) -> bool {
    let many = chosen.len();
    for at in (0..many).rev() {
        if chosen.get(at).is_some_and(|value| value + (many - at) < of) {
            let first = chosen.get(at).copied().unwrap_or(0) + 1;
            for (step, value) in chosen.iter_mut().skip(at).enumerate() {
                *value = first + step;
            }
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CELLS: usize = 4;

    /// Atoms of four populations over seven people, some cells withheld, and k.
    fn group() -> impl Strategy<Value = (Vec<Atom>, Vec<bool>, usize)> {
        let people = proptest::collection::btree_set(0..7_u64, 1..6);
        let atoms = proptest::collection::btree_map(1..16_u64, people, 1..7);
        let atoms = atoms.prop_map(|atoms| {
            atoms.into_iter().map(|(populations, people)| Atom { populations, people }).collect()
        });
        (atoms, proptest::collection::vec(proptest::bool::weighted(0.15), CELLS), 2..5_usize)
    }

    fn weight(atom: &Atom, weights: &[i64]) -> i64 {
        weights.iter().enumerate().map(|(cell, weight)| weight * (atom.populations >> cell & 1) as i64).sum()
    }

    /// By trying weights: four rows of zeros and ones depend on one another by no greater ones.
    fn leaks(atoms: &[Atom], cells: &[usize], withheld: &[bool], k: usize) -> bool {
        let at = |cell: usize| atoms.iter().map(move |atom| atom.populations >> cell & 1).collect::<Vec<_>>();
        let twice = cells.iter().enumerate();
        if twice.clone().any(|(index, one)| cells.iter().skip(index + 1).any(|other| at(*one) == at(*other)))
        {
            return true;
        }
        let own = |target: usize| cells.iter().any(|cell| at(*cell) == at(target));
        let is_target = |cell: &usize| withheld[*cell] && at(*cell).contains(&1) && !own(*cell);
        let targets: Vec<usize> = (0..CELLS).filter(is_target).collect();
        (0..7_i64.pow(cells.len() as u32)).any(|mut number| {
            let mut weights = [0; CELLS];
            for cell in cells {
                weights[*cell] = number % 7 - 3;
                number /= 7;
            }
            let people: BTreeSet<u64> = atoms
                .iter()
                .filter(|atom| weight(atom, &weights) != 0)
                .flat_map(|atom| atom.people.iter().copied())
                .collect();
            let few = !people.is_empty() && people.len() < k;
            let told = |target: usize| {
                (1..4).any(|times| {
                    atoms
                        .iter()
                        .all(|atom| weight(atom, &weights) == times * (atom.populations >> target & 1) as i64)
                })
            };
            few || targets.iter().any(|target| told(*target))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn what_stays_tells_of_no_few_and_what_goes_would((atoms, withheld, k) in group()) {
            let family = Family { cells: (0..CELLS).map(|cell| (cell, cell)).collect() };
            let told = told_together(&family, &atoms, &withheld, k);
            let stays: Vec<usize> = (0..CELLS).filter(|cell| !withheld[*cell] && !told.contains(cell)).collect();
            prop_assert!(!leaks(&atoms, &stays, &withheld, k), "{:?} tell of few", stays);
            for cell in told {
                prop_assert!(!withheld[cell]);
                let with: Vec<usize> =
                    stays.iter().copied().filter(|other| *other < cell).chain([cell]).collect();
                prop_assert!(leaks(&atoms, &with, &withheld, k), "{} need not go beside {:?}", cell, with);
            }
        }
    }

    fn atom(populations: u64, people: std::ops::Range<u64>) -> Atom {
        Atom { populations, people: people.collect() }
    }

    #[test]
    fn a_crowd_beside_all_but_few_of_it_goes_and_several_together_are_found() {
        let two = Family { cells: vec![(0, 0), (1, 1)] };
        // Everybody, and everybody but three.
        let atoms = [atom(0b11, 0..40), atom(0b01, 40..43)];
        assert_eq!(told_together(&two, &atoms, &[false, false], 10), BTreeSet::from([1]));
        assert_eq!(told_together(&two, &atoms, &[false, false], 3), BTreeSet::new());
        // A, B, and A or B: together they tell of the three in both.
        let three = Family { cells: vec![(0, 0), (1, 1), (2, 2)] };
        let atoms = [atom(0b101, 0..30), atom(0b110, 30..60), atom(0b111, 60..63)];
        assert_eq!(told_together(&three, &atoms, &[false; 3], 10), BTreeSet::from([2]));
        // One that is withheld, of many people, is everybody's without the other.
        let atoms = [atom(0b011, 0..30), atom(0b101, 30..60)];
        assert_eq!(told_together(&three, &atoms, &[false, false, true], 10), BTreeSet::from([1]));
    }

    #[test]
    fn atoms_are_read_as_they_are_written() {
        let text = written([(3, 0), (3, 1), (1, 0)].into_iter());
        assert_eq!(read(&text), Some(vec![atom(1, 0..1), atom(3, 0..2)]));
        assert_eq!(read(""), Some(vec![]));
        assert_eq!([read("1"), read("1 x"), read("1 -1")], [None, None, None]);
    }

    #[test]
    fn two_conditions_with_the_same_rows_tell_that_nobody_is_between_them() {
        let atoms = [atom(0b11, 0..40)];
        let two = Family { cells: vec![(0, 0), (1, 1)] };
        assert_eq!(told_together(&two, &atoms, &[false, false], 10), BTreeSet::from([1]));
        let same = Family { cells: vec![(0, 0), (1, 0)] };
        assert_eq!(told_together(&same, &atoms, &[false, false], 10), BTreeSet::new());
    }

    #[test]
    fn what_cannot_be_tried_through_or_told_apart_is_withheld() {
        let far = Family { cells: vec![(0, 0), (1, POPULATIONS)] };
        assert_eq!(told_together(&far, &[atom(1, 0..40)], &[false, false], 10), BTreeSet::from([1]));
        // Forty pairs of cells of nine and nine people: many combinations, none of a great atom.
        let cells = (0..30).map(|cell| (cell, cell)).collect();
        let atoms: Vec<Atom> =
            (0..30_u64).map(|at| atom(3 << at & ((1 << 30) - 1), at * 9..at * 9 + 9)).collect();
        let told = told_together(&Family { cells }, &atoms, &[false; 30], 10);
        assert!(told.len() > 10, "{told:?}");
        assert_eq!([choices(5, 2), choices(9, 0), choices(6, 5)], [10, 1, 6]);
        assert!(choices(100, 50) > TRIED);
    }
}
