//! Joined questions, and what must come of them, counted row by row in plain Rust.

use std::collections::{BTreeMap, BTreeSet};

use liquid_policy::table::Obligations;
use proptest::prelude::*;
use proptest::sample::select;

use super::world::{Row, World};

/// A question, in parts that the oracle understands.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// Tables with their aliases.
    from: &'static [(&'static str, &'static str)],
    /// Equal columns, `alias.column`.
    joins: &'static [(&'static str, &'static str)],
    /// Group keys.
    pub(super) keys: Vec<&'static str>,
    /// WHERE: all of these.
    filter: Vec<Condition>,
    pub(super) aggregates: Vec<Aggregate>,
}

/// `alias.column = 'value'`, or one of two.
#[derive(Debug, Clone)]
pub(super) struct Condition(Vec<(&'static str, &'static str)>);

impl Condition {
    fn sql(&self) -> String {
        let all: Vec<_> = self.0.iter().map(|(column, value)| format!("{column} = '{value}'")).collect();
        format!("({})", all.join(" OR "))
    }

    fn holds(&self, row: &Joined<'_>) -> bool {
        self.0.iter().any(|(column, value)| row.get(column) == *value)
    }

    fn reads_only(&self, aliases: &BTreeSet<&str>) -> bool {
        self.0.iter().all(|(column, _)| aliases.contains(alias(column)))
    }
}

#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    sql: &'static str,
    /// What is added up; none for counts.
    measure: Option<&'static str>,
    distinct: bool,
    filter: Option<Condition>,
}

pub(super) fn alias(column: &str) -> &str {
    column.split('.').next().unwrap()
}

/// One joined row: a row of each of some tables.
#[derive(Debug, Clone)]
pub(super) struct Joined<'a>(BTreeMap<&'static str, &'a Row>);

impl Joined<'_> {
    fn get(&self, column: &str) -> &str {
        let (alias, own) = column.split_once('.').unwrap();
        &self.0[alias][own]
    }
}

impl Question {
    pub(super) fn sql(&self) -> String {
        let aggregates = self.aggregates.iter().map(|a| match &a.filter {
            Some(filter) => format!("{} FILTER (WHERE {})", a.sql, filter.sql()),
            None => a.sql.to_owned(),
        });
        let columns: Vec<_> = self.keys.iter().map(|key| (*key).to_owned()).chain(aggregates).collect();
        let from: Vec<_> = self.from.iter().map(|(table, alias)| format!("{table} {alias}")).collect();
        let conditions = self.joins.iter().map(|(left, right)| format!("{left} = {right}"));
        let conditions: Vec<_> = conditions.chain(self.filter.iter().map(Condition::sql)).collect();
        let mut sql = format!(
            "SELECT {} FROM {} WHERE {}",
            columns.join(", "),
            from.join(", "),
            conditions.join(" AND ")
        );
        if !self.keys.is_empty() {
            sql += &format!(" GROUP BY {}", self.keys.join(", "));
        }
        sql
    }

