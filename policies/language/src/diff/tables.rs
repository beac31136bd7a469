//! Tables: whom they protect, what is declared of their rows, and how they are joined.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{self, Step};
use super::{About, Changes, Direction, columns, keys, sorted};
use crate::condition::Condition;
use crate::decide::key;
use crate::file::{Join, Reference, Table};
use crate::id::{ColumnName, TableName};
use crate::refusal::list;

type Tables = BTreeMap<TableName, Table>;

/// The protected tables. One that is not there is closed.
pub(super) fn tables(changes: &mut Changes, (old, new): (&Tables, &Tables)) {
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let clause = format!("table.{}", key(name.as_str()));
        let about = || About::Table(name.clone());
        match (old.get(name), new.get(name)) {
            (Some(before), Some(after)) => table(changes, &clause, name, (before, after), (old, new)),
            (None, Some(table)) => {
                changes.add(clause, Some(apart(table, Direction::Loosens)), about(), |way| {
                    format!("questions may be asked about `{name}`; {}", way.effect())
                });
            }
            (Some(table), None) => {
                changes.add(clause, Some(apart(table, Direction::Tightens)), about(), |way| {
                    format!("no question may be asked about `{name}` any more; {}", way.effect())
                });
            }
            (None, None) => {}
        }
    }
}

/// A condition of one table leaves people out of all tables of their kind, so a table with one is not apart from the others.
fn apart(table: &Table, way: Direction) -> Direction {
    if table.row_filter.is_some() { Direction::Neither } else { way }
}

fn table(
    changes: &mut Changes,
    at: &str,
    name: &TableName,
    (old, new): (&Table, &Table),
    tables: (&Tables, &Tables),
) {
    keys!(Table {
        entity, replicated, rows_per_entity_max, keys_within, entity_counts, impossible, entities, row_filter, filter_from,
        columns, join,
    } of old, new);
    let about = |what: &str| format!("{what} `{name}`");
    changes.value(
        format!("{at}.entity"),
        order::neither(entity),
        &about("whom the rules protect in"),
        entity,
    );
    changes.value(
        format!("{at}.replicated"),
        order::neither(replicated),
        &about("that nobody is protected in"),
        replicated,
    );
    changes.value(
        format!("{at}.rows_per_entity_max"),
        order::neither(rows_per_entity_max),
        &about("the most rows that one entity has in"),
        rows_per_entity_max,
    );
    let (had, has) = (sorted(keys_within.0), sorted(keys_within.1));
    let closed = |column: &ColumnName| columns.1.get(column).is_none_or(|column| column.uses.is_empty());
    let subject = about("the columns of which each value belongs to one entity in");
    changes.value(format!("{at}.keys_within"), facts(&had, &has, closed), &subject, (&had, &has));
    let (had, has) = (sorted(entity_counts.0), sorted(entity_counts.1));
    let subject = about("the steps in which a count for each entity may be asked in");
    changes.value(format!("{at}.entity_counts"), order::fewer(&had, &has), &subject, (&had, &has));
    let (had, has) = (sorted(impossible.0), sorted(impossible.1));
    let subject = about("what is declared never to occur in");
    changes.value(format!("{at}.impossible"), order::neither((&had, &has)), &subject, (&had, &has));
    changes.value(
        format!("{at}.entities"),
        order::neither(entities),
        &about("whether somebody can be at two sites in"),
        entities,
    );
    // To leave somebody out tells of them, by what is missing since.
    let step = order::switched(row_filter, order::neither);
    let step = step.map(|way| if way == Direction::Tightens { Direction::Neither } else { way });
    changes.value(format!("{at}.row_filter"), step, &about("the condition on everybody in"), row_filter);
    let subject = about("the table whose condition rules for");
    changes.value(format!("{at}.filter_from"), order::neither(filter_from), &subject, filter_from);
    let read = |column: &ColumnName| {
        let conditions = [row_filter.0, row_filter.1].into_iter().flatten();
        let mut conditions = conditions.map(|text| Condition::parse(text));
        conditions.any(|condition| condition.is_ok_and(|condition| condition.columns().contains(column)))
    };
    let kept = |column: &ColumnName| read(column) || [entity.0, entity.1].contains(&&Some(column.clone()));
    let meets = |column: &ColumnName| {
        joins_read(tables.0, name, old, column) || joins_read(tables.1, name, new, column)
    };
    columns::columns(changes, at, name, kept, meets, columns);
    joined(changes, &format!("{at}.join"), name, join, tables.1);
}

