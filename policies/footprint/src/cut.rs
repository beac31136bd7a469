//! The release boundary: a plan becomes its cuts and what lies above them.
//!
//! A cut is the lowest aggregate (or DISTINCT, an aggregate without functions) over a protected table that is not grouped by
//! the entity or a key within it. Below it stand single rows ([`crate::inline`], [`crate::expression`]), what is computed for each
//! entity included (`step`); above it stands SQL over released values ([`crate::upper`]). Both sides are closed lists: an unknown
//! plan node or expression is refused, and a new variant of either does not compile.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion_common::{Column, DFSchema, TableReference};
use datafusion_expr::logical_plan::TableScanBuilder;
use datafusion_expr::{Aggregate, Distinct, Expr, LogicalPlan, Projection, Subquery, TableScan};
use liquid_policy::Code;

use crate::catalogue::{Opaque, TableKind};
use crate::draft::Draft;
use crate::error::{PlanError, lift, lower};
use crate::inline::rows;
use crate::site_query::SiteQuery;
use crate::step::by_entity;
use crate::upper;

/// Cuts of one query.
const CUTS_MAX: usize = 50;

/// Scalar subqueries within one another. Each is run for its value and for its mark, so the work doubles with each.
const SUBQUERIES_MAX: usize = 4;

/// A query as a list of cuts and the plan above them.
#[derive(Debug, Clone)]
pub struct Request {
    /// The cuts, equal ones once. Empty where no protected table is read (`SELECT 1`, public tables).
    pub cuts: Vec<Cut>,
    /// What lies above them: the analysed plan in which each cut has become
    ///
    /// ```text
    /// Projection: cut0.g0 AS cardiac.sex, cut0.a0 AS "count(*)"      -- the Aggregate's own (qualified) names
    ///   TableScan: cut0                                              -- an `Opaque` of kind Released
    /// ```
    ///
    /// The released table `cut{i}` belongs to `cuts[i]` and has the columns of [`Cut::output`]: `g0` … then `a0` …, all
    /// nullable. One cut may be scanned more than once. Besides these only public tables are scanned. It is not meant
    /// to be run as it is: [`crate::carry_marks`] rewrites it, then [`crate::bind_tables`] gives it sources.
    pub upper: LogicalPlan,
}

/// One cut of a request.
#[derive(Debug, Clone)]
pub struct Cut {
    /// What a site is asked.
    pub query: SiteQuery,
    /// The tables, as the catalogue has them, in the query's order.
    pub tables: Vec<Arc<Opaque>>,
    /// Their columns, as the query calls them.
    pub base: SchemaRef,
    /// The columns of the result: `g0` … then `a0` …, all nullable ([`SiteQuery::output`]).
    pub output: SchemaRef,
}

impl Request {
    /// The query is one bare cut and nothing else: its answer is the cut's result as it is, column for column, under
    /// the names `g0` … `a0` …. This is what a printed [`SiteQuery`] is; any renaming makes a query not bare.
    pub fn bare(&self) -> bool {
        let [cut] = self.cuts.as_slice() else { return false };
        let same_order =
            released_columns(&self.upper).is_some_and(|c| c.into_iter().eq(0..cut.output.fields().len()));
        same_order && self.output() == cut.output
    }

    /// The columns of the answer, as the analyst named them; all nullable.
    pub fn output(&self) -> SchemaRef {
        let fields = self.upper.schema().fields().iter();
        let fields: Vec<_> = fields.map(|f| Field::new(f.name(), f.data_type().clone(), true)).collect();
        Arc::new(Schema::new(fields))
    }
}

/// Cuts an analysed plan ([`crate::plan`]) at the release boundary.
///
/// # Errors
/// A refusal for whatever stands below or above a cut and is not on the closed lists.
pub fn cut(plan: LogicalPlan) -> Result<Request, PlanError> {
    crate::plan::on_big_stack(|| {
        let mut cutter = Cutter { cuts: Vec::new(), subqueries: 0 };
        let upper = cutter.raise(plan)?;
        Ok(Request { cuts: cutter.cuts, upper })
    })?
}