    /// The joined rows of some tables, on whatever the whole question makes equal.
    fn rows<'a>(&self, world: &'a World, aliases: &BTreeSet<&str>) -> Vec<Joined<'a>> {
        let mut classes: Vec<BTreeSet<&str>> = Vec::new();
        // Whatever ties the tables, one joined row speaks of one person.
        let persons = [("p", "p.pid"), ("v", "v.pid"), ("t", "t.pid")];
        let persons: Vec<&str> = persons
            .into_iter()
            .filter(|(alias, _)| self.aliases().contains(alias))
            .map(|(_, pid)| pid)
            .collect();
        let pairs = self.joins.iter().copied();
        for (left, right) in pairs.chain(persons.windows(2).map(|pair| (pair[0], pair[1]))) {
            let mut class = BTreeSet::from([left, right]);
            classes.retain(|other| {
                let meets = !other.is_disjoint(&class);
                if meets {
                    class.extend(other);
                }
                !meets
            });
            classes.push(class);
        }
        let mut all = vec![Joined(BTreeMap::new())];
        for (table, alias) in self.from.iter().filter(|(_, alias)| aliases.contains(alias)) {
            all = all
                .iter()
                .flat_map(|row| {
                    world.tables[table].iter().map(|one| {
                        let mut row = row.clone();
                        row.0.insert(alias, one);
                        row
                    })
                })
                .filter(|row| {
                    classes.iter().all(|class| {
                        let mut values =
                            class.iter().filter(|c| row.0.contains_key(self::alias(c))).map(|c| row.get(c));
                        let first = values.next();
                        values.all(|value| Some(value) == first)
                    })
                })
                .collect();
        }
        all
    }

    /// Whether the joined rows are those of one table, from which references lead to unique keys of all others.
    pub(super) fn of_one_table(&self) -> bool {
        let references = [
            ("visit", "pid", "person"),
            ("treat", "vid", "visit"),
            ("treat", "pid", "person"),
            ("person", "area", "area"),
        ];
        let table = |alias: &str| self.from.iter().find(|(_, a)| *a == alias).map(|(table, _)| *table);
        let leads = |from: &str, to: &str| {
            let own = |column: &str| column.split_once('.').map(|(_, own)| own.to_owned());
            let (Some(source), Some(target)) = (table(alias(from)), table(alias(to))) else { return false };
            own(from) == own(to)
                && references.iter().any(|(one, key, other)| {
                    (*one, *other) == (source, target) && own(from).as_deref() == Some(*key)
                })
        };
        let base = |base: &str| {
            let mut reached = BTreeSet::from([base]);
            for _ in self.joins {
                for (one, other) in self.joins {
                    for (from, to) in [(one, other), (other, one)] {
                        if reached.contains(alias(from)) && leads(from, to) {
                            reached.insert(alias(to));
                        }
                    }
                }
            }
            reached.len() == self.from.len()
        };
        self.joins.len() + 1 == self.from.len() && self.aliases().into_iter().any(base)
    }

    /// Whether something is added up of which the join repeats rows.
    pub(super) fn repeats(&self) -> bool {
        let measures = self.aggregates.iter().filter_map(|aggregate| aggregate.measure);
        // Treatments lead to visits, and visits to persons.
        measures.into_iter().any(|measure| alias(measure) == "v" && self.aliases().contains("t"))
    }

    /// Whether a condition reads several tables.
    pub(super) fn mixes(&self) -> bool {
        let filters = self.aggregates.iter().flat_map(|aggregate| &aggregate.filter);
        let aliases = |c: &Condition| c.0.iter().map(|(column, _)| alias(column)).collect::<BTreeSet<_>>();
        self.filter.iter().chain(filters).any(|condition| aliases(condition).len() > 1)
    }

    fn aliases(&self) -> BTreeSet<&'static str> {
        self.from.iter().map(|(_, alias)| *alias).collect()
    }

    /// The alias of the first table that protects somebody.
    fn entity<'r>(&self, row: &'r Joined<'_>) -> &'r str {
        let (_, alias) = self.from.iter().find(|(t, a)| *t != "area" && row.0.contains_key(a)).unwrap();
        &row.0[alias]["pid"]
    }
}

