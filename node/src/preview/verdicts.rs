//! Past questions, decided under the version that stands and under the draft, from what they touch alone: no data, no engine.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use liquid_node_api::preview::{Questions, Reason};
use liquid_policy::admit::{Named, foresee};
use liquid_policy::decide::judge;
use liquid_policy::template::approved;
use liquid_policy::{Agreement, Code, Refusal};

use super::past::{Past, Question};

/// Examples that are shown of one reason.
const EXAMPLES_MAX: usize = 3;
/// Reasons that are shown.
const REASONS_MAX: usize = 100;

/// How the questions fare.
pub(super) struct Verdicts {
    /// The numbers.
    pub(super) questions: Questions,
    /// What would newly be refused, the most frequent first.
    pub(super) newly_refused: Vec<Reason>,
    /// What would newly be permitted, by what refuses it today.
    pub(super) newly_permitted: Vec<Reason>,
    /// The places of those that both permit.
    both: Vec<usize>,
}

/// Questions to which the same is said: how many, and some of their shapes.
type Found<'a> = BTreeMap<(Code, String, String), (u64, Vec<&'a str>)>;

impl Verdicts {
    /// Decides all of them, each version on a day of its own.
    pub(super) fn of(past: &Past, old: (&Agreement, NaiveDate), new: (&Agreement, NaiveDate)) -> Self {
        let (asked, callers) = (past.asked, past.callers.len() as u64);
        let mut counted = Questions { asked, callers, ..Questions::default() };
        let (mut refused, mut permitted, mut both) = (Found::new(), Found::new(), Vec::new());
        for (at, question) in past.questions.iter().enumerate() {
            let number = match (question.cuts.is_empty(), decided(question, old), decided(question, new)) {
                (true, _, _) => &mut counted.unknown,
                (false, Ok(()), Ok(())) => {
                    both.push(at);
                    &mut counted.still_permitted
                }
                (false, Ok(()), Err(refusal)) => {
                    note(&mut refused, refusal, question);
                    &mut counted.newly_refused
                }
                (false, Err(refusal), Ok(())) => {
                    note(&mut permitted, refusal, question);
                    &mut counted.newly_permitted
                }
                (false, Err(_), Err(_)) => &mut counted.still_refused,
            };
            *number += question.times;
        }
        Self {
            questions: counted,
            newly_refused: reasons(&refused),
            newly_permitted: reasons(&permitted),
            both,
        }
    }

    /// Those that both permit.
    pub(super) fn both<'a>(&self, past: &'a Past) -> Vec<&'a Question> {
        self.both.iter().filter_map(|at| past.questions.get(*at)).collect()
    }
}

/// What a version says of a question, as if it stood on that day.
fn decided(question: &Question, (agreement, day): (&Agreement, NaiveDate)) -> Result<(), Refusal> {
    let named =
        Named { purpose: Some(&question.purpose), agreement: Some(agreement.id()), ..Named::default() };
    foresee(agreement, &question.caller, named, day)?;
    let called = question.called.as_ref().map(|(name, sha256)| (name, sha256.as_str()));
    approved(agreement, &question.caller, &question.purpose, called)?;
    question.cuts.iter().try_for_each(|cut| judge(agreement, cut).map(|_| ()))
}

fn note<'a>(found: &mut Found<'a>, refusal: Refusal, question: &'a Question) {
    let (times, examples) = found.entry((refusal.code, refusal.clause, refusal.message)).or_default();
    *times += question.times;
    let shape = question.shape.as_str();
    if examples.len() < EXAMPLES_MAX && !examples.contains(&shape) {
        examples.push(shape);
    }
}

fn reasons(found: &Found<'_>) -> Vec<Reason> {
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
