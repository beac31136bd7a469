//! What the parties' people say to this node, and how it keeps up with the folder of its agreements.
//!
//! Nobody needs to be trusted on the way: statements are signed, and `crate::agreements` keeps those alone that count. How
//! things stand is shown to callers of an organisation that is a party.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use liquid_node_api::Error;
use liquid_node_api::governance::{Governance, SiteGovernance};
use liquid_policy::statement::Statement;

use crate::agreements::Agreements;
use crate::audit::Said;
use crate::audit::record::AskedBy;
use crate::node::Node;
use crate::pipeline::on_disk;
use crate::serve::Session;

/// How often versions that stand by the clock are looked for.
const BY_THE_CLOCK: Duration = Duration::from_secs(2);

/// How often the folder is looked at.
const EVERY: Duration = Duration::from_millis(300);

/// Every so many looks, what is kept for long enough is destroyed.
const LOOKS_PER_FORGETTING: u32 = 200;

/// Takes in what somebody says, and answers how things stand for their organisation then.
///
/// # Errors
/// What is wrong with it, or a fault where it cannot be kept. What is taken in is on record.
pub async fn hear(node: &Node, session: &Session, message: Governance) -> Result<SiteGovernance, Error> {
    let caller = &session.caller;
    let by = AskedBy {
        organisation: caller.organisation.clone(),
        roles: caller.roles.clone(),
        subject: caller.subject.clone(),
    };
    let (mut texts, mut files) = (Vec::new(), Vec::new());
    let new = match message {
        Governance::Status { texts: wanted, files: beside } => {
            (texts, files) = (wanted, beside);
            Vec::new()
        }
        Governance::Propose { text, statements, files } => {
            apart(node, move |it, now| it.propose(&text, &statements, &files, now)).await?
        }
        Governance::Say { statements } => apart(node, move |it, now| it.hear(&statements, now)).await?,
    };
    record(node, new, Some(by)).await;
    Ok(node.agreements.status(&caller.organisation, (&texts, &files), node.time()))
}

/// Reading and writing wait for processor and disk, so they do not happen on the network's threads.
async fn apart(
    node: &Node,
    work: impl FnOnce(&Agreements, DateTime<Utc>) -> Result<Vec<Statement>, Error> + Send + 'static,
) -> Result<Vec<Statement>, Error> {
    let (agreements, now) = (Arc::clone(&node.agreements), node.time());
    let done = tokio::task::spawn_blocking(move || work(&agreements, now)).await;
    done.unwrap_or_else(|error| {
        tracing::error!(%error, "what was said of an agreement was not taken in");
        Err(Error::fault("the site could not take it in", true, "say it again, or tell the site's operator"))
    })
}

/// Keeps up with the folder, as long as the node serves. Whoever stops something does not wait for an engine.
pub async fn watch(node: &Node) -> Infallible {
    tokio::select! {
        never = keep_up(node) => never,
        never = look_at_templates(node) => never,
    }
}

/// A version can come to stand by a change, or by the clock alone.
async fn look_at_templates(node: &Node) -> Infallible {
    let mut changes = node.agreements.watch();
    loop {
        node.look_at_templates().await;
        // An error means that nothing changes any more, and the clock goes on.
        let _ = tokio::time::timeout(BY_THE_CLOCK, changes.changed()).await;
    }
}

async fn keep_up(node: &Node) -> Infallible {
    let mut looks = 0_u32;
    loop {
        if looks.is_multiple_of(LOOKS_PER_FORGETTING) {
            forget(node).await;
        }
        looks = looks.wrapping_add(1);
        tokio::time::sleep(EVERY).await;
        match node.agreements.refresh() {
            Ok(new) => record(node, new, None).await,
            // What was known stays in force; the next look may find the folder again.
            Err(problem) => tracing::error!(problem, "agreements not read"),
        }
    }
}

/// Destroys what is sealed in the log for longer than the agreement that stands keeps it (`retention.logs_days`).
pub async fn forget(node: &Node) {
    for signed in node.agreements.heads(node.time()) {
        let agreement = signed.agreement();
        let retention = agreement.file().agreement.retention.as_ref();
        let Some(days) = retention.and_then(|retention| retention.logs_days) else { continue };
        let id = agreement.id().clone();
        if let Err(error) = on_disk(node, move |log| log.forget(&id, days)).await {
            tracing::error!(%error, agreement = %agreement.id(), "sealed questions not destroyed");
        }
    }
}

/// What cannot be recorded now is recorded before anything else is.
async fn record(node: &Node, new: Vec<Statement>, sent_by: Option<AskedBy>) {
    for statement in &new {
        tracing::info!(
            act = statement.act.verb(), organisation = %statement.organisation, role = %statement.role, "said of an agreement"
        );
    }
    let said = new.into_iter().map(|statement| Said { statement, sent_by: sent_by.clone() }).collect();
    if let Err(error) = on_disk(node, move |log| log.said(said)).await {
        tracing::error!(%error, "audit log not written");
    }
}