pub(super) const JOINS: &[(&[(&str, &str)], &[(&str, &str)])] = &[
    (&[("person", "p"), ("visit", "v")], &[("p.pid", "v.pid")]),
    (&[("visit", "v"), ("person", "p")], &[("p.pid", "v.pid")]),
    (&[("visit", "v"), ("treat", "t")], &[("v.vid", "t.vid")]),
    (&[("visit", "v"), ("treat", "t")], &[("v.pid", "t.pid")]),
    (&[("visit", "v"), ("treat", "t")], &[("v.pid", "t.pid"), ("t.vid", "v.vid")]),
    (&[("person", "p"), ("visit", "v"), ("treat", "t")], &[("p.pid", "v.pid"), ("v.vid", "t.vid")]),
    (&[("person", "p"), ("visit", "v"), ("treat", "t")], &[("p.pid", "v.pid"), ("v.pid", "t.pid")]),
    (&[("person", "p"), ("visit", "v"), ("treat", "t")], &[("t.pid", "p.pid"), ("t.vid", "v.vid")]),
    (&[("area", "a"), ("person", "p")], &[("p.area", "a.area")]),
    (&[("person", "p"), ("area", "a"), ("visit", "v")], &[("p.area", "a.area"), ("v.pid", "p.pid")]),
    (&[("visit", "v"), ("visit", "w")], &[("v.pid", "w.pid")]),
];

/// A question over some of the joins; `everywhere` are columns that stand in each of them or are left out.
pub(super) fn question() -> impl Strategy<Value = Question> {
    let keys = vec!["p.sex", "v.ward", "t.drug", "a.region", "p.area"];
    let conditions = vec![
        Condition(vec![("p.sex", "F")]),
        Condition(vec![("v.ward", "W1")]),
        Condition(vec![("t.drug", "D1")]),
        Condition(vec![("a.region", "south")]),
        Condition(vec![("p.sex", "M"), ("v.ward", "W2")]),
        Condition(vec![("v.ward", "W1"), ("v.ward", "W2")]),
    ];
    let aggregate = |sql, measure, distinct| Aggregate { sql, measure, distinct, filter: None };
    let aggregates = vec![
        aggregate("count(*)", None, false),
        aggregate("sum(v.cost)", Some("v.cost"), false),
        aggregate("count(DISTINCT p.pid)", None, true),
        aggregate("count(DISTINCT v.pid)", None, true),
    ];
    (
        select(JOINS.to_vec()),
        prop::sample::subsequence(keys, 0..=2),
        prop::sample::subsequence(conditions.clone(), 0..=2),
        prop::sample::subsequence(aggregates, 1..=3),
        prop::option::of(select(conditions)),
    )
        .prop_map(|((from, joins), keys, filter, aggregates, extra)| {
            let there = |column: &str| from.iter().any(|(_, a)| *a == alias(column));
            let fits = |c: &Condition| c.0.iter().all(|(column, _)| there(column));
            let mut aggregates: Vec<Aggregate> = aggregates
                .into_iter()
                .filter(|a| a.measure.is_none_or(there))
                .filter(|a| !a.sql.contains("p.pid") || there("p."))
                .filter(|a| !a.sql.contains("v.pid") || there("v."))
                .collect();
            if aggregates.is_empty() {
                aggregates.push(Aggregate { sql: "count(*)", measure: None, distinct: false, filter: None });
            }
            aggregates[0].filter = extra.filter(|c| fits(c));
            Question {
                from,
                joins,
                keys: keys.into_iter().filter(|key| there(key)).collect(),
                filter: filter.into_iter().filter(|c| fits(c)).collect(),
                aggregates,
            }
        })
}

