//! The pipeline of one question.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use liquid_node_api::call;
use liquid_node_api::channel::Token;
use liquid_node_api::child::{Failure, Pool};
use liquid_node_api::report::{Completeness, Earlier};
use liquid_node_api::sql::text::shortened;
use liquid_node_api::sql::{Answer, SessionOptions, Statement};
use liquid_node_api::token::{BadKey, Identities, Issuers};
use liquid_node_api::wire::Combined;
use liquid_node_api::wire::gate::{self, Quota};
use liquid_node_api::{Clock, Error};
use liquid_policy::id::RequestId;
use liquid_policy::{Code, Refusal};
use tokio::time::Instant;

use crate::catalogue::{Federation, Member, View};
use crate::combine_answers::{Attempt, exclude};
use crate::completeness::{judge, status};
use crate::config;
use crate::dispatch::{Outcome, SiteResult};
use crate::planner::messages::{PlannedCut, Question};
use crate::planner::{Ask, Told};
use crate::queries::{Event, Owner, Queries, Running};

/// A coordinator: the front process, which decodes nothing that came from a site.
pub struct Coordinator {
    pub(crate) settings: config::Coordinator,
    pub(crate) issuers: Issuers,
    pub(crate) federation: Federation,
    pub(crate) planners: Pool<Ask, Told>,
    pub(crate) queries: Queries,
    pub(crate) clock: Clock,
}

/// An authenticated caller with their options.
#[derive(Debug, Clone)]
pub struct Session {
    pub(crate) owner: Owner,
    pub(crate) token: Token,
    pub(crate) options: SessionOptions,
}

/// A planned question.
pub(crate) struct Planned {
    pub(crate) question: Question,
    pub(crate) cuts: Vec<PlannedCut>,
    pub(crate) columns: SchemaRef,
    pub(crate) queries: bool,
}

impl Coordinator {
    /// Puts a coordinator together.
    ///
    /// # Errors
    /// Where an issuer's key is none.
    pub fn new(
        settings: config::Coordinator,
        identity: &Identities,
        members: Vec<Member>,
        planners: Pool<Ask, Told>,
        clock: Clock,
    ) -> Result<Self, BadKey> {
        Ok(Self {
            issuers: Issuers::new(&identity.issuers)?,
            federation: Federation::new(members),
            queries: Queries::new(settings.queries_kept),
            planners,
            clock,
            settings,
        })
    }

    /// Answers a question:
    ///
    /// 1. **submit**: it gets a record that ends in exactly one state, even if the client goes away.
    /// 2. **view**: what the sites publish to this caller; a site that does not say is remembered.
    /// 3. **plan**: in the planner's process, to one query per cut and site.
    /// 4. **ask**: all concerned sites at once, under one deadline that leaves time for the rest.
    /// 5. **judge**: whether enough of them answered.
    /// 6. **combine**: in the planner's process; a site whose answer is unusable counts as failed, and 5 is asked again.
    /// 7. **report**: rows, and what is said of them.
    pub(crate) async fn answer(
        &self,
        session: &Session,
        statement: Statement,
    ) -> Result<Answer<Combined>, Error> {
        let id = statement.id.clone();
        let running = self.submit(session, &statement);
        match self.run(session, statement, &running).await {
            Ok(answer) => {
                running.answer();
                Ok(answer)
            }
            Err(error) => Err(running.fail(error.referenced(&id))),
        }
    }

    async fn run(
        &self,
        session: &Session,
        statement: Statement,
        running: &Running,
    ) -> Result<Answer<Combined>, Error> {
        let deadline = self.deadline(&session.options);
        let (mut planned, mut sites, again) = self.ask(session, &statement, running, deadline).await?;
        if again {
            (planned, sites, _) = self.ask(session, &statement, running, deadline).await?;
        }

        running.step(Event::Combine);
        let min_sites = session.options.min_sites.and_then(|sites| usize::try_from(sites).ok());
        loop {
            running.note(completeness(&statement.id, &sites, 0, false));
            judge(&sites, min_sites)?;
            match self.combine_answers(session, &planned, &sites, deadline).await? {
                Attempt::Combined { batch, withheld, rows_may_be_missing } => {
                    let completeness = completeness(&statement.id, &sites, withheld, rows_may_be_missing);
                    let metadata = serde_json::to_string(&completeness).map_err(|error| broken(&error))?;
                    running.note(completeness);
                    return Ok(Answer { rows: Combined::of_released_tables(batch), metadata });
                }
                Attempt::Unusable(unusable) => exclude(&mut sites, unusable)?,
            }
        }
    }

