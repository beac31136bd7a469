//! What the answers to many questions tell together: each cell is judged beside all that were released before, over the life of a table.
//!
//! A cell is a sum of *terms*, each so many times: a term is one person's value of one measure, as long as it stays the same. A count has one
//! term for each person, a sum one for each value that a person has. So what did not change from one month to the next is the same term, whatever
//! else did, and a person who moves from one group to the other has the same term in another cell. All that can be worked out exactly
//! are combinations of cells with any weights, and a combination tells of the people of whose terms it has any left. None may tell
//! of 1 to k − 1.
//!
//! Terms that are in all cells equally often are of one *class*, and nothing tells them apart (`classes`). That all combinations tell of enough
//! is proved by `bases`, and where that cannot be had, looked through as far as that goes (`few`). What is to be kept is in `journal`, from which
//! a history is made again.

mod bases;
mod classes;
mod journal;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::few;
use bases::Bases;
use classes::{Classes, Part};
pub use journal::{Entry, Misspelled};

/// Terms in all of up to so many, combinations are looked through where there is no proof. Past that a cell is withheld, so that one for which there
/// is none does not stand in the way of proving anything about all that come after it.
const LOOKED_THROUGH: usize = 150;

/// One person's value: of a column, or a product of columns, or 1 where rows or people are counted. Which column it is makes no difference:
/// whoever has the same value in another one adds the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Term {
    /// Whose: a keyed hash.
    pub person: u64,
    /// A keyed hash of the value; 0 for 1.
    pub value: u64,
}

impl From<(u64, u64)> for Term {
    fn from((person, value): (u64, u64)) -> Self {
        Self { person, value }
    }
}

impl From<Term> for (u64, u64) {
    fn from(Term { person, value }: Term) -> Self {
        (person, value)
    }
}

/// What a cell adds up: its terms, and how often each.
pub type Sum = BTreeMap<Term, i64>;

/// What a cell was asked as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Recipe {
    /// What makes it the same cell when it is asked again: a hash of its condition, group values included.
    pub condition: String,
    /// The columns of which that speaks.
    pub columns: BTreeSet<String>,
}

impl Recipe {
    /// Whether everybody whom one of two conditions lets in can be among those whom the other one does, by what they say: where each speaks of a
    /// column of which the other does not, that they let in the same people tells of nobody between them.
    fn may_imply(&self, other: &Self) -> bool {
        self.columns.is_subset(&other.columns) || other.columns.is_subset(&self.columns)
    }
}

/// A cell of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its condition.
    pub recipe: Recipe,
    /// What it adds up.
    pub sum: Sum,
    /// It is withheld on its own grounds: it must not come back as a combination of others.
    pub withheld: bool,
}

/// Whether a cell can be released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// With all that was released before, nothing tells of few.
    Released,
    /// It must be withheld.
    Withheld(Why),
}

/// Why a cell is withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// On its own grounds.
    Own,
    /// A combination would tell of few people.
    Few,
    /// It holds just what another cell holds of which the condition may imply its own, or the other way round: together they tell that nobody is
    /// between them.
    Nobody,
    /// A combination would be a cell that is withheld.
    Target,
    /// The history is full, and it would add something to it.
    Full,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Cells that are no combination of others.
    pub rank: usize,
    /// Classes of terms.
    pub classes: usize,
}

/// All that was released of a table, as far as it matters for what comes.
#[derive(Debug, Clone)]
pub struct History {
    k: usize,
    classes: Classes,
    /// The cells of which none is a combination of others.
    rows: usize,
    bases: Bases,
    /// By what they add up, the cells that were released, and as what.
    released: BTreeMap<Print, Vec<Recipe>>,
    targets: Vec<(Print, Sum)>,
    /// By what was asked, the last answer.
    answers: BTreeMap<String, Answer>,
    unsaved: Vec<Entry>,
}

/// A figure as it was given out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// In words.
    pub value: String,
    /// The day since which it is so, as far as anybody was told.
    pub day: NaiveDate,
    /// The rules of one cell under which it was given out.
    pub under: String,
}

