//! Generated questions over the heart data, as data: each can print itself as SQL and be evaluated row by row in plain
//! Rust. The oracles rest on this second evaluation, which shares no code with the product.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

/// A value of a row or a literal.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl Value {
    pub(crate) fn number(&self) -> f64 {
        match self {
            Self::Bool(b) => f64::from(u8::from(*b)),
            Self::Int(i) => *i as f64,
            Self::Float(f) => *f,
            Self::Text(t) => panic!("`{t}` is no number"),
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(i) => write!(f, "{i}"),
            Self::Float(x) => write!(f, "{x:?}"),
            Self::Text(t) => write!(f, "'{}'", t.replace('\'', "''")),
        }
    }
}

/// One patient: `site` and the columns of `cardiac`; a missing value has no entry.
pub(crate) type Row = BTreeMap<&'static str, Value>;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A condition over a row; three-valued like SQL's.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Compare(&'static str, Comparison, Value),
    In(&'static str, Vec<Value>, bool),
    Between(&'static str, i64, i64),
    IsNull(&'static str, bool),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

impl Condition {
    pub(crate) fn holds(&self, row: &Row) -> Option<bool> {
        match self {
            Self::Compare(column, comparison, literal) => {
                let order = row.get(column)?.partial_cmp(literal)?;
                Some(match comparison {
                    Comparison::Equal => order.is_eq(),
                    Comparison::Unequal => order.is_ne(),
                    Comparison::Less => order.is_lt(),
                    Comparison::LessOrEqual => order.is_le(),
                    Comparison::Greater => order.is_gt(),
                    Comparison::GreaterOrEqual => order.is_ge(),
                })
            }
            Self::In(column, list, negated) => Some(list.contains(row.get(column)?) != *negated),
            Self::Between(column, low, high) => {
                let value = row.get(column)?.number();
                Some(*low as f64 <= value && value <= *high as f64)
            }
            Self::IsNull(column, negated) => Some(row.contains_key(column) == *negated),
            Self::And(a, b) => match (a.holds(row), b.holds(row)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(a, b) => match (a.holds(row), b.holds(row)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Self::Not(a) => a.holds(row).map(|b| !b),
        }
    }

    pub(crate) fn columns(&self, into: &mut Vec<&'static str>) {
        match self {
            Self::Compare(c, ..) | Self::In(c, ..) | Self::Between(c, ..) | Self::IsNull(c, _) => {
                into.push(c)
            }
            Self::And(a, b) | Self::Or(a, b) => {
                a.columns(into);
                b.columns(into);
            }
            Self::Not(a) => a.columns(into),
        }
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(column, comparison, literal) => {
                let sign = match comparison {
                    Comparison::Equal => "=",
                    Comparison::Unequal => "<>",
                    Comparison::Less => "<",
                    Comparison::LessOrEqual => "<=",
                    Comparison::Greater => ">",
                    Comparison::GreaterOrEqual => ">=",
                };
                write!(f, "{column} {sign} {literal}")
            }
            Self::In(column, list, negated) => {
                let list: Vec<String> = list.iter().map(ToString::to_string).collect();
                write!(f, "{column} {}IN ({})", if *negated { "NOT " } else { "" }, list.join(", "))
            }
            Self::Between(column, low, high) => write!(f, "{column} BETWEEN {low} AND {high}"),
            Self::IsNull(column, negated) => {
                write!(f, "{column} IS {}NULL", if *negated { "NOT " } else { "" })
            }
            Self::And(a, b) => write!(f, "({a} AND {b})"),
            Self::Or(a, b) => write!(f, "({a} OR {b})"),
            Self::Not(a) => write!(f, "NOT ({a})"),
        }
    }
}

/// A group key.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    Column(&'static str),
    /// `CASE WHEN … THEN 'yes' ELSE 'no' END`.
    Case(Condition),
    /// `column / n`, whole numbers.
    Band(&'static str, i64),
}

impl Key {
    pub(crate) fn of(&self, row: &Row) -> Option<Value> {
        match self {
            Self::Column(column) => row.get(column).cloned(),
            Self::Case(condition) => {
                Some(Value::Text(if condition.holds(row) == Some(true) { "yes" } else { "no" }.to_owned()))
            }
            Self::Band(column, width) => match row.get(column)? {
                Value::Int(i) => Some(Value::Int(i / width)),
                other => panic!("a band of {other:?}"),
            },
        }
    }

    pub(crate) fn columns(&self, into: &mut Vec<&'static str>) {
        match self {
            Self::Column(column) | Self::Band(column, _) => into.push(column),
            Self::Case(condition) => condition.columns(into),
        }
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(column) => f.write_str(column),
            Self::Case(condition) => write!(f, "CASE WHEN {condition} THEN 'yes' ELSE 'no' END"),
            Self::Band(column, width) => write!(f, "{column} / {width}"),
        }
    }
}

/// What one CASE branch gives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    Measure(&'static str),
    One,
    Zero,
    Null,
}

impl Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Measure(column) => column,
            Self::One => "1",
            Self::Zero => "0",
            Self::Null => "NULL",
        })
    }
}

