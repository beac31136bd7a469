//! [`LocalEngine`]: the worker that answers a front's questions about one site's data, in a child process for real and
//! in the same process for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use liquid_footprint::site_query::base_column;
use liquid_footprint::{Catalogue, Opaque, PlanError, Request, TableKind, cut, footprint, plan};
use liquid_node_api::Error;
use liquid_node_api::call::Call;
use liquid_node_api::catalogue::TemplateColumn;
use liquid_node_api::engine::{Ask, Caps, CutOf, HashKey, SharedTable, Told};
use liquid_node_api::parameter::Parameter;
use liquid_node_api::worker::Worker;
use liquid_policy::Footprint;
use liquid_policy::document::{Agreement, Table};
use liquid_policy::id::{ColumnName, TableName};
use liquid_policy::table::Obligations;

use crate::base::Base;
use crate::config::EngineConfig;
use crate::error::{Cause, Failure, OpenError};
use crate::federated::{self, cuts_at, has_virtual_site, site_table};
use crate::finish::finish_here;
use crate::opened::{self, OPENING, Opened};
use crate::parameters::to_scalar;
use crate::runtime::Threads;
use crate::session::{collect, session_over};
use crate::sources::{Pinned, Stores};
use crate::{call, checks, ipc, run, sources};

/// An engine over one site's data. It keeps one plan, the last.
#[derive(Debug)]
pub struct LocalEngine {
    config: Arc<EngineConfig>,
    stores: Stores,
    threads: Threads,
    opened: Arc<Opened>,
    plan: Option<Planned>,
    plans: u64,
}

/// A planned question, and the data that it was planned over: it runs over no other.
#[derive(Debug, Clone)]
struct Planned {
    number: u64,
    request: Arc<Request>,
    opened: Arc<Opened>,
}

impl LocalEngine {
    /// Opens the site's data: every source can be read, every view fits its sources, every table fits the model.
    ///
    /// # Errors
    /// What does not fit, for the operator, with the cure.
    pub async fn open(config: EngineConfig) -> Result<Self, OpenError> {
        let config = Arc::new(config);
        let threads = Threads::start(config.threads).map_err(|error| OpenError::Start(error.to_string()))?;
        let stores = Stores::open(&config)?;
        let (given, reached) = (Arc::clone(&config), stores.clone());
        let opened = threads
            .run(async move { opened::open(&given, &reached).await })
            .await
            .map_err(OpenError::Start)??;
        Ok(Self { config, stores, threads, opened: Arc::new(opened), plan: None, plans: 0 })
    }

