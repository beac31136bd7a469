//! Released tables: what may go on the wire. [`disclose`] makes them from withheld cells under a permit; [`finish`] is
//! the only other constructor, for what was computed over released tables alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, StringArray, UInt8Array};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::kernels::zip::zip;
use arrow::compute::{CastOptions, cast_with_options, filter_record_batch, nullif};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use chrono::NaiveDate;
use liquid_policy::Permit;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::cells::{Cells, Layout};
use crate::history::{Bounds, History};
use crate::threshold::{self, Verdict};
use crate::withheld::Withheld;

/// The clauses that can hide cells and groups of a guarded cut.
fn hiding(permit: &Permit, layout: &Layout, remembers: bool) -> BTreeSet<String> {
    let rules = permit.obligations().concentration;
    let clauses = [
        ("disclosure.minimum_contributors", layout.guarded),
        ("disclosure.dominance", layout.concentrated && rules.dominance.is_some()),
        ("disclosure.p_ratio", layout.concentrated && rules.p_ratio.is_some()),
        ("history", layout.guarded && remembers),
    ];
    clauses.into_iter().filter(|(_, holds)| *holds).map(|(clause, _)| clause.to_owned()).collect()
}

/// Why a cell is not simply its value. Marks travel as UInt8 columns, and the greater one wins where cells meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Mark {
    /// The cell is what it says.
    Plain = 0,
    /// Rows may be missing: an operator that drops or mixes rows read a withheld cell.
    Incomplete = 1,
    /// The cell is NULL because the agreement withholds it, or something it is computed from.
    Withheld = 2,
}

impl Mark {
    /// The mark that a mark column writes as this number.
    pub fn from_u8(mark: u8) -> Option<Self> {
        match mark {
            0 => Some(Self::Plain),
            1 => Some(Self::Incomplete),
            2 => Some(Self::Withheld),
            _ => None,
        }
    }
}

/// A value that may leave. Its field is private: see the module's head for who makes it.
#[derive(Debug, Clone)]
pub struct Released<T>(T);

impl<T> Released<T> {
    /// Looks at what was released.
    pub fn get(&self) -> &T {
        &self.0
    }
}

/// A released table: `n` columns of values, then their `n` marks.
#[derive(Debug, Clone)]
pub struct Table {
    batch: RecordBatch,
    groups_may_be_missing: bool,
    rows_may_be_missing: bool,
    clauses: BTreeSet<String>,
    earlier: Option<Earlier>,
}

impl Table {
    /// All 2n columns: the values, nullable, then their marks, UInt8 without NULL. A value is NULL where its mark says
    /// that it is withheld.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// How many columns of values there are: n.
    pub fn columns(&self) -> usize {
        self.batch.num_columns() / 2
    }

    /// How many rows there are. All of them were released, so the number tells nothing more.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// How many cells are withheld; each of them is marked.
    pub fn withheld(&self) -> u64 {
        let marked =
            |marks: &UInt8Array| marks.values().iter().filter(|m| **m == Mark::Withheld as u8).count();
        let marks = self.batch.columns().iter().skip(self.columns());
        let cells: usize = marks.filter_map(|m| m.as_any().downcast_ref::<UInt8Array>()).map(marked).sum();
        u64::try_from(cells).unwrap_or(u64::MAX)
    }

    /// Groups whose keys are not all declared may be missing: few and none look alike.
    pub fn groups_may_be_missing(&self) -> bool {
        self.groups_may_be_missing
    }

    /// Rows may be missing above the cut: an operator that drops or mixes rows read a withheld cell.
    pub fn rows_may_be_missing(&self) -> bool {
        self.rows_may_be_missing
    }

    /// Figures of an earlier day that it shows, or that went into it.
    pub fn earlier(&self) -> Option<&Earlier> {
        self.earlier.as_ref()
    }

    /// The clauses that can hide a cell or a group in an answer like this one. Which one did stays sealed.
    pub fn clauses(&self) -> &BTreeSet<String> {
        &self.clauses
    }
}

/// The engine or the code between broke its word. The text is for the operator's log; nothing was released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Bug(String);

impl Bug {
    /// Of something that could not be done and always can.
    pub fn from_display(what: &dyn std::fmt::Display) -> Self {
        Self(what.to_string())
    }

    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl From<ArrowError> for Bug {
    fn from(error: ArrowError) -> Self {
        Self(format!("released columns do not fit together: {error}"))
    }
}

/// All that was released before, beside which cells are judged, and how much of it may be kept.
#[derive(Debug)]
pub struct Memory<'a> {
    /// What was released before; what is released now is in it afterwards.
    pub history: &'a mut History,
    /// How far it may grow.
    pub bounds: Bounds,
    /// The day of which figures are that are given out now.
    pub today: NaiveDate,
}

