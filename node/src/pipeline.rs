//! The one way out of a site.

use std::sync::Arc;
use std::time::Duration;

use liquid_disclosure::{Cells, Released, Table, Withheld, disclose};
use liquid_node_api::Error;
use liquid_node_api::call::Call;
use liquid_node_api::envelope::AnswerCaps;
use liquid_node_api::parameter::Parameter;
use liquid_node_api::report::SiteReport;
use liquid_node_api::sql::{Answer, request_id};
use liquid_node_api::wire::{Encoded, IntoWire as _};
use liquid_policy::admit::{Admitted, Named};
use liquid_policy::id::{AgreementHash, AgreementId, Purpose, RequestId};
use liquid_policy::{Code, Footprint, Permit, Refusal, Template, decide};
use ring::digest::{SHA256, digest};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::audit::{Carried, Facts, LogError, Outcome};
use crate::check::{Checked, Engine, approved, asked, broke_its_word, check, engine, facts};
use crate::execute::{execute, finish_above};
use crate::history::{Rule, Unkept};
use crate::node::Node;
use crate::serve::Session;
use crate::time_class::leaves_after;

/// A question, whichever way it came.
#[derive(Debug, Clone)]
pub struct Question {
    /// Its sender's id for it.
    pub id: RequestId,
    /// The query.
    pub sql: String,
    /// Its bound values.
    pub parameters: Vec<Parameter>,
    /// The call of an approved query of which its sender says that it is a cut.
    pub cut_of: Option<Call>,
    /// The purpose, where one was named.
    pub purpose: Option<Purpose>,
    /// The agreement, where one was named.
    pub agreement: Option<AgreementId>,
    /// The version that the sender planned against.
    pub pinned: Option<AgreementHash>,
    /// How long the sender wants to wait.
    pub deadline: Option<Duration>,
    /// Adds mark columns.
    pub marks: bool,
    /// What the answer may have at most, where its sender said so.
    pub caps: Option<AnswerCaps>,
    /// The envelope in which it came.
    pub carried: Option<Carried>,
}

impl Question {
    /// One that was turned away before anybody read it.
    pub(crate) fn unread(id: &RequestId) -> Self {
        Self {
            id: id.clone(),
            sql: String::new(),
            parameters: Vec::new(),
            cut_of: None,
            purpose: None,
            agreement: None,
            pinned: None,
            deadline: None,
            marks: false,
            caps: None,
            carried: None,
        }
    }
}

/// Answers a question about this site's data:
///
/// 1. admit: caller, purpose and dates against the agreements;
/// 2. the question is recorded, durably, before anything is done with it;
/// 3. check: the engine plans the SQL against this site's own tables, and each cut is decided: permits, or a refusal;
/// 4. execute: the engine runs each cut under its permit, and its rows are withheld;
/// 5. disclose: what the agreement lets through is released;
/// 6. finish: what lies above the cuts runs over released tables alone, and waits for the end of its time class;
/// 7. admit and decide once more, under the agreement as it stands by now: the stricter of both holds;
/// 8. audit: the release is recorded, durably, with the hash of the very bytes and the question whole, sealed for the site;
/// 9. then the bytes.
///
/// # Errors
/// The refusal, what is wrong with the question, or a fault. Each is recorded as the request's one outcome.
pub async fn answer(node: &Node, session: &Session, question: Question) -> Result<Answer<Encoded>, Error> {
    let (request, came) = (request_id(), Instant::now());
    let admitted = match admitted(node, session, &question) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            return Err(turn_away(node, session, &question, &request, None, Vec::new(), refusal.into()).await);
        }
    };
    let classes = &admitted.agreement().file().release.time_class_ms;
    // Where time is to tell nothing, nobody learns by a deadline of their own whether the engine was done by then.
    let wanted = question.deadline.filter(|_| classes.is_empty());
    let deadline = came + node.config.limits.deadline(wanted);
    let asked = asked(node.log.key(), &request, session, &question, Some(&admitted));
    let mut open = on_disk(node, move |log| log.ask(asked)).await.map_err(|e| unrecorded(&e, &request))?;
    let mut seen = Seen::default();
    let span = tracing::info_span!("request", id = %request);
    let working = async {
        let released = released(node, session, &admitted, &question, deadline, &mut seen).await;
        // Of what nobody may ask no data was touched. All else, faults too, waits for the end of its class.
        if seen.permitted.is_some() && !classes.is_empty() {
            tokio::time::sleep_until(came + leaves_after(classes, &seen.cuts, came.elapsed())).await;
        }
        released
    };
    let working = working.instrument(span);
    let released = tokio::select! {
        released = working => released,
        // Whoever stops an agreement does not wait for what runs under it.
        stopped = stopped(node, session, &admitted) => Err(stopped.into()),
    };
    open.touches(&seen.cuts);
    if let Some(facts) = seen.permitted {
        open.keeps(facts);
    }
    let sealed = released.and_then(|(table, permits)| {
        still_permitted(node, session, &admitted, &question, &seen.cuts, &permits)?;
        seal(node, &admitted, &question, &table)
    });
    let (answer, outcome) = match sealed {
        Ok((answer, outcome)) => (Ok(answer), outcome),
        Err(error) => {
            let outcome = outcome(&error);
            (Err(error.referenced(&request)), outcome)
        }
    };
    on_disk(node, move |_| open.close(outcome)).await.map_err(|e| unrecorded(&e, &request))?;
    answer
}

