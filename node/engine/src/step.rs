//! The rows of a step by entity: one for each of its groups, each still of one entity.
//!
//! Under a minimum, conditions below a step do not merely leave rows out: they change what is computed for somebody. So WHERE
//! becomes a FILTER here, and each value can be had as it would be without some of the conditions, in the same pass.

use std::collections::BTreeSet;

use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, lit};
use liquid_footprint::site_query::{Step, base_column, columns_of};
use liquid_footprint::{SiteAggregate, SiteQuery};
use liquid_policy::footprint::{step_key, step_value};
use liquid_policy::id::ColumnName;
use liquid_policy::table::Obligations;

use crate::base::Base;
use crate::error::Failure;
use crate::names;

/// A place in which conditions stand below a step, and one thing that they change there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// WHERE, and which rows of the step there are.
    Present,
    /// WHERE, and one value.
    Where(usize),
    /// The FILTER of one value.
    Own(usize),
}

/// Conditions that are undone together. Another question can be asked without any choice of them: WHERE can be written as
/// a FILTER of some values, and FILTERs that read alike can be left out one by one.
pub(crate) type Undone = BTreeSet<Place>;

/// Every place of a step. A condition that reads no column concerns nobody.
pub(crate) fn places(step: &Step) -> Vec<Place> {
    let reads = |condition: &Option<Expr>| condition.as_ref().is_some_and(|it| !columns_of(it).is_empty());
    let mut all = Vec::new();
    if reads(&step.filter) {
        all.push(Place::Present);
        all.extend((0..step.values.len()).map(Place::Where));
    }
    let own = step.values.iter().enumerate().filter(|(_, value)| reads(&value.filter));
    all.extend(own.map(|(at, _)| Place::Own(at)));
    all
}

/// Every choice of some places but none of them.
pub(crate) fn choices(places: &[Place]) -> Vec<Undone> {
    let mut all = vec![Undone::new()];
    for place in places {
        let with = all.iter().map(|undone| undone.iter().copied().chain([*place]).collect());
        let with: Vec<Undone> = with.collect();
        all.extend(with);
    }
    all.retain(|undone| !undone.is_empty());
    all
}

/// What a value is called where some conditions are undone.
pub(crate) fn value_without(undone: &Undone, at: usize) -> String {
    let [filter, own] = [Place::Where(at), Place::Own(at)].map(|place| undone.contains(&place));
    if filter || own { names::undone(filter, own, at) } else { step_value(at).to_string() }
}

/// Whether a value of a step is missing by its own FILTER alone. What a FILTER changes, for whomever, is judged as what conditions
/// below a step do ([`crate::differ`]), and not as a value that somebody lacks.
pub(crate) fn none_by_filter(query: &SiteQuery, obligations: &Obligations, column: &str) -> bool {
    let Some(step) = &query.step else { return false };
    let mut values = step.values.iter().enumerate();
    let value = values.find(|(at, _)| step_value(*at).as_str() == column).map(|(_, value)| value);
    let required = |own: &String| {
        let rules = obligations.tables.first().and_then(|rules| rules.columns.get(&ColumnName::new(own)));
        rules.is_some_and(|rule| rule.required)
    };
    let read = |value: &SiteAggregate| value.argument.iter().flat_map(columns_of).all(|own| required(&own));
    value.is_some_and(|value| value.filter.is_some() && read(value))
}

/// The rows of a step as they were asked for: keys and values.
pub(crate) fn plain(base: &Base<'_>, step: &Step) -> Result<LogicalPlan, Failure> {
    let mut plan = LogicalPlanBuilder::from(base.rows(&step.columns())?);
    if let Some(filter) = &step.filter {
        plan = plan.filter(filter.clone())?;
    }
    let keys = step.keys.iter().enumerate().map(|(at, key)| key.clone().alias(step_key(at).as_str()));
    let values = step
        .values
        .iter()
        .enumerate()
        .map(|(at, value)| value.expression(value.filter.clone()).alias(step_value(at).as_str()));
    Ok(plan.aggregate(keys.collect::<Vec<_>>(), values.collect::<Vec<_>>())?.build()?)
}

/// The rows of a step with their entity: keys, values as asked, and the values without the conditions at some places
/// ([`value_without`]). A group of which no row passes WHERE is there as well, and not [`names::PRESENT`].
pub(crate) fn wide(base: &Base<'_>, step: &Step, places: &[Place]) -> Result<LogicalPlan, Failure> {
    let entity = base.obligations.entity.as_str();
    let mut columns = step.columns();
    columns.insert(entity.to_owned());

    let mut rows: Vec<Expr> = columns.iter().map(|column| base_column(column)).collect();
    let mut keys = Vec::new();
    for (at, key) in step.keys.iter().enumerate() {
        rows.push(key.clone().alias(names::key(at)));
        keys.push(base_column(&names::key(at)).alias(step_key(at).as_str()));
    }
    keys.push(base_column(entity).alias(names::OF_STEP));

    let mut conditions: Vec<Expr> = Vec::new();
    let mut under = |value: &SiteAggregate, parts: [Option<&Expr>; 2]| {
        let condition = conjunction(parts.into_iter().flatten().cloned());
        let column = condition.map(|condition| {
            let known = conditions.iter().position(|other| *other == condition);
            let at = known.unwrap_or(conditions.len());
            if known.is_none() {
                conditions.push(condition);
            }
            base_column(&names::condition(at))
        });
        value.expression(column)
    };
    let filter = step.filter.as_ref();
    let mut values = Vec::new();
    for (at, value) in step.values.iter().enumerate() {
        values.push(under(value, [filter, value.filter.as_ref()]).alias(step_value(at).as_str()));
        let own_places =
            [Place::Where(at), Place::Own(at)].into_iter().filter(|place| places.contains(place));
        for undone in choices(&own_places.collect::<Vec<_>>()) {
            let filter = filter.filter(|_| !undone.contains(&Place::Where(at)));
            let own = value.filter.as_ref().filter(|_| !undone.contains(&Place::Own(at)));
            values.push(under(value, [filter, own]).alias(value_without(&undone, at)));
        }
    }
    let there = count(lit(1_i64));
    let there = match filter {
        Some(filter) => there.filter(filter.clone()).build()?,
        None => there,
    };
    values.push(there.alias(names::PRESENT));
    let conditions = conditions.into_iter().enumerate();
    rows.extend(conditions.map(|(at, condition)| condition.alias(names::condition(at))));

    let plan = LogicalPlanBuilder::from(base.rows(&columns)?).project(rows)?.aggregate(keys, values)?;
    let kept = plan.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let kept = kept.iter().map(|name| match name.as_str() {
        names::PRESENT => base_column(name).gt(lit(0_i64)).alias(name),
        _ => base_column(name),
    });
    Ok(plan.project(kept.collect::<Vec<_>>())?.build()?)
}

/// The rows of a step as they were asked for, with their entity under [`names::OF_STEP`].
pub(crate) fn asked(base: &Base<'_>, step: &Step) -> Result<LogicalPlan, Failure> {
    let plan = LogicalPlanBuilder::from(wide(base, step, &[])?);
    Ok(plan.filter(base_column(names::PRESENT))?.build()?)
}
