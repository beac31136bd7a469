//! The disk under a node's audit log is full, or the log is no longer there: nothing is released, the rest goes on, and
//! it ends by itself. A limit on the size of files stands for the full disk: writes go through in part, then fail.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use liquid_local::{Federation, Run, heart};
use liquid_node::audit::{Summary, verify_file};
use liquid_node_api::Error;

use crate::fixture::{Ended, liquid, processes};

const COUNT: &str = "SELECT count(*) AS patients FROM cardiac";

/// One site of a federation, and the disk under it.
struct Disk {
    federation: Federation,
    folder: PathBuf,
    _binary: tempfile::TempDir,
}

impl Disk {
    async fn start() -> Self {
        // At the limit the kernel sends a signal that ends a process, unless it is ignored; a full disk sends none.
        let binary = tempfile::tempdir().unwrap();
        let script = binary.path().join("liquid");
        let text = format!("#!/bin/sh\ntrap '' XFSZ\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_liquid"));
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
        let federation = Federation::start(&heart::blueprint(), Run::Processes(script)).await.unwrap();
        let folder = federation.root().join("sites/cleveland");
        // The operator's own log lies on the same volume; that it takes no more must not hurt the node either.
        let messages = std::fs::OpenOptions::new().append(true).open(folder.join("node.log"));
        messages.unwrap().write_all(&[b'\n'; 1 << 20]).unwrap();
        Self { federation, folder, _binary: binary }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("audit.jsonl")
    }

    fn used(&self) -> u64 {
        std::fs::metadata(self.log()).unwrap().len()
    }

    /// From now on so many bytes fit into each file that the node writes.
    fn fits(&self, bytes: &str) {
        let config = self.folder.join("node.toml");
        let node = processes(std::process::id(), &["node", "--until-stdin-closes", config.to_str().unwrap()]);
        let node = node.first().expect("the node runs").to_string();
        let limit = format!("--fsize={bytes}:");
        let set = Command::new("prlimit").args(["--pid", &node, &limit]).status();
        assert!(set.expect("`prlimit` of util-linux is needed").success());
    }

    fn query(&self, url: Option<&str>, options: &[&str]) -> Ended {
        let connection = self.federation.connection();
        let token = self.federation.folder().token_file(connection.tokens.first().unwrap().0);
        let mut command = liquid();
        command.args(["query", "--format", "csv", "--url", url.unwrap_or(&connection.coordinator)]);
        command.arg("--ca").arg(&connection.ca).arg("--token-file").arg(token);
        command.args(options).arg(COUNT).output().unwrap().into()
    }

    /// What the log holds, which must be whole.
    fn verified(&self) -> Summary {
        let key = std::fs::read_to_string(self.folder.join("audit.pub")).unwrap();
        verify_file(&self.log(), Some(key.trim())).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_releases_nothing_and_mends_itself() {
    let mut disk = Disk::start().await;
    assert_eq!(disk.query(None, &[]).code, 0);
    let before = disk.verified();

    disk.fits(&(disk.used() + 100).to_string());
    let site = disk.federation.connection().sites.iter().find(|site| site.name == "cleveland").unwrap();
    let at_the_site = disk.query(site.url.as_deref(), &[]);
    assert_eq!(at_the_site.code, 1, "{at_the_site:?}");
    assert!(
        at_the_site.err.contains("audit log") && at_the_site.err.contains("free space"),
        "{at_the_site:?}"
    );
    missing_cleveland(&disk.query(None, &[]));
    let others = disk.query(None, &["--set", "liquid.min_sites=3"]);
    assert_eq!((others.code, others.out.as_str()), (0, "patients\n616\n"), "{others:?}");
    assert_eq!(disk.verified(), before, "nothing was recorded, so nothing was done");

    // There is room for the question and none for its outcome: it is worked on, and the answer stays.
    disk.fits(&(disk.used() + question_bytes(&disk.log()) + 100).to_string());
    missing_cleveland(&disk.query(None, &[]));
    let meanwhile = disk.verified();
    assert_eq!((meanwhile.open.len(), meanwhile.released), (1, before.released), "{meanwhile:?}");

    disk.fits("unlimited");
    assert_eq!(disk.query(None, &[]).out, "patients\n920\n");
    let after = disk.verified();
    assert!(after.open.is_empty(), "the outcome was owed: {after:?}");
    assert_eq!((after.released, after.other), (before.released + 1, before.other + 1), "{after:?}");

    disk.fits(&(disk.used() + 100).to_string());
    missing_cleveland(&disk.query(None, &[]));
    disk.federation.kill_site("cleveland").await.unwrap();
    disk.federation.start_site("cleveland").await.unwrap();
    assert_eq!(disk.query(None, &[]).out, "patients\n920\n", "and after a restart, too");
    assert!(disk.verified().open.is_empty());
    disk.federation.stop().await;
}

fn missing_cleveland(ended: &Ended) {
    assert_eq!((ended.code, ended.out.as_str()), (5, ""), "{ended:?}");
    assert!(ended.err.contains("cleveland") && ended.err.contains("audit log"), "{ended:?}");
}

/// How long the record of the last question is.
fn question_bytes(log: &Path) -> u64 {
    let text = std::fs::read_to_string(log).unwrap();
    let line = text.lines().rfind(|line| line.contains("\"what\":\"asked\"")).unwrap();
    line.len() as u64 + 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_moved_away_releases_nothing_until_it_is_back() {
    let federation = Federation::start(&heart::blueprint(), Run::InProcess).await.unwrap();
    let log = federation.root().join("sites/cleveland/audit.jsonl");
    let aside = log.with_extension("aside");
    let mut client = federation.client(None).unwrap();
    client.ask(COUNT).await.unwrap();
    std::fs::rename(&log, &aside).unwrap();
    let Err(Error::SiteMissing { sites, message, .. }) = client.ask(COUNT).await else {
        panic!("an answer without a record");
    };
    assert_eq!(sites, ["cleveland"]);
    assert!(message.contains("audit log"), "{message}");
    std::fs::rename(&aside, &log).unwrap();
    client.ask(COUNT).await.unwrap();
    let logs = federation.audit_logs();
    let found = logs.iter().find(|it| it.path == log).unwrap();
    assert_eq!(verify_file(&log, Some(&found.key)).unwrap().released, 2);
}
