//! Small questions that two agreements can be told apart by: whom they let ask, on which days, and each column in each position.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};

use crate::admit::{Caller, Named, foresee};
use crate::decide::judge;
use crate::document::Agreement;
use crate::footprint::{Aggregate, Argument, Footprint, Function, GroupKey, Term, column_in_cut};
use crate::id::{ColumnName, OrganisationName, Purpose, RoleName, TableName};
use crate::refusal::Refusal;

/// Questions that are tried for one clause.
const TRIED_MAX: usize = 4_096;

/// Somebody who may ask for something under one of the agreements.
pub(super) type Grant = (OrganisationName, RoleName, Purpose);

/// Both versions, with all that they name.
pub(super) struct Both<'a> {
    pub(super) old: &'a Agreement,
    pub(super) new: &'a Agreement,
}

impl Both<'_> {
    /// Everybody whom one of them names, for each of their purposes.
    pub(super) fn grants(&self) -> BTreeSet<Grant> {
        let recipients = self.old.recipients().iter().chain(self.new.recipients());
        recipients
            .flat_map(|recipient| {
                let organisation = &recipient.organisation;
                recipient.roles.iter().flat_map(move |role| {
                    let purposes = recipient.purposes.iter();
                    purposes.map(move |purpose| (organisation.clone(), role.clone(), purpose.clone()))
                })
            })
            .collect()
    }

    /// The days around which something changes.
    pub(super) fn days(&self) -> BTreeSet<NaiveDate> {
        let each = [self.old, self.new].into_iter().flat_map(|agreement| {
            let (first, last) = (*agreement.in_force().start(), *agreement.in_force().end());
            [Some(first), Some(last), agreement.review().map(|review| review.last_day())]
        });
        let around = |day: NaiveDate| {
            [day.checked_sub_days(Days::new(1)), Some(day), day.checked_add_days(Days::new(1))]
        };
        each.flatten().flat_map(around).flatten().collect()
    }

    /// What both versions say to one question.
    pub(super) fn ask(
        &self,
        grant: &Grant,
        day: NaiveDate,
        footprint: &Footprint,
    ) -> [Result<(), Refusal>; 2] {
        let (organisation, role, purpose) = grant;
        let caller = Caller {
            organisation: organisation.clone(),
            roles: vec![role.clone()],
            subject: String::new(),
            purposes: vec![purpose.clone()],
        };
        [self.old, self.new].map(|agreement| {
            foresee(agreement, &caller, Named::default(), day)?;
            judge(agreement, footprint).map(drop)
        })
    }

    /// How many rows there are, of each table.
    pub(super) fn counts(&self) -> Vec<Footprint> {
        let names: BTreeSet<_> = self.old.tables().keys().chain(self.new.tables().keys()).collect();
        names.into_iter().map(|name| Footprint { aggregates: vec![rows()], ..over(name) }).collect()
    }

    /// A column in each position.
    pub(super) fn positions(&self, table: &TableName, column: &ColumnName) -> Vec<Footprint> {
        let computes = |function, filter: &[&ColumnName]| {
            let term = Term { columns: vec![column.clone()], factors: Vec::new() };
            let filter = filter.iter().map(|column| (*column).clone()).collect();
            let aggregates = vec![Aggregate { function, argument: Argument::Term(term), filter }];
            Footprint { aggregates, ..over(table) }
        };
        let mut all = vec![
            Footprint { filter: vec![column.clone()], aggregates: vec![rows()], ..over(table) },
            Footprint {
                groups: vec![GroupKey { columns: vec![column.clone()] }],
                aggregates: vec![rows()],
                ..over(table)
            },
            computes(Function::Avg, &[]),
            computes(Function::Count, &[]),
            computes(Function::Max, &[]),
        ];
        let joins = self.joins(table);
        let own = column_in_cut(2, 0, column.as_str());
        all.extend(joins.into_iter().filter(|asked| asked.joins.iter().any(|(left, _)| *left == own)));
        all
    }

    /// A table joined with each other one on each pair of keys.
    pub(super) fn joins(&self, table: &TableName) -> Vec<Footprint> {
        let mut keys: BTreeMap<&TableName, BTreeSet<&ColumnName>> = BTreeMap::new();
        for (name, table) in self.old.tables().iter().chain(self.new.tables()) {
            keys.entry(name).or_default().extend(table.join_keys());
        }
        let own: Vec<&ColumnName> = keys.get(table).into_iter().flatten().copied().collect();
        let others = keys.iter().filter(|(name, _)| **name != table);
        let pairs = others.flat_map(|(other, theirs)| {
            own.iter().flat_map(move |own| theirs.iter().map(move |their| (*own, *other, *their)))
        });
        let joined = pairs.map(|(own, other, their)| Footprint {
            tables: vec![table.clone(), other.clone()],
            joins: vec![(column_in_cut(2, 0, own.as_str()), column_in_cut(2, 1, their.as_str()))],
            aggregates: vec![rows()],
            ..over(table)
        });
        joined.take(TRIED_MAX).collect()
    }

    /// Every column of every table in each position, and all joins.
    pub(super) fn everything(&self) -> Vec<Footprint> {
        let tables = self.old.tables().iter().chain(self.new.tables());
        let columns: BTreeSet<_> = tables
            .flat_map(|(name, table)| table.columns().keys().map(move |column| (name, column)))
            .collect();
        columns
            .into_iter()
            .flat_map(|(table, column)| self.positions(table, column))
            .take(TRIED_MAX)
            .collect()
    }
}

