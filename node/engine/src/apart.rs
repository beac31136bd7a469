//! Whom a join leaves out: rows of some of its tables, joined with one another, that have no partner among the others.
//!
//! A question over those tables alone can be asked, too, and the difference is whom the join leaves out. So they must be
//! enough in each group, by the group's keys and the conditions that read these tables alone, unless references say that
//! there can be none: then the decision names no such part. An entity counts only if a row of its own is really left out;
//! where entities are counted, only if none of its rows has a partner.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::functions::core::expr_fn::{coalesce, least};
use datafusion::functions_aggregate::expr_fn::count_distinct;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, cast, lit};
use liquid_footprint::site_query::{base_column, columns_of};
use liquid_footprint::{SiteAggregate, SiteQuery, branches};
use liquid_policy::footprint::Function;

use crate::base::Base;
use crate::contributors::contributors;
use crate::entity_hash::entity_hash;
use crate::error::Failure;
use crate::guard::{LeftOut, added, counted};
use crate::names;
use crate::spread::Weights;

/// Counts whom the whole join leaves out of one part of it, at most k, for each group and aggregate, and puts them
/// beside `data`, the groups of the cut. Answers with the expressions that hold them, and whether what they would add is spread.
pub(crate) fn beside(
    base: &Base<'_>,
    query: &SiteQuery,
    (number, part): (usize, &BTreeSet<usize>),
    k: u32,
    data: LogicalPlan,
) -> Result<(LogicalPlan, Vec<LeftOut>), Failure> {
    let left_out = (0..query.aggregates.len()).map(|at| LeftOut {
        count: coalesce(vec![base_column(&names::apart(number, at)), lit(0_u32)]),
        spread: coalesce(vec![base_column(&names::apart_spread(number, at)), lit(false)]),
    });
    let left_out = left_out.collect();
    let (apart, keys) = counted_apart(base, query, (number, part), k)?;
    let data = LogicalPlanBuilder::from(data);
    if keys.is_empty() {
        return Ok((data.cross_join(apart)?.build()?, left_out));
    }
    let ours = keys.iter().map(|at| Column::from_name(names::key(*at))).collect::<Vec<_>>();
    let theirs = keys.iter().map(|at| Column::from_name(names::apart_key(number, *at))).collect::<Vec<_>>();
    let joined =
        data.join_detailed(apart, JoinType::Left, (ours, theirs), None, NullEquality::NullEqualsNull)?;
    Ok((joined.build()?, left_out))
}

/// One row a group of the part's own keys, and which keys these are.
fn counted_apart(
    base: &Base<'_>,
    query: &SiteQuery,
    (number, part): (usize, &BTreeSet<usize>),
    k: u32,
) -> Result<(LogicalPlan, Vec<usize>), Failure> {
    let own = |expression: &Expr| base.reads_only(part, &columns_of(expression));
    let keys: Vec<usize> =
        query.groups.iter().enumerate().filter(|(_, key)| own(key)).map(|(at, _)| at).collect();
    let entity = base.entity(part)?;
    let outside = base_column(&names::partner(0)).is_null();

    let mut projected = vec![
        entity_hash().call(vec![entity.clone()]).alias(names::ENTITY),
        entity.clone().alias(names::ENTITIES),
        outside.clone().alias(names::OUTSIDE),
    ];
    let mut conditions = Vec::new();
    let mut read = columns_of(&entity);
    for (at, key) in query.groups.iter().enumerate().filter(|(at, _)| keys.contains(at)) {
        read.extend(columns_of(key));
        projected.push(key.clone().alias(names::key(at)));
    }
    let mut counts = Vec::new();
    let mut outputs: Vec<Expr> = Vec::new();
    let mut weights = Weights::new(base.obligations.concentration);
    for (at, aggregate) in query.aggregates.iter().enumerate() {
        let (mut kinds, mut spread) = (Vec::new(), Vec::new());
        for (condition, weight) in own_parts(base, query, aggregate, &own)? {
            read.extend(weight.iter().flat_map(columns_of));
            let out = conjunction(condition.iter().cloned().chain([outside.clone()]));
            spread.push(weights.judged(out, weight));
            let column = condition.map(|condition| {
                read.extend(columns_of(&condition));
                conditions.push(condition);
                base_column(&names::condition(conditions.len() - 1))
            });
            kinds.push(count(aggregate, column, k, &mut counts)?);
        }
        outputs.push(least(kinds).alias(names::apart(number, at)));
        outputs.extend(conjunction(spread).map(|spread| spread.alias(names::apart_spread(number, at))));
    }
    let (rows, judged) = weights.plan()?;
    projected.extend(rows);
    counts.extend(judged);
    let conditions = conditions.into_iter().enumerate();
    projected.extend(conditions.map(|(at, condition)| condition.alias(names::condition(at))));

    let border = base.border(part);
    let known = border.iter().enumerate();
    let known = known.map(|(at, column)| base_column(column).alias(names::partner(at)));
    let partners =
        LogicalPlanBuilder::from(base.rows(&border)?).project(known.collect::<Vec<_>>())?.distinct()?;
    let ours = border.iter().map(Column::from_name).collect::<Vec<_>>();
    let theirs = (0..border.len()).map(|at| Column::from_name(names::partner(at))).collect::<Vec<_>>();
    let grouped = keys.iter().map(|at| base_column(&names::key(*at))).collect::<Vec<_>>();
    let named = keys.iter().map(|at| base_column(&names::key(*at)).alias(names::apart_key(number, *at)));
    let plan = LogicalPlanBuilder::from(base.part(part, &read)?)
        .join_detailed(
            partners.build()?,
            JoinType::Left,
            (ours, theirs),
            None,
            NullEquality::NullEqualsNothing,
        )?
        .project(projected)?
        .aggregate(grouped, counts)?
        .project(named.chain(outputs).collect::<Vec<_>>())?;
    Ok((plan.build()?, keys))
}

