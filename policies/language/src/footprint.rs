//! What one cut of a query touches, as plain data: the facts that [`crate::decide`] judges, and nothing else.
//!
//! A footprint is made from a bound plan by `liquid-footprint`; anything that has no place here was refused before.

use serde::{Deserialize, Serialize};

use crate::id::{ColumnName, TableName};

/// One cut: an aggregate over one protected table, at the release boundary.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Footprint {
    /// The protected table under the cut.
    pub table: TableName,
    /// Columns that WHERE reads. Every one of them is compared with literals or tested.
    pub filter: Vec<ColumnName>,
    /// The group keys, in order; none means one group over everything.
    pub groups: Vec<GroupKey>,
    /// The aggregates, in order; none means that only the presence of groups is released (DISTINCT).
    pub aggregates: Vec<Aggregate>,
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
}

/// A product of columns, at most two.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Term {
    /// The columns multiplied; none for the literals 0 and 1.
    pub columns: Vec<ColumnName>,
}
