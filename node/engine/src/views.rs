//! The operator's views: `CREATE VIEW` statements that map raw sources onto the model's tables. What is wrong with one is
//! said with its line, in words for people who write such a file once in a while.

use std::path::Path;

use datafusion::common::{SchemaError, TableReference};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SessionContext;
use datafusion::sql::parser::{DFParser, DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{CreateView, ObjectName, Query, Statement as SqlStatement};
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::OpenError;

/// What is wrong with a statement, and what to do.
pub(crate) struct Problem {
    pub(crate) line: Option<u64>,
    pub(crate) reason: String,
    pub(crate) fix: String,
}

impl Problem {
    /// For the operator, with the file.
    pub(crate) fn of(self, path: &Path) -> OpenError {
        let Self { line, reason, fix } = self;
        OpenError::Views { path: path.to_owned(), line, reason, fix }
    }
}

/// Creates the views of one file, in order; a later one may read an earlier one. Returns their names.
pub(crate) async fn create(
    session: &SessionContext,
    text: &str,
    path: &Path,
) -> Result<Vec<String>, OpenError> {
    let mut made = Vec::new();
    for (line, statement) in statements(text).map_err(|problem| problem.of(path))? {
        made.extend(create_one(session, line, statement).await.map_err(|problem| problem.of(path))?);
    }
    Ok(made)
}

/// Creates one view. Returns its name.
pub(crate) async fn create_one(
    session: &SessionContext,
    line: u64,
    statement: Statement,
) -> Result<Option<String>, Problem> {
    let at_line = |(reason, fix): (String, String)| Problem { line: Some(line), reason, fix };
    let view = view_of(&statement).map_err(at_line)?.clone();
    readable(session, &view).await.map_err(at_line)?;
    let failed = |error| at_line(in_words(&view, &error));
    let plan = session.state().statement_to_plan(statement).await.map_err(failed)?;
    session.execute_logical_plan(plan).await.map_err(failed)?;
    Ok(name_of(&view.name))
}

/// The statements, each with the line that it begins on.
pub(crate) fn statements(text: &str) -> Result<Vec<(u64, Statement)>, Problem> {
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let unread = |error: DataFusionError| unreadable(&error, text);
    let mut parser = DFParserBuilder::new(text).build().map_err(unread)?;
    let mut statements = Vec::new();
    loop {
        while parser.parser.consume_token(&Token::SemiColon) {}
        if parser.parser.peek_token().token == Token::EOF {
            return Ok(statements);
        }
        let line = line(&mut parser);
        statements.push((line, parser.parse_statement().map_err(unread)?));
        let next = parser.parser.peek_token().token;
        if !matches!(next, Token::SemiColon | Token::EOF) {
            return Err(Problem {
                line: Some(self::line(&mut parser)),
                reason: format!("`{next}` follows where the statement above should have ended"),
                fix: "end each statement with `;`, and correct what stands here".to_owned(),
            });
        }
    }
}

fn line(parser: &mut DFParser<'_>) -> u64 {
    parser.parser.peek_token().span.start.line
}

/// Why a text cannot be read as SQL. The parser writes `Expected: A, found: B at Line: 1, Column: 2`.
fn unreadable(error: &DataFusionError, text: &str) -> Problem {
    let said = match error.find_root() {
        DataFusionError::SQL(error, _) => match error.as_ref() {
            ParserError::ParserError(said) | ParserError::TokenizerError(said) => said.clone(),
            ParserError::RecursionLimitExceeded => "it is nested too deeply".to_owned(),
        },
        other => other.strip_backtrace(),
    };
    let (reason, place) = said.split_once(" at Line: ").unwrap_or((&said, ""));
    let line = place.split(',').next().and_then(|line| line.trim().parse::<u64>().ok());
    let curly = |text: &str| text.chars().find(|letter| CURLY.contains(letter));
    let lines = || (1..).zip(text.lines());
    let here = lines().find(|(at, text)| line.is_none_or(|line| line == *at) && curly(text).is_some());
    if let Some((line, letter)) = here.and_then(|(line, text)| Some((line, curly(text)?))) {
        let reason = format!("`{letter}` is a quote as word processors write it");
        let fix = "write `\"` around names and `'` around texts".to_owned();
        return Problem { line: Some(line), reason, fix };
    }
    let reason = match reason.strip_prefix("Expected: ").and_then(|rest| rest.split_once(", found: ")) {
        Some((expected, "EOF")) => format!("the file ends where {expected} is expected"),
        Some((expected, found)) => format!("`{found}` stands where {expected} is expected"),
        None => reason.to_owned(),
    };
    Problem { line, reason, fix: format!("correct the statement; {SHAPE}") }
}

/// Quotes that no SQL knows.
const CURLY: [char; 7] = ['\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '\u{201a}', '\u{b4}'];

const SHAPE: &str = "each is written as `CREATE OR REPLACE VIEW name AS SELECT … FROM …;`";

/// The view that a statement makes.
fn view_of(statement: &Statement) -> Result<&CreateView, (String, String)> {
    if let Statement::Statement(sql) = statement {
        match sql.as_ref() {
            SqlStatement::CreateView(view) => return Ok(view),
            SqlStatement::Query(_) => {
                let reason = "a SELECT alone makes no table".to_owned();
                return Err((
                    reason,
                    "write `CREATE OR REPLACE VIEW name AS` before it, with the table's name".to_owned(),
                ));
            }
            _ => {}
        }
    }
    let text: String = statement.to_string().chars().take(60).collect();
    Err((
        format!("`{text}` creates no view"),
        "keep only `CREATE VIEW name AS SELECT …;` statements in this file".to_owned(),
    ))
}

/// Whether a view reads tables that there are, and takes the place of none by accident.
async fn readable(session: &SessionContext, view: &CreateView) -> Result<(), (String, String)> {
    let reads = tables_of(session, &view.query);
    let known = names(session);
    for table in reads {
        if session.table_exist(table.clone()).unwrap_or(true) {
            continue;
        }
        let name = table.table();
        let same = known.iter().find(|known| known.to_lowercase() == name.to_lowercase());
        let fix = match same {
            Some(known) => format!("write it as `\"{known}\"`, in quotes, since upper and lower case count"),
            None => format!("there are {}; a view can also read the views above it", listed(&known)),
        };
        return Err((format!("view `{}` reads `{name}`, which is not there", view.name), fix));
    }
    match name_of(&view.name) {
        Some(name) if !view.or_replace && known.contains(&name) => Err((
            format!("there is a table `{name}` already"),
            format!("write `CREATE OR REPLACE VIEW {}`, where this view is to take its place", view.name),
        )),
        _ => Ok(()),
    }
}

fn tables_of(session: &SessionContext, query: &Query) -> Vec<TableReference> {
    let query = Statement::Statement(Box::new(SqlStatement::Query(Box::new(query.clone()))));
    session.state().resolve_table_references(&query).unwrap_or_default()
}

/// The sources, and the views made so far.
pub(crate) fn names(session: &SessionContext) -> Vec<String> {
    let schema = session.state().schema_for_ref(TableReference::bare("t"));
    let mut names = schema.map(|schema| schema.table_names()).unwrap_or_default();
    names.sort();
    names
}

/// A name as SQL takes it.
pub(crate) fn name_of(name: &ObjectName) -> Option<String> {
    let ident = name.0.last()?.as_ident()?;
    Some(match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    })
}

/// Why a view cannot be made, for people who know their columns.
fn in_words(view: &CreateView, error: &DataFusionError) -> (String, String) {
    let name = &view.name;
    if let DataFusionError::SchemaError(said, _) = error.find_root()
        && let SchemaError::FieldNotFound { field, valid_fields } = said.as_ref()
    {
        let known: Vec<String> = valid_fields.iter().map(|field| field.name.clone()).collect();
        let same = known.iter().find(|known| known.to_lowercase() == field.name.to_lowercase());
        let fix = match same {
            Some(known) => format!("write it as `\"{known}\"`, in quotes, since upper and lower case count"),
            None if view.query.to_string().contains(&format!("\"{}\"", field.name)) => format!(
                "there are {}; where it is a text, write it as `'{}'`, since `\"` stands around names",
                listed(&known),
                field.name
            ),
            None => format!("there are {}", listed(&known)),
        };
        return (format!("view `{name}` reads a column `{}`, which is not there", field.name), fix);
    }
    let text = error.strip_backtrace();
    let text = text.strip_prefix("Error during planning: ").unwrap_or(&text);
    let fix = "correct this view; it can read the site's own tables and the views above it";
    (format!("view `{name}`: {text}"), fix.to_owned())
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::empty::EmptyTable;

    use super::*;

    /// The views that a text makes over the tables `visits` and `Ward plan`, or what is wrong with it.
    async fn made(text: &str) -> String {
        let session = SessionContext::new();
        for (table, column) in [("visits", "Age"), ("Ward plan", "ward")] {
            let schema = Schema::new(vec![Field::new(column, DataType::Int64, true)]);
            let empty = Arc::new(EmptyTable::new(Arc::new(schema)));
            session.register_table(TableReference::bare(table), empty).unwrap();
        }
        match create(&session, text, Path::new("v.sql")).await {
            Ok(made) => made.join(" "),
            Err(problem) => problem.at_its_place(),
        }
    }

    #[tokio::test]
    async fn views_are_made_or_their_line_and_cure_are_said() {
        let whole = "\u{feff}-- “all” of them\r\nCREATE OR REPLACE VIEW visits AS SELECT \"Age\" AS age FROM visits;;\r\n\
                     CREATE VIEW \"W\" AS WITH w AS (SELECT ward FROM \"Ward plan\") SELECT ward FROM w";
        assert_eq!(made(whole).await, "visits W");
        for (text, expected) in [
            (
                "\nCREATE VIEW v AS\nSELECT “Age” FROM visits;",
                "v.sql:3: `“` is a quote as word processors write it; write `\"` around names and `'` around texts",
            ),
            (
                "SELECT 1;",
                "v.sql:1: a SELECT alone makes no table; write `CREATE OR REPLACE VIEW name AS` before it",
            ),
            ("\n\nDROP TABLE visits", "v.sql:3: `DROP TABLE visits` creates no view; keep only `CREATE VIEW"),
            (
                "CREATE VIEW v AS SELECT 1;\nVIEW w AS SELECT 1;",
                "v.sql:2: `VIEW` stands where an SQL statement is expected; correct the statement; each is written as",
            ),
            ("CREATE VIEW v AS SELECT (1", "v.sql: the file ends where ) is expected; correct the statement"),
            (
                "CREATE VIEW v AS SELECT 1 AS a\nCREATE VIEW w AS SELECT 1;",
                "v.sql:2: `CREATE` follows where the statement above should have ended; end each statement with `;`",
            ),
            (
                "CREATE VIEW v AS SELECT 1;\n\nCREATE VIEW w AS SELECT * FROM vists",
                "v.sql:3: view `w` reads `vists`, which is not there; there are `Ward plan`, `v`, `visits`;",
            ),
            (
                "CREATE VIEW w AS SELECT * FROM \"ward plan\"",
                "v.sql:1: view `w` reads `ward plan`, which is not there; write it as `\"Ward plan\"`, in quotes",
            ),
            (
                "CREATE VIEW visits AS SELECT * FROM visits",
                "v.sql:1: there is a table `visits` already; write `CREATE OR REPLACE VIEW visits`",
            ),
            (
                "CREATE VIEW w AS\nSELECT Age FROM visits",
                "v.sql:1: view `w` reads a column `age`, which is not there; write it as `\"Age\"`, in quotes",
            ),
            ("CREATE VIEW w AS SELECT sex FROM visits", "which is not there; there are `Age`"),
            (
                "CREATE VIEW w AS SELECT 1 FROM visits WHERE \"A\" = 'A'",
                "where it is a text, write it as `'A'`",
            ),
            (
                "CREATE VIEW w AS SELECT summ(\"Age\") FROM visits",
                "v.sql:1: view `w`: Invalid function 'summ'",
            ),
        ] {
            let found = made(text).await;
            assert!(found.contains(expected), "{expected}\n{found}");
        }
    }
}
