//! One cut over one site's own rows: what was asked, and beside it what disclosure needs to judge each cell.
//!
//! 1. The base: the columns that are read, values outside their declared domains NULL.
//! 2. Checks: every row has an entity, every required column a value; a column that is publicly whole is required too.
//! 3. Without a minimum, the cut as it was asked, and that is all.
//! 4. With one: WHERE becomes a FILTER of every aggregate, and counts of contributors go along in the same pass.
//! 5. What is public decides which rows and which flags the result has; absent groups are filled in.
//! 6. Rows are ordered by the keys, so their order says nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::{Column, DFSchema, JoinType, NullEquality, ScalarValue};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::context::SessionContext;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::functions::core::expr_fn::{coalesce, least};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit, when};
use liquid_disclosure::Layout;
use liquid_footprint::site_query::base_column;
use liquid_footprint::{SiteQuery, branches};
use liquid_node_api::engine::{Caps, HashKey};
use liquid_policy::footprint::Function;
use liquid_policy::id::{ColumnName, TableName};
use liquid_policy::table::Obligations;

use crate::base::Base;
use crate::checks::{self, Checked};
use crate::differ::Beside;
use crate::error::Failure;
use crate::families::Families;
use crate::guard::{Guard, LeftOut, guard};
use crate::hidden::Hidden;
use crate::names;
use crate::remembered::Remembered;
use crate::session::{collect, nullable};
use crate::statics::{Cell, statics};
use crate::tables::Table;
use crate::{apart, differ, step};

/// Runs one cut.
pub(crate) async fn run(
    session: &SessionContext,
    tables: &BTreeMap<TableName, Table>,
    query: &SiteQuery,
    obligations: &Obligations,
    checked: &Checked,
    (caps, known_by): (&Caps, Option<HashKey>),
) -> Result<(Layout, RecordBatch), Failure> {
    let met = checks::check(session, &Base::new(tables, obligations)?, checked, caps).await?;
    let base = Base::new(tables, &met)?;
    let (layout, plan, _room) = match met.minimum {
        None => unguarded(&base, query)?,
        Some(k) => guarded(session, &base, query, k, (caps, known_by)).await?,
    };
    let keys = (0..layout.groups).map(|at| base_column(&format!("g{at}")).sort(true, false));
    let plan = match layout.groups {
        0 => plan,
        _ => LogicalPlanBuilder::from(plan).sort(keys)?.build()?,
    };
    let batch = collect(session, plan, caps).await?;
    let shown = layout.groups + layout.branches.len();
    Ok((layout, nullable(&batch, shown)?))
}

/// What is to run, and the memory of what it reads.
type Planned = (Layout, LogicalPlan, Option<MemoryReservation>);

/// The cut as it was asked.
fn unguarded(base: &Base<'_>, query: &SiteQuery) -> Result<Planned, Failure> {
    let rows = match &query.step {
        Some(step) => step::plain(base, step)?,
        None => base.rows(&query.columns())?,
    };
    let mut plan = LogicalPlanBuilder::from(rows);
    if let Some(filter) = &query.filter {
        plan = plan.filter(filter.clone())?;
    }
    let keys = query.groups.iter().enumerate().map(|(at, group)| group.clone().alias(names::key(at)));
    let aggregates =
        query.aggregates.iter().enumerate().map(|(at, aggregate)| {
            aggregate.expression(aggregate.filter.clone()).alias(names::aggregate(at))
        });
    let plan = plan.aggregate(keys.collect::<Vec<_>>(), aggregates.collect::<Vec<_>>())?;
    let keys = (0..query.groups.len()).map(|at| base_column(&names::key(at)).alias(format!("g{at}")));
    let values =
        (0..query.aggregates.len()).map(|at| base_column(&names::aggregate(at)).alias(format!("a{at}")));
    // An expression outside the grammar of terms is one branch.
    let branches = query.aggregates.iter().map(|aggregate| branches(aggregate).map_or(1, |all| all.len()));
    let layout = Layout {
        groups: query.groups.len(),
        branches: branches.collect(),
        guarded: false,
        concentrated: false,
        families: vec![],
        measured: None,
        declared: query.groups.is_empty(),
    };
    Ok((layout, plan.project(keys.chain(values).collect::<Vec<_>>())?.build()?, None))
}

