//! `decide(admitted, footprint)`: pure, total, the only maker of a [`Permit`].
//!
//! It judges the plan and the agreement alone, never data, statistics or history. Tightening an agreement never turns a
//! refusal into a permit: every rule here asks for something that the agreement must grant.

mod joins;
mod one_base;
mod step;

use crate::admit::{Admitted, Caller};
use crate::diff::tightens;
use crate::document::{Aggregate as Grant, Agreement, Column, Table, Use};
use crate::footprint::{Aggregate, Argument, DateUse, Footprint, Function, Looked, Term, place_in_cut};
use crate::grain::Grain;
use crate::id::{AgreementHash, AgreementId, ColumnName, Purpose};
use crate::refusal::{Code, Refusal, list};
pub use crate::table::Obligations;
use crate::template::approved;

/// Leave to run one cut and to release what disclosure lets through. Only [`decide`] makes one.
#[derive(Debug, Clone)]
pub struct Permit {
    agreement: AgreementId,
    hash: AgreementHash,
    caller: Caller,
    purpose: Purpose,
    footprint: Footprint,
    obligations: Obligations,
    rows_out_max: u64,
}

impl Permit {
    /// The agreement that permits.
    pub fn agreement(&self) -> &AgreementId {
        &self.agreement
    }

    /// Its version.
    pub fn hash(&self) -> &AgreementHash {
        &self.hash
    }

    /// Who may receive the result.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// For what.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// What was permitted: the result must have this form.
    pub fn footprint(&self) -> &Footprint {
        &self.footprint
    }

    /// What the engine must compute beside the cut, and what is public about its tables.
    pub fn obligations(&self) -> &Obligations {
        &self.obligations
    }

    /// Rows that an answer may have.
    pub fn rows_out_max(&self) -> u64 {
        self.rows_out_max
    }
}

/// Permits one cut, or refuses it.
///
/// # Errors
/// Where only approved queries may be asked and none is called; else the first position in which a column stands without the use that the agreement must give it, in the order joins,
/// WHERE, group keys, aggregates.
pub fn decide(admitted: &Admitted, footprint: &Footprint) -> Result<Permit, Refusal> {
    let agreement = admitted.agreement();
    admitted.approved()?;
    let obligations = judge(agreement, footprint)?;
    Ok(Permit {
        agreement: agreement.id().clone(),
        hash: agreement.hash().clone(),
        caller: admitted.caller().clone(),
        purpose: admitted.purpose().clone(),
        footprint: footprint.clone(),
        obligations,
        rows_out_max: agreement.rows_out_max(),
    })
}

/// Permits one cut under a draft that only tightens the agreement by which its caller is admitted: to count what the draft would
/// withhold, before anybody has signed it. Nobody learns more under such a permit than under the one of [`decide`].
///
/// # Errors
/// The refusal of the agreement that stands, or of the draft; [`Code::Version`] where the draft does anything but tighten.
pub fn decide_tighter(
    admitted: &Admitted,
    draft: &Agreement,
    footprint: &Footprint,
) -> Result<Permit, Refusal> {
    let standing = decide(admitted, footprint)?;
    let called = admitted.template().map(|template| (template.name(), template.sha256()));
    approved(draft, admitted.caller(), admitted.purpose(), called)?;
    let obligations = judge(draft, footprint)?;
    if !tightens(admitted.agreement(), draft) || obligations.minimum < standing.obligations.minimum {
        return Err(Refusal::new(
            Code::Version,
            "agreement.supersedes",
            "the draft does more than to tighten the version that stands",
            "have it signed off first",
        ));
    }
    Ok(Permit {
        hash: draft.hash().clone(),
        obligations,
        rows_out_max: draft.rows_out_max().min(standing.rows_out_max),
        ..standing
    })
}

