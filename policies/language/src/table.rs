//! What an agreement says of one table and of its columns, as the engine and the disclosure rules need it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::footprint::column_in_cut;
use crate::grain::Grain;
use crate::id::{ColumnName, TableName};

/// A value of a declared domain.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(untagged, expecting = "a value here is `true` or `false`, a whole number, or a text in quotes")]
pub enum DomainValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
}

impl DomainValue {
    /// Whether both are truth values, whole numbers, or texts.
    pub fn same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for DomainValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
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
    /// Every step of the calendar from one to another, both included; each is its first day.
    Steps {
        /// Which steps.
        grain: Grain,
        /// The first day of the first step.
        from: NaiveDate,
        /// The first day of the last step, not before `from`.
        to: NaiveDate,
    },
}

impl Domain {
    /// How many values there are.
    pub fn size(&self) -> u64 {
        match self {
            Self::Values(values) => u64::try_from(values.len()).unwrap_or(u64::MAX),
            Self::Range { from, to } => to.abs_diff(*from).saturating_add(1),
            Self::Steps { grain, from, to } => {
                grain.number(*to).abs_diff(grain.number(*from)).saturating_add(1)
            }
        }
    }

    /// The values in order. Look at [`Self::size`] first: a range can be long.
    pub fn values(&self) -> Box<dyn Iterator<Item = DomainValue> + '_> {
        match self {
            Self::Values(values) => Box::new(values.iter().cloned()),
            Self::Range { from, to } => Box::new((*from..=*to).map(DomainValue::Integer)),
            Self::Steps { grain, from, to } => {
                let days = (grain.number(*from)..=grain.number(*to)).filter_map(|number| grain.nth(number));
                Box::new(days.map(|day| DomainValue::Text(day.to_string())))
            }
        }
    }
}

/// The least and the greatest value of a measure, to which all others are moved: finite, the least below the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; 2]", into = "[f64; 2]")]
pub struct Bounds {
    least: f64,
    greatest: f64,
}

impl Bounds {
    /// Takes both, unless they bound nothing.
    pub fn new(least: f64, greatest: f64) -> Option<Self> {
        (least.is_finite() && greatest.is_finite() && least < greatest).then_some(Self { least, greatest })
    }

    /// The least value.
    pub fn least(&self) -> f64 {
        self.least
    }

    /// The greatest value.
    pub fn greatest(&self) -> f64 {
        self.greatest
    }
}

/// Finite numbers are equal to themselves.
impl Eq for Bounds {}

impl TryFrom<[f64; 2]> for Bounds {
    type Error = &'static str;

    fn try_from([least, greatest]: [f64; 2]) -> Result<Self, Self::Error> {
        Self::new(least, greatest).ok_or("bounds are two finite numbers, the least one first")
    }
}

impl From<Bounds> for [f64; 2] {
    fn from(bounds: Bounds) -> Self {
        [bounds.least, bounds.greatest]
    }
}

/// No few may make up most of a sum.
///
/// The tests of statistical offices: the (n, k) rule and the p % rule, L. Willenborg and T. de Waal, *Elements of Statistical
/// Disclosure Control* (2001), section 4.2. What one entity adds is what all its rows add together, without the sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Concentration {
    /// So many of the largest must not make up more than such a share, above 0 and at most 1.
    pub dominance: Option<(u32, f64)>,
    /// All but the two largest must make up at least this share of the largest, above 0 and at most 1: the second largest could
    /// work the largest out more closely otherwise.
    pub p_ratio: Option<f64>,
}

/// What an agreement writes is finite.
impl Eq for Concentration {}

impl Concentration {
    /// Whether there is a rule at all.
    pub fn is_some(&self) -> bool {
        self.dominance.is_some() || self.p_ratio.is_some()
    }
}

/// What is public about a column's values, as far as disclosure needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnRule {
    /// The finest step of the calendar on which its days are seen: each stands as the first day of its step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grain: Option<Grain>,
    /// The declared domain. A value outside it is NULL.
    pub domain: Option<Domain>,
    /// The bounds to which values outside are moved; a column with a domain has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// No value is missing: the node checks it when it opens the table.
    pub required: bool,
    /// Who lacks a value is public: they do not count as left out of a cell over the whole table, and if nobody does, that
    /// is public too.
    pub missing_public: bool,
}

/// What the engine must know of one table of a cut. Columns go by their own names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRules {
    /// The table.
    pub table: TableName,
    /// The column whose distinct values are the protected entities; none where the table protects nobody.
    pub entity: Option<ColumnName>,
    /// What is public about each column that the agreement lists.
    pub columns: BTreeMap<ColumnName, ColumnRule>,
    /// Columns of which each value belongs to one entity.
    pub keys_within: BTreeSet<ColumnName>,
    /// The most rows that one entity can have.
    pub rows_per_entity_max: Option<u32>,
    /// Columns of which every value stands in a column of another table.
    pub references: BTreeMap<ColumnName, (TableName, ColumnName)>,
    /// Columns of which no value stands in two rows.
    pub unique: BTreeSet<ColumnName>,
    /// Whose rows count: an entity must pass each of these, or none of its rows does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<EntityFilter>,
}

