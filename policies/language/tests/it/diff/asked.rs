//! What is asked of every pair of agreements: questions of every shape, all callers, and the days on which something changes.

use super::steps::steps;
use crate::support::{caller, day};
use chrono::NaiveDate;
use liquid_policy::Caller;
use liquid_policy::footprint::{
    Aggregate, Argument, DateUse, Footprint, Function, GroupKey, Looked, Term, column_in_cut,
};
use liquid_policy::grain::Grain;

pub(super) fn columns(names: &[&str]) -> Vec<liquid_policy::id::ColumnName> {
    names.iter().map(|name| (*name).into()).collect()
}

/// Every column of every table in every position, and joins on all pairs of keys with a column of each table in each position.
pub(super) fn questions() -> Vec<Footprint> {
    const TABLES: [(&str, &[&str]); 4] = [
        ("person", &["upi", "ward", "age", "income", "note", "more"]),
        ("visit", &["upi", "vid", "cost", "kind"]),
        ("ward", &["ward", "region"]),
        ("extra", &["upi", "uid", "size"]),
    ];
    let rows = || Aggregate { function: Function::Count, argument: Argument::Rows, filter: vec![] };
    let over = |tables: &[&str]| Footprint {
        tables: tables.iter().map(|table| (*table).into()).collect(),
        joins: vec![],
        mixed: false,
        dates: vec![],
        step: None,
        filter: vec![],
        groups: vec![],
        aggregates: vec![rows()],
    };
    let mut all = Vec::new();
    let positions = |from: &Footprint, column: &str| {
        let mut found = vec![
            Footprint { filter: columns(&[column]), ..from.clone() },
            Footprint { groups: vec![GroupKey { columns: columns(&[column]) }], ..from.clone() },
            Footprint {
                aggregates: vec![Aggregate { filter: columns(&[column]), ..rows() }],
                ..from.clone()
            },
        ];
        let term = |names: &[&str]| Term { columns: columns(names), factors: vec![] };
        let case = Argument::Case { conditions: columns(&[column]), branches: vec![term(&[])] };
        let arguments = [
            Argument::Term(term(&[column])),
            Argument::Term(term(&[column, column])),
            case,
            Argument::Expression { conditions: columns(&[column]), columns: Vec::new() },
            Argument::Expression { conditions: Vec::new(), columns: columns(&[column]) },
        ];
        for function in [
            Function::Count,
            Function::CountDistinct,
            Function::Sum,
            Function::Avg,
            Function::Min,
            Function::Max,
        ] {
            for argument in arguments.clone() {
                let aggregates = vec![Aggregate { function, argument, filter: vec![] }];
                found.push(Footprint { aggregates, ..from.clone() });
            }
        }
        found
    };
    for (table, names) in TABLES {
        all.push(over(&[table]));
        for name in names {
            all.extend(positions(&over(&[table]), name));
        }
    }
    all.extend(["visit", "person"].iter().flat_map(|table| steps(&over(&[table]))));
    // Days that begin some steps, and parts that some steps have.
    use Grain::{Day, Month, Quarter, Week, Year};
    for fits in [
        &[Year, Quarter, Month, Week, Day][..],
        &[Year, Quarter, Month, Day],
        &[Quarter, Month, Day],
        &[Month, Week, Day],
        &[Month, Day],
        &[Week, Day],
        &[Day],
        &[],
    ] {
        for looked in [Looked::Compared, Looked::Parts] {
            for (table, column) in [("person", "age"), ("visit", "kind")] {
                let used = DateUse { column: column.into(), looked, fits: fits.to_vec() };
                let groups = vec![GroupKey { columns: columns(&[column]) }];
                all.push(Footprint { groups, dates: vec![used], ..over(&[table]) });
            }
        }
    }
    for (left, keys) in TABLES {
        for (right, others) in TABLES {
            for key in keys.iter().filter(|key| !["age", "income", "note", "more"].contains(*key)) {
                for other in others.iter().filter(|key| ["upi", "vid", "ward"].contains(*key)) {
                    let on = |at, name| column_in_cut(2, at, name);
                    let join = Footprint { joins: vec![(on(0, key), on(1, other))], ..over(&[left, right]) };
                    for name in ["t0.income", "t1.region", "t0.cost", "t1.age"] {
                        all.extend(positions(&join, name).into_iter().step_by(5));
                    }
                    all.push(join);
                }
            }
        }
    }
    all
}

pub(super) fn callers() -> Vec<Caller> {
    let mut all = Vec::new();
    for organisation in ["institute", "bureau", "college"] {
        for role in ["analyst", "lead", "guest"] {
            for purposes in [&["care"][..], &["research"], &["audit"], &["care", "research"]] {
                all.push(caller(organisation, role, purposes));
            }
        }
    }
    all
}

pub(super) fn days() -> Vec<NaiveDate> {
    // Either side of every day that an edit can name.
    let named = [
        "2026-01-01",
        "2026-02-01",
        "2026-03-01",
        "2026-07-01",
        "2026-07-15",
        "2026-08-31",
        "2026-10-31",
        "2026-12-31",
    ];
    named
        .into_iter()
        .flat_map(|named| [day(named) - chrono::Days::new(1), day(named), day(named) + chrono::Days::new(1)])
        .collect()
}
