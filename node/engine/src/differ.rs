//! Whom the conditions below a step by entity concern: those whose part of a cell is another one without them.
//!
//! A condition below a step need not leave anybody out. It changes what is computed for somebody, and so what they contribute to a
//! cell, or to which group they belong. A question without it can be asked, too, and the difference is made of exactly these
//! entities, so they must be enough. An entity with rows that fail a condition is not among them as long as its contribution is
//! the same: counting such would let a crowd that does not matter hide one person who does.
//!
//! For each group and entity, what it contributes as asked stands beside what it would contribute without the conditions.
//! Contributions are those that the cell is made of: how many, to a count; how much, to a sum or an average. So it is for each branch of
//! a CASE, for branches that add the same, and for the whole: who only moves from one branch to another is nobody to the sum of both.

use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema, JoinType, NullEquality};
use datafusion::execution::context::SessionContext;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions::math::expr_fn::abs;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast, lit, when,
};
use liquid_footprint::site_query::{Step, base_column, columns_of};
use liquid_footprint::{Branch, SiteAggregate, SiteQuery, branches};
use liquid_policy::footprint::{Function, PLACES_MAX, step_key, step_value};
use liquid_policy::table::Obligations;

use crate::absent;
use crate::base::Base;
use crate::contributors::contributors;
use crate::entity_hash::entity_hash;
use crate::error::Failure;
use crate::guard::{Guard, LeftOut, added, all, counted};
use crate::names;
use crate::session::kept;
use crate::spread::Weights;
use crate::step::{self, Place, Undone};

/// What is compared with the question in one pass.
#[derive(Clone, Copy)]
struct Pass<'a> {
    number: usize,
    undone: &'a Undone,
    /// The conditions above the step are undone, too.
    above: bool,
}

/// Groups of a cut with those beside them whom conditions below a step concern.
pub(crate) struct Beside {
    pub(crate) data: LogicalPlan,
    /// For each aggregate whom they concern, kind by kind; none where nothing that the cell reads stands under a condition below
    /// a step.
    pub(crate) left_out: Vec<Vec<LeftOut>>,
    /// The memory of the rows that `data` reads; to be held until it has run.
    pub(crate) room: Option<MemoryReservation>,
}

/// Counts, for each group and aggregate, whom the conditions below the step concern, at most k, and puts the counts beside
/// `data`, the groups of the cut.
pub(crate) async fn beside(
    session: &SessionContext,
    base: &Base<'_>,
    query: &SiteQuery,
    guards: &[Guard],
    above: &Obligations,
    k: u32,
    mut data: LogicalPlan,
) -> Result<Beside, Failure> {
    let mut left_out = vec![Vec::new(); query.aggregates.len()];
    let Some(step) = &query.step else { return Ok(Beside { data, left_out, room: None }) };
    let places = step::places(step);
    if places.len() > PLACES_MAX {
        return Err(Failure::engine("a permit for conditions at more places than are judged"));
    }
    if places.is_empty() {
        return Ok(Beside { data, left_out, room: None });
    }
    // Read once, and looked at for each choice of places.
    let (rows, room) = kept(session, step::wide(base, step, &places)?).await?;
    let choices = step::choices(&places);
    let mut number = 0;
    for (undone, above_too) in choices.iter().flat_map(|undone| [(undone, false), (undone, true)]) {
        let pass = Pass { number: number + 1, undone, above: above_too };
        let mut cells = Vec::new();
        for at in 0..query.aggregates.len() {
            if concerned(query, step, guards, at, pass)? {
                cells.push(at);
            }
        }
        if cells.is_empty() {
            continue;
        }
        number += 1;
        let compared = Compared { query, above, step, pass, cells: &cells };
        let differ = compared.plan(rows.clone(), k)?;
        data = joined(data, differ, query.groups.len(), pass.number)?;
        for at in cells.iter().copied() {
            let units = compared.units(at)?.len();
            let of = (0..units).map(|unit| base_column(&names::differ(pass.number, at, unit)));
            let of = of.zip((0..units).map(|unit| base_column(&names::differ_spread(pass.number, at, unit))));
            if let Some(left_out) = left_out.get_mut(at) {
                left_out.extend(of.map(|(count, spread)| LeftOut {
                    count: coalesce(vec![count, lit(0_u32)]),
                    spread: coalesce(vec![spread, lit(false)]),
                }));
            }
        }
    }
    Ok(Beside { data, left_out, room: Some(room) })
}