/// What [`decide`] would say of a cut to anyone whom the agreement admits: for explaining a draft, since it gives no permit.
///
/// # Errors
/// As [`decide`].
pub fn judge(agreement: &Agreement, footprint: &Footprint) -> Result<Obligations, Refusal> {
    let tables = footprint.tables.iter().map(|name| {
        agreement.tables().get(name).ok_or_else(|| {
            Refusal::new(
                Code::ColumnUse,
                "table",
                format!("agreement `{}` does not speak of table `{name}`", agreement.id()),
                format!("ask for one of its tables: {}", list(agreement.tables().keys())),
            )
        })
    });
    let judge = Judge { tables: tables.collect::<Result<_, _>>()?, guarded: agreement.minimum().is_some() };
    let joined = joins::judge(&judge, footprint)?;
    if let Some(below) = &footprint.step {
        let step = step::judge(&judge, footprint, below)?;
        footprint.dates.iter().try_for_each(|used| judge.dates(used))?;
        return Ok(Obligations { step, ..joins::obligations(&judge, joined, agreement) });
    }
    judge.conditions(&footprint.filter)?;
    for key in &footprint.groups {
        key.columns.iter().try_for_each(|column| judge.group(column))?;
        judge.of_one_table(&key.columns)?;
    }
    for aggregate in &footprint.aggregates {
        judge.aggregate(aggregate)?;
    }
    footprint.dates.iter().try_for_each(|used| judge.dates(used))?;
    if judge.guarded {
        for aggregate in &footprint.aggregates {
            judge.choice(footprint, aggregate)?;
        }
    }
    joins::reads(&judge, &joined, footprint)?;
    Ok(joins::obligations(&judge, joined, agreement))
}

/// The tables of a cut, and whether the agreement has a minimum.
struct Judge<'a> {
    tables: Vec<&'a Table>,
    guarded: bool,
}

impl<'a> Judge<'a> {
    /// WHERE, FILTER and CASE conditions: each column must be a filter column.
    fn conditions(&self, columns: &[ColumnName]) -> Result<(), Refusal> {
        columns.iter().try_for_each(|column| {
            if self.uses(column, Use::Filter) {
                return Ok(());
            }
            Err(self.refuse(
                Code::LiteralCompare,
                column,
                format!("column `{}` may not stand in a condition (WHERE, FILTER, CASE)", self.own(column)),
                self.others(column, "filter by", Use::Filter),
            ))
        })
    }

    /// A group key. An expression over group columns needs no more than they do: each of its groups is a union of groups
    /// that the columns themselves would show.
    fn group(&self, column: &ColumnName) -> Result<(), Refusal> {
        if self.uses(column, Use::Group) {
            return Ok(());
        }
        Err(self.refuse(
            Code::ColumnUse,
            column,
            format!("column `{}` may not be grouped by or listed", self.own(column)),
            self.others(column, "group by", Use::Group),
        ))
    }

