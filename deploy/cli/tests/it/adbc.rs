//! A client that we did not write, in another language: Apache's ADBC driver for Flight SQL, from Python.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::fixture::{Demo, Ended, python};

const REQUIREMENTS: &str = include_str!("requirements.txt");

#[test]
fn adbc_connects_lists_reads_runs_and_fetches() {
    let python = python("adbc", REQUIREMENTS);
    let demo = Demo::serve();
    let ended: Ended = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/client.py"))
        .arg(&demo.line)
        .output()
        .unwrap()
        .into();
    assert_eq!(ended.code, 0, "{}", ended.err);
    let seen: Value = serde_json::from_str(&ended.out).unwrap();

    let columns: Vec<&str> =
        seen["tables"]["public.cardiac"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(columns.contains(&"site") && columns.contains(&"age"), "{columns:?}");
    assert!(seen["tables"]["system.queries"].is_array(), "{}", seen["tables"]);
    assert!(
        seen["table_types"].as_array().unwrap().iter().any(|kind| kind == "TABLE"),
        "{}",
        seen["table_types"]
    );
    assert_eq!(seen["schema"]["age"], "int64");
    assert_eq!(seen["schema"]["sex"], "string");
    assert!(seen["remarks"]["age"].to_string().contains("years"), "{}", seen["remarks"]["age"]);

    assert_eq!(seen["types"], json!({"site": "string", "patients": "int64"}));
    let rows = json!([
        {"site": "budapest", "patients": 293},
        {"site": "cleveland", "patients": 304},
        {"site": "long-beach", "patients": 200},
        {"site": "zurich-basel", "patients": 123},
    ]);
    assert_eq!(seen["rows"], rows);
    assert_eq!(seen["bound"], 628);
    assert_eq!(seen["planned"], json!({"mean_age": "double"}));

    let marked = seen["marked"].as_array().unwrap();
    let hidden = marked.iter().find(|row| row["site"] == "long-beach" && row["sex"] == "F").unwrap();
    assert_eq!((&hidden["n"], &hidden["n_mark"]), (&Value::Null, &json!(2)));

    for (case, status, word) in [
        ("refusal", "UNAUTHORIZED", "AGG_REQUIRED"),
        ("unknown", "INVALID_ARGUMENT", "blood_type"),
        ("stranger", "UNAUTHENTICATED", "token"),
    ] {
        let error = &seen[case];
        assert_eq!(error["status"], status, "{case}: {error}");
        assert!(error["message"].as_str().unwrap().contains(word), "{case}: {error}");
    }
}
