//! The operator's views: `CREATE VIEW` statements that map raw sources onto the model's tables.

use std::path::Path;

use datafusion::execution::context::SessionContext;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use crate::error::OpenError;

/// Creates the views of one file, in order; a later one may read an earlier one. Returns their names.
pub(crate) async fn create(
    session: &SessionContext,
    text: &str,
    path: &Path,
) -> Result<Vec<String>, OpenError> {
    let wrong =
        |reason: String, fix: &str| OpenError::Views { path: path.to_owned(), reason, fix: fix.to_owned() };
    let statements =
        DFParser::parse_sql(text).map_err(|error| wrong(error.to_string(), "correct the statement"))?;
    let mut made = Vec::new();
    for statement in statements {
        let view = match &statement {
            Statement::Statement(sql) => match sql.as_ref() {
                SqlStatement::CreateView(view) => view.name.clone(),
                _ => return Err(wrong(not_a_view(&statement), ONLY_VIEWS)),
            },
            _ => return Err(wrong(not_a_view(&statement), ONLY_VIEWS)),
        };
        let fix = "correct this view; it can read the sources of the [engine] table and the views above it";
        let failed = |error: datafusion::error::DataFusionError| {
            wrong(format!("view `{view}`: {}", error.strip_backtrace()), fix)
        };
        let plan = session.state().statement_to_plan(statement).await.map_err(failed)?;
        session.execute_logical_plan(plan).await.map_err(failed)?;
        made.extend(view.0.last().and_then(|part| part.as_ident()).map(|ident| match ident.quote_style {
            Some(_) => ident.value.clone(),
            None => ident.value.to_lowercase(),
        }));
    }
    Ok(made)
}

const ONLY_VIEWS: &str = "keep only `CREATE VIEW name AS SELECT …;` statements in this file";

fn not_a_view(statement: &Statement) -> String {
    let text: String = statement.to_string().chars().take(60).collect();
    format!("`{text}` creates no view")
}