/// Plans a question and decides it, without an answer: its columns, and the version of the agreement that decided. It
/// touches no data, so only a refusal or another error is recorded.
///
/// # Errors
/// As [`answer`].
pub async fn describe(
    node: &Node,
    session: &Session,
    question: Question,
) -> Result<(Vec<u8>, AgreementHash), Error> {
    let request = request_id();
    let deadline = Instant::now() + node.config.limits.deadline(question.deadline);
    let mut cuts = Vec::new();
    let admitted = admitted(node, session, &question);
    let checked = match &admitted {
        Ok(admitted) => match engine(node, &session.caller, &question, deadline).await {
            Ok(mut engine) => {
                let span = tracing::info_span!("request", id = %request);
                check(node, &mut engine, admitted, &question, &mut cuts).instrument(span).await
            }
            Err(error) => Err(error),
        },
        Err(refusal) => Err(refusal.clone().into()),
    };
    match (checked, &admitted) {
        (Ok(checked), Ok(admitted)) => Ok((checked.schema, admitted.agreement().hash().clone())),
        (Err(error), _) => {
            Err(turn_away(node, session, &question, &request, admitted.as_ref().ok(), cuts, error).await)
        }
        (Ok(_), Err(refusal)) => Err(refusal.clone().into()),
    }
}

fn admitted(node: &Node, session: &Session, question: &Question) -> Result<Admitted, Refusal> {
    let named = Named {
        purpose: question.purpose.as_ref(),
        agreement: question.agreement.as_ref(),
        pinned: question.pinned.as_ref(),
    };
    node.agreements.admit(&session.caller, named, node.time())
}

/// The same as it would be now, under whatever version stands.
fn admitted_again(node: &Node, session: &Session, before: &Admitted) -> Result<Admitted, Refusal> {
    let named =
        Named { purpose: Some(before.purpose()), agreement: Some(before.agreement().id()), pinned: None };
    node.agreements.admit(&session.caller, named, node.time())
}

