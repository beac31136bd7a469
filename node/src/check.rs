//! From a question to permits: the engine plans, this process decides, and the record of the question is made.

use bytes::Bytes;
use liquid_node_api::Error;
use liquid_node_api::call::{Call, read};
use liquid_node_api::child::{Failure, Lease};
use liquid_node_api::engine::{Ask, CutOf, Told};
use liquid_node_api::parameter::{PARAMETERS_MAX, Parameter};
use liquid_node_api::sql::text::{shortened, without_literals};
use liquid_policy::admit::{Admitted, Caller};
use liquid_policy::id::{RequestId, TemplateName};
use liquid_policy::{Code, Footprint, Permit, Refusal, decide};
use tokio::time::Instant;

use crate::audit::record::AskedBy;
use crate::audit::{Asked, Facts, Key};
use crate::node::Node;
use crate::pipeline::Question;
use crate::serve::Session;

/// An engine, held for all steps of one request.
pub type Engine = Lease<Ask, Told>;

/// A planned question, every cut of it permitted.
pub struct Checked {
    /// The engine's number for the plan.
    pub plan: u64,
    /// One permit a cut, in the order in which they run.
    pub permits: Vec<Permit>,
    /// Nothing lies above the one cut.
    pub bare: bool,
    /// The answer's columns, as an Arrow IPC schema message.
    pub schema: Vec<u8>,
}

/// Leases an engine, unless the question is too large to be looked at.
///
/// # Errors
/// The refusal; a fault where all engines are busy, the deadline passes, or none starts.
pub async fn engine(
    node: &Node,
    caller: &Caller,
    question: &Question,
    deadline: Instant,
) -> Result<Engine, Error> {
    let most = node.config.limits.sql_bytes;
    let called = question.cut_of.iter().flat_map(Call::values);
    let (many, values) = question
        .parameters
        .iter()
        .chain(called)
        .fold((0, 0), |(many, all), value| (many + 1, all + bytes(value)));
    if question.sql.len() > most {
        return Err(too_long("the SQL is", most).into());
    }
    if many > PARAMETERS_MAX || values > most {
        return Err(too_long(&format!("the bound values are more than {PARAMETERS_MAX} or"), most).into());
    }
    let queue = format!("{}\n{}", caller.organisation, caller.subject);
    node.engines.lease(&queue, deadline).await.map_err(|failure| {
        if let Failure::Unstarted(detail) = &failure {
            tracing::error!(detail, "engine does not start");
        }
        failure.into()
    })
}

/// Plans a question and decides each of its cuts. No data is touched.
///
/// # Errors
/// The refusal, what is wrong with the question, or a fault. `cuts` holds the footprints as soon as they are known, so
/// that a refusal's record can show them.
pub async fn check(
    node: &Node,
    engine: &mut Engine,
    admitted: &Admitted,
    question: &Question,
    cuts: &mut Vec<Footprint>,
) -> Result<Checked, Error> {
    let (admitted, ask) = asks(node, admitted, question)?;
    let Told::Planned { plan, cuts: planned, bare, schema } = ask_engine(engine, ask, vec![]).await?.0 else {
        return Err(broke_its_word("another answer to `Plan`"));
    };
    *cuts = planned;
    let permits = cuts.iter().map(|cut| decide(&admitted, cut)).collect::<Result<Vec<_>, Refusal>>()?;
    Ok(Checked { plan, permits, bare, schema })
}

/// What the engine is to plan: the question itself, an approved query with its values, or a cut of one.
fn asks(node: &Node, admitted: &Admitted, question: &Question) -> Result<(Admitted, Ask), Error> {
    let (admitted, call) = approved(admitted, question)?;
    let agreement = admitted.agreement();
    let tables = agreement.tables().iter();
    let tables = tables.map(|(name, table)| (name.clone(), agreement.stand_for_one_entity(table))).collect();
    let catalogue = node.catalogue.clone();
    let (sql, parameters) = (question.sql.clone(), question.parameters.clone());
    let ask = match (admitted.template(), call) {
        (Some(template), Some(call)) => Ask::Call {
            text: template.text().to_owned(),
            cut: question.cut_of.is_some().then(|| CutOf {
                sql,
                parameters,
                site: node.config.node.site.clone(),
                tables: node.shared(admitted.agreement()),
            }),
            call,
            tables,
            catalogue,
        },
        _ => Ask::Plan { sql, parameters, tables, catalogue },
    };
    Ok((admitted, ask))
}

/// Whether a question may be asked as it stands: it calls an approved query, or says that it is a cut of one, which the engine
/// finds out; or any question may be asked.
///
/// # Errors
/// The refusal, or that there is no such approved query.
pub(crate) fn approved(admitted: &Admitted, question: &Question) -> Result<(Admitted, Option<Call>), Error> {
    let call = match &question.cut_of {
        Some(call) => Some(call.clone()),
        None => read(&question.sql, &question.parameters)?,
    };
    let admitted = match &call {
        Some(call) => admitted
            .calling(call.name.as_str())
            .map_err(|unknown| Error::invalid(unknown.to_string(), unknown.fix()))?,
        None => admitted.clone(),
    };
    admitted.approved()?;
    Ok((admitted, call))
}

