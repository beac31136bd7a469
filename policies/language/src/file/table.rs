//! The keys of a protected table and of its columns.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grain::Grain;
use crate::id::{ColumnName, OrganisationName, TableName};
use crate::table::DomainValue;

/// A table: one that protects entities, or one that lies whole at every site and protects nobody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Table {
    /// The column whose distinct values are the protected entities; every count of contributors is of these. Each table
    /// has one, unless it is `replicated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<ColumnName>,
    /// The table protects nobody and lies whole at every site, as lists of codes and products do.
    #[serde(default)]
    pub replicated: bool,
    /// The most rows that one entity can have: a fact that the node checks. Omitted: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_per_entity_max: Option<u32>,
    /// Columns of which each value belongs to one entity: a fact that the node checks.
    #[serde(default)]
    pub keys_within: Vec<ColumnName>,
    /// Bins over which a count for each entity may be grouped or filtered.
    #[serde(default)]
    pub entity_counts: Vec<u32>,
    /// Combinations of values that cannot occur: public zeros.
    #[serde(default)]
    pub impossible: Vec<BTreeMap<ColumnName, DomainValue>>,
    /// Whether an entity can be at two sites.
    #[serde(default)]
    pub entities: Entities,
    /// A condition over the table's own columns, which need no use for it: comparisons with literals, IN and IS NULL, joined
    /// by AND, OR and NOT. An entity with any row that fails it, or of which it is unknown, is out altogether. Omitted: no condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_filter: Option<String>,
    /// The table whose `row_filter` rules for all tables of that entity. An entity without a row there is out, too.
    /// Omitted: no other table rules here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_from: Option<TableName>,
    /// The columns; one that is not here has no use.
    #[serde(default)]
    pub columns: BTreeMap<ColumnName, Column>,
    /// Joins with other tables. Omitted: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
}

/// Whether an entity can be at two sites.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "`\"disjoint\"` or `\"overlapping\"`")]
pub enum Entities {
    /// No entity is at two sites, so distinct counts add up.
    Disjoint,
    /// An entity can be at several sites.
    #[default]
    Overlapping,
}

/// What a column may be used for, and what is public about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table of keys")]
pub struct Column {
    /// The positions in which it may stand; none means never, in any position.
    #[serde(rename = "use")]
    pub uses: Vec<UseWord>,
    /// The values that it can take; declaring them makes them public. Omitted: not declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainText>,
    /// The finest step of the calendar on which days may be seen. Omitted: as it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grain: Option<Grain>,
    /// The aggregates that may be computed over a measure.
    pub aggregates: Vec<AggregateWord>,
    /// The least and the greatest value of a measure, to which all others are moved; what is no number is none. Omitted: no
    /// bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounds: Option<[f64; 2]>,
    /// No value is missing; the node checks it.
    pub required: bool,
    /// Whether it is public who lacks a value. What else is true of them stays protected.
    pub missing: Missing,
    /// Order statistics. Omitted: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<Quantiles>,
    /// What stands in place of the value. Omitted: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transform>,
}

impl Default for Column {
    fn default() -> Self {
        Self {
            uses: Vec::new(),
            domain: None,
            grain: None,
            aggregates: vec![AggregateWord::Count, AggregateWord::Sum, AggregateWord::Avg],
            bounds: None,
            required: false,
            missing: Missing::Private,
            quantiles: None,
            transform: None,
        }
    }
}

/// What stands in place of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "`\"token\"`")]
pub enum Transform {
    /// A token that only the parties together can make, the same at each of them.
    Token,
}

/// A position in which a column may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UseWord {
    /// In a group key.
    Group,
    /// In a condition.
    Filter,
    /// Inside an aggregate.
    Measure,
    /// In the condition of a join.
    Join,
    /// In rows that leave.
    Output,
}

/// An aggregate that an agreement can grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AggregateWord {
    /// How many values there are.
    Count,
    /// Their total.
    Sum,
    /// Their mean.
    Avg,
}

/// Whether it is public who lacks a value. What else is true of them stays protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "`\"private\"` or `\"public\"`")]
pub enum Missing {
    /// It is not: who has no value counts as left out, and must not be few.
    #[default]
    Private,
    /// It is: who has no value does not count as left out of a cell over the whole table. In any other they do, unless
    /// nobody at the site lacks a value.
    Public,
}

/// The values that a column can take: `values`, or `from` and `to`, or `file` and `sha256`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table of keys")]
pub struct DomainText {
    /// The values, all of one kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<DomainValue>>,
    /// The first value of a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<DomainBound>,
    /// The last value of a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<DomainBound>,
    /// A CSV file beside the agreement: its first column has the values, below a line of names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// That file's SHA-256, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a whole number, or a month in quotes")]
pub enum DomainBound {
    /// A whole number.
    Integer(i64),
    /// A month, or `snapshot`.
    Text(String),
}

/// Order statistics over a measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Quantiles {
    /// Which.
    pub probs: Vec<f64>,
    /// The step to which they are rounded.
    pub round_to: f64,
    /// Entities on each side.
    pub min_each_side: u32,
}

/// Joins with other tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Join {
    /// The columns on which the table may be joined, each of them with the use `join`.
    pub keys: Vec<ColumnName>,
    /// Keys of which every value stands in a column of another table at the same site, written `table.column`: a fact that
    /// the node checks. Such a join leaves out nothing of this table.
    #[serde(default)]
    pub references: BTreeMap<ColumnName, Reference>,
    /// Keys of which no value stands in two rows of the table: a fact that the node checks. Under a minimum, tables are joined only where
    /// a reference leads to such a key: then a join neither multiplies rows nor drops any.
    #[serde(default)]
    pub unique: Vec<ColumnName>,
    /// Whether absence from a table may be asked for.
    #[serde(default)]
    pub anti_join: bool,
    /// The node where tables of several organisations may meet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meeting: Option<OrganisationName>,
    /// The columns that it may receive.
    #[serde(default)]
    pub send: Vec<ColumnName>,
}

/// A column of another table, written `table.column`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Reference(String);

impl Reference {
    /// The table and the column; none where it is not written so.
    pub fn parts(&self) -> Option<(TableName, ColumnName)> {
        let (table, column) = self.0.rsplit_once('.')?;
        Some((TableName::new(table), ColumnName::new(column)))
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
