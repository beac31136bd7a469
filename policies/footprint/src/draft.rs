//! A [`SiteQuery`] in the making: group keys and aggregates as they stand over the rows below them.

use arrow::datatypes::DataType;
use datafusion_common::DFSchema;
use datafusion_expr::Expr;
use liquid_policy::Code;
use liquid_policy::footprint::Function;

use crate::branches::branches;
use crate::error::PlanError;
use crate::expression::{admit, admit_condition, boolean, refused};
use crate::fold::is_constant;
use crate::functions::FUNCTIONS;
use crate::inline::Rows;
use crate::join::of_one_table_each;
use crate::site_query::{SiteAggregate, SiteQuery};

/// Which column of the cut an output of the aggregate is.
pub(crate) enum Output {
    Group(usize),
    Aggregate(usize),
}

impl Output {
    pub(crate) fn position(&self, groups: usize) -> usize {
        match self {
            Self::Group(index) => *index,
            Self::Aggregate(index) => groups + index,
        }
    }
}

/// A SiteQuery in the making.
pub(crate) struct Draft<'a> {
    pub(crate) rows: &'a Rows,
    schema: &'a DFSchema,
    pub(crate) query: SiteQuery,
    pub(crate) outputs: Vec<Output>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(rows: &'a Rows, schema: &'a DFSchema) -> Self {
        let query = SiteQuery {
            tables: rows.tables.iter().map(|table| table.name().into()).collect(),
            joins: rows.joined.joins.clone(),
            step: rows.step.clone(),
            filter: rows.joined.filter.clone(),
            groups: Vec::new(),
            aggregates: Vec::new(),
        };
        Self { rows, schema, query, outputs: Vec::new() }
    }

    pub(crate) fn group(&mut self, key: &Expr) -> Result<(), PlanError> {
        let key = admit(&self.rows.resolve(key, self.schema)?, &self.rows.base)?;
        if key.data_type == DataType::Null {
            return Err(refused("a group key of no type", "cast NULL to a type"));
        }
        let index = position_or_push(&mut self.query.groups, key.expr);
        self.outputs.push(Output::Group(index));
        Ok(())
    }

    pub(crate) fn aggregate(&mut self, expr: &Expr) -> Result<(), PlanError> {
        let aggregate = site_aggregate(expr, self.rows, self.schema)?;
        let index = position_or_push(&mut self.query.aggregates, aggregate);
        self.outputs.push(Output::Aggregate(index));
        Ok(())
    }
}

/// An aggregate over some rows, whose columns `schema` has.
pub(crate) fn site_aggregate(
    expr: &Expr,
    rows: &Rows,
    schema: &DFSchema,
) -> Result<SiteAggregate, PlanError> {
    let Expr::AggregateFunction(call) = expr.clone().unalias_nested().data else {
        return Err(PlanError::bug("an aggregate that is none"));
    };
    let name = call.func.name();
    let params = &call.params;
    let function = match (name, params.distinct) {
        _ if !FUNCTIONS.aggregate(&call.func) => return Err(single_values(name)),
        ("count", true) => Function::CountDistinct,
        ("count", false) => Function::Count,
        ("sum", false) => Function::Sum,
        ("avg", false) => Function::Avg,
        ("min", _) => Function::Min,
        ("max", _) => Function::Max,
        ("sum" | "avg", true) => {
            return Err(function_refused("sum or avg of DISTINCT values", "leave DISTINCT out"));
        }
        _ => return Err(single_values(name)),
    };
    if !params.order_by.is_empty() || params.null_treatment.is_some() {
        let what = format!("ORDER BY, WITHIN GROUP or IGNORE NULLS in `{name}`");
        return Err(function_refused(&what, "leave it out"));
    }
    let [argument] = params.args.as_slice() else {
        return Err(function_refused(&format!("`{name}` of several arguments"), "give it one"));
    };
    let filter = match &params.filter {
        Some(filter) => {
            let filter = admit_condition(&rows.resolve(filter, schema)?, &rows.base)?;
            of_one_table_each(&filter, rows.width())?;
            Some(filter)
        }
        None => None,
    };
    let argument = admit(&rows.resolve(argument, schema)?, &rows.base)?.expr;
    // `count(1)`, and whatever else is never NULL and the same for every row, counts rows.
    let argument = match argument {
        Expr::Literal(value, _) if function == Function::Count && !value.is_null() => None,
        other if is_constant(&other) => {
            return Err(refused(format!("`{name}` of a literal"), "use count(*)"));
        }
        other => Some(other),
    };
    let aggregate = SiteAggregate { function, argument, filter: filter.filter(|f| *f != boolean(true)) };
    if function == Function::CountDistinct {
        branches(&aggregate)?; // nobody may count anything but plain columns
    }
    Ok(aggregate)
}

/// Where an element stands in a list; it is added if it does not.
pub(crate) fn position_or_push<T: PartialEq>(all: &mut Vec<T>, new: T) -> usize {
    match all.iter().position(|old| *old == new) {
        Some(index) => index,
        None => {
            all.push(new);
            all.len() - 1
        }
    }
}

fn function_refused(what: &str, fix: &str) -> PlanError {
    PlanError::refused(Code::Function, "functions", format!("{what} may not read single rows"), fix)
}

fn single_values(name: &str) -> PlanError {
    let fix = match name {
        "median" => "its result is a single value; use avg, or count with conditions",
        "stddev" | "stddev_pop" | "var" | "var_pop" | "corr" | "covar_samp" | "covar_pop" => {
            "compute it above from count, sum(x), sum(y), sum(x * x) and sum(x * y), in floating point: `1.0 * sum(x) / count(x)`"
        }
        _ => "use count, sum or avg, with CASE where you need conditions",
    };
    function_refused(&format!("aggregate `{name}`"), fix)
}
