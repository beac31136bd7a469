//! The contributing branches of an aggregate: the one analysis that footprint and engine share.
//!
//! A *cell* is one aggregate of one group. A row is behind a cell where it passes WHERE and FILTER, takes a branch that
//! contributes, and none of that branch's columns is NULL. A result of NULL contributes nothing; neither does a result
//! of 0 to a sum (it counts as left out); to a count or an average every result that is not NULL contributes.

use std::collections::BTreeSet;

use datafusion_common::ScalarValue;
use datafusion_expr::expr::Case;
use datafusion_expr::{Expr, Operator};
use liquid_policy::footprint::Function;

use crate::error::PlanError;
use crate::site_query::SiteAggregate;

/// One contributing branch of an aggregate's argument. A plain argument, and `count(*)`, has exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// When a row takes it: its own WHEN true, every earlier one not true. None: always.
    pub condition: Option<Expr>,
    /// What it contributes: a column, a product of two, or a literal; casts included. The literal 1 for `count(*)`.
    pub term: Expr,
    /// The columns multiplied, a square twice; none for a literal and for `count(*)`.
    pub columns: Vec<String>,
}

/// The contributing branches of an aggregate, in order, at least one.
///
/// # Errors
/// [`liquid_policy::Code::Expression`] for an argument outside the grammar of agreements: a column, a product of two
/// columns, CASE over these with literal results 0 and 1 (any literal inside a count).
pub fn branches(aggregate: &SiteAggregate) -> Result<Vec<Branch>, PlanError> {
    let Some(argument) = &aggregate.argument else {
        return Ok(vec![Branch { condition: None, term: one(), columns: Vec::new() }]);
    };
    if aggregate.function == Function::CountDistinct {
        return match argument {
            Expr::Column(column) => Ok(vec![Branch {
                condition: None,
                term: argument.clone(),
                columns: vec![column.name.clone()],
            }]),
            _ => Err(outside(
                "count(DISTINCT …) of an expression",
                "count a plain column; put conditions in FILTER",
            )),
        };
    }
    match uncast(argument) {
        Expr::Case(case) => of_case(aggregate.function, case),
        plain => {
            let columns = term(plain)?;
            Ok(vec![Branch { condition: None, term: argument.clone(), columns }])
        }
    }
}

/// The columns that the conditions of an aggregate's CASE read; none where it has no CASE.
pub(crate) fn condition_columns(aggregate: &SiteAggregate) -> Option<BTreeSet<String>> {
    match uncast(aggregate.argument.as_ref()?) {
        Expr::Case(case) => {
            let whens = case.when_then_expr.iter().map(|(when, _)| when);
            Some(whens.flat_map(|w| crate::site_query::columns_of(w)).collect())
        }
        _ => None,
    }
}

fn all(conditions: impl Iterator<Item = Expr>) -> Option<Expr> {
    conditions.reduce(Expr::and)
}

fn one() -> Expr {
    Expr::Literal(ScalarValue::Int64(Some(1)), None)
}

/// What lies under the casts that coercion, or the analyst, put there. They are total, so they change no NULL.
pub fn uncast(mut expr: &Expr) -> &Expr {
    while let Expr::Cast(cast) = expr {
        expr = &cast.expr;
    }
    expr
}

/// The columns of a term that is no literal.
fn term(expr: &Expr) -> Result<Vec<String>, PlanError> {
    let column = |e: &Expr| match uncast(e) {
        Expr::Column(column) => Some(column.name.clone()),
        _ => None,
    };
    let found = match uncast(expr) {
        Expr::BinaryExpr(binary) if binary.op == Operator::Multiply => {
            column(&binary.left).zip(column(&binary.right)).map(|(l, r)| vec![l, r])
        }
        other => column(other).map(|c| vec![c]),
    };
    found.ok_or_else(|| {
        outside(
            "such an expression",
            "aggregate a column, a product of two columns, or CASE over these; compute with the results above",
        )
    })
}

fn of_case(function: Function, case: &Case) -> Result<Vec<Branch>, PlanError> {
    let mut found = Vec::new();
    let mut earlier: Vec<Expr> = Vec::new();
    let results = case.when_then_expr.iter().map(|(when, then)| (Some(when), then));
    let results = results.chain(case.else_expr.iter().map(|e| (None, e)));
    for (when, result) in results {
        if let Some(columns) = contribution(function, result)? {
            let condition = all(earlier.iter().cloned().chain(when.map(|w| w.as_ref().clone())));
            found.push(Branch { condition, term: result.as_ref().clone(), columns });
        }
        earlier.extend(when.map(|w| Expr::IsNotTrue(w.clone())));
    }
    if found.is_empty() {
        return Err(outside("a CASE that contributes nothing", "give one of its branches a column or 1"));
    }
    Ok(found)
}

/// The columns of a CASE result; none where it contributes nothing.
fn contribution(function: Function, result: &Expr) -> Result<Option<Vec<String>>, PlanError> {
    let Expr::Literal(value, _) = uncast(result) else { return term(result).map(Some) };
    if value.is_null() {
        return Ok(None);
    }
    match (function, value) {
        (Function::Count, _) => Ok(Some(Vec::new())),
        // An average divides by those with a 0 too.
        (Function::Avg, ScalarValue::Int64(Some(0)) | ScalarValue::Int32(Some(0))) => Ok(Some(Vec::new())),
        (Function::Avg, ScalarValue::Float64(Some(x))) if *x == 0.0 => Ok(Some(Vec::new())),
        (_, ScalarValue::Int64(Some(0)) | ScalarValue::Int32(Some(0))) => Ok(None),
        (_, ScalarValue::Int64(Some(1)) | ScalarValue::Int32(Some(1))) => Ok(Some(Vec::new())),
        (_, ScalarValue::Float64(Some(x))) if *x == 0.0 => Ok(None),
        (_, ScalarValue::Float64(Some(x))) if *x == 1.0 => Ok(Some(Vec::new())),
        _ => Err(outside("a CASE result that is a literal other than 0 and 1", "use 1 and multiply above")),
    }
}

fn outside(what: &str, fix: &str) -> PlanError {
    let message = format!("{what} may not stand inside an aggregate over a protected table");
    PlanError::refused(liquid_policy::Code::Expression, "expressions", message, fix)
}
