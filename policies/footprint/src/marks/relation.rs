//! Values, marks and taints of one relation, and what an expression reads of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion_common::{Column, DFSchema, ScalarValue};
use datafusion_expr::{Expr, LogicalPlan, Projection};
use datafusion_functions::core::expr_fn::greatest;

use crate::error::PlanError;

/// The mark of a withheld cell.
pub(crate) const WITHHELD: u8 = 2;

/// A taint: the index of a one-row plan in its [`super::operator::Carrier`].
pub(crate) type Taints = BTreeSet<usize>;

/// One column of a rewritten relation. Its value is NULL wherever its mark is 2, from where it is computed on: whatever
/// reads it, a `coalesce` or a condition, reads what the analyst sees.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// Where its value is.
    pub(crate) value: Column,
    /// Where its mark is (0 or 2, never NULL); none where it can only be 0.
    pub(crate) mark: Option<Column>,
    /// The taints that make it incomplete.
    pub(crate) taints: Taints,
}

/// A rewritten relation. Its plan's columns are unqualified and unique in the whole rewritten plan; `cells` stand in the
/// order of the original relation's columns.
#[derive(Debug, Clone)]
pub(crate) struct Marked {
    pub(crate) plan: LogicalPlan,
    pub(crate) cells: Vec<Cell>,
    /// Every taint of the relation: rows may be missing from it, whether or not any is left to be marked.
    pub(crate) taints: Taints,
    /// What a LIMIT above would read: the order of the rows.
    pub(crate) order: Option<Order>,
}

/// The cells that an ORDER BY read.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) plan: LogicalPlan,
    pub(crate) read: Read,
}

impl Marked {
    /// Subjects the relation and each of its cells to some taints.
    pub(crate) fn tainted(mut self, taints: &Taints) -> Self {
        self.taints.extend(taints);
        for cell in &mut self.cells {
            cell.taints.extend(taints);
        }
        self
    }

    /// The mark columns of every cell.
    pub(crate) fn marks(&self) -> BTreeSet<Column> {
        self.cells.iter().filter_map(|c| c.mark.clone()).collect()
    }
}

/// What an expression, rewritten, is and reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Read {
    /// The mark columns that it reads.
    pub(crate) marks: BTreeSet<Column>,
    /// The marks of its scalar subqueries.
    pub(crate) subqueries: Vec<Expr>,
    /// The taints of the cells that it reads.
    pub(crate) taints: Taints,
    /// The taints of its scalar subqueries: they concern the whole relation that is computed with them.
    pub(crate) relation: Taints,
}

impl Read {
    pub(crate) fn join(&mut self, other: Self) {
        self.marks.extend(other.marks);
        self.subqueries.extend(other.subqueries);
        self.taints.extend(other.taints);
        self.relation.extend(other.relation);
    }

    /// The greatest mark of all that is read; none where nothing can be marked.
    pub(crate) fn mark(&self) -> Option<Expr> {
        greatest_of(
            self.marks.iter().cloned().map(Expr::Column).chain(self.subqueries.iter().cloned()).collect(),
        )
    }
}

/// Where the columns of an original plan are found in the rewritten one.
pub(crate) struct Scope<'a>(pub(crate) Vec<(&'a DFSchema, &'a [Cell])>);

impl Scope<'_> {
    pub(crate) fn find(&self, column: &Column) -> Result<&Cell, PlanError> {
        let found = self.0.iter().find_map(|(schema, cells)| {
            let index = schema.maybe_index_of_column(column)?;
            cells.get(index)
        });
        found.ok_or_else(|| PlanError::bug(format!("column `{column}` is in no input")))
    }
}

pub(crate) fn literal(mark: u8) -> Expr {
    Expr::Literal(ScalarValue::UInt8(Some(mark)), None)
}

pub(crate) fn is_withheld(mark: Expr) -> Expr {
    mark.eq(literal(WITHHELD))
}

/// A computed value, NULL where its mark says that it is withheld.
pub(crate) fn hidden(value: Expr, mark: Expr) -> Result<Expr, PlanError> {
    datafusion_expr::when(is_withheld(mark).is_not_true(), value).end().map_err(PlanError::bug)
}

/// The greatest of several marks.
pub(crate) fn greatest_of(mut marks: Vec<Expr>) -> Option<Expr> {
    match marks.len() {
        0 | 1 => marks.pop(),
        _ => Some(greatest(marks)),
    }
}

/// A mark that is 0 where there is none.
pub(crate) fn or_zero(mark: Expr) -> Expr {
    datafusion_functions::core::expr_fn::coalesce(vec![mark, literal(0)])
}

pub(crate) fn project(plan: LogicalPlan, columns: Vec<Expr>) -> Result<LogicalPlan, PlanError> {
    Projection::try_new(columns, Arc::new(plan)).map(LogicalPlan::Projection).map_err(PlanError::bug)
}
