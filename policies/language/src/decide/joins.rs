//! How the tables of a cut may be joined, what a join can leave out, and what may be read of it.
//!
//! Columns that the conditions make equal, directly or along one another, are one *class*. All protected tables must be tied
//! by classes that hold the entity of each, or a key within the entity of each: then one joined row speaks of one entity.

use std::collections::{BTreeMap, BTreeSet};

use super::one_base::{self, OneBase};
use super::{Judge, key};
use crate::document::{Agreement, Table, Use};
use crate::footprint::{Footprint, Function, Term, column_in_cut};
use crate::id::ColumnName;
use crate::refusal::{Code, Refusal, list};
use crate::table::Obligations;

/// Tables of one cut.
const TABLES_MAX: usize = 15;

/// A column by its table's position.
pub(super) type Place = (usize, ColumnName);

/// What was found out about a join that may be made.
pub(super) struct Joined {
    equal: Classes,
    tied: Vec<(Place, Place)>,
    /// Under a minimum: the columns that are equal to the entity in every joined row.
    entity: BTreeSet<Place>,
    one_base: OneBase,
}

/// Judges the tables of a cut and the conditions that join them.
pub(super) fn judge(judge: &Judge<'_>, footprint: &Footprint) -> Result<Joined, Refusal> {
    let tables = &judge.tables;
    let Some(first) = tables.first() else {
        return Err(Refusal::new(Code::AggRequired, "table", "the question reads no table", "name one"));
    };
    if tables.len() > TABLES_MAX {
        let message = format!("more than {TABLES_MAX} tables are joined below an aggregate");
        return Err(Refusal::new(
            Code::Limit,
            "liquid.joins",
            message,
            "join fewer, or ask in several queries",
        ));
    }
    let mut equalities = BTreeSet::new();
    for (left, right) in &footprint.joins {
        equalities.insert((joinable(judge, left)?, joinable(judge, right)?));
    }
    let mut classes = Classes::default();
    for (left, right) in &equalities {
        classes.equal(left.clone(), right.clone());
    }
    connected(tables, &classes)?;
    if tables.iter().all(|table| table.entity.is_none()) {
        return Err(Refusal::new(
            Code::PlanNode,
            format!("table.{}.replicated", key(first.name.as_str())),
            "tables that lie whole at every site cannot be asked about alone yet",
            "join them with a table that protects entities, on its join keys",
        ));
    }
    let tied = ties(tables, &classes)?;
    if !judge.guarded {
        return Ok(Joined { equal: classes, tied, entity: BTreeSet::new(), one_base: OneBase::default() });
    }
    // What ties tables makes their entities equal in every joined row, whichever of them the conditions name.
    let mut entities = tables.iter().enumerate().filter_map(|(at, table)| Some((at, table.entity.clone()?)));
    if tables.len() > 1
        && let Some(first) = entities.next()
    {
        classes.equal(first.clone(), first.clone());
        entities.for_each(|other| classes.equal(first.clone(), other));
    }
    let entity = classes.0.iter().find(|class| class.iter().any(|place| is_entity(tables, place)));
    let entity = entity.cloned().unwrap_or_default();
    let one_base = one_base::judge(tables, &equalities, &entity)?;
    Ok(Joined { equal: classes, tied, entity, one_base })
}