/// Which columns of the one released table a plan gives, in order, if it only names and orders them.
fn released_columns(plan: &LogicalPlan) -> Option<Vec<usize>> {
    if let LogicalPlan::TableScan(scan) = plan {
        return Some((0..scan.projected_schema.fields().len()).collect());
    }
    if let LogicalPlan::SubqueryAlias(alias) = plan {
        return released_columns(&alias.input);
    }
    let LogicalPlan::Projection(projection) = plan else { return None };
    let below = released_columns(&projection.input)?;
    let column = |expr: &Expr| match expr.clone().unalias_nested().data {
        Expr::Column(c) => below.get(projection.input.schema().index_of_column(&c).ok()?).copied(),
        _ => None,
    };
    projection.expr.iter().map(column).collect()
}

/// Rows of a protected table reach this plan's output: no aggregate stands between, but for those by entity.
fn exposes_rows(plan: &LogicalPlan) -> bool {
    if let LogicalPlan::TableScan(scan) = plan {
        return Opaque::of(&scan.source).is_none_or(|t| t.kind() == TableKind::Protected);
    }
    // What is computed for each entity is still a row of that entity.
    if matches!(plan, LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(Distinct::All(_))) && !by_entity(plan)
    {
        return false;
    }
    plan.inputs().into_iter().any(exposes_rows)
}

struct Cutter {
    cuts: Vec<Cut>,
    /// How many scalar subqueries we stand in.
    subqueries: usize,
}

impl Cutter {
    /// Replaces every cut of a plan by a scan of its released table.
    #[deny(clippy::wildcard_enum_match_arm)] // a new variant must not compile unseen
    fn raise(&mut self, plan: LogicalPlan) -> Result<LogicalPlan, PlanError> {
        match plan {
            LogicalPlan::Aggregate(aggregate) if exposes_rows(&aggregate.input) => self.aggregate(&aggregate),
            LogicalPlan::Distinct(Distinct::All(input)) if exposes_rows(&input) => self.distinct(&input),
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Distinct(Distinct::All(_)) => {
                upper::check(&plan)?;
                self.above(plan)
            }
            LogicalPlan::Distinct(Distinct::On(_)) => Err(no_place("DISTINCT ON", "use GROUP BY")),
            LogicalPlan::Subquery(_) => Err(no_place("LATERAL", "join the two parts by a condition")),
            LogicalPlan::Unnest(_) => Err(no_place("UNNEST", "leave it out")),
            LogicalPlan::RecursiveQuery(_) => Err(no_place("a recursive query", "leave it out")),
            LogicalPlan::Repartition(_) => Err(no_place("DISTRIBUTE BY", "leave it out")),
            LogicalPlan::Extension(_) => Err(no_place("an extension", "leave it out")),
            LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => Err(PlanError::refused(
                Code::Statement,
                "statements",
                "only a query can be asked",
                "ask with a single SELECT",
            )),
        }
    }

    fn scan(&self, scan: TableScan) -> Result<LogicalPlan, PlanError> {
        match Opaque::of(&scan.source) {
            Some(table) if table.kind() == TableKind::Public => Ok(LogicalPlan::TableScan(scan)),
            Some(table) if table.kind() == TableKind::Protected => Err(PlanError::refused(
                Code::AggRequired,
                "aggregates",
                format!("single rows of table `{}` may not leave, only aggregates over them", table.name()),
                "use count, sum or avg, with GROUP BY where you want groups",
            )),
            _ => Err(PlanError::bug("a source of no catalogue")),
        }
    }

    /// An operator above the cuts: its scalar subqueries and its inputs are raised in turn.
    fn above(&mut self, plan: LogicalPlan) -> Result<LogicalPlan, PlanError> {
        let plan = plan
            .map_expressions(|expr| {
                expr.transform_up(|e| match e {
                    Expr::ScalarSubquery(subquery) => {
                        let raised = self.subquery(subquery).map_err(lift)?;
                        Ok(Transformed::yes(Expr::ScalarSubquery(raised)))
                    }
                    other => Ok(Transformed::no(other)),
                })
            })
            .data()
            .map_err(lower)?;
        let plan = plan.map_children(|child| self.raise(child).map(Transformed::yes).map_err(lift)).data();
        plan.and_then(LogicalPlan::recompute_schema).map_err(lower)
    }

