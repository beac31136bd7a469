//! What a draft would have meant for the questions of the past, told to the people of the site's own organisation.
//!
//! - [`who`]: who may ask, and how the node knows.
//! - [`past`]: the questions of a period, from the audit log.
//! - [`verdicts`]: each held against the version that stands and the draft, by the plan alone.
//! - [`cells`]: those that both permit, run on today's data, where the draft only tightens.
//!
//! What is told and what is not, with the attacks behind it: `node/rationale/0008-previews.md`.

mod cells;
mod past;
mod verdicts;
mod who;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Days, Utc};
use liquid_node_api::Error;
use liquid_node_api::preview::{Cells, Preview, PreviewRequest, Questions, Reason, Version};
use liquid_policy::diff::compare;
use liquid_policy::{Agreement, Code, Direction, Refusal, Signed};
use ring::digest::{SHA256, digest};
use tokio::time::Instant;

use crate::audit::record::AskedBy;
use crate::audit::{Previewed, Told};
use crate::check::broke_its_word;
use crate::node::Node;
use crate::pipeline::{on_disk, unrecorded};
use crate::serve::Session;
use verdicts::Verdicts;

pub use who::Used;

/// A preview ends after so long, with what it has.
const WITHIN: Duration = Duration::from_secs(60);

/// Drafts of one agreement that are run in a day: nobody needs more to decide, and who looks for a number tries many.
const PREVIEWS_A_DAY: u64 = 20;

/// What has looked at data leaves at the end of one of these, so that its time tells little.
const CLASSES: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(90)];

/// Holds a draft against the questions of the past:
///
/// 1. admit: somebody of the site's own organisation, who approves the agreement for it, and has signed this very request;
/// 2. the draft is read as the node would hold it, and compared with the version that stands;
/// 3. the questions of the period are read from the audit log;
/// 4. each is decided under both, by its footprint alone;
/// 5. where the draft only tightens, those that both permit run under both, and withheld cells are counted;
/// 6. otherwise nothing runs, and every number is rounded;
/// 7. audit: who was told what is recorded, durably;
/// 8. then the report.
///
/// # Errors
/// The refusal, what is wrong with the draft, or a fault. Each is recorded.
pub async fn preview(node: &Node, session: &Session, request: PreviewRequest) -> Result<Vec<u8>, Error> {
    let begun = Instant::now();
    let told = told(node, session, &request, begun).await;
    let record = |agreement, standing, told| Previewed {
        by: AskedBy {
            organisation: session.caller.organisation.clone(),
            roles: session.caller.roles.clone(),
            subject: session.caller.subject.clone(),
        },
        carried_by: session.peer.as_ref().map(|peer| peer.identity.to_string()),
        asked: request.asked.clone(),
        agreement,
        standing,
        told,
    };
    let (answer, record) = match told {
        Ok(preview) => {
            let bytes = serde_json::to_vec(&preview).map_err(|e| broke_its_word(&e.to_string()))?;
            let told = report(&preview, &bytes);
            (Ok(bytes), record(Some(preview.agreement), Some(preview.standing.hash), told))
        }
        Err(error) => {
            let told = refused(&error);
            (Err(error), record(None, None, told))
        }
    };
    on_disk(node, move |log| log.previewed(record)).await.map_err(|e| unrecorded(&e, &"preview".into()))?;
    answer
}

async fn told(
    node: &Node,
    session: &Session,
    request: &PreviewRequest,
    begun: Instant,
) -> Result<Preview, Error> {
    let (now, deadline) = (node.time(), begun + WITHIN);
    let days = who::own(node, session, &request.asked, now)?;
    let draft = Arc::new(read(node, request).await?);
    let standing = standing(node, &draft, now)?;
    who::approves(node, &request.asked, standing.agreement())?;
    of_this_node(node, &draft, standing.agreement())?;
    let Ok(_alone) = node.previews.try_lock() else {
        return Err(Error::fault("another preview is being made", true, "ask again when it is done"));
    };
    let since = now.checked_sub_days(Days::new(days.into())).unwrap_or(DateTime::<Utc>::MIN_UTC);
    let past = Arc::new(past::read(node, draft.id(), since, deadline).await?);
    if past.asked == 0 {
        return Err(Error::invalid(
            format!("nobody has asked anything under agreement `{}` in the last {days} days", draft.id()),
            "look further back with `--days`; a preview needs questions of the past",
        ));
    }
    let (old, new) = (standing.agreement(), &draft);
    let direction = compare(old.file(), new.file()).verdict();
    if direction == Direction::Tightens && past.previews >= PREVIEWS_A_DAY {
        return Err(Refusal::new(
            Code::Limit,
            "liquid.preview",
            format!(
                "{PREVIEWS_A_DAY} drafts of this agreement have been run over past questions in the last day"
            ),
            "preview the next one tomorrow; `liquid policy diff` says at once which way a draft goes",
        )
        .into());
    }
    let today = now.date_naive();
    let judged_on = today.max(*new.in_force().start());
    let verdicts = {
        let (past, old, new) = (Arc::clone(&past), Arc::clone(old), Arc::clone(new));
        apart(move || Verdicts::of(&past, (&old, today), (&new, judged_on))).await?
    };
    let cells = match direction {
        Direction::Tightens => {
            let counted = cells::count(node, session, verdicts.both(&past), (old, new), deadline).await;
            wait(begun).await;
            counted
        }
        Direction::Same => Cells::Same,
        Direction::Loosens | Direction::Neither => {
            Cells::Totals { answers: past.answers, withheld: past.withheld }
        }
    };
    let version = |of: &Agreement| Version { version: of.version().to_owned(), hash: of.hash().clone() };
    let exact = Preview {
        site: node.config.node.site.clone(),
        agreement: draft.id().clone(),
        standing: version(old),
        draft: version(new),
        direction,
        since,
        until: now,
        judged_on,
        rounded_to: None,
        questions: verdicts.questions,
        newly_refused: verdicts.newly_refused,
        newly_permitted: verdicts.newly_permitted,
        cells,
    };
    Ok(match direction {
        Direction::Tightens | Direction::Same => exact,
        Direction::Loosens | Direction::Neither => {
            // By the version that stands: whoever writes the draft would choose what is told of a number.
            rounded(exact, old.minimum_contributors())
        }
    })
}

