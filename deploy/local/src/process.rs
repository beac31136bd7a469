//! One part of the federation as a child process of the same binary: started, waited for, stopped, killed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use crate::Error;

/// How long a part may take to become ready: it opens its data and starts its engines.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a part may take to end by itself before it is killed.
const STOPPED_WITHIN: Duration = Duration::from_secs(7);

/// The line `ready {…}` that a node or coordinator prints when it can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Where it listens; nowhere, where a node dials its coordinators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
}

impl Ready {
    const WORD: &str = "ready ";

    /// The line.
    pub fn line(&self) -> String {
        // An address always becomes JSON.
        format!("{}{}", Self::WORD, serde_json::to_string(self).unwrap_or_default())
    }

    fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line.strip_prefix(Self::WORD)?).ok()
    }
}

/// A running part. It ends when its standard input closes, so it cannot outlive whoever started it.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    listen: Option<SocketAddr>,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts `binary command --config FILE` and waits until it is ready. Its messages go to `log`.
    ///
    /// # Errors
    /// Where it cannot be started, ends by itself, or is not ready in time.
    pub async fn start(
        name: &str,
        binary: &Path,
        command: &str,
        config: &Path,
        log: &Path,
    ) -> Result<Self, Error> {
        let failed = |problem: String| Error::Start { name: name.to_owned(), log: log.to_owned(), problem };
        let messages =
            std::fs::OpenOptions::new().create(true).append(true).open(log).map_err(Error::writing(log))?;
        let mut child = Command::new(binary)
            .arg(command)
            .arg("--config")
            .arg(config)
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(messages)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("it cannot be started: {error}")))?;
        let stdin = child.stdin.take();
        let Some(stdout) = child.stdout.take() else {
            return Err(failed("it has no standard output".to_owned()));
        };
        let mut lines = BufReader::new(stdout).lines();
        let listen = match timeout(READY_WITHIN, lines.next_line()).await {
            Err(_) => {
                return Err(failed(format!("it was not ready within {READY_WITHIN:?}: {}", last_lines(log))));
            }
            Ok(line) => match line.ok().flatten().as_deref().and_then(Ready::read) {
                Some(ready) => ready.listen,
                None => return Err(failed(last_words(log, &mut child).await)),
            },
        };
        Ok(Self { name: name.to_owned(), log: log.to_owned(), listen, child, stdin })
    }

    /// Its name in the federation.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its messages go.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Where it listens, if it does.
    pub fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks it to end, and kills it if it does not.
    pub async fn stop(mut self) -> Option<ExitStatus> {
        drop(self.stdin.take());
        match timeout(STOPPED_WITHIN, self.child.wait()).await {
            Ok(status) => status.ok(),
            Err(_) => {
                self.kill().await;
                None
            }
        }
    }

    /// Kills it at once, as a power cut would.
    pub async fn kill(mut self) {
        let _already_gone = self.child.kill().await;
    }
}

/// Why a part ended before it was ready: the last lines that it wrote.
async fn last_words(log: &Path, child: &mut Child) -> String {
    let status = match timeout(STOPPED_WITHIN, child.wait()).await {
        Ok(Ok(status)) => status.to_string(),
        _ => "no end in sight".to_owned(),
    };
    format!("it ended ({status}): {}", last_lines(log))
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len().saturating_sub(4);
    lines.get(last..).unwrap_or_default().join(" / ")
}

/// The binary that runs now, to start it once more. Linux keeps it at hand under this name, even where an upgrade has
/// replaced or removed the file meanwhile: a part never runs another version than whoever started it.
///
/// # Errors
/// Where the system does not tell.
pub fn this_binary() -> Result<PathBuf, Error> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe().map_err(|error| Error::machine("this binary cannot be found", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_reads_back() {
        let ready = Ready { listen: Some("127.0.0.1:7433".parse().unwrap()) };
        assert_eq!(ready.line(), r#"ready {"listen":"127.0.0.1:7433"}"#);
        assert_eq!(Ready::read(&ready.line()), Some(ready));
        let dialling = Ready { listen: None };
        assert_eq!(dialling.line(), "ready {}");
        assert_eq!(Ready::read(&dialling.line()), Some(dialling));
        assert_eq!(Ready::read("hello"), None);
    }
}
