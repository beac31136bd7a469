//! Which site is asked what, and what is known of a site without asking.

use liquid_node_api::request::{DIALECT, SiteRequest};
use liquid_policy::Code;
use liquid_policy::id::{RequestId, SiteName, TableName};
use tokio::time::Instant;

use crate::answer::{Coordinator, Planned, Session};
use crate::catalogue::{Holding, Member, View};
use crate::dispatch::{Outcome, SiteResult, SiteTask, dispatch};
use crate::planner::messages::PlannedCut;

impl Coordinator {
    /// How it went with each site that should hold a table of the question, in the order of the configuration.
    pub(crate) async fn ask_sites(
        &self,
        session: &Session,
        view: &View,
        planned: &Planned,
        id: &RequestId,
        deadline: Instant,
    ) -> Vec<SiteResult> {
        let mut results = Vec::new();
        let mut tasks = Vec::new();
        for member in &self.federation.members {
            let site = member.channel.site();
            let Some(start) = self.site_task(session, view, planned, id, member) else { continue };
            let outcome = match start {
                Ok(task) => {
                    tasks.push(task);
                    Outcome::Late
                }
                Err(outcome) => outcome,
            };
            results.push(SiteResult { site: site.clone(), outcome, elapsed_ms: 0 });
        }
        for mut result in dispatch(&session.token, tasks, deadline, self.settings.answer_bytes_max).await {
            self.check_published(session, view, planned, &mut result);
            if let Some(place) = results.iter_mut().find(|place| place.site == result.site) {
                *place = result;
            }
        }
        results
    }

    /// What a site is asked, or why it is not; none where it should not hold any table of the question.
    fn site_task(
        &self,
        session: &Session,
        view: &View,
        planned: &Planned,
        id: &RequestId,
        member: &Member,
    ) -> Option<Result<SiteTask, Outcome>> {
        let site = member.channel.site();
        let mut holds = false;
        let mut requests = Vec::new();
        for (number, cut) in planned.cuts.iter().enumerate() {
            let holdings = holdings(view, cut, site);
            if holdings.is_empty() {
                continue;
            }
            holds = true;
            let Some(text) = cut.sites.iter().find(|text| text.site == *site) else { continue };
            let missing = holdings.iter().find_map(|(_, holding)| match holding {
                Holding::Missing(outcome) => Some(outcome),
                Holding::Published(_) | Holding::Unpublished => None,
            });
            if let Some(outcome) = missing {
                return Some(Err(outcome.clone()));
            }
            let request = SiteRequest {
                dialect: DIALECT,
                id: RequestId::new(format!("{id}-{number}")),
                sql: text.sql.clone(),
                parameters: text.parameters.clone(),
                call: planned.question.call.clone(),
                purpose: session.options.purpose.clone(),
                agreement: session.options.agreement.clone(),
                pinned: holdings
                    .iter()
                    .find_map(|(_, holding)| holding.version(&session.options))
                    .and_then(|held| view.pinned(&held.id).cloned()),
                deadline_ms: 0,
                marks: true,
            };
            requests.push((number, request));
        }
        match (holds, requests.is_empty()) {
            (false, _) => None,
            (true, true) => Some(Err(Outcome::NotConcerned)),
            (true, false) => Some(Ok(SiteTask { channel: member.channel.clone(), requests })),
        }
    }

    /// Whether a site refused a version that it published a moment ago: it has another one by now, and a question that is
    /// planned anew can be answered.
    pub(crate) fn has_moved_on(view: &View, result: &SiteResult) -> bool {
        let Outcome::Refused(refusal) = &result.outcome else { return false };
        let said =
            view.sites.iter().find(|(site, _)| *site == result.site).and_then(|(_, said)| said.as_ref().ok());
        refusal.code == Code::Version
            && said.is_some_and(|said| said.agreements.iter().any(|it| view.pinned(&it.id) == Some(&it.hash)))
    }

    /// A site that publishes nothing to the caller was asked for its reason, not for an answer; and one that holds
    /// another version by now is asked again for what it publishes.
    fn check_published(&self, session: &Session, view: &View, planned: &Planned, result: &mut SiteResult) {
        match &result.outcome {
            Outcome::Answered(answers) => {
                let unpublished = |(number, _): &(usize, _)| {
                    let holdings = holdings(view, planned.cuts.get(*number)?, &result.site);
                    let unpublished = |(_, holding): &(_, &Holding)| matches!(holding, Holding::Unpublished);
                    holdings.into_iter().find(unpublished).map(|(table, _)| table)
                };
                if let Some(table) = answers.iter().find_map(unpublished) {
                    let message = format!("it publishes no table `{table}` to this caller");
                    result.outcome = Outcome::Failed(message);
                }
            }
            Outcome::Refused(refusal) if refusal.code == Code::Version => {
                self.federation.forget(&session.token, &result.site);
            }
            _ => {}
        }
    }
}

/// How a site stands to each table of a cut that it should hold.
fn holdings<'a>(view: &'a View, cut: &'a PlannedCut, site: &SiteName) -> Vec<(&'a TableName, &'a Holding)> {
    let holding =
        |name: &TableName| view.tables.iter().find(|table| table.table.name == *name)?.holding(site);
    cut.tables.iter().filter_map(|name| Some((name, holding(name)?))).collect()
}
