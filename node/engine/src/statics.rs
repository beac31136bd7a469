//! What is public about a cut before any data is read: which groups there are, and in which cells nobody can be left
//! out. Both follow from the question and the declared domains alone, "with the group's key values put into the
//! condition": the groups of a cut are judged one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::context::SessionContext;
use datafusion::functions_aggregate::expr_fn::{bool_and, bool_or};
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, lit};
use liquid_footprint::SiteQuery;
use liquid_footprint::site_query::{base_column, columns_of};
use liquid_node_api::engine::Caps;
use liquid_policy::table::Obligations;

use crate::error::Failure;
use crate::guard::Guard;
use crate::names;
use crate::nulls::never_true_without;
use crate::product::Product;
use crate::session::collect;

/// What is public about a cut.
#[derive(Debug)]
pub(crate) struct Statics {
    /// The groups that the declared domains allow, keys and flags; none where they are not all declared.
    pub(crate) declared: Option<RecordBatch>,
    /// One an aggregate.
    pub(crate) cells: Vec<Cell>,
}

/// What is public about the cells of one aggregate: Boolean expressions over the keys and flags of a group.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// The question lets every row in.
    pub(crate) always: Expr,
    /// A missing value can leave a row out.
    pub(crate) gap: Expr,
}

/// Finds out what is public about a cut.
pub(crate) async fn statics(
    session: &SessionContext,
    schema: &Schema,
    query: &SiteQuery,
    guards: &[Guard],
    obligations: &Obligations,
    caps: &Caps,
) -> Result<Statics, Failure> {
    let mut product = Product::new(schema, obligations);
    let read: BTreeSet<String> = query.groups.iter().flat_map(columns_of).collect();
    let declared = product.take_in(&read);
    let filter = query.filter.as_ref().filter(|filter| declared && product.take_in(&columns_of(filter)));
    let keys = plain_keys(query);

    let (mut flags, mut cells) = (Vec::new(), Vec::new());
    for (at, guard) in guards.iter().enumerate() {
        let facts = Facts::of(guard, &read);
        cells.push(if facts.columns.iter().all(|column| keys.contains_key(column)) {
            Cell { always: with_keys(facts.always, &keys)?, gap: with_keys(facts.gap, &keys)? }
        } else if product.take_in(&facts.columns) {
            flags.push(bool_and(facts.always).alias(names::always(at)));
            flags.push(bool_or(facts.gap).alias(names::gap(at)));
            Cell { always: base_column(&names::always(at)), gap: base_column(&names::gap(at)) }
        } else {
            Cell { always: lit(false), gap: unresolved(guard, &keys) }
        });
    }

    let grouped = declared && !query.groups.is_empty();
    if !grouped && flags.is_empty() {
        return Ok(Statics { declared: None, cells });
    }
    let groups = query.groups.iter().filter(|_| grouped).enumerate();
    let groups = groups.map(|(at, group)| group.clone().alias(names::declared_key(at)));
    let possible = filter.map_or_else(|| lit(true), |filter| Expr::IsTrue(Box::new(filter.clone())));
    flags.push(bool_or(possible).alias(names::POSSIBLE));
    let batch = product.batch()?;
    let source = MemTable::try_new(batch.schema(), vec![vec![batch]])?;
    let mut plan = LogicalPlanBuilder::scan("product", provider_as_source(Arc::new(source)), None)?
        .aggregate(groups.collect::<Vec<_>>(), flags)?;
    if grouped {
        plan = plan.filter(base_column(names::POSSIBLE))?;
    }
    let found = collect(session, plan.build()?, caps).await?;
    if grouped {
        return Ok(Statics { declared: Some(found), cells });
    }
    for cell in &mut cells {
        cell.always = constant(&cell.always, &found);
        cell.gap = constant(&cell.gap, &found);
    }
    Ok(Statics { declared: None, cells })
}

/// What decides about the cells of one aggregate, as expressions over the table's columns.
struct Facts {
    always: Expr,
    gap: Expr,
    columns: BTreeSet<String>,
}

impl Facts {
    /// `read` are the columns that the group keys read.
    fn of(guard: &Guard, read: &BTreeSet<String>) -> Self {
        let paths = guard.gaps.iter().filter_map(|gap| gap.path.as_ref());
        let mut columns: BTreeSet<String> =
            guard.condition.iter().chain(paths).flat_map(columns_of).collect();
        let mut gaps = Vec::new();
        let fixed: BTreeSet<String> = columns.union(read).cloned().collect();
        for gap in &guard.gaps {
            let absent = if fixed.contains(&gap.column) {
                columns.insert(gap.column.clone());
                base_column(&gap.column).is_null()
            } else {
                lit(true) // nothing says what such a column holds: it can always be NULL
            };
            let public = gap.public.iter().filter(|column| fixed.contains(*column)).cloned();
            columns.extend(public.clone());
            let there = public.map(|column| base_column(&column).is_not_null());
            gaps.extend(conjunction(gap.path.iter().cloned().chain(there).chain([absent])));
        }
        let holds = |condition: &Expr| Expr::IsTrue(Box::new(condition.clone()));
        Self {
            always: guard.condition.as_ref().map_or_else(|| lit(true), holds),
            gap: disjunction(gaps).map_or_else(|| lit(false), |gap| holds(&gap)),
            columns,
        }
    }
}

/// Where neither keys nor domains decide, a missing value can leave a row out unless the question shuts NULL out, or
/// the group's key says that there is a value.
fn unresolved(guard: &Guard, keys: &BTreeMap<String, Expr>) -> Expr {
    let mut gaps = Vec::new();
    for gap in &guard.gaps {
        if let Some(path) = &gap.path
            && never_true_without(path, &gap.column)
        {
            continue;
        }
        gaps.push(keys.get(&gap.column).map_or_else(|| lit(true), |key| key.clone().is_null()));
    }
    disjunction(gaps).unwrap_or_else(|| lit(false))
}

/// The group keys that are columns as they stand, by name.
fn plain_keys(query: &SiteQuery) -> BTreeMap<String, Expr> {
    let plain =
        |(at, group): (usize, &Expr)| Some((group.try_as_col()?.name.clone(), base_column(&names::key(at))));
    query.groups.iter().enumerate().filter_map(plain).collect()
}

/// Puts the group's key values into an expression.
fn with_keys(expression: Expr, keys: &BTreeMap<String, Expr>) -> Result<Expr, Failure> {
    let put = expression.transform(|inner| {
        let key = inner.try_as_col().and_then(|column| keys.get(&column.name)).cloned();
        Ok(key.map_or_else(|| Transformed::no(inner), Transformed::yes))
    })?;
    Ok(put.data)
}

/// Reads a flag of the only row; an expression that is no flag stays as it is.
fn constant(expression: &Expr, found: &RecordBatch) -> Expr {
    let value = expression
        .try_as_col()
        .and_then(|column| found.column_by_name(&column.name))
        .and_then(|array| array.as_boolean_opt())
        .and_then(|array| array.iter().next().flatten());
    value.map_or_else(|| expression.clone(), lit)
}
