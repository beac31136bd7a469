//! What contributes to a cell and what is left out of it: the one analysis that footprint and engine share.
//!
//! A *cell* is one aggregate of one group. A row is behind a cell where it passes WHERE and FILTER, takes a branch that
//! contributes, and none of that branch's columns is NULL. A result of NULL contributes nothing; neither does a result
//! of 0 to a sum or an average (it counts as left out); to a count every result that is not NULL contributes.

use std::collections::BTreeSet;

use datafusion_common::ScalarValue;
use datafusion_expr::expr::Case;
use datafusion_expr::{Expr, Operator};
use liquid_policy::footprint::Function;

use crate::error::PlanError;
use crate::expression::boolean;
use crate::site_query::{SiteAggregate, SiteQuery, base_column};

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

/// When a row contributes to this branch of a cell: WHERE, FILTER, the branch is taken, no column of the term is NULL.
/// The literal `true` where nothing is in the way. Made for `contributors(entity, k) FILTER (WHERE …)`.
pub fn contributes(query: &SiteQuery, aggregate: &SiteAggregate, branch: &Branch) -> Expr {
    all(conditions(query, aggregate).chain(taken(branch, |_| false))).unwrap_or_else(|| boolean(true))
}

/// When a row is in the cell at all: WHERE, FILTER, some contributing branch is taken, and none of its columns is NULL.
/// `missing_is_public` names the columns whose missing values do not count as left out (`required` or
/// `missing = "public"`): their NULL test is dropped. None where nothing can leave a row out.
///
/// # Errors
/// As for [`branches`].
pub fn belongs(
    query: &SiteQuery,
    aggregate: &SiteAggregate,
    missing_is_public: impl Fn(&str) -> bool,
) -> Result<Option<Expr>, PlanError> {
    let branches = branches(aggregate)?;
    let some = if every_result_contributes(aggregate)
        && branches.iter().all(|b| b.columns.iter().all(|c| missing_is_public(c)))
    {
        None
    } else {
        let each = branches.iter().map(|b| all(taken(b, &missing_is_public)));
        // A branch that is always taken makes the whole condition vanish.
        each.collect::<Option<Vec<_>>>().and_then(|conditions| conditions.into_iter().reduce(Expr::or))
    };
    Ok(all(conditions(query, aggregate).chain(some)))
}

/// When a row of the group counts as left out of the cell: [`belongs`] is not true. None where nothing can be left out.
/// Made for `contributors(entity, k) FILTER (WHERE …)`.
///
/// # Errors
/// As for [`branches`].
pub fn left_out(
    query: &SiteQuery,
    aggregate: &SiteAggregate,
    missing_is_public: impl Fn(&str) -> bool,
) -> Result<Option<Expr>, PlanError> {
    Ok(belongs(query, aggregate, missing_is_public)?.map(|e| Expr::IsNotTrue(Box::new(e))))
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

fn conditions<'a>(query: &'a SiteQuery, aggregate: &'a SiteAggregate) -> impl Iterator<Item = Expr> + 'a {
    query.filter.iter().chain(aggregate.filter.iter()).cloned()
}

/// The branch is taken and its columns are there.
fn taken<'a>(branch: &'a Branch, skip: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = Expr> + 'a {
    let columns: BTreeSet<&str> = branch.columns.iter().map(String::as_str).collect();
    let known =
        columns.into_iter().filter(move |c| !skip(c)).map(|c| Expr::IsNotNull(Box::new(base_column(c))));
    branch.condition.iter().cloned().chain(known)
}

fn all(conditions: impl Iterator<Item = Expr>) -> Option<Expr> {
    conditions.reduce(Expr::and)
}

fn one() -> Expr {
    Expr::Literal(ScalarValue::Int64(Some(1)), None)
}

/// What lies under the casts that coercion, or the analyst, put there. They are total, so they change no NULL.
fn uncast(mut expr: &Expr) -> &Expr {
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
        (_, ScalarValue::Int64(Some(0)) | ScalarValue::Int32(Some(0))) => Ok(None),
        (_, ScalarValue::Int64(Some(1)) | ScalarValue::Int32(Some(1))) => Ok(Some(Vec::new())),
        (_, ScalarValue::Float64(Some(x))) if *x == 0.0 => Ok(None),
        (_, ScalarValue::Float64(Some(x))) if *x == 1.0 => Ok(Some(Vec::new())),
        _ => Err(outside("a CASE result that is a literal other than 0 and 1", "use 1 and multiply above")),
    }
}

/// No result of the argument is NULL or 0 by itself, so that only missing values leave a row out.
fn every_result_contributes(aggregate: &SiteAggregate) -> bool {
    match aggregate.argument.as_ref().map(uncast) {
        Some(Expr::Case(case)) => {
            let mut results = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
            case.else_expr.is_some()
                && results.all(|r| matches!(contribution(aggregate.function, r), Ok(Some(_))))
        }
        _ => true,
    }
}

fn outside(what: &str, fix: &str) -> PlanError {
    let message = format!("{what} may not stand inside an aggregate over a protected table");
    PlanError::refused(liquid_policy::Code::Expression, "expressions", message, fix)
}
