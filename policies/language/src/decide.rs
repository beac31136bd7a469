//! `decide(admitted, footprint)`: pure, total, the only maker of a [`Permit`].
//!
//! It judges the plan and the agreement alone, never data, statistics or history. Tightening an agreement never turns a
//! refusal into a permit: every rule here asks for something that the agreement must grant.

use crate::admit::{Admitted, Caller};
use crate::document::{Aggregate as Grant, Agreement, Column, Table, Use};
use crate::footprint::{Aggregate, Argument, Footprint, Function, Term};
use crate::id::{AgreementHash, AgreementId, ColumnName, Purpose, TableName};
use crate::refusal::{Code, Refusal, list};
pub use crate::table::Obligations;

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

    /// The protected table.
    pub fn table(&self) -> &TableName {
        &self.footprint.table
    }

    /// What was permitted: the result must have this form.
    pub fn footprint(&self) -> &Footprint {
        &self.footprint
    }

    /// What the engine must compute beside the cut, and what is public about the table.
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
/// The first position in which a column stands without the use that the agreement must give it, in the order WHERE, group
/// keys, aggregates.
pub fn decide(admitted: &Admitted, footprint: &Footprint) -> Result<Permit, Refusal> {
    let agreement = admitted.agreement();
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

/// What [`decide`] would say of a cut to anyone whom the agreement admits: for explaining a draft, since it gives no permit.
///
/// # Errors
/// As [`decide`].
pub fn judge(agreement: &Agreement, footprint: &Footprint) -> Result<Obligations, Refusal> {
    let Some(table) = agreement.tables().get(&footprint.table) else {
        return Err(Refusal::new(
            Code::ColumnUse,
            "table",
            format!("agreement `{}` does not speak of table `{}`", agreement.id(), footprint.table),
            format!("ask for one of its tables: {}", list(agreement.tables().keys())),
        ));
    };
    let judge = Judge { table };
    judge.conditions(&footprint.filter)?;
    for column in footprint.groups.iter().flat_map(|key| &key.columns) {
        judge.group(column)?;
    }
    for aggregate in &footprint.aggregates {
        judge.aggregate(aggregate)?;
    }
    let obligations = agreement.obligations(table);
    if obligations.minimum.is_some() {
        for aggregate in &footprint.aggregates {
            judge.choice(footprint, aggregate)?;
        }
    }
    Ok(obligations)
}

struct Judge<'a> {
    table: &'a Table,
}

