//! `liquid query` against a demo, as scripts use it: formats, options, exit codes.

use crate::fixture::{Demo, Ended, liquid};

const BY_SITE: &str = "SELECT site, count(*) AS patients FROM cardiac GROUP BY site ORDER BY site";

#[test]
fn answers_errors_and_exit_codes_are_as_documented() {
    let demo = Demo::serve();

    let table = demo.query(&[BY_SITE]);
    assert_eq!(table.code, 0, "{table:?}");
    assert!(table.out.contains("  budapest            293\n"), "{}", table.out);
    assert!(table.err.contains("complete 4 of 4 sites answered"), "{}", table.err);

    let csv = demo.query(&["--format", "csv", BY_SITE]);
    assert_eq!(csv.out, "site,patients\nbudapest,293\ncleveland,304\nlong-beach,200\nzurich-basel,123\n");
    let json = demo.query(&["--format", "json", &format!("{BY_SITE} LIMIT 1")]);
    assert_eq!(json.out, "{\"site\":\"budapest\",\"patients\":293}\n");
    let arrow = demo.command(&["--format", "arrow", BY_SITE]).output().unwrap();
    let reader = arrow::ipc::reader::StreamReader::try_new(arrow.stdout.as_slice(), None).unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 4);

    let small = "SELECT sex, count(*) AS n FROM cardiac WHERE site = 'long-beach' GROUP BY sex ORDER BY sex";
    let withheld = demo.query(&[small]);
    assert!(withheld.out.contains("WITHHELD"), "{}", withheld.out);
    assert!(withheld.err.contains("disclosure.minimum_contributors"), "{}", withheld.err);
    let marks = demo.query(&["--format", "csv", "--set", "liquid.marks=columns", small]);
    assert!(marks.out.starts_with("sex,n,sex_mark,n_mark\n"), "{}", marks.out);

    refusals_and_errors(&demo);

    let folder = demo.folder();
    let log = folder.join("sites/cleveland/audit.jsonl");
    assert_eq!(verify(&log).code, 0, "{:?}", verify(&log));
    assert_eq!(demo.interrupt(), 0);
    assert!(!folder.exists(), "the demo leaves nothing behind");
}

fn refusals_and_errors(demo: &Demo) {
    let folder = demo.folder();
    let stranger = folder.join("stranger");
    std::fs::write(&stranger, "nobody").unwrap();
    let long = format!("SELECT count(*) FROM cardiac WHERE age > {}", "1 + ".repeat(500) + "1");
    let huge = format!("SELECT '{}' AS x", "x".repeat(1 << 20));
    let cases: &[(&[&str], i32, &str)] = &[
        (&["SELECT age FROM cardiac"], 3, "AGG_REQUIRED"),
        (
            &["SELECT count(*) FROM cardiac WHERE cholesterol > 300"],
            3,
            "table.cardiac.columns.cholesterol.use",
        ),
        (&["--purpose", "curiosity", BY_SITE], 3, "PURPOSE"),
        (&[&long], 3, "LIMIT"),
        (&["SELECT count(blood_type) FROM cardiac"], 1, "blood_type"),
        (&["SELECT count(*) FROM nowhere"], 1, "nowhere"),
        (&["SELEC 1"], 1, "fix:"),
        (&["--token-file", stranger.to_str().unwrap(), BY_SITE], 4, "token"),
        (&["--set", "liquid.min_sites=0", BY_SITE], 1, "liquid.min_sites"),
        (&["--set", "nonsense", BY_SITE], 2, "KEY=VALUE"),
        (&["--set", "color=red", BY_SITE], 2, "liquid."),
        (&["--format", "xml", BY_SITE], 2, "xml"),
        (&[], 2, "Usage"),
    ];
    for (arguments, code, word) in cases {
        let ended = demo.query(arguments);
        assert_eq!(ended.code, *code, "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(word), "{arguments:?}: {ended:?}");
        assert!(ended.out.is_empty(), "{arguments:?}: {ended:?}");
    }
    let mut piped = demo.command(&["-"]);
    let ended = through_stdin(&mut piped, &huge);
    assert_eq!(ended.code, 3, "{}", ended.err.chars().take(300).collect::<String>());
    assert!(ended.err.contains("LIMIT"));
}

#[test]
fn without_a_federation_query_says_how_to_reach_one() {
    let ended: Ended = liquid().args(["query", "SELECT 1"]).output().unwrap().into();
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("liquid demo --serve") && ended.err.contains("--url"), "{}", ended.err);
}

#[test]
fn a_node_that_cannot_start_says_what_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    assert!(liquid().arg("init").arg(&own).output().unwrap().status.success());
    let config = own.join("sites/first/node.toml");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let good = std::fs::read_to_string(&config).unwrap();
    let good = good.replace("127.0.0.1:7434", &taken.local_addr().unwrap().to_string());
    let free = good.replace(&taken.local_addr().unwrap().to_string(), "127.0.0.1:0");
    let views = std::fs::read_to_string(own.join("sites/first/views.sql")).unwrap();
    let cases: [(String, String, &str); 8] = [
        (good.clone(), views.clone(), "is in use by another process"),
        (free.replace("listen", "lisden"), views.clone(), "lisden"),
        (free.replace("model.toml", "nothing.toml"), views.clone(), "nothing.toml"),
        (free.replace("audit.key", "nothing.key"), views.clone(), "nothing.key"),
        (free.replace("certificate.pem", "nothing.pem"), views.clone(), "nothing.pem"),
        (free.replace("visits.csv", "nothing.csv"), views.clone(), "nothing.csv"),
        (free.clone(), views.replace("AS stay", "AS length_of_stay"), "stay"),
        (free.clone(), views.replace("CAST(age AS BIGINT)", "ward"), "CAST"),
    ];
    for (text, view, word) in cases {
        std::fs::write(&config, text).unwrap();
        std::fs::write(own.join("sites/first/views.sql"), view).unwrap();
        let ended: Ended = liquid().args(["node", "--config"]).arg(&config).output().unwrap().into();
        assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{word}: {ended:?}");
        assert!(ended.err.contains(word), "{word}: {ended:?}");
    }
}

#[test]
fn a_log_that_was_touched_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    std::fs::write(&log, "{}\n").unwrap();
    let ended = verify(&log);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("record 1"), "{}", ended.err);
}

fn verify(log: &std::path::Path) -> Ended {
    liquid().args(["audit", "verify"]).arg(log).output().unwrap().into()
}

fn through_stdin(command: &mut std::process::Command, text: &str) -> Ended {
    use std::io::Write;
    use std::process::Stdio;
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}
