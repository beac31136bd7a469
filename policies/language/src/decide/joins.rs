//! How the tables of a cut may be joined, and what a join can leave out.
//!
//! Columns that the conditions make equal, directly or along one another, are one *class*. All protected tables must be tied
//! by classes that hold the entity of each, or a key within the entity of each: then one joined row speaks of one entity.

use std::collections::BTreeSet;

use super::{Judge, key};
use crate::document::{Table, Use};
use crate::footprint::{Footprint, column_in_cut};
use crate::id::ColumnName;
use crate::refusal::{Code, Refusal, list};
use crate::table::Obligations;

/// Tables of one cut.
const TABLES_MAX: usize = 15;

/// Parts of one join of which rows can be left out. Each is a pass over its rows.
const PARTS_MAX: usize = 64;

/// A column by its table's position.
type Place = (usize, ColumnName);

/// What was found out about a join that may be made.
pub(super) struct Joined {
    equal: Classes,
    tied: Vec<(Place, Place)>,
    parts: Vec<BTreeSet<usize>>,
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
    let mut classes = Classes::default();
    for (left, right) in &footprint.joins {
        classes.equal(joinable(judge, left)?, joinable(judge, right)?);
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
    let parts = if judge.guarded { parts(tables, &classes)? } else { Vec::new() };
    Ok(Joined { equal: classes, tied, parts })
}

/// What the engine must do and know for a cut that may be run.
pub(super) fn obligations(judge: &Judge<'_>, joined: Joined, minimum: Option<u32>) -> Obligations {
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
        minimum,
        columns: columns.map(|(place, rule)| (called(&place), rule)).collect(),
        equal: joined.equal.0.iter().map(|class| class.iter().map(called).collect()).collect(),
        tied: joined.tied.iter().map(|(left, right)| (called(left), called(right))).collect(),
        parts: joined.parts,
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
    let reached = classes.grown(BTreeSet::from([0]), |_, _| true);
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
    let entity = |(at, own): &Place| tables.get(*at).is_some_and(|table| table.entity.as_ref() == Some(own));
    let within = |(at, own): &Place| tables.get(*at).is_some_and(|table| table.keys_within.contains(own));
    let mut tied = Classes::default();
    let mut keys = Vec::new();
    for class in &classes.0 {
        let entities: Vec<&Place> = class.iter().filter(|place| entity(place)).collect();
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
    let reached = tied.grown(BTreeSet::from([first]), |_, _| true);
    match protected.find(|(at, _)| !reached.contains(at)) {
        None => Ok(keys),
        Some((_, other)) => Err(untied(one, other)),
    }
}

fn untied(one: &Table, other: &Table) -> Refusal {
    let key_of =
        |table: &Table| table.entity.as_ref().filter(|entity| table.join_keys.contains(entity)).cloned();
    let fix = match (key_of(one), key_of(other)) {
        (Some(left), Some(right)) => {
            format!("join them on their entities: `{}.{left} = {}.{right}`", one.name, other.name)
        }
        _ => "ask each table by itself; the agreement gives them no such key".to_owned(),
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

/// The parts of a join, tables that are joined with one another, of which the whole join can leave rows out: not those that
/// references lead from to all other tables.
fn parts(tables: &[&Table], classes: &Classes) -> Result<Vec<BTreeSet<usize>>, Refusal> {
    let all: BTreeSet<usize> = (0..tables.len()).collect();
    let mut parts = Vec::new();
    for bits in 1..(1_usize << tables.len()).saturating_sub(1) {
        let part: BTreeSet<usize> = all.iter().copied().filter(|at| bits >> at & 1 == 1).collect();
        if !part.iter().any(|at| tables.get(*at).is_some_and(|table| table.entity.is_some())) {
            continue;
        }
        let start = part.iter().copied().take(1).collect();
        let together = classes.grown(start, |_, at| part.contains(&at)) == part;
        let finds_all = |part| classes.grown(part, |reached, at| leads(tables, classes, reached, at)) == all;
        if together && !finds_all(part.clone()) {
            parts.push(part);
        }
        if parts.len() > PARTS_MAX {
            return Err(Refusal::new(
                Code::Limit,
                "disclosure.minimum_contributors",
                "so many tables are joined that whom the join leaves out cannot be counted",
                "join fewer tables; where every row has its partner, the agreement can say so under `join.references`",
            ));
        }
    }
    Ok(parts)
}

/// Each row of the tables that were reached is sure to have a partner in one more table: one column there must be equal to
/// columns that are equal already, and one of them refers to it.
fn leads(tables: &[&Table], classes: &Classes, reached: &BTreeSet<usize>, at: usize) -> bool {
    let Some(table) = tables.get(at) else { return false };
    let mut sources = Vec::new();
    let mut targets = BTreeSet::new();
    for class in &classes.0 {
        let from: Vec<&Place> = class.iter().filter(|(t, _)| reached.contains(t)).collect();
        let to: Vec<&Place> = class.iter().filter(|(t, _)| *t == at).collect();
        if !to.is_empty() && !from.is_empty() {
            targets.extend(to);
            sources.push(from);
        }
    }
    let (Some((_, target)), true, [sources]) = (targets.first(), targets.len() == 1, sources.as_slice())
    else {
        return false;
    };
    // Equal by conditions among the reached tables alone, not by way of this one: one column, or one a table with a
    // column of each in the same class that no third table is needed for.
    let refers = |(from, own): &&Place| {
        tables.get(*from).is_some_and(|source| {
            source.references.get(own).is_some_and(|(to, column)| *to == table.name && column == target)
        })
    };
    let each_once = sources.iter().map(|(t, _)| t).collect::<BTreeSet<_>>().len() == sources.len();
    each_once && sources.iter().any(refers)
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

    /// Tables reached from some by classes that they share with others, as long as `may` allows the next one.
    fn grown(
        &self,
        mut reached: BTreeSet<usize>,
        may: impl Fn(&BTreeSet<usize>, usize) -> bool,
    ) -> BTreeSet<usize> {
        loop {
            let beside = |class: &&BTreeSet<Place>| class.iter().any(|(at, _)| reached.contains(at));
            let near = self.0.iter().filter(beside).flatten().map(|(at, _)| *at);
            let next = near.filter(|at| !reached.contains(at)).find(|at| may(&reached, *at));
            match next {
                Some(at) => reached.insert(at),
                None => return reached,
            };
        }
    }
}