/// What stands inside an aggregate.
#[derive(Debug, Clone)]
pub(crate) enum Argument {
    Rows,
    Measure(&'static str),
    Case(Condition, Term, Term),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Function {
    Count,
    Sum,
    Avg,
}

/// One aggregate.
#[derive(Debug, Clone)]
pub(crate) struct Aggregate {
    pub(crate) function: Function,
    pub(crate) argument: Argument,
    pub(crate) filter: Option<Condition>,
}

impl Aggregate {
    /// The branch that this row contributes to, if any: 0 for the argument or THEN, 1 for ELSE.
    pub(crate) fn branch(&self, row: &Row) -> Option<usize> {
        if self.filter.as_ref().is_some_and(|filter| filter.holds(row) != Some(true)) {
            return None;
        }
        match &self.argument {
            Argument::Rows => Some(0),
            Argument::Measure(column) => row.contains_key(column).then_some(0),
            Argument::Case(condition, then, otherwise) => {
                let (branch, term) =
                    if condition.holds(row) == Some(true) { (0, then) } else { (1, otherwise) };
                match term {
                    Term::Measure(column) => row.contains_key(column).then_some(branch),
                    Term::One => Some(branch),
                    Term::Zero | Term::Null => None,
                }
            }
        }
    }

    /// The branches that are cells of their own.
    pub(crate) fn branches(&self) -> Vec<usize> {
        match &self.argument {
            Argument::Rows | Argument::Measure(_) => vec![0],
            Argument::Case(_, then, otherwise) => [then, otherwise]
                .into_iter()
                .enumerate()
                .filter(|(_, term)| matches!(term, Term::Measure(_) | Term::One))
                .map(|(branch, _)| branch)
                .collect(),
        }
    }

    /// Columns of its conditions, and the measures that can be missing.
    pub(crate) fn columns(&self, conditions: &mut Vec<&'static str>) {
        if let Some(filter) = &self.filter {
            filter.columns(conditions);
        }
        if let Argument::Case(condition, ..) = &self.argument {
            condition.columns(conditions);
        }
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.function {
            Function::Count => "count",
            Function::Sum => "sum",
            Function::Avg => "avg",
        };
        match &self.argument {
            Argument::Rows => write!(f, "{name}(*)")?,
            Argument::Measure(column) => write!(f, "{name}({column})")?,
            Argument::Case(condition, then, otherwise) => {
                write!(f, "{name}(CASE WHEN {condition} THEN {then}")?;
                if *otherwise != Term::Null {
                    write!(f, " ELSE {otherwise}")?;
                }
                f.write_str(" END)")?;
            }
        }
        if let Some(filter) = &self.filter {
            write!(f, " FILTER (WHERE {filter})")?;
        }
        Ok(())
    }
}

/// A whole question.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) keys: Vec<Key>,
    pub(crate) aggregates: Vec<Aggregate>,
    /// Expressions over `{i}`, the aggregates, that stand above the cut beside them.
    pub(crate) above: Vec<String>,
    pub(crate) filter: Option<Condition>,
    /// An expression over `{i}`.
    pub(crate) having: Option<String>,
    /// ORDER BY all keys; a LIMIT only over that.
    pub(crate) ordered: bool,
    pub(crate) limit: Option<usize>,
}

impl Question {
    fn above_the_cut(&self, template: &str) -> String {
        self.aggregates.iter().enumerate().fold(template.to_owned(), |text, (i, aggregate)| {
            text.replace(&format!("{{{i}}}"), &aggregate.to_string())
        })
    }

    /// Columns in conditions and keys: what could leave somebody out, and what a group is made of.
    pub(crate) fn condition_columns(&self, aggregate: &Aggregate) -> Vec<&'static str> {
        let mut columns = Vec::new();
        if let Some(filter) = &self.filter {
            filter.columns(&mut columns);
        }
        aggregate.columns(&mut columns);
        for key in &self.keys {
            key.columns(&mut columns);
        }
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    pub(crate) fn passes(&self, row: &Row) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.holds(row) == Some(true))
    }

    pub(crate) fn reads(&self, column: &str) -> bool {
        let mut columns = Vec::new();
        if let Some(filter) = &self.filter {
            filter.columns(&mut columns);
        }
        for key in &self.keys {
            key.columns(&mut columns);
        }
        for aggregate in &self.aggregates {
            aggregate.columns(&mut columns);
        }
        columns.contains(&column)
    }
}

impl Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut select: Vec<String> =
            self.keys.iter().enumerate().map(|(i, key)| format!("{key} AS k{i}")).collect();
        select.extend(self.aggregates.iter().enumerate().map(|(i, a)| format!("{a} AS v{i}")));
        select.extend(
            self.above.iter().enumerate().map(|(i, above)| format!("{} AS e{i}", self.above_the_cut(above))),
        );
        write!(f, "SELECT {} FROM cardiac", select.join(", "))?;
        if let Some(filter) = &self.filter {
            write!(f, " WHERE {filter}")?;
        }
        if !self.keys.is_empty() {
            let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
            write!(f, " GROUP BY {}", keys.join(", "))?;
        }
        if let Some(having) = &self.having {
            write!(f, " HAVING {}", self.above_the_cut(having))?;
        }
        if self.ordered && !self.keys.is_empty() {
            let keys: Vec<String> = (0..self.keys.len()).map(|i| format!("k{i}")).collect();
            write!(f, " ORDER BY {}", keys.join(", "))?;
            if let Some(limit) = self.limit {
                write!(f, " LIMIT {limit}")?;
            }
        }
        Ok(())
    }
}
