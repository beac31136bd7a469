//! Who is left out of tables altogether: `row_filter`, and the table whose filter rules for all tables of an entity.
//!
//! Tables are of one entity where their entities have one name, where one names the other in `filter_from`, and where one refers to
//! the other: then a row of both together speaks of one entity. Among such tables a filter in one and none in another would
//! leave the same person out here and in there, so all of them name the one table that rules.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::Check;
use crate::condition::{Condition, Wrong};
use crate::document;
use crate::file::{self, File};
use crate::id::{ColumnName, TableName};
use crate::table::{ColumnRule, DomainValue, EntityFilter};

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
            Ok(condition) => {
                self.on_steps(name, table, &condition);
                Some(condition)
            }
            Err(Wrong { message, help, at }) => {
                self.problem_within(&["table", name.as_str(), "row_filter"], at, message, help);
                None
            }
        }
    }

    /// Conditions see days as questions do, on the steps of their column.
    fn on_steps(&mut self, name: &TableName, table: &file::Table, condition: &Condition) {
        let (column, values) = match condition {
            Condition::Compare(column, _, value) => (column, std::slice::from_ref(value)),
            Condition::In(column, values) => (column, values.as_slice()),
            Condition::Not(inner) => return self.on_steps(name, table, inner),
            Condition::All(parts) | Condition::Any(parts) => {
                return parts.iter().for_each(|part| self.on_steps(name, table, part));
            }
            Condition::Holds(_) | Condition::Missing(_) => return,
        };
        let Some(grain) = table.columns.get(column).and_then(|column| column.grain) else { return };
        let first = |value: &DomainValue| {
            value.to_string().parse().is_ok_and(|day: NaiveDate| grain.start(day) == Some(day))
        };
        if let Some(value) = values.iter().find(|value| !first(value)) {
            self.problem(
                &["table", name.as_str(), "row_filter"],
                format!("`{column}` is seen by the {}, and `{value}` is no first day of one", grain.word()),
                format!("compare it with the first day of a {}", grain.word()),
            );
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

/// The filter of one table, with the rules of the columns that it reads.
fn filter(table: &document::Table, present: bool) -> Option<EntityFilter> {
    let (condition, entity) = (table.row_filter.clone()?, table.entity.clone()?);
    let mut read: BTreeSet<&ColumnName> = condition.columns();
    read.insert(&entity);
    let rules =
        read.into_iter().filter_map(|name| Some((name.clone(), table.columns.get(name)?.rule.clone())));
    let columns: BTreeMap<ColumnName, ColumnRule> = rules.collect();
    Some(EntityFilter { table: table.name.clone(), entity, condition, columns, present })
}

/// The tables of each entity.
fn families<'a>(protected: &BTreeMap<&'a TableName, &'a file::Table>) -> Vec<BTreeSet<&'a TableName>> {
    let mut families: Vec<BTreeSet<&TableName>> = Vec::new();
    for (name, table) in protected {
        let alike = protected.iter().filter(|(_, other)| other.entity == table.entity).map(|(name, _)| *name);
        let from = table.filter_from.iter();
        let referred = table.join.iter().flat_map(|join| join.references.values()).filter_map(|r| r.parts());
        let referred: BTreeSet<TableName> = referred.map(|(table, _)| table).collect();
        let known = |other: &&&TableName| referred.contains(**other);
        let mut family: BTreeSet<&TableName> = alike.chain([*name]).collect();
        family.extend(from.filter_map(|from| protected.get_key_value(from).map(|(name, _)| *name)));
        family.extend(protected.keys().filter(known).copied());
        let (meeting, apart): (Vec<_>, Vec<_>) =
            families.into_iter().partition(|other| !other.is_disjoint(&family));
        families = apart;
        family.extend(meeting.into_iter().flatten());
        families.push(family);
    }
    families
}