/// Who is out altogether: an entity with any row in a table that does not meet the table's condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityFilter {
    /// The table whose rows are looked at.
    pub table: TableName,
    /// Its entity.
    pub entity: ColumnName,
    /// The condition. It is met where it is true, neither false nor unknown.
    pub condition: Condition,
    /// An entity without any row in the table is out, too: nobody knows of them that they would pass.
    pub present: bool,
}

/// What the engine must compute beside a cut's own columns, and what it must know of the tables for that. Columns are
/// called as the cut calls them ([`crate::footprint::column_in_cut`]), unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligations {
    /// The tables of the cut, in its order.
    pub tables: Vec<TableRules>,
    /// The column whose distinct values are the protected entities: in joined rows those of all tables are the same.
    pub entity: ColumnName,
    /// The least number of distinct entities behind a cell and behind what its plan leaves out;
    /// none where `minimum_contributors = 1` switches the disclosure rules off.
    pub minimum: Option<u32>,
    /// How much of a cell few may make up. Without a minimum, none.
    #[serde(default)]
    pub concentration: Concentration,
    /// What is public about each column that the agreement lists.
    pub columns: BTreeMap<ColumnName, ColumnRule>,
    /// Classes of columns that are equal in every joined row: by the join conditions, directly or along one another, and under a
    /// minimum the entities of all tables, since what ties tables makes them so.
    pub equal: Vec<BTreeSet<ColumnName>>,
    /// Keys within the entity by which tables are tied: rows that agree in them must agree in the entity.
    pub tied: Vec<(ColumnName, ColumnName)>,
    /// Under a minimum: parts of the join, as positions of tables, of which the whole join can leave rows out.
    pub parts: Vec<BTreeSet<usize>>,
    /// What is public about each column of the cut's step by entity; empty where it has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub step: BTreeMap<ColumnName, ColumnRule>,
}

impl Obligations {
    /// Of several tables by themselves, joined on nothing: what is to be checked of each, and nothing to count.
    pub fn of_tables(tables: Vec<TableRules>) -> Self {
        let count = tables.len();
        let columns = tables.iter().enumerate().flat_map(|(at, rules)| {
            let called = move |name: &ColumnName| column_in_cut(count, at, name.as_str());
            rules.columns.iter().map(move |(name, rule)| (called(name), rule.clone()))
        });
        // Keys within entities that refer to one another tie their tables, whoever joins them.
        let mut tied = Vec::new();
        for (at, rules) in tables.iter().enumerate() {
            for (own, (table, key)) in &rules.references {
                let target = tables.iter().enumerate().find(|(_, target)| target.table == *table);
                if let Some((to, target)) = target
                    && rules.keys_within.contains(own)
                    && target.keys_within.contains(key)
                {
                    let called = |at, own: &ColumnName| column_in_cut(count, at, own.as_str());
                    tied.push((called(at, own), called(to, key)));
                }
            }
        }
        Self {
            columns: columns.collect(),
            tied,
            tables,
            entity: ColumnName::new(""),
            minimum: None,
            concentration: Concentration::default(),
            equal: Vec::new(),
            parts: Vec::new(),
            step: BTreeMap::new(),
        }
    }

    /// Of a cut over one table.
    pub fn of_table(rules: TableRules, minimum: Option<u32>, concentration: Concentration) -> Self {
        let columns = rules.columns.clone();
        let entity = rules.entity.clone().unwrap_or_else(|| ColumnName::new(""));
        Self {
            tables: vec![rules],
            entity,
            minimum,
            concentration,
            columns,
            equal: Vec::new(),
            tied: Vec::new(),
            parts: Vec::new(),
            step: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_knows_how_many_values_it_has() {
        assert_eq!(Domain::Range { from: -1, to: 1 }.size(), 3);
        assert_eq!(Domain::Range { from: i64::MIN, to: i64::MAX }.size(), u64::MAX);
        assert_eq!(Domain::Values(vec![DomainValue::Boolean(true)]).size(), 1);
        let step = |text| Grain::Month.step(text).unwrap();
        let months = Domain::Steps { grain: Grain::Month, from: step("2024-11"), to: step("2025-01") };
        assert_eq!(months.size(), 3);
        let days: Vec<_> = months.values().map(|day| day.to_string()).collect();
        assert_eq!(days, ["2024-11-01", "2024-12-01", "2025-01-01"]);
    }
}