/// The cut with the counts that its agreement's minimum demands.
async fn guarded(
    session: &SessionContext,
    base: &Base<'_>,
    query: &SiteQuery,
    k: u32,
    (caps, known_by): (&Caps, Option<HashKey>),
) -> Result<Planned, Failure> {
    let read = Read::of(base, query)?;
    let obligations = &read.obligations;
    let guards = query
        .aggregates
        .iter()
        .map(|aggregate| guard(query, aggregate, obligations))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Failure::plan)?;
    let statics = statics(session, &read.schema, query, &guards, obligations, caps).await?;
    let remembered = known_by.map(|key| Remembered::of(query, &guards, obligations, key)).transpose()?;
    let families = if remembered.is_none() { Families::of(&guards, k) } else { Families::default() };
    let layout = Layout {
        groups: query.groups.len(),
        branches: guards.iter().map(|guard| guard.contributing.len()).collect(),
        guarded: true,
        concentrated: obligations.concentration.is_some(),
        families: families.told(),
        measured: remembered.as_ref().map(|remembered| remembered.measured.clone()),
        declared: query.groups.is_empty() || statics.declared.is_some(),
    };

    let mut hidden =
        Hidden::new(k, one_row_each(query, obligations), obligations.concentration, families, remembered);
    let present = hidden.contributors(query.filter.clone())?;
    let mut outputs = Vec::new();
    let (mut contributing, mut left_out, mut safe) = (Vec::new(), Vec::new(), Vec::new());
    let mut inside = Vec::new();
    for (at, ((aggregate, guard), cell)) in
        query.aggregates.iter().zip(&guards).zip(&statics.cells).enumerate()
    {
        let condition = conjunction(query.filter.iter().chain(&aggregate.filter).cloned());
        hidden.aggregate(condition, |filter| aggregate.expression(filter));
        let value = base_column(&names::aggregate(at));
        let value = match aggregate.function {
            Function::Count | Function::CountDistinct => coalesce(vec![value, lit(0_i64)]),
            Function::Sum | Function::Avg | Function::Min | Function::Max => value,
        };
        outputs.push(value.alias(format!("a{at}")));
        for (branch, part) in guard.contributing.iter().enumerate() {
            let count = or_zero(hidden.contributors(part.condition.clone())?);
            contributing.push(count.alias(format!("c{at}_{branch}")));
        }
        let parts = guard.contributing.iter().chain(&guard.whole).cloned();
        let spread = parts.map(|part| hidden.spread(part.condition, part.weight));
        inside.push(conjunction(spread).unwrap_or_else(|| lit(true)));
        left_out.push(left_out_of(at, guard, cell, k, &mut hidden)?);
        safe.push(nobody(cell));
    }
    let entity = base_column(obligations.entity.as_str());
    let data = hidden.plan(read.rows, query, entity)?;
    let Beside { mut data, left_out: mut apart, room } =
        differ::beside(session, base, query, &guards, obligations, k, data).await?;
    for part in obligations.parts.iter().enumerate().filter(|_| !query.aggregates.is_empty()) {
        let (joined, of_part) = apart::beside(base, query, part, k, data)?;
        data = joined;
        apart.iter_mut().zip(of_part).for_each(|(all, left_out)| all.push(left_out));
    }
    for ((left_out, safe), mut apart) in left_out.iter_mut().zip(&mut safe).zip(apart) {
        if !apart.is_empty() {
            // Whom the join leaves out is judged for each of its parts alone, and whom conditions below a step concern for each
            // place of theirs, as each kind of condition is.
            let question = std::mem::replace(safe, lit(false));
            apart.push(LeftOut {
                count: when(question.clone(), lit(k)).otherwise(left_out.count.clone())?,
                spread: question.or(left_out.spread.clone()),
            });
            *left_out = every(apart);
        }
    }
    outputs.push(or_zero(present.clone()).alias("present"));
    outputs.extend(contributing);
    let (left_out, outside): (Vec<_>, Vec<_>) =
        left_out.into_iter().map(|LeftOut { count, spread }| (count, spread)).unzip();
    outputs.extend(left_out.into_iter().enumerate().map(|(at, count)| count.alias(format!("l{at}"))));
    outputs.extend(safe.into_iter().enumerate().map(|(at, flag)| flag.alias(format!("s{at}"))));
    if layout.concentrated {
        outputs.extend(inside.into_iter().enumerate().map(|(at, flag)| flag.alias(format!("d{at}"))));
        outputs.extend(outside.into_iter().enumerate().map(|(at, flag)| flag.alias(format!("e{at}"))));
    }

    let families = 0..layout.families.len();
    let told = |at| coalesce(vec![base_column(&names::family(at)), lit("")]);
    outputs.extend(families.map(|at| told(at).alias(format!("f{at}"))));

    let nobody = || lit(ScalarValue::LargeBinary(Some(Vec::new())));
    let terms = || coalesce(vec![base_column(names::TERMS), nobody()]).alias("terms");
    outputs.extend(layout.measured.iter().map(|_| terms()));

    let groups = query.groups.len();
    let (plan, key): (_, fn(usize) -> String) = match &statics.declared {
        Some(declared) => (filled_in(declared, data, groups)?, names::key),
        None if groups == 0 => (LogicalPlanBuilder::from(data), names::key),
        // A group of fewer is absent from every answer; that there are such groups must not even reach the cap on rows.
        None => (LogicalPlanBuilder::from(data).filter(present.gt_eq(lit(k)))?, names::key),
    };
    let keys = (0..groups).map(|at| base_column(&key(at)).alias(format!("g{at}")));
    Ok((layout, plan.project(keys.chain(outputs).collect::<Vec<_>>())?.build()?, room))
}

/// Whether each row of a cut is of another entity: the agreement says so, and it was checked.
fn one_row_each(query: &SiteQuery, obligations: &Obligations) -> bool {
    let [table] = obligations.tables.as_slice() else { return false };
    query.step.is_none() && obligations.parts.is_empty() && table.rows_per_entity_max == Some(1)
}

