//! A small grammar of questions, with its own meaning in plain Rust and its own SQL text.

use proptest::prelude::*;

/// The columns of the table `t`, entity apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Col {
    Sex,
    Band,
    Age,
    X,
    Y,
}

pub(crate) const COLS: [Col; 5] = [Col::Sex, Col::Band, Col::Age, Col::X, Col::Y];

impl Col {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sex => "sex",
            Self::Band => "band",
            Self::Age => "age",
            Self::X => "x",
            Self::Y => "y",
        }
    }

    pub(crate) fn text(self) -> bool {
        matches!(self, Self::Sex | Self::Band)
    }

    /// The declared domain, where there is one.
    pub(crate) fn domain(self) -> Vec<Val> {
        match self {
            Self::Sex => vec![Val::Text("F"), Val::Text("M")],
            Self::Band => vec![Val::Text("A"), Val::Text("B"), Val::Text("C")],
            Self::Age => (0..=4).map(Val::Int).collect(),
            Self::X | Self::Y => (0..=2).map(Val::Int).collect(),
        }
    }

    /// What may stand in a file: the domain, and values outside of it that no question names.
    pub(crate) fn values(self) -> Vec<Val> {
        let mut values = self.domain();
        values.extend(match self {
            Self::Sex => vec![Val::Text("D")],
            Self::Band => vec![Val::Text("Z")],
            Self::Age => vec![Val::Int(-1), Val::Int(5), Val::Int(6)],
            Self::X | Self::Y => vec![Val::Int(7)],
        });
        values
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Val {
    Null,
    Int(i64),
    Text(&'static str),
}

impl Val {
    pub(crate) fn sql(self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Int(value) => value.to_string(),
            Self::Text(value) => format!("'{value}'"),
        }
    }

    /// As a line of a result shows it.
    pub(crate) fn shown(self) -> String {
        self.sql().trim_matches('\'').to_owned()
    }
}

/// A row: its entity, and a value a column in the order of [`COLS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) values: [Val; 5],
}

impl Row {
    pub(crate) fn get(&self, col: Col) -> Val {
        self.values[col as usize]
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Pred {
    Eq(Col, Val),
    Ne(Col, Val),
    In(Col, Vec<Val>),
    Gt(Col, Val),
    Null(Col),
    Not(Box<Pred>),
    And(Box<Pred>, Box<Pred>),
    Or(Box<Pred>, Box<Pred>),
}

impl Pred {
    /// True, false, or unknown.
    pub(crate) fn eval(&self, row: &Row) -> Option<bool> {
        let known = |col: Col| Some(row.get(col)).filter(|value| *value != Val::Null);
        match self {
            Self::Eq(col, value) => known(*col).map(|found| found == *value),
            Self::Ne(col, value) => known(*col).map(|found| found != *value),
            Self::In(col, values) => known(*col).map(|found| values.contains(&found)),
            Self::Gt(col, value) => known(*col).map(|found| found > *value),
            Self::Null(col) => Some(row.get(*col) == Val::Null),
            Self::Not(inner) => inner.eval(row).map(|inner| !inner),
            Self::And(left, right) => match (left.eval(row), right.eval(row)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(left, right) => match (left.eval(row), right.eval(row)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }

    pub(crate) fn holds(&self, row: &Row) -> bool {
        self.eval(row) == Some(true)
    }

    pub(crate) fn sql(&self) -> String {
        match self {
            Self::Eq(col, value) => format!("{} = {}", col.name(), value.sql()),
            Self::Ne(col, value) => format!("{} <> {}", col.name(), value.sql()),
            Self::In(col, values) => {
                let values: Vec<String> = values.iter().map(|value| value.sql()).collect();
                format!("{} IN ({})", col.name(), values.join(", "))
            }
            Self::Gt(col, value) => format!("{} > {}", col.name(), value.sql()),
            Self::Null(col) => format!("{} IS NULL", col.name()),
            Self::Not(inner) => format!("NOT ({})", inner.sql()),
            Self::And(left, right) => format!("({}) AND ({})", left.sql(), right.sql()),
            Self::Or(left, right) => format!("({}) OR ({})", left.sql(), right.sql()),
        }
    }

    pub(crate) fn cols(&self, into: &mut Vec<Col>) {
        match self {
            Self::Eq(col, _) | Self::Ne(col, _) | Self::In(col, _) | Self::Gt(col, _) | Self::Null(col) => {
                into.push(*col);
            }
            Self::Not(inner) => inner.cols(into),
            Self::And(left, right) | Self::Or(left, right) => {
                left.cols(into);
                right.cols(into);
            }
        }
    }
}

/// A group key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Col(Col),
    Case(Pred),
}

impl Key {
    pub(crate) fn eval(&self, row: &Row) -> Val {
        match self {
            Self::Col(col) => row.get(*col),
            Self::Case(pred) => Val::Text(if pred.holds(row) { "yes" } else { "no" }),
        }
    }

    pub(crate) fn sql(&self) -> String {
        match self {
            Self::Col(col) => col.name().to_owned(),
            Self::Case(pred) => format!("CASE WHEN {} THEN 'yes' ELSE 'no' END", pred.sql()),
        }
    }

    pub(crate) fn cols(&self, into: &mut Vec<Col>) {
        match self {
            Self::Col(col) => into.push(*col),
            Self::Case(pred) => pred.cols(into),
        }
    }
}

/// What an arm of an argument gives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Term {
    Cols(Vec<Col>),
    Literal(i64),
}

impl Term {
    pub(crate) fn sql(&self) -> String {
        match self {
            Self::Cols(cols) => cols.iter().map(|col| col.name()).collect::<Vec<_>>().join(" * "),
            Self::Literal(value) => value.to_string(),
        }
    }

    pub(crate) fn cols(&self) -> &[Col] {
        match self {
            Self::Cols(cols) => cols,
            Self::Literal(_) => &[],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Arg {
    Rows,
    Term(Vec<Col>),
    Entity,
    Case { whens: Vec<(Pred, Term)>, otherwise: Option<Term> },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Agg {
    pub(crate) function: &'static str,
    pub(crate) arg: Arg,
    pub(crate) filter: Option<Pred>,
}

impl Agg {
    pub(crate) fn sql(&self) -> String {
        let arg = match &self.arg {
            Arg::Rows => "*".to_owned(),
            Arg::Term(cols) => Term::Cols(cols.clone()).sql(),
            Arg::Entity => "DISTINCT id".to_owned(),
            Arg::Case { whens, otherwise } => {
                let whens: Vec<String> = whens
                    .iter()
                    .map(|(when, then)| format!("WHEN {} THEN {}", when.sql(), then.sql()))
                    .collect();
                let otherwise = otherwise.as_ref().map(|term| format!(" ELSE {}", term.sql()));
                format!("CASE {}{} END", whens.join(" "), otherwise.unwrap_or_default())
            }
        };
        let filter = self.filter.as_ref().map(|pred| format!(" FILTER (WHERE {})", pred.sql()));
        format!("{}({arg}){}", self.function, filter.unwrap_or_default())
    }
}

/// One question to the table `t`.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) filter: Option<Pred>,
    pub(crate) keys: Vec<Key>,
    pub(crate) aggs: Vec<Agg>,
}

impl Question {
    pub(crate) fn sql(&self) -> String {
        let keys: Vec<String> = self.keys.iter().map(Key::sql).collect();
        let outputs = keys.iter().enumerate().map(|(at, key)| format!("{key} AS g{at}"));
        let aggs = self.aggs.iter().enumerate().map(|(at, agg)| format!("{} AS a{at}", agg.sql()));
        let outputs: Vec<String> = outputs.chain(aggs).collect();
        let filter = self.filter.as_ref().map(|pred| format!(" WHERE {}", pred.sql())).unwrap_or_default();
        let group = if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) };
        format!("SELECT {} FROM t{filter}{group}", outputs.join(", "))
    }
}

fn literal(col: Col) -> impl Strategy<Value = Val> {
    proptest::sample::select(col.domain())
}

fn col() -> impl Strategy<Value = Col> {
    proptest::sample::select(vec![Col::Sex, Col::Sex, Col::Band, Col::Age, Col::Age, Col::X])
}

pub(crate) fn pred() -> impl Strategy<Value = Pred> {
    let leaf = col().prop_flat_map(|col| {
        let compare = (literal(col), 0..3).prop_map(move |(value, kind)| match kind {
            0 => Pred::Eq(col, value),
            1 => Pred::Ne(col, value),
            _ if col.text() => Pred::Ne(col, value),
            _ => Pred::Gt(col, value),
        });
        let list =
            proptest::sample::subsequence(col.domain(), 1..=2).prop_map(move |list| Pred::In(col, list));
        let whole = Just(Pred::In(col, col.domain()));
        prop_oneof![4 => compare, 2 => list, 1 => whole, 1 => Just(Pred::Null(col))]
    });
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Pred::Not(Box::new(inner))),
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| Pred::And(Box::new(left), Box::new(right))),
            (inner.clone(), inner).prop_map(|(left, right)| Pred::Or(Box::new(left), Box::new(right))),
        ]
    })
}

