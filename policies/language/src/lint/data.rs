//! Tables and columns: nobody protected, values that nobody declared, words that say nothing.

use super::{Advice, Kind};
use crate::file::{Column, DomainBound, File, Join, Missing, Table, UseWord};
use crate::id::{ColumnName, TableName};

/// Every table.
pub(super) fn tables(file: &File, advice: &mut Vec<Advice>) {
    let protects = file.table.values().any(|table| table.entity.is_some());
    if !protects && file.disclosure.minimum_contributors > 1 {
        advice.push(Advice::new(
            Kind::Contradiction,
            &["table"],
            "no table names an `entity`, so the minimum protects nobody",
            "name in each table that speaks of people the column that says who they are",
        ));
    }
    for (name, table) in &file.table {
        replicated(file, name, table, advice);
        unfiltered(file, name, table, advice);
        joins(file, name, table, advice);
        counts(name, table, advice);
        for (column, written) in &table.columns {
            let path = ["table", name.as_str(), "columns", column.as_str()];
            uses(&path, table, column, written, advice);
            domain(file, &path, column, written, advice);
        }
    }
}

/// A table that protects nobody should not speak of anybody.
fn replicated(file: &File, name: &TableName, table: &Table, advice: &mut Vec<Advice>) {
    if table.entity.is_some() {
        return;
    }
    for (other, theirs) in &file.table {
        let Some(entity) = theirs.entity.as_ref().filter(|entity| table.columns.contains_key(*entity)) else {
            continue;
        };
        advice.push(Advice::new(
            Kind::Weak,
            &["table", name.as_str(), "columns", entity.as_str()],
            format!("`{entity}` says whom `{other}` is about, but `{name}` protects nobody"),
            format!("write `entity = \"{entity}\"` in the place of `replicated`, or leave the column out"),
        ));
    }
}

/// Beside a table of which people are left out, one of which nobody is.
fn unfiltered(file: &File, name: &TableName, table: &Table, advice: &mut Vec<Advice>) {
    let is_filtered = |table: &Table| table.row_filter.is_some() || table.filter_from.is_some();
    let ruling = file.table.iter().find(|(_, other)| other.row_filter.is_some());
    if let Some((ruling, _)) = ruling.filter(|_| table.entity.is_some() && !is_filtered(table)) {
        advice.push(Advice::new(
            Kind::Weak,
            &["table", name.as_str()],
            format!("people are left out of `{ruling}`, and of `{name}` nobody"),
            format!("if `{name}` speaks of the same people, add `filter_from = \"{ruling}\"`"),
        ));
    }
}

/// Steps of counts that nobody can reach.
fn counts(name: &TableName, table: &Table, advice: &mut Vec<Advice>) {
    let Some(most) = table.rows_per_entity_max else { return };
    for (index, step) in table.entity_counts.iter().enumerate().filter(|(_, step)| **step > most) {
        advice.push(Advice::new(
            Kind::Contradiction,
            &["table", name.as_str(), "entity_counts", &index.to_string()],
            format!("nobody has more than {most} rows, so nobody can have {step}"),
            "leave the step out",
        ));
    }
}

fn has(column: &Column, wanted: UseWord) -> bool {
    column.uses.contains(&wanted)
}

fn uses(path: &[&str; 4], table: &Table, name: &ColumnName, column: &Column, advice: &mut Vec<Advice>) {
    let at = |key| [path.as_slice(), &[key]].concat();
    let unused = column.uses.is_empty() && table.entity.as_ref() != Some(name);
    if unused && column.domain.is_some() {
        advice.push(Advice::new(
            Kind::Contradiction,
            &at("domain"),
            format!("the values of `{name}` become public, but no question may use the column"),
            "leave its `domain` out, or give it a use",
        ));
    }
    if column.required && column.missing == Missing::Public {
        advice.push(Advice::new(
            Kind::Contradiction,
            &at("missing"),
            format!("no row lacks a value of `{name}`, so there is nothing that could be public about it"),
            "leave `missing` out, or `required`",
        ));
    }
    if unused && column.missing == Missing::Public {
        advice.push(Advice::new(
            Kind::Contradiction,
            &at("missing"),
            format!("it is public who lacks a value of `{name}`, but no question may use the column"),
            "leave `missing` out",
        ));
    }
}

fn domain(file: &File, path: &[&str; 4], name: &ColumnName, column: &Column, advice: &mut Vec<Advice>) {
    if !has(column, UseWord::Group) || file.disclosure.minimum_contributors <= 1 {
        return;
    }
    let Some(domain) = &column.domain else {
        advice.push(Advice::new(
            Kind::Missing,
            &[path.as_slice(), &["use"]].concat(),
            format!("figures may be split by `{name}`, but its values are not declared"),
            "give them with `domain`: a value that few people have then says withheld, and is not just absent",
        ));
        return;
    };
    if let (Some(DomainBound::Integer(from)), Some(DomainBound::Integer(to))) = (&domain.from, &domain.to)
        && to.abs_diff(*from) >= file.release.rows_out_max
    {
        advice.push(Advice::new(
            Kind::Contradiction,
            &[path.as_slice(), &["domain"]].concat(),
            format!("figures by `{name}` have more lines than an answer may have"),
            "narrow the `domain`, or raise `rows_out_max`",
        ));
    }
}

/// Under a minimum, tables are joined only along references that lead to unique keys.
fn joins(file: &File, name: &TableName, table: &Table, advice: &mut Vec<Advice>) {
    if file.disclosure.minimum_contributors <= 1 {
        return;
    }
    for (index, key) in table.join.iter().flat_map(|join| join.keys.iter().enumerate()) {
        let from_here = table.join.iter().any(|join| join.references.contains_key(key));
        let to_here =
            |join: &Join| join.references.values().any(|to| to.parts() == Some((name.clone(), key.clone())));
        if !from_here && !file.table.values().flat_map(|table| &table.join).any(to_here) {
            advice.push(Advice::new(
                Kind::Contradiction,
                &["table", name.as_str(), "join", "keys", &index.to_string()],
                format!(
                    "no reference leads from or to `{key}`, so under a minimum no question can join on it"
                ),
                "say with `references` where its values are found, or leave the key out",
            ));
        }
    }
}
