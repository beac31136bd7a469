//! Whether combinations of rows tell of enough people: each row has numbers in columns, and each column people.

use std::collections::{BTreeMap, BTreeSet};

use crate::span::{Span, vanishing};

/// Numbers to look at before it is taken for granted that a combination tells of few.
const TRIED: usize = 32_768;

/// A column of numbers, one for each row, and its people, or `k` of them.
type Column = (Vec<u64>, BTreeSet<u64>);

/// Whether every combination of some rows that is not 0 everywhere has a weight in columns of at least `k` people. The rows are
/// independent, and have a number for each of the columns, whose people these are, or `k` of them.
///
/// Columns in which they are all multiples of one another are as one column with the people of all. Where these are enough, a combination with a weight there
/// tells of enough, and what is left is a smaller span. Of that, each combination has a weight in every set of columns that tells all
/// combinations apart: with `k` such sets without a person in common, all tell of enough. Otherwise those with the fewest columns
/// vanish on as many as they can, and each other one tells of all people of one of them: these are tried.
pub(crate) fn tell_of_enough(mut rows: Vec<Vec<u64>>, people: &[&BTreeSet<u64>], k: usize) -> bool {
    loop {
        if rows.is_empty() {
            return true;
        }
        let columns = columns(&rows, people, k);
        let (great, small): (Vec<Column>, Vec<Column>) =
            columns.into_iter().partition(|(_, people)| people.len() >= k);
        if great.is_empty() {
            return in_disjoint_sets(&small, rows.len(), k) || in_all_combinations(&small, rows.len(), k);
        }
        // What vanishes on the great ones, too.
        let order = great.iter().chain(&small);
        let order: Vec<&Vec<u64>> = order.map(|(column, _)| column).collect();
        let mut reduced = Span::default();
        for at in 0..rows.len() {
            let own = order.iter().map(|column| column.get(at).copied().unwrap_or(0));
            let mark = (0..rows.len()).map(|other| u64::from(other == at));
            reduced.add(&own.chain(mark).collect::<Vec<u64>>());
        }
        // The marks behind say of which rows each is made.
        let marks = order.len();
        let weights: Vec<Vec<u64>> = reduced
            .from(great.len())
            .into_iter()
            .map(|row| row.get(marks..).unwrap_or_default().to_vec())
            .collect();
        rows = weights.iter().map(|weights| Span::combined(&rows, weights)).collect();
    }
}

/// The columns of some rows, those that are multiples of one another as one.
fn columns(rows: &[Vec<u64>], people: &[&BTreeSet<u64>], k: usize) -> Vec<Column> {
    let mut columns: BTreeMap<Vec<u64>, BTreeSet<u64>> = BTreeMap::new();
    for (at, own) in people.iter().enumerate() {
        let column: Vec<u64> = rows.iter().map(|row| row.get(at).copied().unwrap_or(0)).collect();
        let Some(column) = Span::scaled(column) else { continue };
        let known = columns.entry(column).or_default();
        let room = k.saturating_sub(known.len());
        let more: Vec<u64> = own.iter().filter(|it| !known.contains(*it)).take(room).copied().collect();
        known.extend(more);
    }
    columns.into_iter().collect()
}

/// Whether there are `k` sets of columns without a person in common, each of which tells all combinations apart; looked for one after
/// the other.
fn in_disjoint_sets(columns: &[Column], rank: usize, k: usize) -> bool {
    let (mut used, mut left): (BTreeSet<u64>, Vec<bool>) = (BTreeSet::new(), vec![true; columns.len()]);
    for _ in 0..k {
        let (mut span, mut own) = (Span::default(), BTreeSet::<u64>::new());
        let mut found = 0;
        for ((column, people), left) in columns.iter().zip(&mut left) {
            if found < rank && *left && people.is_disjoint(&used) && span.add(column) {
                *left = false;
                own.extend(people);
                found += 1;
            }
        }
        if found < rank {
            return false;
        }
        used.extend(own);
    }
    true
}

/// Whether all combinations with the fewest columns tell of enough; not where there are too many to be tried.
fn in_all_combinations(columns: &[Column], rank: usize, k: usize) -> bool {
    let free = rank.saturating_sub(1);
    if choices(columns.len(), free).saturating_mul(columns.len()) > TRIED {
        return false;
    }
    let rows: Vec<Vec<u64>> = (0..rank)
        .map(|at| columns.iter().map(|(column, _)| column.get(at).copied().unwrap_or(0)).collect())
        .collect();
    let rows: Vec<&[u64]> = rows.iter().map(Vec::as_slice).collect();
    let tells_of_few = |combination: &[u64]| {
        let mut people: BTreeSet<u64> = BTreeSet::new();
        let weighed = columns.iter().zip(combination).filter(|(_, weight)| **weight != 0);
        !weighed.into_iter().any(|((_, own), _)| {
            people.extend(own);
            people.len() >= k
        })
    };
    let mut chosen: Vec<usize> = (0..free).collect();
    loop {
        if vanishing(&rows, &chosen).is_some_and(|combination| tells_of_few(&combination)) {
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
    use super::*;

    #[test]
    fn choices_are_counted() {
        assert_eq!([choices(5, 2), choices(9, 0), choices(6, 5)], [10, 1, 6]);
        assert!(choices(100, 50) > TRIED);
    }
}