/// Whether a cell hangs on all that is undone: on which rows there are, and on the values that it reads. What else is undone changes
/// nothing of it, and the choice without that is a pass of its own.
fn concerned(
    query: &SiteQuery,
    step: &Step,
    guards: &[Guard],
    at: usize,
    pass: Pass<'_>,
) -> Result<bool, Failure> {
    let (Some(aggregate), Some(guard)) = (query.aggregates.get(at), guards.get(at)) else { return Ok(false) };
    if pass.above && guard.condition.is_none() {
        return Ok(false); // nothing stands above that could be undone
    }
    let read = query.filter.iter().chain(&query.groups).chain(&aggregate.argument).chain(&aggregate.filter);
    let read: Vec<String> = read.flat_map(columns_of).collect();
    let reads = |value: usize| read.iter().any(|name| name == step_value(value).as_str());
    let hangs = pass.undone.iter().all(|place| match place {
        Place::Present => true,
        Place::Where(value) | Place::Own(value) => reads(*value),
    });
    let comes = || absent::can_count(query, step, aggregate, pass.undone, pass.above).map_err(Failure::plan);
    Ok(hangs && (!pass.undone.contains(&Place::Present) || comes()?))
}

/// Puts counts beside the groups that they belong to.
fn joined(
    data: LogicalPlan,
    differ: LogicalPlan,
    groups: usize,
    pass: usize,
) -> Result<LogicalPlan, Failure> {
    let data = LogicalPlanBuilder::from(data);
    if groups == 0 {
        return Ok(data.cross_join(differ)?.build()?);
    }
    let ours = (0..groups).map(|at| Column::from_name(names::key(at))).collect::<Vec<_>>();
    let theirs = (0..groups).map(|at| Column::from_name(names::differ_key(pass, at))).collect::<Vec<_>>();
    let joined =
        data.join_detailed(differ, JoinType::Left, (ours, theirs), None, NullEquality::NullEqualsNull)?;
    Ok(joined.build()?)
}

struct Compared<'a> {
    query: &'a SiteQuery,
    above: &'a Obligations,
    step: &'a Step,
    pass: Pass<'a>,
    cells: &'a [usize],
}

