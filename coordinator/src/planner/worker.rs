//! The worker in the planner's process: plans questions and combines answers, keeping nothing from one to the next.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use liquid_engine::parameters::from_scalar;
use liquid_footprint::PlanError;
use liquid_footprint::plan::on_big_stack;
use liquid_node_api::Error;
use liquid_node_api::engine::Caps;
use liquid_node_api::wire::gate::encode;
use liquid_node_api::worker::Worker;

use super::messages::{AnswerOf, Ask, PlannedCut, Question, SiteText, Told, UnusableSite};
use crate::combine::{CombineError, combine};
use crate::plan::federate::{AskedSite, FederatedPlan, federate};

/// Plans and combines. It holds no data and no state, so that one that was killed is replaced by another at once.
#[derive(Debug, Default)]
pub struct Planner(());

impl Planner {
    /// A planner.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Worker<Ask, Told> for Planner {
    async fn ask(&mut self, ask: Ask, attached: Vec<Bytes>) -> Result<(Told, Vec<Bytes>), Error> {
        let told = match ask {
            Ask::Plan(question) => plan(&question),
            Ask::Combine { question, answers, queries, caps } => {
                combine_answers(&question, answers, queries, &caps, attached).await
            }
        };
        Ok(told.unwrap_or_else(|failed| (failed, Vec::new())))
    }
}

fn plan(question: &Question) -> Result<(Told, Vec<Bytes>), Told> {
    let plan = planned(question)?;
    let cuts = plan
        .cuts
        .iter()
        .map(|cut| {
            let sites = cut.sites.iter().map(site_text).collect::<Result<_, _>>()?;
            Ok(PlannedCut { tables: cut.query.tables.clone(), sites })
        })
        .collect::<Result<_, Told>>()?;
    let columns = encode(&RecordBatch::new_empty(plan.output)).map_err(bug)?;
    Ok((Told::Planned { cuts, queries: plan.queries }, vec![columns]))
}

async fn combine_answers(
    question: &Question,
    answers: Vec<AnswerOf>,
    queries: bool,
    caps: &Caps,
    mut attached: Vec<Bytes>,
) -> Result<(Told, Vec<Bytes>), Told> {
    if attached.len() != answers.len() + usize::from(queries) {
        return Err(bug("other attachments than announced"));
    }
    let queries = if queries { attached.pop() } else { None };
    let answers: BTreeMap<_, _> = answers.into_iter().map(|of| (of.cut, of.site)).zip(attached).collect();
    match combine(planned(question)?, &answers, queries.as_ref(), caps).await {
        Ok(done) => {
            let told =
                Told::Combined { withheld: done.withheld, rows_may_be_missing: done.rows_may_be_missing };
            Ok((told, vec![encode(&done.batch).map_err(bug)?]))
        }
        Err(CombineError::Unusable(sites)) => {
            let sites = sites.into_iter().map(|(site, message)| UnusableSite { site, message }).collect();
            Err(Told::Unusable { sites })
        }
        Err(CombineError::Failed(error, detail)) => Err(Told::Failed { error, detail }),
    }
}

fn planned(question: &Question) -> Result<FederatedPlan, Told> {
    // Passes over a plan recurse, as the plan's own making does.
    on_big_stack(|| federate(question)).and_then(|plan| plan).map_err(|error| match error {
        PlanError::Refused(refusal) => Told::Failed { error: refusal.into(), detail: String::new() },
        PlanError::Invalid { message, fix } => {
            Told::Failed { error: Error::invalid(message, fix), detail: String::new() }
        }
        PlanError::Bug(detail) => bug(detail),
    })
}

fn site_text(site: &AskedSite) -> Result<SiteText, Told> {
    let parameters = site
        .text
        .parameters
        .iter()
        .map(|value| from_scalar(value).ok_or_else(|| bug(format!("{value} has no place in the dialect"))))
        .collect::<Result<_, _>>()?;
    Ok(SiteText { site: site.share.site.clone(), sql: site.text.sql.clone(), parameters })
}

fn bug(detail: impl std::fmt::Display) -> Told {
    let error = Error::fault(
        "the coordinator could not plan the question",
        false,
        "send the reference to the coordinator's operator",
    );
    Told::Failed { error, detail: detail.to_string() }
}
