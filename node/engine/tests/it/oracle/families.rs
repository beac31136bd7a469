//! Which cells of a cut add up the same over different rows, and who is in which of these: worked out row by row.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use liquid_disclosure::differences::{Atom, Cell, Family, read};

use crate::oracle::language::{Arg, Col, Row, Term, Val};
use crate::oracle::meaning::{Meaning, Seen};

/// A family's column, a group each.
pub(crate) fn told(batch: &RecordBatch, name: &str) -> Vec<Vec<Atom>> {
    let texts = batch.column_by_name(name).unwrap().as_string::<i32>();
    texts.iter().map(|text| read(text.unwrap()).unwrap()).collect()
}

/// What an aggregate's cell adds up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The sum, by its terms.
    Sum(BTreeSet<Vec<Col>>),
    Rows,
    People,
}

/// What is wrong with the families of a layout and what is told of them, if anything. `groups` has each group's place in the
/// result, and its rows.
pub(crate) fn wrong_families(
    seen: &Seen<'_>,
    meanings: &[Meaning<'_>],
    groups: &[(usize, Vec<&Row>)],
    (families, told): (&[Family], &[Vec<Vec<Atom>>]),
    k: u32,
) -> Option<String> {
    let k = k as usize;
    for (family, told) in families.iter().zip(told) {
        let people = family.cells.iter().all(|cell| meanings[cell.aggregate].agg.arg == Arg::Entity)
            && families.iter().position(|other| std::ptr::eq(other, family)) == Some(families.len() - 1);
        // The cells of an aggregate come in the order in which they are meant.
        let mut next: BTreeMap<usize, usize> = BTreeMap::new();
        let whats: Vec<(usize, What)> = family
            .cells
            .iter()
            .map(|cell| {
                let all = of(&meanings[cell.aggregate]);
                let at = next.entry(cell.aggregate).or_default();
                *at += 1;
                (cell.aggregate, all[*at - 1].clone())
            })
            .collect();
        for (place, rows) in groups {
            let inside = |row: &Row| -> Vec<bool> {
                let adds = |(at, what): &(usize, What)| meanings[*at].adds_up(seen, what, row);
                whats.iter().map(adds).collect()
            };
            let by = |of_people: bool| {
                let mut of_person: BTreeMap<i64, Vec<bool>> = BTreeMap::new();
                for row in rows {
                    let own = inside(row);
                    let all = of_person.entry(row.id).or_insert_with(|| vec![false; own.len()]);
                    all.iter_mut().zip(own).for_each(|(all, own)| *all |= own);
                }
                let mut wanted: BTreeMap<Vec<bool>, BTreeSet<i64>> = BTreeMap::new();
                for row in rows {
                    let cells = if of_people { of_person[&row.id].clone() } else { inside(row) };
                    wanted.entry(cells).or_default().insert(row.id);
                }
                wanted.retain(|cells, _| cells.contains(&true));
                wanted.into_iter().map(|(cells, ids)| (cells, ids.len().min(k))).collect::<BTreeMap<_, _>>()
            };
            let mut found: BTreeMap<Vec<bool>, BTreeSet<u64>> = BTreeMap::new();
            for atom in &told[*place] {
                let in_cell = |cell: &Cell| {
                    cell.summands.iter().any(|summand| atom.populations >> summand.population & 1 == 1)
                };
                let cells = family.cells.iter().map(in_cell).collect();
                found.entry(cells).or_default().extend(&atom.people);
            }
            let found: BTreeMap<Vec<bool>, usize> =
                found.into_iter().map(|(cells, people)| (cells, people.len().min(k))).collect();
            if found != by(false) && !(people && found == by(true)) {
                return Some(format!("{family:?}: {found:?}, and not {:?} or {:?}", by(false), by(true)));
            }
        }
    }
    // Two that add up the same over different rows are in one family.
    let whats: Vec<(usize, What)> = meanings
        .iter()
        .enumerate()
        .flat_map(|(at, meaning)| of(meaning).into_iter().map(move |what| (at, what)))
        .collect();
    for (number, (one, what)) in whats.iter().enumerate() {
        for (other, that) in
            whats.iter().skip(number + 1).filter(|(other, that)| other != one && that == what)
        {
            let differ = groups.iter().flat_map(|(_, rows)| rows).any(|row| {
                meanings[*one].adds_up(seen, what, row) != meanings[*other].adds_up(seen, that, row)
            });
            let has = |family: &Family, at: usize| family.cells.iter().any(|cell| cell.aggregate == at);
            if differ && !families.iter().any(|family| has(family, *one) && has(family, *other)) {
                return Some(format!("{one} and {other} are in no family: {families:?}"));
            }
        }
    }
    None
}

/// What the cells of an aggregate add up, in their order; people last.
fn of(meaning: &Meaning<'_>) -> Vec<What> {
    if meaning.agg.arg == Arg::Entity {
        return vec![What::Rows, What::People];
    }
    let cols = |term: &Term| {
        let mut cols = term.cols().to_vec();
        cols.sort();
        cols
    };
    let terms = meaning.arms.iter().map(|(_, term)| term).filter(|term| **term != Term::Literal(0));
    let sum = What::Sum(terms.map(cols).collect());
    match meaning.agg.function {
        "sum" => vec![sum],
        "avg" => vec![sum, What::Rows],
        _ => vec![What::Rows],
    }
}

impl Meaning<'_> {
    /// Whether a row is among those over which this aggregate adds something up.
    fn adds_up(&self, seen: &Seen<'_>, what: &What, row: &Row) -> bool {
        let Some(term) = self.lets_in(row) else { return false };
        let public = |col: &Col| self.everybody() && seen.rule(*col).missing_public;
        let there = |term: &Term| term.cols().iter().all(|col| public(col) || row.get(*col) != Val::Null);
        match what {
            What::People => true,
            What::Rows if self.agg.arg == Arg::Entity => true,
            What::Rows => there(term),
            What::Sum(_) => *term != Term::Literal(0) && self.counted(term, row),
        }
    }
}
