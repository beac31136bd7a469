//! Rows of a step that are there only without its WHERE: as asked no row below them passes, so their counts are 0 and their other
//! values missing. Where such a row can be in no cell, whatever the data, that it comes and goes concerns nobody.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator};
use liquid_footprint::branches::uncast;
use liquid_footprint::site_query::Step;
use liquid_footprint::{Branch, PlanError, SiteAggregate, SiteQuery, branches};
use liquid_policy::footprint::{Function, step_value};

use crate::guard::all;
use crate::nulls::never_true_without;
use crate::step::{Place, Undone};

/// What is known of such a row.
struct Absent {
    zeros: BTreeSet<String>,
    missing: BTreeSet<String>,
}

/// Whether such a row can be in the cell of an aggregate, with some conditions undone, and those above the step too if `above`.
pub(crate) fn can_count(
    query: &SiteQuery,
    step: &Step,
    aggregate: &SiteAggregate,
    undone: &Undone,
    above: bool,
) -> Result<bool, PlanError> {
    let mut absent = Absent { zeros: BTreeSet::new(), missing: BTreeSet::new() };
    for (at, value) in step.values.iter().enumerate().filter(|(at, _)| !undone.contains(&Place::Where(*at))) {
        let counts = value.function == Function::Count;
        let known = if counts { &mut absent.zeros } else { &mut absent.missing };
        known.insert(step_value(at).to_string());
    }
    let lets_in = |branch: &Branch| {
        let passes = [query.filter.clone(), aggregate.filter.clone(), branch.condition.clone()];
        let condition = all(passes).filter(|_| !above);
        !condition.is_some_and(|condition| absent.never(&condition))
    };
    Ok(branches(aggregate)?.iter().any(|branch| lets_in(branch) && !absent.adds_nothing(aggregate, branch)))
}

impl Absent {
    fn adds_nothing(&self, aggregate: &SiteAggregate, branch: &Branch) -> bool {
        let missing = |column: &String| self.missing.contains(column);
        match aggregate.function {
            Function::Sum | Function::Avg => {
                branch.columns.iter().any(|column| missing(column) || self.zeros.contains(column))
            }
            _ => branch.columns.iter().any(missing),
        }
    }

    /// Whether a condition is never true for such a row. False where that is not plain to see.
    fn never(&self, condition: &Expr) -> bool {
        match condition {
            Expr::BinaryExpr(pair) => match pair.op {
                Operator::And => self.never(&pair.left) || self.never(&pair.right),
                Operator::Or => self.never(&pair.left) && self.never(&pair.right),
                op => self.compared(&pair.left, op, &pair.right) || self.never_missing(condition),
            },
            Expr::IsTrue(inner) => self.never(inner),
            Expr::Between(between) if !between.negated && self.is_zero(&between.expr) => {
                whole(&between.low).is_some_and(|low| low > 0)
                    || whole(&between.high).is_some_and(|high| high < 0)
            }
            Expr::InList(list) if !list.negated && self.is_zero(&list.expr) => {
                list.list.iter().all(|item| whole(item).is_some_and(|item| item != 0))
            }
            other => self.never_missing(other),
        }
    }

    fn never_missing(&self, condition: &Expr) -> bool {
        self.missing.iter().any(|column| never_true_without(condition, column))
    }

    fn is_zero(&self, expr: &Expr) -> bool {
        uncast(expr).try_as_col().is_some_and(|column| self.zeros.contains(&column.name))
    }

    /// A count, which is 0, compared with a whole number.
    fn compared(&self, left: &Expr, op: Operator, right: &Expr) -> bool {
        let (op, number) = match (self.is_zero(left), self.is_zero(right)) {
            (true, false) => (Some(op), whole(right)),
            (false, true) => (op.swap(), whole(left)),
            _ => return false,
        };
        let (Some(op), Some(number)) = (op, number) else { return false };
        match op {
            Operator::Eq => number != 0,
            Operator::Gt => number >= 0,
            Operator::GtEq => number > 0,
            Operator::Lt => number <= 0,
            Operator::LtEq => number < 0,
            _ => false,
        }
    }
}

fn whole(expr: &Expr) -> Option<i64> {
    match uncast(expr) {
        Expr::Literal(ScalarValue::Int64(value), _) => *value,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::lit;
    use datafusion::prelude::col;

    use super::*;

    #[test]
    fn a_count_of_nothing_meets_no_condition_that_asks_for_one() {
        let absent = Absent { zeros: ["n".to_owned()].into(), missing: ["s".to_owned()].into() };
        let n = || col("n");
        let number = |number: i64| lit(number);
        for (condition, never) in [
            (n().gt_eq(number(1)), true),
            (n().gt_eq(number(0)), false),
            (n().gt(number(0)), true),
            (n().gt(number(-1)), false),
            (n().lt(number(1)), false),
            (n().lt(number(0)), true),
            (n().lt_eq(number(0)), false),
            (n().eq(number(2)), true),
            (n().eq(number(0)), false),
            (n().not_eq(number(0)), false),
            (number(2).lt_eq(n()), true),
            (number(2).gt_eq(n()), false),
            (n().between(number(1), number(4)), true),
            (n().between(number(0), number(4)), false),
            (n().not_between(number(1), number(4)), false),
            (n().in_list(vec![number(1), number(2)], false), true),
            (n().in_list(vec![number(0), number(2)], false), false),
            (n().in_list(vec![number(1)], true), false),
            (n().gt_eq(number(1)).and(col("w").eq(lit("a"))), true),
            (n().gt_eq(number(1)).or(col("w").eq(lit("a"))), false),
            (col("m").gt_eq(number(1)), false),
            (col("s").gt_eq(number(1)), true),
            (col("s").is_null(), false),
        ] {
            assert_eq!(absent.never(&condition), never, "{condition}");
        }
    }
}
