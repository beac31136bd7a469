//! The sites' answers go to the planner and one result comes back, or the names of sites whose answers are unusable.

use arrow::array::RecordBatch;
use bytes::Bytes;
use liquid_node_api::Error;
use liquid_node_api::child::Failure;
use liquid_node_api::engine::Caps;
use liquid_node_api::wire::gate::encode;
use liquid_policy::id::SiteName;
use tokio::time::Instant;

use crate::answer::{Coordinator, Planned, Session, broken, failed, unasked};
use crate::dispatch::{Outcome, SiteResult};
use crate::planner::messages::AnswerOf;
use crate::planner::{Ask, Told};

/// What came of it.
pub(crate) enum Attempt {
    /// The query's columns, then one mark column each.
    Combined { batch: RecordBatch, withheld: u64, rows_may_be_missing: bool },
    /// These sites' answers cannot be used, and why: fixed texts.
    Unusable(Vec<(SiteName, String)>),
}

/// Memory that a planner's larger operators may take over released tables.
const COMBINE_BYTES: u64 = 512 << 20;

impl Coordinator {
    /// The result, or the sites whose answers cannot be used.
    pub(crate) async fn combine_answers(
        &self,
        session: &Session,
        planned: &Planned,
        sites: &[SiteResult],
        deadline: Instant,
    ) -> Result<Attempt, Error> {
        let queries = match planned.queries {
            true => {
                let table = self.queries.table(&session.owner).map_err(|error| broken(&error))?;
                Some(encode(&table).map_err(|error| broken(&error))?)
            }
            false => None,
        };
        let all: Vec<_> = sites.iter().collect();
        let (question, attached) = self.combine_ask(planned, &all, queries.clone());
        match self.ask_planner(session, question, attached, deadline).await {
            Ok((Told::Combined { withheld, rows_may_be_missing }, attached)) => {
                let batch = self.read(attached.first())?;
                Ok(Attempt::Combined { batch, withheld, rows_may_be_missing })
            }
            Ok((Told::Unusable { sites }, _)) => {
                Ok(Attempt::Unusable(sites.into_iter().map(|bad| (bad.site, bad.message)).collect()))
            }
            Ok((Told::Failed { error, detail }, _)) => Err(failed(error, &detail)),
            Ok((Told::Planned { .. }, _)) => Err(broken(&"an answer to another question")),
            Err(Failure::Died(error)) => {
                let culprits = self.culprits(session, planned, sites, queries.as_ref(), deadline).await;
                if culprits.is_empty() { Err(error) } else { Ok(Attempt::Unusable(culprits)) }
            }
            Err(failure) => Err(unasked(failure)),
        }
    }

    /// Something stopped the planner: each answer is tried alone, and whoever stops it again is left out.
    async fn culprits(
        &self,
        session: &Session,
        planned: &Planned,
        sites: &[SiteResult],
        queries: Option<&Bytes>,
        deadline: Instant,
    ) -> Vec<(SiteName, String)> {
        let mut culprits = Vec::new();
        for site in sites.iter().filter(|site| matches!(site.outcome, Outcome::Answered(_))) {
            let (question, attached) = self.combine_ask(planned, &[site], queries.cloned());
            if let Err(Failure::Died(_)) = self.ask_planner(session, question, attached, deadline).await {
                culprits.push((site.site.clone(), "it stopped the planner".to_owned()));
            }
        }
        culprits
    }

    fn combine_ask(
        &self,
        planned: &Planned,
        sites: &[&SiteResult],
        queries: Option<Bytes>,
    ) -> (Ask, Vec<Bytes>) {
        let mut answers = Vec::new();
        let mut attached = Vec::new();
        for result in sites {
            if let Outcome::Answered(given) = &result.outcome {
                for (cut, answer) in given {
                    answers.push(AnswerOf { cut: *cut, site: result.site.clone() });
                    attached.push(answer.ipc.clone());
                }
            }
        }
        let ask = Ask::Combine {
            question: planned.question.clone(),
            answers,
            queries: queries.is_some(),
            caps: Caps { memory_bytes: COMBINE_BYTES, rows: self.settings.rows_max as u64 },
        };
        attached.extend(queries);
        (ask, attached)
    }
}

/// Sites whose answers cannot be used have failed.
pub(crate) fn exclude(sites: &mut [SiteResult], unusable: Vec<(SiteName, String)>) -> Result<(), Error> {
    let mut excluded = false;
    for (site, message) in unusable {
        tracing::warn!(%site, message, "unusable answer");
        let answered =
            |result: &&mut SiteResult| result.site == site && matches!(result.outcome, Outcome::Answered(_));
        if let Some(result) = sites.iter_mut().find(answered) {
            result.outcome = Outcome::Failed(format!("its answer cannot be used: {message}"));
            excluded = true;
        }
    }
    if excluded { Ok(()) } else { Err(broken(&"no site's answer is left to blame")) }
}