/// Figures that were given out before, and are shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// How many of them are shown.
    pub figures: u64,
    /// The day of the oldest of them.
    pub since: NaiveDate,
}

impl Earlier {
    /// Those of several tables.
    pub fn together(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter().reduce(|one, other| Self {
            figures: one.figures.saturating_add(other.figures),
            since: one.since.min(other.since),
        })
    }
}

/// Releases what the permit's agreement lets through: withheld cells become NULL with a mark, groups that may not be seen
/// go, and the hidden columns stay behind. Where there is a memory, what has come to be kept in it must be durable before anything leaves.
///
/// # Errors
/// Where the result has not the form that was permitted. Nothing is released then.
pub fn disclose(
    cells: Withheld<Cells>,
    permit: &Permit,
    memory: Option<Memory<'_>>,
) -> Result<Released<Table>, Bug> {
    let Cells { batch, layout } = cells.unwrap_for_disclosure();
    fits(&batch, &layout, permit)?;
    let remembers = memory.is_some();
    let today = memory.as_ref().map(|memory| memory.today);
    let (batch, verdict) = match permit.obligations().minimum {
        Some(minimum) => {
            let under = rules(permit);
            let verdict = threshold::judge(&batch, &layout, minimum, memory.map(|memory| (memory, under)))?;
            let batch = with_earlier(&batch, layout.groups, &verdict.earlier)?;
            (filter_record_batch(&batch, &verdict.keep)?, Some(verdict))
        }
        None => (batch, None),
    };
    let mut values = Vec::with_capacity(layout.visible());
    let mut marks = Vec::with_capacity(layout.visible());
    for (index, column) in batch.columns().iter().take(layout.visible()).enumerate() {
        let withheld = match (&verdict, index.checked_sub(layout.groups)) {
            (Some(verdict), Some(aggregate)) => Some(cells_of(verdict, aggregate)?),
            (None, _) | (_, None) => None,
        };
        marks.push(mark(column.len(), withheld));
        values.push(match withheld {
            Some(withheld) => nullif(column, withheld)?,
            None => Arc::clone(column),
        });
    }
    let table = Table {
        batch: assemble(&layout.visible_names(), values, marks, batch.num_rows())?,
        groups_may_be_missing: layout.guarded && !layout.declared,
        rows_may_be_missing: false,
        clauses: hiding(permit, &layout, remembers),
        earlier: verdict.and_then(|verdict| of_earlier_days(&verdict.earlier, today?)),
    };
    Ok(Released(table))
}

/// Releases what was computed over released tables alone: 2n columns, values and then their marks. What may be missing from
/// the inputs may be missing from the result.
///
/// # Errors
/// Where the columns are not values and their marks. Nothing is released then.
pub fn finish(
    inputs: &[&Released<Table>],
    batch: RecordBatch,
    rows_may_be_missing: bool,
) -> Result<Released<Table>, Bug> {
    if !batch.num_columns().is_multiple_of(2) {
        return Err(Bug::new("a finished table has a column without its mark"));
    }
    let columns = batch.num_columns() / 2;
    let schema = batch.schema();
    let names: Vec<_> = schema.fields().iter().take(columns).map(|field| field.name().clone()).collect();
    let mut values = Vec::with_capacity(columns);
    let mut marks: Vec<ArrayRef> = Vec::with_capacity(columns);
    let mut incomplete = rows_may_be_missing;
    for (value, mark) in batch.columns().iter().zip(batch.columns().iter().skip(columns)) {
        let mark = readable(mark)?;
        incomplete |= mark.values().contains(&(Mark::Incomplete as u8));
        let withheld = eq(mark, &UInt8Array::new_scalar(Mark::Withheld as u8))?;
        values.push(nullif(value, &withheld)?);
        marks.push(Arc::new(mark.clone()));
    }
    let tables = || inputs.iter().map(|input| input.get());
    let table = Table {
        batch: assemble(&names, values, marks, batch.num_rows())?,
        groups_may_be_missing: tables().any(Table::groups_may_be_missing),
        rows_may_be_missing: incomplete || tables().any(Table::rows_may_be_missing),
        clauses: tables().flat_map(Table::clauses).cloned().collect(),
        earlier: Earlier::together(tables().filter_map(|table| table.earlier.clone())),
    };
    Ok(Released(table))
}

