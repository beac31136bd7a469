//! With a minimum of 10, every released cell has at least 10 patients behind it and, where its plan can leave anyone
//! out, at least 10 left out. The oracle goes through the rows one by one in plain Rust and shares no code with us.

use std::collections::{BTreeMap, BTreeSet};

use liquid_local::answer::Mark;

use crate::generate::{Draw, Grammar, SITES, domain, question};
use crate::heart::{federation, rows};
use crate::pooled::Pooled;
use crate::question::{Aggregate, Argument, Function, Key, Question, Row, Term, Value};

const QUESTIONS: u64 = 1_000;
const MINIMUM: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn no_released_cell_has_few_patients_in_it_or_left_out_of_it() {
    let pooled = Pooled::open().await;
    let federation = federation(10).await;
    let mut client = federation.client(None).unwrap();
    client.set("liquid.marks", "columns").unwrap();
    let (mut released, mut withheld, mut refused) = (0, 0, 0);
    for seed in 0..QUESTIONS {
        let question = question(&mut Draw::new(1_000_000 + seed), Grammar { site: true, above: false });
        let sql = question.to_string();
        let answer = match client.ask(&sql).await {
            Ok(answer) => answer,
            Err(error) => {
                assert!(chooses_by_measure(&question), "question {seed}: {sql}\n{error}");
                assert!(error.to_string().contains("condition, key or join that reads it"), "{error}");
                refused += 1;
                continue;
            }
        };
        for row in rows(&answer) {
            let keys: Vec<Option<Value>> =
                row.iter().take(question.keys.len()).map(|(value, _)| value.clone()).collect();
            for (cell, aggregate) in row.iter().skip(question.keys.len()).zip(&question.aggregates) {
                if cell.1 == Mark::Withheld {
                    assert_eq!(cell.0, None, "question {seed}: {sql}: a withheld cell has a value");
                    withheld += 1;
                    continue;
                }
                released += 1;
                for site in concerned(&pooled, &question, aggregate, &keys) {
                    judge(&pooled, &question, aggregate, &keys, site)
                        .unwrap_or_else(|why| panic!("question {seed}: {sql}\n{keys:?} at {site}: {why}"));
                }
            }
        }
    }
    assert!((10..500).contains(&refused), "{refused} questions refused");
    assert!(released > 500, "only {released} cells released: the oracle saw too little");
    assert!(withheld > 500, "only {withheld} cells withheld: the oracle saw too little");
}

/// A sum or an average that chooses its rows by what it adds up is refused.
fn chooses_by_measure(question: &Question) -> bool {
    question.aggregates.iter().any(|aggregate| {
        let conditions = question.condition_columns(aggregate);
        aggregate.function != Function::Count && measures(aggregate).iter().any(|m| conditions.contains(m))
    })
}

/// The sites that have a part in a cell: a condition on `site` alone, or a key, can leave a site out in public.
fn concerned(
    pooled: &Pooled,
    question: &Question,
    aggregate: &Aggregate,
    keys: &[Option<Value>],
) -> Vec<&'static str> {
    let possible = |site: &&'static str| {
        assignments(pooled, &question.condition_columns(aggregate), site).is_none_or(|all| {
            all.iter().any(|row| in_group(question, row, keys) && inside(question, aggregate, row))
        })
    };
    SITES.into_iter().filter(|site| possible(site)).collect()
}

/// Whether somebody at this site lacks a value, which is public in this agreement.
fn lacks(pooled: &Pooled, site: &str, column: &str) -> bool {
    let here = Some(Value::Text(site.to_owned()));
    pooled.rows.iter().any(|row| row.get("site") == here.as_ref() && !row.contains_key(column))
}

