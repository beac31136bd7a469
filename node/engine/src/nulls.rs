//! Conditions that a missing value can never meet.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, Operator, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use crate::error::Failure;

/// Whether a condition is never true for a row that has no value in `column`. False where that is not plain to see.
pub(crate) fn never_true_without(condition: &Expr, column: &str, schema: &Schema) -> Result<bool, Failure> {
    let Ok(field) = schema.field_with_name(column) else { return Ok(false) };
    let null = ScalarValue::try_from(field.data_type())?;
    let without = condition.clone().transform(|inner| {
        let found = inner.try_as_col().is_some_and(|read| read.name == column);
        Ok(if found { Transformed::yes(lit(null.clone())) } else { Transformed::no(inner) })
    })?;
    let context =
        SimplifyContext::builder().with_schema(Arc::new(DFSchema::try_from(schema.clone())?)).build();
    let simple = ExprSimplifier::new(context).simplify(without.data)?;
    Ok(never_true(&simple))
}

fn never_true(condition: &Expr) -> bool {
    match condition {
        Expr::Literal(value, _) => value.is_null() || *value == ScalarValue::Boolean(Some(false)),
        Expr::BinaryExpr(pair) if pair.op == Operator::And => {
            never_true(&pair.left) || never_true(&pair.right)
        }
        Expr::BinaryExpr(pair) if pair.op == Operator::Or => {
            never_true(&pair.left) && never_true(&pair.right)
        }
        Expr::IsTrue(inner) => never_true(inner),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};
    use datafusion::prelude::{coalesce, col};

    use super::*;

    #[test]
    fn a_comparison_shuts_null_out_and_a_test_for_it_does_not() {
        let schema =
            Schema::new(vec![Field::new("x", DataType::Int64, true), Field::new("y", DataType::Int64, true)]);
        let never = |condition: Expr| never_true_without(&condition, "x", &schema).unwrap();
        assert!(never(col("x").gt(lit(1_i64))));
        assert!(never(col("y").gt(lit(1_i64)).and(col("x").is_not_null())));
        assert!(never(col("x").eq(lit(1_i64)).or(col("x").eq(lit(2_i64)))));
        assert!(!never(col("x").is_null()));
        assert!(!never(col("y").gt(lit(1_i64)).or(col("x").gt(lit(1_i64)))));
        assert!(!never(coalesce(vec![col("x"), lit(0_i64)]).eq(lit(0_i64))));
    }
}
