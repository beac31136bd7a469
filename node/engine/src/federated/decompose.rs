//! Pass: the aggregates of a cut become partial results that add up over sites, each asked for once.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;
use liquid_footprint::site_query::columns_of;
use liquid_footprint::{Cut, PlanError, SiteAggregate, SiteQuery};
use liquid_node_api::wire;
use liquid_policy::footprint::{Function, step_key};
use liquid_policy::{Code, Refusal};

use super::recipe::{Cell, PartialKind, Recipe};

/// A cut in parts that add up, and how its own result comes of them.
#[derive(Debug)]
pub struct Decomposed {
    /// The cut with partial results in the place of its aggregates.
    pub query: SiteQuery,
    /// How its result comes of them.
    pub recipe: Recipe,
}

/// Decomposes a cut; `site_columns` are the virtual columns `site` of its tables.
///
/// # Errors
/// The refusal of a cut that does not add up over sites.
pub fn decompose(cut: &Cut, site_columns: &BTreeSet<String>) -> Result<Decomposed, PlanError> {
    let mut partials = Vec::new();
    let mut cells = Vec::with_capacity(cut.query.aggregates.len());
    let site_columns = &above_step(&cut.query, site_columns)?;
    for aggregate in &cut.query.aggregates {
        if reads_site(aggregate, site_columns) {
            return Err(PlanError::Refused(site_in_argument()));
        }
        cells.push(match aggregate.function {
            Function::Count | Function::CountDistinct => Cell::Count(place(&mut partials, aggregate.clone())),
            Function::Sum => Cell::Sum(place(&mut partials, aggregate.clone())),
            Function::Avg => {
                let sum = SiteAggregate { function: Function::Sum, ..aggregate.clone() };
                let argument = aggregate.argument.clone().map(without_widening);
                let count = SiteAggregate { function: Function::Count, argument, ..aggregate.clone() };
                Cell::Avg { sum: place(&mut partials, sum), count: place(&mut partials, count) }
            }
            Function::Min | Function::Max => return Err(PlanError::Refused(single_value())),
        });
    }
    let query = SiteQuery { aggregates: partials, ..cut.query.clone() };
    let sent = query.output(&cut.base)?;
    let (keys, sums) = sent.fields().split_at_checked(query.groups.len()).ok_or_else(columns_differ)?;
    let recipe = Recipe {
        keys: keys.iter().map(|field| field.data_type().clone()).collect(),
        partials: query
            .aggregates
            .iter()
            .zip(sums)
            .map(|(partial, field)| partial_kind(partial.function, field.data_type()))
            .collect::<Result<_, _>>()?,
        cells,
        schema: wire::schema(&cut.output, true),
    };
    Ok(Decomposed { query, recipe })
}

/// The columns that are `site`, or computed from it alone, to what stands above a step.
///
/// # Errors
/// Where `site` stands inside one of its values.
pub fn above_step(query: &SiteQuery, site_columns: &BTreeSet<String>) -> Result<BTreeSet<String>, PlanError> {
    let Some(step) = &query.step else { return Ok(site_columns.clone()) };
    if step.values.iter().any(|value| reads_site(value, site_columns)) {
        return Err(PlanError::Refused(site_in_argument()));
    }
    let site = |key: &Expr| !key.column_refs().is_empty() && columns_of(key).is_subset(site_columns);
    let keys = step.keys.iter().enumerate().filter(|(_, key)| site(key));
    Ok(keys.map(|(at, _)| step_key(at).to_string()).collect())
}

/// The number of a partial result; one that is already asked for is not asked for again.
fn place(partials: &mut Vec<SiteAggregate>, partial: SiteAggregate) -> usize {
    partials.iter().position(|other| *other == partial).unwrap_or_else(|| {
        partials.push(partial);
        partials.len() - 1
    })
}

/// Counting a widened value is counting the value, so that `avg(x)` and `count(x)` share their count.
fn without_widening(argument: Expr) -> Expr {
    match argument {
        Expr::Cast(cast) if cast.field.data_type() == &DataType::Float64 => *cast.expr,
        other => other,
    }
}

fn partial_kind(function: Function, kind: &DataType) -> Result<PartialKind, PlanError> {
    match (function, kind) {
        (Function::Count | Function::CountDistinct, DataType::Int64) => Ok(PartialKind::Count),
        (Function::Sum, DataType::Int64) => Ok(PartialKind::IntegerSum),
        (Function::Sum, DataType::Float64) => Ok(PartialKind::FloatSum),
        _ => Err(PlanError::Bug(format!("{function:?} gives {kind}, which does not add up"))),
    }
}

fn reads_site(aggregate: &SiteAggregate, site_columns: &BTreeSet<String>) -> bool {
    let argument = aggregate.argument.as_ref();
    argument.is_some_and(|argument| {
        argument.column_refs().iter().any(|column| site_columns.contains(&column.name))
    })
}

fn site_in_argument() -> Refusal {
    Refusal::new(
        Code::NotFederable,
        "liquid.site",
        "`site` stands inside an aggregate, and no site has such a column",
        "put the condition behind it, for example `sum(x) FILTER (WHERE site = 'a')`, or group by `site`",
    )
}

fn single_value() -> Refusal {
    Refusal::new(
        Code::NotFederable,
        "liquid.functions",
        "`min` and `max` are not put together over sites yet",
        "use `sum` or `avg`; where an agreement has no minimum, ask each site at its own address",
    )
}

fn columns_differ() -> PlanError {
    PlanError::Bug("a cut has fewer columns than group keys".to_owned())
}
