//! What the cells of a cut add up, in words and in hidden numbers, so that they can be judged beside all that were released before.
//!
//! The engine says for each cell of which measures it adds up which populations, and gives for each group a list of records: whose rows, in which
//! populations, how many, and the hash of the value of each measure. From these come the terms of each cell ([`crate::history`]).

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::differences::{POPULATIONS, Summand};
use crate::history::{Asked, Recipe, Sum, Term};
use crate::released::Bug;

/// What the cells of a cut add up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// What each population's rows must meet, all of it.
    pub populations: Vec<BTreeSet<Condition>>,
    /// The group keys: what a group's rows have in common. None where a key is the same for every row.
    pub keys: Vec<Option<Condition>>,
    /// How many measures there are beside the number of rows, which is measure 0; those are from 1 on.
    pub measures: usize,
    /// The cells; an aggregate can have several, as an average has a sum and a count.
    pub cells: Vec<MeasuredCell>,
    /// Each aggregate in words, but for its conditions.
    pub aggregates: Vec<String>,
}

/// What a cell adds up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredCell {
    /// The number of its aggregate.
    pub aggregate: usize,
    /// People are counted and not their rows.
    pub of_people: bool,
    /// Its parts.
    pub summands: Vec<Summand>,
}

/// A condition, or an expression, and the columns of which it speaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Condition {
    /// In words that are the same for the same condition.
    pub text: String,
    /// The columns.
    pub columns: BTreeSet<String>,
}

impl Condition {
    /// That an expression has a value, which stands in an array: a group by a key is the same as a condition on it.
    ///
    /// # Errors
    /// A type that cannot be written, which is a bug.
    pub fn equal(expression: &Self, values: &dyn Array, row: usize) -> Result<Self, Bug> {
        let text = match values.is_null(row) {
            true => format!("{} IS NULL", expression.text),
            false => {
                let formatter = ArrayFormatter::try_new(values, &FormatOptions::default())?;
                let value = formatter.value(row).try_to_string()?;
                format!("{} = {value:?}", expression.text)
            }
        };
        Ok(Self { text, columns: expression.columns.clone() })
    }
}

/// A cell of a group.
pub(crate) struct AskedOf {
    pub(crate) aggregate: usize,
    pub(crate) row: usize,
    pub(crate) cell: Asked,
}

/// Whose rows, in which populations, how many, and the hash of each measure's value.
#[derive(Debug, Clone, Copy)]
struct Record<'a> {
    person: u64,
    populations: u64,
    times: u64,
    values: &'a [u64],
}

impl Measured {
    /// Whether some cell adds up populations that are not told apart.
    fn is_beyond(&self, cell: &MeasuredCell) -> bool {
        cell.summands.iter().any(|summand| summand.population >= POPULATIONS)
    }

    /// The cells of the groups that stand in an answer, by aggregate and row; `passes` says which of them are not withheld on their own grounds.
    /// None where cells cannot be told apart.
    ///
    /// # Errors
    /// A column that does not say what it must.
    pub(crate) fn asked(
        &self,
        keys: &[ArrayRef],
        column: &ArrayRef,
        rows: impl Iterator<Item = usize>,
        passes: impl Fn(usize, usize) -> bool,
    ) -> Result<Option<Vec<AskedOf>>, Bug> {
        let wrong = || Bug::new("a column of terms does not say who is in the cells");
        if keys.len() != self.keys.len() || self.cells.iter().any(|cell| self.is_beyond(cell)) {
            return Ok(None);
        }
        let lists = column.as_binary_opt::<i64>().ok_or_else(wrong)?;
        let mut asked = Vec::new();
        for row in rows {
            let group = self.keys.iter().zip(keys).filter_map(|(key, values)| Some((key.as_ref()?, values)));
            let group = group.map(|(key, values)| Condition::equal(key, values, row));
            let group: BTreeSet<Condition> = group.collect::<Result<_, Bug>>()?;
            let bytes = if lists.is_null(row) { &[][..] } else { lists.value(row) };
            let numbers = numbers(bytes).ok_or_else(wrong)?;
            let records = self.records(&numbers).ok_or_else(wrong)?;
            for cell in &self.cells {
                let aggregate = cell.aggregate;
                let cell = Asked {
                    recipe: self.recipe(cell, &group)?,
                    sum: sum(cell, &records).ok_or_else(wrong)?,
                    withheld: !passes(aggregate, row),
                };
                asked.push(AskedOf { aggregate, row, cell });
            }
        }
        Ok(Some(asked))
    }

    fn records<'a>(&self, numbers: &'a [u64]) -> Option<Vec<Record<'a>>> {
        let length = self.measures.checked_add(3)?;
        let record = |numbers: &'a [u64]| match numbers {
            [person, populations, times, values @ ..] => {
                Some(Record { person: *person, populations: *populations, times: *times, values })
            }
            _ => None,
        };
        let chunks = numbers.chunks_exact(length);
        chunks.remainder().is_empty().then(|| chunks.map(record).collect())?
    }

    /// What a cell of a group is asked as: by its conditions, in whatever order and place they were written.
    fn recipe(&self, cell: &MeasuredCell, group: &BTreeSet<Condition>) -> Result<Recipe, Bug> {
        let of = |summand: &Summand| {
            let own = self.populations.get(summand.population);
            own.ok_or_else(|| Bug::new("a cell adds up a population that there is not"))
        };
        let mut populations = cell.summands.iter().map(of).collect::<Result<Vec<_>, Bug>>()?;
        populations.sort();
        populations.dedup();
        let mut digest = Context::new(&SHA256);
        let mut columns = BTreeSet::new();
        for population in populations {
            let conditions: BTreeSet<&Condition> = population.iter().chain(group).collect();
            for condition in conditions {
                digest.update(&condition.text.len().to_le_bytes());
                digest.update(condition.text.as_bytes());
                columns.extend(condition.columns.iter().cloned());
            }
            digest.update(&usize::MAX.to_le_bytes());
        }
        let hash = digest.finish();
        let half = hash.as_ref().get(..16).unwrap_or_default();
        Ok(Recipe { condition: half.iter().map(|byte| format!("{byte:02x}")).collect(), columns })
    }
}

fn numbers(bytes: &[u8]) -> Option<Vec<u64>> {
    let chunks = bytes.chunks_exact(8);
    let whole = chunks.remainder().is_empty();
    whole.then(|| chunks.map(|chunk| chunk.try_into().ok().map(u64::from_le_bytes)).collect())?
}

/// The terms of a cell.
fn sum(cell: &MeasuredCell, records: &[Record<'_>]) -> Option<Sum> {
    let mut sum: BTreeMap<Term, i64> = BTreeMap::new();
    for record in records {
        for summand in &cell.summands {
            let population = u32::try_from(summand.population).ok()?;
            if record.populations.checked_shr(population)? & 1 == 0 {
                continue;
            }
            if cell.of_people {
                sum.insert(Term { person: record.person, value: 0 }, 1);
                continue;
            }
            let value = match summand.measure.checked_sub(1) {
                None => 0,
                Some(at) => *record.values.get(at)?,
            };
            let times = i64::try_from(record.times).ok()?;
            let times = if summand.negative { times.checked_neg()? } else { times };
            let all = sum.entry(Term { person: record.person, value }).or_default();
            *all = all.checked_add(times)?;
        }
    }
    sum.retain(|_, times| *times != 0);
    Some(sum)
}

/// A group's value in the column of terms: its records, one after the other.
pub fn written(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}
