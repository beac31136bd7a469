//! What the cells of one group tell together: none of them may be taken from the others so that few people are left.
//!
//! A cell is a sum of *summands*: a measure, which is a product of columns or 1, added up over a population of rows. All that can be worked out
//! exactly from several cells are their combinations with any weights, and what a combination tells, it tells of the people with a row at which
//! some measure has a weight that is not 0. *Atoms* are the rows that lie in the same populations.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::few;
use crate::span::{Span, number, plus};

/// How many populations of a family are told apart; what lies beyond is withheld.
pub const POPULATIONS: usize = 64;

/// Cells that can be taken from one another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// Each of its cells; an aggregate can have several, as an average has a sum and a count.
    pub cells: Vec<Cell>,
}

/// What a cell adds up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The number of its aggregate.
    pub aggregate: usize,
    /// Its parts.
    pub summands: Vec<Summand>,
}

/// A measure over a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Summand {
    /// The number of the population among those of the family.
    pub population: usize,
    /// The number of the measure among those of the family.
    pub measure: usize,
    /// It is taken away.
    pub negative: bool,
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

/// How much work it is to judge a group, about: numbers to look at.
pub(crate) fn work(family: &Family, atoms: &[Atom]) -> u64 {
    let summands = family.cells.iter().flat_map(|cell| &cell.summands);
    let measures = summands.map(|summand| summand.measure + 1).max().unwrap_or(0);
    let size = |many: usize| u64::try_from(many).unwrap_or(u64::MAX);
    let cells = size(family.cells.len());
    size(atoms.len()).saturating_mul(size(measures)).saturating_mul(cells).saturating_mul(cells)
}

/// Which aggregates' cells of one group must be withheld beside those that are anyway (`withheld`, by aggregate), so that nothing that
/// can be worked out from the released ones tells of 1 to `k - 1` people, or what a withheld one is.
///
/// They are judged in their order: the first ones stay. One withheld cell that holds the same rows as a released one, as where its condition
/// leaves nobody out, is not told by it, since nobody knows that it does. Two released ones that hold the same rows, by other conditions, tell
/// that nobody is between them, so the second is withheld too.
pub(crate) fn told_together(family: &Family, atoms: &[Atom], withheld: &[bool], k: usize) -> BTreeSet<usize> {
    let hidden = |aggregate: usize| withheld.get(aggregate).copied().unwrap_or(true);
    let is_beyond = |cell: &Cell| cell.summands.iter().any(|summand| summand.population >= POPULATIONS);
    if family.cells.iter().any(|cell| hidden(cell.aggregate) && is_beyond(cell)) {
        // Nobody can say what would tell it.
        return family
            .cells
            .iter()
            .map(|cell| cell.aggregate)
            .filter(|aggregate| !hidden(*aggregate))
            .collect();
    }
    let places = Places::new(family, atoms, k);
    let targets = family.cells.iter().filter(|cell| hidden(cell.aggregate)).map(|cell| places.row(cell));
    let targets: Vec<Vec<u64>> = targets.filter(|row| row.iter().any(|number| *number != 0)).collect();
    let mut released: Vec<(&Cell, Vec<u64>)> = Vec::new();
    let mut span = Span::default();
    let mut told = BTreeSet::new();
    let aggregates: BTreeSet<usize> = family.cells.iter().map(|cell| cell.aggregate).collect();
    for aggregate in aggregates.into_iter().filter(|aggregate| !hidden(*aggregate)) {
        let mut trial = (released.clone(), span.clone());
        let mut passes = true;
        for cell in family.cells.iter().filter(|cell| cell.aggregate == aggregate) {
            if !passes || trial.0.iter().any(|(known, _)| known.summands == cell.summands) {
                continue;
            }
            let row = places.row(cell);
            passes &= !is_beyond(cell) && trial.0.iter().all(|(_, known)| *known != row);
            if passes && trial.1.add(&row) {
                let is_own = |target: &Vec<u64>| *target == row || trial.0.iter().any(|(_, it)| it == target);
                passes &= !targets.iter().any(|target| !is_own(target) && trial.1.has(target));
                passes &= passes && places.tell_of_enough(&trial.1);
            }
            trial.0.push((cell, row));
        }
        if passes {
            (released, span) = trial;
        } else {
            told.insert(aggregate);
        }
    }
    told
}

/// The columns in which cells are rows of numbers: for each atom, that of most people first, one for each measure.
struct Places<'a> {
    atoms: Vec<&'a Atom>,
    measures: usize,
    /// The columns of atoms that have `k` people each come first; so many.
    great: usize,
    k: usize,
}

impl<'a> Places<'a> {
    fn new(family: &Family, atoms: &'a [Atom], k: usize) -> Self {
        let summands = family.cells.iter().flat_map(|cell| &cell.summands);
        let measures = summands.map(|summand| summand.measure + 1).max().unwrap_or(0);
        let mut atoms: Vec<&Atom> = atoms.iter().collect();
        atoms.sort_by_key(|atom| std::cmp::Reverse(atom.people.len()));
        let great = atoms.iter().take_while(|atom| atom.people.len() >= k).count() * measures;
        Self { atoms, measures, great, k }
    }

    fn row(&self, cell: &Cell) -> Vec<u64> {
        let mut row = vec![0_u64; self.atoms.len() * self.measures];
        for (atom, numbers) in self.atoms.iter().zip(row.chunks_mut(self.measures.max(1))) {
            for summand in &cell.summands {
                let bit =
                    u32::try_from(summand.population).ok().and_then(|at| atom.populations.checked_shr(at));
                if let (1, Some(sum)) = (bit.unwrap_or(0) & 1, numbers.get_mut(summand.measure)) {
                    *sum = plus(*sum, number(if summand.negative { -1 } else { 1 }));
                }
            }
        }
        row
    }

