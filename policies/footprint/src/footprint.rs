//! A cut as the plain data that an agreement's decision judges.

use datafusion_expr::Expr;
use liquid_policy::Footprint;
use liquid_policy::footprint::{Aggregate, Argument, GroupKey, Term};
use liquid_policy::id::ColumnName;

use crate::branches::{branches, condition_columns};
use crate::error::PlanError;
use crate::site_query::{SiteAggregate, SiteQuery, columns_of};

/// What a cut touches, by position. Columns of conditions and keys are in alphabetical order, each once; those of a term
/// are as they are multiplied. Every cut that [`crate::cut`]() made has a footprint.
///
/// # Errors
/// [`liquid_policy::Code::Expression`] for an argument that has no place in a footprint.
pub fn footprint(query: &SiteQuery) -> Result<Footprint, PlanError> {
    Ok(Footprint {
        table: query.table.clone(),
        filter: query.filter.as_ref().map(read).unwrap_or_default(),
        groups: query.groups.iter().map(key).collect(),
        aggregates: query.aggregates.iter().map(aggregate).collect::<Result<_, _>>()?,
    })
}

fn key(key: &Expr) -> GroupKey {
    GroupKey { columns: read(key) }
}

fn aggregate(aggregate: &SiteAggregate) -> Result<Aggregate, PlanError> {
    let mut terms = branches(aggregate)?.into_iter().map(|b| Term { columns: names(b.columns) });
    let argument = match (condition_columns(aggregate), &aggregate.argument) {
        (_, None) => Argument::Rows,
        (Some(conditions), Some(_)) => {
            Argument::Case { conditions: names(conditions), branches: terms.collect() }
        }
        (None, Some(_)) => {
            Argument::Term(terms.next().ok_or_else(|| PlanError::bug("an argument without a term"))?)
        }
    };
    let filter = aggregate.filter.as_ref().map(read).unwrap_or_default();
    Ok(Aggregate { function: aggregate.function, argument, filter })
}

fn read(expr: &Expr) -> Vec<ColumnName> {
    names(columns_of(expr))
}

fn names(columns: impl IntoIterator<Item = String>) -> Vec<ColumnName> {
    columns.into_iter().map(ColumnName::new).collect()
}
