//! The condition of a `row_filter`: comparisons of a table's own columns with literals, joined by AND, OR and NOT.
//!
//! It is a small closed form of SQL, read here so that a board learns of a mistake from the file and not from a node. There is no
//! function in it and no arithmetic, so no row can make it fail. Its meaning is SQL's: a comparison with a missing
//! value is neither true nor false.

mod read;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use read::Wrong;

use crate::id::ColumnName;
use crate::table::DomainValue;

/// A condition over the columns of one table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A column of truth values by itself.
    Holds(ColumnName),
    /// A column compared with a literal.
    Compare(ColumnName, Comparison, DomainValue),
    /// `column IN (…)`: one of these, at least one, all of one kind.
    In(ColumnName, Vec<DomainValue>),
    /// `column IS NULL`.
    Missing(ColumnName),
    /// It does not hold; where it is unknown, this is, too.
    Not(Box<Self>),
    /// All hold; at least two.
    All(Vec<Self>),
    /// One holds; at least two.
    Any(Vec<Self>),
}

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    Different,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Condition {
    /// Reads a condition as SQL writes it. Columns are called exactly as the table calls them, in double quotes where
    /// their names are not plain words.
    ///
    /// # Errors
    /// What stands there and is not in the form, with its place in the text.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        read::read(text)
    }

    /// Every column that it reads.
    pub fn columns(&self) -> BTreeSet<&ColumnName> {
        match self {
            Self::Holds(column) | Self::Compare(column, ..) | Self::In(column, _) | Self::Missing(column) => {
                BTreeSet::from([column])
            }
            Self::Not(inner) => inner.columns(),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::columns).collect(),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds(column) => f.write_str(&name(column)),
            Self::Compare(column, comparison, value) => {
                write!(f, "{} {comparison} {}", name(column), literal(value))
            }
            Self::In(column, values) => {
                let values: Vec<String> = values.iter().map(literal).collect();
                write!(f, "{} IN ({})", name(column), values.join(", "))
            }
            Self::Missing(column) => write!(f, "{} IS NULL", name(column)),
            Self::Not(inner) => match inner.as_ref() {
                Self::All(_) | Self::Any(_) => write!(f, "NOT ({inner})"),
                _ => write!(f, "NOT {inner}"),
            },
            Self::All(parts) => joined(f, parts, " AND "),
            Self::Any(parts) => joined(f, parts, " OR "),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::Different => "<>",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        })
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Condition], word: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        let before = if at == 0 { "" } else { word };
        match part {
            Condition::All(_) | Condition::Any(_) => write!(f, "{before}({part})")?,
            _ => write!(f, "{before}{part}")?,
        }
    }
    Ok(())
}

fn name(column: &ColumnName) -> String {
    let text = column.as_str();
    if read::is_plain(text) { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

fn literal(value: &DomainValue) -> String {
    match value {
        DomainValue::Boolean(value) => value.to_string(),
        DomainValue::Integer(value) => value.to_string(),
        DomainValue::Text(value) => format!("'{}'", value.replace('\'', "''")),
    }
}
