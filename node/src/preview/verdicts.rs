//! Past questions, decided under the version that stands and under the draft, from what they touch alone: no data, no engine.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use liquid_node_api::preview::{Questions, Reason};
use liquid_policy::admit::{Named, foresee};
use liquid_policy::decide::judge;
use liquid_policy::{Agreement, Code, Refusal};

use super::past::{Past, Question};

/// Examples that are shown of one reason.
const EXAMPLES_MAX: usize = 3;
/// Reasons that are shown.
const REASONS_MAX: usize = 100;

/// How the questions fare.
pub(super) struct Verdicts<'a> {
    /// The numbers.
    pub(super) questions: Questions,
    refused: BTreeMap<Why, (u64, Vec<&'a str>)>,
    permitted: BTreeMap<Why, (u64, Vec<&'a str>)>,
    /// Those that both permit.
    pub(super) both: Vec<&'a Question>,
}

/// Code, clause and message.
type Why = (Code, String, String);

impl<'a> Verdicts<'a> {
    /// Decides all of them, each version on a day of its own.
    pub(super) fn of(past: &'a Past, old: (&Agreement, NaiveDate), new: (&Agreement, NaiveDate)) -> Self {
        let mut verdicts = Self {
            questions: Questions {
                asked: past.asked,
                callers: past.callers.len() as u64,
                ..Questions::default()
            },
            refused: BTreeMap::new(),
            permitted: BTreeMap::new(),
            both: Vec::new(),
        };
        for question in &past.questions {
            let counted = &mut verdicts.questions;
            if question.cuts.is_empty() {
                counted.unknown += question.times;
                continue;
            }
            match (decided(question, old), decided(question, new)) {
                (Ok(()), Ok(())) => {
                    counted.still_permitted += question.times;
                    verdicts.both.push(question);
                }
                (Ok(()), Err(refusal)) => {
                    counted.newly_refused += question.times;
                    note(&mut verdicts.refused, refusal, question);
                }
                (Err(refusal), Ok(())) => {
                    counted.newly_permitted += question.times;
                    note(&mut verdicts.permitted, refusal, question);
                }
                (Err(_), Err(_)) => counted.still_refused += question.times,
            }
        }
        verdicts
    }

    /// What would newly be refused, the most frequent first.
    pub(super) fn newly_refused(&self) -> Vec<Reason> {
        reasons(&self.refused)
    }

    /// What would newly be permitted, by what refuses it today.
    pub(super) fn newly_permitted(&self) -> Vec<Reason> {
        reasons(&self.permitted)
    }
}

/// What a version says of a question, as if it stood on that day.
fn decided(question: &Question, (agreement, day): (&Agreement, NaiveDate)) -> Result<(), Refusal> {
    let named =
        Named { purpose: Some(&question.purpose), agreement: Some(agreement.id()), ..Named::default() };
    foresee(agreement, &question.caller, named, day)?;
    question.cuts.iter().try_for_each(|cut| judge(agreement, cut).map(|_| ()))
}

fn note<'a>(found: &mut BTreeMap<Why, (u64, Vec<&'a str>)>, refusal: Refusal, question: &'a Question) {
    let (times, examples) = found.entry((refusal.code, refusal.clause, refusal.message)).or_default();
    *times += question.times;
    let shape = question.shape.as_str();
    if examples.len() < EXAMPLES_MAX && !examples.contains(&shape) {
        examples.push(shape);
    }
}

fn reasons(found: &BTreeMap<Why, (u64, Vec<&str>)>) -> Vec<Reason> {
    let mut all: Vec<Reason> = found
        .iter()
        .map(|((code, clause, message), (questions, examples))| Reason {
            code: *code,
            clause: clause.clone(),
            message: message.clone(),
            questions: *questions,
            examples: examples.iter().map(|shape| (*shape).to_owned()).collect(),
        })
        .collect();
    all.sort_by_key(|reason| std::cmp::Reverse(reason.questions));
    all.truncate(REASONS_MAX);
    all
}