/// What a join under a minimum lets conditions, keys and aggregates read.
pub(super) fn reads(judge: &Judge<'_>, joined: &Joined, footprint: &Footprint) -> Result<(), Refusal> {
    if !judge.guarded || judge.tables.len() < 2 {
        return Ok(());
    }
    if footprint.mixed && !joined.one_base.parts.is_empty() {
        // It cannot be put to a part of the join alone, so nobody could count whom the join leaves out there.
        return Err(Refusal::new(
            Code::Expression,
            "disclosure.minimum_contributors",
            "one condition reads columns of several tables, and the join can leave rows of one of them out",
            "write conditions on one table each, joined by AND",
        ));
    }
    let keys = footprint.groups.iter().flat_map(|key| &key.columns);
    let filters = footprint.aggregates.iter().flat_map(|aggregate| &aggregate.filter);
    let mut chosen: Vec<&ColumnName> = footprint.filter.iter().chain(keys).chain(filters).collect();
    for aggregate in &footprint.aggregates {
        let (conditions, terms) = aggregate.argument.parts();
        chosen.extend(conditions);
        // Entities are counted once, however often a join repeats them.
        if aggregate.function != Function::CountDistinct {
            terms.iter().flat_map(Term::read).try_for_each(|column| repeated(judge, joined, column))?;
        }
    }
    let is_entity = |column: &&&ColumnName| judge.place(column).is_some_and(|at| joined.entity.contains(&at));
    match chosen.iter().find(is_entity) {
        None => Ok(()),
        Some(column) => Err(judge.refuse(
            Code::ColumnUse,
            column,
            format!(
                "column `{}` is the protected entity in this join, which chooses no rows",
                judge.own(column)
            ),
            "leave it out".to_owned(),
        )),
    }
}

/// A column of a table of which the join repeats rows is not added up or counted. A value that stands in several rows of one person
/// is added up in spite of a condition that leaves out one of them, so it would tell for whom no row is left. Beside codes,
/// values are known to all: the sum of a known crowd tells one person's code, and as weights they keep one person's value apart.
fn repeated(judge: &Judge<'_>, joined: &Joined, column: &ColumnName) -> Result<(), Refusal> {
    let Some(((at, own), (table, _))) = judge.place(column).zip(judge.of(column)) else { return Ok(()) };
    if joined.one_base.bases.contains(&at) {
        return Ok(());
    }
    let name = &table.name;
    let fix = match table.entity {
        Some(_) => format!("ask about `{own}` in a question over `{name}` and what it refers to"),
        None => format!("group by a column of `{name}` and do the sum with the counts"),
    };
    Err(Refusal::new(
        Code::ColumnUse,
        format!("table.{}.join", key(name.as_str())),
        format!(
            "the join repeats rows of `{name}`, so its column `{own}` may not be added up, averaged or counted here"
        ),
        fix,
    ))
}

/// What the engine must do and know for a cut that may be run.
pub(super) fn obligations(judge: &Judge<'_>, joined: Joined, agreement: &Agreement) -> Obligations {
    let tables = &judge.tables;
    let called = |(table, own): &Place| column_in_cut(tables.len(), *table, own.as_str());
    let mut entities = tables.iter().enumerate().filter_map(|(at, t)| Some((at, t.entity.clone()?)));
    let columns = tables.iter().enumerate().flat_map(|(at, table)| {
        table.columns.iter().map(move |(own, column)| ((at, own.clone()), column.rule.clone()))
    });
    Obligations {
        tables: tables.iter().map(|table| table.rules()).collect(),
        // A cut without a protected table was refused.
        entity: entities.next().map_or_else(|| ColumnName::new(""), |place| called(&place)),
        minimum: agreement.minimum(),
        concentration: agreement.concentration(),
        columns: columns.map(|(place, rule)| (called(&place), rule)).collect(),
        equal: joined.equal.0.iter().map(|class| class.iter().map(called).collect()).collect(),
        tied: joined.tied.iter().map(|(left, right)| (called(left), called(right))).collect(),
        parts: joined.one_base.parts,
        step: BTreeMap::new(),
    }
}

/// One side of a join condition: a join key of its table.
fn joinable(judge: &Judge<'_>, column: &ColumnName) -> Result<Place, Refusal> {
    let place = judge.place(column).zip(judge.of(column));
    let Some((place, (table, own))) = place else {
        return Err(Refusal::new(Code::JoinKey, "table", "a join condition reads no column", "name one"));
    };
    if table.join_keys.contains(&own) && judge.uses(column, Use::Join) {
        return Ok(place);
    }
    let fix = if table.join_keys.is_empty() {
        format!("ask `{}` by itself; the agreement lets it be joined on no column", table.name)
    } else {
        format!("join `{}` on {}", table.name, list(&table.join_keys))
    };
    Err(Refusal::new(
        Code::JoinKey,
        format!("table.{}.join.keys", key(table.name.as_str())),
        format!("table `{}` may not be joined on column `{own}`", table.name),
        fix,
    ))
}

