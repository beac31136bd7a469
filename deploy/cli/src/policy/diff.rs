//! `liquid policy diff`: what a version changes, clause by clause, the verdict first.

use liquid_policy::diff::{Change, Diff, Direction, Example, diff};
use liquid_policy::refusal::Refusal;
use serde_json::{Value, json};

use super::read_agreement;
use crate::args::{Diff as Arguments, Said};
use crate::failure::Failure;
use crate::terminal::{say_json, say_wrapped};

/// Compares two files.
///
/// # Errors
/// Where one of them is no agreement.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let found = diff(&read_agreement(&arguments.old)?.0, &read_agreement(&arguments.new)?.0);
    match arguments.format {
        Said::Text => lines(&found).iter().for_each(|line| say_wrapped(line)),
        Said::Json => say_json(&in_json(&found).to_string()),
    }
    Ok(())
}

fn lines(found: &Diff) -> Vec<String> {
    let mut lines = vec![headline(found)];
    if found.verdict() == Direction::Same {
        lines.push("  if you have edited it, was it saved?".to_owned());
    }
    for change in found.changes() {
        lines.push(String::new());
        lines.push(format!("{:<9} {} ({})", word(change), change.clause(), change.class().letter()));
        lines.push(format!("  {}", change.sentence()));
        match change.example() {
            None => {}
            Some(Example::Cells(cells)) => lines.push(format!("  for example: {cells}")),
            Some(Example::Question(asked)) => {
                lines.push(format!(
                    "  for example, asked by {}/{} for {} on {}:",
                    asked.organisation, asked.role, asked.purpose, asked.day
                ));
                lines.push(format!("    {}", asked.sql));
                lines.push(format!("    before: {}", decided(asked.before.as_ref())));
                lines.push(format!("    after:  {}", decided(asked.after.as_ref())));
            }
        }
    }
    lines
}

/// The verdict over the whole, with how many clauses go each way.
fn headline(found: &Diff) -> String {
    let verdict = found.verdict();
    let only_named = ["agreement.version", "agreement.supersedes"];
    match counts(found) {
        None => "same: nothing changes".to_owned(),
        Some(_) if found.changes().iter().all(|it| only_named.contains(&it.clause())) => {
            "same: nothing but the number of the version differs".to_owned()
        }
        Some(counts) => format!("{verdict}: {counts}"),
    }
}

/// How many clauses go each way; none where none changes.
pub(super) fn counts(found: &Diff) -> Option<String> {
    let count = |way| found.changes().iter().filter(|change| change.direction() == way).count();
    let of = |way, one: &str, several: &str| match count(way) {
        0 => None,
        1 => Some(format!("1 clause {one}")),
        n => Some(format!("{n} clauses {several}")),
    };
    let parts: Vec<String> = [
        of(Direction::Loosens, "loosens", "loosen"),
        of(Direction::Neither, "goes both ways or cannot be told", "go both ways or cannot be told"),
        of(Direction::Tightens, "tightens", "tighten"),
        of(Direction::Same, "says the same to machines", "say the same to machines"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn word(change: &Change) -> String {
    change.direction().to_string()
}

fn decided(refusal: Option<&Refusal>) -> String {
    match refusal {
        None => "permitted".to_owned(),
        Some(refusal) => format!("refused {}: {} (clause {})", refusal.code, refusal.message, refusal.clause),
    }
}

fn in_json(found: &Diff) -> Value {
    let changes: Vec<Value> = found
        .changes()
        .iter()
        .map(|change| {
            json!({
                "clause": change.clause(),
                "class": change.class().letter(),
                "direction": change.direction(),
                "sentence": change.sentence(),
                "example": change.example().map(example),
            })
        })
        .collect();
    json!({ "verdict": found.verdict(), "changes": changes })
}

fn example(example: &Example) -> Value {
    match example {
        Example::Cells(cells) => json!({ "cells": cells }),
        Example::Question(asked) => {
            let verdict = |refusal: &Option<Refusal>| match refusal {
                None => json!({ "verdict": "permit" }),
                Some(refusal) => json!({
                    "verdict": "refusal", "code": refusal.code, "clause": refusal.clause,
                    "message": refusal.message, "fix": refusal.fix,
                }),
            };
            json!({
                "as": format!("{}/{}", asked.organisation, asked.role),
                "purpose": asked.purpose,
                "on": asked.day,
                "sql": asked.sql,
                "before": verdict(&asked.before),
                "after": verdict(&asked.after),
            })
        }
    }
}
