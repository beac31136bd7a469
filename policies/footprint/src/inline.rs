//! What lies below a cut becomes expressions over the base columns of one protected table: projections are put in where
//! they are named, filters are joined by AND, aliases vanish. Everything else that can stand in a plan is refused.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion_common::{Column, DFSchema};
use datafusion_expr::{Expr, LogicalPlan};
use liquid_policy::Code;

use crate::catalogue::{Opaque, TableKind};
use crate::error::{PlanError, lift, lower};
use crate::expression::{Size, admit_condition, boolean, size};

/// The rows of one protected table, as a part of a plan sees them.
#[derive(Debug)]
pub(crate) struct Rows {
    /// The table.
    pub(crate) table: Arc<Opaque>,
    /// Its columns, unqualified.
    pub(crate) base: DFSchema,
    /// What each column of the plan's output is, over base columns.
    columns: Vec<Expr>,
    /// Conditions, all of which a row must meet.
    conditions: Vec<Expr>,
}

impl Rows {
    /// Writes an expression over `schema`, the output of the plan that these rows were read from, over base columns.
    pub(crate) fn resolve(&self, expr: &Expr, schema: &DFSchema) -> Result<Expr, PlanError> {
        self.size_resolved(expr, schema).bounded()?;
        expr.clone()
            .transform_up(|e| match &e {
                Expr::Column(column) => match self.column(column, schema) {
                    Ok(found) => Ok(Transformed::yes(found.clone())),
                    Err(error) => Err(lift(error)),
                },
                _ => Ok(Transformed::no(e)),
            })
            .data()
            .map_err(lower)
    }

    /// WHERE: every condition, in the row-level language; none where every row passes.
    pub(crate) fn filter(&self) -> Result<Option<Expr>, PlanError> {
        let Some(all) = self.conditions.iter().cloned().reduce(Expr::and) else { return Ok(None) };
        size(&all).bounded()?;
        let filter = admit_condition(&all, &self.base)?;
        Ok(Some(filter).filter(|f| *f != boolean(true)))
    }

    fn column(&self, column: &Column, schema: &DFSchema) -> Result<&Expr, PlanError> {
        let index = schema.index_of_column(column).map_err(PlanError::bug)?;
        self.columns.get(index).ok_or_else(|| PlanError::bug("a column beyond its schema"))
    }

    fn size_resolved(&self, expr: &Expr, schema: &DFSchema) -> Size {
        let mut columns = Size::default();
        for (column, copies) in expr.column_refs_counts() {
            let Size { nodes, depth } =
                self.column(column, schema).map_or(Size::default(), size).times(copies);
            columns = Size { nodes: columns.nodes.saturating_add(nodes), depth: columns.depth.max(depth) };
        }
        size(expr).with(columns)
    }
}

/// Reads the part of a plan below a cut.
#[deny(clippy::wildcard_enum_match_arm)] // a new variant must not compile unseen
pub(crate) fn rows(plan: &LogicalPlan) -> Result<Rows, PlanError> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let mut rows = rows(&projection.input)?;
            let schema = projection.input.schema();
            let columns: Result<Vec<_>, _> =
                projection.expr.iter().map(|e| rows.resolve(e, schema)).collect();
            rows.columns = columns?;
            let nodes = rows.columns.iter().map(|e| size(e).nodes).fold(0, usize::saturating_add);
            Size { nodes, depth: 0 }.bounded()?;
            Ok(rows)
        }
        LogicalPlan::Filter(filter) => {
            let mut rows = rows(&filter.input)?;
            let condition = rows.resolve(&filter.predicate, filter.input.schema())?;
            rows.conditions.push(condition);
            Ok(rows)
        }
        LogicalPlan::SubqueryAlias(alias) => rows(&alias.input),
        LogicalPlan::TableScan(scan) => {
            let Some(table) = Opaque::of(&scan.source) else {
                return Err(PlanError::bug("a source of no catalogue"));
            };
            if table.kind() != TableKind::Protected {
                return Err(PlanError::bug("a cut over a table that is not protected"));
            }
            if scan.projection.is_some() || !scan.filters.is_empty() || scan.fetch.is_some() {
                return Err(PlanError::bug("an optimised scan"));
            }
            let base = DFSchema::try_from(Arc::clone(table.columns())).map_err(PlanError::bug)?;
            let columns =
                base.fields().iter().map(|f| Expr::Column(Column::new_unqualified(f.name()))).collect();
            Ok(Rows { table: Arc::new(table.clone()), base, columns, conditions: Vec::new() })
        }
        LogicalPlan::Join(_) => Err(PlanError::refused(
            Code::JoinKey,
            "joins",
            "tables cannot be joined below an aggregate yet",
            "aggregate each table by itself and join the results",
        )),
        LogicalPlan::Window(_) => Err(no_place("a window function", "aggregate first")),
        LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) => {
            Err(no_place("an aggregate joined with rows", "aggregate each by itself"))
        }
        LogicalPlan::Sort(_) => Err(no_place("ORDER BY", "order the aggregated result")),
        LogicalPlan::Limit(_) => Err(no_place("LIMIT", "limit the aggregated result")),
        LogicalPlan::Union(_) => Err(no_place("UNION", "aggregate each part, then unite the results")),
        LogicalPlan::Unnest(_) => Err(no_place("UNNEST", "leave it out")),
        LogicalPlan::RecursiveQuery(_) => Err(no_place("a recursive query", "leave it out")),
        LogicalPlan::Subquery(_) => Err(no_place("LATERAL", "leave it out")),
        LogicalPlan::Repartition(_) => Err(no_place("DISTRIBUTE BY", "leave it out")),
        LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => {
            Err(no_place("a literal table", "leave it out"))
        }
        LogicalPlan::Extension(_) => Err(no_place("an extension", "leave it out")),
        LogicalPlan::Statement(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::DescribeTable(_) => Err(no_place("a statement", "ask with a single SELECT")),
    }
}

fn no_place(what: &str, fix: &str) -> PlanError {
    let message = format!("{what} has no place below an aggregate over a protected table");
    PlanError::refused(Code::PlanNode, "plan", message, fix)
}