/// Waits until the agreement of a question lets nobody in any more, which may never happen.
async fn stopped(node: &Node, session: &Session, before: &Admitted) -> Refusal {
    let mut changes = node.agreements.watch();
    loop {
        if let Err(refusal) = admitted_again(node, session, before) {
            return refusal;
        }
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Whether what was permitted is permitted still. A version that came into force meanwhile must permit it too, and oblige to no
/// more than was done.
fn still_permitted(
    node: &Node,
    session: &Session,
    before: &Admitted,
    question: &Question,
    cuts: &[Footprint],
    permits: &[Permit],
) -> Result<(), Error> {
    let now = admitted_again(node, session, before)?;
    if now.agreement().hash() == before.agreement().hash() {
        return Ok(());
    }
    let moved_on = || {
        let message =
            format!("agreement `{}` has a new version since the question was asked", now.agreement().id());
        Refusal::new(Code::Version, "agreement.version", message, "ask again")
    };
    let (before, now) = (approved(before, question)?.0, approved(&now, question)?.0);
    if before.template().map(Template::text) != now.template().map(Template::text) {
        return Err(moved_on().into());
    }
    for (cut, permit) in cuts.iter().zip(permits) {
        let again = decide(&now, cut)?;
        if again.obligations() != permit.obligations() || again.rows_out_max() < permit.rows_out_max() {
            return Err(moved_on().into());
        }
    }
    Ok(())
}

/// What there is to record of a question, as far as it came.
#[derive(Default)]
struct Seen {
    /// What its cuts touch.
    cuts: Vec<Footprint>,
    /// What it was, whole, once every cut was permitted.
    permitted: Option<Facts>,
}

/// Checks, executes, discloses and finishes.
async fn released(
    node: &Node,
    session: &Session,
    admitted: &Admitted,
    question: &Question,
    deadline: Instant,
    seen: &mut Seen,
) -> Result<(Released<Table>, Vec<Permit>), Error> {
    let mut engine = engine(node, &session.caller, question, deadline).await?;
    let checked = check(node, &mut engine, admitted, question, &mut seen.cuts).await?;
    seen.permitted = Some(facts(node, admitted, question));
    let answer = computed(node, &mut engine, &checked, &checked.permits, Remembers::Yes).await?;
    few_enough(&answer, &checked.permits, question.caps.as_ref())?;
    Ok((answer, checked.permits))
}

/// Whether an answer is judged beside all that were released before, and counts for those that come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remembers {
    /// It leaves.
    Yes,
    /// Nothing of it is told but how much is withheld.
    No,
}

/// Executes, discloses and finishes a planned question under these permits, one a cut.
///
/// # Errors
/// A fault: the engine died, was late, failed, or broke its word, or what is released cannot be kept.
pub(crate) async fn computed(
    node: &Node,
    engine: &mut Engine,
    checked: &Checked,
    permits: &[Permit],
    remembers: Remembers,
) -> Result<Released<Table>, Error> {
    let caps = node.config.limits.caps();
    let mut released = Vec::with_capacity(permits.len());
    for (cut, permit) in permits.iter().enumerate() {
        let rule = match remembers {
            Remembers::Yes => remembered(node, permit),
            Remembers::No => None,
        };
        let key = rule.map(|_| node.releases.key());
        let withheld = execute(engine, checked.plan, cut, permit, &caps, key).await?;
        released.push(disclosed(node, withheld, permit, rule).await?);
    }
    match released.pop() {
        Some(only) if checked.bare && released.is_empty() => Ok(only),
        last => {
            released.extend(last);
            finish_above(engine, checked.plan, &released, &caps).await
        }
    }
}

/// What agreements ask of the history of the tables of a cut: all that stand at this site, whichever one the question is asked under. Where no
/// minimum is asked there is nothing to judge.
fn remembered(node: &Node, permit: &Permit) -> Option<Rule> {
    permit.obligations().minimum?;
    let tables = &permit.obligations().tables;
    let heads = node.agreements.heads(node.time());
    Rule::of(heads.iter().map(|head| &**head.agreement()), |name| {
        tables.iter().any(|rules| rules.table == *name)
    })
}

/// Discloses a cut, away from the network's threads: to judge it can take a while, and what it adds is written to the disk.
async fn disclosed(
    node: &Node,
    withheld: Withheld<Cells>,
    permit: &Permit,
    rule: Option<Rule>,
) -> Result<Released<Table>, Error> {
    let (releases, permit) = (Arc::clone(&node.releases), permit.clone());
    let today = node.time().date_naive();
    let judging = tokio::task::spawn_blocking(move || match rule {
        None => disclose(withheld, &permit, None).map_err(Unkept::from),
        Some(rule) => releases.release(rule, today, |memory| disclose(withheld, &permit, Some(memory))),
    });
    match judging.await {
        Ok(Ok(table)) => Ok(table),
        Ok(Err(Unkept::Bug(bug))) => Err(broke_its_word(&bug.to_string())),
        Ok(Err(unkept)) => {
            tracing::error!(error = %unkept, "the history of what was released is not kept");
            let fix = "send the reference to the site's operator: the node's log says why";
            Err(Error::fault("the site cannot keep what it releases, so it answers nothing", false, fix))
        }
        Err(error) => Err(broke_its_word(&error.to_string())),
    }
}

/// The caps on rows are judged on released rows, so they tell nothing of the others.
pub(crate) fn few_enough(
    answer: &Released<Table>,
    permits: &[Permit],
    caps: Option<&AnswerCaps>,
) -> Result<(), Refusal> {
    let rows = answer.get().rows() as u64;
    match permits.iter().map(Permit::rows_out_max).min() {
        Some(most) if rows > most => return Err(too_many("release.rows_out_max", most)),
        _ => {}
    }
    match caps {
        Some(caps) if rows > caps.rows => Err(too_many("liquid.rows_max", caps.rows)),
        _ => Ok(()),
    }
}

fn too_many(clause: &str, most: u64) -> Refusal {
    Refusal::new(
        Code::Limit,
        clause,
        format!("the answer has more than {most} rows"),
        "group by fewer columns, or filter",
    )
}

/// The answer as bytes, and the outcome that must be on disk before they leave.
fn seal(
    node: &Node,
    admitted: &Admitted,
    question: &Question,
    table: &Released<Table>,
) -> Result<(Answer<Encoded>, Outcome), Error> {
    let (rows, withheld) = (table.get().rows() as u64, table.get().withheld());
    let clauses: Vec<String> = table.get().clauses().iter().cloned().collect();
    let report = SiteReport {
        site: node.config.node.site.clone(),
        request: question.id.clone(),
        agreement: admitted.agreement().id().clone(),
        hash: admitted.agreement().hash().clone(),
        withheld,
        groups_may_be_missing: table.get().groups_may_be_missing(),
        rows_may_be_missing: table.get().rows_may_be_missing(),
        clauses: clauses.clone(),
        earlier: table.get().earlier().cloned(),
    };
    let metadata = serde_json::to_string(&report).map_err(|e| broke_its_word(&e.to_string()))?;
    let encoded = table.clone().into_wire(question.marks, Some(&metadata))?;
    let ipc = encoded.ipc();
    if question.caps.is_some_and(|caps| ipc.len() as u64 > caps.bytes) {
        return Err(Refusal::new(
            Code::Limit,
            "liquid.answer_bytes_max",
            "the answer is larger than its coordinator takes",
            "group by fewer columns, or filter",
        )
        .into());
    }
    let answer = hex::encode(digest(&SHA256, &ipc));
    let history = node.releases.head();
    Ok((Answer { rows: encoded, metadata }, Outcome::Released { rows, withheld, answer, clauses, history }))
}

/// Records a request that ends here without having touched data, and gives back its error.
pub(crate) async fn turn_away(
    node: &Node,
    session: &Session,
    question: &Question,
    request: &RequestId,
    admitted: Option<&Admitted>,
    cuts: Vec<Footprint>,
    error: Error,
) -> Error {
    let asked = asked(node.log.key(), request, session, question, admitted);
    let outcome = outcome(&error);
    match on_disk(node, move |log| log.ask_and_close(asked, cuts, outcome)).await {
        Ok(()) => error.referenced(request),
        Err(problem) => unrecorded(&problem, request),
    }
}

/// Writing to the log waits for the disk, so it does not happen on the network's threads.
pub(crate) async fn on_disk<T: Send + 'static>(
    node: &Node,
    write: impl FnOnce(&crate::audit::Log) -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let log = node.log.clone();
    match tokio::task::spawn_blocking(move || write(&log)).await {
        Ok(written) => written,
        Err(e) => Err(LogError::Bug(e.to_string())),
    }
}