    /// Plans a question and asks it; true beside the results where a version has changed meanwhile, so that it should be asked anew.
    async fn ask(
        &self,
        session: &Session,
        statement: &Statement,
        running: &Running,
        deadline: Instant,
    ) -> Result<(Planned, Vec<SiteResult>, bool), Error> {
        running.step(Event::Plan);
        let view = self.federation.view(&session.token, deadline).await;
        let planned = self.plan(session, &view, statement, deadline).await?;

        running.step(Event::Ask);
        let left = deadline.saturating_duration_since(Instant::now());
        let reserve = (left / 10).min(Duration::from_secs(2));
        let sites = self.ask_sites(session, &view, &planned, &statement.id, deadline - reserve).await;
        let again = sites.iter().any(|result| Self::has_moved_on(&view, result));
        Ok((planned, sites, again))
    }

    /// The columns of a question's answer. One that has none is on record: it will not be asked.
    pub(crate) async fn describe(
        &self,
        session: &Session,
        statement: &Statement,
    ) -> Result<SchemaRef, Error> {
        let deadline = self.deadline(&session.options);
        let view = self.federation.view(&session.token, deadline).await;
        let planned = self.plan(session, &view, statement, deadline).await;
        planned
            .map(|planned| planned.columns)
            .map_err(|error| self.submit(session, statement).fail(error.referenced(&statement.id)))
    }

    fn submit(&self, session: &Session, statement: &Statement) -> Running {
        let Statement { id, sql, .. } = statement;
        let sql = shortened(sql.clone(), RECORDED_BYTES_MAX);
        self.queries.submit(id.clone(), session.owner.clone(), sql, (self.clock)())
    }

    /// The caller's deadline, but no later than the configured one.
    pub(crate) fn deadline(&self, options: &SessionOptions) -> Instant {
        let longest = self.settings.deadline();
        Instant::now() + options.deadline().map_or(longest, |asked| asked.min(longest))
    }

    async fn plan(
        &self,
        session: &Session,
        view: &View,
        statement: &Statement,
        deadline: Instant,
    ) -> Result<Planned, Error> {
        self.check_min_sites(session)?;
        let call = call::read(&statement.sql, &statement.parameters)?;
        let (sql, parameters) = match &call {
            // Where no site says anything, a name that nobody knows is not the caller's mistake.
            Some(call) => match view.template(call, &session.options) {
                Ok(template) => (template.text, Vec::new()),
                Err(error) => return Err(explain(view, error)),
            },
            None => (statement.sql.clone(), statement.parameters.clone()),
        };
        let question = Question {
            sql,
            parameters,
            call,
            tables: view.tables.iter().map(|table| table.federated(&session.options)).collect(),
        };
        let told = self
            .ask_planner(session, Ask::Plan(question.clone()), Vec::new(), deadline)
            .await
            .map_err(unasked)?;
        match told {
            (Told::Planned { cuts, queries }, attached) => {
                let columns = self.read(attached.first())?.schema();
                Ok(Planned { question, cuts, columns, queries })
            }
            (Told::Failed { error: error @ Error::Invalid { .. }, .. }, _) => Err(explain(view, error)),
            (Told::Failed { error, detail }, _) => Err(failed(error, &detail)),
            (Told::Combined { .. } | Told::Unusable { .. }, _) => {
                Err(broken(&"an answer to another question"))
            }
        }
    }

