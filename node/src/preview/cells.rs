//! Past questions, run anew under the version that stands and under a draft that only tightens it, to count what the draft
//! would withhold. Nothing of an answer is told but how many rows and withheld cells it has.
//!
//! A question is run only where the draft changes nothing of what is computed, and asks for more people behind each cell. Then
//! both answers are over the same people, and each number that is told is about at least the standing minimum of them.

use liquid_disclosure::{Released, Table};
use liquid_node_api::Error;
use liquid_node_api::preview::{AnswerCells, Cells, Shown};
use liquid_node_api::sql::request_id;
use liquid_policy::admit::Named;
use liquid_policy::{Agreement, Obligations, Permit, decide_tighter};
use tokio::time::Instant;

use super::past::Question;
use crate::check::{approved, check, engine};
use crate::node::Node;
use crate::pipeline::{self, Remembers, computed, few_enough};
use crate::serve::Session;

/// Questions that are run.
const RUN_MAX: usize = 50;

/// What came of one question.
enum Ran {
    Counted(Box<AnswerCells>),
    /// The draft changes more than the minimum.
    Other,
    /// The answer has more rows than the draft lets out.
    TooLong,
}

/// Runs the most frequent questions first.
pub(super) async fn count(
    node: &Node,
    session: &Session,
    mut questions: Vec<&Question>,
    versions: (&Agreement, &Agreement),
    deadline: Instant,
) -> Cells {
    questions.sort_by_key(|question| std::cmp::Reverse(question.times));
    let (mut answers, mut not_run, mut not_counted, mut too_long) = (Vec::new(), 0, 0, 0);
    for question in questions {
        if answers.len() >= RUN_MAX || Instant::now() >= deadline {
            not_run += 1;
            continue;
        }
        match run(node, session, question, versions, deadline).await {
            Ok(Ran::Counted(cells)) => answers.push(*cells),
            Ok(Ran::Other) => not_counted += 1,
            Ok(Ran::TooLong) => too_long += 1,
            Err(error) => {
                tracing::debug!(%error, "a past question was not run for a preview");
                not_run += 1;
            }
        }
    }
    Cells::ByQuestion { answers, too_long, not_run, not_counted }
}

async fn run(
    node: &Node,
    session: &Session,
    question: &Question,
    (old, new): (&Agreement, &Agreement),
    deadline: Instant,
) -> Result<Ran, Error> {
    let gone = || Error::fault("the question is not known whole", false, "none");
    let (request, sealed) = question.sealed.as_ref().ok_or_else(gone)?;
    let facts = node.log.facts(request, sealed).map_err(|_| gone())?;
    let named =
        Named { purpose: Some(&question.purpose), agreement: Some(old.id()), pinned: Some(old.hash()) };
    let admitted = node.agreements.admit(&question.caller, named, node.time())?;
    let asked = pipeline::Question {
        sql: facts.sql,
        parameters: facts.parameters,
        cut_of: facts.cut_of,
        ..pipeline::Question::unread(&request_id())
    };
    let deadline = deadline.min(Instant::now() + node.config.limits.deadline(None));
    // In the turn of whoever asks for the preview, as any question of theirs.
    let mut engine = engine(node, &session.caller, &asked, deadline).await?;
    let (admitted, _) = approved(&admitted, &asked)?;
    let mut cuts = Vec::new();
    let checked = check(node, &mut engine, &admitted, &asked, &mut cuts).await?;
    let tighter =
        cuts.iter().map(|cut| decide_tighter(&admitted, new, cut)).collect::<Result<Vec<Permit>, _>>()?;
    let pairs = checked.permits.iter().zip(&tighter);
    if !pairs.clone().all(|(old, new)| only_the_minimum(old.obligations(), new.obligations())) {
        return Ok(Ran::Other);
    }
    let standing = computed(node, &mut engine, &checked, &checked.permits, Remembers::No).await?;
    few_enough(&standing, &checked.permits, None)?;
    let draft = computed(node, &mut engine, &checked, &tighter, Remembers::No).await?;
    if few_enough(&draft, &tighter, None).is_err() {
        return Ok(Ran::TooLong);
    }
    let (standing, draft) = (shown(&standing), shown(&draft));
    Ok(Ran::Counted(Box::new(AnswerCells {
        question: question.shape.clone(),
        asked: question.times,
        standing,
        draft,
        newly_withheld: draft.withheld.saturating_sub(standing.withheld),
        groups_gone: standing.rows.saturating_sub(draft.rows),
    })))
}

fn shown(answer: &Released<Table>) -> Shown {
    Shown { rows: answer.get().rows() as u64, withheld: answer.get().withheld() }
}

/// Whether a draft computes the very same and asks for no fewer people. Columns of which it does not speak any more are none that the
/// question reads, since it is permitted.
fn only_the_minimum(old: &Obligations, new: &Obligations) -> bool {
    let mut old = old.clone();
    if new.minimum < old.minimum {
        return false;
    }
    old.minimum = new.minimum;
    old.columns.retain(|name, _| new.columns.contains_key(name));
    for (before, after) in old.tables.iter_mut().zip(&new.tables) {
        before.columns.retain(|name, _| after.columns.contains_key(name));
    }
    old == *new
}
