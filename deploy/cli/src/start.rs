//! How every command starts and stops: one runtime, one place where failures are said, signals that end things well.

use std::io::{self, IsTerminal};
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::args::{Arguments, Command};
use crate::failure::Failure;
use crate::terminal::{Paint, note_wrapped};

/// How long tasks may take to end after their command has.
const ENDED_WITHIN: Duration = Duration::from_secs(1);

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    // A part is started as `/proc/self/exe`, and `ps` and `top` would call it `exe`.
    let _only_a_name = std::fs::write("/proc/self/comm", "liquid");
    log(&arguments.command);
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(crate::command(arguments.command));
            runtime.shutdown_timeout(ENDED_WITHIN);
            outcome
        }
        Err(error) => Err(Failure::here(format!("no threads can be started: {error}"), "free some memory")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in failure.lines(Paint::stderr()) {
                note_wrapped(&line);
            }
            failure.into()
        }
    }
}

/// How this program was called, so that what is printed can be typed.
pub(crate) fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "liquid".to_owned())
}

/// Services log what operators need; commands for people log nothing unless `LIQUID_LOG` asks for it.
fn log(command: &Command) {
    let service = matches!(command, Command::Node(_) | Command::Coordinator(_) | Command::Engine(_));
    let default = if service { "info" } else { "off" };
    let filter = EnvFilter::try_from_env("LIQUID_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // It would say so on standard error, which is what has just failed, and panic over that.
        .log_internal_errors(false)
        .init();
}

/// A request to end. It is heard from the moment at which this is made, so make it before anybody is told how to end.
pub(crate) type End = Pin<Box<dyn Future<Output = ()> + Send>>;

/// As [`interrupted`], and when the terminal closes: for the demo, which must not leave its folder and keys behind.
pub(crate) fn ended() -> End {
    let hung_up = if stays_up() { None } else { signal(SignalKind::hangup()).ok() };
    let interrupted = interrupted();
    Box::pin(async move {
        tokio::select! {
            () = interrupted => {}
            () = received(hung_up) => {}
        }
    })
}

/// Ctrl-C, or a polite request to end.
pub(crate) fn interrupted() -> End {
    let (interrupt, terminate) = (signal(SignalKind::interrupt()).ok(), signal(SignalKind::terminate()).ok());
    Box::pin(async move {
        tokio::select! {
            () = received(interrupt) => {}
            () = received(terminate) => {}
        }
    })
}

/// Waits for a signal; for ever where it cannot be caught, and then it ends the process by itself.
async fn received(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether this runs under `nohup`, which ignores the hangup signal beforehand: whoever wrote that wants it to go on.
fn stays_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored & 1 == 1 // SIGHUP is the first signal
}

/// Waits until whoever started this process closes its standard input, which their death does too.
pub(crate) async fn stdin_closed() {
    let mut stdin = tokio::io::stdin();
    let mut buffer = [0; 64];
    while let Ok(1..) = stdin.read(&mut buffer).await {}
}
