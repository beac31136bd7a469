//! `liquid node`, `liquid coordinator` and the processes behind them: open, say `ready`, serve, end in good order.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use liquid_coordinator::planner::{self, Planner};
use liquid_engine::LocalEngine;
use liquid_local::process::{Ready, this_binary};
use liquid_local::serve::{self, Serving, Workers};
use liquid_node_api::child;
use liquid_node_api::engine::{Ask, Told};

use crate::args::{Engine, Serve};
use crate::failure::Failure;
use crate::start;
use crate::terminal::say;

/// Runs a site's node.
///
/// # Errors
/// What is wrong with its configuration, port, data, keys or log.
pub(crate) async fn node(serve: &Serve) -> Result<(), Failure> {
    there(&serve.config)?;
    let serving = serve::node(&serve.config, &Workers::Processes(this_binary()?)).await?;
    run(serving, serve.until_stdin_closes).await
}

/// Runs a coordinator.
///
/// # Errors
/// As for [`node`].
pub(crate) async fn coordinator(serve: &Serve) -> Result<(), Failure> {
    there(&serve.config)?;
    let serving = serve::coordinator(&serve.config, &Workers::Processes(this_binary()?)).await?;
    run(serving, serve.until_stdin_closes).await
}

/// Runs a node's engine: questions on standard input, answers on standard output.
///
/// # Errors
/// Where its data cannot be opened, or its parent breaks off.
pub(crate) async fn engine(engine: &Engine) -> Result<(), Failure> {
    for_a_parent()?;
    let config = engine.config.clone().unwrap_or_default();
    let open = async move {
        bound(&config).map_err(|error| format!("the engine's process cannot be bounded: {error}"))?;
        let config = serve::engine_config(&config).map_err(|error| error.to_string())?;
        LocalEngine::open(config).await.map_err(|error| error.to_string())
    };
    child::serve::<Ask, Told, _>(open).await.map_err(|_| Failure::Said)
}

/// Bounds this process before it reads anything: what DataFusion's pool does not count, the kernel does, and a process
/// that wants more dies alone. One that dies leaves no image of people's data on the disk.
fn bound(config: &Path) -> io::Result<()> {
    let memory = serve::memory_bytes(config).map_err(io::Error::other)?;
    rlimit::setrlimit(rlimit::Resource::CORE, 0, 0)?;
    let (_, most) = rlimit::getrlimit(rlimit::Resource::DATA)?;
    let memory = memory.saturating_add(PROCESS_BYTES).min(most);
    rlimit::setrlimit(rlimit::Resource::DATA, memory, memory)
}

/// What an engine takes beside the memory of a question: the stacks of its threads, of 64 MiB each, most of which are
/// never touched; code and plans; buffers of the files that are read.
const PROCESS_BYTES: u64 = 2 << 30;

/// Runs a coordinator's planner.
///
/// # Errors
/// Where its parent breaks off.
pub(crate) async fn planner() -> Result<(), Failure> {
    for_a_parent()?;
    child::serve::<planner::Ask, planner::Told, _>(async { Ok(Planner::new()) })
        .await
        .map_err(|_| Failure::Said)
}

/// What goes wrong in an engine is told to the process that started it, which says it once, with the fix. A person at a
/// terminal has taken the wrong command.
fn for_a_parent() -> Result<(), Failure> {
    if io::stdin().is_terminal() {
        let instead = "run `liquid node` or `liquid coordinator`, which start their engines themselves";
        return Err(Failure::Usage(instead.to_owned()));
    }
    Ok(())
}

async fn run(serving: Serving, until_stdin_closes: bool) -> Result<(), Failure> {
    let interrupted = start::interrupted();
    say(&Ready { listen: serving.listen() }.line());
    let shutdown = async move {
        if until_stdin_closes {
            tokio::select! {
                () = interrupted => {}
                () = start::stdin_closed() => {}
            }
        } else {
            interrupted.await;
        }
    };
    Ok(serving.run(shutdown).await?)
}

fn there(config: &Path) -> Result<(), Failure> {
    if config.is_file() {
        return Ok(());
    }
    Err(Failure::here(
        format!("there is no file `{}`", config.display()),
        "name a configuration; `liquid init` writes a set to begin with",
    ))
}
