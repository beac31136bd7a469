//! All sites are asked at once, each under the same deadline: one dead site never holds up the rest.
//!
//! Within a site the cuts are asked one after another, since a site runs few at a time. What comes back is not decoded
//! here: see [`crate::planner`].

use std::sync::Arc;

use liquid_node_api::channel::{SiteAnswer, Token};
use liquid_node_api::report::SiteReport;
use liquid_node_api::request::SiteRequest;
use liquid_node_api::{Error, NodeChannel};
use liquid_policy::Refusal;
use liquid_policy::id::{AgreementHash, AgreementId, SiteName};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// What one site is asked.
pub(crate) struct SiteTask {
    pub(crate) channel: Arc<dyn NodeChannel>,
    /// The cut's number, and the request; the deadline is filled in when it is sent.
    pub(crate) requests: Vec<(usize, SiteRequest)>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct SiteResult {
    pub(crate) site: SiteName,
    pub(crate) outcome: Outcome,
    pub(crate) elapsed_ms: u64,
}

/// How it went with one site, over all its cuts.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// Every cut has an answer.
    Answered(Vec<(usize, SiteAnswer)>),
    /// The question's own conditions leave the site out.
    NotConcerned,
    /// It refused a cut.
    Refused(Refusal),
    /// It holds that the caller did not prove who they are.
    Unauthenticated { message: String, fix: String },
    /// It could not be reached, or what it gave is unusable: a fixed text.
    Failed(String),
    /// Not within the deadline.
    Late,
}

/// Asks all sites; the results stand in the order of the tasks. Dropping the future stops every task.
pub(crate) async fn dispatch(
    token: &Token,
    tasks: Vec<SiteTask>,
    deadline: Instant,
    bytes_max: usize,
) -> Vec<SiteResult> {
    let started = Instant::now();
    let mut results: Vec<SiteResult> = tasks
        .iter()
        .map(|task| SiteResult {
            site: task.channel.site().clone(),
            // Stands where a task ends without a word, which only a panic does.
            outcome: Outcome::Failed("it could not be asked".to_owned()),
            elapsed_ms: 0,
        })
        .collect();
    let mut running = JoinSet::new();
    for (at, task) in tasks.into_iter().enumerate() {
        let token = token.clone();
        running.spawn(async move {
            let outcome = timeout_at(deadline, ask_site(&token, task, deadline, bytes_max)).await;
            (at, outcome.unwrap_or(Outcome::Late), elapsed_ms(started))
        });
    }
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok((at, outcome, elapsed_ms)) => {
                if let Some(result) = results.get_mut(at) {
                    result.outcome = outcome;
                    result.elapsed_ms = elapsed_ms;
                }
            }
            Err(error) => tracing::error!(%error, "a dispatch task stopped"),
        }
    }
    results
}

pub(crate) fn elapsed_ms(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

async fn ask_site(token: &Token, task: SiteTask, deadline: Instant, bytes_max: usize) -> Outcome {
    let (mut answers, mut bytes) = (Vec::with_capacity(task.requests.len()), 0_usize);
    for (cut, mut request) in task.requests {
        let left = deadline.saturating_duration_since(Instant::now());
        request.deadline_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let id = request.id.clone();
        match task.channel.ask(token, request).await {
            Ok(answer) if bytes.saturating_add(answer.ipc.len()) > bytes_max => {
                return Outcome::Failed("its answer is larger than allowed".to_owned());
            }
            Ok(answer) if answer.report.site != *task.channel.site() || answer.report.request != id => {
                return Outcome::Failed("its report speaks of another question".to_owned());
            }
            Ok(answer) => {
                bytes += answer.ipc.len();
                answers.push((cut, SiteAnswer { report: presentable(answer.report), ..answer }));
            }
            // The site took the caller's token when it was asked for its tables: it is us that it does not take.
            Err(Error::Unauthenticated { message, fix }) => {
                return Outcome::Failed(plain(&format!(
                    "it does not know this coordinator: {message}; {fix}"
                )));
            }
            Err(error) => return Outcome::of(error),
        }
    }
    Outcome::Answered(answers)
}

impl Outcome {
    /// What an error of a channel says of its site.
    pub(crate) fn of(error: Error) -> Self {
        match error {
            Error::Refused { refusal } => Self::Refused(Refusal {
                code: refusal.code,
                clause: plain(&refusal.clause),
                message: plain(&refusal.message),
                fix: plain(&refusal.fix),
            }),
            Error::Unauthenticated { message, fix } => {
                Self::Unauthenticated { message: plain(&message), fix: plain(&fix) }
            }
            Error::SiteMissing { message, .. } => Self::Failed(plain(&message)),
            error @ (Error::Invalid { .. } | Error::Fault { .. }) => Self::Failed(plain(&error.to_string())),
        }
    }
}

/// What a site says of its answer, fit to be shown.
fn presentable(report: SiteReport) -> SiteReport {
    SiteReport {
        agreement: AgreementId::new(plain(report.agreement.as_str())),
        hash: AgreementHash::new(plain(report.hash.as_str())),
        clauses: report.clauses.iter().take(CLAUSES_MAX).map(|clause| plain(clause)).collect(),
        ..report
    }
}

/// A peer's text ends on someone's terminal: no control characters, nothing that turns the reading direction, no novels.
pub(crate) fn plain(text: &str) -> String {
    let shown = |c: char| match c {
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().take(TEXT_CHARS_MAX).map(shown).collect()
}

/// Longest text of a peer that is shown.
const TEXT_CHARS_MAX: usize = 500;
/// Most clauses of one report.
const CLAUSES_MAX: usize = 64;