/// Asks the engine; its own failures become errors here, and their detail goes to the operator's log alone.
pub(crate) async fn ask_engine(
    engine: &mut Engine,
    ask: Ask,
    attached: Vec<Bytes>,
) -> Result<(Told, Vec<Bytes>), Error> {
    match engine.ask(ask, attached).await {
        Ok((Told::Failed { error, detail }, _)) => {
            if matches!(error, Error::Fault { .. }) {
                tracing::error!(detail, "engine failed");
            } else {
                tracing::debug!(detail, "engine did not plan");
            }
            Err(error)
        }
        Ok(told) => Ok(told),
        Err(failure) => {
            tracing::error!(?failure, "engine gave no answer");
            Err(failure.into())
        }
    }
}

/// The engine answered in a way that its protocol does not know, or with rows of another form than was permitted.
pub(crate) fn broke_its_word(detail: &str) -> Error {
    tracing::error!(detail, "engine broke its word");
    Error::fault(
        "the site's engine did not answer as it must",
        false,
        "send the reference to the site's operator",
    )
}

/// The record of a question, as far as it was understood.
pub(crate) fn asked(
    key: &Key,
    request: &RequestId,
    session: &Session,
    question: &Question,
    admitted: Option<&Admitted>,
) -> Asked {
    let caller = &session.caller;
    Asked {
        request: request.clone(),
        sender_request: RequestId::new(question.id.as_str().chars().take(80).collect::<String>()),
        caller: AskedBy {
            organisation: caller.organisation.clone(),
            roles: caller.roles.clone(),
            subject: caller.subject.clone(),
        },
        carried_by: session.peer.as_ref().map(|peer| peer.identity.to_string()),
        envelope: question.carried.clone(),
        purpose: admitted.map(|admitted| admitted.purpose().clone()),
        agreement: admitted.map(|admitted| admitted.agreement().id().clone()),
        hash: admitted.map(|admitted| admitted.agreement().hash().clone()),
        called: admitted.and_then(|admitted| called(admitted, question)),
        sql: (!question.sql.is_empty())
            .then(|| shortened(without_literals(&question.sql), RECORDED_BYTES_MAX)),
        question: key.keyed_hash(&[question.sql.as_bytes(), &spelled(&question.parameters)]),
    }
}

/// The approved query that a question calls, or says that it is a cut of.
fn called(admitted: &Admitted, question: &Question) -> Option<(TemplateName, String)> {
    let call = match &question.cut_of {
        Some(call) => Some(call.clone()),
        None => read(&question.sql, &question.parameters).ok().flatten(),
    };
    let admitted = admitted.calling(call?.name.as_str()).ok()?;
    admitted.template().map(|template| (template.name().clone(), template.sha256().to_owned()))
}

/// What a permitted question was, whole.
pub(crate) fn facts(node: &Node, admitted: &Admitted, question: &Question) -> Facts {
    let (agreement, caller) = (admitted.agreement(), admitted.caller());
    Facts {
        sql: question.sql.clone(),
        parameters: question.parameters.clone(),
        cut_of: question.cut_of.clone(),
        organisation: caller.organisation.clone(),
        roles: caller.roles.clone(),
        purposes: caller.purposes.clone(),
        purpose: admitted.purpose().clone(),
        agreement: agreement.id().clone(),
        hash: agreement.hash().clone(),
        minimum: agreement.minimum_contributors(),
        rows_out_max: agreement.rows_out_max(),
        catalogue: node.catalogue.clone(),
        marks: question.marks,
        caps: question.caps,
        deadline_ms: question.deadline.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
    }
}

/// Of longer SQL the beginning is recorded, and the hash of all of it: whoever sends it must not fill the log's disk.
const RECORDED_BYTES_MAX: usize = 16 << 10;

fn spelled(parameters: &[Parameter]) -> Vec<u8> {
    // A list of plain values always has a JSON form.
    serde_json::to_vec(parameters).unwrap_or_default()
}

fn bytes(parameter: &Parameter) -> usize {
    match parameter {
        Parameter::Utf8(Some(text)) => text.len(),
        Parameter::Null
        | Parameter::Utf8(None)
        | Parameter::Boolean(_)
        | Parameter::Int64(_)
        | Parameter::Float64(_)
        | Parameter::Date32(_) => 8,
    }
}

fn too_long(what: &str, most: usize) -> Refusal {
    Refusal::new(
        Code::Limit,
        "liquid.sql_bytes",
        format!("{what} longer than {most} bytes"),
        "ask a shorter question, with lists as bound parameters or as several questions",
    )
}