/// Every table is joined with the others: nothing multiplies rows.
fn connected(tables: &[&Table], classes: &Classes) -> Result<(), Refusal> {
    let reached = classes.reached(0);
    match (0..tables.len()).find(|at| !reached.contains(at)).and_then(|at| tables.get(at)) {
        None => Ok(()),
        Some(table) => Err(Refusal::new(
            Code::JoinKey,
            format!("table.{}.join.keys", key(table.name.as_str())),
            format!("table `{}` stands beside the others without a join condition", table.name),
            "join every table with `JOIN … ON` or `USING` over join keys, `a.key = b.key`",
        )),
    }
}

/// Ties all protected tables, and gives the pairs of keys within the entity that do so.
fn ties(tables: &[&Table], classes: &Classes) -> Result<Vec<(Place, Place)>, Refusal> {
    let within = |(at, own): &Place| tables.get(*at).is_some_and(|table| table.keys_within.contains(own));
    let mut tied = Classes::default();
    let mut keys = Vec::new();
    for class in &classes.0 {
        let entities: Vec<&Place> = class.iter().filter(|place| is_entity(tables, place)).collect();
        let within: Vec<&Place> = class.iter().filter(|place| within(place)).collect();
        for (kind, checked) in [(entities, false), (within, true)] {
            for pair in kind.windows(2) {
                let [left, right] = pair else { continue };
                if left.0 != right.0 {
                    // One name for each table: what ties them is of no matter here.
                    tied.equal((left.0, ColumnName::new("")), (right.0, ColumnName::new("")));
                    if checked {
                        keys.push(((*left).clone(), (*right).clone()));
                    }
                }
            }
        }
    }
    let mut protected = tables.iter().enumerate().filter(|(_, table)| table.entity.is_some());
    let Some((first, one)) = protected.next() else { return Ok(keys) };
    let reached = tied.reached(first);
    match protected.find(|(at, _)| !reached.contains(at)) {
        None => Ok(keys),
        Some((_, other)) => Err(untied(one, other)),
    }
}

fn is_entity(tables: &[&Table], (at, own): &Place) -> bool {
    tables.get(*at).is_some_and(|table| table.entity.as_ref() == Some(own))
}

fn untied(one: &Table, other: &Table) -> Refusal {
    let key_of =
        |table: &Table| table.entity.as_ref().filter(|entity| table.join_keys.contains(entity)).cloned();
    let fix = match (key_of(one), key_of(other)) {
        (Some(left), Some(right)) => {
            format!("join them on their entities: `{}.{left} = {}.{right}`", one.name, other.name)
        }
        _ => "ask each table by itself; the agreement gives them no such key (`join.keys`, and `keys_within` in both)"
            .to_owned(),
    };
    Refusal::new(
        Code::JoinKey,
        format!("table.{}.join.keys", key(other.name.as_str())),
        format!(
            "`{}` and `{}` are joined, but not by their entity or a key within it, so a row could speak of two",
            one.name, other.name
        ),
        fix,
    )
}

/// Classes of equal columns.
#[derive(Default)]
struct Classes(Vec<BTreeSet<Place>>);

impl Classes {
    fn equal(&mut self, one: Place, other: Place) {
        let mut class = BTreeSet::from([one, other]);
        let (meeting, apart): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.0).into_iter().partition(|other| !other.is_disjoint(&class));
        self.0 = apart;
        class.extend(meeting.into_iter().flatten());
        self.0.push(class);
        self.0.sort();
    }

    /// Tables that share a class with one of them, directly or along others.
    fn reached(&self, from: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::from([from]);
        loop {
            let beside = |class: &&BTreeSet<Place>| class.iter().any(|(at, _)| reached.contains(at));
            let near: BTreeSet<usize> = self.0.iter().filter(beside).flatten().map(|(at, _)| *at).collect();
            if near.is_subset(&reached) {
                return reached;
            }
            reached.extend(near);
        }
    }
}