impl Judge<'_> {
    /// WHERE, FILTER and CASE conditions: each column must be a filter column.
    fn conditions(&self, columns: &[ColumnName]) -> Result<(), Refusal> {
        columns.iter().try_for_each(|column| {
            if self.uses(column, Use::Filter) {
                return Ok(());
            }
            Err(self.refuse(
                Code::LiteralCompare,
                column,
                format!("column `{column}` may not stand in a condition (WHERE, FILTER, CASE)"),
                self.others("filter by", Use::Filter),
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
            format!("column `{column}` may not be grouped by or listed"),
            self.others("group by", Use::Group),
        ))
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result<(), Refusal> {
        self.conditions(&aggregate.filter)?;
        match &aggregate.argument {
            Argument::Rows => match aggregate.function {
                Function::Count => Ok(()),
                Function::CountDistinct | Function::Sum | Function::Avg => Err(self.shape()),
            },
            Argument::Term(term) => self.term(aggregate.function, term),
            Argument::Case { conditions, branches } => {
                self.conditions(conditions)?;
                if branches.is_empty() {
                    return Err(self.shape());
                }
                branches.iter().try_for_each(|term| self.term(aggregate.function, term))
            }
        }
    }

    /// A sum or an average may not choose its rows by the very column that it adds up: a crowd that all have one known value
    /// would hide a single person's, and `(sum - crowd * value)` be it.
    fn choice(&self, footprint: &Footprint, aggregate: &Aggregate) -> Result<(), Refusal> {
        if !matches!(aggregate.function, Function::Sum | Function::Avg) {
            return Ok(());
        }
        let (conditions, terms): (&[ColumnName], &[Term]) = match &aggregate.argument {
            Argument::Rows => (&[], &[]),
            Argument::Term(term) => (&[], std::slice::from_ref(term)),
            Argument::Case { conditions, branches } => (conditions, branches),
        };
        let keys = footprint.groups.iter().flat_map(|key| &key.columns);
        let mut chosen = footprint.filter.iter().chain(&aggregate.filter).chain(conditions).chain(keys);
        match chosen.find(|column| terms.iter().any(|term| term.columns.contains(column))) {
            None => Ok(()),
            Some(column) => Err(self.refuse(
                Code::ColumnUse,
                column,
                format!(
                    "column `{column}` may not be added up or averaged under a condition or key that reads it"
                ),
                "choose rows by other columns, or count them instead".to_owned(),
            )),
        }
    }

    /// What is counted, added up or averaged.
    fn term(&self, function: Function, term: &Term) -> Result<(), Refusal> {
        match (function, term.columns.as_slice()) {
            (Function::CountDistinct, [column]) if *column == self.table.entity => Ok(()),
            (Function::CountDistinct, _) => Err(self.distinct()),
            (_, []) => Ok(()),
            (Function::Count, [column]) => self.counted(column),
            // A product is a measure of both, and its count tells how often both are there.
            (Function::Count, [one, other]) => self.summed(one).and_then(|()| self.summed(other)),
            (Function::Sum | Function::Avg, [one]) => self.summed(one),
            (Function::Sum | Function::Avg, [one, other]) => {
                self.summed(one).and_then(|()| self.summed(other))
            }
            (Function::Count | Function::Sum | Function::Avg, _) => Err(self.shape()),
        }
    }

    /// `count(column)`: how often a measure or a filter column has a value.
    fn counted(&self, column: &ColumnName) -> Result<(), Refusal> {
        if self.uses(column, Use::Measure) || self.uses(column, Use::Filter) {
            return Ok(());
        }
        let fix = if *column == self.table.entity {
            format!("write `count(*)`, or `count(DISTINCT {column})`")
        } else {
            "write `count(*)`".into()
        };
        Err(self.refuse(Code::ColumnUse, column, format!("column `{column}` may not be counted"), fix))
    }

    /// `sum` and `avg`: each with the counts gives the other, so a grant of one is a grant of both.
    fn summed(&self, column: &ColumnName) -> Result<(), Refusal> {
        if !self.uses(column, Use::Measure) {
            return Err(self.refuse(
                Code::ColumnUse,
                column,
                format!("column `{column}` may not be added up or averaged"),
                self.others("aggregate", Use::Measure),
            ));
        }
        let granted = |grant: Grant| self.column(column).is_some_and(|c| c.aggregates.contains(&grant));
        if granted(Grant::Sum) || granted(Grant::Avg) {
            return Ok(());
        }
        Err(Refusal::new(
            Code::Function,
            self.clause(column, "aggregates"),
            format!("column `{column}` may be counted, but not added up or averaged"),
            format!("write `count({column})`"),
        ))
    }

    fn uses(&self, column: &ColumnName, position: Use) -> bool {
        self.column(column).is_some_and(|c| c.uses.contains(&position))
    }

    fn column(&self, column: &ColumnName) -> Option<&Column> {
        self.table.columns.get(column)
    }

    /// The columns that may stand in such a position: known from the agreement, so they tell nothing new.
    fn others(&self, verb: &str, position: Use) -> String {
        let others: Vec<_> = self
            .table
            .columns
            .iter()
            .filter(|(_, c)| c.uses.contains(&position))
            .map(|(name, _)| name)
            .collect();
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
        let entity = &self.table.entity;
        Refusal::new(
            Code::Function,
            format!("table.{}.entity", key(self.table.name.as_str())),
            "`count(DISTINCT …)` may only count the protected entities",
            format!("write `count(DISTINCT {entity})`"),
        )
    }

    fn shape(&self) -> Refusal {
        Refusal::new(
            Code::Expression,
            format!("table.{}.columns", key(self.table.name.as_str())),
            "an aggregate may stand over one column, a product of two, or CASE over these",
            "write it as `sum(column)`, `avg(column)`, `count(*)` or `sum(CASE WHEN … THEN column END)`",
        )
    }

    fn clause(&self, column: &ColumnName, part: &str) -> String {
        format!("table.{}.columns.{}.{part}", key(self.table.name.as_str()), key(column.as_str()))
    }
}

/// A name as a TOML key: as it stands where it may, in quotes where it must.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { format!("{name:?}") }
}