/// Every row of declared values over these columns at one site, or none where that is too many.
fn assignments(pooled: &Pooled, columns: &[&'static str], site: &'static str) -> Option<Vec<Row>> {
    let mut rows = vec![Row::from([("site", Value::Text(site.to_owned()))])];
    for column in columns.iter().filter(|column| **column != "site") {
        let mut values: Vec<Option<Value>> = domain(column).into_iter().map(Some).collect();
        if lacks(pooled, site, column) {
            values.push(None);
        }
        if rows.len() * values.len() > 200_000 {
            return None;
        }
        let with = |row: &Row, value: &Option<Value>| {
            let mut row = row.clone();
            row.extend(value.clone().map(|value| (*column, value)));
            row
        };
        rows = rows
            .iter()
            .flat_map(|row| values.iter().map(|value| with(row, value)).collect::<Vec<_>>())
            .collect();
    }
    Some(rows)
}

fn in_group(question: &Question, row: &Row, keys: &[Option<Value>]) -> bool {
    question.keys.iter().zip(keys).all(|(key, value)| Key::of(key, row) == *value)
}

/// Whether a row's values let it into the cell, missing measures aside.
fn inside(question: &Question, aggregate: &Aggregate, row: &Row) -> bool {
    question.passes(row) && branch_of(aggregate, row).is_some()
}

/// The branch that a row would take if it lacked no measure.
fn branch_of(aggregate: &Aggregate, row: &Row) -> Option<usize> {
    let mut row = row.clone();
    for measure in measures(aggregate) {
        row.entry(measure).or_insert(Value::Int(1));
    }
    aggregate.branch(&row)
}

/// Whether nothing tells one row of the site from another, whatever their declared values.
fn everybody(
    pooled: &Pooled,
    question: &Question,
    aggregate: &Aggregate,
    keys: &[Option<Value>],
    site: &'static str,
) -> bool {
    assignments(pooled, &question.condition_columns(aggregate), site).is_some_and(|all| {
        let branches: BTreeSet<_> = all.iter().map(|row| branch_of(aggregate, row)).collect();
        branches.len() == 1 && all.iter().all(|row| in_group(question, row, keys) && question.passes(row))
    })
}

fn measures(aggregate: &Aggregate) -> Vec<&'static str> {
    let of = |term: &Term| if let Term::Measure(column) = term { Some(*column) } else { None };
    match &aggregate.argument {
        Argument::Rows => vec![],
        Argument::Measure(column) => vec![column],
        Argument::Case(_, then, otherwise) => of(then).into_iter().chain(of(otherwise)).collect(),
    }
}

/// A sum or an average to which a row adds 0 at most: a number alone among zeros is one person's.
fn adds_nothing(aggregate: &Aggregate, row: &Row) -> bool {
    let one = matches!(&aggregate.argument, Argument::Rows)
        || matches!(&aggregate.argument, Argument::Case(_, then, otherwise) if [then, otherwise].contains(&&Term::One));
    let zero = |measure: &&str| row.get(*measure).is_some_and(|value| value.number() == 0.0);
    let measures = measures(aggregate);
    aggregate.function != Function::Count
        && !one
        && measures.iter().any(zero)
        && measures.iter().all(|m| row.get(m).is_none() || zero(m))
}

fn judge(
    pooled: &Pooled,
    question: &Question,
    aggregate: &Aggregate,
    keys: &[Option<Value>],
    site: &'static str,
) -> Result<(), String> {
    let here = Some(&Value::Text(site.to_owned()));
    let group = pooled.rows.iter().filter(|row| row.get("site") == here && in_group(question, row, keys));
    let mut contributors: BTreeMap<usize, BTreeSet<String>> =
        aggregate.branches().into_iter().map(|branch| (branch, BTreeSet::new())).collect();
    let mut left_out: BTreeSet<String> = BTreeSet::new();
    let everybody = everybody(pooled, question, aggregate, keys, site);
    for row in group {
        let patient = row["patient"].to_string();
        let branch = aggregate.branch(row).filter(|_| question.passes(row));
        match branch.and_then(|branch| contributors.get_mut(&branch)) {
            Some(_) if adds_nothing(aggregate, row) => {}
            Some(of_branch) => drop(of_branch.insert(patient)),
            // Only a missing measure leaves it out: who lacks one is public, but not what else is true of them.
            None if everybody && inside(question, aggregate, row) => {}
            None if adds_nothing(aggregate, row) => {}
            None => drop(left_out.insert(patient)),
        }
    }
    if let Some((branch, few)) = contributors.iter().find(|(_, of_branch)| of_branch.len() < MINIMUM) {
        return Err(format!("branch {branch} has {} contributors", few.len()));
    }
    let by_missing = !everybody && measures(aggregate).iter().any(|measure| lacks(pooled, site, measure));
    let can_leave_out = by_missing
        || assignments(pooled, &question.condition_columns(aggregate), site).is_none_or(|all| {
            all.iter().any(|row| in_group(question, row, keys) && !inside(question, aggregate, row))
        });
    if can_leave_out && left_out.len() < MINIMUM {
        return Err(format!("{} are left out", left_out.len()));
    }
    Ok(())
}
