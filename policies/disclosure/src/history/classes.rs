//! Terms that are in all released cells equally often: their class, and how often each cell has them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Sum, Term};
use crate::span::number;

/// How often each cell has the terms of a class: the number of the cell, and how often. Those that do not have them are left out.
pub(super) type Column = Vec<(usize, u64)>;

/// All classes, by number. Terms that are in no cell are in none.
#[derive(Debug, Clone, Default)]
pub(super) struct Classes {
    of: BTreeMap<Term, usize>,
    all: Vec<Class>,
}

#[derive(Debug, Clone, Default)]
struct Class {
    terms: BTreeSet<Term>,
    column: Column,
}

/// Terms of one class, if of any, that a sum has equally often.
pub(super) struct Part<'a> {
    pub(super) class: Option<usize>,
    /// How often.
    pub(super) times: u64,
    /// Which; all others of the class where there is none.
    pub(super) own: Option<Vec<Term>>,
    /// How many those are.
    pub(super) many: usize,
    /// How often each cell has them.
    pub(super) column: &'a [(usize, u64)],
}

impl Classes {
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// The class of a term.
    pub(super) fn of(&self, term: &Term) -> Option<usize> {
        self.of.get(term).copied()
    }

    /// How many terms a class has, where there is such a one.
    pub(super) fn size(&self, class: usize) -> Option<usize> {
        self.all.get(class).map(|class| class.terms.len())
    }

    /// How many terms there are in all classes.
    pub(super) fn size_of_all(&self) -> usize {
        self.of.len()
    }

    /// The terms of a class.
    pub(super) fn all_of(&self, class: usize) -> impl Iterator<Item = &Term> {
        self.all.get(class).into_iter().flat_map(|class| &class.terms)
    }

    /// What a sum makes of the classes: the parts of which it takes some, and what is left of them and of all others.
    pub(super) fn parts(&self, sum: &Sum) -> Vec<Part<'_>> {
        let mut taken: BTreeMap<(Option<usize>, i64), Vec<Term>> = BTreeMap::new();
        for (term, times) in sum.iter().filter(|(_, times)| **times != 0) {
            taken.entry((self.of(term), *times)).or_default().push(*term);
        }
        let mut left: Vec<usize> = self.all.iter().map(|class| class.terms.len()).collect();
        let column =
            |class: Option<usize>| class.and_then(|it| self.all.get(it)).map_or(&[][..], |it| &it.column);
        let mut parts = Vec::new();
        for ((class, times), terms) in taken {
            if let Some(left) = class.and_then(|class| left.get_mut(class)) {
                *left = left.saturating_sub(terms.len());
            }
            let many = terms.len();
            parts.push(Part { class, times: number(times), own: Some(terms), many, column: column(class) });
        }
        for (class, many) in left.into_iter().enumerate().filter(|(_, left)| *left > 0) {
            parts.push(Part { class: Some(class), times: 0, own: None, many, column: column(Some(class)) });
        }
        // Those of most people first.
        parts.sort_by_key(|part| std::cmp::Reverse(part.many));
        parts
    }

    /// Each class as a part of which nothing is taken, those of most people first.
    pub(super) fn wholes(&self) -> Vec<Part<'_>> {
        self.parts(&Sum::new())
    }

    /// The terms of a part of what a sum makes of them.
    pub(super) fn terms<'a>(&'a self, part: &'a Part<'_>, sum: &'a Sum) -> impl Iterator<Item = &'a Term> {
        let class = part.class.filter(|_| part.own.is_none()).and_then(|class| self.all.get(class));
        let others = class.into_iter().flat_map(|class| &class.terms);
        let others = others.filter(|term| sum.get(term).is_none_or(|times| *times == 0));
        part.own.iter().flatten().chain(others)
    }

    /// Whether a sum has the terms of each class equally often, as they are once another cell has split them: otherwise no combination is like
    /// it.
    pub(super) fn is_whole(&self, sum: &Sum, beside: &Sum) -> bool {
        let class = |term: &Term| self.of(term);
        let mut split: BTreeMap<(Option<usize>, i64), usize> = BTreeMap::new();
        for (term, times) in beside.iter().filter(|(_, times)| **times != 0) {
            *split.entry((class(term), *times)).or_default() += 1;
        }
        let mut taken: BTreeMap<(Option<usize>, i64), (i64, usize)> = BTreeMap::new();
        for (term, times) in sum.iter().filter(|(_, times)| **times != 0) {
            let part = (class(term), beside.get(term).copied().unwrap_or(0));
            let (known, many) = taken.entry(part).or_insert((*times, 0));
            *many += 1;
            // A term that is in no cell is in no combination.
            if *known != *times || part == (None, 0) {
                return false;
            }
        }
        taken.into_iter().all(|((class, times), (_, many))| {
            let whole = class.and_then(|class| self.all.get(class)).map_or(0, |it| it.terms.len());
            let others = || split.range((class, i64::MIN)..=(class, i64::MAX)).map(|(_, many)| many);
            many == match times {
                0 => whole.saturating_sub(others().sum()),
                times => split.get(&(class, times)).copied().unwrap_or(0),
            }
        })
    }

    /// Adds a cell by its number, and splits the classes of which it takes a part.
    pub(super) fn add(&mut self, cell: usize, sum: &Sum) {
        let parts: Vec<(Option<usize>, u64, Vec<Term>)> = self
            .parts(sum)
            .into_iter()
            .filter_map(|part| Some((part.class, part.times, part.own?)))
            .collect();
        for (class, times, terms) in parts {
            let rest = class.and_then(|class| self.all.get(class)).map(|it| it.terms.len() - terms.len());
            let to = match (class, rest) {
                // Where nothing else is left of it, it stays what it was.
                (Some(class), Some(0)) => class,
                _ => self.split(class, terms),
            };
            if let Some(to) = self.all.get_mut(to) {
                to.column.push((cell, times));
            }
        }
    }

    fn split(&mut self, from: Option<usize>, terms: Vec<Term>) -> usize {
        let new = self.all.len();
        let mut class = Class::default();
        if let Some(from) = from.and_then(|from| self.all.get_mut(from)) {
            terms.iter().for_each(|term| {
                from.terms.remove(term);
            });
            class.column.clone_from(&from.column);
        }
        self.of.extend(terms.iter().map(|term| (*term, new)));
        class.terms.extend(terms);
        self.all.push(class);
        new
    }
}
