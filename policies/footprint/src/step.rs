//! The step by entity: an aggregate below the cut, grouped by the entity or a key within it, so that its rows are rows still.

use arrow::datatypes::DataType;
use datafusion_common::{Column, DFSchema};
use datafusion_expr::{Aggregate, Distinct, Expr, LogicalPlan};
use liquid_policy::footprint::{step_key, step_value};

use crate::catalogue::Opaque;
use crate::draft::site_aggregate;
use crate::error::PlanError;
use crate::expression::{admit, refused};
use crate::inline::{Rows, no_place, rows};
use crate::site_query::{SiteAggregate, Step};

/// Whether an aggregate or a DISTINCT has the entity, or a key within it, among its keys, as it stands. A grouping set is none.
pub(crate) fn by_entity(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => {
            let schema = aggregate.input.schema();
            let key = |key: &Expr| schema.index_of_column(&column(key)?).ok();
            aggregate.group_expr.iter().filter_map(key).any(|at| stands_for_one(&aggregate.input, at))
        }
        LogicalPlan::Distinct(Distinct::All(input)) => {
            (0..input.schema().fields().len()).any(|at| stands_for_one(input, at))
        }
        _ => false,
    }
}

fn column(expr: &Expr) -> Option<Column> {
    match expr.clone().unalias_nested().data {
        Expr::Column(column) => Some(column),
        _ => None,
    }
}

/// Whether each value of a plan's column stands for one entity: it is a column of a table that does, unchanged. False wherever that
/// is not plain to see: then the aggregate is a cut, and nobody groups by the entity there.
fn stands_for_one(plan: &LogicalPlan, at: usize) -> bool {
    let same = |expr: &Expr, input: &LogicalPlan| {
        let index = column(expr).and_then(|column| input.schema().index_of_column(&column).ok());
        index.is_some_and(|index| stands_for_one(input, index))
    };
    match plan {
        LogicalPlan::TableScan(scan) => {
            let field = scan.projected_schema.fields().get(at);
            field
                .zip(Opaque::of(&scan.source))
                .is_some_and(|(field, table)| table.stands_for_one(field.name()))
        }
        LogicalPlan::Projection(projection) => {
            projection.expr.get(at).is_some_and(|expr| same(expr, &projection.input))
        }
        LogicalPlan::Filter(filter) => stands_for_one(&filter.input, at),
        LogicalPlan::SubqueryAlias(alias) => stands_for_one(&alias.input, at),
        LogicalPlan::Distinct(Distinct::All(input)) => stands_for_one(input, at),
        LogicalPlan::Sort(sort) => stands_for_one(&sort.input, at),
        LogicalPlan::Limit(limit) => stands_for_one(&limit.input, at),
        LogicalPlan::Aggregate(aggregate) => {
            aggregate.group_expr.get(at).is_some_and(|key| same(key, &aggregate.input))
        }
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            let right = join.right.schema().fields().len();
            let both = join.schema.fields().len() == left + right;
            both && if at < left {
                stands_for_one(&join.left, at)
            } else {
                stands_for_one(&join.right, at - left)
            }
        }
        _ => false,
    }
}

/// A step, and the rows below it.
#[derive(Debug)]
pub(crate) struct Below {
    pub(crate) rows: Rows,
    pub(crate) step: Step,
    /// Conditions below that read plain keys alone, over the step's columns: before or after makes no difference, and above
    /// they are conditions on whole rows of the step.
    pub(crate) lifted: Vec<Expr>,
}

impl Below {
    /// Reads an aggregate. Answers with what each of its columns is, over the step's.
    pub(crate) fn aggregate(aggregate: &Aggregate) -> Result<(Self, Vec<Expr>), PlanError> {
        let schema = aggregate.input.schema();
        let rows = one_step(rows(&aggregate.input)?)?;
        let mut keys = Vec::new();
        for (at, key) in aggregate.group_expr.iter().enumerate() {
            if aggregate.group_expr.iter().take(at).any(|before| before == key) {
                continue; // the aggregate has the key once
            }
            if matches!(key, Expr::GroupingSet(_)) {
                return Err(no_place("GROUPING SETS, ROLLUP or CUBE", "ask one query a set"));
            }
            keys.push(step_key_of(key, &rows, schema)?);
        }
        let values = aggregate.aggr_expr.iter().map(|value| site_aggregate(value, &rows, schema));
        let values = values.collect::<Result<Vec<_>, PlanError>>()?;
        Self::new(rows, &keys, &values)
    }

    /// Reads a DISTINCT: an aggregate without values.
    pub(crate) fn distinct(input: &LogicalPlan) -> Result<(Self, Vec<Expr>), PlanError> {
        let schema = input.schema();
        let rows = one_step(rows(input)?)?;
        let listed = schema.columns().into_iter();
        let keys = listed.map(|column| step_key_of(&Expr::Column(column), &rows, schema));
        let keys = keys.collect::<Result<Vec<_>, PlanError>>()?;
        Self::new(rows, &keys, &[])
    }

    fn new(mut rows: Rows, keys: &[Expr], values: &[SiteAggregate]) -> Result<(Self, Vec<Expr>), PlanError> {
        let (step, lifted, becomes) = Step::rebuilt(rows.joined.filter.take(), keys, values)?;
        let names = (0..keys.len()).map(step_key).chain((0..values.len()).map(step_value));
        let columns = names.map(|name| {
            becomes.get(name.as_str()).cloned().ok_or_else(|| PlanError::bug("a lost column of a step"))
        });
        let columns = columns.collect::<Result<Vec<_>, PlanError>>()?;
        Ok((Self { rows, step, lifted }, columns))
    }
}

/// One step is enough to keep apart what stands below it and what stands above.
fn one_step(rows: Rows) -> Result<Rows, PlanError> {
    match &rows.step {
        None => Ok(rows),
        Some(_) => Err(no_place("an aggregate by entity over another one", "aggregate by entity once")),
    }
}

fn step_key_of(key: &Expr, rows: &Rows, schema: &DFSchema) -> Result<Expr, PlanError> {
    let key = admit(&rows.resolve(key, schema)?, &rows.base)?;
    if key.data_type == DataType::Null {
        return Err(refused("a group key of no type", "cast NULL to a type"));
    }
    Ok(key.expr)
}
