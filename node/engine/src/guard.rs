//! What is counted beside an aggregate, so that disclosure can judge each of its cells.
//!
//! A row is *in* the cell where it passes WHERE and FILTER, takes a contributing branch, and no column of that branch's
//! term is NULL. Whom the plan leaves out is judged once for each kind of condition, since each can be undone alone by
//! asking again without it:
//!
//! - by the question: the term has a value, and WHERE, FILTER or CASE does not let the row in;
//! - by a missing value: the row is let in, and a column of the term is NULL, the others not: each branch and column by
//!   itself, since the gaps of one would pad those of another. Required columns have no such rows. Where
//!   missing values are public (`missing = "public"`), they do not count in a cell of everybody. In any other cell they do:
//!   that Ann has no value may be known to all, but not that she is in the group where one value is missing.
//!
//! Rows without a value are never counted as left out by the question: they would hide how few others are. For the same
//! reason a value of 0 is none to a sum or an average: nine hundred zeros do not hide whose one number it is.

use std::collections::BTreeSet;

use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Expr, lit};
use liquid_footprint::branches::uncast;
use liquid_footprint::site_query::base_column;
use liquid_footprint::{Branch, PlanError, SiteAggregate, SiteQuery, branches};
use liquid_policy::footprint::Function;
use liquid_policy::id::ColumnName;
use liquid_policy::table::{ColumnRule, Domain, Obligations};

use crate::added::{Added, added_up};
use crate::nulls::never_true_without;
use crate::step::none_by_filter;

/// The conditions to count under, for one aggregate. None is the condition that every row meets.
#[derive(Debug)]
pub(crate) struct Guard {
    /// For each branch, when a row contributes to it, and what.
    pub(crate) contributing: Vec<Part>,
    /// All branches together, where what one adds can cancel out what another does.
    pub(crate) whole: Option<Part>,
    /// When the question lets a row in: WHERE, FILTER, some branch.
    pub(crate) condition: Option<Expr>,
    /// For each distinct term, when a row with a value is left out by the question, and what it would add.
    pub(crate) by_condition: Vec<Part>,
    /// For each branch and column, when a row is left out by a missing value there alone.
    pub(crate) by_missing: Vec<Part>,
    /// How a row can come to be left out by a missing value.
    pub(crate) gaps: Vec<Gap>,
    /// It counts distinct entities: its elements are not rows but entities.
    pub(crate) entities: bool,
    /// What its cells add up over which rows, as others may over nearly the same.
    pub(crate) added: Vec<Added>,
}

/// Whom one kind of condition leaves out of an aggregate's cells, as expressions over the result of a pass.
#[derive(Debug, Clone)]
pub(crate) struct LeftOut {
    /// How many, at most k: a UInt32 that is never NULL.
    pub(crate) count: Expr,
    /// Whether what they would add is spread over them.
    pub(crate) spread: Expr,
}

/// Rows that add something to a cell, or would.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    /// Which rows; all of them where there is none.
    pub(crate) condition: Option<Expr>,
    /// What each adds, a number; none where entities are counted, of which each adds one.
    pub(crate) weight: Option<Expr>,
}

/// A column of a term that may be NULL without that being public.
#[derive(Debug)]
pub(crate) struct Gap {
    /// When the question lets a row into this branch.
    pub(crate) path: Option<Expr>,
    /// The column.
    pub(crate) column: String,
    /// Columns of the same term whose missing values are public: where they have none, there is nothing to leave out.
    pub(crate) public: Vec<String>,
}

/// Works out what to count beside one aggregate of a query.
pub(crate) fn guard(
    query: &SiteQuery,
    aggregate: &SiteAggregate,
    obligations: &Obligations,
) -> Result<Guard, PlanError> {
    let passes = all([query.filter.clone(), aggregate.filter.clone()]);
    let branches = branches(aggregate)?;
    let everybody = everybody(query, aggregate, &branches);
    let path = |branch: &Branch| all([passes.clone(), branch.condition.clone()]);
    let entities = aggregate.function == Function::CountDistinct;
    let weight = |branch: &Branch| (!entities).then(|| added(aggregate, branch));
    let contributing = branches.iter().map(|branch| Part {
        condition: all([path(branch), counted(aggregate, branch, obligations)]),
        weight: weight(branch),
    });
    let sums = matches!(aggregate.function, Function::Sum | Function::Avg) && branches.len() > 1;
    let argument = aggregate.argument.clone().filter(|_| sums);
    let whole = argument.map(|argument| Part { condition: passes.clone(), weight: Some(argument) });
    let condition = if total(aggregate, &branches) { passes.clone() } else { any(branches.iter().map(path)) };
    let mut guard = Guard {
        contributing: contributing.collect(),
        whole,
        condition,
        by_condition: Vec::new(),
        by_missing: Vec::new(),
        gaps: Vec::new(),
        entities,
        added: added_up(
            aggregate,
            &branches,
            obligations,
            (&passes, total(aggregate, &branches)),
            |column| everybody && rule(obligations, column).missing_public,
        ),
    };
    if entities {
        return Ok(guard);
    }
    if let Some(condition) = &guard.condition {
        for branch in &branches {
            let outside = Expr::IsNotTrue(Box::new(condition.clone()));
            let condition = all([counted(aggregate, branch, obligations), Some(outside)]);
            let part = Part { condition, weight: weight(branch) };
            if !guard.by_condition.contains(&part) {
                guard.by_condition.push(part);
            }
        }
    }
    for branch in &branches {
        let public = |column: &String| everybody && rule(obligations, column).missing_public;
        let read = read(branch);
        let (public, private): (Vec<_>, Vec<_>) = read.iter().cloned().partition(public);
        let can_lack = |column: &String| {
            !rule(obligations, column).required && !none_by_filter(query, obligations, column)
        };
        for column in private.into_iter().filter(can_lack) {
            let path = path(branch);
            if !path.as_ref().is_some_and(|path| never_true_without(path, &column)) {
                let others: Vec<_> = read.iter().filter(|other| **other != column).cloned().collect();
                let absent = base_column(&column).is_null();
                // What is not there adds nothing: it is the rows themselves that can be counted.
                let condition = all([path.clone(), present(&others, obligations), Some(absent)]);
                let part = Part { condition, weight: Some(lit(1_i64)) };
                if !guard.by_missing.contains(&part) {
                    guard.by_missing.push(part);
                }
            }
            guard.gaps.push(Gap { path, column, public: public.clone() });
        }
    }
    Ok(guard)
}

