//! The parent's side of one child process.

use std::ffi::OsString;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::process::Stdio;

use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};

use super::frame::{self, Frame};
use super::pool::Start;
use super::serve::{Answer, Hello};
use crate::error::Error;
use crate::worker::Worker;

/// A program that [`super::serve`]s on its stdin and stdout.
#[derive(Debug, Clone)]
pub struct Program {
    /// The executable, as a rule this very one.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What the log calls it, for example `engine`.
    pub name: String,
}

/// A running child, killed when it is dropped.
#[derive(Debug)]
pub struct Child<A, T> {
    process: tokio::process::Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    name: String,
    types: PhantomData<fn(A) -> T>,
}

#[async_trait]
impl<A, T> Start<A, T> for Program
where
    A: Serialize + Send + 'static,
    T: DeserializeOwned + Send + 'static,
{
    async fn start(&self) -> Result<Box<dyn Worker<A, T>>, String> {
        Ok(Box::new(Child::<A, T>::start(self).await?))
    }
}

impl<A, T> Child<A, T> {
    /// Starts a child and waits until it says that it is ready.
    ///
    /// # Errors
    /// What kept it from that, for the operator.
    pub async fn start(program: &Program) -> Result<Self, String> {
        let failed = |why: &dyn std::fmt::Display| format!("{} did not start: {why}", program.name);
        let mut process = Command::new(&program.path)
            .args(&program.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| failed(&format!("`{}` cannot be run: {e}", program.path.display())))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            return Err(failed(&"its pipes are missing"));
        };
        let pid = process.id().unwrap_or_default();
        tokio::spawn(log(program.name.clone(), pid, stderr));
        let mut stdout = BufReader::new(stdout);
        match frame::read::<Hello>(&mut stdout).await {
            Ok(Some((Hello::Ready, _))) => {}
            Ok(Some((Hello::Failed(detail), _))) => return Err(failed(&detail)),
            Ok(None) => return Err(failed(&"it ended at once; the log has its last words")),
            Err(error) => return Err(failed(&error)),
        }
        tracing::debug!(child = program.name, pid, "child ready");
        Ok(Self { process, stdin, stdout, name: program.name.clone(), types: PhantomData })
    }
}

#[async_trait]
impl<A, T> Worker<A, T> for Child<A, T>
where
    A: Serialize + Send + 'static,
    T: DeserializeOwned + Send + 'static,
{
    async fn ask(&mut self, ask: A, attached: Vec<Bytes>) -> Result<(T, Vec<Bytes>), Error> {
        let gone = |name: &str, error: &dyn std::fmt::Display| {
            tracing::warn!(child = name, %error, "child gone");
            Error::fault(format!("the {name} process ended before it answered"), true, "ask again")
        };
        let frame = Frame::new(&ask, attached);
        let exchange = async {
            frame?.write(&mut self.stdin).await?;
            frame::read::<Answer<T>>(&mut self.stdout).await
        };
        match exchange.await {
            Ok(Some((Answer::Told(told), attached))) => Ok((told, attached)),
            Ok(Some((Answer::Failed(error), _))) => Err(error),
            Ok(None) => Err(gone(&self.name, &"it closed its output")),
            Err(error) => Err(gone(&self.name, &error)),
        }
    }

    fn alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }
}

/// Longest line of a child's log that is kept.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// Hands a child's stderr on to the log, line by line.
async fn log(name: String, pid: u32, stderr: impl AsyncRead + Unpin) {
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                tracing::info!(target: "liquid::child", child = name, pid, "{}", text.trim_end());
            }
        }
    }
}