    fn subquery(&mut self, subquery: Subquery) -> Result<Subquery, PlanError> {
        if self.subqueries == SUBQUERIES_MAX {
            let message = format!("scalar subqueries stand more than {SUBQUERIES_MAX} deep in one another");
            return Err(PlanError::refused(Code::Limit, "limits.nesting", message, "flatten the query"));
        }
        self.subqueries += 1;
        let raised = self.raise(subquery.subquery.as_ref().clone())?;
        self.subqueries -= 1;
        Ok(Subquery { subquery: Arc::new(raised), ..subquery })
    }

    fn distinct(&mut self, input: &LogicalPlan) -> Result<LogicalPlan, PlanError> {
        let rows = rows(input)?;
        let keys: Vec<_> = input.schema().columns().into_iter().map(Expr::Column).collect();
        let mut draft = Draft::new(&rows, input.schema());
        keys.iter().try_for_each(|key| draft.group(key))?;
        self.release(draft, input.schema())
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<LogicalPlan, PlanError> {
        let rows = rows(&aggregate.input)?;
        let mut draft = Draft::new(&rows, aggregate.input.schema());
        for (at, key) in aggregate.group_expr.iter().enumerate() {
            if aggregate.group_expr.iter().take(at).any(|before| before == key) {
                continue; // `GROUP BY a, a`: the aggregate has the key once
            }
            if matches!(key, Expr::GroupingSet(_)) {
                return Err(no_place(
                    "GROUPING SETS, ROLLUP or CUBE over a protected table",
                    "ask one query a set",
                ));
            }
            draft.group(key)?;
        }
        aggregate.aggr_expr.iter().try_for_each(|e| draft.aggregate(e))?;
        self.release(draft, &aggregate.schema)
    }

    /// Registers a cut and gives the plan that stands in its place, with the names of `schema`.
    fn release(&mut self, draft: Draft<'_>, schema: &DFSchema) -> Result<LogicalPlan, PlanError> {
        let Draft { rows, query, outputs, .. } = draft;
        let same = |c: &Cut| c.query == query && c.tables == rows.tables;
        let index = match self.cuts.iter().position(same) {
            Some(index) => index,
            None => {
                let base = Arc::new(rows.tables_schema());
                let output = query.output(&base)?;
                self.cuts.push(Cut { query, tables: rows.tables.clone(), base, output });
                self.cuts.len() - 1
            }
        };
        if self.cuts.len() > CUTS_MAX {
            let message = format!("the query has more than {CUTS_MAX} aggregates over protected tables");
            return Err(PlanError::refused(Code::Limit, "limits.cuts", message, "ask in several queries"));
        }
        let cut = self.cuts.get(index).ok_or_else(|| PlanError::bug("a lost cut"))?;
        let name = format!("cut{index}");
        let released = Opaque::new(&name, TableKind::Released, Arc::clone(&cut.output));
        let scan = TableScanBuilder::new(TableReference::bare(name.clone()), Arc::new(released)).build();
        let scan = LogicalPlan::TableScan(scan.map_err(PlanError::bug)?);
        if outputs.len() != schema.fields().len() {
            return Err(PlanError::bug("a cut with other columns than its aggregate"));
        }
        let groups = cut.query.groups.len();
        let columns = outputs.into_iter().zip(schema.iter()).map(|(output, (qualifier, field))| {
            let position = output.position(groups);
            let given = cut.output.fields().get(position).ok_or_else(|| PlanError::bug("a lost column"))?;
            if given.data_type() != field.data_type() {
                return Err(PlanError::bug(format!("column `{}` changed its type", field.name())));
            }
            let column = Expr::Column(Column::new(Some(name.clone()), given.name()));
            Ok(column.alias_qualified(qualifier.cloned(), field.name()))
        });
        let columns = columns.collect::<Result<Vec<_>, PlanError>>()?;
        let named = Projection::try_new(columns, Arc::new(scan)).map_err(PlanError::bug)?;
        Ok(LogicalPlan::Projection(named))
    }
}

fn no_place(what: &str, fix: &str) -> PlanError {
    PlanError::refused(Code::PlanNode, "plan", format!("{what} has no place in a query"), fix)
}
