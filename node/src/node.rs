//! Everything that is open while a node runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use liquid_node_api::Clock;
use liquid_node_api::catalogue::{Catalogue, Model, ModelTable, PublishedAgreement};
use liquid_node_api::child::{Pool, PoolSettings, Start};
use liquid_node_api::engine::{Ask, SharedTable, Told};
use liquid_node_api::token::Issuers;
use liquid_policy::admit::{Caller, Named, open_to};
use liquid_policy::document::{Entities, Table};
use liquid_policy::{Agreement, Refusal};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::agreements::Agreements;
use crate::audit::log::Fatal;
use crate::audit::{FileStore, Key, Log, Store};
use crate::config::Config;
use crate::history::Releases;
use crate::preview::Used;
use crate::replay::Window;
use crate::templates::Templates;

/// What a node does not make for itself, so that tests can put in their own.
pub struct Parts {
    /// Starts engines: child processes of the same binary, as a rule.
    pub engines: Arc<dyn Start<Ask, Told>>,
    /// The clock.
    pub now: Clock,
    /// Ends the process when it is no longer known what is on the disk.
    pub fatal: Fatal,
    /// The audit log's file; the configured one where nothing is given.
    pub store: Option<Box<dyn Store>>,
}

/// A running node, without its port.
pub struct Node {
    pub(crate) config: Config,
    pub(crate) issuers: Issuers,
    pub(crate) agreements: Arc<Agreements>,
    /// What is known of approved queries.
    pub(crate) templates: Templates,
    pub(crate) engines: Pool<Ask, Told>,
    pub(crate) log: Log,
    /// What was ever released.
    pub(crate) releases: Arc<Releases>,
    /// Which envelopes were taken.
    pub(crate) window: Window,
    /// One preview is made at a time.
    pub(crate) previews: Mutex<()>,
    /// The requests for previews that were taken.
    pub(crate) used: Used,
    pub(crate) now: Clock,
    /// The tables, as the engine found them when it opened.
    pub(crate) model: Model,
    /// Their version: a plan against another one is refused by the engine.
    pub(crate) catalogue: String,
    pub(crate) name: String,
}

impl Node {
    /// Opens a node: log, agreements, engines.
    ///
    /// # Errors
    /// A sentence for the operator, with the fix.
    pub async fn open(config: Config, parts: Parts) -> Result<Self, String> {
        let issuers = Issuers::new(&config.identity.issuers).map_err(|e| e.to_string())?;
        let agreements = Arc::new(Agreements::open(&config)?);
        let store = match parts.store {
            Some(store) => store,
            None => Box::new(FileStore::open(&config.audit.log)?),
        };
        let key = std::fs::read(&config.audit.key).map_err(|e| {
            format!("cannot read the audit key `{}`: {e}; set `key` in `[audit]`", config.audit.key.display())
        })?;
        let key = Key::from_pkcs8(&key)?;
        let log = Log::open(store, config.node.site.clone(), key, Arc::clone(&parts.now), parts.fatal)?;
        let known = log.past().history.as_deref();
        let releases = Arc::new(Releases::open(&config.audit.log, log.key().hash_key(), known)?);
        // What was made before the log began may have been taken under another one.
        let window = Window::new(log.past().begun.timestamp_millis(), log.past().carried.iter().cloned());
        let settings = PoolSettings {
            workers: config.limits.engines,
            queue: config.limits.queue,
            queue_per_caller: config.limits.queue_per_caller.min(config.limits.queue),
            ..PoolSettings::default()
        };
        let engines = Pool::start(parts.engines, settings).await?;
        let (model, catalogue) = opened(&engines).await?;
        let name = format!("Liquid node {}", config.node.site);
        let (previews, used) = (Mutex::new(()), Used::default());
        let node = Self {
            config,
            issuers,
            agreements,
            templates: Templates::default(),
            engines,
            log,
            releases,
            window,
            previews,
            used,
            now: parts.now,
            model,
            catalogue,
            name,
        };
        node.look_at_templates().await;
        Ok(node)
    }

