//! Constants are computed, and what has become constant disappears: `1 = 1`, `site = 'a'` at site `a`, CASE that is decided.
//!
//! [`fold`] works on one node whose children are folded already. It changes no value of the expression on any row.

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::expr::{BinaryExpr, Case, ScalarFunction};
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{Expr, Operator};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;

use crate::error::PlanError;
use crate::expression::{Typed, boolean};

/// The expression is a literal.
pub(crate) fn is_constant(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(..))
}

/// Folds one node.
///
/// # Errors
/// [`PlanError::Invalid`] for a constant that cannot be computed.
pub(crate) fn fold(typed: Typed) -> Result<Typed, PlanError> {
    let Typed { expr, data_type } = typed;
    if is_constant(&expr) {
        return Ok(Typed::new(expr, data_type));
    }
    if only_constants(&expr) {
        let value = compute(expr, &data_type)?;
        return Ok(Typed::new(Expr::Literal(value, None), data_type));
    }
    let expr = match expr {
        Expr::BinaryExpr(binary) => connective(binary),
        Expr::Case(case) => decided(case, &data_type)?,
        // `NOT (a IN (…))` is read as `a NOT IN (…)`, and BETWEEN and LIKE likewise: one spelling here too.
        Expr::Not(inner) => !*inner,
        Expr::ScalarFunction(function) if function.func.name() == "coalesce" => first_known(function),
        other => other,
    };
    Ok(Typed::new(expr, data_type))
}

fn only_constants(expr: &Expr) -> bool {
    let mut all = true;
    // The visitor's closure never fails.
    let _ = expr.apply_children(|child| {
        all &= is_constant(child);
        Ok(TreeNodeRecursion::Continue)
    });
    all && !matches!(expr, Expr::Column(_))
}

/// Evaluates an expression over literals alone.
fn compute(expr: Expr, data_type: &DataType) -> Result<ScalarValue, PlanError> {
    let cannot = || {
        PlanError::invalid(
            format!("a constant of the query cannot be computed as {data_type}"),
            "write it as a literal of the right type",
        )
    };
    let simplifier = ExprSimplifier::new(SimplifyContext::builder().build());
    match simplifier.simplify(expr).map_err(|_| cannot())? {
        Expr::Literal(value, _) => value.cast_to(data_type).map_err(|_| cannot()),
        _ => Err(cannot()),
    }
}

/// The constant truth value of an expression; NULL is none.
fn known(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Literal(ScalarValue::Boolean(value), _) => *value,
        _ => None,
    }
}

/// AND and OR with one constant side, in three-valued logic.
fn connective(binary: BinaryExpr) -> Expr {
    let absorbing = match binary.op {
        Operator::And => false,
        Operator::Or => true,
        _ => return Expr::BinaryExpr(binary),
    };
    match (known(&binary.left), known(&binary.right)) {
        (Some(value), _) | (_, Some(value)) if value == absorbing => boolean(absorbing),
        (Some(_), _) => *binary.right,
        (_, Some(_)) => *binary.left,
        (None, None) => Expr::BinaryExpr(binary),
    }
}

/// CASE without the branches that are never taken; the result of the first that always is becomes ELSE.
fn decided(case: Case, data_type: &DataType) -> Result<Expr, PlanError> {
    let mut open = Vec::with_capacity(case.when_then_expr.len());
    let mut otherwise = case.else_expr;
    for (when, then) in case.when_then_expr {
        match (is_constant(&when), known(&when)) {
            (true, Some(true)) => {
                otherwise = Some(then);
                break;
            }
            (true, _) => {}
            (false, _) => open.push((when, then)),
        }
    }
    if open.is_empty() {
        let null =
            || ScalarValue::try_from(data_type).map(|v| Expr::Literal(v, None)).map_err(PlanError::bug);
        return otherwise.map_or_else(null, |e| Ok(*e));
    }
    // `ELSE NULL` is what CASE does without ELSE.
    let otherwise = otherwise.filter(|e| !matches!(e.as_ref(), Expr::Literal(v, _) if v.is_null()));
    Ok(Expr::Case(Case::new(None, open, otherwise)))
}

/// `coalesce` without what comes after a constant, and without constant NULLs.
fn first_known(function: ScalarFunction) -> Expr {
    let mut args = Vec::with_capacity(function.args.len());
    for arg in function.args {
        match &arg {
            Expr::Literal(value, _) if value.is_null() => {}
            Expr::Literal(..) => {
                args.push(arg);
                break;
            }
            _ => args.push(arg),
        }
    }
    match args.as_slice() {
        [only] => only.clone(),
        _ => Expr::ScalarFunction(ScalarFunction::new_udf(function.func, args)),
    }
}
