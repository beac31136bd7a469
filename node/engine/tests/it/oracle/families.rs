//! Which cells of a cut add up the same over different rows, and who is in which of these: worked out row by row.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use liquid_disclosure::differences::{Family, read};

use crate::oracle::language::{Arg, Col, Row, Term, Val};
use crate::oracle::meaning::{Meaning, Seen};

/// What is told of a group: by a set of populations, how many people, and how many there are in all.
pub(crate) type Told = (BTreeMap<u64, usize>, usize);

/// What a cell adds up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Measure {
    Rows,
    People,
    Product(Vec<Col>),
}

/// A family's column, a group each.
pub(crate) fn told(batch: &RecordBatch, name: &str) -> Vec<Told> {
    let texts = batch.column_by_name(name).unwrap().as_string::<i32>();
    let of_group = |at: usize| {
        let atoms = read(texts.value(at)).unwrap();
        let all = atoms.iter().flat_map(|atom| &atom.people).collect::<BTreeSet<_>>().len();
        (atoms.iter().map(|atom| (atom.populations, atom.people.len())).collect(), all)
    };
    (0..batch.num_rows()).map(of_group).collect()
}

/// What is wrong with the families of a layout and what is told of them, if anything. `groups` has each group's place in the
/// result, and its rows.
pub(crate) fn wrong_families(
    seen: &Seen<'_>,
    meanings: &[Meaning<'_>],
    groups: &[(usize, Vec<&Row>)],
    (families, told): (&[Family], &[Vec<Told>]),
    k: u32,
) -> Option<String> {
    let mut measures: BTreeMap<Measure, Vec<usize>> = BTreeMap::new();
    for (at, meaning) in meanings.iter().enumerate() {
        for measure in of(meaning) {
            measures.entry(measure).or_default().push(at);
        }
    }
    let mut left: Vec<(usize, &Family)> = families.iter().enumerate().collect();
    for (measure, aggregates) in &measures {
        let members = |at: usize, rows: &[&Row]| -> Vec<bool> {
            rows.iter().map(|row| meanings[at].adds_up(seen, measure, row)).collect()
        };
        let right = |(at, family): &(usize, &Family)| {
            let cells: BTreeSet<usize> = family.cells.iter().map(|(aggregate, _)| *aggregate).collect();
            cells == aggregates.iter().copied().collect()
                && family.cells.len() == cells.len()
                && groups.iter().all(|(place, rows)| {
                    let mut bits: Vec<u64> = vec![0; rows.len()];
                    for (aggregate, population) in &family.cells {
                        for (bits, inside) in bits.iter_mut().zip(members(*aggregate, rows)) {
                            *bits |= u64::from(inside) << population;
                        }
                    }
                    // Two with one population have the same rows, or they would be told apart here.
                    let one = |(aggregate, population): &(usize, usize)| {
                        let inside = members(*aggregate, rows);
                        bits.iter().zip(inside).all(|(bits, inside)| (bits >> population & 1 == 1) == inside)
                    };
                    family.cells.iter().all(one)
                        && agrees(&told[*at][*place], &expected(rows, &bits, *measure == Measure::People, k))
                })
        };
        if let Some(at) = left.iter().position(right) {
            left.remove(at);
        } else if groups.iter().any(|(_, rows)| {
            aggregates.windows(2).any(|pair| members(pair[0], rows) != members(pair[1], rows))
        }) {
            return Some(format!("no right family for {measure:?} of {aggregates:?}: {families:?} {told:?}"));
        }
    }
    (!left.is_empty()).then(|| format!("more families than there are: {left:?}"))
}

/// Of a crowd any k are named, which may or may not be the same as of another one; only of fewer it is known how many there are in all.
fn agrees(told: &Told, expected: &(BTreeMap<u64, usize>, Option<usize>)) -> bool {
    told.0 == expected.0 && expected.1.is_none_or(|all| told.1 == all)
}

fn expected(rows: &[&Row], bits: &[u64], of_people: bool, k: u32) -> (BTreeMap<u64, usize>, Option<usize>) {
    let mut of_person: BTreeMap<i64, u64> = BTreeMap::new();
    rows.iter().zip(bits).for_each(|(row, bits)| *of_person.entry(row.id).or_default() |= bits);
    let mut people: BTreeMap<u64, BTreeSet<i64>> = BTreeMap::new();
    for (row, bits) in rows.iter().zip(bits) {
        let bits = if of_people { of_person[&row.id] } else { *bits };
        people.entry(bits).or_default().insert(row.id);
    }
    people.remove(&0);
    let named = |people: &BTreeSet<i64>| people.len().min(k as usize);
    let full = people.values().all(|people| people.len() < k as usize);
    let all = people.values().flatten().collect::<BTreeSet<_>>().len();
    let counts: BTreeMap<u64, usize> = people.iter().map(|(bits, people)| (*bits, named(people))).collect();
    (counts, full.then_some(all))
}

/// What an aggregate adds up.
fn of(meaning: &Meaning<'_>) -> BTreeSet<Measure> {
    let mut measures = BTreeSet::new();
    if meaning.agg.arg == Arg::Entity {
        return BTreeSet::from([Measure::People]);
    }
    for (_, term) in &meaning.arms {
        if matches!(meaning.agg.function, "count" | "avg") {
            measures.insert(Measure::Rows);
        }
        if matches!(meaning.agg.function, "sum" | "avg") {
            measures.insert(product(term));
        }
    }
    measures
}

fn product(term: &Term) -> Measure {
    let mut cols = term.cols().to_vec();
    cols.sort();
    if cols.is_empty() { Measure::Rows } else { Measure::Product(cols) }
}

impl Meaning<'_> {
    /// Whether a row is among those over which this aggregate adds up a measure.
    fn adds_up(&self, seen: &Seen<'_>, measure: &Measure, row: &Row) -> bool {
        let Some(term) = self.lets_in(row) else { return false };
        let public = |col: &Col| self.everybody() && seen.rule(*col).missing_public;
        let there = |term: &Term| term.cols().iter().all(|col| public(col) || row.get(*col) != Val::Null);
        match measure {
            Measure::People => true,
            Measure::Rows if matches!(self.agg.function, "count" | "avg") => there(term),
            Measure::Rows | Measure::Product(_) => product(term) == *measure && self.counted(term, row),
        }
    }
}
