//! What adds up behind one cell, and the cell that comes of it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, UInt8Array};

use super::columns::{Partial, Values, WITHHELD};
use super::merge::MergeError;
use liquid_engine::federated::recipe::{Cell, PartialKind, Recipe};

/// A partial result over all sites so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Accumulated {
    sum: Total,
    mark: u8,
    /// The answer that added the largest whole number, and how large that was.
    largest: (usize, u64),
}

#[derive(Debug, Clone, Copy, Default)]
enum Total {
    #[default]
    Nothing,
    Integer(i128),
    Float(f64),
}

impl Accumulated {
    /// Adds what the answer of this number says in a row.
    pub(super) fn add(&mut self, partial: &Partial, row: usize, number: usize) {
        self.mark = self.mark.max(partial.marks.value(row));
        self.sum = match (&partial.values, self.sum) {
            (Values::Integer(values), sum) if values.is_valid(row) => {
                let value = values.value(row);
                if value.unsigned_abs() > self.largest.1 {
                    self.largest = (number, value.unsigned_abs());
                }
                let value = i128::from(value);
                // At most one addend a site: 128 bits cannot overflow.
                Total::Integer(if let Total::Integer(sum) = sum { sum.saturating_add(value) } else { value })
            }
            (Values::Float(values), sum) if values.is_valid(row) => {
                let value = values.value(row);
                Total::Float(if let Total::Float(sum) = sum { sum + value } else { value })
            }
            (_, sum) => sum,
        };
    }

    fn integer(self) -> Result<Option<i64>, MergeError> {
        match self.sum {
            Total::Integer(sum) => {
                i64::try_from(sum).map(Some).map_err(|_| MergeError::Overflow(self.largest.0))
            }
            Total::Nothing | Total::Float(_) => Ok(None),
        }
    }

    fn float(self) -> Option<f64> {
        match self.sum {
            Total::Float(sum) => Some(sum),
            Total::Nothing | Total::Integer(_) => None,
        }
    }
}

/// The cell of every group, and its mark; NULL where it is withheld.
pub(super) fn columns(
    cell: Cell,
    recipe: &Recipe,
    groups: &[&[Accumulated]],
) -> Result<(ArrayRef, ArrayRef), MergeError> {
    let of = |number: usize| {
        groups
            .iter()
            .map(|group| group.get(number).copied())
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| MergeError::Bug("a cell without its partial result".to_owned()))
    };
    let (value, marks): (ArrayRef, Vec<u8>) = match cell {
        Cell::Count(count) => {
            let counts = of(count)?;
            let values = shown(&counts, |count| count.integer().map(|count| Some(count.unwrap_or(0))))?;
            (Arc::new(Int64Array::from(values)), marks(&counts))
        }
        Cell::Sum(sum) if recipe.partials.get(sum) == Some(&PartialKind::FloatSum) => {
            let sums = of(sum)?;
            (Arc::new(Float64Array::from(shown(&sums, |sum| Ok(sum.float()))?)), marks(&sums))
        }
        Cell::Sum(sum) => {
            let sums = of(sum)?;
            (Arc::new(Int64Array::from(shown(&sums, Accumulated::integer)?)), marks(&sums))
        }
        Cell::Avg { sum, count } => {
            let (sums, counts) = (of(sum)?, of(count)?);
            let both: Vec<u8> =
                marks(&sums).into_iter().zip(marks(&counts)).map(|(sum, count)| sum.max(count)).collect();
            let values = sums.iter().zip(&counts).zip(&both).map(|((sum, count), mark)| {
                let (Some(sum), Some(count)) = (sum.float(), count.integer()?) else { return Ok(None) };
                Ok((*mark != WITHHELD && count > 0).then(|| sum / count as f64))
            });
            (Arc::new(Float64Array::from(values.collect::<Result<Vec<_>, MergeError>>()?)), both)
        }
    };
    Ok((value, Arc::new(UInt8Array::from(marks))))
}
fn shown<T>(
    cells: &[Accumulated],
    value: impl Fn(Accumulated) -> Result<Option<T>, MergeError>,
) -> Result<Vec<Option<T>>, MergeError> {
    cells.iter().map(|cell| if cell.mark == WITHHELD { Ok(None) } else { value(*cell) }).collect()
}

fn marks(cells: &[Accumulated]) -> Vec<u8> {
    cells.iter().map(|cell| cell.mark).collect()
}