    /// Whom a join leaves out of a group is judged for each table by the group's own keys of it, so under a minimum a key
    /// belongs to one table.
    fn of_one_table(&self, key: &[ColumnName]) -> Result<(), Refusal> {
        let table = |column: &ColumnName| self.place(column).map(|(at, _)| at);
        let mut tables = key.iter().map(table);
        let first = tables.next();
        if !self.guarded || tables.all(|table| Some(table) == first) {
            return Ok(());
        }
        Err(Refusal::new(
            Code::Expression,
            "disclosure.minimum_contributors",
            "a group key may not be computed from columns of several tables",
            "group by each column by itself",
        ))
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result<(), Refusal> {
        self.conditions(&aggregate.filter)?;
        let function = aggregate.function;
        if matches!(function, Function::Min | Function::Max) && self.guarded {
            return Err(extreme());
        }
        match &aggregate.argument {
            Argument::Rows => match function {
                Function::Count => Ok(()),
                _ => Err(self.shape()),
            },
            Argument::Term(term) => self.term(function, term),
            Argument::Case { conditions, branches } => {
                self.conditions(conditions)?;
                if branches.is_empty() {
                    return Err(self.shape());
                }
                branches.iter().try_for_each(|term| self.term(function, term))
            }
            Argument::Expression { .. } if self.guarded || function == Function::CountDistinct => {
                Err(self.shape())
            }
            Argument::Expression { conditions, columns } => {
                self.conditions(conditions)?;
                columns.iter().try_for_each(|column| match function {
                    Function::Count if self.uses(column, Use::Filter) => Ok(()),
                    Function::Min | Function::Max if self.uses(column, Use::Group) => Ok(()),
                    _ => self.summed(column),
                })
            }
        }
    }

    /// A sum or an average may not choose its rows by the very column that it adds up: a crowd that all have one known value
    /// would hide a single person's, and `(sum - crowd * value)` be it. No column that may be added up has
    /// two names: a table of which somebody's values are added up stands in a join once.
    fn choice(&self, footprint: &Footprint, aggregate: &Aggregate) -> Result<(), Refusal> {
        if !matches!(aggregate.function, Function::Sum | Function::Avg) {
            return Ok(());
        }
        let (conditions, terms) = aggregate.argument.parts();
        let keys = footprint.groups.iter().flat_map(|key| &key.columns);
        // What a join leads to is chosen by, too.
        let joined = footprint.joins.iter().flat_map(|(left, right)| [left, right]);
        let written = footprint.filter.iter().chain(&aggregate.filter).chain(conditions);
        let mut chosen = written.chain(keys).chain(joined);
        let added = |column: &ColumnName| terms.iter().flat_map(Term::read).any(|other| column == other);
        match chosen.find(|column| added(column)) {
            None => Ok(()),
            Some(column) => Err(self.refuse(
                Code::ColumnUse,
                column,
                format!(
                    "column `{}` may not be added up or averaged under a condition, key or join that reads it",
                    self.own(column)
                ),
                "choose rows by other columns, or count them instead".to_owned(),
            )),
        }
    }

    /// Days are seen on the steps of their column's grain alone. A finer part would tell nothing, since each day stands as the
    /// first of its step, and a day within a step would not mean what it says: both are refused by name.
    fn dates(&self, used: &DateUse) -> Result<(), Refusal> {
        let grain = self.column(&used.column).and_then(|column| column.rule.grain);
        let Some(grain) = grain.filter(|grain| !used.fits.contains(grain)) else { return Ok(()) };
        let (own, word) = (self.own(&used.column), grain.word());
        let (code, message, fix) = match used.looked {
            Looked::Compared => (
                Code::LiteralCompare,
                format!(
                    "column `{own}` is seen by the {word}, and may be compared with the first day of a {word} alone"
                ),
                format!(
                    "write the first day of a {word}, for example `{own} >= DATE '{}'`",
                    first_day(grain)
                ),
            ),
            Looked::Parts => (
                Code::ColumnUse,
                format!(
                    "column `{own}` is seen by the {word}, and a part that differs within a {word} may not be taken"
                ),
                format!("take one of its parts {}, or the column itself", list(grain.parts())),
            ),
        };
        Err(Refusal::new(code, self.clause(&used.column, "grain"), message, fix))
    }

    /// What is counted, added up or averaged.
    fn term(&self, function: Function, term: &Term) -> Result<(), Refusal> {
        if term.factors.len() > 2 || (term.columns.is_empty() && !term.factors.is_empty()) {
            return Err(self.shape());
        }
        match (function, term.columns.as_slice()) {
            (Function::CountDistinct, [column]) if self.is_entity(column) && term.factors.is_empty() => {
                return Ok(());
            }
            (Function::CountDistinct, _) => return Err(self.distinct()),
            (_, []) => {}
            (Function::Count, [column]) if term.factors.is_empty() => self.counted(column)?,
            // A product is a measure of both, and its count tells how often both are there.
            (Function::Count | Function::Sum | Function::Avg, [_] | [_, _]) => {
                term.columns.iter().try_for_each(|column| self.summed(column))?;
            }
            (Function::Min | Function::Max, [column]) if self.uses(column, Use::Group) => {}
            (Function::Min | Function::Max, [column]) => self.summed(column)?,
            (Function::Count | Function::Sum | Function::Avg | Function::Min | Function::Max, _) => {
                return Err(self.shape());
            }
        }
        term.factors.iter().try_for_each(|column| self.summed(column))
    }

    /// `count(column)`: how often a measure or a filter column has a value.
    fn counted(&self, column: &ColumnName) -> Result<(), Refusal> {
        if self.uses(column, Use::Measure) || self.uses(column, Use::Filter) {
            return Ok(());
        }
        let own = self.own(column);
        let fix = if self.is_entity(column) {
            format!("write `count(*)`, or `count(DISTINCT {own})`")
        } else {
            "write `count(*)`".into()
        };
        Err(self.refuse(Code::ColumnUse, column, format!("column `{own}` may not be counted"), fix))
    }

    /// `sum` and `avg`: each with the counts gives the other, so a grant of one is a grant of both.
    fn summed(&self, column: &ColumnName) -> Result<(), Refusal> {
        let own = self.own(column);
        if !self.uses(column, Use::Measure) {
            return Err(self.refuse(
                Code::ColumnUse,
                column,
                format!("column `{own}` may not be added up or averaged"),
                self.others(column, "aggregate", Use::Measure),
            ));
        }
        let granted = |grant: Grant| self.column(column).is_some_and(|c| c.aggregates.contains(&grant));
        if granted(Grant::Sum) || granted(Grant::Avg) {
            return Ok(());
        }
        Err(Refusal::new(
            Code::Function,
            self.clause(column, "aggregates"),
            format!("column `{own}` may be counted, but not added up or averaged"),
            format!("write `count({own})`"),
        ))
    }

    fn uses(&self, column: &ColumnName, position: Use) -> bool {
        self.column(column).is_some_and(|c| c.uses.contains(&position))
    }

    fn column(&self, column: &ColumnName) -> Option<&'a Column> {
        let (table, own) = self.of(column)?;
        table.columns.get(&own)
    }

