//! Approved queries of the agreements that stand: what each takes and gives, found out once by the engine and shown to those who
//! may call it. One that cannot be planned over this site's tables, or that its own agreement refuses, is told to the operator.
//!
//! Nothing is decided here. A call is planned and decided anew, whatever is known of its query.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use liquid_node_api::catalogue::PublishedTemplate;
use liquid_node_api::child::Failure;
use liquid_node_api::engine::{Ask, Told};
use liquid_policy::admit::Caller;
use liquid_policy::decide::judge;
use liquid_policy::id::{AgreementHash, TemplateName};
use liquid_policy::template::{Template, callable};
use liquid_policy::{Agreement, Refusal};
use tokio::time::Instant;

use crate::check::ask_engine;
use crate::node::Node;

/// How long a template waits for an engine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is known of the approved queries of each version.
#[derive(Default)]
pub(crate) struct Templates(Mutex<BTreeMap<AgreementHash, Known>>);

/// Those of one version; only what can be planned.
type Known = BTreeMap<TemplateName, PublishedTemplate>;

impl Templates {
    /// What a caller may call under an agreement.
    pub(crate) fn published(&self, agreement: &Agreement, caller: &Caller) -> Vec<PublishedTemplate> {
        let known = self.known();
        let Some(known) = known.get(agreement.hash()) else { return Vec::new() };
        callable(agreement, caller, None).filter_map(|template| known.get(template.name()).cloned()).collect()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<AgreementHash, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// Looks at the approved queries of versions that have not been looked at, and forgets those of versions that are gone.
    pub(crate) async fn look_at_templates(&self) {
        let heads = self.agreements.heads(self.time());
        let with_some =
            || heads.iter().map(|signed| signed.agreement()).filter(|it| !it.templates().is_empty());
        self.templates.known().retain(|hash, _| with_some().any(|it| it.hash() == hash));
        let new: Vec<_> =
            with_some().filter(|it| !self.templates.known().contains_key(it.hash())).cloned().collect();
        for agreement in new {
            let mut known = Known::new();
            for template in agreement.templates().values() {
                match self.look_at(&agreement, template).await {
                    Ok(Some(published)) => {
                        known.insert(published.name.clone(), published);
                    }
                    Ok(None) => {}
                    // All engines are busy; it is tried again at the next look.
                    Err(failure) => {
                        tracing::warn!(agreement = %agreement.id(), ?failure, "templates not looked at");
                        return;
                    }
                }
            }
            self.templates.known().insert(agreement.hash().clone(), known);
        }
    }

    /// One query; none where it cannot be planned. Each has an engine of its own, which it may cost.
    async fn look_at(
        &self,
        agreement: &Agreement,
        template: &Template,
    ) -> Result<Option<PublishedTemplate>, Failure> {
        let mut engine = self.engines.lease("", Instant::now() + PATIENCE).await?;
        let ask = Ask::Template { text: template.text().to_owned(), tables: self.shared(agreement) };
        let told = match ask_engine(&mut engine, ask, vec![]).await {
            Ok((told, _)) => told,
            Err(error) => {
                unusable(agreement, template, &error.to_string());
                return Ok(None);
            }
        };
        let Told::Template { parameters, columns, cuts, alone: _ } = told else { return Ok(None) };
        let refused: Option<Refusal> = cuts.iter().find_map(|cut| judge(agreement, cut).err());
        if let Some(refusal) = refused {
            unusable(agreement, template, &refusal.to_string());
        }
        Ok(Some(PublishedTemplate {
            name: template.name().clone(),
            sha256: template.sha256().to_owned(),
            description: template.description(),
            text: template.text().to_owned(),
            parameters,
            columns,
        }))
    }
}

fn unusable(agreement: &Agreement, template: &Template, problem: &str) {
    tracing::error!(
        agreement = %agreement.id(), template = %template.name(), problem,
        "a template cannot be answered here; `liquid policy lint --schema` shows the same"
    );
}
