//! Which cells have enough contributors, in them and left out of them, and are spread over them.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::cells::Layout;
use crate::differences::{Family, read, told_together, work};
use crate::history::{self, Answer, Asked};
use crate::measured::{AskedOf, Measured};
use crate::released::{Bug, Memory};

/// The verdict over one cut's result.
pub(crate) struct Verdict {
    /// Rows that stand in the released table.
    pub(crate) keep: BooleanArray,
    /// For each aggregate and each row that is kept, whether its cell is withheld; no NULL.
    pub(crate) withheld: Vec<BooleanArray>,
    /// Cells that show what was answered before, over all rows.
    pub(crate) earlier: Vec<Earlier>,
}

/// A cell that shows what was answered before.
pub(crate) struct Earlier {
    pub(crate) aggregate: usize,
    pub(crate) row: usize,
    pub(crate) answer: Answer,
}

/// Judges every cell.
///
/// A cell is released where `minimum` entities are in its group, each of its branches has `minimum` contributors, and so has
/// what its conditions leave out, unless nothing can be left out at all. Where the agreement has a rule on it, both
/// must be spread over their contributors as well. What passes is judged together: cells of a family that could be taken from one
/// another are withheld in the order of the aggregates, until what is left tells of `minimum` entities. A group that is not declared stands there only
/// if `minimum` entities are in it. What the engine did not count is none: a NULL never helps a cell out. Where there is a memory of what was
/// released before, what passes is judged beside that as well.
pub(crate) fn judge(
    batch: &RecordBatch,
    layout: &Layout,
    minimum: u32,
    memory: Option<(Memory<'_>, String)>,
) -> Result<Verdict, Bug> {
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
    let nobody_out: Vec<_> = layout.branches.iter().map(|_| flags(next()?)).collect::<Result<_, _>>()?;
    if layout.concentrated {
        for judged in inside.iter_mut().chain(&mut outside) {
            *judged = both(judged, &flags(next()?)?);
        }
    }
    let cells = inside.into_iter().zip(outside).zip(nobody_out);
    let mut pass: Vec<Vec<bool>> =
        cells.map(|((inside, outside), nobody_out)| both(&inside, &either(&outside, &nobody_out))).collect();
    for family in &layout.families {
        let told = families(next()?, family, &pass, minimum)?;
        told.into_iter().for_each(|(aggregate, row)| hide(&mut pass, aggregate, row));
    }
    let mut earlier = Vec::new();
    match (&layout.measured, memory) {
        (Some(measured), Some(memory)) => {
            let (told, shown) = remembered(measured, memory, (batch, layout, next()?), (&keep, &pass))?;
            told.into_iter().for_each(|(aggregate, row)| hide(&mut pass, aggregate, row));
            for Earlier { aggregate, row, .. } in &shown {
                if let Some(cell) = pass.get_mut(*aggregate).and_then(|cells| cells.get_mut(*row)) {
                    *cell = true;
                }
            }
            earlier = shown;
        }
        (None, None) => {}
        (None, Some(_)) => return Err(Bug::new("a result does not say what its cells add up")),
        (Some(_), None) => return Err(Bug::new("a result says what its cells add up, and nobody asked")),
    }
    let kept = pass.into_iter().map(|pass| {
        let kept = pass.into_iter().zip(&keep).filter_map(|(pass, keep)| keep.then_some(!pass));
        kept.collect::<Vec<_>>().into()
    });
    Ok(Verdict { withheld: kept.collect(), keep: keep.into(), earlier })
}

/// The cells, by aggregate and row, that must be withheld for what was released before, and those that show an earlier answer.
///
/// Who asks again gets what they got: where as good as nothing has changed and where nothing has, so that they cannot tell which. What the rules of one cell
/// withhold today stays withheld, unless they were the same when it was given out.
fn remembered(
    measured: &Measured,
    (Memory { history, bounds, today }, under): (Memory<'_>, String),
    (batch, layout, column): (&RecordBatch, &Layout, &ArrayRef),
    (keep, pass): (&[bool], &[Vec<bool>]),
) -> Result<(Vec<(usize, usize)>, Vec<Earlier>), Bug> {
    let kept = || keep.iter().enumerate().filter(|(_, keep)| **keep).map(|(row, _)| row);
    let passes = |aggregate: usize, row: usize| {
        pass.get(aggregate).and_then(|cells| cells.get(row)).copied().unwrap_or(false)
    };
    let (keys, visible) = (batch.columns().get(..layout.groups).unwrap_or_default(), layout.visible());
    let Some(asked) = measured.asked(keys, column, kept(), passes)? else {
        let all = measured.cells.iter().flat_map(|cell| kept().map(move |row| (cell.aggregate, row)));
        return Ok((all.collect(), Vec::new()));
    };
    let mut figures: BTreeMap<(usize, usize), (String, bool)> = BTreeMap::new();
    for AskedOf { aggregate, row, cell } in &asked {
        let (words, _) = figures.entry((*aggregate, *row)).or_insert_with(|| (String::new(), true));
        words.push_str(&cell.recipe.condition);
    }
    let cells: Vec<Asked> = asked.iter().map(|it| it.cell.clone()).collect();
    for (AskedOf { aggregate, row, .. }, verdict) in asked.iter().zip(history.judge(&cells, bounds)) {
        if let (Some((_, passes)), history::Verdict::Withheld(_)) =
            (figures.get_mut(&(*aggregate, *row)), verdict)
        {
            *passes = false;
        }
    }
    let values = batch.columns().get(layout.groups..visible).unwrap_or_default();
    let (mut hidden, mut earlier) = (Vec::new(), Vec::new());
    for ((aggregate, row), (conditions, passes)) in figures {
        let words =
            measured.aggregates.get(aggregate).ok_or_else(|| Bug::new("an aggregate has no words"))?;
        let asked = format!("{words} {conditions}");
        let column = values.get(aggregate).ok_or_else(|| Bug::new("an aggregate has no column"))?;
        let value = if column.is_null(row) { None } else { Some(in_words(column, row)?) };
        let known = history.answered(&asked).filter(|known| known.under == under);
        match (passes, value, known) {
            (true, Some(value), Some(known)) if is_same(&value, &known.value) => {
                earlier.push(Earlier { aggregate, row, answer: known.clone() });
            }
            (true, Some(value), _) => {
                history.answer(asked, Answer { value, day: today, under: under.clone() });
            }
            (true, None, _) => {}
            (false, _, Some(known)) => earlier.push(Earlier { aggregate, row, answer: known.clone() }),
            (false, _, None) => hidden.push((aggregate, row)),
        }
    }
    Ok((hidden, earlier))
}

/// Whether a figure is what it was: sums of floats can differ in their last bits from one time to the next.
fn is_same(value: &str, known: &str) -> bool {
    let close = |one: f64, other: f64| (one - other).abs() <= 1e-9 * one.abs().max(other.abs());
    value == known || value.parse().ok().zip(known.parse().ok()).is_some_and(|(one, other)| close(one, other))
}

fn in_words(column: &ArrayRef, row: usize) -> Result<String, Bug> {
    let formatter = ArrayFormatter::try_new(column, &FormatOptions::default())?;
    Ok(formatter.value(row).try_to_string()?)
}

/// How much work is done for the families of one answer; some seconds where nothing is optimised.
const WORK: u64 = 300_000_000;

/// The cells, by aggregate and row, that a family of cells must withhold beside what does not pass.
fn families(
    column: &ArrayRef,
    family: &Family,
    pass: &[Vec<bool>],
    minimum: u32,
) -> Result<Vec<(usize, usize)>, Bug> {
    let wrong = || Bug::new("a column of a family of cells does not say who is in them");
    let texts = column.as_string_opt::<i32>().ok_or_else(wrong)?;
    let k = usize::try_from(minimum).unwrap_or(usize::MAX);
    let (mut told, mut left) = (Vec::new(), WORK);
    for (row, text) in texts.iter().enumerate() {
        let withheld: Vec<bool> = pass.iter().map(|pass| !pass.get(row).copied().unwrap_or(false)).collect();
        let atoms = read(text.unwrap_or_default()).ok_or_else(wrong)?;
        let hidden = match left.checked_sub(work(family, &atoms)) {
            Some(rest) => {
                left = rest;
                told_together(family, &atoms, &withheld, k)
            }
            // Nobody waits for what comes after that: it is withheld.
            None => family.cells.iter().map(|cell| cell.aggregate).collect(),
        };
        told.extend(hidden.into_iter().map(|aggregate| (aggregate, row)));
    }
    Ok(told)
}

fn hide(pass: &mut [Vec<bool>], aggregate: usize, row: usize) {
    if let Some(cell) = pass.get_mut(aggregate).and_then(|cells| cells.get_mut(row)) {
        *cell = false;
    }
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
        .ok_or_else(|| Bug::new("a hidden column that says yes or no is not Boolean"))?;
    Ok(flags.iter().map(|flag| flag == Some(true)).collect())
}

fn both(one: &[bool], other: &[bool]) -> Vec<bool> {
    one.iter().zip(other).map(|(one, other)| *one && *other).collect()
}

fn either(one: &[bool], other: &[bool]) -> Vec<bool> {
    one.iter().zip(other).map(|(one, other)| *one || *other).collect()
}
