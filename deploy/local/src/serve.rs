//! One part of a federation, opened from its configuration file and served: what `liquid node` and `liquid coordinator`
//! do, and what an in-process federation does with each of its parts.

use std::ffi::OsString;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use liquid_coordinator::planner::Planner;
use liquid_coordinator::{Coordinator, Member};
use liquid_engine::{EngineConfig, LocalEngine};
use liquid_node::serve::Doors;
use liquid_node::{Node, Parts};
use liquid_node_api::child::{self, Pool, PoolSettings, Program, Start};
use liquid_node_api::engine::{Ask, Told};
use liquid_node_api::envelope::{AnswerCaps, Issuer};
use liquid_node_api::flight::FlightChannel;
use liquid_node_api::sql;
use liquid_node_api::tls::outbound::Expected;
use liquid_node_api::tls::{self, Certificates, Limits, Link};
use liquid_node_api::worker::Worker;
use liquid_policy::admit::{Caller, open_to};
use liquid_policy::signature::Signed;
use tokio::net::TcpListener;

use crate::Error;

/// Where engines and planners live.
#[derive(Debug, Clone)]
pub enum Workers {
    /// Each in a child process of this binary, which can be killed.
    Processes(PathBuf),
    /// In this process, for tests and for looking around.
    InProcess,
}

/// A part that is open, bound to its port if it has one, and serves once it is run.
pub struct Serving {
    listen: Option<SocketAddr>,
    run: Box<dyn FnOnce(Shutdown) -> Served + Send>,
}

type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;
type Served = Pin<Box<dyn Future<Output = Result<(), tls::Error>> + Send>>;

impl Serving {
    /// Where it listens, if it does.
    pub fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// Serves until `shutdown` is ready, and a little longer for what still runs.
    ///
    /// # Errors
    /// Where the server fails.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        (self.run)(Box::pin(shutdown)).await.map_err(part)
    }
}

/// Opens a site's node.
///
/// # Errors
/// What is wrong with its configuration, port, data, keys or log, and what to do about it.
pub async fn node(config: &Path, workers: &Workers) -> Result<Serving, Error> {
    let file = config.to_owned();
    let config = liquid_node::Config::read(config).map_err(part)?;
    let (listener, listen) = match config.node.listen {
        Some(address) => bind(address).await.map(|(listener, listen)| (Some(listener), Some(listen)))?,
        None => (None, None),
    };
    config.check_tls().map_err(part)?; // what is wrong with it is said before `ready`, not after
    let (engines, fatal): (Arc<dyn Start<Ask, Told>>, _) = match workers {
        Workers::Processes(binary) => (Arc::new(engine(binary, &file)), end_process as fn(&str)),
        Workers::InProcess => (engine_here(&file, &config)?, note_fatal as fn(&str)),
    };
    let parts = Parts { engines, now: Arc::new(now), fatal: Box::new(fatal), store: None };
    let node = Arc::new(Node::open(config, parts).await.map_err(Error::Part)?);
    if !node.agreements().heads(now()).iter().any(|signed| in_force(signed, now().date_naive())) {
        tracing::warn!("no agreement is in force, so every question is refused");
    }
    let doors = Doors::open(node.config(), listener).await.map_err(part)?;
    Ok(Serving {
        listen,
        run: Box::new(move |shutdown| Box::pin(liquid_node::serve::serve(node, doors, shutdown))),
    })
}

