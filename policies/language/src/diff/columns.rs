//! Columns: the positions in which each may stand, and what is declared of its values.
//!
//! A column that has no use is as closed as one that is not listed, so what is declared of it is of no matter: facts that a
//! column loses together with its last use, or gains with its first, are no changes of their own. Two kinds of columns are
//! never closed: the entity, which can be counted, and what a table's `row_filter` reads, through domain and grain too.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{self, Step};
use super::{About, Changes, Direction, keys, written};
use crate::decide::key;
use crate::file::{AggregateWord, Column, DomainText, Missing, Quantiles, UseWord};
use crate::grain::Grain;
use crate::id::{ColumnName, TableName};
use crate::table::DomainValue;

type Columns = BTreeMap<ColumnName, Column>;

/// The columns of one table.
pub(super) fn columns(
    changes: &mut Changes,
    at: &str,
    table: &TableName,
    kept: impl Fn(&ColumnName) -> bool,
    meets: impl Fn(&ColumnName) -> bool,
    (old, new): (&Columns, &Columns),
) {
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let clause = format!("{at}.columns.{}", key(name.as_str()));
        let about = || About::Column(table.clone(), name.clone());
        let kept = kept(name);
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => {
                let meets = meets(name);
                let whole = Changed { clause: &clause, table, name, kept, meets, old, new };
                whole.column(changes);
            }
            (None, Some(column)) => {
                let step = Some(match column {
                    column if declares(column) && (kept || column.uses.is_empty()) => Direction::Neither,
                    column if !column.uses.is_empty() => Direction::Loosens,
                    _ => Direction::Same,
                });
                changes.add(clause, step, about(), |way| {
                    let end = way.effect();
                    match way {
                        Direction::Loosens => {
                            format!(
                                "`{name}` of `{table}` may be used {}; {end}",
                                uses(&phrases(&column.uses))
                            )
                        }
                        _ => format!("`{name}` of `{table}` is listed, without any use; {end}"),
                    }
                });
            }
            (Some(column), None) => {
                let step = Some(match column {
                    column if declares(column) && kept => Direction::Neither,
                    column if column.uses.is_empty() => Direction::Same,
                    _ => Direction::Tightens,
                });
                changes.add(clause, step, about(), |way| {
                    format!("`{name}` of `{table}` may not be used any more; {}", way.effect())
                });
            }
            (None, None) => {}
        }
    }
}

/// Whether anything is said of a column beside what it may be used for.
fn declares(column: &Column) -> bool {
    let said = Column { uses: Vec::new(), aggregates: Column::default().aggregates, ..column.clone() };
    said != Column::default()
}

/// A column that is listed in both versions.
struct Changed<'a> {
    clause: &'a str,
    table: &'a TableName,
    name: &'a ColumnName,
    /// Never closed.
    kept: bool,
    /// Joins read it.
    meets: bool,
    old: &'a Column,
    new: &'a Column,
}

