//! What happens around a demo that runs: the terminal closes, the binary is upgraded, it is killed, a folder is missing.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use liquid_local::{Error, Federation, Run, heart};

use crate::fixture::{Demo, Ended, liquid, liquid_hearing_hangups, signal, wait, wait_for};

const COUNT: &str = "SELECT count(*) AS patients FROM cardiac";

/// Where no file can show the way, the commands that are printed name everything; a terminal that closes ends the demo.
#[test]
fn what_a_demo_prints_can_be_typed_and_a_closed_terminal_ends_it() {
    let occupied = tempfile::NamedTempFile::new().unwrap();
    let mut child = liquid_hearing_hangups()
        .args(["demo", "--serve", "--in-process"])
        .env("XDG_STATE_HOME", occupied.path())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut commands = Vec::new();
    for line in lines.by_ref().map(Result::unwrap) {
        if let Some(command) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) {
            commands.push(command.to_owned());
        }
        if line.starts_with("Ctrl-C") {
            break;
        }
    }
    assert_eq!(commands.len(), 2, "{commands:#?}");
    assert!(commands[0].contains("--token-file") && commands[1].contains("audit verify"), "{commands:#?}");
    for command in &commands {
        let ended: Ended = Command::new("sh").args(["-c", command]).output().unwrap().into();
        assert_eq!(ended.code, 0, "{command}: {ended:?}");
    }
    let ca = commands[0].split_whitespace().skip_while(|word| *word != "--ca").nth(1).unwrap();
    assert!(Path::new(ca).exists());
    signal("-HUP", child.id());
    assert_eq!(wait(&mut child), Some(0));
    assert!(!Path::new(ca).exists(), "keys and tokens are gone");
}

/// Engines and planners that are started later are of the version that runs, not of the file that took its place.
#[test]
fn an_upgrade_under_a_running_demo_mixes_no_versions() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let binary = folder.path().join("liquid");
    std::fs::hard_link(env!("CARGO_BIN_EXE_liquid"), &binary).unwrap();
    let demo = Demo::serve_with(&binary);
    std::fs::remove_file(&binary).unwrap();
    std::fs::write(&binary, "#!/bin/sh\nexit 9\n").unwrap();
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
    for engine in demo.processes(&["engine", "--role"]) {
        signal("-KILL", engine);
    }
    wait_for("an answer of new engines", || demo.query(&[COUNT]).code == 0);
    assert_eq!(demo.interrupt(), 0);
}

#[test]
fn a_demo_that_was_killed_is_not_asked_for_ever() {
    let mut demo = Demo::serve();
    let folder = demo.folder();
    demo.kill();
    let gone = demo.query(&[COUNT]);
    assert_eq!(gone.code, 1, "{gone:?}");
    assert!(gone.err.contains("the demo that ran here is gone"), "{gone:?}");
    assert!(gone.err.contains("start `liquid demo --serve`"), "{gone:?}");
    let _or_swept_meanwhile = std::fs::remove_dir_all(folder);
}

/// Keys and tokens of a demo that was killed do not lie about for ever: the next one removes them, and nothing else.
#[test]
fn the_next_demo_removes_what_a_killed_one_left() {
    let folder = tempfile::tempdir().unwrap();
    let demo = || {
        let mut child = liquid()
            .args(["demo", "--serve", "--json", "--in-process"])
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        (child, Path::new(ready["ca"].as_str().unwrap()).parent().unwrap().to_owned())
    };
    let (mut running, its) = demo();
    let (mut killed, left) = demo();
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(left.join("ca.pem").exists() && left.join("tokens").exists());
    // Somebody else's, and a link to what is not ours to remove.
    let others = folder.path().join("liquid-of-others");
    std::fs::create_dir(&others).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join(".in-use"), "").unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("liquid-link")).unwrap();

    let (mut next, own) = demo();
    assert!(!left.exists(), "{} is still there", left.display());
    assert!(its.join("ca.pem").exists() && own.join("ca.pem").exists(), "what is in use stays");
    assert!(others.exists() && elsewhere.path().join(".in-use").exists());
    for child in [&mut running, &mut next] {
        signal("-INT", child.id());
        assert_eq!(wait(child), Some(0));
    }
    assert!(!its.exists() && !own.exists());
}

#[test]
fn a_missing_folder_for_passing_files_is_named() {
    let ended: Ended = liquid().arg("demo").env("TMPDIR", "/nonexistent/here").output().unwrap().into();
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("/nonexistent/here") && ended.err.contains("TMPDIR"), "{ended:?}");
}

#[tokio::test]
async fn a_log_that_an_error_names_is_kept() {
    let started = Federation::start(&heart::blueprint(), Run::Processes(PathBuf::from("false"))).await;
    let Err(Error::Start { log, problem, .. }) = started else { panic!("`false` serves nothing") };
    assert!(problem.contains("it ended"), "{problem}");
    assert!(log.exists(), "{} is named and gone", log.display());
    let root = log.ancestors().find(|folder| folder.join("ca.pem").exists() && folder.join("keys").exists());
    std::fs::remove_dir_all(root.unwrap()).unwrap();
}