/// Opens a coordinator.
///
/// # Errors
/// As for [`node`].
pub async fn coordinator(config: &Path, workers: &Workers) -> Result<Serving, Error> {
    let config = liquid_coordinator::Config::read(config).map_err(part)?;
    let (listener, listen) = bind(config.coordinator.listen).await?;
    config.check_tls().map_err(part)?;
    let certificates = Certificates::open(&config.tls).map_err(part)?;
    let settings = &config.coordinator;
    let limits = Limits {
        connections: settings.connections,
        per_address: settings.connections_per_address,
        ..Limits::default()
    };
    let caps = AnswerCaps { rows: settings.rows_max as u64, bytes: settings.answer_bytes_max as u64 };
    let issuer = Issuer::new(certificates.clone(), Arc::new(now), caps).map_err(part)?;
    let mut expected = Expected::new();
    let mut members = Vec::new();
    for site in &config.sites {
        let name = site.name.clone();
        let files = config.tls.trusting(site.ca.as_deref(), site.crl.as_deref());
        let own = site.ca.as_ref().map(|_| Certificates::open(&files)).transpose().map_err(part)?;
        let link = match site.target(settings).map_err(part)? {
            Some(target) => Link::from(own.as_ref().unwrap_or(&certificates).connect(&target).map_err(part)?),
            None => expected.expect(name.clone(), own).into(),
        };
        let channel = FlightChannel::new(name, link, settings.answer_bytes_max, Arc::clone(&issuer));
        members.push(Member { channel: Arc::new(channel), tables: site.tables.clone() });
    }
    let planners: Arc<dyn Start<_, _>> = match workers {
        Workers::Processes(binary) => Arc::new(planner(binary)),
        Workers::InProcess => child::start_with(|| async {
            let planner: Box<dyn Worker<_, _>> = Box::new(Planner::new());
            Ok(planner)
        }),
    };
    let settings = PoolSettings {
        workers: config.coordinator.planners,
        // Planning is short, and who asks is not told apart here.
        queue_per_caller: PoolSettings::default().queue,
        ..PoolSettings::default()
    };
    let planners = Pool::start(planners, settings).await.map_err(Error::Part)?;
    let coordinator =
        Coordinator::new(config.coordinator, &config.identity, members, planners, Arc::new(now))
            .map_err(part)?;
    let coordinator = Arc::new(coordinator);
    let clients = expected.incoming(listener, &certificates, limits).map_err(part)?;
    Ok(Serving {
        listen: Some(listen),
        run: Box::new(move |shutdown| Box::pin(sql::serve(coordinator, clients, shutdown))),
    })
}

/// The memory that one question to the engine of this `node.toml` may take.
///
/// # Errors
/// Where the file cannot be used.
pub fn memory_bytes(file: &Path) -> Result<u64, Error> {
    let config = liquid_node::Config::read(file).map_err(part)?;
    Ok(config.limits.memory_bytes)
}

/// The data that the engine of this `node.toml` works on.
///
/// # Errors
/// Where the file or its `[engine]` cannot be used.
pub fn engine_config(file: &Path) -> Result<EngineConfig, Error> {
    let config = liquid_node::Config::read(file).map_err(part)?;
    engine_of(file, &config)
}

fn engine_of(file: &Path, config: &liquid_node::Config) -> Result<EngineConfig, Error> {
    let engine: EngineConfig = config
        .engine
        .clone()
        .try_into()
        .map_err(|error| Error::Part(format!("{}: `[engine]`: {error}", file.display())))?;
    Ok(engine.relative_to(file.parent().unwrap_or(Path::new("."))))
}

fn engine(binary: &Path, config: &Path) -> Program {
    let arguments = ["engine", "--role", "node", "--config"].map(OsString::from);
    Program {
        path: binary.to_owned(),
        arguments: arguments.into_iter().chain([config.as_os_str().to_owned()]).collect(),
        name: "engine".to_owned(),
    }
}

fn planner(binary: &Path) -> Program {
    let arguments = ["engine", "--role", "coordinator"].map(OsString::from).into();
    Program { path: binary.to_owned(), arguments, name: "planner".to_owned() }
}

fn engine_here(file: &Path, config: &liquid_node::Config) -> Result<Arc<dyn Start<Ask, Told>>, Error> {
    let engine = engine_of(file, config)?;
    Ok(child::start_with(move || {
        let engine = engine.clone();
        async move {
            let opened = LocalEngine::open(engine).await.map_err(|error| error.to_string())?;
            let worker: Box<dyn Worker<Ask, Told>> = Box::new(opened);
            Ok(worker)
        }
    }))
}

/// Whether anybody may ask anything under it today.
fn in_force(signed: &Signed, today: NaiveDate) -> bool {
    signed.agreement().recipients().iter().any(|recipient| {
        let caller = Caller {
            organisation: recipient.organisation.clone(),
            roles: recipient.roles.iter().cloned().collect(),
            subject: String::new(),
            purposes: recipient.purposes.iter().cloned().collect(),
        };
        !open_to(std::slice::from_ref(signed), &caller, today).is_empty()
    })
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let listener = tls::listen(address).await.map_err(part)?;
    let listen = listener.local_addr().map_err(|error| Error::machine("no port can be had", error))?;
    Ok((listener, listen))
}

fn now() -> DateTime<Utc> {
    Utc::now()
}

/// It is no longer known what is on the disk: nothing more may be released, so the process ends here and now.
fn end_process(problem: &str) {
    note_fatal(problem);
    std::process::exit(1);
}

/// In a process of many parts the log alone goes dead; it releases nothing any more.
fn note_fatal(problem: &str) {
    tracing::error!(problem, "the audit log cannot be relied on");
}

fn part(error: impl std::fmt::Display) -> Error {
    Error::Part(error.to_string())
}