fn over(table: &TableName) -> Footprint {
    Footprint {
        tables: vec![table.clone()],
        joins: Vec::new(),
        mixed: false,
        dates: Vec::new(),
        step: None,
        filter: Vec::new(),
        groups: Vec::new(),
        aggregates: Vec::new(),
    }
}

fn rows() -> Aggregate {
    Aggregate { function: Function::Count, argument: Argument::Rows, filter: Vec::new() }
}

/// One of these questions as SQL.
pub(super) fn sql(asked: &Footprint) -> String {
    let mut outputs: Vec<String> = asked.groups.iter().flat_map(|key| &key.columns).map(name).collect();
    for aggregate in &asked.aggregates {
        let inside = match &aggregate.argument {
            Argument::Term(Term { columns, .. }) => columns.iter().map(name).collect::<Vec<_>>().join(" * "),
            _ => "*".to_owned(),
        };
        let function = match aggregate.function {
            Function::Count | Function::CountDistinct => "count",
            Function::Sum => "sum",
            Function::Avg => "avg",
            Function::Min => "min",
            Function::Max => "max",
        };
        let distinct = if aggregate.function == Function::CountDistinct { "DISTINCT " } else { "" };
        outputs.push(format!("{function}({distinct}{inside})"));
    }
    let mut sql = format!("SELECT {} FROM ", outputs.join(", "));
    match asked.tables.as_slice() {
        [left, right] => {
            let on = asked.joins.iter().map(|(left, right)| format!("{} = {}", name(left), name(right)));
            let on = on.collect::<Vec<_>>().join(" AND ");
            sql += &format!("{} AS t0 JOIN {} AS t1 ON {on}", word(left.as_str()), word(right.as_str()));
        }
        tables => sql += &tables.iter().map(|table| word(table.as_str())).collect::<Vec<_>>().join(", "),
    }
    if !asked.filter.is_empty() {
        let all = asked.filter.iter().map(|column| format!("{} IS NOT NULL", name(column)));
        sql += &format!(" WHERE {}", all.collect::<Vec<_>>().join(" AND "));
    }
    let keys: Vec<String> = asked.groups.iter().flat_map(|key| &key.columns).map(name).collect();
    if !keys.is_empty() {
        sql += &format!(" GROUP BY {}", keys.join(", "));
    }
    sql
}

/// A column as the cut calls it, as SQL.
fn name(column: &ColumnName) -> String {
    match column.as_str().split_once('.') {
        Some((table @ ("t0" | "t1"), own)) => format!("{table}.{}", word(own)),
        _ => word(column.as_str()),
    }
}

/// A name as it stands where SQL can read nothing else in it, in quotes elsewhere.
fn word(name: &str) -> String {
    let mut letters = name.chars();
    let plain = letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !RESERVED.contains(&name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Words that SQL keeps for itself.
const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "at",
    "between",
    "both",
    "by",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "cross",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "date",
    "default",
    "delete",
    "desc",
    "distinct",
    "drop",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "filter",
    "for",
    "foreign",
    "from",
    "full",
    "global",
    "grant",
    "group",
    "grouping",
    "having",
    "in",
    "inner",
    "insert",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "lateral",
    "left",
    "like",
    "limit",
    "local",
    "natural",
    "no",
    "not",
    "null",
    "of",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "over",
    "overlaps",
    "partition",
    "position",
    "primary",
    "qualify",
    "references",
    "right",
    "row",
    "rows",
    "select",
    "session",
    "set",
    "similar",
    "some",
    "start",
    "substring",
    "table",
    "then",
    "time",
    "timestamp",
    "to",
    "trim",
    "true",
    "union",
    "unique",
    "unnest",
    "update",
    "user",
    "using",
    "value",
    "values",
    "when",
    "where",
    "window",
    "with",
    "within",
    "without",
];
