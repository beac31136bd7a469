//! The answer "no": a stable code, the clause that says it, and a way forward. The same bytes whatever the data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a request was refused. The spelling is stable: scripts and tests rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// Rows were asked for where only aggregates may leave.
    AggRequired,
    /// A column stands in a position that the agreement does not give it.
    ColumnUse,
    /// A column is compared with a literal although it is no filter column.
    LiteralCompare,
    /// Tables are joined on something that is not a declared key.
    JoinKey,
    /// A function is not on the list.
    Function,
    /// An expression has a shape that is not allowed where it stands.
    Expression,
    /// A statement other than a query.
    Statement,
    /// A part of the plan that has no place below or above the cut.
    PlanNode,
    /// The purpose is not one of the agreement's, or not one of the caller's.
    Purpose,
    /// The caller is not a recipient.
    Recipient,
    /// The agreement is not in force yet, or has expired.
    NotInForce,
    /// The agreement's review is overdue beyond its grace.
    ReviewOverdue,
    /// The agreement lacks a signature that counts.
    Unsigned,
    /// A controller has suspended the agreement.
    Suspended,
    /// The site holds another version of the agreement than the one named.
    Version,
    /// Only approved templates may be run.
    TemplateOnly,
    /// A budget is exhausted.
    Budget,
    /// A model has too many parameters for its population.
    ModelSize,
    /// A cap on size, depth, rows or time.
    Limit,
    /// The question cannot be split into one query per site.
    NotFederable,
    /// Fewer sites than the agreement or the question demands.
    TooFewSites,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AggRequired => "AGG_REQUIRED",
            Self::ColumnUse => "COLUMN_USE",
            Self::LiteralCompare => "LITERAL_COMPARE",
            Self::JoinKey => "JOIN_KEY",
            Self::Function => "FUNCTION",
            Self::Expression => "EXPRESSION",
            Self::Statement => "STATEMENT",
            Self::PlanNode => "PLAN_NODE",
            Self::Purpose => "PURPOSE",
            Self::Recipient => "RECIPIENT",
            Self::NotInForce => "NOT_IN_FORCE",
            Self::ReviewOverdue => "REVIEW_OVERDUE",
            Self::Unsigned => "UNSIGNED",
            Self::Suspended => "SUSPENDED",
            Self::Version => "VERSION",
            Self::TemplateOnly => "TEMPLATE_ONLY",
            Self::Budget => "BUDGET",
            Self::ModelSize => "MODEL_SIZE",
            Self::Limit => "LIMIT",
            Self::NotFederable => "NOT_FEDERABLE",
            Self::TooFewSites => "TOO_FEW_SITES",
        })
    }
}

/// A refusal, as the caller sees it. It is an expected answer and no error: logs and metrics keep it apart from faults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// The clause of the agreement that refuses, as a path into the file, for example `table.cardiac.columns.chol.use`;
    /// a cap or rule of the platform itself is written `liquid.<rule>`.
    pub clause: String,
    /// What was asked and may not be, lower case, no full stop; never a value, a count or an engine message.
    pub message: String,
    /// What the caller can do instead.
    pub fix: String,
}

impl Refusal {
    /// Builds a refusal.
    pub fn new(
        code: Code,
        clause: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { code, clause: clause.into(), message: message.into(), fix: fix.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (clause `{}`); {}", self.code, self.message, self.clause, self.fix)
    }
}

/// Names in backticks, as messages list them.
pub(crate) fn list<T: fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Things that quote what is to be quoted themselves.
pub(crate) fn plain_list<T: fmt::Display>(things: impl IntoIterator<Item = T>) -> String {
    things.into_iter().map(|thing| thing.to_string()).collect::<Vec<_>>().join(", ")
}
