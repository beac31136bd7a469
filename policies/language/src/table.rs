//! What an agreement says of one table and of its columns, as the engine and the disclosure rules need it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{ColumnName, TableName};

/// A value of a declared domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum DomainValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
}

/// The values that a column can take, declared in the agreement and therefore public.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// Exactly these, all of one kind, at least one, none twice.
    Values(Vec<DomainValue>),
    /// Every whole number from `from` to `to`, both included; `from <= to`.
    Range {
        /// The least value.
        from: i64,
        /// The greatest value.
        to: i64,
    },
}

/// What is public about a column's values, as far as disclosure needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnRule {
    /// The declared domain. A value outside it is NULL.
    pub domain: Option<Domain>,
    /// No value is missing: the node checks it when it opens the table.
    pub required: bool,
    /// Whether a value is missing is public, so a missing value does not count as left out.
    pub missing_public: bool,
}

/// What the engine must compute beside a cut's own columns, and what it must know of the table for that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligations {
    /// The protected table.
    pub table: TableName,
    /// The column whose distinct values are the protected entities.
    pub entity: ColumnName,
    /// The least number of distinct entities behind a cell and behind what its plan leaves out;
    /// none where `minimum_contributors = 1` switches the disclosure rules off.
    pub minimum: Option<u32>,
    /// What is public about each column that the agreement lists.
    pub columns: BTreeMap<ColumnName, ColumnRule>,
}
