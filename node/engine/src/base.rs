//! The rows that a cut is asked of: the table's columns that it reads, each value outside its declared domain NULL.

use std::collections::BTreeSet;

use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, lit};
use liquid_footprint::site_query::base_column;
use liquid_policy::id::ColumnName;
use liquid_policy::table::Obligations;

use crate::domain;
use crate::error::Failure;
use crate::names;
use crate::tables::Table;

/// Projects a table onto some of its columns, under their own names, with the domains put in.
pub(crate) fn base(
    table: &Table,
    obligations: &Obligations,
    columns: &BTreeSet<String>,
) -> Result<LogicalPlan, Failure> {
    let mut projected = Vec::new();
    for name in columns {
        let Ok(field) = table.schema.field_with_name(name) else {
            return Err(Failure::data(format!(
                "table `{}` has no column `{name}`; the agreement and the model differ",
                obligations.table
            )));
        };
        let column = base_column(name);
        let domain = obligations.columns.get(&ColumnName::new(name)).and_then(|rule| rule.domain.as_ref());
        projected.push(match domain {
            Some(domain) => domain::mapped(column, domain, field.data_type())
                .map_err(|reason| misfit(name, &reason))?
                .alias(name),
            None => column,
        });
    }
    if projected.is_empty() {
        // `count(*)` reads no column, and a projection needs one.
        projected.push(lit(true).alias(names::ROW));
    }
    Ok(LogicalPlanBuilder::from(table.plan.clone()).project(projected)?.build()?)
}

/// A declared domain that does not fit its column.
pub(crate) fn misfit(column: &str, reason: &str) -> Failure {
    Failure::data(format!("the declared domain of column `{column}` does not fit the model: {reason}"))
}