fn measures() -> impl Strategy<Value = Vec<Col>> {
    proptest::sample::select(vec![vec![Col::X], vec![Col::Y], vec![Col::X, Col::Y], vec![Col::X, Col::X]])
}

fn term() -> impl Strategy<Value = Term> {
    prop_oneof![
        3 => measures().prop_map(Term::Cols),
        1 => Just(Term::Literal(0)),
        1 => Just(Term::Literal(1)),
    ]
}

fn agg() -> impl Strategy<Value = Agg> {
    let number = proptest::sample::select(vec!["count", "sum", "avg"]);
    let case = (proptest::collection::vec((pred(), term()), 1..3), proptest::option::of(term()))
        .prop_map(|(whens, otherwise)| Arg::Case { whens, otherwise });
    let call = prop_oneof![
        2 => Just(("count", Arg::Rows)),
        2 => Just(("count", Arg::Entity)),
        1 => proptest::sample::select(vec![Col::Sex, Col::Age]).prop_map(|col| ("count", Arg::Term(vec![col]))),
        3 => (number.clone(), measures()).prop_map(|(function, cols)| (function, Arg::Term(cols))),
        4 => (number, case),
    ];
    (call, proptest::option::weighted(0.4, pred())).prop_map(|((function, arg), filter)| {
        // A count takes a column or CASE, never a product.
        let arg = match arg {
            Arg::Term(cols) if function == "count" => Arg::Term(cols.into_iter().take(1).collect()),
            arg => arg,
        };
        Agg { function, arg, filter }
    })
}

pub(crate) fn question() -> impl Strategy<Value = Question> {
    let key = prop_oneof![
        4 => proptest::sample::select(vec![Col::Sex, Col::Band, Col::Age]).prop_map(Key::Col),
        1 => pred().prop_map(Key::Case),
    ];
    let keys = proptest::collection::vec(key, 0..3);
    let aggs = proptest::collection::vec(agg(), 1..4);
    (proptest::option::of(pred()), keys, aggs).prop_map(|(filter, mut keys, mut aggs)| {
        keys.dedup();
        aggs.dedup();
        Question { filter, keys, aggs }
    })
}
