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
    /// The factors `1 + column` and `1 - column` beside them.
    pub factors: Vec<Factor>,
}

/// A factor `1 + column` or `1 - column` of a term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// The column.
    pub column: String,
    /// The value of the column at which the factor is 0: 1 or -1.
    pub zero_at: i64,
}

/// The contributing branches of an aggregate, in order, at least one.
///
/// # Errors
/// [`liquid_policy::Code::Expression`] for an argument outside the grammar of agreements: a column, a product of two
/// columns and two factors `1 + column` or `1 - column`, CASE over these with literal results 0 and 1 (any literal inside a count).
pub fn branches(aggregate: &SiteAggregate) -> Result<Vec<Branch>, PlanError> {
    let Some(argument) = &aggregate.argument else {
        return Ok(vec![Branch { condition: None, term: one(), columns: Vec::new(), factors: Vec::new() }]);
    };
    if aggregate.function == Function::CountDistinct {
        return match argument {
            Expr::Column(column) => Ok(vec![Branch {
                condition: None,
                term: argument.clone(),
                columns: vec![column.name.clone()],
                factors: Vec::new(),
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
            let (columns, factors) = term(plain)?;
            Ok(vec![Branch { condition: None, term: argument.clone(), columns, factors }])
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

/// The columns of a product, and its factors.
type Product = (Vec<String>, Vec<Factor>);

/// What is multiplied in a term that is no literal.
fn term(expr: &Expr) -> Result<Product, PlanError> {
    let (mut columns, mut factors) = (Vec::new(), Vec::new());
    let mut open = vec![uncast(expr)];
    let mut known = true;
    while let Some(part) = open.pop() {
        match part {
            Expr::BinaryExpr(binary) if binary.op == Operator::Multiply => {
                open.push(uncast(&binary.right));
                open.push(uncast(&binary.left));
            }
            Expr::Column(column) => columns.push(column.name.clone()),
            other => match factor(other) {
                Some(factor) => factors.push(factor),
                None => known = false,
            },
        }
    }
    if known && (1..=2).contains(&columns.len()) && factors.len() <= 2 {
        return Ok((columns, factors));
    }
    Err(outside(
        "such an expression",
        "aggregate a column, a product of two columns, or CASE over these; compute with the results above",
    ))
}

/// `1 - column`, `1 + column` or `column + 1`.
fn factor(expr: &Expr) -> Option<Factor> {
    let Expr::BinaryExpr(binary) = expr else { return None };
    let one = |e: &Expr| match uncast(e) {
        Expr::Literal(ScalarValue::Int64(Some(1)) | ScalarValue::Int32(Some(1)), _) => true,
        Expr::Literal(ScalarValue::Float64(Some(x)), _) => *x == 1.0,
        _ => false,
    };
    let column = |e: &Expr| uncast(e).try_as_col().map(|column| column.name.clone());
    match binary.op {
        Operator::Minus if one(&binary.left) => Some(Factor { column: column(&binary.right)?, zero_at: 1 }),
        Operator::Plus if one(&binary.left) => Some(Factor { column: column(&binary.right)?, zero_at: -1 }),
        Operator::Plus if one(&binary.right) => Some(Factor { column: column(&binary.left)?, zero_at: -1 }),
        _ => None,
    }
}

fn of_case(function: Function, case: &Case) -> Result<Vec<Branch>, PlanError> {
    let mut found = Vec::new();
    let mut earlier: Vec<Expr> = Vec::new();
    let results = case.when_then_expr.iter().map(|(when, then)| (Some(when), then));
    let results = results.chain(case.else_expr.iter().map(|e| (None, e)));
    for (when, result) in results {
        if let Some((columns, factors)) = contribution(function, result)? {
            let condition = all(earlier.iter().cloned().chain(when.map(|w| w.as_ref().clone())));
            found.push(Branch { condition, term: result.as_ref().clone(), columns, factors });
        }
        earlier.extend(when.map(|w| Expr::IsNotTrue(w.clone())));
    }
    if found.is_empty() {
        return Err(outside("a CASE that contributes nothing", "give one of its branches a column or 1"));
    }
    Ok(found)
}

/// The columns of a CASE result; none where it contributes nothing.
fn contribution(function: Function, result: &Expr) -> Result<Option<Product>, PlanError> {
    let Expr::Literal(value, _) = uncast(result) else { return term(result).map(Some) };
    if value.is_null() {
        return Ok(None);
    }
    match (function, value) {
        (Function::Count, _) => Ok(Some(Product::default())),
        // An average divides by those with a 0 too.
        (Function::Avg, ScalarValue::Int64(Some(0)) | ScalarValue::Int32(Some(0))) => {
            Ok(Some(Product::default()))
        }
        (Function::Avg, ScalarValue::Float64(Some(x))) if *x == 0.0 => Ok(Some(Product::default())),
        (_, ScalarValue::Int64(Some(0)) | ScalarValue::Int32(Some(0))) => Ok(None),
        (_, ScalarValue::Int64(Some(1)) | ScalarValue::Int32(Some(1))) => Ok(Some(Product::default())),
        (_, ScalarValue::Float64(Some(x))) if *x == 0.0 => Ok(None),
        (_, ScalarValue::Float64(Some(x))) if *x == 1.0 => Ok(Some(Product::default())),
        _ => Err(outside("a CASE result that is a literal other than 0 and 1", "use 1 and multiply above")),
    }
}

fn outside(what: &str, fix: &str) -> PlanError {
    let message = format!("{what} may not stand inside an aggregate over a protected table");
    PlanError::refused(liquid_policy::Code::Expression, "expressions", message, fix)
}
