//! The binary under test, and a demo that serves for as long as a test needs it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The binary, with nothing of the user's environment that could steer it.
pub(crate) fn liquid() -> Command {
    liquid_at(Path::new(env!("CARGO_BIN_EXE_liquid")))
}

/// The same, with hangups heard: whoever runs these tests under `nohup` has them ignored.
pub(crate) fn liquid_hearing_hangups() -> Command {
    let mut command = liquid_at(Path::new("env"));
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_liquid")]);
    command
}

fn liquid_at(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for variable in ["LIQUID_URL", "LIQUID_CA", "LIQUID_TOKEN_FILE", "LIQUID_LOG", "NO_COLOR"] {
        command.env_remove(variable);
    }
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(variable);
    }
    command.env("XDG_STATE_HOME", "/nonexistent");
    command
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ended {
    /// What it said beside its output, in one line.
    pub(crate) fn words(&self) -> String {
        self.err.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// `liquid demo --serve --json`, which ends with the test.
pub(crate) struct Demo {
    child: Child,
    state: tempfile::TempDir,
    /// The line that it printed.
    pub(crate) line: String,
    /// The same, read.
    pub(crate) connection: Value,
}

impl Demo {
    pub(crate) fn serve() -> Self {
        Self::serve_more(&[])
    }

    /// The same with more arguments.
    pub(crate) fn serve_more(arguments: &[&str]) -> Self {
        Self::start(Path::new(env!("CARGO_BIN_EXE_liquid")), arguments)
    }

    /// The same by a copy of the binary.
    pub(crate) fn serve_with(binary: &Path) -> Self {
        Self::start(binary, &[])
    }

    fn start(binary: &Path, arguments: &[&str]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut child = liquid_at(binary)
            .args(["demo", "--serve", "--json"])
            .args(arguments)
            .env("XDG_STATE_HOME", state.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let connection = serde_json::from_str(&line).unwrap_or_else(|error| panic!("`{line}`: {error}"));
        Self { child, state, line, connection }
    }

    /// `liquid query`, which finds this demo by itself.
    pub(crate) fn query(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().unwrap().into()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = liquid();
        command.env("XDG_STATE_HOME", self.state.path()).arg("query").args(arguments);
        command
    }

    /// `liquid policy` or `liquid key`, which find this demo by themselves.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = liquid();
        command.env("XDG_STATE_HOME", self.state.path()).args(arguments).output().unwrap().into()
    }

    /// The folder in which everything of this demo lies.
    pub(crate) fn folder(&self) -> PathBuf {
        Path::new(self.connection["ca"].as_str().unwrap()).parent().unwrap().to_owned()
    }

    /// The process ids of what runs below `parent` and has these words among its arguments.
    pub(crate) fn processes(&self, words: &[&str]) -> Vec<u32> {
        processes(self.child.id(), words)
    }

    /// Kills the demo itself, which can then tidy nothing up.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.until_nobody_listens();
    }

    /// A process that was killed listens until the kernel has come round to it.
    pub(crate) fn until_nobody_listens(&self) {
        let address = self.connection["coordinator"].as_str().unwrap().trim_start_matches("grpc+tls://");
        wait_for("the end of the coordinator", || std::net::TcpStream::connect(address).is_err());
    }

    /// Ctrl-C; how it ended.
    pub(crate) fn interrupt(mut self) -> i32 {
        signal("-INT", self.child.id());
        wait(&mut self.child).unwrap_or(-1)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            signal("-INT", self.child.id());
            if wait(&mut self.child).is_none() {
                self.child.kill().unwrap();
            }
        }
    }
}

/// Sends a signal to one process.
pub(crate) fn signal(name: &str, id: u32) {
    assert!(Command::new("kill").args([name, &id.to_string()]).status().unwrap().success());
}

/// Waits until something has come about.
pub(crate) fn wait_for(what: &str, mut has_come: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !has_come() {
        assert!(Instant::now() < until, "{what} does not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How a child ended, which must end.
pub(crate) fn wait(child: &mut Child) -> Option<i32> {
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code().unwrap_or(-1));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// Descendants of a process, from `/proc`.
pub(crate) fn processes(ancestor: u32, words: &[&str]) -> Vec<u32> {
    let mut parents = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let (Ok(stat), Ok(line)) = (
            std::fs::read_to_string(entry.path().join("stat")),
            std::fs::read_to_string(entry.path().join("cmdline")),
        ) else {
            continue;
        };
        let after = stat.rsplit_once(')').unwrap().1;
        let parent: u32 = after.split_whitespace().nth(1).unwrap().parse().unwrap();
        parents.insert(id, (parent, line));
    }
    let below = |mut id: u32| {
        while let Some((parent, _)) = parents.get(&id) {
            if *parent == ancestor {
                return true;
            }
            id = *parent;
        }
        false
    };
    parents
        .iter()
        .filter(|(id, (_, line))| {
            let arguments: Vec<&str> = line.split('\0').collect();
            below(**id) && words.iter().all(|word| arguments.iter().any(|argument| argument.contains(word)))
        })
        .map(|(id, _)| *id)
        .collect()
}

/// A Python of its own with these packages, made once for each list of them.
pub(crate) fn python(name: &str, requirements: &str) -> PathBuf {
    let sum = requirements.bytes().fold(17u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{sum:x}"));
    // Two tests that want the same one wait for one another.
    static MAKING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (python, made) = (folder.join("bin/python"), folder.join("made"));
    if !made.exists() {
        let _half_made = std::fs::remove_dir_all(&folder);
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder), "Python 3 with venv is needed");
        let file = folder.join("requirements.txt");
        std::fs::write(&file, requirements).unwrap();
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(file);
        run(&mut pip, "the packages could not be installed");
        std::fs::write(made, "").unwrap();
    }
    python
}

fn run(command: &mut Command, problem: &str) {
    let ended: Ended =
        command.output().unwrap_or_else(|error| panic!("{problem}: {command:?}: {error}")).into();
    assert_eq!(ended.code, 0, "{problem}: {command:?}: {}", ended.err);
}
