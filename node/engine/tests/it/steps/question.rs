//! Generated tables and questions: conditions below and above a step, keys, bins, and what is computed over them.

use proptest::prelude::*;

/// A visit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) ward: Option<&'static str>,
    pub(super) kind: &'static str,
    pub(super) cost: i64,
}

pub(super) fn rows() -> impl Strategy<Value = Vec<Row>> {
    let ward = prop::sample::select(vec![Some("A"), Some("A"), Some("B"), Some("C"), None]);
    let row = (0..9_i64, ward, prop::sample::select(vec!["x", "x", "y", "z"]), -1..3_i64);
    prop::collection::vec(row.prop_map(|(id, ward, kind, cost)| Row { id, ward, kind, cost }), 1..45)
}

/// A condition on a row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Below {
    Kind(&'static str),
    NotKind(&'static str),
    WardOrKind(&'static str, &'static str),
    Ward(&'static str),
}

impl Below {
    pub(super) fn sql(self) -> String {
        match self {
            Self::Kind(kind) => format!("kind = '{kind}'"),
            Self::NotKind(kind) => format!("kind <> '{kind}'"),
            Self::WardOrKind(ward, kind) => format!("(ward = '{ward}' OR kind = '{kind}')"),
            Self::Ward(ward) => format!("ward = '{ward}'"),
        }
    }
}

/// A condition on a row of the step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Above {
    AtLeast(i64),
    Fewer(i64),
    Ward(&'static str),
    AtLeastOrWard(i64, &'static str),
}

impl Above {
    pub(super) fn sql(self) -> String {
        match self {
            Self::AtLeast(n) => format!("n >= {n}"),
            Self::Fewer(n) => format!("n < {n}"),
            Self::Ward(ward) => format!("ward = '{ward}'"),
            Self::AtLeastOrWard(n, ward) => format!("(n >= {n} OR ward = '{ward}')"),
        }
    }

    pub(super) fn reads_ward(self) -> bool {
        matches!(self, Self::Ward(_) | Self::AtLeastOrWard(..))
    }

    pub(super) fn reads_count(self) -> bool {
        !matches!(self, Self::Ward(_))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Everybody,
    Ward,
    Bins,
}

/// What is computed over the rows of the step; a FILTER may stand beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Rows,
    Entities,
    SumOfCounts,
    AvgOfCounts,
    SumOfSums,
    AvgOfSums,
    CountOfSums,
    /// A CASE of two branches that add the same: many, and two.
    Split,
    SplitSums,
}

impl What {
    pub(super) fn of_counts(self) -> bool {
        matches!(self, Self::SumOfCounts | Self::AvgOfCounts)
    }

    pub(super) fn of_sums(self) -> bool {
        matches!(self, Self::SumOfSums | Self::AvgOfSums | Self::CountOfSums | Self::SplitSums)
    }

    pub(super) fn is_split(self) -> bool {
        matches!(self, Self::Split | Self::SplitSums)
    }

    fn sql(self) -> &'static str {
        match self {
            Self::Rows => "count(*)",
            Self::Entities => "count(DISTINCT id)",
            Self::SumOfCounts => "sum(n)",
            Self::AvgOfCounts => "avg(n)",
            Self::SumOfSums => "sum(s)",
            Self::AvgOfSums => "avg(s)",
            Self::CountOfSums => "count(s)",
            Self::Split => "count(CASE WHEN n >= 3 THEN 1 WHEN n >= 2 THEN 1 END)",
            Self::SplitSums => "sum(CASE WHEN n >= 3 THEN s WHEN n >= 2 THEN s END)",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) filter: Vec<Below>,
    /// FILTER of the count, and of the sum.
    pub(super) of_count: Option<Below>,
    pub(super) of_sum: Option<Below>,
    pub(super) by_ward: bool,
    pub(super) above: Option<Above>,
    pub(super) group: Group,
    pub(super) aggregates: Vec<(What, Option<Above>)>,
}

impl Question {
    pub(super) fn sql(&self) -> String {
        let filtered = |filter: Option<Below>| {
            filter.map(|filter| format!(" FILTER (WHERE {})", filter.sql())).unwrap_or_default()
        };
        let ward = if self.by_ward { ", ward" } else { "" };
        let all = |conditions: Vec<String>| match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let step = format!(
            "SELECT id{ward}, count(*){} n, sum(cost){} s FROM visit{} GROUP BY id{ward}",
            filtered(self.of_count),
            filtered(self.of_sum),
            all(self.filter.iter().map(|filter| filter.sql()).collect()),
        );
        let key = match self.group {
            Group::Everybody => None,
            Group::Ward => Some("ward"),
            Group::Bins => Some("CASE WHEN n >= 3 THEN 'many' WHEN n >= 2 THEN 'two' ELSE 'few' END"),
        };
        let aggregates = self.aggregates.iter().enumerate().map(|(at, (what, filter))| {
            let filter = filter.map(|filter| format!(" FILTER (WHERE {})", filter.sql())).unwrap_or_default();
            format!("{}{filter} AS x{at}", what.sql())
        });
        let outputs: Vec<String> = key.iter().map(|key| (*key).to_owned()).chain(aggregates).collect();
        let grouped = key.map(|_| " GROUP BY 1").unwrap_or_default();
        let above = all(self.above.iter().map(|above| above.sql()).collect());
        format!("SELECT {} FROM ({step}) p{above}{grouped}", outputs.join(", "))
    }

    /// Neither a count nor the ward stands where it may not.
    fn fits(&self) -> bool {
        let conditions: Vec<Above> =
            self.above.into_iter().chain(self.aggregates.iter().filter_map(|(_, filter)| *filter)).collect();
        let wards = conditions.iter().any(|condition| condition.reads_ward()) || self.group == Group::Ward;
        if wards && !self.by_ward {
            return false;
        }
        self.aggregates.iter().all(|(what, filter)| {
            let mut conditions = self.above.iter().chain(filter);
            !what.of_counts() || (self.group != Group::Bins && !conditions.any(|above| above.reads_count()))
        })
    }
}

pub(super) fn question() -> impl Strategy<Value = Question> {
    let below = || {
        prop::sample::select(vec![
            Below::Kind("x"),
            Below::NotKind("z"),
            Below::WardOrKind("A", "x"),
            Below::Ward("A"),
        ])
    };
    let above = || {
        prop::sample::select(vec![
            Above::AtLeast(1),
            Above::AtLeast(2),
            Above::Fewer(3),
            Above::Ward("A"),
            Above::AtLeastOrWard(3, "B"),
        ])
    };
    let what = prop::sample::select(vec![
        What::Rows,
        What::Entities,
        What::SumOfCounts,
        What::AvgOfCounts,
        What::SumOfSums,
        What::AvgOfSums,
        What::CountOfSums,
        What::Split,
        What::SplitSums,
    ]);
    let aggregate = (what, prop::option::weighted(0.3, above()));
    let parts = (
        prop::collection::vec(below(), 0..3),
        prop::option::weighted(0.4, below()),
        prop::option::weighted(0.4, below()),
        any::<bool>(),
        prop::option::weighted(0.4, above()),
        prop::sample::select(vec![Group::Everybody, Group::Ward, Group::Bins]),
        prop::collection::vec(aggregate, 1..3),
    );
    let made = parts.prop_map(|(mut filter, of_count, of_sum, by_ward, above, group, mut aggregates)| {
        filter.dedup();
        aggregates.dedup(); // a question asks for the same thing once
        Question { filter, of_count, of_sum, by_ward, above, group, aggregates }
    });
    made.prop_filter("a count or the ward stands where it may not", Question::fits)
}

/// Under a minimum, what an entity's rows are told apart by is a key of the answer, and what stands under conditions is not averaged.
pub(super) fn under_a_minimum() -> impl Strategy<Value = Question> {
    question().prop_map(|mut question| {
        if question.by_ward {
            question.group = Group::Ward;
        }
        if !question.filter.is_empty() || question.of_count.is_some() || question.of_sum.is_some() {
            for (what, _) in &mut question.aggregates {
                *what = match *what {
                    What::AvgOfCounts => What::SumOfCounts,
                    What::AvgOfSums => What::SumOfSums,
                    other => other,
                };
            }
            question.aggregates.dedup();
        }
        question
    })
}