impl Changed<'_> {
    fn column(&self, changes: &mut Changes) {
        keys!(Column {
            uses, domain, grain, aggregates, bounds, required, missing, quantiles, transform,
        } of self.old, self.new);
        let what = |what: &str| format!("{what} `{}` of `{}`", self.name, self.table);
        self.used(changes, (&phrases(uses.0), &phrases(uses.1)));
        let at = |part: &str| format!("{}.{part}", self.clause);

        let values = (domain.0.as_ref().map(Declared::of), domain.1.as_ref().map(Declared::of));
        let step = self.fact(order::neither((&values.0, &values.1)), domain.1.is_none());
        let about = About::Column(self.table.clone(), self.name.clone());
        changes.add(at("domain"), step, about, |way| {
            format!(
                "{}: {} before, {} now; declared values are public, their groups stand in every answer and other values do \
                 not; {}",
                what("the declared values of"),
                written(domain.0),
                written(domain.1),
                way.effect()
            )
        });
        let step = coarser(grain).map(|way| {
            // A domain is in steps of the grain, a condition of the table is put to them, and a join pairs them: days of a year that
            // met nothing meet the year's first day.
            let joined = |uses: &[UseWord]| uses.contains(&UseWord::Join);
            let apart = !self.kept && !self.meets && !joined(uses.0) && !joined(uses.1);
            let alone = apart && domain.0.is_none() && domain.1.is_none();
            if alone { way } else { Direction::Neither }
        });
        let step = self.fact(step, grain.1.is_none());
        changes.value(at("grain"), step, &what("the finest step of"), grain);
        self.aggregated(changes, aggregates);
        let step = self.fact(order::neither(bounds), bounds.1.is_none());
        changes.value(at("bounds"), step, &what("the least and the greatest value of"), bounds);
        let step = self.fact(order::neither(required), !*required.1);
        changes.value(at("required"), step, &what("that no value is missing of"), required);
        let step = self.fact(order::tighter_is(&Missing::Private, missing), *missing.1 == Missing::Private);
        changes.add(at("missing"), step, About::Nothing, |way| {
            let name = self.name;
            let end = way.effect();
            match way {
                Direction::Loosens => format!("who lacks a value of `{name}` is public: answers no longer have to hide it; {end}"),
                Direction::Tightens => format!("who lacks a value of `{name}` is not public: answers that tell of few are withheld; {end}"),
                _ => format!("whether it is public who lacks a value of `{name}`; {end}"),
            }
        });
        let step = self.fact(order::granted(quantiles, quantile), quantiles.1.is_none());
        changes.value(at("quantiles"), step, &what("the order statistics that may be asked of"), quantiles);
        // A value behind another one tells less, and may for the first time be joined with others.
        let step = order::switched(transform, order::neither);
        let step = step.map(|way| if way == Direction::Tightens { Direction::Neither } else { way });
        let step = self.fact(step, transform.1.is_none());
        changes.value(at("transform"), step, &what("what stands in the place of"), transform);
    }

    /// What is declared of a column matters as long as it has a use. `gone`: the new version declares nothing.
    fn fact(&self, step: Step, gone: bool) -> Step {
        let closed = |column: &Column| column.uses.is_empty() && !self.kept;
        let opens = closed(self.old) && !closed(self.new);
        let closes = closed(self.new) && gone;
        let moot = |way| way == Direction::Tightens && closed(self.new);
        step.map(|way| if opens || closes || moot(way) { Direction::Same } else { way })
    }

    fn used(&self, changes: &mut Changes, (old, new): (&Uses, &Uses)) {
        let about = About::Column(self.table.clone(), self.name.clone());
        let (name, table) = (self.name, self.table);
        changes.add(format!("{}.use", self.clause), order::fewer(old, new), about, |way| {
            let gains: BTreeSet<_> = new.difference(old).copied().collect();
            let loses: BTreeSet<_> = old.difference(new).copied().collect();
            let mut parts = Vec::new();
            if !gains.is_empty() {
                parts.push(format!("`{name}` of `{table}` may also be used {}", uses(&gains)));
            }
            if !loses.is_empty() {
                parts.push(format!("`{name}` of `{table}` may no longer be used {}", uses(&loses)));
            }
            format!("{}; {}", parts.join(", and "), way.effect())
        });
    }

    /// Of a measure: any may be counted, and either of sum and mean gives the other.
    fn aggregated(&self, changes: &mut Changes, (old, new): (&Vec<AggregateWord>, &Vec<AggregateWord>)) {
        let measure = |column: &Column| column.uses.contains(&UseWord::Measure);
        if !measure(self.old) || !measure(self.new) {
            return;
        }
        let more = |words: &[AggregateWord]| -> BTreeSet<&'static str> {
            words
                .iter()
                .filter_map(|word| match word {
                    AggregateWord::Count => None,
                    AggregateWord::Sum | AggregateWord::Avg => Some("added up and averaged"),
                })
                .collect()
        };
        let (had, has) = (more(old), more(new));
        let step =
            order::fewer(&had, &has).or_else(|| order::recorded((&written_set(old), &written_set(new))));
        let about = About::Column(self.table.clone(), self.name.clone());
        changes.add(format!("{}.aggregates", self.clause), step, about, |way| {
            let name = self.name;
            let end = way.effect();
            let told = |set: BTreeSet<&str>| set.into_iter().collect::<Vec<_>>().join(", ");
            match way {
                Direction::Loosens => format!("`{name}` may also be {}; {end}", told(&has - &had)),
                Direction::Tightens => format!("`{name}` may no longer be {}; {end}", told(&had - &has)),
                _ => format!("what may be computed over `{name}` is written in another way; {end}"),
            }
        });
    }
}

/// A declared domain, as far as its meaning goes: order is of no matter.
#[derive(PartialEq)]
struct Declared<'a> {
    values: Option<BTreeSet<&'a DomainValue>>,
    rest: [String; 4],
}

impl<'a> Declared<'a> {
    fn of(domain: &'a DomainText) -> Self {
        let DomainText { values, from, to, file, sha256 } = domain;
        let values = values.as_ref().map(|values| values.iter().collect());
        Self { values, rest: [written(from), written(to), written(file), written(sha256)] }
    }
}

/// Steps that are unions of finer ones. To have a step at all also opens the least and the greatest value, so that is `neither`.
fn coarser((old, new): (&Option<Grain>, &Option<Grain>)) -> Step {
    let union = |whole: Grain, part: Grain| match (whole, part) {
        (Grain::Year, Grain::Quarter | Grain::Month | Grain::Day)
        | (Grain::Quarter, Grain::Month | Grain::Day)
        | (Grain::Month | Grain::Week, Grain::Day) => true,
        (Grain::Year | Grain::Quarter | Grain::Month | Grain::Week | Grain::Day, _) => false,
    };
    match (old, new) {
        (Some(old), Some(new)) if union(*new, *old) => Some(Direction::Tightens),
        (Some(old), Some(new)) if union(*old, *new) => Some(Direction::Loosens),
        pair => order::neither(pair),
    }
}

fn quantile((old, new): (&Quantiles, &Quantiles)) -> Step {
    keys!(Quantiles { probs, round_to, min_each_side } of old, new);
    let bits = |probs: &[f64]| -> BTreeSet<u64> { probs.iter().map(|p| p.to_bits()).collect() };
    order::all([
        order::fewer(&bits(probs.0), &bits(probs.1)),
        order::neither(round_to),
        order::higher(min_each_side),
    ])
}

/// What a question may do with a column.
type Uses = BTreeSet<&'static str>;

fn phrases(words: &[UseWord]) -> Uses {
    let phrase = |word: &UseWord| match word {
        UseWord::Group => "to group by",
        UseWord::Filter => "to choose rows",
        UseWord::Measure => "inside aggregates",
        UseWord::Join => "to join tables",
        UseWord::Output => "in rows that leave",
    };
    words.iter().map(phrase).collect()
}

fn uses(phrases: &Uses) -> String {
    let said: Vec<_> = phrases.iter().copied().collect();
    match said.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => "for nothing".to_owned(),
    }
}

fn written_set(words: &[AggregateWord]) -> BTreeSet<String> {
    words.iter().map(written).collect()
}
