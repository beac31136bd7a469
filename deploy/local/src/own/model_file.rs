//! A site's own `model.toml`: read, and held against its agreement, which decides what of it counts.

use std::path::PathBuf;

use liquid_node_api::catalogue::{Model, ModelColumn};
use liquid_policy::document::Agreement;
use liquid_policy::id::{ColumnName, TableName};

use super::text::{self, line_with};

/// The file, read.
pub(super) struct ModelFile {
    pub(super) path: PathBuf,
    text: String,
    model: Model,
}

/// Reads it, where there is one.
pub(super) fn read(path: PathBuf, problems: &mut Vec<String>) -> Option<ModelFile> {
    let text = match text::read(&path) {
        Ok(text) => text?,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    match toml::from_str(&text) {
        Ok(model) => Some(ModelFile { path, text, model }),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
            problems.push(format!(
                "{}:{line}: {}; correct it, or remove the file and let the tables be found out",
                path.display(),
                error.message()
            ));
            None
        }
    }
}

impl ModelFile {
    /// How it describes a column.
    pub(super) fn column(&self, table: &TableName, column: &ColumnName) -> Option<&ModelColumn> {
        let table = self.model.tables.iter().find(|it| it.name == *table)?;
        table.columns.iter().find(|it| it.name == *column)
    }

    /// What in it counts for nothing, since the agreement does not name it.
    pub(super) fn unused(&self, agreement: &Agreement) -> Vec<String> {
        let mut notes = Vec::new();
        let said = |name: &str, what: String, known: Vec<&str>| {
            let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            let line = line_with(&self.text, &format!("\"{name}\""));
            format!(
                "{}:{line}: {what}, so it counts for nothing; the agreement has {}",
                self.path.display(),
                known.join(", ")
            )
        };
        for table in &self.model.tables {
            let Some(opened) = agreement.tables().get(&table.name) else {
                let known = agreement.tables().keys().map(TableName::as_str).collect();
                notes.push(said(
                    table.name.as_str(),
                    format!("the agreement opens no table `{}`", table.name),
                    known,
                ));
                continue;
            };
            for column in table.columns.iter().filter(|column| !opened.columns().contains_key(&column.name)) {
                let known = opened.columns().keys().map(ColumnName::as_str).collect();
                let what =
                    format!("the agreement names no column `{}` of table `{}`", column.name, table.name);
                notes.push(said(column.name.as_str(), what, known));
            }
        }
        notes
    }
}
