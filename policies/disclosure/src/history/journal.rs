//! What a history keeps: what was released and what must not be, in order, each by the classes that there were then. A cell costs what it
//! takes apart, and not what it adds up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::classes::Classes;
use super::{Answer, History, Recipe, Sum, Term, print};

/// One line of what is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A cell was released.
    Released {
        /// As what.
        recipe: Recipe,
        /// What it adds up.
        sum: Spelled,
    },
    /// A figure was given out.
    Answered {
        /// What was asked: a hash.
        asked: String,
        /// It.
        answer: Answer,
    },
    /// A cell was withheld on its own grounds.
    Target {
        /// What it adds up.
        sum: Spelled,
    },
}

/// A sum by classes: of which one, how often, and which terms where that is not all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spelled(Vec<(Option<usize>, i64, Option<Vec<Term>>)>);

/// An entry names a class that there is not: entries before it are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry speaks of a class of people that no entry before it has made")]
pub struct Misspelled;

pub(super) fn spell(classes: &Classes, sum: &Sum) -> Spelled {
    let mut taken: BTreeMap<(Option<usize>, i64), Vec<Term>> = BTreeMap::new();
    for (term, times) in sum.iter().filter(|(_, times)| **times != 0) {
        taken.entry((classes.of(term), *times)).or_default().push(*term);
    }
    let spelled = taken.into_iter().map(|((class, times), terms)| {
        let whole = class.is_some_and(|class| classes.size(class) == Some(terms.len()));
        (class, times, (!whole).then_some(terms))
    });
    Spelled(spelled.collect())
}

impl Spelled {
    fn read(self, classes: &Classes) -> Result<Sum, Misspelled> {
        let mut sum = Sum::new();
        for (class, times, terms) in self.0 {
            let known = class.map(|class| classes.size(class).ok_or(Misspelled)).transpose()?;
            match (terms, class.filter(|_| known.is_some())) {
                (Some(terms), _) => sum.extend(terms.into_iter().map(|term| (term, times))),
                (None, Some(class)) => sum.extend(classes.all_of(class).map(|term| (*term, times))),
                (None, None) => return Err(Misspelled),
            }
        }
        Ok(sum)
    }
}

impl History {
    /// Takes what has come to be kept since it was taken last.
    pub fn take_unsaved(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.unsaved)
    }

    /// Takes up an entry as it was kept, which is not judged again. Where `k` is more than it was then, combinations of what was released may tell of fewer;
    /// then nothing new is released that is not looked through.
    ///
    /// # Errors
    /// Entries before it are missing.
    pub fn remember(&mut self, entry: Entry) -> Result<(), Misspelled> {
        match entry {
            Entry::Answered { asked, answer } => {
                self.answers.insert(asked, answer);
            }
            Entry::Target { sum } => {
                let sum = sum.read(&self.classes)?;
                self.targets.push((print(&sum), sum));
            }
            Entry::Released { recipe, sum } => {
                let sum = sum.read(&self.classes)?;
                let own = print(&sum);
                self.released.entry(own).or_default().push(recipe);
                let parts = self.classes.parts(&sum);
                if !self.bases.has(&parts, &sum) {
                    let choices = self.bases.choices(&self.classes, &parts, &sum);
                    self.classes.add(self.rows, &sum);
                    self.bases.take(choices);
                    self.rows += 1;
                    self.targets.retain(|it| it.0 != own);
                }
            }
        }
        Ok(())
    }
}
