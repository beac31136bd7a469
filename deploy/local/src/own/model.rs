//! The shared tables of folders that somebody else has prepared: the tables and columns of their agreements, in types that
//! fit every site, and the views that bring each site's files to them.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::Schema;
use liquid_node_api::catalogue::{Kind, Model, ModelColumn, ModelTable};
use liquid_policy::id::{ColumnName, TableName};

use super::column::Sought;
use super::draft::Draft;
use super::sql::quoted;

/// The shared tables.
#[derive(Default)]
pub(super) struct Shared {
    tables: BTreeMap<TableName, ModelTable>,
}

impl Shared {
    /// The tables that a site has.
    pub(super) fn tables_of(&self, draft: &Draft) -> Vec<TableName> {
        let there = |table: &&TableName| {
            draft.agreement.tables().contains_key(*table) && draft.tables.contains_key(table.as_str())
        };
        self.tables.keys().filter(there).cloned().collect()
    }

    /// The type of a column.
    pub(super) fn kind(&self, table: &TableName, column: &ColumnName) -> Option<Kind> {
        Some(self.tables.get(table)?.columns.iter().find(|it| it.name == *column)?.kind)
    }

    /// The site's `model.toml`.
    pub(super) fn model_of(&self, draft: &Draft) -> String {
        let tables =
            self.tables_of(draft).iter().filter_map(|table| self.tables.get(table)).cloned().collect();
        toml::to_string(&Model { tables }).unwrap_or_default()
    }

    /// The site's own `views.sql`, and views that bring what is there to exactly the shared columns.
    pub(super) fn views_of(&self, draft: &Draft) -> String {
        // The last statement of the site's own need not have its end.
        let mut text = draft.views.as_ref().map(|own| format!("{own}\n;\n")).unwrap_or_default();
        for table in &self.tables_of(draft) {
            let (Some(shared), Some(found)) = (self.tables.get(table), draft.tables.get(table.as_str()))
            else {
                continue;
            };
            let columns: Vec<String> = shared.columns.iter().map(|column| select(column, found)).collect();
            let table = quoted(table.as_str());
            let columns = columns.join(", ");
            text.push_str(&format!("\nCREATE OR REPLACE VIEW {table} AS SELECT {columns} FROM {table};\n"));
        }
        text
    }
}

fn select(column: &ModelColumn, found: &Schema) -> String {
    let name = quoted(column.name.as_str());
    let field = found.field_with_name(column.name.as_str());
    match field.is_ok_and(|field| *field.data_type() == column.kind.arrow_type()) {
        true => name,
        false => format!("CAST({name} AS {}) AS {name}", column.kind.sql_name()),
    }
}

/// The tables that the agreements open, each once; says what does not fit together.
pub(super) fn shared(drafts: &[Draft], problems: &mut Vec<String>) -> Shared {
    let mut shared = Shared::default();
    let mut looked_at = BTreeSet::new();
    for draft in drafts {
        let none = draft.agreement.tables().keys().all(|table| !draft.tables.contains_key(table.as_str()));
        if none {
            let wanted: Vec<_> = draft.agreement.tables().keys().map(|table| format!("`{table}`")).collect();
            let found: Vec<_> = draft.tables.keys().map(|table| format!("`{table}`")).collect();
            problems.push(format!(
                "{}: the agreement opens {}, and the site has {}; rename the file like the table, or make the table in \
                 `views.sql`",
                draft.folder.display(),
                wanted.join(", "),
                found.join(", "),
            ));
        }
        for (name, table) in draft.agreement.tables() {
            let entry = shared.tables.entry(name.clone()).or_insert_with(|| ModelTable {
                name: name.clone(),
                description: format!("as {} opens it", draft.agreement.id()),
                columns: Vec::new(),
            });
            for column in table.columns().keys() {
                if looked_at.insert((name.clone(), column.clone())) {
                    entry.columns.extend(Sought { drafts, table: name, column }.shared(problems));
                }
            }
        }
    }
    shared
}
