//! Which cells have enough contributors, in them and left out of them.

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::record_batch::RecordBatch;

use crate::cells::Layout;
use crate::released::Bug;

/// The verdict over one cut's result.
pub(crate) struct Verdict {
    /// Rows that stand in the released table.
    pub(crate) keep: BooleanArray,
    /// For each aggregate and each row that is kept, whether its cell is withheld; no NULL.
    pub(crate) withheld: Vec<BooleanArray>,
}

/// Judges every cell.
///
/// A cell is released where `minimum` entities are in its group, each of its branches has `minimum` contributors, and so has
/// what its conditions leave out, unless nothing can be left out at all. A group that is not declared stands there only
/// if `minimum` entities are in it. What the engine did not count is none: a NULL never helps a cell out.
pub(crate) fn judge(batch: &RecordBatch, layout: &Layout, minimum: u32) -> Result<Verdict, Bug> {
    let mut hidden = batch.columns().iter().skip(layout.visible());
    let mut next = || hidden.next().ok_or_else(|| Bug::new("a hidden column is missing"));
    let present = enough(next()?, minimum)?;
    let mut inside = Vec::with_capacity(layout.branches.len());
    for branches in &layout.branches {
        let mut all = present.clone();
        for _ in 0..*branches {
            all = both(&all, &enough(next()?, minimum)?);
        }
        inside.push(all);
    }
    let mut outside = Vec::with_capacity(layout.branches.len());
    for _ in &layout.branches {
        outside.push(enough(next()?, minimum)?);
    }
    let keep: Vec<bool> = present.iter().map(|present| layout.declared || *present).collect();
    let mut withheld = Vec::with_capacity(layout.branches.len());
    for (inside, outside) in inside.into_iter().zip(outside) {
        let nobody_out = flags(next()?)?;
        let pass = both(&inside, &either(&outside, &nobody_out));
        let kept = pass.into_iter().zip(&keep).filter_map(|(pass, keep)| keep.then_some(!pass));
        withheld.push(kept.collect::<Vec<_>>().into());
    }
    Ok(Verdict { keep: keep.into(), withheld })
}

fn enough(column: &ArrayRef, minimum: u32) -> Result<Vec<bool>, Bug> {
    let counts = column
        .as_any()
        .downcast_ref::<UInt32Array>()
        .ok_or_else(|| Bug::new("a column of contributors is not UInt32"))?;
    Ok(counts.iter().map(|count| count.is_some_and(|count| count >= minimum)).collect())
}

fn flags(column: &ArrayRef) -> Result<Vec<bool>, Bug> {
    let flags = column
        .as_any()
        .downcast_ref::<BooleanArray>()
        .ok_or_else(|| Bug::new("a column that says whether anyone can be left out is not Boolean"))?;
    Ok(flags.iter().map(|flag| flag == Some(true)).collect())
}

fn both(one: &[bool], other: &[bool]) -> Vec<bool> {
    one.iter().zip(other).map(|(one, other)| *one && *other).collect()
}

fn either(one: &[bool], other: &[bool]) -> Vec<bool> {
    one.iter().zip(other).map(|(one, other)| *one || *other).collect()
}
