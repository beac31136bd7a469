//! How a cut looks at the days of its columns: the literals that they are compared with, and the parts that are taken of them.
//!
//! No literal goes into a footprint, which is recorded: only on which steps of the calendar all of them lie.

use std::collections::{BTreeMap, BTreeSet};

use datafusion_common::ScalarValue;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::Expr;
use liquid_policy::footprint::{DateUse, Function, Looked, step_key, step_value};
use liquid_policy::grain::Grain;
use liquid_policy::id::ColumnName;

use crate::call::CALENDAR;
use crate::site_query::{SiteQuery, columns_of, renamed};

/// Every column and way of looking of which some grain would be too coarse.
pub(crate) fn dates(query: &SiteQuery) -> Vec<DateUse> {
    let mut found: BTreeMap<(String, Looked), BTreeSet<Grain>> = BTreeMap::new();
    for expression in over_tables(query) {
        // The visitor's closure never fails.
        let _ = expression.apply(|node| {
            look(node, &mut found);
            Ok(TreeNodeRecursion::Continue)
        });
    }
    let coarse = found.into_iter().filter(|(_, fits)| fits.len() < Grain::ALL.len());
    let uses = coarse.map(|((column, looked), fits)| DateUse {
        column: ColumnName::new(column),
        looked,
        fits: fits.into_iter().collect(),
    });
    uses.collect()
}

/// Every expression over the columns of the tables: above a step, each key stands for what it is, and the first or last day for a day.
fn over_tables(query: &SiteQuery) -> Vec<Expr> {
    let Some(step) = &query.step else { return query.expressions().cloned().collect() };
    let keys = step.keys.iter().enumerate().map(|(at, key)| (step_key(at).to_string(), key.clone()));
    let ends = step.values.iter().enumerate().filter_map(|(at, value)| match value.function {
        Function::Min | Function::Max => Some((step_value(at).to_string(), value.argument.clone()?)),
        Function::Count | Function::CountDistinct | Function::Sum | Function::Avg => None,
    });
    let stands_for: BTreeMap<String, Expr> = keys.chain(ends).collect();
    let above =
        query.expressions().map(|expression| renamed(expression, |name| stands_for.get(name).cloned()));
    step.expressions().cloned().chain(above.flatten()).collect()
}

fn look(node: &Expr, found: &mut BTreeMap<(String, Looked), BTreeSet<Grain>>) {
    let (looked, read, fits): (_, Vec<&Expr>, BTreeSet<Grain>) = match node {
        Expr::ScalarFunction(function) if matches!(function.func.name(), "date_part" | "date_trunc") => {
            let [Expr::Literal(ScalarValue::Utf8(Some(part)), _), day] = function.args.as_slice() else {
                return;
            };
            let has = |grain: &Grain| grain.parts().contains(&part.as_str());
            (Looked::Parts, vec![day], Grain::ALL.into_iter().filter(has).collect())
        }
        _ => {
            let sides = compared(node);
            let (literals, others): (Vec<&Expr>, Vec<&Expr>) =
                sides.into_iter().partition(|side| matches!(side, Expr::Literal(..)));
            let days: Vec<i32> = literals.into_iter().filter_map(day).collect();
            if days.is_empty() {
                return;
            }
            let on = |grain: &Grain| days.iter().all(|day| grain.start_of(*day) == Some(*day));
            (Looked::Compared, others, Grain::ALL.into_iter().filter(on).collect())
        }
    };
    for column in read.into_iter().flat_map(columns_of) {
        let before = found.entry((column, looked)).or_insert_with(|| Grain::ALL.into());
        before.retain(|grain| fits.contains(grain));
    }
}

/// What stands on the sides of a comparison; nothing where there is none.
fn compared(node: &Expr) -> Vec<&Expr> {
    match node {
        // Of days there is no other operation.
        Expr::BinaryExpr(binary) => vec![&binary.left, &binary.right],
        // Our own rewriting asks so whether a day has a part at all.
        Expr::Between(between)
            if is_end(&between.low, CALENDAR.start()) && is_end(&between.high, CALENDAR.end()) =>
        {
            Vec::new()
        }
        Expr::Between(between) => vec![&between.expr, &between.low, &between.high],
        Expr::InList(list) => std::iter::once(list.expr.as_ref()).chain(&list.list).collect(),
        Expr::ScalarFunction(function) if function.func.name() == "nullif" => function.args.iter().collect(),
        _ => Vec::new(),
    }
}

/// The day that a literal is.
fn day(literal: &Expr) -> Option<i32> {
    match literal {
        Expr::Literal(ScalarValue::Date32(day), _) => *day,
        _ => None,
    }
}

fn is_end(literal: &Expr, end: &i32) -> bool {
    day(literal).as_ref() == Some(end)
}