    /// Whether every combination that is not 0 everywhere has a weight for rows of at least `k` people. One that has a weight at a great atom
    /// does. The others are a smaller span.
    fn tell_of_enough(&self, span: &Span) -> bool {
        let few = span.from(self.great).into_iter();
        let few = few.map(|row| row.get(self.great..).unwrap_or_default().to_vec()).collect();
        let people = self.atoms.iter().flat_map(|atom| std::iter::repeat_n(&atom.people, self.measures));
        few::tell_of_enough(few, &people.skip(self.great).collect::<Vec<_>>(), self.k)
    }
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
            let family = of((0..CELLS).map(|cell| (cell, cell)));
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

    /// Each aggregate counts the rows of a population.
    fn of(cells: impl IntoIterator<Item = (usize, usize)>) -> Family {
        let cell = |(aggregate, population)| Cell {
            aggregate,
            summands: vec![Summand { population, measure: 0, negative: false }],
        };
        Family { cells: cells.into_iter().map(cell).collect() }
    }

    fn atom(populations: u64, people: std::ops::Range<u64>) -> Atom {
        Atom { populations, people: people.collect() }
    }

    #[test]
    fn a_crowd_beside_all_but_few_of_it_goes_and_several_together_are_found() {
        let two = of([(0, 0), (1, 1)]);
        // Everybody, and everybody but three.
        let atoms = [atom(0b11, 0..40), atom(0b01, 40..43)];
        assert_eq!(told_together(&two, &atoms, &[false, false], 10), BTreeSet::from([1]));
        assert_eq!(told_together(&two, &atoms, &[false, false], 3), BTreeSet::new());
        // A, B, and A or B: together they tell of the three in both.
        let three = of([(0, 0), (1, 1), (2, 2)]);
        let atoms = [atom(0b101, 0..30), atom(0b110, 30..60), atom(0b111, 60..63)];
        assert_eq!(told_together(&three, &atoms, &[false; 3], 10), BTreeSet::from([2]));
        // One that is withheld, of many people, is everybody's without the other.
        let atoms = [atom(0b011, 0..30), atom(0b101, 30..60)];
        assert_eq!(told_together(&three, &atoms, &[false, false, true], 10), BTreeSet::from([1]));
    }

    #[test]
    fn many_filters_that_cut_across_one_another_tell_of_nobody() {
        // Each of a thousand people has flags of their own.
        let atoms: Vec<Atom> = (1..1024_u64).map(|flags| atom(flags, flags..flags + 1)).collect();
        let cells = of((0..10).map(|cell| (cell, cell)));
        assert_eq!(told_together(&cells, &atoms, &[false; 10], 10), BTreeSet::new());
    }

    #[test]
    fn cells_of_several_measures_are_taken_apart() {
        let cell = |aggregate, summands: &[(usize, usize, bool)]| {
            let summand = |(population, measure, negative): &(usize, usize, bool)| Summand {
                population: *population,
                measure: *measure,
                negative: *negative,
            };
            Cell { aggregate, summands: summands.iter().map(summand).collect() }
        };
        // cost · (1 − flag) over everybody, cost over everybody, and cost · flag over all but two of them.
        let cells = vec![
            cell(0, &[(0, 0, false), (0, 1, true)]),
            cell(1, &[(0, 0, false)]),
            cell(2, &[(1, 1, false)]),
        ];
        let atoms = [atom(0b11, 0..40), atom(0b01, 40..42)];
        let told = |cells: &[Cell], withheld: &[bool]| {
            told_together(&Family { cells: cells.to_vec() }, &atoms, withheld, 10)
        };
        assert_eq!(told(&cells, &[false; 3]), BTreeSet::from([2]));
        assert_eq!(told(&cells[..2], &[false; 2]), BTreeSet::new());
        // A withheld sum over two measures is told by its two parts.
        let whole =
            [cell(0, &[(1, 0, false)]), cell(1, &[(1, 1, false)]), cell(2, &[(1, 0, false), (1, 1, false)])];
        assert_eq!(told(&whole, &[false, false, true]), BTreeSet::from([1]));
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
        let two = of([(0, 0), (1, 1)]);
        assert_eq!(told_together(&two, &atoms, &[false, false], 10), BTreeSet::from([1]));
        let same = of([(0, 0), (1, 0)]);
        assert_eq!(told_together(&same, &atoms, &[false, false], 10), BTreeSet::new());
    }

    #[test]
    fn what_cannot_be_tried_through_or_told_apart_is_withheld() {
        let far = of([(0, 0), (1, POPULATIONS)]);
        assert_eq!(told_together(&far, &[atom(1, 0..40)], &[false, false], 10), BTreeSet::from([1]));
        assert_eq!(told_together(&far, &[atom(1, 0..40)], &[false, true], 10), BTreeSet::from([0]));
        // Cells of two atoms of six people each, of which each next cell shares one: all combinations tell of twelve or more.
        let chain = |many: usize| {
            let atoms: Vec<Atom> = (0..=many as u64)
                .map(|at| {
                    atom((if at == 0 { 1 } else { 3 << (at - 1) }) & ((1 << many) - 1), at * 6..at * 6 + 6)
                })
                .collect();
            told_together(&of((0..many).map(|cell| (cell, cell))), &atoms, &vec![false; many], 10)
        };
        assert_eq!(chain(30), BTreeSet::new());
        assert!(!chain(60).is_empty(), "too many to be tried");
    }
}