    /// Holds the tables against what an agreement says of each of them, before anybody asks. Tables that the site does not
    /// have are passed over.
    ///
    /// # Errors
    /// What is not so, for the operator, with the cure: what is wrong with each table by itself, else with one of several.
    pub async fn check(&self, agreement: &Agreement) -> Result<(), Vec<String>> {
        let here = |table: &&Table| self.opened.tables.contains_key(table.name());
        let rules: Vec<_> = agreement.tables().values().filter(here).map(Table::rules).collect();
        let mut problems = Vec::new();
        for one in &rules {
            let alone = Obligations::of_tables(vec![one.clone()]);
            if let Err(why) = Base::new(&self.opened.tables, &alone) {
                problems.push(why.detail().to_owned());
                continue;
            }
            let columns = one.columns.keys().map(|column| column.as_str().to_owned());
            let mut held = self.compute(alone.clone(), columns.clone().collect()).await.is_ok();
            // Which of them it is matters only where there is one.
            for column in columns.filter(|_| !held) {
                let computed = self.compute(alone.clone(), [column.clone()].into()).await;
                problems.extend(
                    computed.err().map(|why| format!("table `{}`, column `{column}`: {why}", one.table)),
                );
            }
            held |= problems.is_empty();
            if held {
                problems.extend(self.hold(alone).await.err().iter().flat_map(|all| each(all)));
            }
        }
        if problems.is_empty() {
            problems.extend(
                self.hold(Obligations::of_tables(rules)).await.err().iter().flat_map(|all| each(all)),
            );
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Computes every value of some columns of one table.
    async fn compute(&self, obligations: Obligations, columns: BTreeSet<String>) -> Result<(), String> {
        let (opened, threads) = (Arc::clone(&self.opened), self.config.threads);
        let work = async move {
            let session = session_over(&opened.files, threads, &OPENING)?;
            let rows = Base::new(&opened.tables, &obligations)?.rows(&columns)?;
            let values =
                columns.iter().enumerate().map(|(at, name)| count(base_column(name)).alias(format!("n{at}")));
            let plan = LogicalPlanBuilder::from(rows)
                .aggregate(Vec::<Expr>::new(), values.collect::<Vec<_>>())?
                .build()?;
            collect(&session, plan, &OPENING).await.map(drop)
        };
        self.threads.run(work).await?.map_err(|failure: Failure| failure.detail().to_owned())
    }

    async fn hold(&self, obligations: Obligations) -> Result<(), String> {
        let (opened, threads) = (Arc::clone(&self.opened), self.config.threads);
        let work = async move {
            let session = session_over(&opened.files, threads, &OPENING)?;
            let base = Base::new(&opened.tables, &obligations)?;
            checks::check(&session, &base, &opened.checked, &OPENING).await.map(drop)
        };
        self.threads.run(work).await?.map_err(|failure| failure.detail().to_owned())
    }

    async fn answer(&mut self, ask: Ask, attached: Vec<Bytes>) -> Result<(Told, Vec<Bytes>), Failure> {
        match ask {
            Ask::Open => {
                self.refresh().await?;
                let (model, catalogue) = (self.opened.model.clone(), self.opened.catalogue.clone());
                Ok((Told::Opened { model, catalogue }, Vec::new()))
            }
            Ask::Plan { sql, parameters, tables, catalogue } => {
                Ok((self.plan(sql, parameters, tables, &catalogue).await?, Vec::new()))
            }
            Ask::Call { text, call, tables, catalogue, cut } => {
                let opened = self.opened(&catalogue).await?;
                let found = self
                    .threads
                    .run(async move { called(&text, &call, cut, &visible(&opened, &tables)) })
                    .await
                    .map_err(Failure::engine)?;
                Ok((self.keep(found.map_err(Failure::plan)?), Vec::new()))
            }
            Ask::Template { text, tables } => {
                let work = async move { described(&text, &tables) };
                let found = self.threads.run(work).await.map_err(Failure::engine)?;
                Ok((found.map_err(Failure::plan)?, Vec::new()))
            }
            Ask::Run { plan, cut, obligations, known_by, caps } => {
                self.run((plan, cut), obligations, known_by, &caps).await
            }
            Ask::Finish { plan, caps } => self.finish(plan, attached, &caps).await,
        }
    }

    async fn plan(
        &mut self,
        sql: String,
        parameters: Vec<Parameter>,
        tables: BTreeMap<TableName, BTreeSet<ColumnName>>,
        catalogue: &str,
    ) -> Result<Told, Failure> {
        let opened = self.opened(catalogue).await?;
        let found = self
            .threads
            .run(async move {
                let parameters: Vec<_> = parameters.iter().map(to_scalar).collect();
                planned(&sql, &parameters, &visible(&opened, &tables))
            })
            .await
            .map_err(Failure::engine)?;
        Ok(self.keep(found.map_err(Failure::plan)?))
    }

    /// The data to plan over, which is of the version that the front decided on.
    async fn opened(&mut self, catalogue: &str) -> Result<Arc<Opened>, Failure> {
        self.plan = None;
        self.refresh().await?;
        if catalogue != self.opened.catalogue {
            return Err(Failure::changed("the front decided on another version of the catalogue"));
        }
        Ok(Arc::clone(&self.opened))
    }

    /// Keeps a plan, to be run.
    fn keep(&mut self, (request, cuts): (Request, Vec<Footprint>)) -> Told {
        self.plans += 1;
        let (bare, schema) = (request.bare(), ipc::write_schema(&request.output()));
        let opened = Arc::clone(&self.opened);
        self.plan = Some(Planned { number: self.plans, request: Arc::new(request), opened });
        Told::Planned { plan: self.plans, cuts, bare, schema }
    }

    async fn run(
        &mut self,
        (plan, cut): (u64, usize),
        obligations: Obligations,
        known_by: Option<HashKey>,
        caps: &Caps,
    ) -> Result<(Told, Vec<Bytes>), Failure> {
        let Planned { request, opened, .. } = self.planned(plan)?;
        let (config, stores, caps) = (Arc::clone(&self.config), self.stores.clone(), caps.clone());
        let work = async move {
            let query = &request.cuts.get(cut).ok_or_else(|| Failure::engine("there is no such cut"))?.query;
            if !query.tables.iter().eq(obligations.tables.iter().map(|rules| &rules.table)) {
                return Err(Failure::engine("the permit is for other tables than the cut"));
            }
            let session = session_over(&opened.files, config.threads, &caps)?;
            let ran =
                run::run(&session, &opened.tables, query, &obligations, &opened.checked, (&caps, known_by))
                    .await;
            if !unchanged(&config, &stores, &opened).await {
                return Err(Failure::changed(
                    "a source file changed between planning and the end of the question",
                ));
            }
            match ran {
                Err(failure)
                    if matches!(failure.cause(), Cause::Fault | Cause::Value) && !opened.complete =>
                {
                    // Rows that nobody looked at when the tables were opened may be what is wrong.
                    Err(sources::problem(&session, &config, &opened.files)
                        .await
                        .map_or(failure, Failure::from))
                }
                ran => ran,
            }
        };
        let (layout, batch) = self.threads.run(work).await.map_err(Failure::engine)??;
        Ok((Told::Ran { layout }, vec![ipc::write(&batch)?]))
    }

    async fn finish(
        &mut self,
        plan: u64,
        attached: Vec<Bytes>,
        caps: &Caps,
    ) -> Result<(Told, Vec<Bytes>), Failure> {
        let request = self.planned(plan)?.request;
        let caps = caps.clone();
        let tables = attached
            .iter()
            .enumerate()
            .map(|(at, stream)| Ok((format!("cut{at}"), ipc::read(stream)?)))
            .collect::<Result<Vec<(String, RecordBatch)>, Failure>>()?;
        let work = async move { finish_here(&request.upper, &tables, &caps).await };
        let finished = self.threads.run(work).await.map_err(Failure::engine)??;
        let told = Told::Finished { rows_may_be_missing: finished.rows_may_be_missing };
        Ok((told, vec![ipc::write(&finished.batch)?]))
    }

    fn planned(&self, number: u64) -> Result<Planned, Failure> {
        let planned = self.plan.as_ref().filter(|planned| planned.number == number);
        planned.cloned().ok_or_else(|| Failure::engine("there is no such plan"))
    }

    /// Opens the data anew where a source file has changed since.
    async fn refresh(&mut self) -> Result<(), Failure> {
        let (config, stores) = (Arc::clone(&self.config), self.stores.clone());
        let opened = Arc::clone(&self.opened);
        let same = async move { unchanged(&config, &stores, &opened).await };
        if self.threads.run(same).await.map_err(Failure::engine)? {
            return Ok(());
        }
        tracing::info!("a source file changed, tables are opened anew");
        let (config, stores) = (Arc::clone(&self.config), self.stores.clone());
        let opened = self.threads.run(async move { opened::open(&config, &stores).await }).await;
        let opened = opened.map_err(Failure::engine)??;
        if opened.catalogue != self.opened.catalogue {
            self.plan = None;
        }
        self.opened = Arc::new(opened);
        Ok(())
    }
}

#[async_trait]
impl Worker<Ask, Told> for LocalEngine {
    async fn ask(&mut self, ask: Ask, attached: Vec<Bytes>) -> Result<(Told, Vec<Bytes>), Error> {
        Ok(self.answer(ask, attached).await.unwrap_or_else(|failure| (failure.told(), Vec::new())))
    }
}

/// Plans an approved query with its values; or a cut of it, after it was found to be one.
fn called(
    text: &str,
    call: &Call,
    cut_of: Option<CutOf>,
    tables: &Catalogue,
) -> Result<(Request, Vec<Footprint>), PlanError> {
    let Some(CutOf { sql, parameters, site, tables: shared }) = cut_of else {
        return shown(cut(call::plan(text, call, tables)?)?);
    };
    let own = call::plan(text, call, &shared_catalogue(&shared))?;
    let with_site = |name: &TableName| {
        let table = shared.iter().find(|it| it.table.name == *name);
        table.is_some_and(|it| has_virtual_site(&it.table, it.is_whole))
    };
    let cuts = cuts_at(&site, own, with_site)?;
    let parameters: Vec<_> = parameters.iter().map(to_scalar).collect();
    let sent = cut(plan(&sql, &parameters, tables)?)?;
    shown(call::one_of(sent, &cuts, call.name.as_str())?)
}

fn shared_catalogue(tables: &[SharedTable]) -> Catalogue {
    federated::catalogue(tables.iter().map(|it| {
        let with_site = has_virtual_site(&it.table, it.is_whole);
        (&it.table, with_site, &it.of_one_entity)
    }))
}

/// What an approved query takes and gives.
fn described(text: &str, tables: &[SharedTable]) -> Result<Told, PlanError> {
    let here =
        tables.iter().fold(Catalogue::new(), |all, it| all.with(site_table(&it.table, &it.of_one_entity)));
    // One that reads the column `site` can only be asked of several sites.
    let (alone, catalogue, planned) = match call::plan_with_any(text, &here) {
        Ok(planned) => (true, here, planned),
        Err(error) => {
            let shared = shared_catalogue(tables);
            let planned = call::plan_with_any(text, &shared).map_err(|_| error)?;
            (false, shared, planned)
        }
    };
    let parameters = call::takes(text, &catalogue)?;
    let (request, cuts) = shown(cut(planned)?)?;
    let output = request.output();
    let columns = output.fields().iter().map(|field| {
        let kind = call::kind_of(field.data_type());
        let kind = kind.ok_or_else(|| PlanError::Invalid {
            message: format!("column `{}` of the answer is of type {}", field.name(), field.data_type()),
            fix: "cast it to BOOLEAN, BIGINT, DOUBLE, VARCHAR or DATE".to_owned(),
        })?;
        Ok(TemplateColumn { name: field.name().clone(), kind })
    });
    Ok(Told::Template { parameters, columns: columns.collect::<Result<_, PlanError>>()?, cuts, alone })
}

pub(crate) fn shown(request: Request) -> Result<(Request, Vec<Footprint>), PlanError> {
    let cuts = request.cuts.iter().map(|cut| footprint(&cut.query)).collect();
    Ok((request, cuts))
}

/// Plans a question over the tables that its caller may name, and shows what its cuts touch. It wants a big stack.
pub(crate) fn planned(
    sql: &str,
    parameters: &[ScalarValue],
    tables: &Catalogue,
) -> Result<(Request, Vec<Footprint>), PlanError> {
    shown(cut(plan(sql, parameters, tables)?)?)
}

/// Whether the files are the ones that were opened. Where they cannot even be listed, they are not.
async fn unchanged(config: &EngineConfig, stores: &Stores, opened: &Opened) -> bool {
    Pinned::list(config, stores).await.is_ok_and(|files| files == opened.files)
}

/// The tables that a caller may name, as opaque sources.
fn visible(opened: &Opened, tables: &BTreeMap<TableName, BTreeSet<ColumnName>>) -> Catalogue {
    let mut catalogue = Catalogue::new();
    for (name, of_one) in tables {
        if let Some(table) = opened.tables.get(name) {
            let opaque = Opaque::new(name.as_str(), TableKind::Protected, Arc::clone(&table.schema));
            catalogue = catalogue.with(opaque.standing_for_one(of_one.iter().map(ColumnName::as_str)));
        }
    }
    catalogue
}

/// What is wrong, thing by thing.
fn each(all: &str) -> impl Iterator<Item = String> {
    all.lines().map(str::to_owned)
}