/// For each branch of an aggregate, when a row of the part would be in the cell, by the conditions that read the part alone, and
/// what it would add: what it has nothing of but in a joined row counts as one.
fn own_parts(
    base: &Base<'_>,
    query: &SiteQuery,
    aggregate: &SiteAggregate,
    own: &impl Fn(&Expr) -> bool,
) -> Result<Vec<(Option<Expr>, Option<Expr>)>, Failure> {
    let branches = branches(aggregate).map_err(Failure::plan)?;
    let of_branch = branches.iter().map(|branch| {
        let whole = [
            query.filter.clone(),
            aggregate.filter.clone(),
            branch.condition.clone(),
            counted(aggregate, branch, base.obligations),
        ];
        let parts = whole.iter().flatten().flat_map(|condition| split_conjunction(condition));
        let weight = Some(added(aggregate, branch)).filter(|weight| own(weight));
        let weight =
            (aggregate.function != Function::CountDistinct).then(|| weight.unwrap_or_else(|| lit(1_i64)));
        (conjunction(parts.filter(|part| own(part)).cloned()), weight)
    });
    Ok(of_branch.collect())
}

/// Whom the join leaves out under a condition, a UInt32 over the aggregates that are added to `counts`.
fn count(
    aggregate: &SiteAggregate,
    condition: Option<Expr>,
    k: u32,
    counts: &mut Vec<Expr>,
) -> Result<Expr, Failure> {
    let outside = base_column(names::OUTSIDE);
    let distinct = aggregate.function == Function::CountDistinct;
    let mut add = |count: Expr, conditions: Vec<Expr>| -> Result<Expr, Failure> {
        let name = names::count(counts.len());
        let count = match (conjunction(conditions), distinct) {
            // A builder forgets that its aggregate was of distinct values.
            (Some(all), true) => count.filter(all).distinct().build()?,
            (Some(all), false) => count.filter(all).build()?,
            (None, _) => count,
        };
        counts.push(count.alias(&name));
        Ok(base_column(&name))
    };
    if !distinct {
        let out = condition.into_iter().chain([outside]).collect();
        return add(contributors(k).call(vec![base_column(names::ENTITY)]), out);
    }
    let entities = || count_distinct(base_column(names::ENTITIES));
    let all = add(entities(), condition.clone().into_iter().collect())?;
    let inside = condition.into_iter().chain([Expr::Not(Box::new(outside))]).collect();
    let inside = add(entities(), inside)?;
    Ok(cast(least(vec![all - inside, lit(i64::from(k))]), DataType::UInt32))
}
