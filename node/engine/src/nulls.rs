//! Conditions that a missing value can never meet.

use datafusion::logical_expr::{Expr, Operator};

/// Whether a condition is never true for a row that has no value in `column`. False where that is not plain to see: what
/// simplifiers find out is not always what SQL says of NULL.
pub(crate) fn never_true_without(condition: &Expr, column: &str) -> bool {
    let never = |inner: &Expr| never_true_without(inner, column);
    let null = |inner: &Expr| null_without(inner, column);
    match condition {
        Expr::BinaryExpr(pair) => match pair.op {
            Operator::And => never(&pair.left) || never(&pair.right),
            Operator::Or => never(&pair.left) && never(&pair.right),
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq => null(&pair.left) || null(&pair.right),
            _ => false,
        },
        Expr::IsNotNull(inner) => null(inner),
        Expr::IsTrue(inner) => never(inner),
        Expr::InList(list) => null(&list.expr),
        Expr::Like(like) => null(&like.expr),
        Expr::Between(between) => null(&between.expr),
        plain => null(plain),
    }
}

/// Whether an expression is NULL wherever the column is.
fn null_without(expression: &Expr, column: &str) -> bool {
    match expression {
        Expr::Column(read) => read.name == column,
        Expr::Cast(cast) => null_without(&cast.expr, column),
        Expr::BinaryExpr(pair) => {
            matches!(
                pair.op,
                Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo
            ) && (null_without(&pair.left, column) || null_without(&pair.right, column))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{coalesce, col, lit};

    use super::*;

    #[test]
    fn a_comparison_shuts_null_out_and_a_test_for_it_does_not() {
        let never = |condition: Expr| never_true_without(&condition, "x");
        assert!(never(col("x").gt(lit(1_i64))));
        assert!(never(col("y").gt(lit(1_i64)).and(col("x").is_not_null())));
        assert!(never(col("x").eq(lit(1_i64)).or(col("x").eq(lit(2_i64)))));
        assert!(!never(col("x").is_null()));
        assert!(!never(col("y").gt(lit(1_i64)).or(col("x").gt(lit(1_i64)))));
        assert!(!never(coalesce(vec![col("x"), lit(0_i64)]).eq(lit(0_i64))));
        assert!(never((col("x") + col("y")).between(lit(1_i64), lit(2_i64))));
        let list = |value: i64| col("x").in_list(vec![lit(value)], false);
        assert!(never(list(1)) && never(col("x").in_list(vec![lit(1_i64)], true)));
        // NULL, whatever a simplifier makes of two lists that share no value.
        assert!(!never(list(1).and(list(2)).is_null()));
        assert!(!never(Expr::Not(Box::new(col("x").is_not_null()))));
    }
}