    /// The position of a column's table, and the column's own name.
    fn place(&self, column: &ColumnName) -> Option<(usize, ColumnName)> {
        place_in_cut(self.tables.len(), column)
    }

    /// A column's table, and its own name.
    fn of(&self, column: &ColumnName) -> Option<(&'a Table, ColumnName)> {
        let (table, own) = self.place(column)?;
        Some((*self.tables.get(table)?, own))
    }

    /// What a column is called in its table.
    fn own(&self, column: &ColumnName) -> ColumnName {
        self.of(column).map_or_else(|| column.clone(), |(_, own)| own)
    }

    fn is_entity(&self, column: &ColumnName) -> bool {
        self.of(column).is_some_and(|(table, own)| table.entity.as_ref() == Some(&own))
    }

    /// The columns that may stand in such a position: known from the agreement, so they tell nothing new.
    fn others(&self, column: &ColumnName, verb: &str, position: Use) -> String {
        let columns = self.of(column).into_iter().flat_map(|(table, _)| &table.columns);
        let others: Vec<_> =
            columns.filter(|(_, c)| c.uses.contains(&position)).map(|(name, _)| name).collect();
        if others.is_empty() {
            return format!(
                "leave it out; the agreement gives no column of this table the use `{}`",
                position.word()
            );
        }
        format!("{verb} {} instead", list(others))
    }

    /// A column that the agreement does not list is refused in the same words as one without the use.
    fn refuse(&self, code: Code, column: &ColumnName, message: String, fix: String) -> Refusal {
        Refusal::new(code, self.clause(column, "use"), message, fix)
    }

    fn distinct(&self) -> Refusal {
        let mut protected = self.tables.iter().filter_map(|t| Some((&t.name, t.entity.as_ref()?)));
        let (clause, fix) = match protected.next() {
            Some((table, entity)) => {
                let fix = format!("write `count(DISTINCT {entity})`");
                (format!("table.{}.entity", key(table.as_str())), fix)
            }
            None => ("table".to_owned(), "write `count(*)`".to_owned()),
        };
        Refusal::new(Code::Function, clause, "`count(DISTINCT …)` may only count the protected entities", fix)
    }

    fn shape(&self) -> Refusal {
        let table = self.tables.first().map(|table| format!("table.{}.columns", key(table.name.as_str())));
        Refusal::new(
            Code::Expression,
            table.unwrap_or_else(|| "table".to_owned()),
            "an aggregate may stand over one column, a product of two (times `1 + column` or `1 - column`), or CASE over these",
            "write it as `sum(column)`, `avg(column)`, `count(*)` or `sum(CASE WHEN … THEN column END)`",
        )
    }

    fn clause(&self, column: &ColumnName, part: &str) -> String {
        match self.of(column) {
            Some((table, own)) => {
                format!("table.{}.columns.{}.{part}", key(table.name.as_str()), key(own.as_str()))
            }
            None => "table".to_owned(),
        }
    }
}

/// A name as a TOML key: as it stands where it may, in quotes where it must.
pub(crate) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { format!("{name:?}") }
}

/// A day on which a step begins, for examples.
fn first_day(grain: Grain) -> String {
    grain.step(grain.example()).map(|day| day.to_string()).unwrap_or_default()
}

/// Under a minimum.
fn extreme() -> Refusal {
    Refusal::new(
        Code::Function,
        "disclosure.minimum_contributors",
        "the least or the greatest value is a single entity's",
        "use avg, or count with conditions",
    )
}
