//! A proof that all combinations of released cells tell of enough people: bases without a person in common.
//!
//! A basis is a set of terms, as many as there are independent cells, by which all combinations can be told apart: each one that is not 0
//! everywhere has one of these terms left. With `k` bases of which no two have a person in common, each combination tells of one person in each, so
//! of `k`. A further cell takes one more term in each basis, of people who are in no other one.

use std::collections::{BTreeMap, BTreeSet};

use super::classes::{Classes, Part};
use super::{Sum, Term};
use crate::span::{inverse, minus, number, plus, times};

/// How many people are asked whether another basis could do without them, and how many classes whether they have somebody for it.
const ASKED: usize = 50;

/// How many are given up for one cell.
const GIVEN_UP: usize = 12;

/// The bases: one, or so many that they are a proof.
#[derive(Debug, Clone)]
pub(super) struct Bases {
    all: Vec<Basis>,
    /// In which of them each person is.
    of: BTreeMap<u64, usize>,
    k: usize,
}

/// Terms, and the inverse of the matrix that has a row for each cell and a column for each of them.
#[derive(Debug, Clone, Default)]
struct Basis {
    terms: Vec<Term>,
    inverse: Vec<Vec<u64>>,
}

/// What is open in a basis for a further cell: by which cells it is the nearest to it, and the parts in which it differs, by how much.
#[derive(Debug, Clone)]
struct Open {
    weights: Vec<u64>,
    parts: Vec<(usize, u64)>,
}

