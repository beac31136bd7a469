//! Queries whose parameters have names, `$ward`: what their parameters are, and the query with values in their places.

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::expr::Placeholder;
use datafusion_expr::{Expr, LogicalPlan};

use crate::catalogue::Catalogue;
use crate::error::{PlanError, lower};
use crate::plan::{bind, check_parameters, on_big_stack, resolve};
use crate::statement;

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, without the `$`.
    pub name: String,
    /// The type of its values: Boolean, Int64, Float64, Utf8 or Date32.
    pub data_type: DataType,
}

/// The names of the parameters of a query, in the order in which they first stand there. The text is one query; whether it fits
/// any tables is not looked at.
///
/// # Errors
/// Where the text is no single query, or a parameter has no name.
pub fn names(sql: &str) -> Result<Vec<String>, PlanError> {
    on_big_stack(|| statement::parse_named(sql))?.map(|(_, names)| names)
}

/// The parameters of a query, in the same order, with the types that their places give them.
///
/// # Errors
/// As [`names`] and [`crate::plan()`], and where a parameter's places give it no type, or several.
pub fn parameters(sql: &str, catalogue: &Catalogue) -> Result<Vec<Parameter>, PlanError> {
    on_big_stack(|| {
        let (parsed, names) = statement::parse_named(sql)?;
        let plan = resolve(&parsed, sql, catalogue)?;
        names
            .into_iter()
            .enumerate()
            .map(|(at, name)| {
                let data_type = type_of(&plan, &name, &format!("${}", at + 1))?;
                Ok(Parameter { name, data_type })
            })
            .collect()
    })?
}

/// Plans such a query with a value for each of its parameters, in the order of [`names`]. A value is judged like a literal.
///
/// # Errors
/// As [`crate::plan()`].
pub fn plan_named(
    sql: &str,
    values: &[ScalarValue],
    catalogue: &Catalogue,
) -> Result<LogicalPlan, PlanError> {
    on_big_stack(|| {
        let (parsed, names) = statement::parse_named(sql)?;
        check_parameters(names.len(), values)?;
        bind(&parsed, sql, values, catalogue)
    })?
}

/// The one type that all places of a parameter give it.
fn type_of(plan: &LogicalPlan, name: &str, id: &str) -> Result<DataType, PlanError> {
    let mut found: Vec<DataType> = Vec::new();
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                let given = match expr {
                    Expr::Placeholder(place) if place.id == id => {
                        place.field.as_ref().map(|field| field.data_type().clone())
                    }
                    Expr::Cast(cast) if is_place(&cast.expr, id) => Some(cast.field.data_type().clone()),
                    _ => None,
                };
                found.extend(given);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    walked.map_err(lower)?;
    let mut kinds: Vec<DataType> = Vec::new();
    for data_type in &found {
        let kind = wire_type(data_type).ok_or_else(|| {
            PlanError::invalid(
                format!("parameter `${name}` would be of type {data_type}, which has no values here"),
                "compare it with a text, a number, a truth value or a day",
            )
        })?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    match kinds.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(PlanError::invalid(
            format!("nothing gives parameter `${name}` a type"),
            format!("compare it with a column, or write for example `CAST(${name} AS BIGINT)`"),
        )),
        [one, other, ..] => Err(PlanError::invalid(
            format!("parameter `${name}` is {one} in one place and {other} in another"),
            "use two parameters, or cast the columns to one type",
        )),
    }
}

fn is_place(expr: &Expr, id: &str) -> bool {
    matches!(expr, Expr::Placeholder(Placeholder { id: found, .. }) if found == id)
}

/// The type in which values for a place of this type are bound.
fn wire_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Boolean => DataType::Boolean,
        DataType::Date32 => DataType::Date32,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        whole if whole.is_integer() => DataType::Int64,
        DataType::Decimal128(..) | DataType::Decimal256(..) => DataType::Float64,
        number if number.is_floating() => DataType::Float64,
        _ => return None,
    })
}
