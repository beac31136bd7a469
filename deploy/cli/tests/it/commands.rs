//! `liquid query` against a demo, as scripts use it: formats, options, exit codes.

use std::path::Path;
use std::process::Stdio;

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

    let commented = demo.query(&["--format", "csv", "-- how many?\nSELECT count(*) AS n FROM cardiac"]);
    assert_eq!(commented.out, "n\n920\n", "{commented:?}");
    let mut gone = demo.command(&["--format", "csv", BY_SITE]);
    let mut gone = gone.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(gone.stdout.take()); // as `head` does
    let gone: Ended = gone.wait_with_output().unwrap().into();
    assert_eq!(gone.code, 0, "{gone:?}");
    assert!(!gone.err.contains("error"), "{gone:?}");

    let folder = demo.folder();
    a_log_is_verified_whole(&folder.join("sites/cleveland"));
    assert_eq!(demo.interrupt(), 0);
    assert!(!folder.exists(), "the demo leaves nothing behind");
}

fn a_log_is_verified_whole(site: &Path) {
    let (log, key) = (site.join("audit.jsonl"), site.join("audit.pub"));
    let with_key = |log: &Path, key: &str| -> Ended {
        liquid().args(["audit", "verify"]).arg(log).args(["--key", key]).output().unwrap().into()
    };
    let key = key.to_str().unwrap();
    assert_eq!(with_key(&log, key).code, 0, "{:?}", with_key(&log, key));
    for (wrong, word) in
        [("nofile", "neither a file nor a public key"), (log.to_str().unwrap(), "holds no public key")]
    {
        let ended = with_key(&log, wrong);
        assert_eq!(ended.code, 1);
        assert!(ended.err.contains(word) && ended.err.contains("audit.pub"), "{ended:?}");
    }
    let copy = tempfile::tempdir().unwrap();
    let (cut, head) = (copy.path().join("audit.jsonl"), copy.path().join("audit.jsonl.head"));
    std::fs::copy(site.join("audit.jsonl.head"), &head).unwrap();
    let whole = std::fs::read_to_string(&log).unwrap();
    let shorter: String = whole.split_inclusive('\n').take(whole.lines().count() - 1).collect();
    for (text, word) in [(shorter.as_str(), "cut short"), ("", "cut short")] {
        std::fs::write(&cut, text).unwrap();
        let ended = with_key(&cut, key);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.err.contains(word), "{ended:?}");
    }
    std::fs::remove_file(&head).unwrap();
    assert!(verify(&cut).err.contains("first record at its first start"), "{:?}", verify(&cut));
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
        (&["--set", "liquid.min_sites=0", BY_SITE], 2, "liquid.min_sites"),
        (&["--set", "liquid.minsites=3", BY_SITE], 2, "`liquid.min_sites`"),
        (&["--foramt", "csv", BY_SITE], 2, "--format"),
        (&["--foramt"], 2, "--foramt"),
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
    let others = "../../coordinator/certificate.pem";
    let cases: [(String, String, &str); 10] = [
        (free.replace("certificate.pem", others), views.clone(), "belong together"),
        (
            free.replace("certificate.pem", others).replace("\"key.pem", "\"../../coordinator/key.pem"),
            views.clone(),
            "speaks for `liquid://coordinator/local`, and this is `liquid://site/first`",
        ),
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
        let ended = start("node", &config);
        assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{word}: {ended:?}");
        assert!(ended.err.contains(word), "{word}: {ended:?}");
        assert_eq!(ended.err.matches("error:").count(), 1, "it is said once: {ended:?}");
    }
    let config = own.join("coordinator/coordinator.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("127.0.0.1:7433", "127.0.0.1:0");
    let text = text.replace("certificate.pem", "../sites/first/certificate.pem");
    std::fs::write(&config, text.replace("\"key.pem", "\"../sites/first/key.pem")).unwrap();
    let ended = start("coordinator", &config);
    assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{ended:?}");
    assert!(ended.err.contains("`liquid://site/first`, which is no coordinator"), "{ended:?}");
}

/// Starts a part, which ends as soon as it is ready.
fn start(part: &str, config: &Path) -> Ended {
    let mut command = liquid();
    command.args([part, "--until-stdin-closes", "--config"]).arg(config).stdin(Stdio::null());
    command.output().unwrap().into()
}

/// It starts, since a site is set up step by step; but nobody may have to wonder why all is refused.
#[test]
fn a_node_without_an_agreement_says_so_when_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    assert!(liquid().arg("init").arg(&own).output().unwrap().status.success());
    let config = own.join("sites/first/node.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("127.0.0.1:7434", "127.0.0.1:0")).unwrap();
    let warning = "no agreement is in force, so every question is refused";
    let whole = start("node", &config);
    assert!(whole.out.starts_with("ready ") && !whole.err.contains(warning), "{whole:?}");
    std::fs::remove_file(own.join("sites/first/agreements/OWN-1.sig.toml")).unwrap();
    let unsigned = start("node", &config);
    assert!(unsigned.out.starts_with("ready ") && unsigned.err.contains(warning), "{unsigned:?}");
    std::fs::remove_file(own.join("sites/first/agreements/OWN-1.toml")).unwrap();
    let empty = start("node", &config);
    assert!(empty.out.starts_with("ready ") && empty.err.contains(warning), "{empty:?}");
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

fn verify(log: &Path) -> Ended {
    liquid().args(["audit", "verify"]).arg(log).output().unwrap().into()
}

fn through_stdin(command: &mut std::process::Command, text: &str) -> Ended {
    use std::io::Write;
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}