impl History {
    /// Nothing was released yet. Combinations must tell of nobody or of `k` people, at least.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            classes: Classes::default(),
            rows: 0,
            bases: Bases::new(k),
            released: BTreeMap::new(),
            targets: Vec::new(),
            answers: BTreeMap::new(),
            unsaved: Vec::new(),
        }
    }

    /// How many people combinations must tell of, at least.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Judges the cells of an answer, in their order, and remembers those that are released and those that must not come back. Nothing may leave
    /// before what [`Self::take_unsaved`] then gives is durable.
    pub fn judge(&mut self, asked: &[Asked], bounds: Bounds) -> Vec<Verdict> {
        for cell in asked.iter().filter(|cell| cell.withheld) {
            // One of few is told by nothing that tells of enough.
            let people: BTreeSet<u64> = cell.sum.keys().map(|term| term.person).collect();
            let own = print(&cell.sum);
            let is_known = self.targets.iter().any(|it| it.0 == own);
            if people.len() >= self.k && !is_known && !self.tells(&cell.sum) {
                self.unsaved.push(Entry::Target { sum: journal::spell(&self.classes, &cell.sum) });
                self.targets.push((own, cell.sum.clone()));
            }
        }
        asked.iter().map(|cell| self.judge_one(cell, bounds)).collect()
    }

    /// What was last answered to a question.
    pub(crate) fn answered(&self, asked: &str) -> Option<&Answer> {
        self.answers.get(asked)
    }

    /// Remembers an answer.
    pub(crate) fn answer(&mut self, asked: String, answer: Answer) {
        self.unsaved.push(Entry::Answered { asked: asked.clone(), answer: answer.clone() });
        self.answers.insert(asked, answer);
    }

    /// How many of the released cells are no combination of others.
    pub fn rank(&self) -> usize {
        self.rows
    }

    /// How many classes of terms are told apart.
    pub fn classes(&self) -> usize {
        self.classes.count()
    }

    fn judge_one(&mut self, cell: &Asked, bounds: Bounds) -> Verdict {
        if cell.withheld {
            return Verdict::Withheld(Why::Own);
        }
        let own = print(&cell.sum);
        let known = self.released.get(&own).map_or(&[][..], Vec::as_slice);
        if known.contains(&cell.recipe) {
            return Verdict::Released;
        }
        // An empty cell is known to be so wherever it stands; that is for the rules of one cell.
        if !cell.sum.is_empty() && known.iter().any(|recipe| recipe.may_imply(&cell.recipe)) {
            return Verdict::Withheld(Why::Nobody);
        }
        let parts = self.classes.parts(&cell.sum);
        if self.bases.has(&parts, &cell.sum) {
            self.release(cell.recipe.clone(), own, &cell.sum);
            return Verdict::Released;
        }
        let new = parts.len().saturating_sub(self.classes.count());
        if self.rows >= bounds.rank || self.classes.count() + new > bounds.classes {
            return Verdict::Withheld(Why::Full);
        }
        let choices = self.bases.choices(&self.classes, &parts, &cell.sum);
        if !self.bases.prove(&choices) && !self.tells_of_enough(&parts, &cell.sum) {
            return Verdict::Withheld(Why::Few);
        }
        let targets = self.targets.iter().filter(|it| it.0 != own);
        let targets = targets.filter(|(_, target)| self.classes.is_whole(target, &cell.sum));
        let targets: Vec<Sum> = targets.map(|(_, sum)| sum.clone()).collect();
        let spelled = journal::spell(&self.classes, &cell.sum);
        // What it would be with it; thrown away where it tells what is withheld.
        let before = (!targets.is_empty()).then(|| (self.classes.clone(), self.bases.clone()));
        self.classes.add(self.rows, &cell.sum);
        self.bases.take(choices);
        if let Some(before) = before
            && targets.iter().any(|target| self.tells(target))
        {
            (self.classes, self.bases) = before;
            return Verdict::Withheld(Why::Target);
        }
        self.rows += 1;
        self.targets.retain(|it| it.0 != own);
        self.released.entry(own).or_default().push(cell.recipe.clone());
        self.unsaved.push(Entry::Released { recipe: cell.recipe.clone(), sum: spelled });
        Verdict::Released
    }

    /// Remembers a cell that adds nothing.
    fn release(&mut self, recipe: Recipe, own: Print, sum: &Sum) {
        let sum = journal::spell(&self.classes, sum);
        self.released.entry(own).or_default().push(recipe.clone());
        self.unsaved.push(Entry::Released { recipe, sum });
    }

    /// Whether all combinations with a further cell tell of enough people, by looking through them as far as that goes.
    fn tells_of_enough(&self, parts: &[Part<'_>], sum: &Sum) -> bool {
        let rows = self.rows + 1;
        let new = sum.keys().filter(|term| self.classes.of(term).is_none()).count();
        if self.classes.size_of_all() + new > LOOKED_THROUGH {
            return false;
        }
        let mut matrix = vec![Vec::with_capacity(parts.len()); rows];
        let mut people = Vec::with_capacity(parts.len());
        for part in parts {
            let mut column = vec![0; rows];
            for (cell, often) in part.column.iter().chain([&(self.rows, part.times)]) {
                column.get_mut(*cell).into_iter().for_each(|number| *number = *often);
            }
            matrix.iter_mut().zip(column).for_each(|(row, number)| row.push(number));
            let mut own = BTreeSet::new();
            for term in self.classes.terms(part, sum) {
                if own.len() >= self.k {
                    break;
                }
                own.insert(term.person);
            }
            people.push(own);
        }
        few::tell_of_enough(matrix, &people.iter().collect::<Vec<_>>(), self.k)
    }

    /// Whether a cell is a combination of released ones.
    fn tells(&self, sum: &Sum) -> bool {
        self.classes.is_whole(sum, &Sum::new()) && self.bases.has(&self.classes.parts(sum), sum)
    }
}

/// What tells sums apart: two numbers by which any two differ but for one chance in 2^120, since terms are keyed hashes.
type Print = (u64, u64);

fn print(sum: &Sum) -> Print {
    let mut prints = (0_u64, 0_u64);
    for (term, times) in sum.iter().filter(|(_, times)| **times != 0) {
        let mixed = |seed: u64| {
            [term.person, term.value, times.cast_unsigned()]
                .into_iter()
                .fold(seed, |mixed, part| mix(mixed ^ part))
        };
        prints.0 = prints.0.wrapping_add(mixed(0x9e37_79b9_7f4a_7c15));
        prints.1 = prints.1.wrapping_add(mixed(0xc2b2_ae3d_27d4_eb4f));
    }
    prints
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
