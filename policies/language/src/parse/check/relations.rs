//! What a table says of its entities and of other tables: whom it protects, keys within them, joins, references.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::file::{self, Entities, File, UseWord};
use crate::id::{ColumnName, TableName};

impl Check<'_> {
    /// A table protects an entity, or nobody.
    pub(super) fn protects(&mut self, name: &TableName, table: &file::Table) {
        let name = name.as_str();
        let Some(entity) = &table.entity else {
            if !table.replicated {
                self.problem(
                    &["table", name],
                    format!("the key `entity` is missing in `table.{name}`"),
                    "add it, for example `entity = \"patient\"`",
                );
                return;
            }
            let entities = table.entities != Entities::default();
            for (key, written) in [
                ("entities", entities),
                ("rows_per_entity_max", table.rows_per_entity_max.is_some()),
                ("keys_within", !table.keys_within.is_empty()),
                ("entity_counts", !table.entity_counts.is_empty()),
            ] {
                if written {
                    self.problem(
                        &["table", name, key],
                        format!("`{key}` says nothing for a table that protects nobody"),
                        "leave it out, or name the `entity` in the place of `replicated`",
                    );
                }
            }
            return;
        };
        if table.replicated {
            self.problem(
                &["table", name, "replicated"],
                "a table that has an entity cannot be `replicated`: each entity lies at its own site",
                "leave out `replicated`, or `entity` if no row speaks of anybody",
            );
        }
        if !table.columns.contains_key(entity) {
            self.problem(
                &["table", name, "entity"],
                format!("the entity `{entity}` is not among the table's columns"),
                format!("add `{entity} = {{ use = [] }}` to its columns, or name another column"),
            );
        }
        if table.rows_per_entity_max == Some(0) {
            self.problem(
                &["table", name, "rows_per_entity_max"],
                "with at most 0 rows an entity the table would be empty",
                "write 1 or more",
            );
        }
        for (index, column) in table.keys_within.iter().enumerate() {
            let index = index.to_string();
            let at = ["table", name, "keys_within", index.as_str()];
            self.one_of_its_columns(&at, table, column);
            if column == entity {
                self.problem(&at, format!("`{column}` is the entity itself"), "leave it out");
            }
        }
    }

    /// The columns on which a table may be joined.
    pub(super) fn join_keys(&mut self, name: &TableName, table: &file::Table) -> BTreeSet<ColumnName> {
        let keys: BTreeSet<ColumnName> = table.join.iter().flat_map(|join| &join.keys).cloned().collect();
        let Some(join) = &table.join else {
            self.unused_join_uses(name, table, &keys);
            return keys;
        };
        self.names(&["table", name.as_str(), "join", "keys"], join.keys.iter());
        for (index, column) in join.keys.iter().enumerate() {
            let index = index.to_string();
            let at = ["table", name.as_str(), "join", "keys", index.as_str()];
            self.one_of_its_columns(&at, table, column);
            if table.columns.get(column).is_some_and(|written| !written.uses.contains(&UseWord::Join)) {
                self.problem(
                    &at,
                    format!("`{column}` is a join key, but has not the use `join`"),
                    format!("add \"join\" to the `use` of `{column}`, or leave it out here"),
                );
            }
        }
        self.unused_join_uses(name, table, &keys);
        keys
    }

    fn unused_join_uses(&mut self, name: &TableName, table: &file::Table, keys: &BTreeSet<ColumnName>) {
        for (column, written) in &table.columns {
            if written.uses.contains(&UseWord::Join) && !keys.contains(column) {
                self.problem(
                    &["table", name.as_str(), "columns", column.as_str(), "use"],
                    format!("`{column}` has the use `join`, but is no join key of the table"),
                    format!("add it to `table.{name}.join.keys`, or leave the use out"),
                );
            }
        }
    }

    /// The keys of which every value stands in a column of another table.
    pub(super) fn references(
        &mut self,
        file: &File,
        name: &TableName,
        table: &file::Table,
    ) -> BTreeMap<ColumnName, (TableName, ColumnName)> {
        let mut found = BTreeMap::new();
        for (column, written) in table.join.iter().flat_map(|join| &join.references) {
            let at = ["table", name.as_str(), "join", "references", column.as_str()];
            let keys = |table: &file::Table, key: &ColumnName| {
                table.join.as_ref().is_some_and(|j| j.keys.contains(key))
            };
            if !keys(table, column) {
                self.problem(
                    &at,
                    format!("`{column}` is no join key of the table"),
                    format!("add it to `table.{name}.join.keys`, or leave the reference out"),
                );
            }
            let known = written.parts().filter(|(to, key)| file.table.get(to).is_some_and(|t| keys(t, key)));
            match known {
                Some(target) => {
                    found.insert(column.clone(), target);
                }
                None => self.problem(
                    &at,
                    format!("`{written}` is no join key of a table of the agreement"),
                    "write it as `table.column`, and list the column among that table's `join.keys`",
                ),
            }
        }
        found
    }

    /// The keys of which no value stands in two rows.
    pub(super) fn unique(&mut self, name: &TableName, table: &file::Table) -> BTreeSet<ColumnName> {
        let Some(join) = &table.join else { return BTreeSet::new() };
        for (index, column) in join.unique.iter().enumerate() {
            if !join.keys.contains(column) {
                let index = index.to_string();
                self.problem(
                    &["table", name.as_str(), "join", "unique", index.as_str()],
                    format!("`{column}` is no join key of the table"),
                    format!("add it to `table.{name}.join.keys`, or leave it out here"),
                );
            }
        }
        join.unique.iter().cloned().collect()
    }

    fn one_of_its_columns(&mut self, at: &[&str], table: &file::Table, column: &ColumnName) {
        if !table.columns.contains_key(column) {
            self.problem(
                at,
                format!("`{column}` is not among the table's columns"),
                "correct the name, or add the column",
            );
        }
    }
}
