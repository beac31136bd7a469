//! `liquid policy diff` and `liquid policy explain`, as boards, analysts and scripts use them: offline, with files alone.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::fixture::{Ended, liquid};

fn heart(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/examples/heart").join(name)
}

fn explain(who: &str, purpose: &str, more: &[&str]) -> Ended {
    let mut command = liquid();
    command.args(["policy", "explain", "--agreement"]).arg(heart("agreement.toml"));
    command.arg("--schema").arg(heart("schema.sql"));
    command.args(["--as", who, "--purpose", purpose]).args(more).output().unwrap().into()
}

fn analyst(more: &[&str]) -> Ended {
    explain("heart-institute/analyst", "cardiac-care", more)
}

#[test]
fn a_question_is_explained_with_a_verdict_and_an_exit_code() {
    let asked = |sql: &str| analyst(&["--on", "2026-11-01", "--format", "json", "--sql", sql]);
    let permit = asked("SELECT sex, count(*) FROM cardiac GROUP BY sex");
    let verdict: Value = serde_json::from_str(&permit.out).unwrap();
    assert_eq!((permit.code, &verdict["verdict"]), (0, &Value::from("permit")), "{permit:?}");
    assert!(permit.out.starts_with(
        r#"{"verdict":"permit","code":null,"clause":null,"message":null,"fix":null,"obligations":[{"#
    ));
    assert_eq!(permit.out.lines().count(), 1);
    assert_eq!(permit.out, asked("SELECT sex, count(*) FROM cardiac GROUP BY sex").out);

    let refusal = asked("SELECT age FROM cardiac");
    assert_eq!(refusal.code, 3, "{refusal:?}");
    let verdict: Value = serde_json::from_str(&refusal.out).unwrap();
    assert_eq!(
        (&verdict["verdict"], &verdict["code"]),
        (&Value::from("refusal"), &Value::from("AGG_REQUIRED"))
    );
    assert_eq!(refusal.err, "", "the answer is all that is said");

    for (code, ended) in [
        ("RECIPIENT", explain("bureau/analyst", "cardiac-care", &["--format", "json", "--sql", "SELECT 1"])),
        ("PURPOSE", explain("heart-institute/analyst", "fun", &["--format", "json", "--sql", "SELECT 1"])),
        ("NOT_IN_FORCE", analyst(&["--on", "2035-01-01", "--format", "json", "--sql", "SELECT 1"])),
    ] {
        assert_eq!(ended.code, 3, "{ended:?}");
        assert!(ended.out.contains(&format!(r#""code":"{code}""#)), "{ended:?}");
    }

    let text = analyst(&["--on", "2026-11-01", "--sql", "SELECT count(*) FROM cardiac WHERE patient = 'P1'"]);
    assert_eq!(text.code, 3);
    assert!(
        text.out.starts_with("refused LITERAL_COMPARE: column `patient` may not stand in a condition"),
        "{text:?}"
    );
    assert!(text.out.contains("clause: table.cardiac.columns.patient.use"), "{text:?}");
    assert!(text.err.contains("as if HRT-2026-01 1.0.0 were signed by all"), "{text:?}");

    let with = ["--on", "2026-11-01", "--sql", "SELECT count(*) FROM cardiac WHERE age > $1 AND sex = $2"];
    let bound = analyst(&[&with[..], &["--param", "-50", "--param", "F"]].concat());
    assert!(bound.code == 0 && bound.out.starts_with("permitted\n"), "{bound:?}");
    assert!(analyst(&with).err.contains("2 parameters and 0 bound values"));
}

#[test]
fn mistakes_are_errors_with_a_fix_and_not_verdicts() {
    let huge = format!("SELECT count(*) FROM cardiac WHERE age > {}", "1+".repeat(10_000) + "1");
    for (ended, code, word) in [
        (analyst(&["--sql", "SELECT count(*) FROM nowhere"]), 1, "table `nowhere` is not known"),
        (analyst(&["--sql", "SELEC 1"]), 1, "fix:"),
        (analyst(&["--on", "2026-11-01", "--sql", &huge]), 3, "LIMIT"),
        (analyst(&["--on", "1/12/2026", "--sql", "SELECT 1"]), 2, "write year, month and day as 2026-12-01"),
        (
            explain("heart-institute", "cardiac-care", &["--sql", "SELECT 1"]),
            2,
            "--as heart-institute/analyst",
        ),
    ] {
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.err.contains(word) || ended.out.contains(word), "{ended:?}");
    }
    let mut command = liquid();
    command.args(["policy", "explain", "--agreement"]).arg(heart("agreement.toml"));
    command.arg("--schema").arg(heart("agreement.toml"));
    let ended: Ended =
        command.args(["--as", "a/b", "--purpose", "p", "--sql", "SELECT 1"]).output().unwrap().into();
    assert!(
        ended.code == 1 && ended.err.contains("agreement.toml") && ended.err.contains("fix:"),
        "{ended:?}"
    );
}

fn diff(old: &Path, new: &Path, format: &str) -> Ended {
    liquid().args(["policy", "diff", "--format", format]).args([old, new]).output().unwrap().into()
}

#[test]
fn two_versions_are_compared_in_words_the_verdict_first() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(heart("agreement.toml")).unwrap();
    let draft = |name: &str, edits: &[(&str, &str)]| {
        let edited = edits.iter().fold(text.clone(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        let file = folder.path().join(name);
        std::fs::write(&file, edited).unwrap();
        file
    };
    let old = heart("agreement.toml");
    let minimum = ("minimum_contributors = 10", "minimum_contributors = 20");
    let earlier = ("in_force = 2026-01-01", "in_force = 2025-01-01");

    let same = diff(&old, &draft("same.toml", &[("[agreement]", "# Read again.\n[agreement]")]), "text");
    assert_eq!(
        (same.code, same.out.as_str()),
        (0, "same: nothing changes\n  if you have edited it, was it saved?\n"),
        "{same:?}"
    );

    let tight = draft("tight.toml", &[minimum]);
    let found = diff(&old, &tight, "text");
    assert_eq!(found.code, 0, "{found:?}");
    assert!(found.out.starts_with("tightens: 1 clause tightens\n"), "{found:?}");
    assert!(found.out.contains("tightens  disclosure.minimum_contributors (E)"), "{found:?}");
    assert!(
        found.out.contains(
            "cells with 10 to 19 contributors behind them, or left out of them, are no longer shown"
        ),
        "{found:?}"
    );

    let loose = draft("loose.toml", &[minimum, earlier]);
    let found: Value = serde_json::from_str(&diff(&old, &loose, "json").out).unwrap();
    assert_eq!(found["verdict"], "loosens");
    let begins = &found["changes"][0];
    assert_eq!(
        (&begins["clause"], &begins["direction"]),
        (&Value::from("agreement.in_force"), &Value::from("loosens"))
    );
    assert_eq!(begins["example"]["before"]["code"], "NOT_IN_FORCE");
    assert_eq!(begins["example"]["after"]["verdict"], "permit");

    // The question that shows it, asked offline of both.
    let shown = &begins["example"];
    for (agreement, code) in [(&old, 3), (&loose, 0)] {
        let mut command = liquid();
        command
            .args(["policy", "explain", "--agreement"])
            .arg(agreement)
            .arg("--schema")
            .arg(heart("schema.sql"));
        for (option, key) in [("--as", "as"), ("--purpose", "purpose"), ("--on", "on"), ("--sql", "sql")] {
            command.args([option, shown[key].as_str().unwrap()]);
        }
        let ended: Ended = command.output().unwrap().into();
        assert_eq!(ended.code, code, "{ended:?}");
    }
    assert_eq!(diff(&old, Path::new("/nowhere.toml"), "text").code, 1);
}
