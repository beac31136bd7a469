//! What lies above the cuts, rewritten to carry the marks of withheld cells through every operator and expression.
//!
//! A mark is a `UInt8`: 0 plain, 1 incomplete (rows may be missing), 2 withheld (the cell is NULL).
//!
//! Two things travel. *Withheld* (2) travels row by row, in mark columns beside the values: an expression has the
//! greatest mark of what it reads, an aggregate the greatest of its group, a window function the greatest of its frame.
//! *Incomplete* (1) is a fact about an operator: where one that drops or mixes rows (WHERE, HAVING, LIMIT after ORDER BY,
//! a window, DISTINCT, GROUP BY keys, join keys) reads a cell that is withheld in any row, everything it gives is incomplete.
//! Such a fact does not hang on rows, since there may be none left: each is a one-row plan of its own, a *taint*, and cells
//! only note which taints they are subject to. The last projection puts both together.
//!
//! 1. [`operator`]: one rule for each operator above the cuts, an exhaustive match.
//! 2. [`relation`]: values, marks and taints of one relation; what an expression reads of them.

mod operator;
mod relation;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_expr::{Expr, LogicalPlan};

use crate::error::PlanError;
use crate::marks::operator::Carrier;
use crate::marks::relation::{Marked, literal, project};

/// A plan above the cuts that carries marks.
#[derive(Debug, Clone)]
pub struct MarkedPlan {
    /// The answer: the query's `n` columns, then their `n` marks. Read it by position, and give the result the fields of
    /// [`MarkedPlan::output`]. A value is NULL wherever its mark is 2; a mark is never NULL.
    ///
    /// It scans `cut0`, `cut1` … with **twice** the columns of [`crate::Cut::output`]: the values `g0` … `a0` … and
    /// then, in the same order, their marks `g0_mark` … `a0_mark` … (`UInt8`; a NULL mark reads as 0). Public tables
    /// are scanned as they are, and are never marked. Give it sources by [`crate::bind_tables`].
    pub plan: LogicalPlan,
    /// One row, one Boolean column `rows_may_be_missing`, never NULL: an operator that drops or mixes rows read a withheld
    /// cell. It scans the same tables and is run beside `plan`, since an answer without rows has no cell to mark.
    pub rows_may_be_missing: LogicalPlan,
    /// The answer's columns: the analyst's own names, then `<column>_mark`; names may repeat. Values are nullable.
    pub output: SchemaRef,
}

/// The name of the one column of [`MarkedPlan::rows_may_be_missing`].
pub const ROWS_MAY_BE_MISSING: &str = "rows_may_be_missing";

/// The columns of a released table with its marks, as [`MarkedPlan::plan`] scans it.
pub fn with_marks(released: &Schema) -> SchemaRef {
    let marks =
        released.fields().iter().map(|f| Arc::new(Field::new(mark_name(f.name()), DataType::UInt8, true)));
    Arc::new(Schema::new(released.fields().iter().cloned().chain(marks).collect::<Vec<_>>()))
}

/// Rewrites [`crate::Request::upper`].
///
/// # Errors
/// [`PlanError::Bug`] for a plan that [`crate::cut`]() would not have made.
pub fn carry_marks(upper: &LogicalPlan) -> Result<MarkedPlan, PlanError> {
    crate::plan::on_big_stack(|| {
        let mut carrier = Carrier::default();
        let marked = carrier.carry(upper)?;
        answer(&carrier, marked, upper)
    })?
}

pub(crate) fn mark_name(column: &str) -> String {
    format!("{column}_mark")
}

/// Puts the analyst's names on, and joins row marks and taints.
fn answer(carrier: &Carrier, marked: Marked, upper: &LogicalPlan) -> Result<MarkedPlan, PlanError> {
    let (mut values, mut marks, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (cell, (qualifier, field))) in marked.cells.iter().zip(upper.schema().iter()).enumerate() {
        values.push(Expr::Column(cell.value.clone()).alias_qualified(qualifier.cloned(), field.name()));
        let mark = carrier.mark(cell)?.unwrap_or_else(|| literal(0));
        // Names may repeat in an answer; the qualifier keeps them apart in the plan.
        marks.push(mark.alias_qualified(Some(format!("liquid_mark_{index}")), mark_name(field.name())));
        fields.push(Field::new(field.name(), field.data_type().clone(), true));
    }
    let marks_of =
        fields.iter().map(|f| Field::new(mark_name(f.name()), DataType::UInt8, false)).collect::<Vec<_>>();
    let output = Arc::new(Schema::new(fields.into_iter().chain(marks_of).collect::<Vec<_>>()));
    let plan = project(marked.plan, values.into_iter().chain(marks).collect())?;
    Ok(MarkedPlan { plan, rows_may_be_missing: carrier.any(&marked.taints)?, output })
}
