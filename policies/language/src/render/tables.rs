//! Which data: each table with whom it protects, its columns, and how it may be joined.

use super::columns;
use super::page::{Block, Clause, Section, Text};
use super::words::{any, count, names, said, whole};
use crate::file::{Entities, File, Join, Table};
use crate::id::{ColumnName, TableName};
use crate::table::DomainValue;

/// What holds for all tables.
pub(super) fn intro(file: &File) -> Vec<Block> {
    if file.table.is_empty() {
        return vec![Block::Notice(Text::new(
            "This agreement opens no table, and so no one learns anything.",
        ))];
    }
    let tables = file.table.keys();
    let text = format!(
        "The agreement opens {}: {}. All other tables stay closed. In a table that is open, each column that is not \
         listed stays closed too.",
        count(u64::try_from(file.table.len()).unwrap_or(u64::MAX), "table", "tables"),
        names(tables)
    );
    vec![Block::Paragraph(Text::new(text))]
}

/// One table, with its heading.
pub(super) fn table(name: &TableName, table: &Table) -> Section {
    let mut clauses = protects(table);
    clauses.extend(facts(table));
    clauses.extend(left_out(table));
    clauses.extend(joins(table.join.as_ref()));
    let mut blocks: Vec<Block> = clauses.into_iter().map(Block::Clause).collect();
    if table.columns.is_empty() {
        blocks.push(Block::Paragraph(Text::new("No column of it is open.")));
    }
    blocks.extend(table.columns.iter().map(|(column, written)| {
        let entity = table.entity.as_ref() == Some(column);
        Block::Entry { name: Text::new(said(column)), clauses: columns::clauses(written, entity) }
    }));
    let heading = Text::new(format!("Table {}", said(name)));
    Section { level: 2, anchor: String::new(), heading, blocks }
}

fn protects(table: &Table) -> Vec<Clause> {
    let mut clauses = Vec::new();
    match &table.entity {
        Some(entity) => {
            let text = format!(
                "Each value of {} stands for one person: for whom or what is protected, be it a patient, a household or \
                 a firm. Recipients may learn how many people and how many rows there are.",
                said(entity)
            );
            clauses.push(Clause::new("table.*.entity", text));
        }
        None if !table.replicated => clauses.push(Clause::new(
            "table.*.entity",
            "It does not say whom to protect, and so a site will not take the agreement.",
        )),
        None => {}
    }
    if table.replicated {
        let text = "The table speaks of no person. Each site has the whole of it, as with a list of codes.";
        clauses.push(Clause::new("table.*.replicated", text));
    }
    if table.entity.is_some() || table.entities != Entities::default() {
        let text = match table.entities {
            Entities::Disjoint => "No person is at two sites.",
            Entities::Overlapping => "A person can be at more than one site.",
        };
        clauses.push(Clause::new("table.*.entities", text));
    }
    clauses
}

fn facts(table: &Table) -> Vec<Clause> {
    let mut clauses = Vec::new();
    match table.rows_per_entity_max {
        Some(most) => clauses.push(Clause::new(
            "table.*.rows_per_entity_max",
            format!(
                "A person has {} in it at most. The site's computer checks this.",
                count(most, "row", "rows")
            ),
        )),
        None if table.entity.is_some() => {
            clauses.push(Clause::open(
                "table.*.rows_per_entity_max",
                "A person can have any number of rows in it.",
            ));
        }
        None => {}
    }
    if !table.keys_within.is_empty() {
        let text = format!(
            "Each value of {} belongs to one person. The site's computer checks this.",
            any(table.keys_within.iter().map(said))
        );
        clauses.push(Clause::new("table.*.keys_within", text));
    }
    if !table.entity_counts.is_empty() {
        let steps = table.entity_counts.iter().map(|step| whole((*step).into()));
        let text = format!(
            "Recipients may learn how many people have how many rows, but only in these steps: {}.",
            super::words::all(steps)
        );
        clauses.push(Clause::new("table.*.entity_counts", text));
    }
    clauses.extend(table.impossible.iter().map(|values| {
        let text = format!(
            "Everyone may know that there is no one with {}. A row that says so is left out, and the site is told.",
            super::words::all(values.iter().map(|(column, value)| pair(column, value)))
        );
        Clause::new("table.*.impossible", text)
    }));
    clauses
}

fn pair(column: &ColumnName, value: &DomainValue) -> String {
    format!("{} as {}", said(value), said(column))
}

fn left_out(table: &Table) -> Vec<Clause> {
    let mut clauses = Vec::new();
    if let Some(condition) = &table.row_filter {
        let text = format!(
            "A person counts only if all their rows meet this test: {}. If it fails for one row, or cannot be told, no \
             one learns anything about that person.",
            said(condition)
        );
        clauses.push(Clause::new("table.*.row_filter", text));
    }
    if let Some(from) = &table.filter_from {
        let text = format!(
            "The test of the table {} says who is left out here too. Who has no row there is also left out.",
            said(from)
        );
        clauses.push(Clause::new("table.*.filter_from", text));
    }
    clauses
}

fn joins(join: Option<&Join>) -> Vec<Clause> {
    let Some(join) = join else {
        return vec![Clause::new("table.*.join.keys", "It may not be joined to any other table.")];
    };
    let keys = if join.keys.is_empty() {
        "It names no column by which it may be joined to other tables.".to_owned()
    } else {
        format!("It may be joined to other tables, but only by {}.", any(join.keys.iter().map(said)))
    };
    let mut clauses = vec![Clause::new("table.*.join.keys", keys)];
    clauses.extend(join.references.iter().map(|(column, reference)| {
        let (table, key) = match reference.parts() {
            Some((table, key)) => (format!(" of the table {}", said(table)), said(key)),
            None => (String::new(), said(reference)),
        };
        let text = format!(
            "Each value of {} is found in the column {key}{table} at the same site. The site's computer checks this.",
            said(column)
        );
        Clause::new("table.*.join.references", text)
    }));
    if !join.unique.is_empty() {
        let text = format!(
            "No two rows have the same value of {}. The site's computer checks this.",
            any(join.unique.iter().map(said))
        );
        clauses.push(Clause::new("table.*.join.unique", text));
    }
    let anti = if join.anti_join {
        "Questions may ask who is in one table and not in the other."
    } else {
        "No question may ask who is in one table and not in the other."
    };
    clauses.push(Clause::saying("table.*.join.anti_join", &join.anti_join, anti));
    clauses
}
