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
    let fix = "check names, types and arguments against the catalogue";
    if tells {
        PlanError::invalid("the query does not fit its tables", fix)
    } else {
        PlanError::invalid(format!("the query does not fit its tables: {text}"), fix)
    }
}