    /// The configuration it runs with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn time(&self) -> DateTime<Utc> {
        (self.now)()
    }

    /// The agreements that it holds.
    pub fn agreements(&self) -> &Agreements {
        &self.agreements
    }

    /// What a caller may see here: names, types and meaning. It touches no data and releases nothing that the agreements
    /// do not already say to their recipients, so it leaves no record.
    pub fn catalogue(&self, caller: &Caller) -> Catalogue {
        let now = self.time();
        let heads = self.agreements.heads(now);
        let mut agreements = Vec::new();
        let mut tables: Vec<ModelTable> = Vec::new();
        for (agreement, purposes) in open_to(&heads, caller, now.date_naive()) {
            let (mut names, mut replicated, mut disjoint) = (Vec::new(), Vec::new(), Vec::new());
            let mut of_one_entity = BTreeMap::new();
            for ruled in agreement.tables().values() {
                let Some(table) = self.model.tables.iter().find(|t| t.name == *ruled.name()) else {
                    continue;
                };
                names.push(table.name.clone());
                if ruled.entity().is_none() {
                    replicated.push(table.name.clone());
                } else if ruled.entities() == Entities::Disjoint {
                    disjoint.push(table.name.clone());
                }
                let shown = shown(table, ruled);
                let mut of_one = agreement.stand_for_one_entity(ruled);
                of_one.retain(|name| shown.columns.iter().any(|column| column.name == *name));
                of_one_entity.insert(table.name.clone(), of_one);
                match tables.iter_mut().find(|known| known.name == shown.name) {
                    Some(known) => known.columns.extend(
                        shown.columns.into_iter().filter(|c| !known.columns.contains(c)).collect::<Vec<_>>(),
                    ),
                    None => tables.push(shown),
                }
            }
            agreements.push(PublishedAgreement {
                id: agreement.id().clone(),
                hash: agreement.hash().clone(),
                purposes: purposes.into_iter().collect(),
                tables: names,
                replicated,
                disjoint,
                templates: self.templates.published(agreement, caller),
                templates_only: agreement.templates_only(),
                of_one_entity,
            });
        }
        Catalogue { site: self.config.node.site.clone(), agreements, tables }
    }

    /// The tables of an agreement as a federation shows them.
    pub(crate) fn shared(&self, agreement: &Agreement) -> Vec<SharedTable> {
        let here = |ruled: &Table| self.model.tables.iter().find(|table| table.name == *ruled.name());
        let shared = |ruled: &Table| {
            Some(SharedTable {
                table: shown(here(ruled)?, ruled),
                is_whole: ruled.entity().is_none(),
                of_one_entity: agreement.stand_for_one_entity(ruled),
            })
        };
        agreement.tables().values().filter_map(shared).collect()
    }

    /// The same for a coordinator, which tells callers why there is nothing: an agreement that names them and has run
    /// out, say, is another thing than none.
    ///
    /// # Errors
    /// Where nothing is open to this caller: the refusal that any question of theirs would meet.
    pub fn published(&self, caller: &Caller) -> Result<Catalogue, Refusal> {
        let catalogue = self.catalogue(caller);
        if catalogue.agreements.is_empty() {
            let named = Named { purpose: caller.purposes.first(), ..Named::default() };
            self.agreements.admit(caller, named, self.time())?;
        }
        Ok(catalogue)
    }
}

/// A table with the columns that an agreement shows of it.
fn shown(table: &ModelTable, ruled: &Table) -> ModelTable {
    let visible: Vec<_> = ruled.visible_columns().collect();
    let columns = table.columns.iter().filter(|column| visible.contains(&&column.name));
    ModelTable { columns: columns.cloned().collect(), ..table.clone() }
}

/// What the engines found in the site's data.
async fn opened(engines: &Pool<Ask, Told>) -> Result<(Model, String), String> {
    let deadline = Instant::now() + OPENING_TIMEOUT;
    let failed = |why: &dyn std::fmt::Display| format!("the engine does not open the site's data: {why}");
    let mut lease = engines.lease("", deadline).await.map_err(|e| failed(&e))?;
    match lease.ask(Ask::Open, vec![]).await.map_err(|e| failed(&e))?.0 {
        Told::Opened { model, catalogue } => Ok((model, catalogue)),
        Told::Failed { detail, .. } => Err(failed(&detail)),
        _ => Err(failed(&"it gave another answer; run the same version of liquid as node and engine")),
    }
}

/// How long the engine may take to tell what tables there are.
const OPENING_TIMEOUT: Duration = Duration::from_secs(60);
