//! What may stand above the cuts: ordinary SQL over released values, as a closed list; and how its opaque tables get
//! real sources.

use std::sync::Arc;

use datafusion_common::JoinType;
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion_expr::logical_plan::TableScanBuilder;
use datafusion_expr::{
    Expr, FetchType, LogicalPlan, Operator, SkipType, TableSource, WindowFunctionDefinition,
};
use liquid_policy::Code;

use crate::catalogue::Opaque;
use crate::error::{PlanError, lift, lower};
use crate::functions::FUNCTIONS;
use crate::statement::unlisted;

/// Puts a source in the place of every opaque table of a plan, scalar subqueries included. `source` is asked by the
/// opaque table (its [`Opaque::name`] is `cut0`, `cut1` … or a public table's name) and must answer with a source of
/// the same column names and types. Only nullability may differ.
///
/// # Errors
/// [`PlanError::Bug`] where `source` has none for a table, or its columns differ.
pub fn bind_tables(
    plan: LogicalPlan,
    source: impl Fn(&Opaque) -> Option<Arc<dyn TableSource>>,
) -> Result<LogicalPlan, PlanError> {
    let bound = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = node else {
            return node.recompute_schema().map(Transformed::yes);
        };
        let Some(table) = Opaque::of(&scan.source) else {
            return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
        };
        let Some(real) = source(table) else {
            return Err(lift(PlanError::bug(format!("no source for table `{}`", table.name()))));
        };
        let (wanted, given) = (table.columns(), real.schema());
        let same = wanted.fields().len() == given.fields().len()
            && wanted
                .fields()
                .iter()
                .zip(given.fields())
                .all(|(w, g)| w.name() == g.name() && w.data_type() == g.data_type());
        if !same {
            return Err(lift(PlanError::bug(format!("the source for `{}` has other columns", table.name()))));
        }
        let scan = TableScanBuilder::new(scan.table_name, real).build()?;
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    });
    bound.data().map_err(lower)
}

/// Checks one operator above the cuts, without its inputs. Which operators may stand there at all is the business of
/// [`crate::cut`], whose match is exhaustive.
pub(crate) fn check(plan: &LogicalPlan) -> Result<(), PlanError> {
    match plan {
        LogicalPlan::Join(join) => {
            let joins = matches!(
                join.join_type,
                JoinType::Inner
                    | JoinType::Left
                    | JoinType::Right
                    | JoinType::Full
                    | JoinType::LeftSemi
                    | JoinType::LeftAnti
            );
            if !joins || join.null_aware {
                return Err(refused("such a join", "use JOIN, LEFT JOIN, INTERSECT or EXCEPT"));
            }
        }
        LogicalPlan::Limit(limit) => {
            let skip = limit.get_skip_type().map_err(PlanError::bug)?;
            let fetch = limit.get_fetch_type().map_err(PlanError::bug)?;
            if matches!(skip, SkipType::UnsupportedExpr) || matches!(fetch, FetchType::UnsupportedExpr) {
                return Err(refused("LIMIT or OFFSET of anything but a number", "write the number"));
            }
        }
        _ => {}
    }
    let mut wrong = None;
    for expr in plan.expressions() {
        // Subqueries are plans of their own: the caller raises and checks them.
        let walked = expr.apply(|e| match check_node(e) {
            Ok(()) => Ok(TreeNodeRecursion::Continue),
            Err(error) => {
                wrong = Some(error);
                Ok(TreeNodeRecursion::Stop)
            }
        });
        walked.map_err(lower)?;
    }
    wrong.map_or(Ok(()), Err)
}

/// Checks one expression above the cuts, without its children.
#[deny(clippy::wildcard_enum_match_arm)] // a new variant must not compile unseen
fn check_node(expr: &Expr) -> Result<(), PlanError> {
    match expr {
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::Literal(..)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::InList(_)
        | Expr::Like(_) => Ok(()),
        Expr::BinaryExpr(binary) if listed(binary.op) => Ok(()),
        Expr::BinaryExpr(binary) => {
            Err(refused(&format!("operator `{}`", binary.op), "use comparisons and + - * / %"))
        }
        Expr::Cast(cast) if !cast.field.data_type().is_nested() => Ok(()),
        Expr::TryCast(cast) if !cast.field.data_type().is_nested() => Ok(()),
        Expr::Cast(_) | Expr::TryCast(_) => Err(refused("a cast to a nested type", "cast to a plain type")),
        Expr::ScalarFunction(call) if FUNCTIONS.scalar(&call.func) => Ok(()),
        Expr::ScalarFunction(call) => Err(unlisted(call.func.name())),
        Expr::AggregateFunction(call) if FUNCTIONS.aggregate(&call.func) => Ok(()),
        Expr::AggregateFunction(call) => Err(unlisted(call.func.name())),
        Expr::WindowFunction(call) => {
            let known = match &call.fun {
                WindowFunctionDefinition::AggregateUDF(function) => FUNCTIONS.aggregate(function),
                WindowFunctionDefinition::WindowUDF(function) => FUNCTIONS.window(function),
            };
            if known { Ok(()) } else { Err(unlisted(call.fun.name())) }
        }
        Expr::ScalarSubquery(subquery) if subquery.outer_ref_columns.is_empty() => Ok(()),
        Expr::ScalarSubquery(_) | Expr::OuterReferenceColumn(..) => {
            Err(refused("a correlated subquery", "join the two parts by a condition"))
        }
        Expr::Exists(_) => Err(refused("EXISTS", "join the two parts by a condition")),
        Expr::InSubquery(_) => Err(refused("IN over a subquery", "join the two parts by a condition")),
        Expr::SetComparison(_) => {
            Err(refused("ANY or ALL over a subquery", "join the two parts by a condition"))
        }
        Expr::SimilarTo(_) => Err(refused("SIMILAR TO", "use LIKE")),
        Expr::ScalarVariable(..) => Err(refused("a session variable", "write a literal or a parameter")),
        Expr::Placeholder(_) => Err(refused("a parameter without a value", "bind a value to it")),
        Expr::GroupingSet(_) => Err(refused("GROUPING SETS, ROLLUP or CUBE", "ask one query for each set")),
        Expr::Unnest(_) => Err(refused("UNNEST", "leave it out")),
        Expr::HigherOrderFunction(_) | Expr::Lambda(_) | Expr::LambdaVariable(_) => {
            Err(refused("a lambda", "leave it out"))
        }
        #[expect(deprecated, reason = "the match is exhaustive, and the variant still exists")]
        Expr::Wildcard { .. } => Err(refused("`*`", "name the columns")),
    }
}

fn listed(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::Plus
            | Operator::Minus
            | Operator::Multiply
            | Operator::Divide
            | Operator::Modulo
            | Operator::And
            | Operator::Or
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
            | Operator::StringConcat
    )
}

fn refused(what: &str, fix: &str) -> PlanError {
    PlanError::refused(Code::PlanNode, "plan", format!("{what} has no place above an aggregate"), fix)
}
