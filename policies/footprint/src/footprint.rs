//! A cut as the plain data that an agreement's decision judges.

use std::collections::BTreeSet;

use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{Expr, Operator};
use liquid_policy::Footprint;
use liquid_policy::footprint::{Aggregate, Argument, GroupKey, Step, StepKey, Term, place_in_cut, step_key};
use liquid_policy::id::ColumnName;

use crate::bins::counts;
use crate::branches::{branches, condition_columns};
use crate::call::is_rewritten;
use crate::dates::dates;
use crate::site_query::{SiteAggregate, SiteQuery, Step as SiteStep, base_column, columns_of};

/// What a cut touches, by position. Columns of conditions and keys are in alphabetical order, each once; those of a term
/// are as they are multiplied.
pub fn footprint(query: &SiteQuery) -> Footprint {
    Footprint {
        tables: query.tables.clone(),
        joins: query.joins.iter().map(|(l, r)| (ColumnName::new(l), ColumnName::new(r))).collect(),
        mixed: mixed(query),
        filter: query.filter.as_ref().map(read).unwrap_or_default(),
        groups: query.groups.iter().map(key).collect(),
        aggregates: query.aggregates.iter().map(aggregate).collect(),
        dates: dates(query),
        step: query.step.as_ref().map(|below| step(query, below)),
    }
}

fn step(query: &SiteQuery, step: &SiteStep) -> Step {
    let released = |at: usize| query.groups.contains(&base_column(step_key(at).as_str()));
    let keys = step.keys.iter().enumerate().map(|(at, key)| StepKey {
        columns: read(key),
        plain: key.try_as_col().is_some(),
        released: released(at),
    });
    Step {
        filter: step.filter.as_ref().map(read).unwrap_or_default(),
        keys: keys.collect(),
        values: step.values.iter().map(aggregate).collect(),
        counts: counts(query, step),
    }
}

/// Whether a condition reads columns of several tables: a part of WHERE or FILTER that AND does not divide, or the conditions of
/// one CASE, each of which is asked where those before it do not hold.
fn mixed(query: &SiteQuery) -> bool {
    if query.step.is_some() {
        return false; // the columns above a step are of one relation, and below it there is one table
    }
    let tables = query.tables.len();
    let several = |columns: BTreeSet<String>| {
        let mut read = columns
            .into_iter()
            .map(|column| place_in_cut(tables, &ColumnName::new(column)).map(|(at, _)| at));
        let first = read.next();
        read.any(|table| Some(table) != first)
    };
    let filters =
        query.filter.iter().chain(query.aggregates.iter().filter_map(|aggregate| aggregate.filter.as_ref()));
    filters.flat_map(split_conjunction).any(|part| several(columns_of(part)))
        || query.aggregates.iter().filter_map(condition_columns).any(several)
}

fn key(key: &Expr) -> GroupKey {
    GroupKey { columns: read(key) }
}

fn aggregate(aggregate: &SiteAggregate) -> Aggregate {
    let filter = aggregate.filter.as_ref().map(read).unwrap_or_default();
    Aggregate { function: aggregate.function, argument: argument(aggregate), filter }
}

fn argument(aggregate: &SiteAggregate) -> Argument {
    let Some(argument) = &aggregate.argument else { return Argument::Rows };
    // What is outside the grammar of terms is an expression like any other, and for the decision to allow.
    let Ok(branches) = branches(aggregate) else { return any(argument) };
    let mut terms = branches.into_iter().map(|branch| Term {
        columns: names(branch.columns),
        factors: names(branch.factors.into_iter().map(|factor| factor.column)),
    });
    match condition_columns(aggregate) {
        Some(conditions) => Argument::Case { conditions: names(conditions), branches: terms.collect() },
        None => terms.next().map_or_else(|| any(argument), Argument::Term),
    }
}

/// Which columns of an expression choose, and which are computed with; one can do both.
fn any(argument: &Expr) -> Argument {
    let (mut conditions, mut columns) = (BTreeSet::new(), BTreeSet::new());
    part(argument, &mut conditions, &mut columns);
    Argument::Expression { conditions: names(conditions), columns: names(columns) }
}

/// The columns that choose what an expression gives.
pub(crate) fn chosen_by(argument: &Expr) -> BTreeSet<String> {
    let (mut conditions, mut columns) = (BTreeSet::new(), BTreeSet::new());
    part(argument, &mut conditions, &mut columns);
    conditions
}

/// Sorts the columns of one part. Whatever says true or false of a value is a condition, CASE or none.
fn part(expr: &Expr, conditions: &mut BTreeSet<String>, columns: &mut BTreeSet<String>) {
    match expr {
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
            results.for_each(|result| part(result, conditions, columns));
            // `abs`, and the calendar around a day whose part is taken, are written out as CASE over what they are of.
            if !is_rewritten(case) {
                conditions.extend(case.when_then_expr.iter().flat_map(|(when, _)| columns_of(when)));
            }
        }
        Expr::ScalarFunction(call) if call.func.name() == "nullif" => {
            conditions.extend(columns_of(expr));
            call.args.iter().take(1).for_each(|arg| part(arg, conditions, columns));
        }
        test if is_test(test) => conditions.extend(columns_of(test)),
        Expr::Column(column) => {
            columns.insert(column.name.clone());
        }
        other => {
            // The visitor's closure never fails.
            let _ = other.apply_children(|child| {
                part(child, conditions, columns);
                Ok(TreeNodeRecursion::Continue)
            });
        }
    }
}

fn is_test(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) => !matches!(
            binary.op,
            Operator::Plus
                | Operator::Minus
                | Operator::Multiply
                | Operator::Divide
                | Operator::Modulo
                | Operator::StringConcat
        ),
        Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Between(_)
        | Expr::InList(_)
        | Expr::Like(_) => true,
        _ => false,
    }
}

fn read(expr: &Expr) -> Vec<ColumnName> {
    names(columns_of(expr))
}

fn names(columns: impl IntoIterator<Item = String>) -> Vec<ColumnName> {
    columns.into_iter().map(ColumnName::new).collect()
}
