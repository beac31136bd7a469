//! Keeps DataFusion's simplifier from a wrong answer: it makes `false` of `x IN (1) AND x IN (2)`, and `true` of
//! `x NOT IN (1) OR x NOT IN (2)`, where SQL says NULL for a row without `x`. Under NOT that row then counts although it
//! must not. Two such lists over one expression are held apart by a function that the simplifier cannot look into.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

/// The rule, for every session of this engine.
#[derive(Debug)]
pub(crate) struct ThreeValued;

impl AnalyzerRule for ThreeValued {
    fn name(&self) -> &str {
        "liquid_three_valued"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        let kept = plan.transform_up_with_subqueries(|node| {
            let names = NamePreserver::new(&node);
            node.map_expressions(|expression| {
                let name = names.save(&expression);
                Ok(expression.transform_up(hold_apart)?.update_data(|expression| name.restore(expression)))
            })
        })?;
        Ok(kept.data)
    }
}

fn hold_apart(expression: Expr) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(mut pair) = expression else { return Ok(Transformed::no(expression)) };
    let connects = matches!(pair.op, Operator::And | Operator::Or);
    if !connects || listed(&pair.left).is_none() || listed(&pair.left) != listed(&pair.right) {
        return Ok(Transformed::no(Expr::BinaryExpr(pair)));
    }
    let apart = ScalarUDF::new_from_impl(Apart {
        signature: Signature::exact(vec![DataType::Boolean], Volatility::Immutable),
    });
    pair.left = Box::new(Arc::new(apart).call(vec![*pair.left]));
    Ok(Transformed::yes(Expr::BinaryExpr(pair)))
}

/// What a condition holds against a list of values, where it does nothing else.
fn listed(condition: &Expr) -> Option<&Expr> {
    match condition {
        Expr::InList(list) => Some(&list.expr),
        Expr::Not(inner) => listed(inner),
        Expr::BinaryExpr(pair) if matches!(pair.op, Operator::And | Operator::Or) => {
            let (left, right) = (listed_or_equal(&pair.left)?, listed_or_equal(&pair.right)?);
            (left == right).then_some(left)
        }
        // The left side of a pair that is held apart already.
        Expr::ScalarFunction(call) if call.func.name() == NAME => call.args.first().and_then(listed),
        _ => None,
    }
}

/// As [`listed`], or one comparison, which the simplifier takes for a list of one among others.
fn listed_or_equal(condition: &Expr) -> Option<&Expr> {
    match condition {
        Expr::BinaryExpr(pair) if matches!(pair.op, Operator::Eq | Operator::NotEq) => {
            [&pair.left, &pair.right]
                .into_iter()
                .map(Box::as_ref)
                .find(|side| !matches!(side, Expr::Literal(..)))
        }
        other => listed(other),
    }
}

const NAME: &str = "liquid_apart";

/// The truth value as it is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Apart {
    signature: Signature,
}

impl ScalarUDFImpl for Apart {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        let first = arguments.arg_fields.first();
        first.cloned().ok_or_else(|| internal_datafusion_err!("{NAME} takes a truth value"))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let first = arguments.args.into_iter().next();
        first.ok_or_else(|| internal_datafusion_err!("{NAME} takes a truth value"))
    }
}

#[cfg(test)]
mod tests {
    use liquid_node_api::engine::Caps;

    use crate::session::{collect, session};

    #[tokio::test]
    async fn lists_without_a_common_value_say_nothing_of_a_missing_one() {
        let caps = Caps { memory_bytes: 1 << 24, rows: 100 };
        let session = session(1, &caps).unwrap();
        for condition in [
            "x IN (1) AND x IN (2)",
            "x IN (1, 2) AND x IN (3, 4, 5, 6, 7)",
            "(x = 1 OR x = 2) AND (x = 3 OR x = 4)",
            "x IN (1, 2) AND x NOT IN (1, 2, 3, 4, 5)",
            "NOT (x NOT IN (1) OR x NOT IN (2))",
            "NOT (NOT (x IN (1, 3)) OR NOT (x IN (2, 4)))",
        ] {
            let sql = format!("SELECT ({condition}) IS NULL FROM (VALUES (1), (CAST(NULL AS INT))) t(x)");
            let plan = session.state().create_logical_plan(&sql).await.unwrap();
            let found = collect(&session, plan, &caps).await.unwrap();
            let column = arrow::array::AsArray::as_boolean(found.column(0));
            assert_eq!(column.iter().collect::<Vec<_>>(), [Some(false), Some(true)], "{condition}");
        }
    }
}