/// Without a record there is no answer. The cure is named where the log's own error tells it.
pub(crate) fn unrecorded(error: &LogError, request: &RequestId) -> Error {
    tracing::error!(%error, %request, "audit log not written");
    let (retry, fix) = match error {
        LogError::Full(_) => {
            (true, "ask the site's operator to free space on the log's volume, then ask again")
        }
        LogError::Gone(_) => (true, "ask the site's operator to put the audit log back, then ask again"),
        LogError::Undurable | LogError::Unforgotten(_) | LogError::Bug(_) => {
            (false, "send the reference to the site's operator: the node's log says why")
        }
    };
    Error::fault("the site cannot write its audit log, so it answers nothing", retry, fix).referenced(request)
}

fn outcome(error: &Error) -> Outcome {
    match error {
        Error::Refused { refusal } => Outcome::Refused { code: refusal.code, clause: refusal.clause.clone() },
        Error::Unauthenticated { .. } => Outcome::Rejected { kind: "unauthenticated".to_owned() },
        Error::Invalid { .. } => Outcome::Rejected { kind: "invalid".to_owned() },
        Error::SiteMissing { .. } => Outcome::Failed { kind: "site missing".to_owned() },
        Error::Fault { message, .. } => Outcome::Failed { kind: message.clone() },
    }
}
