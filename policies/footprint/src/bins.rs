//! How conditions and group keys above a step look at its counts: the whole numbers at which one answer ends and another begins.

use std::collections::{BTreeMap, BTreeSet};

use datafusion_common::ScalarValue;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::{Expr, Operator};
use liquid_policy::footprint::{CountUse, Function, step_value};
use liquid_policy::id::ColumnName;

use crate::branches::{branches, uncast};
use crate::footprint::chosen_by;
use crate::site_query::{SiteQuery, Step};

/// For each count, its edges; none where it is looked at in another way.
type Found = BTreeMap<String, Option<BTreeSet<i64>>>;

/// Every count of the step that stands in a condition or a key above it.
pub(crate) fn counts(query: &SiteQuery, step: &Step) -> Vec<CountUse> {
    let counts = step
        .values
        .iter()
        .enumerate()
        .filter(|(_, value)| matches!(value.function, Function::Count | Function::CountDistinct));
    let counts: BTreeSet<String> = counts.map(|(at, _)| step_value(at).to_string()).collect();
    let mut found = Found::new();
    let filters = query.aggregates.iter().filter_map(|aggregate| aggregate.filter.as_ref());
    for expression in query.filter.iter().chain(&query.groups).chain(filters) {
        look(expression, &counts, &mut found);
    }
    for aggregate in &query.aggregates {
        // What a CASE gives is added up; what it asks is a condition. Elsewhere a count may be added up alone.
        match aggregate.argument.as_ref().map(uncast) {
            Some(Expr::Case(case)) if branches(aggregate).is_ok() => {
                case.when_then_expr.iter().for_each(|(when, _)| look(when, &counts, &mut found));
            }
            Some(other) if branches(aggregate).is_err() && !chosen_by(other).is_disjoint(&counts) => {
                look(other, &counts, &mut found);
            }
            _ => {}
        }
    }
    let uses = found.into_iter().map(|(value, edges)| CountUse { value: ColumnName::new(value), edges });
    uses.collect()
}

fn look(expression: &Expr, counts: &BTreeSet<String>, found: &mut Found) {
    // The visitor's closure never fails.
    let _ = expression.apply(|node| {
        if let Some((count, edges)) = compared(node, counts) {
            let known = found.entry(count).or_insert_with(|| Some(BTreeSet::new()));
            if let Some(known) = known {
                known.extend(edges.into_iter().filter(|edge| *edge > 0)); // no count is negative
            }
            return Ok(TreeNodeRecursion::Jump);
        }
        if let Some(column) = node.try_as_col().filter(|column| counts.contains(&column.name)) {
            found.insert(column.name.clone(), None);
        }
        Ok(TreeNodeRecursion::Continue)
    });
}

/// A comparison of a count with whole numbers, with its edges: the numbers that it answers otherwise than the number before.
fn compared(node: &Expr, counts: &BTreeSet<String>) -> Option<(String, Vec<i64>)> {
    let count = |expr: &Expr| Some(expr.try_as_col().filter(|c| counts.contains(&c.name))?.name.clone());
    match node {
        Expr::BinaryExpr(pair) => {
            let (column, literal, op) = match (count(&pair.left), count(&pair.right)) {
                (Some(column), None) => (column, whole(&pair.right)?, pair.op),
                (None, Some(column)) => (column, whole(&pair.left)?, pair.op.swap()?),
                _ => return None,
            };
            let after = literal.checked_add(1);
            let edges = match op {
                Operator::GtEq | Operator::Lt => vec![literal],
                Operator::Gt | Operator::LtEq => after.into_iter().collect(),
                Operator::Eq | Operator::NotEq | Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => {
                    std::iter::once(literal).chain(after).collect()
                }
                _ => return None,
            };
            Some((column, edges))
        }
        Expr::Between(between) => {
            let (low, high) = (whole(&between.low)?, whole(&between.high)?);
            let edges = if low > high {
                Vec::new()
            } else {
                std::iter::once(low).chain(high.checked_add(1)).collect()
            };
            Some((count(&between.expr)?, edges))
        }
        Expr::InList(list) => {
            let column = count(&list.expr)?;
            let values = list.list.iter().map(whole).collect::<Option<BTreeSet<i64>>>()?;
            let begins =
                values.iter().filter(|n| !n.checked_sub(1).is_some_and(|before| values.contains(&before)));
            let ends = values.iter().filter_map(|n| n.checked_add(1)).filter(|after| !values.contains(after));
            Some((column, begins.copied().chain(ends).collect()))
        }
        _ => None,
    }
}

fn whole(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(n), _) => *n,
        _ => None,
    }
}