impl Compared<'_> {
    /// One row a group: whom the pass concerns, for each cell and unit of it.
    fn plan(&self, rows: LogicalPlan, k: u32) -> Result<LogicalPlan, Failure> {
        let units = self.all_units()?;
        let asked = self.side(rows.clone(), &units, false)?;
        let undone = self.side(rows, &units, true)?;
        let groups = self.query.groups.len();
        let keys = || (0..groups).map(|at| base_column(&names::key(at)));

        let events = LogicalPlanBuilder::from(asked).union(undone)?;
        let schema = events.schema().clone();
        let (mut sums, mut differ, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut weights, mut spread) = (Weights::new(self.above.concentration), Vec::new());
        for Unit { at, number, aggregate, .. } in &units {
            let [one, other] = [false, true].map(|undone| names::contribution(*at, *number, undone));
            let floating = base_column(&one).get_type(&schema)?.is_floating();
            for name in [&one, &other] {
                sums.push(sum(base_column(name)).alias(name));
            }
            let flag = names::differ(self.pass.number, *at, *number);
            let [asked, without] = [&one, &other].map(|name| base_column(name));
            let changes = differs(aggregate.function, floating, asked.clone(), without.clone());
            differ.push(changes.clone().alias(&flag));
            let count = contributors(k).call(vec![base_column(names::ENTITY)]);
            counts.push(count.filter(base_column(&flag)).build()?.alias(&flag));
            let entities = aggregate.function == Function::CountDistinct;
            let judged = weights.judged(Some(changes), (!entities).then(|| without - asked));
            spread.push(judged.alias(names::differ_spread(self.pass.number, *at, *number)));
        }
        let of_one = keys().chain([base_column(names::ENTITY)]).collect::<Vec<_>>();
        let (weights, judged) = weights.plan()?;
        counts.extend(judged);
        let kept = of_one.iter().cloned().chain(differ).chain(weights).collect::<Vec<_>>();
        let named =
            (0..groups).map(|at| base_column(&names::key(at)).alias(names::differ_key(self.pass.number, at)));
        let counted =
            units.iter().map(|unit| base_column(&names::differ(self.pass.number, unit.at, unit.number)));
        let outputs = named.chain(counted).chain(spread).collect::<Vec<_>>();
        let plan = events
            .aggregate(of_one, sums)?
            .project(kept)?
            .aggregate(keys().collect::<Vec<_>>(), counts)?
            .project(outputs)?;
        Ok(plan.build()?)
    }

    fn all_units(&self) -> Result<Vec<Unit<'_>>, Failure> {
        let units = self.cells.iter().map(|at| self.units(*at)).collect::<Result<Vec<_>, _>>()?;
        Ok(units.into_iter().flatten().collect())
    }

    /// What is compared of one aggregate: each branch, branches that add the same, and all of them. Where the conditions above are
    /// undone, that is what each adds to everybody, and branches that add different things have no whole.
    fn units(&self, at: usize) -> Result<Vec<Unit<'_>>, Failure> {
        let Some(aggregate) = self.query.aggregates.get(at) else { return Ok(Vec::new()) };
        if matches!(aggregate.function, Function::Min | Function::Max) {
            return Err(Failure::engine(format!("aggregate {at} is a single value under a minimum")));
        }
        let branches = branches(aggregate).map_err(Failure::plan)?;
        let mut alike: Vec<Vec<Branch>> = Vec::new();
        for branch in &branches {
            let same = |known: &Branch| added(aggregate, known) == added(aggregate, branch);
            match alike.iter_mut().find(|all| all.first().is_some_and(same)) {
                Some(all) => all.push(branch.clone()),
                None => alike.push(vec![branch.clone()]),
            }
        }
        let whole = Some(branches.clone()).filter(|_| alike.len() > 1 && !self.pass.above);
        let several = alike.into_iter().filter(|all| all.len() > 1);
        let units = branches.into_iter().map(|branch| vec![branch]).chain(several).chain(whole).enumerate();
        Ok(units.map(|(number, branches)| Unit { at, number, aggregate, branches }).collect())
    }

    /// What each row of the step contributes, to which group: as asked, or with conditions undone.
    fn side(&self, rows: LogicalPlan, units: &[Unit<'_>], undone: bool) -> Result<LogicalPlan, Failure> {
        let mut plan = LogicalPlanBuilder::from(rows);
        if !(undone && self.pass.undone.contains(&Place::Present)) {
            plan = plan.filter(base_column(names::PRESENT))?;
        }
        let keys = (0..self.step.keys.len()).map(|at| base_column(step_key(at).as_str()));
        let values = (0..self.step.values.len()).map(|at| match undone {
            true => base_column(&step::value_without(self.pass.undone, at)).alias(step_value(at).as_str()),
            false => base_column(step_value(at).as_str()),
        });
        let entity = base_column(names::OF_STEP);
        let plan = plan.project(keys.chain(values).chain([entity.clone()]).collect::<Vec<_>>())?;

        let groups = self.query.groups.iter().enumerate();
        let mut columns: Vec<Expr> = groups.map(|(at, group)| group.clone().alias(names::key(at))).collect();
        columns.push(entity_hash().call(vec![entity]).alias(names::ENTITY));
        for unit in units {
            let (none, made) = self.contribution(unit, plan.schema(), undone && self.pass.above)?;
            let sides = if undone { [none, made] } else { [made, none] };
            for (side, undone) in sides.into_iter().zip([false, true]) {
                columns.push(side.alias(names::contribution(unit.at, unit.number, undone)));
            }
        }
        Ok(plan.project(columns)?.build()?)
    }

    /// What a row contributes to a unit of a cell, after nothing of the same type. With `free`, the conditions above the step do not
    /// count.
    fn contribution(&self, unit: &Unit<'_>, schema: &DFSchema, free: bool) -> Result<(Expr, Expr), Failure> {
        let Unit { aggregate, branches, .. } = unit;
        let terms: Vec<Expr> = branches.iter().map(|branch| added(aggregate, branch)).collect();
        let mut kind = DataType::Int64;
        for term in &terms {
            if term.get_type(schema)?.is_floating() {
                kind = DataType::Float64;
            }
        }
        let none = cast(lit(0_i64), kind.clone());
        let mut made = none.clone();
        // A row takes one branch; to everybody, branches that add the same add it once.
        let count = if free { 1 } else { branches.len() };
        for (branch, term) in branches.iter().zip(terms).take(count).rev() {
            let passes = [self.query.filter.clone(), aggregate.filter.clone(), branch.condition.clone()];
            let passes = passes.into_iter().filter(|_| !free);
            let condition = all(passes.chain([counted(aggregate, branch, self.above)]));
            let term = cast(term, kind.clone());
            made = match condition {
                Some(condition) => when(condition, term).otherwise(made)?,
                None => term,
            };
        }
        Ok((none, made))
    }
}

/// Branches of an aggregate that are compared as one.
struct Unit<'a> {
    at: usize,
    number: usize,
    aggregate: &'a SiteAggregate,
    branches: Vec<Branch>,
}

/// Sums that differ by less than this share of themselves are the same: the order of additions alone can make so much.
const SHARE: f64 = 1e-9;

/// Whether an entity's part of a cell is another one.
fn differs(function: Function, floating: bool, one: Expr, other: Expr) -> Expr {
    if function == Function::CountDistinct {
        // An entity with one row in the cell is in it.
        return one.gt(lit(0_i64)).not_eq(other.gt(lit(0_i64)));
    }
    if !floating {
        return one.not_eq(other);
    }
    let apart = abs(one.clone() - other.clone());
    let size = abs(one.clone()) + abs(other.clone());
    one.not_eq(other).and(apart.gt(lit(SHARE) * size))
}
