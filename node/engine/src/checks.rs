//! What an agreement says of a table's values, held against the data once for each state of its files.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::execution::context::SessionContext;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlanBuilder, lit};
use liquid_footprint::site_query::base_column;
use liquid_node_api::engine::Caps;
use liquid_policy::id::ColumnName;
use liquid_policy::table::Obligations;

use crate::base::base;
use crate::error::Failure;
use crate::session::collect;
use crate::tables::Table;

/// The obligations that these files were found to meet, with what the check has made of them.
#[derive(Debug, Default)]
pub(crate) struct Checked(Mutex<HashMap<String, Obligations>>);

/// Every row has an entity, and every required column a value in its domain.
///
/// Who lacks a value is public where the agreement says so. Then it is public, too, that nobody does: such a column comes
/// back as required.
pub(crate) async fn check(
    session: &SessionContext,
    table: &Table,
    obligations: &Obligations,
    checked: &Checked,
    caps: &Caps,
) -> Result<Obligations, Failure> {
    let key = serde_json::to_string(obligations).map_err(|error| Failure::engine(error.to_string()))?;
    if let Some(known) = checked.0.lock().ok().and_then(|known| known.get(&key).cloned()) {
        return Ok(known);
    }
    let entity = obligations.entity.as_str();
    let mut columns: BTreeSet<String> = BTreeSet::from([entity.to_owned()]);
    for (name, rule) in &obligations.columns {
        if rule.required || rule.missing_public {
            columns.insert(name.as_str().to_owned());
        }
    }
    let missing = columns
        .iter()
        .map(|name| count(lit(1_i64)).filter(base_column(name).is_null()).build().map(|e| e.alias(name)))
        .collect::<Result<Vec<Expr>, _>>()?;
    let plan = LogicalPlanBuilder::from(base(table, obligations, &columns)?)
        .aggregate(Vec::<Expr>::new(), missing)?
        .build()?;
    let found = collect(session, plan, caps).await?;
    let mut met = obligations.clone();
    for (name, counts) in columns.iter().zip(found.columns()) {
        let rows = counts.as_primitive::<Int64Type>().iter().next().flatten().unwrap_or(0);
        let rule = met.columns.get_mut(&ColumnName::new(name));
        if rows == 0 {
            rule.into_iter().for_each(|rule| rule.required |= rule.missing_public);
        } else if name == entity || rule.is_some_and(|rule| rule.required) {
            return Err(missing_values(obligations, name, rows));
        }
    }
    if let Ok(mut known) = checked.0.lock() {
        known.insert(key, met.clone());
    }
    Ok(met)
}

fn missing_values(obligations: &Obligations, column: &str, rows: i64) -> Failure {
    let table = &obligations.table;
    Failure::data(if column == obligations.entity.as_str() {
        format!(
            "table `{table}`: {rows} rows have no value in `{column}`, which names the protected entity; correct the \
             source, or leave these rows out of the view with `WHERE {column} IS NOT NULL`"
        )
    } else {
        format!(
            "table `{table}`: {rows} rows have no value of the declared domain in `{column}`, which the agreement \
             says is required; correct the source or the view, or the agreement"
        )
    })
}