/// What a guarded cut must answer, for each group with k entities: `keys | values | contributors | left out`.
pub(super) fn oracle(question: &Question, world: &World, obligations: &Obligations, k: usize) -> Vec<String> {
    let all = question.aliases();
    let rows = question.rows(world, &all);
    let key = |row: &Joined<'_>| question.keys.iter().map(|key| row.get(key).to_owned()).collect::<Vec<_>>();
    let mut groups: BTreeSet<Vec<String>> = rows.iter().map(&key).collect();
    if question.keys.is_empty() {
        groups.insert(Vec::new());
    }
    let mut found = Vec::new();
    for group in groups {
        let inside: Vec<&Joined<'_>> = rows.iter().filter(|row| key(row) == group).collect();
        let passes: Vec<&&Joined<'_>> =
            inside.iter().filter(|row| question.filter.iter().all(|c| c.holds(row))).collect();
        let present: BTreeSet<&str> = passes.iter().map(|row| question.entity(row)).collect();
        if present.len() < k && !question.keys.is_empty() {
            continue;
        }
        let mut line = group.join(" ");
        for aggregate in &question.aggregates {
            let lets = |row: &Joined<'_>| {
                question.filter.iter().chain(&aggregate.filter).all(|condition| condition.holds(row))
            };
            let counts = |row: &Joined<'_>| aggregate.measure.is_none_or(|measure| row.get(measure) != "0");
            let taken: Vec<&&Joined<'_>> = inside.iter().filter(|row| lets(row)).collect();
            let entities: BTreeSet<&str> = taken.iter().map(|row| question.entity(row)).collect();
            let value = match (aggregate.measure, aggregate.distinct) {
                (Some(measure), _) if taken.is_empty() => format!("{}NULL", &measure[..0]),
                (Some(measure), _) => {
                    taken.iter().map(|row| row.get(measure).parse::<i64>().unwrap()).sum::<i64>().to_string()
                }
                (None, true) => entities.len().to_string(),
                (None, false) => taken.len().to_string(),
            };
            let contributors: BTreeSet<&str> =
                taken.iter().filter(|row| counts(row)).map(|row| question.entity(row)).collect();
            // Kept out by the question.
            let mut left_out = k;
            let conditions = || question.filter.iter().chain(&aggregate.filter);
            // The group's keys alone may say that everybody in it is let in.
            let by_keys = conditions().all(|c| c.0.iter().all(|(column, _)| question.keys.contains(column)));
            let everybody_in = by_keys && inside.first().is_some_and(|row| lets(row));
            if conditions().next().is_some() && !everybody_in {
                let everybody: BTreeSet<&str> = inside.iter().map(|row| question.entity(row)).collect();
                let kept_out = inside.iter().filter(|row| !lets(row) && counts(row));
                let kept_out: BTreeSet<&str> = kept_out.map(|row| question.entity(row)).collect();
                let by_question =
                    if aggregate.distinct { everybody.len() - entities.len() } else { kept_out.len() };
                left_out = left_out.min(by_question);
            }
            // Left out by the join, part by part.
            for part in &obligations.parts {
                left_out = left_out.min(apart(question, world, part, aggregate, &group, &rows));
            }
            line += &format!(" | {value} {} {left_out}", contributors.len().min(k));
        }
        found.push(line);
    }
    found
}

/// Entities whose rows in a part of the join have no partner in the rest of it.
pub(super) fn apart(
    question: &Question,
    world: &World,
    part: &BTreeSet<usize>,
    aggregate: &Aggregate,
    group: &[String],
    joined: &[Joined<'_>],
) -> usize {
    let aliases: BTreeSet<&str> = part.iter().map(|at| question.from[*at].1).collect();
    let matches = |row: &Joined<'_>| {
        let keys = question.keys.iter().zip(group).filter(|(key, _)| aliases.contains(alias(key)));
        let conditions = question.filter.iter().chain(&aggregate.filter);
        let measured = aggregate.measure.filter(|measure| aliases.contains(alias(measure)));
        keys.into_iter().all(|(key, value)| row.get(key) == value)
            && conditions.filter(|c| c.reads_only(&aliases)).all(|c| c.holds(row))
            && measured.is_none_or(|measure| row.get(measure) != "0")
    };
    // The same rows, not equal ones: a partner is a joined row that they are in.
    let in_it = |row: &Joined<'_>| {
        joined.iter().any(|whole| row.0.iter().all(|(alias, one)| std::ptr::eq(whole.0[alias], *one)))
    };
    let (mut out, mut kept) = (BTreeSet::new(), BTreeSet::new());
    for row in question.rows(world, &aliases).iter().filter(|row| matches(row)) {
        let entity = question.entity(row).to_owned();
        if in_it(row) {
            kept.insert(entity)
        } else {
            out.insert(entity)
        };
    }
    if aggregate.distinct { out.difference(&kept).count() } else { out.len() }
}