/// Reading waits for processor and disk, and must be of the draft that was signed for.
async fn read(node: &Node, request: &PreviewRequest) -> Result<Agreement, Error> {
    let (agreements, text) = (Arc::clone(&node.agreements), request.text.clone());
    let files = request.files.clone();
    let draft = apart(move || agreements.draft(&text, &files)).await??;
    who::signed_for(&request.asked, &draft)?;
    Ok(draft)
}

/// What takes long does not happen on the network's threads.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a preview broke off");
        Error::fault("the site could not make the preview", false, "tell the site's operator")
    })
}

/// The version that stands.
fn standing(node: &Node, draft: &Agreement, now: DateTime<Utc>) -> Result<Signed, Error> {
    let mut heads = node.agreements.heads(now);
    heads.retain(|signed| signed.agreement().id() == draft.id());
    match (heads.pop(), heads.is_empty()) {
        (Some(standing), true) => Ok(standing),
        (None, _) => Err(Error::invalid(
            format!("no version of agreement `{}` stands at this site", draft.id()),
            "a preview compares a draft with the version that stands; `liquid policy status` shows which do",
        )),
        (Some(_), false) => Err(Error::invalid(
            format!("several versions of agreement `{}` stand at this site", draft.id()),
            "ask the site's operator to keep one of them",
        )),
    }
}

/// Whether the draft speaks of tables that are here, or of those of the version that stands.
fn of_this_node(node: &Node, draft: &Agreement, standing: &Agreement) -> Result<(), Error> {
    let known = |name: &_| {
        standing.tables().contains_key(name) || node.model.tables.iter().any(|table| table.name == *name)
    };
    match draft.tables().keys().find(|name| !known(*name)) {
        None => Ok(()),
        Some(strange) => Err(Error::invalid(
            format!("the draft speaks of table `{strange}`, which is not at this site"),
            "preview it at the node of the organisation whose tables it speaks of, or correct the name",
        )),
    }
}

/// Every number becomes a multiple of `to` that is not greater: none and few look alike.
fn rounded(mut preview: Preview, to: u32) -> Preview {
    if to <= 1 {
        return preview;
    }
    let down = |number: &mut u64| *number -= *number % u64::from(to);
    let Questions { asked, callers, still_permitted, newly_refused, newly_permitted, still_refused, unknown } =
        &mut preview.questions;
    [asked, callers, still_permitted, newly_refused, newly_permitted, still_refused, unknown]
        .into_iter()
        .for_each(down);
    let reasons = preview.newly_refused.iter_mut().chain(&mut preview.newly_permitted);
    reasons.for_each(|Reason { questions, .. }| down(questions));
    if let Cells::Totals { answers, withheld } = &mut preview.cells {
        [answers, withheld].into_iter().for_each(down);
    }
    Preview { rounded_to: Some(to), ..preview }
}

/// Leaves at the end of a class of times.
async fn wait(begun: Instant) {
    let elapsed = begun.elapsed();
    if let Some(class) = CLASSES.into_iter().find(|class| elapsed <= *class) {
        tokio::time::sleep_until(begun + class).await;
    }
}

fn report(preview: &Preview, bytes: &[u8]) -> Told {
    let (run, newly_withheld) = match &preview.cells {
        Cells::ByQuestion { answers, too_long, .. } => {
            (answers.len() as u64 + too_long, answers.iter().map(|it| it.newly_withheld).sum())
        }
        Cells::Totals { .. } | Cells::Same => (0, 0),
    };
    Told::Report {
        direction: preview.direction,
        questions: preview.questions.asked,
        run,
        newly_withheld,
        answer: hex::encode(digest(&SHA256, bytes)),
    }
}

fn refused(error: &Error) -> Told {
    match error {
        Error::Refused { refusal: Refusal { code, clause, .. } } => {
            Told::Refused { code: *code, clause: clause.clone() }
        }
        Error::Unauthenticated { .. } => Told::Failed { kind: "unauthenticated".to_owned() },
        Error::Invalid { .. } => Told::Failed { kind: "invalid".to_owned() },
        Error::SiteMissing { .. } | Error::Fault { .. } => Told::Failed { kind: "fault".to_owned() },
    }
}
