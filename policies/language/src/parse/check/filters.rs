//! Who is left out of tables altogether: `row_filter`, and the table whose filter rules for all tables of an entity.
//!
//! Tables are of one entity where their entities have one name, where one names the other in `filter_from`, and where the entity of
//! one, or a key within it, refers to that of the other: then a row of both together speaks of one entity. Among such tables a
//! filter in one and none in another would leave the same person out here and in there, so all of them name the one table that
//! rules. Any other reference to a table of which people can be left out is refused: what is said of one person would break, or
//! lose its partner, when another one opts out.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::condition::{Condition, Wrong};
use crate::document;
use crate::file::{self, File};
use crate::id::{ColumnName, TableName};
use crate::table::EntityFilter;

impl Check<'_> {
    /// A table's own condition.
    pub(super) fn row_filter(&mut self, name: &TableName, table: &file::Table) -> Option<Condition> {
        let written = table.row_filter.as_deref();
        if table.entity.is_none() {
            for (key, written) in
                [("row_filter", written.is_some()), ("filter_from", table.filter_from.is_some())]
            {
                if written {
                    self.problem(
                        &["table", name.as_str(), key],
                        format!("`{key}` says nothing for a table that protects nobody"),
                        "leave it out, or name the `entity` in the place of `replicated`",
                    );
                }
            }
            return None;
        }
        match Condition::parse(written?) {
            Ok(condition) => Some(condition),
            Err(Wrong { message, help, at }) => {
                self.problem_within(&["table", name.as_str(), "row_filter"], at, message, help);
                None
            }
        }
    }

    /// Puts the filters that rule for each table into it.
    pub(super) fn filters(&mut self, file: &File, tables: &mut BTreeMap<TableName, document::Table>) {
        let protected: BTreeMap<&TableName, &file::Table> =
            file.table.iter().filter(|(_, table)| table.entity.is_some()).collect();
        for (name, table) in &protected {
            self.filter_from(name, table, &protected);
        }
        for family in families(&protected) {
            let filtered: BTreeSet<&TableName> = family
                .iter()
                .filter(|name| protected.get(*name).is_some_and(|table| table.row_filter.is_some()))
                .copied()
                .collect();
            let named = family.iter().find_map(|name| protected.get(name)?.filter_from.as_ref());
            let Some(ruling) = named.or_else(|| filtered.first().copied()) else { continue };
            for name in &family {
                if *name != ruling {
                    self.ruled_by(name, ruling, protected.get(name).and_then(|t| t.filter_from.as_ref()));
                }
            }
            let filters: Vec<EntityFilter> = filtered
                .iter()
                .filter_map(|name| filter(tables.get(*name)?, family.len() > 1 && *name == ruling))
                .collect();
            for name in family {
                if let Some(table) = tables.get_mut(name) {
                    table.filters.clone_from(&filters);
                }
            }
        }
        for (name, table) in &protected {
            for (column, written) in table.join.iter().flat_map(|join| &join.references) {
                let Some((to, key)) = written.parts() else { continue };
                let filtered = tables.get(&to).is_some_and(|target| !target.filters.is_empty());
                let Some(target) = protected.get(&to).filter(|_| filtered) else { continue };
                if !is_of_one_entity(table, column, target, &key) {
                    self.problem(
                        &["table", name.as_str(), "join", "references", column.as_str()],
                        format!("`{written}` is not there for everybody: people are left out of `{to}`"),
                        "leave the reference out: what refers to somebody who has opted out would lose its partner",
                    );
                }
            }
        }
    }

    /// It names another table that has a filter.
    fn filter_from(
        &mut self,
        name: &TableName,
        table: &file::Table,
        protected: &BTreeMap<&TableName, &file::Table>,
    ) {
        let Some(from) = &table.filter_from else { return };
        let at = ["table", name.as_str(), "filter_from"];
        if from == name {
            self.problem(
                &at,
                "a table's own `row_filter` rules for it anyway",
                "leave `filter_from` out here; the other tables of the entity name this one",
            );
        } else if protected.get(from).is_none_or(|table| table.row_filter.is_none()) {
            self.problem(
                &at,
                format!("`{from}` is no table of the agreement that has a `row_filter`"),
                "name the table that says who is left out, and give it a `row_filter`",
            );
        }
    }

    fn ruled_by(&mut self, name: &TableName, ruling: &TableName, from: Option<&TableName>) {
        match from {
            Some(from) if from == ruling => {}
            Some(from) => self.problem(
                &["table", name.as_str(), "filter_from"],
                format!("`{from}` rules here, and `{ruling}` for other tables of the same entity"),
                "let one table rule for all tables of an entity",
            ),
            None => self.problem(
                &["table", name.as_str()],
                format!(
                    "whom the `row_filter` of `{ruling}` leaves out would still be counted in `{name}`, a table of the \
                     same entity"
                ),
                format!(
                    "write `filter_from = \"{ruling}\"` here, or give the entity another name in the model if it is one"
                ),
            ),
        }
    }
}

/// The filter of one table.
fn filter(table: &document::Table, present: bool) -> Option<EntityFilter> {
    let (condition, entity) = (table.row_filter.clone()?, table.entity.clone()?);
    Some(EntityFilter { table: table.name.clone(), entity, condition, present })
}

/// Whether two columns that are equal make their rows speak of one entity: its names, or keys within it.
fn is_of_one_entity(
    table: &file::Table,
    column: &ColumnName,
    target: &file::Table,
    key: &ColumnName,
) -> bool {
    let entities = table.entity.as_ref() == Some(column) && target.entity.as_ref() == Some(key);
    entities || (table.keys_within.contains(column) && target.keys_within.contains(key))
}

/// The tables of each entity: those that are tied, directly or along one another.
fn families<'a>(protected: &BTreeMap<&'a TableName, &'a file::Table>) -> Vec<BTreeSet<&'a TableName>> {
    let mut first_of: BTreeMap<&ColumnName, &TableName> = BTreeMap::new();
    let mut ties: BTreeMap<&TableName, BTreeSet<&TableName>> = BTreeMap::new();
    for (name, table) in protected {
        let alike = table.entity.iter().map(|entity| *first_of.entry(entity).or_insert(name));
        let from = table.filter_from.iter().filter_map(|from| protected.get_key_value(from));
        let references = table.join.iter().flat_map(|join| &join.references);
        let referred = references.filter_map(|(column, written)| {
            let (to, key) = written.parts()?;
            let (to, target) = protected.get_key_value(&to)?;
            is_of_one_entity(table, column, target, &key).then_some(*to)
        });
        for other in alike.chain(from.map(|(from, _)| *from)).chain(referred) {
            ties.entry(name).or_default().insert(other);
            ties.entry(other).or_default().insert(name);
        }
    }
    let mut families = Vec::new();
    while let Some((first, others)) = ties.pop_first() {
        let mut family = BTreeSet::from([first]);
        let mut open: Vec<_> = others.into_iter().collect();
        while let Some(name) = open.pop() {
            family.insert(name);
            open.extend(ties.remove(name).into_iter().flatten());
        }
        families.push(family);
    }
    families
}
