//! What one cut of a query touches, as plain data: the facts that [`crate::decide`] judges, and nothing else.
//!
//! A footprint is made from a bound plan by `liquid-footprint`; anything that has no place here was refused before.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::grain::Grain;
use crate::id::{ColumnName, TableName};

/// One cut: an aggregate over one table or an inner join of several, at the release boundary.
///
/// Columns are called as [`column_in_cut`] says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Footprint {
    /// The tables under the cut, in order; one that is joined with itself stands there twice.
    pub tables: Vec<TableName>,
    /// The conditions on which they are joined: pairs of columns of two tables that must be equal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<(ColumnName, ColumnName)>,
    /// A condition (WHERE, FILTER, CASE) reads columns of several tables at once, so that it cannot be put to one of them alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mixed: bool,
    /// Columns that WHERE reads. Every one of them is compared with literals or tested.
    pub filter: Vec<ColumnName>,
    /// The group keys, in order; none means one group over everything.
    pub groups: Vec<GroupKey>,
    /// The aggregates, in order; none means that only the presence of groups is released (DISTINCT).
    pub aggregates: Vec<Aggregate>,
    /// How the days of columns are looked at, wherever that stands; each column and way once. With a step by entity these are
    /// columns of the tables below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<DateUse>,
    /// The step by entity, where there is one: then `filter`, `groups` and `aggregates` read its keys and values
    /// ([`step_key`], [`step_value`]), and `mixed` speaks of the conditions below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
}

/// An aggregate below the cut: rows grouped by the entity, or by a key within it, so that each of its rows still speaks of one
/// entity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Step {
    /// Columns that WHERE below it reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filter: Vec<ColumnName>,
    /// What it groups by.
    pub keys: Vec<StepKey>,
    /// What it computes for each group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Aggregate>,
    /// Counts among the values that conditions and group keys above look at, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<CountUse>,
}

/// One group key of a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StepKey {
    /// Every column that it reads.
    pub columns: Vec<ColumnName>,
    /// It is that column as it stands.
    pub plain: bool,
    /// The cut is grouped by it, too, as it stands: it tells groups of the answer apart, and not rows of one entity within them.
    #[serde(default)]
    pub released: bool,
}

/// How a count of a step is looked at by conditions and keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CountUse {
    /// Which value of the step.
    pub value: ColumnName,
    /// The numbers at which one answer ends and another begins (`n >= 3` has 3, `n = 3` has 3 and 4); none where it is looked at
    /// in another way than by comparing it with whole numbers.
    pub edges: Option<BTreeSet<i64>>,
}

/// In how many places conditions may stand below a step under a minimum. Whom any choice of them concerns is counted in a pass of its
/// own, so there are 2 to the power of that.
pub const PLACES_MAX: usize = 5;

/// What stands above a step calls one of its keys.
pub fn step_key(at: usize) -> ColumnName {
    ColumnName::new(format!("k{at}"))
}

/// What stands above a step calls one of its values.
pub fn step_value(at: usize) -> ColumnName {
    ColumnName::new(format!("v{at}"))
}

/// How the days of a column are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DateUse {
    /// The column.
    pub column: ColumnName,
    /// In what way.
    pub looked: Looked,
    /// The steps of the calendar that are fine enough for it: those on which all days lie that the column is compared
    /// with, or those that have all the parts that are taken.
    pub fits: Vec<Grain>,
}

/// A way of looking at days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Looked {
    /// They are compared with literals.
    Compared,
    /// Parts of them are taken: `date_part`, `date_trunc`.
    Parts,
}

/// What a cut calls a column of one of its tables: by its own name where there is one table, `t0.name`, `t1.name` … where
/// there are several.
pub fn column_in_cut(tables: usize, table: usize, column: &str) -> ColumnName {
    if tables == 1 { ColumnName::new(column) } else { ColumnName::new(format!("t{table}.{column}")) }
}

/// Which table's column that is, and its own name; the way back from [`column_in_cut`].
pub fn place_in_cut(tables: usize, column: &ColumnName) -> Option<(usize, ColumnName)> {
    if tables == 1 {
        return Some((0, column.clone()));
    }
    let (table, name) = column.as_str().split_once('.')?;
    let table = table.strip_prefix('t')?.parse().ok().filter(|table| *table < tables)?;
    Some((table, ColumnName::new(name)))
}

/// One group key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupKey {
    /// Every column that the key's expression reads.
    pub columns: Vec<ColumnName>,
}

/// One aggregate of the cut.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Aggregate {
    /// Which function.
    pub function: Function,
    /// What it is computed over.
    pub argument: Argument,
    /// Columns that its FILTER reads.
    pub filter: Vec<ColumnName>,
}

/// The aggregate functions that a footprint can hold. All others are refused when the footprint is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// Rows, or non-null values.
    Count,
    /// Distinct values.
    CountDistinct,
    /// Total.
    Sum,
    /// Mean.
    Avg,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
}

/// What stands inside an aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Argument {
    /// `count(*)`.
    Rows,
    /// A term: a product of columns (no column: the literal 0 or 1).
    Term(Term),
    /// CASE over terms: each branch is a cell of its own.
    Case {
        /// Columns that the conditions read.
        conditions: Vec<ColumnName>,
        /// One term a branch, ELSE last; a branch that gives NULL is left out.
        branches: Vec<Term>,
    },
    /// Any other expression.
    Expression {
        /// Columns that its conditions and comparisons read: they choose what is computed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conditions: Vec<ColumnName>,
        /// Columns that are computed with.
        columns: Vec<ColumnName>,
    },
}

impl Argument {
    /// The columns that the conditions of a CASE read, and the terms that are computed; an expression shows neither.
    pub(crate) fn parts(&self) -> (&[ColumnName], &[Term]) {
        match self {
            Self::Rows | Self::Expression { .. } => (&[], &[]),
            Self::Term(term) => (&[], std::slice::from_ref(term)),
            Self::Case { conditions, branches } => (conditions, branches),
        }
    }
}

/// A product of at most two columns and of at most two factors `1 + column` or `1 - column`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Term {
    /// The columns multiplied; none for the literals 0 and 1.
    pub columns: Vec<ColumnName>,
    /// The columns of the factors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<ColumnName>,
}

impl Term {
    /// Every column that it reads.
    pub(crate) fn read(&self) -> impl Iterator<Item = &ColumnName> {
        self.columns.iter().chain(&self.factors)
    }
}
