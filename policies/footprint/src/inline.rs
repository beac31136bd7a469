//! What lies below a cut becomes expressions over base columns: projections are put in where they are named, filters and
//! the conditions of inner joins are joined by AND, aliases vanish, one aggregate by entity becomes a step, whose keys and values
//! are the base columns of what stands above it. Everything else that can stand in a plan is refused.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion_common::{Column, DFSchema, JoinType, NullEquality};
use datafusion_expr::{Distinct, Expr, Join, LogicalPlan};
use liquid_policy::Code;
use liquid_policy::footprint::column_in_cut;

use crate::catalogue::{Opaque, TableKind};
use crate::error::{PlanError, lift, lower};
use crate::expression::{Size, size};
use crate::join::{Joined, separate};
use crate::site_query::{Step, base_column, base_schema};
use crate::step::Below;

/// The rows below a cut, as a part of a plan sees them.
#[derive(Debug)]
pub(crate) struct Rows {
    /// The tables, in the order in which the plan reads them.
    pub(crate) tables: Vec<Arc<Opaque>>,
    /// The base columns: those of the step, or of the tables, as a cut calls them.
    pub(crate) base: DFSchema,
    /// Join conditions, and WHERE over the base columns.
    pub(crate) joined: Joined,
    /// The step by entity.
    pub(crate) step: Option<Step>,
    /// What each column of the plan's output is, over base columns.
    columns: Vec<Expr>,
}

/// Reads the part of a plan below a cut.
pub(crate) fn rows(plan: &LogicalPlan) -> Result<Rows, PlanError> {
    let mut reader = Reader { scans: scans(plan), ..Reader::default() };
    let columns = reader.read(plan)?;
    let Reader { tables, conditions, below, .. } = reader;
    if let Some(Below { rows, step, lifted }) = below {
        let base = DFSchema::try_from(step.output(&rows.base)?).map_err(PlanError::bug)?;
        let Joined { filter, .. } = separate(lifted.into_iter().chain(conditions).collect(), 1, &base)?;
        let joined = Joined { joins: rows.joined.joins, filter };
        return Ok(Rows { tables: rows.tables, base, joined, step: Some(step), columns });
    }
    let base = DFSchema::try_from(tables_schema(&tables)).map_err(PlanError::bug)?;
    let joined = separate(conditions, tables.len(), &base)?;
    Ok(Rows { tables, base, joined, step: None, columns })
}

fn tables_schema(tables: &[Arc<Opaque>]) -> Schema {
    base_schema(tables.iter().map(|table| table.columns().as_ref()))
}

impl Rows {
    /// The columns of the tables, as a cut calls them.
    pub(crate) fn tables_schema(&self) -> Schema {
        tables_schema(&self.tables)
    }

    /// Of how many relations the base columns are.
    pub(crate) fn width(&self) -> usize {
        if self.step.is_some() { 1 } else { self.tables.len() }
    }

    /// Writes an expression over `schema`, the output of the plan that these rows were read from, over base columns.
    pub(crate) fn resolve(&self, expr: &Expr, schema: &DFSchema) -> Result<Expr, PlanError> {
        resolve(expr, schema, &self.columns)
    }
}

fn resolve(expr: &Expr, schema: &DFSchema, columns: &[Expr]) -> Result<Expr, PlanError> {
    let found = |column: &Column| {
        let index = schema.index_of_column(column).map_err(PlanError::bug)?;
        columns.get(index).ok_or_else(|| PlanError::bug("a column beyond its schema"))
    };
    let mut put_in = Size::default();
    for (column, copies) in expr.column_refs_counts() {
        let Size { nodes, depth } = found(column).map_or(Size::default(), size).times(copies);
        put_in = Size { nodes: put_in.nodes.saturating_add(nodes), depth: put_in.depth.max(depth) };
    }
    size(expr).with(put_in).bounded()?;
    expr.clone()
        .transform_up(|e| match &e {
            Expr::Column(column) => match found(column) {
                Ok(found) => Ok(Transformed::yes(found.clone())),
                Err(error) => Err(lift(error)),
            },
            _ => Ok(Transformed::no(e)),
        })
        .data()
        .map_err(lower)
}