    /// More sites than there are can never answer.
    fn check_min_sites(&self, session: &Session) -> Result<(), Error> {
        let there = self.federation.members.len();
        match session.options.min_sites {
            Some(wanted) if usize::try_from(wanted).map_or(true, |wanted| wanted > there) => {
                Err(Error::invalid(
                    format!("`liquid.min_sites` is {wanted}, and this federation has {there} sites"),
                    format!("set it to {there} or less, or leave it out to ask for all that are concerned"),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Asks a planner when it is this caller's turn; what it says holds all that there is to know, so the next question may
    /// go to another.
    pub(crate) async fn ask_planner(
        &self,
        session: &Session,
        ask: Ask,
        attached: Vec<Bytes>,
        deadline: Instant,
    ) -> Result<(Told, Vec<Bytes>), Failure> {
        let caller = format!("{}\n{}", session.owner.issuer, session.owner.subject);
        self.planners.lease(&caller, deadline).await?.ask(ask, attached).await
    }

    /// What the planner attached. It has read peers' bytes, so it passes the same gate as they do.
    pub(crate) fn read(&self, attached: Option<&Bytes>) -> Result<RecordBatch, Error> {
        let attached = attached.ok_or_else(|| broken(&"the planner attached nothing"))?;
        let quota = Quota { bytes: usize::MAX, rows: self.settings.rows_max, ..Quota::default() };
        gate::decode(attached, &quota, |_| Ok(())).map_err(|error| broken(&error))
    }
}

/// Of longer SQL `system.queries` has the beginning.
const RECORDED_BYTES_MAX: usize = 16 << 10;

/// Where no table is there at all, an unknown name is not the caller's mistake.
fn explain(view: &View, error: Error) -> Error {
    if !view.tables.is_empty() || view.sites.is_empty() {
        return error;
    }
    let results: Vec<_> = view
        .sites
        .iter()
        .map(|(site, said)| {
            let outcome = said.as_ref().err().cloned().unwrap_or(Outcome::Answered(Vec::new()));
            SiteResult { site: site.clone(), outcome, elapsed_ms: 0 }
        })
        .collect();
    judge(&results, None).err().unwrap_or_else(|| {
        let nothing = "no site publishes a table to this caller";
        let fix = "ask a controller whether an agreement names your organisation, role and purpose";
        Refusal::new(Code::Recipient, "liquid.catalogue", nothing, fix).into()
    })
}

fn completeness(
    id: &RequestId,
    sites: &[SiteResult],
    withheld: u64,
    rows_may_be_missing: bool,
) -> Completeness {
    let reports: Vec<_> = sites
        .iter()
        .filter_map(|result| match &result.outcome {
            Outcome::Answered(answers) => Some(answers),
            _ => None,
        })
        .flatten()
        .map(|(_, answer)| &answer.report)
        .collect();
    let mut clauses: Vec<String> = Vec::new();
    for clause in reports.iter().flat_map(|report| &report.clauses) {
        if !clauses.contains(clause) {
            clauses.push(clause.clone());
        }
    }
    Completeness {
        request: id.clone(),
        sites: sites.iter().map(status).collect(),
        withheld,
        groups_may_be_missing: reports.iter().any(|report| report.groups_may_be_missing),
        rows_may_be_missing: rows_may_be_missing || reports.iter().any(|report| report.rows_may_be_missing),
        clauses,
        earlier: Earlier::together(reports.iter().filter_map(|report| report.earlier.clone())),
    }
}

pub(crate) fn unasked(failure: Failure) -> Error {
    tracing::warn!(?failure, "planner gave no answer");
    failure.into()
}

pub(crate) fn failed(error: Error, detail: &str) -> Error {
    match &error {
        Error::Fault { .. } => tracing::error!(detail, "planner failed"),
        _ if detail.is_empty() => {}
        _ => tracing::debug!(detail, "question not answered"),
    }
    error
}

pub(crate) fn broken(detail: &dyn std::fmt::Display) -> Error {
    tracing::error!(%detail, "coordinator broke its own rule");
    Error::fault(
        "the coordinator could not answer",
        false,
        "send the reference to the coordinator's operator",
    )
}
