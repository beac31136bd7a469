//! Keeps DataFusion's simplifier from a wrong answer: it makes `false` of `x IN (1) AND x IN (2)`, and `true` of
//! `x NOT IN (1) OR x NOT IN (2)`, where SQL says NULL for a row without `x`. Under NOT that row then counts although it
//! must not.
//!
//! Which lists it will find to be over one expression cannot be foreseen: it factors out common conditions, and drops `* 1`.
//! So wherever two lists or equalities read a column in common, each goes into a function that it cannot look into.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, internal_datafusion_err};
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
                Ok(hold_apart(expression)?.update_data(|expression| name.restore(expression)))
            })
        })?;
        Ok(kept.data)
    }
}

/// Puts every list and equality of an expression that shares a column with another one out of the simplifier's sight.
fn hold_apart(expression: Expr) -> Result<Transformed<Expr>> {
    let mut readers: HashMap<Column, usize> = HashMap::new();
    expression.apply(|inner| {
        for column in columns(inner) {
            *readers.entry(column).or_default() += 1;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if readers.values().all(|lists| *lists < 2) {
        return Ok(Transformed::no(expression));
    }
    expression.transform_up(|inner| {
        if columns(&inner).iter().all(|column| readers.get(column).is_none_or(|lists| *lists < 2)) {
            return Ok(Transformed::no(inner));
        }
        let apart = ScalarUDF::new_from_impl(Apart {
            signature: Signature::exact(vec![DataType::Boolean], Volatility::Immutable),
        });
        Ok(Transformed::yes(Arc::new(apart).call(vec![inner])))
    })
}

/// The columns of a list, or of a comparison that the simplifier takes for a list of one; none of anything else.
fn columns(condition: &Expr) -> HashSet<Column> {
    let list = match condition {
        Expr::InList(_) => true,
        Expr::BinaryExpr(pair) => matches!(pair.op, Operator::Eq | Operator::NotEq),
        _ => false,
    };
    if list { condition.column_refs().into_iter().cloned().collect() } else { HashSet::new() }
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
            "x IN (1) AND x * 1 IN (2)",
            "(y = 1 AND x IN (1)) AND (y = 1 AND x IN (2))",
            "NOT ((y = 1 AND x NOT IN (1)) OR (y = 1 AND x NOT IN (2)))",
            "coalesce(x, x) IN (1) AND x IN (2)",
            "CASE WHEN y = 1 THEN x IN (1) END AND x IN (2)",
        ] {
            let sql =
                format!("SELECT ({condition}) IS NULL FROM (VALUES (1, 1), (CAST(NULL AS INT), 1)) t(x, y)");
            let plan = session.state().create_logical_plan(&sql).await.unwrap();
            let found = collect(&session, plan, &caps).await.unwrap();
            let column = arrow::array::AsArray::as_boolean(found.column(0));
            assert_eq!(column.iter().collect::<Vec<_>>(), [Some(false), Some(true)], "{condition}");
        }
    }
}