/// How many tables a plan reads.
fn scans(plan: &LogicalPlan) -> usize {
    match plan {
        LogicalPlan::TableScan(_) => 1,
        other => other.inputs().into_iter().map(scans).sum(),
    }
}

/// Gathers tables and conditions on the way through a plan.
#[derive(Default)]
struct Reader {
    scans: usize,
    tables: Vec<Arc<Opaque>>,
    /// All of which a row must meet.
    conditions: Vec<Expr>,
    /// The step by entity, and what lies below it.
    below: Option<Below>,
    /// How many joins we stand in.
    joins: usize,
}

impl Reader {
    /// What each column of a plan's output is, over base columns.
    #[deny(clippy::wildcard_enum_match_arm)] // a new variant must not compile unseen
    fn read(&mut self, plan: &LogicalPlan) -> Result<Vec<Expr>, PlanError> {
        match plan {
            LogicalPlan::Projection(projection) => {
                let below = self.read(&projection.input)?;
                let schema = projection.input.schema();
                let columns = projection.expr.iter().map(|e| resolve(e, schema, &below));
                let columns = columns.collect::<Result<Vec<_>, _>>()?;
                let nodes = columns.iter().map(|e| size(e).nodes).fold(0, usize::saturating_add);
                Size { nodes, depth: 0 }.bounded()?;
                Ok(columns)
            }
            LogicalPlan::Filter(filter) => {
                let columns = self.read(&filter.input)?;
                self.conditions.push(resolve(&filter.predicate, filter.input.schema(), &columns)?);
                Ok(columns)
            }
            LogicalPlan::SubqueryAlias(alias) => self.read(&alias.input),
            LogicalPlan::TableScan(scan) => {
                let Some(table) = Opaque::of(&scan.source) else {
                    return Err(PlanError::bug("a source of no catalogue"));
                };
                if table.kind() != TableKind::Protected {
                    return Err(no_place(
                        "a table that no agreement protects",
                        "aggregate the protected tables, then join the result with it",
                    ));
                }
                if scan.projection.is_some() || !scan.filters.is_empty() || scan.fetch.is_some() {
                    return Err(PlanError::bug("an optimised scan"));
                }
                let at = self.tables.len();
                self.tables.push(Arc::new(table.clone()));
                let name = |own: &String| base_column(column_in_cut(self.scans, at, own).as_str());
                Ok(table.columns().fields().iter().map(|field| name(field.name())).collect())
            }
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Window(_) => Err(no_place("a window function", "aggregate first")),
            LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) if self.joins > 0 => {
                Err(no_place("an aggregate joined with rows", "aggregate each by itself"))
            }
            LogicalPlan::Aggregate(aggregate) => {
                let (below, columns) = Below::aggregate(aggregate)?;
                self.below = Some(below);
                Ok(columns)
            }
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let (below, columns) = Below::distinct(input)?;
                self.below = Some(below);
                Ok(columns)
            }
            LogicalPlan::Distinct(Distinct::On(_)) => Err(no_place("DISTINCT ON", "use GROUP BY")),
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

    /// An inner join: its conditions are conditions like any other, until [`separate`] finds those that join.
    fn join(&mut self, join: &Join) -> Result<Vec<Expr>, PlanError> {
        if join.join_type != JoinType::Inner || join.null_equality != NullEquality::NullEqualsNothing {
            return Err(PlanError::refused(
                Code::JoinKey,
                "joins",
                "only inner joins can stand below an aggregate over a protected table",
                "write `JOIN … ON a.key = b.key`; who is absent from a table cannot be asked",
            ));
        }
        self.joins += 1;
        let mut columns = self.read(&join.left)?;
        columns.extend(self.read(&join.right)?);
        self.joins -= 1;
        for (left, right) in &join.on {
            let left = resolve(left, &join.schema, &columns)?;
            self.conditions.push(left.eq(resolve(right, &join.schema, &columns)?));
        }
        if let Some(filter) = &join.filter {
            self.conditions.push(resolve(filter, &join.schema, &columns)?);
        }
        Ok(columns)
    }
}

pub(crate) fn no_place(what: &str, fix: &str) -> PlanError {
    let message = format!("{what} has no place below an aggregate over a protected table");
    PlanError::refused(Code::PlanNode, "plan", message, fix)
}