/// What a cut's own part reads: rows of the base, or of its step.
struct Read {
    rows: LogicalPlan,
    schema: Schema,
    obligations: Obligations,
}

impl Read {
    fn of(base: &Base<'_>, query: &SiteQuery) -> Result<Self, Failure> {
        let obligations = base.obligations.clone();
        let Some(below) = &query.step else {
            let mut columns = query.columns();
            columns.insert(obligations.entity.as_str().to_owned());
            return Ok(Self { rows: base.rows(&columns)?, schema: base.schema.clone(), obligations });
        };
        let tables = DFSchema::try_from(base.schema.clone())?;
        let columns = obligations.step.clone();
        let entity = ColumnName::new(names::OF_STEP);
        Ok(Self {
            rows: step::asked(base, below)?,
            schema: below.output(&tables).map_err(Failure::plan)?,
            obligations: Obligations { columns, entity, ..obligations },
        })
    }
}

/// Whom an aggregate leaves out of a group's cell, at most k, as the least over the kinds of condition that can.
fn left_out_of(
    at: usize,
    guard: &Guard,
    cell: &Cell,
    k: u32,
    hidden: &mut Hidden,
) -> Result<LeftOut, Failure> {
    let zero = || lit(0_u32);
    let nobody_out = LeftOut { count: zero(), spread: lit(true) };
    if cell.always == lit(true) && cell.gap == lit(false) {
        return Ok(nobody_out);
    }
    if guard.entities {
        // An entity with one row in the cell is in it: what counts is who has none.
        let outside = hidden.entities() - base_column(&names::aggregate(at));
        let outside = least(vec![coalesce(vec![outside, lit(0_i64)]), lit(i64::from(k))]);
        let count = when(nobody(cell), zero()).otherwise(cast(outside, DataType::UInt32))?;
        return Ok(LeftOut { count, ..nobody_out });
    }
    let mut kinds = Vec::new();
    if cell.always != lit(true) {
        for part in &guard.by_condition {
            let count = or_zero(hidden.contributors(part.condition.clone())?);
            kinds.push(LeftOut {
                count: when(cell.always.clone(), lit(k)).otherwise(count)?,
                spread: cell.always.clone().or(hidden.spread(part.condition.clone(), part.weight.clone())),
            });
        }
    }
    if cell.gap != lit(false) {
        for part in &guard.by_missing {
            let count = or_zero(hidden.contributors(part.condition.clone())?);
            let spread = hidden.spread(part.condition.clone(), part.weight.clone());
            kinds.push(LeftOut {
                count: when(cell.gap.clone(), count).otherwise(lit(k))?,
                spread: Expr::Not(Box::new(cell.gap.clone())).or(spread),
            });
        }
    }
    if kinds.is_empty() {
        return Ok(nobody_out);
    }
    let LeftOut { count, spread } = every(kinds);
    Ok(LeftOut { count: when(nobody(cell), zero()).otherwise(count)?, spread })
}

/// Every kind must be enough, and spread.
fn every(kinds: Vec<LeftOut>) -> LeftOut {
    let (counts, spread): (Vec<_>, Vec<_>) =
        kinds.into_iter().map(|LeftOut { count, spread }| (count, spread)).unzip();
    LeftOut { count: least(counts), spread: conjunction(spread).unwrap_or_else(|| lit(true)) }
}

/// Nothing can be left out of the cell, whatever the data.
fn nobody(cell: &Cell) -> Expr {
    match (&cell.always, &cell.gap) {
        (always, gap) if *gap == lit(false) => always.clone(),
        (always, gap) if *always == lit(true) => Expr::Not(Box::new(gap.clone())),
        (always, gap) => always.clone().and(Expr::Not(Box::new(gap.clone()))),
    }
}

/// Every declared group, with what the data has of it.
fn filled_in(
    declared: &RecordBatch,
    data: LogicalPlan,
    groups: usize,
) -> Result<LogicalPlanBuilder, Failure> {
    let source = MemTable::try_new(declared.schema(), vec![vec![declared.clone()]])?;
    let wanted = (0..groups).map(|at| Column::from_name(names::declared_key(at))).collect::<Vec<_>>();
    let found = (0..groups).map(|at| Column::from_name(names::key(at))).collect::<Vec<_>>();
    let joined = LogicalPlanBuilder::scan("declared", provider_as_source(Arc::new(source)), None)?
        .join_detailed(data, JoinType::Left, (wanted, found), None, NullEquality::NullEqualsNull)?;
    // From here on a group's keys are the declared ones: an absent group has no others.
    let columns = joined.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let keys = (0..groups).map(names::key).collect::<Vec<_>>();
    let rest = columns.iter().filter(|name| !keys.contains(name)).map(|name| base_column(name));
    let put = (0..groups).map(|at| base_column(&names::declared_key(at)).alias(names::key(at)));
    Ok(joined.project(put.chain(rest).collect::<Vec<_>>())?)
}

fn or_zero(count: Expr) -> Expr {
    coalesce(vec![count, lit(ScalarValue::UInt32(Some(0)))])
}
