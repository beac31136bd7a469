//! DataFusion's planning errors in our words. Planning sees no data, but it does see columns that this caller may not
//! know of, so its text is passed on only where it names nothing that the caller did not write.

use datafusion_common::{Column, DataFusionError, SchemaError};

use crate::catalogue::Catalogue;
use crate::error::PlanError;

/// Column names that one message lists.
const LISTED_MAX: usize = 40;

/// Turns an error of the SQL planner or the analyser into what the caller is told.
pub(crate) fn explain(error: &DataFusionError, sql: &str, catalogue: &Catalogue) -> PlanError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => explain(inner, sql, catalogue),
        DataFusionError::Shared(inner) => explain(inner, sql, catalogue),
        DataFusionError::Collection(all) => match all.first() {
            Some(first) => explain(first, sql, catalogue),
            None => PlanError::bug("an empty collection of errors"),
        },
        DataFusionError::SchemaError(schema, _) => name(schema, sql, catalogue),
        DataFusionError::Plan(text)
        | DataFusionError::NotImplemented(text)
        | DataFusionError::Execution(text)
        | DataFusionError::Configuration(text)
        // The planner reports some type errors as its own: `a BETWEEN b AND c` over types that do not fit.
        | DataFusionError::Internal(text) => said(text, sql, catalogue),
        DataFusionError::SQL(parser, _) => said(&parser.to_string(), sql, catalogue),
        DataFusionError::ArrowError(arrow, _) => said(&arrow.to_string(), sql, catalogue),
        DataFusionError::External(inner) => match inner.downcast_ref::<PlanError>() {
            Some(ours) => ours.clone(),
            None => PlanError::bug(inner),
        },
        other => PlanError::bug(other.strip_backtrace()),
    }
}

/// An unknown or ambiguous name.
fn name(error: &SchemaError, sql: &str, catalogue: &Catalogue) -> PlanError {
    let alias = "write the table's name or alias before it";
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let listed: Vec<String> =
                valid_fields.iter().filter(|c| !hidden(&c.name, catalogue)).map(written).collect();
            let fix = if listed.is_empty() || listed.len() > LISTED_MAX {
                "look the columns up in the catalogue; names with capitals need double quotes".to_owned()
            } else {
                format!("the columns here are {}", listed.join(", "))
            };
            PlanError::invalid(format!("{} is not known", called(field, sql, catalogue)), fix)
        }
        SchemaError::AmbiguousReference { field } => {
            PlanError::invalid(format!("{} is ambiguous", called(field, sql, catalogue)), alias)
        }
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => {
            let field = Column::new_unqualified(name);
            let message = format!("{} stands there twice", called(&field, sql, catalogue));
            PlanError::invalid(message, "give each table and each column its own alias")
        }
    }
}

/// What a message calls a column: by name, unless it is a hidden one that `*` or a join brought in.
fn called(column: &Column, sql: &str, catalogue: &Catalogue) -> String {
    let known = sql.to_lowercase().contains(&column.name.to_lowercase());
    if known || !hidden(&column.name, catalogue) {
        format!("column {}", written(column))
    } else {
        "a column".into()
    }
}

fn written(column: &Column) -> String {
    match &column.relation {
        Some(relation) => format!("`{relation}.{}`", column.name),
        None => format!("`{}`", column.name),
    }
}

/// Some table has a column of this name that it does not show to this caller.
fn hidden(column: &str, catalogue: &Catalogue) -> bool {
    catalogue.tables().any(|t| hides(t, column))
}

fn hides(table: &crate::catalogue::Opaque, column: &str) -> bool {
    table.columns().fields().iter().any(|f| f.name() == column)
        && !table.shown().is_some_and(|shown| shown.iter().any(|s| s == column))
}

/// What DataFusion says, if it names no hidden column that the caller did not write.
fn said(text: &str, sql: &str, catalogue: &Catalogue) -> PlanError {
    let text = text.lines().next().unwrap_or_default().trim().trim_end_matches('.');
    let (low, asked) = (text.to_lowercase(), sql.to_lowercase());
    let tells = catalogue.tables().any(|t| {
        t.columns().fields().iter().any(|f| {
            let name = f.name().to_lowercase();
            hides(t, f.name()) && low.contains(&name) && !asked.contains(&name)
        })
    });
    if text.contains("unique expression names") {
        return PlanError::invalid(
            "two columns of one SELECT have the same name",
            "give one of them a name with AS",
        );
    }
    if let Some(error) = arguments(text) {
        return error;
    }
    let fix = "check names, types and arguments against the catalogue";
    if tells {
        PlanError::invalid("the query does not fit its tables", fix)
    } else {
        PlanError::invalid(format!("the query does not fit its tables: {text}"), fix)
    }
}

/// A function that does not take what it is given. DataFusion lists every signature that it has tried; what the asker has to
/// know is the function and the type.
fn arguments(text: &str) -> Option<PlanError> {
    if !text.contains("failed to match any signature") && !text.contains("No function matches") {
        return None;
    }
    let within = |begin: &str, end: &str| text.split_once(begin).and_then(|(_, rest)| rest.split_once(end));
    let called = within("argument types '", "(").or_else(|| within("Function '", "'"));
    let (function, _) = called?;
    let Some((given, _)) = within("(DataType: ", ")") else {
        let message = format!("`{function}` does not take these arguments");
        return Some(PlanError::invalid(message, "give it as many as it takes, of the types that it takes"));
    };
    let given = match given {
        "Utf8" => "text",
        "Boolean" => "boolean",
        "Date32" => "date",
        "Int64" => "integer",
        "Float64" => "float",
        other => other,
    };
    let fix = match function {
        "sum" | "avg" => {
            "give it a column of integers or floats; the catalogue names each column's type, and `count` takes any"
        }
        _ => "give it values of a type that it takes; the catalogue names each column's type",
    };
    Some(PlanError::invalid(format!("`{function}` does not take values of type {given}"), fix))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::catalogue::{Opaque, TableKind};

    #[track_caller]
    fn says(sql: &str, wanted: &str) {
        let columns =
            [("remark", DataType::Utf8), ("insured", DataType::Boolean), ("born", DataType::Date32)];
        let fields = columns.map(|(name, kind)| Field::new(name, kind, true));
        let table = Opaque::new("people", TableKind::Protected, Arc::new(Schema::new(fields.to_vec())));
        let error = crate::plan(sql, &[], &Catalogue::new().with(table)).unwrap_err();
        let PlanError::Invalid { message, fix } = error else { panic!("{sql}: {error}") };
        assert_eq!(message, wanted, "{sql}");
        for theirs in ["signature", "DataType", "Utf8", "Error", "No function"] {
            assert!(!fix.contains(theirs), "{sql}: {fix}");
        }
    }

    #[test]
    fn arguments_that_do_not_fit_are_said_in_our_words() {
        says("SELECT sum(remark) FROM people", "`sum` does not take values of type text");
        says("SELECT avg(born) FROM people", "`avg` does not take values of type date");
        says("SELECT sum(insured) FROM people", "`sum` does not take values of type boolean");
        says(
            "SELECT count(*) FROM people WHERE upper(born) = 'X'",
            "`upper` does not take values of type date",
        );
        says("SELECT count(*) FROM people WHERE abs(remark) = 1", "`abs` does not take these arguments");
        says("SELECT sum(born, born) FROM people", "`sum` does not take these arguments");
        says("SELECT sum() FROM people", "`sum` does not take these arguments");
        says("SELECT max(born, born) FROM people", "`max` does not take these arguments");
    }
}
