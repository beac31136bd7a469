//! Which source a view's column comes of, where it comes of one unchanged. It serves error texts alone.

use datafusion::logical_expr::{Expr, LogicalPlan};

/// The source and its column.
pub(crate) fn origin(
    plan: &LogicalPlan,
    column: &str,
    is_source: &dyn Fn(&str) -> bool,
) -> Option<(String, String)> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let at = projection.schema.fields().iter().position(|field| field.name() == column)?;
            let mut expression = projection.expr.get(at)?;
            while let Expr::Alias(alias) = expression {
                expression = &alias.expr;
            }
            let Expr::Column(column) = expression else { return None };
            origin(&projection.input, &column.name, is_source)
        }
        LogicalPlan::Filter(filter) => origin(&filter.input, column, is_source),
        LogicalPlan::SubqueryAlias(alias) => origin(&alias.input, column, is_source),
        LogicalPlan::TableScan(scan) => {
            let table = scan.table_name.table();
            if is_source(table) {
                return Some((table.to_owned(), column.to_owned()));
            }
            origin(scan.source.get_logical_plan()?.as_ref(), column, is_source)
        }
        _ => None,
    }
}
