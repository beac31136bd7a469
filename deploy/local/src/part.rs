//! A node or a coordinator that runs, as a process or in this one.

use std::net::SocketAddr;
use std::path::Path;

use crate::Error;
use crate::federation::Run;
use crate::process::Process;
use crate::task::Task;

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Node,
    Coordinator,
}

/// A running part.
pub(crate) enum Part {
    Process(Process),
    Task(Task),
}

impl Part {
    /// Starts it and waits until it is ready.
    pub(crate) async fn start(run: &Run, kind: Kind, name: &str, config: &Path) -> Result<Self, Error> {
        match run {
            Run::Processes(binary) => {
                let command = match kind {
                    Kind::Node => "node",
                    Kind::Coordinator => "coordinator",
                };
                let log = config.with_extension("log");
                Process::start(name, binary, command, config, &log).await.map(Self::Process)
            }
            Run::InProcess => Task::start(kind, config).await.map(Self::Task),
        }
    }

    /// Where it listens, if it does.
    pub(crate) fn listen(&self) -> Option<SocketAddr> {
        match self {
            Self::Process(process) => process.listen(),
            Self::Task(task) => task.listen(),
        }
    }

    /// Ends it in good order.
    pub(crate) async fn stop(self) {
        match self {
            Self::Process(process) => {
                let _status = process.stop().await;
            }
            Self::Task(task) => task.stop().await,
        }
    }

    /// Ends it at once.
    pub(crate) async fn kill(self) {
        match self {
            Self::Process(process) => process.kill().await,
            Self::Task(task) => task.kill().await,
        }
    }
}