impl Open {
    /// A term of somebody who is free.
    fn choose(
        &self,
        classes: &Classes,
        (parts, sum): (&[Part<'_>], &Sum),
        is_free: &dyn Fn(u64) -> bool,
    ) -> Option<Choice> {
        let (term, column, rest) = self.parts.iter().find_map(|(part, rest)| {
            let part = parts.get(*part)?;
            let term = classes.terms(part, sum).find(|term| is_free(term.person))?;
            Some((*term, part.column.to_vec(), *rest))
        })?;
        Some(Choice { term, column, weights: self.weights.clone(), rest })
    }
}

/// What a further cell adds to a basis.
pub(super) struct Choice {
    term: Term,
    /// How often each cell has the term.
    column: Vec<(usize, u64)>,
    /// By which the cells are a combination that has all terms of the basis as often as the further one.
    weights: Vec<u64>,
    /// How much oftener the further one has its own term.
    rest: u64,
}

impl Bases {
    pub(super) fn new(k: usize) -> Self {
        Self { all: vec![Basis::default(); k.max(1)], of: BTreeMap::new(), k }
    }

    /// Whether a sum is a combination of the cells.
    pub(super) fn has(&self, parts: &[Part<'_>], sum: &Sum) -> bool {
        let Some(basis) = self.all.first() else { return false };
        let weights = basis.weights(sum);
        parts.iter().all(|part| rest(part, &weights) == 0)
    }

    /// For each basis a term for one more cell, which is no combination of the others, of people who are in no other basis; for the first one alone
    /// where there are no such people for all. Where all who would do for a basis are in others, one of them is given up there for somebody
    /// else.
    pub(super) fn choices(&mut self, classes: &Classes, parts: &[Part<'_>], sum: &Sum) -> Vec<Choice> {
        let mut open: Vec<Option<Open>> = vec![None; self.all.len()];
        let mut wholes = None;
        // What was chosen for a basis is not for what has become of it since, so it is chosen anew.
        for _ in 0..GIVEN_UP {
            let mut chosen: Vec<Choice> = Vec::new();
            for (at, (basis, open)) in self.all.iter().zip(&mut open).enumerate() {
                let open = open.get_or_insert_with(|| basis.open(parts, sum));
                let is_free = |person| self.is_free(person, at, &chosen);
                let Some(choice) = open.choose(classes, (parts, sum), &is_free) else { break };
                chosen.push(choice);
            }
            if chosen.len() == self.all.len() {
                return chosen;
            }
            let Some(Some(wanted)) = open.get(chosen.len()) else { break };
            let wholes = wholes.get_or_insert_with(|| classes.wholes());
            let Some(gave) = self.give_up(wanted, &chosen, (classes, wholes), (parts, sum)) else { break };
            if let Some(open) = open.get_mut(gave) {
                *open = None;
            }
        }
        let first = self.all.first().map(|first| first.open(parts, sum));
        first.and_then(|first| first.choose(classes, (parts, sum), &|_| true)).into_iter().collect()
    }

    fn is_free(&self, person: u64, at: usize, chosen: &[Choice]) -> bool {
        match self.of.get(&person) {
            Some(of) => *of == at,
            None => chosen.iter().all(|choice| choice.term.person != person),
        }
    }

    /// Lets another basis give up somebody who would do for the first one for which nobody was chosen: which basis, if somebody was given up. It is
    /// a basis as before.
    fn give_up(
        &mut self,
        open: &Open,
        chosen: &[Choice],
        (classes, wholes): (&Classes, &[Part<'_>]),
        (parts, sum): (&[Part<'_>], &Sum),
    ) -> Option<usize> {
        let at = chosen.len();
        let open = open.parts.iter().filter_map(|(part, _)| parts.get(*part));
        let wanted = open.flat_map(|part| classes.terms(part, sum)).map(|term| term.person);
        let wanted: BTreeSet<u64> = wanted.take(ASKED).collect();
        if wanted.len() < self.k {
            return None; // that tells of few, whoever is in which basis
        }
        let of_new: BTreeSet<u64> = sum.keys().map(|term| term.person).collect();
        let is_chosen = |person: &u64| chosen.iter().any(|choice| choice.term.person == *person);
        for person in wanted.into_iter().filter(|person| !is_chosen(person)) {
            let Some(owner) = self.of.get(&person).copied().filter(|owner| *owner != at) else { continue };
            let Some(basis) = self.all.get(owner) else { continue };
            let mut own = basis.terms.iter().enumerate().filter(|(_, term)| term.person == person);
            let (Some((place, _)), None) = (own.next(), own.next()) else { continue };
            // Whoever is in the new cell is wanted there.
            let is_other = |term: &&Term| {
                !of_new.contains(&term.person)
                    && self.of.get(&term.person).is_none_or(|of| *of == owner)
                    && !basis.terms.contains(term)
                    && chosen.iter().all(|choice| choice.term.person != term.person)
            };
            let nothing = Sum::new();
            let mut others = wholes.iter().take(ASKED).filter(|part| basis.can_stand_at(place, part.column));
            let other = others.find_map(|part| {
                let term = classes.terms(part, &nothing).take(ASKED).find(is_other)?;
                Some((*term, part.column.to_vec()))
            });
            if let (Some((term, column)), Some(basis)) = (other, self.all.get_mut(owner)) {
                basis.exchange(place, term, &column);
                self.of.remove(&person);
                self.of.insert(term.person, owner);
                return Some(owner);
            }
        }
        None
    }

    /// Whether all combinations tell of enough with one more cell: there is a term for each of `k` bases.
    pub(super) fn prove(&self, choices: &[Choice]) -> bool {
        choices.len() == self.k
    }

    /// Adds the cell.
    pub(super) fn take(&mut self, choices: Vec<Choice>) {
        self.all.truncate(choices.len());
        for (at, (basis, choice)) in self.all.iter_mut().zip(choices).enumerate() {
            self.of.insert(choice.term.person, at);
            basis.take(choice);
        }
    }
}

/// What is left of a sum's number for a part when cells with these weights are taken away.
fn rest(part: &Part<'_>, weights: &[u64]) -> u64 {
    minus(part.times, together(part.column, weights))
}

/// How often cells with these weights have what a column says.
fn together(column: &[(usize, u64)], weights: &[u64]) -> u64 {
    let weighed = column.iter().filter_map(|(cell, often)| Some(times(*weights.get(*cell)?, *often)));
    weighed.fold(0, plus)
}

impl Basis {
    /// What is open for one more cell.
    fn open(&self, parts: &[Part<'_>], sum: &Sum) -> Open {
        let weights = self.weights(sum);
        let rests = parts.iter().map(|part| rest(part, &weights)).enumerate();
        let parts = rests.filter(|(_, rest)| *rest != 0).collect();
        Open { weights, parts }
    }

    /// Whether a term with this column in the place of another one leaves it a basis.
    fn can_stand_at(&self, place: usize, column: &[(usize, u64)]) -> bool {
        self.inverse.get(place).is_some_and(|row| together(column, row) != 0)
    }

    /// Puts a term in the place of another one, where it can stand.
    fn exchange(&mut self, place: usize, term: Term, column: &[(usize, u64)]) {
        let factors: Vec<u64> = self.inverse.iter().map(|row| together(column, row)).collect();
        let Some(pivot) = factors.get(place).copied().filter(|pivot| *pivot != 0) else { return };
        let scale = inverse(pivot);
        let Some(row) = self.inverse.get_mut(place) else { return };
        row.iter_mut().for_each(|number| *number = times(*number, scale));
        let new = row.clone();
        for (at, (row, factor)) in self.inverse.iter_mut().zip(factors).enumerate() {
            if at != place && factor != 0 {
                for (number, other) in row.iter_mut().zip(&new) {
                    *number = minus(*number, times(factor, *other));
                }
            }
        }
        if let Some(old) = self.terms.get_mut(place) {
            *old = term;
        }
    }

    /// The one combination of the cells that has each of the basis' terms as often as a sum.
    fn weights(&self, sum: &Sum) -> Vec<u64> {
        let mut weights = vec![0; self.terms.len()];
        for (term, row) in self.terms.iter().zip(&self.inverse) {
            let often = sum.get(term).map_or(0, |often| number(*often));
            if often != 0 {
                for (weight, number) in weights.iter_mut().zip(row) {
                    *weight = plus(*weight, times(often, *number));
                }
            }
        }
        weights
    }

    /// By Schur's complement, which is the rest.
    fn take(&mut self, Choice { term, column, weights, rest }: Choice) {
        let scale = inverse(rest);
        for row in &mut self.inverse {
            let factor = times(together(&column, row), scale);
            if factor != 0 {
                for (number, weight) in row.iter_mut().zip(&weights) {
                    *number = plus(*number, times(factor, *weight));
                }
            }
            row.push(minus(0, factor));
        }
        let last = weights.iter().map(|weight| minus(0, times(*weight, scale)));
        self.inverse.push(last.chain([scale]).collect());
        self.terms.push(term);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::span::plus as add;

    /// Sums over a few people, by values that some share.
    fn sums() -> impl Strategy<Value = Vec<Sum>> {
        let person = (0..24_u64, 0..2_u64, 1..3_i64);
        let sum = prop::collection::vec(person, 3..14).prop_map(|people| {
            people.into_iter().map(|(person, value, times)| (Term { person, value }, times)).collect()
        });
        prop::collection::vec(sum, 1..14)
    }

    /// No two bases have a person in common, and each inverse is one.
    fn hold(bases: &Bases, classes: &Classes) -> bool {
        let column = |term: &Term| {
            let wholes = classes.wholes();
            let own = wholes.iter().find(|part| part.class == classes.of(term));
            own.map(|part| part.column.to_vec()).unwrap_or_default()
        };
        let is_inverse = |basis: &Basis| {
            let rows = basis.inverse.iter().enumerate();
            rows.clone().count() == basis.terms.len()
                && rows.into_iter().all(|(at, row)| {
                    basis.terms.iter().enumerate().all(|(other, term)| {
                        let sum = column(term).iter().fold(0, |sum, (cell, often)| {
                            add(sum, times(*often, row.get(*cell).copied().unwrap_or(0)))
                        });
                        sum == u64::from(at == other)
                    })
                })
        };
        let apart = bases
            .all
            .iter()
            .enumerate()
            .all(|(at, basis)| basis.terms.iter().all(|term| bases.of.get(&term.person) == Some(&at)));
        apart && bases.all.iter().all(is_inverse)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn bases_are_bases_whoever_gave_up_whom(sums in sums(), k in 1..5_usize) {
            let (mut bases, mut classes, mut rows) = (Bases::new(k), Classes::default(), 0);
            for sum in sums {
                let choices = {
                    let parts = classes.parts(&sum);
                    if bases.has(&parts, &sum) {
                        continue;
                    }
                    bases.choices(&classes, &parts, &sum)
                };
                prop_assert!(hold(&bases, &classes), "before it is added");
                if bases.prove(&choices) {
                    classes.add(rows, &sum);
                    bases.take(choices);
                    rows += 1;
                    prop_assert!(hold(&bases, &classes), "after it is added");
                }
            }
        }
    }
}