/// A hash of all that a permit obliges to: who is in a table, and which of its values count, are in it. What was given out under other rules is not
/// shown under these.
fn rules(permit: &Permit) -> String {
    let hash = digest(&SHA256, format!("{:?}", permit.obligations()).as_bytes());
    hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The rows with figures that were given out before in the place of today's.
fn with_earlier(
    batch: &RecordBatch,
    groups: usize,
    earlier: &[threshold::Earlier],
) -> Result<RecordBatch, Bug> {
    let mut columns = batch.columns().to_vec();
    for (at, column) in columns.iter_mut().enumerate().skip(groups) {
        let own: BTreeMap<usize, &str> = earlier
            .iter()
            .filter(|it| it.aggregate + groups == at)
            .map(|it| (it.row, it.answer.value.as_str()))
            .collect();
        if !own.is_empty() {
            let rows = 0..column.len();
            let words: StringArray = rows.clone().map(|row| own.get(&row).copied()).collect();
            let figures = cast_with_options(
                &words,
                column.data_type(),
                &CastOptions { safe: false, ..CastOptions::default() },
            )?;
            let is_earlier: BooleanArray = rows.map(|row| Some(own.contains_key(&row))).collect();
            *column = zip(&is_earlier, &figures, column)?;
        }
    }
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

fn of_earlier_days(earlier: &[threshold::Earlier], today: NaiveDate) -> Option<Earlier> {
    let days = earlier.iter().map(|it| it.answer.day).filter(|day| *day != today);
    Earlier::together(days.map(|since| Earlier { figures: 1, since }))
}

/// Whether a result has the form that was permitted. An engine that forgot its obligations is caught here.
fn fits(batch: &RecordBatch, layout: &Layout, permit: &Permit) -> Result<(), Bug> {
    if *layout != Layout::of(permit, layout.declared, layout.families.clone(), layout.measured.clone()) {
        return Err(Bug::new("the layout of a result is not the one that the permit demands"));
    }
    if layout.branches.contains(&0) {
        return Err(Bug::new("an aggregate without a branch has no contributors to count"));
    }
    let obligations = permit.obligations();
    let rules = if permit.footprint().step.is_some() { &obligations.step } else { &obligations.columns };
    let declared = |name| rules.get(name).is_some_and(|rule| rule.domain.is_some());
    let keys = permit.footprint().groups.iter().flat_map(|key| &key.columns);
    if layout.declared && !keys.into_iter().all(declared) {
        return Err(Bug::new(
            "a result says that its groups are declared, but a group key has no declared domain",
        ));
    }
    layout.accepts(batch.schema_ref()).map_err(Bug::new)
}

/// Where the cells of one aggregate are withheld, over the rows that are kept.
fn cells_of(verdict: &Verdict, aggregate: usize) -> Result<&BooleanArray, Bug> {
    verdict.withheld.get(aggregate).ok_or_else(|| Bug::new("an aggregate was not judged"))
}

fn mark(rows: usize, withheld: Option<&BooleanArray>) -> ArrayRef {
    let marks = match withheld {
        Some(withheld) => withheld
            .values()
            .iter()
            .map(|withheld| if withheld { Mark::Withheld } else { Mark::Plain } as u8)
            .collect(),
        None => vec![Mark::Plain as u8; rows],
    };
    Arc::new(UInt8Array::from(marks))
}

/// A mark column: UInt8, no NULL, only marks that there are.
fn readable(column: &ArrayRef) -> Result<&UInt8Array, Bug> {
    let marks = column.as_any().downcast_ref::<UInt8Array>();
    let marks = marks.ok_or_else(|| Bug::new("a column of marks is not UInt8"))?;
    if marks.null_count() > 0 || marks.values().iter().any(|mark| Mark::from_u8(*mark).is_none()) {
        return Err(Bug::new("a column of marks holds something that is no mark"));
    }
    Ok(marks)
}

fn assemble(
    names: &[String],
    values: Vec<ArrayRef>,
    marks: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, Bug> {
    let value = |(name, column): (&String, &ArrayRef)| Field::new(name, column.data_type().clone(), true);
    let mark = |name: &String| Field::new(format!("{name}_mark"), DataType::UInt8, false);
    let fields: Vec<_> = names.iter().zip(&values).map(value).chain(names.iter().map(mark)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let columns = values.into_iter().chain(marks).collect();
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}