/// What a row of a branch adds: 1 where rows or entities are counted, the term where they are added up.
pub(crate) fn added(aggregate: &SiteAggregate, branch: &Branch) -> Expr {
    match aggregate.function {
        Function::Sum | Function::Avg => branch.term.clone(),
        Function::Count | Function::CountDistinct | Function::Min | Function::Max => lit(1_i64),
    }
}

/// Whether every arm of the argument contributes, so that a row that passes is in whatever its columns say.
fn total(aggregate: &SiteAggregate, branches: &[Branch]) -> bool {
    match aggregate.argument.as_ref().map(uncast) {
        Some(Expr::Case(case)) => case.else_expr.is_some() && branches.len() == case.when_then_expr.len() + 1,
        _ => branches.iter().any(|branch| branch.condition.is_none()),
    }
}

/// The cell is over the whole table: no key, WHERE, FILTER or CASE tells one row from another.
fn everybody(query: &SiteQuery, aggregate: &SiteAggregate, branches: &[Branch]) -> bool {
    query.tables.len() == 1
        && query.filter.is_none()
        && aggregate.filter.is_none()
        && query.groups.iter().all(|key| matches!(key, Expr::Literal(..)))
        && total(aggregate, branches)
        && branches.iter().all(|branch| branch.condition.is_none())
}

/// The columns of a branch's term, each once: a square names its column twice.
pub(crate) fn read(branch: &Branch) -> Vec<String> {
    let factors = branch.factors.iter().map(|factor| &factor.column);
    branch.columns.iter().chain(factors).cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// When a row that takes a branch counts: no column is NULL and, to a sum or an average, nothing that is multiplied is 0.
pub(crate) fn counted(aggregate: &SiteAggregate, branch: &Branch, obligations: &Obligations) -> Option<Expr> {
    let mut zeros: Vec<(&String, i64)> = Vec::new();
    if matches!(aggregate.function, Function::Sum | Function::Avg) {
        zeros.extend(branch.columns.iter().map(|column| (column, 0)));
        zeros.extend(branch.factors.iter().map(|factor| (&factor.column, factor.zero_at)));
        zeros.sort();
        zeros.dedup();
    }
    let zeros = zeros.into_iter().filter(|(column, zero)| can_be(&rule(obligations, column), *zero));
    let not_zero = zeros.map(|(column, zero)| base_column(column).not_eq(lit(zero)));
    all([present(&read(branch), obligations), conjunction(not_zero)])
}

pub(crate) fn can_be(rule: &ColumnRule, value: i64) -> bool {
    match &rule.domain {
        Some(Domain::Range { from, to }) => (*from..=*to).contains(&value),
        Some(Domain::Values(_) | Domain::Steps { .. }) | None => true,
    }
}

/// No column is NULL; none where that is so anyway.
pub(crate) fn present(columns: &[String], obligations: &Obligations) -> Option<Expr> {
    let nullable = columns.iter().filter(|column| !rule(obligations, column).required);
    conjunction(nullable.map(|column| base_column(column).is_not_null()))
}

pub(crate) fn rule(obligations: &Obligations, column: &str) -> ColumnRule {
    obligations.columns.get(&ColumnName::new(column)).cloned().unwrap_or_default()
}

/// All of the conditions; none where there is none.
pub(crate) fn all(conditions: impl IntoIterator<Item = Option<Expr>>) -> Option<Expr> {
    conjunction(conditions.into_iter().flatten())
}

/// Any of the conditions; none, which always holds, where one of them does.
fn any(conditions: impl IntoIterator<Item = Option<Expr>>) -> Option<Expr> {
    let conditions = conditions.into_iter().collect::<Option<Vec<_>>>()?;
    Some(disjunction(conditions).unwrap_or_else(|| lit(false)))
}
