//! `liquid node`, `liquid coordinator` and the processes behind them: open, say `ready`, serve, end in good order.

use std::path::{Path, PathBuf};

use liquid_coordinator::planner::{self, Planner};
use liquid_engine::LocalEngine;
use liquid_local::process::Ready;
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
    let serving = serve::node(&serve.config, &workers()?).await.map_err(unusable)?;
    run(serving, serve.until_stdin_closes).await
}

/// Runs a coordinator.
///
/// # Errors
/// As for [`node`].
pub(crate) async fn coordinator(serve: &Serve) -> Result<(), Failure> {
    there(&serve.config)?;
    let serving = serve::coordinator(&serve.config, &workers()?).await.map_err(unusable)?;
    run(serving, serve.until_stdin_closes).await
}

/// Runs a node's engine: questions on standard input, answers on standard output.
///
/// # Errors
/// Where its data cannot be opened, or its parent breaks off.
pub(crate) async fn engine(engine: &Engine) -> Result<(), Failure> {
    let config = engine.config.clone().unwrap_or_default();
    let open = async move {
        let config = serve::engine_config(&config).map_err(|error| error.to_string())?;
        LocalEngine::open(config).await.map_err(|error| error.to_string())
    };
    child::serve::<Ask, Told, _>(open)
        .await
        .map_err(|error| Failure::here(error, "start it through its node"))
}

/// Runs a coordinator's planner.
///
/// # Errors
/// Where its parent breaks off.
pub(crate) async fn planner() -> Result<(), Failure> {
    child::serve::<planner::Ask, planner::Told, _>(async { Ok(Planner::new()) })
        .await
        .map_err(|error| Failure::here(error, "start it through its coordinator"))
}

async fn run(serving: Serving, until_stdin_closes: bool) -> Result<(), Failure> {
    say(&Ready { listen: serving.listen() }.line());
    let shutdown = async move {
        if until_stdin_closes {
            tokio::select! {
                () = start::interrupted() => {}
                () = start::stdin_closed() => {}
            }
        } else {
            start::interrupted().await;
        }
    };
    serving.run(shutdown).await.map_err(unusable)
}

fn workers() -> Result<Workers, Failure> {
    let binary: PathBuf = std::env::current_exe().map_err(|error| {
        Failure::here(format!("this binary cannot be found: {error}"), "start it by its full path")
    })?;
    Ok(Workers::Processes(binary))
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

/// Messages of the parts name their own way out.
fn unusable(error: liquid_local::Error) -> Failure {
    Failure::here(error, "")
}