/// Whether a column is a key, a unique one, or one end of a reference, of this or of another table.
fn joins_read(all: &Tables, name: &TableName, table: &Table, column: &ColumnName) -> bool {
    let own = table.join.as_ref().is_some_and(|join| {
        join.keys.contains(column) || join.unique.contains(column) || join.references.contains_key(column)
    });
    let referred = |to: &Reference| to.parts().is_some_and(|(table, key)| table == *name && key == *column);
    let joins = all.values().filter_map(|table| table.join.as_ref());
    own || joins.flat_map(|join| join.references.values()).any(referred)
}

/// Without the section nothing is joined.
fn joined(
    changes: &mut Changes,
    at: &str,
    name: &TableName,
    (old, new): (&Option<Join>, &Option<Join>),
    all: &Tables,
) {
    let none = Join {
        keys: Vec::new(),
        references: BTreeMap::new(),
        unique: Vec::new(),
        anti_join: false,
        meeting: None,
        send: Vec::new(),
    };
    let (old, new) = (old.as_ref().unwrap_or(&none), new.as_ref().unwrap_or(&none));
    keys!(Join { keys, references, unique, anti_join, meeting, send } of old, new);
    let about = || About::Join(name.clone());
    let (had, has) = (sorted(keys.0), sorted(keys.1));
    changes.add(format!("{at}.keys"), order::fewer(&had, &has), about(), |way| {
        let mut parts = Vec::new();
        if !has.is_subset(&had) {
            parts.push(format!("`{name}` may also be joined on {}", list(has.difference(&had))));
        }
        if !had.is_subset(&has) {
            parts.push(format!("`{name}` may no longer be joined on {}", list(had.difference(&has))));
        }
        format!("{}; {}", parts.join(", and "), way.effect())
    });
    let pairs = |references: &BTreeMap<ColumnName, Reference>| -> BTreeSet<(ColumnName, Reference)> {
        references.iter().map(|(own, to)| (own.clone(), to.clone())).collect()
    };
    let gone = |(own, to): &(ColumnName, Reference)| {
        let is_key = |table: &TableName, key: &ColumnName| {
            all.get(table).and_then(|table| table.join.as_ref()).is_some_and(|join| join.keys.contains(key))
        };
        !has.contains(own) || to.parts().is_some_and(|(table, key)| !is_key(&table, &key))
    };
    let step = facts(&pairs(references.0), &pairs(references.1), gone);
    changes.add(format!("{at}.references"), step, about(), |way| {
        format!(
            "declared of `{name}`: {} before, {} now; {}",
            super::written(references.0),
            super::written(references.1),
            way.effect()
        )
    });
    let (had_unique, has_unique) = (sorted(unique.0), sorted(unique.1));
    let step = facts(&had_unique, &has_unique, |column| !has.contains(column));
    changes.add(format!("{at}.unique"), step, about(), |way| {
        format!(
            "the columns of `{name}` of which no value stands in two rows: {} before, {} now; {}",
            super::written(unique.0),
            super::written(unique.1),
            way.effect()
        )
    });
    changes.add(format!("{at}.anti_join"), order::leave(anti_join), about(), |way| match way {
        Direction::Tightens => format!("nobody may ask any more who is not in `{name}`; {}", way.effect()),
        _ => format!("questions may ask who is not in `{name}`; {}", way.effect()),
    });
    let subject = format!("the node that may receive rows of `{name}`");
    changes.value(format!("{at}.meeting"), order::granted(meeting, order::neither), &subject, meeting);
    let (had, has) = (sorted(send.0), sorted(send.1));
    let subject = format!("the columns of `{name}` that it receives");
    changes.value(format!("{at}.send"), order::fewer(&had, &has), &subject, (&had, &has));
}

/// Declared facts. One more or another one can open questions and can stop all of them, so it is `neither`; so is one that is
/// taken back, unless what it spoke of cannot be asked about any more.
fn facts<T: Ord>(old: &BTreeSet<T>, new: &BTreeSet<T>, gone: impl Fn(&T) -> bool) -> Step {
    if old == new {
        return None;
    }
    let only_gone = new.is_subset(old) && old.difference(new).all(gone);
    Some(if only_gone { Direction::Same } else { Direction::Neither })
}
