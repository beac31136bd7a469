//! A file that changes while a question reads it, after its first bytes were read: no answer of two states, no answer of a
//! state that is gone; the question ends with an error that says so, and the next one is answered over the new data.
//!
//! Nothing here waits for a time: an engine is stopped when it is seen in the middle of the file, and the store holds back
//! the rest of an object until it was exchanged.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use liquid_local::blueprint::{Blueprint, Connect, Content, SitePlan, Source};
use liquid_local::client::Client;
use liquid_local::{Federation, Run};
use liquid_node_api::Error;
use liquid_policy::id::{OrganisationName, SiteName};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::fixture::{processes, signal};
use crate::hostile_sql::agreement;
use crate::s3::{Moto, User};

const MODEL: &str = r#"
[[table]]
name = "visits"
description = "one row a patient"
column = [
    { name = "patient", type = "integer", description = "a pseudonym" },
    { name = "ward", type = "text", description = "where" },
]
"#;

const COLUMNS: &str = r#"
patient = { use = [] }
ward = { use = ["group", "filter"], domain = { values = ["A", "B"] }, required = true }
"#;

const COUNT: &str = "SELECT count(*) AS n FROM visits WHERE ward = 'A'";

const PATIENTS: usize = 1_000_000;

/// So many patients, in these wards by turns, on lines of the same length.
fn visits(patients: usize, wards: &[&str]) -> String {
    let mut text = String::from("patient,ward\n");
    for patient in 0..patients {
        let _ = writeln!(text, "{},{}", 100_000_000 + patient, wards[patient % wards.len()]);
    }
    text
}

/// A site with one engine over one CSV file.
async fn site(folder: &Path, text: &str) -> (Federation, PathBuf) {
    let file = folder.join("visits.csv");
    std::fs::write(&file, text).unwrap();
    let plan = SitePlan {
        site: SiteName::new("north"),
        organisation: OrganisationName::new("north"),
        model: MODEL.to_owned(),
        agreements: vec![agreement("north", "visits", "patient", COLUMNS)],
        beside: vec![],
        sources: vec![Source {
            name: "visits".to_owned(),
            file: "visits.csv".to_owned(),
            format: "csv".to_owned(),
            null: None,
            delimiter: None,
            content: Content::File(file),
        }],
        views: String::new(),
        tables: None,
        connect: Connect::default(),
    };
    let blueprint = Blueprint { name: "changing".to_owned(), sites: vec![plan] };
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_liquid"));
    let mut federation = Federation::start(&blueprint, Run::Processes(binary)).await.unwrap();
    federation.stop_site("north").await.unwrap();
    let config = federation.root().join("sites/north/node.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n[limits]\nengines = 1\n")).unwrap();
    (federation, config)
}

async fn count(client: &mut Client) -> Result<String, Error> {
    Ok(client.ask(COUNT).await?.cell(0, "n").unwrap().unwrap())
}

/// The question ended because the data did not stay, and says nothing else.
#[track_caller]
fn says_changed(outcome: Result<String, Error>, what: &str) {
    let error = outcome.err().unwrap_or_else(|| panic!("{what}: it was answered"));
    let text = error.to_string();
    assert!(matches!(error, Error::Fault { retry: true, .. }), "{what}: {text}");
    assert!(text.starts_with("the site's tables have changed meanwhile"), "{what}: {text}");
    assert!(!text.contains("visits"), "{what}: {text}");
}

/// How far a process has read a file that it has open, if it has.
fn position(process: u32, file: &Path) -> Option<u64> {
    for entry in std::fs::read_dir(format!("/proc/{process}/fd")).ok()?.flatten() {
        if std::fs::read_link(entry.path()).is_ok_and(|link| link == file) {
            let number = entry.file_name().into_string().unwrap();
            let about = std::fs::read_to_string(format!("/proc/{process}/fdinfo/{number}")).ok()?;
            return about.lines().next()?.strip_prefix("pos:")?.trim().parse().ok();
        }
    }
    None
}

/// Asks, stops the engine in the middle of the file, lets something happen to that, and lets the engine go on.
async fn in_the_middle(
    client: &mut Client,
    engine: u32,
    file: &Path,
    happens: impl FnOnce(&Path),
) -> Result<String, Error> {
    let length = std::fs::metadata(file).unwrap().len();
    let until = Instant::now() + Duration::from_secs(120);
    let mut happens = Some(happens);
    loop {
        assert!(Instant::now() < until, "the engine is never seen in the middle of the file");
        let mut asking = client.clone();
        let asked = tokio::spawn(async move { count(&mut asking).await });
        while !asked.is_finished() {
            if position(engine, file).is_none_or(|at| at == 0) {
                tokio::task::yield_now().await;
                continue;
            }
            signal("-STOP", engine);
            // Where it is now that it stands still.
            let in_between = position(engine, file).is_some_and(|at| 0 < at && at < length);
            if in_between && let Some(happens) = happens.take() {
                happens(file);
            }
            signal("-CONT", engine);
            if happens.is_none() {
                return asked.await.unwrap();
            }
        }
        assert_eq!(asked.await.unwrap().unwrap(), "500000", "nothing has happened yet");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_in_mid_read_ends_the_question() {
    let folder = tempfile::tempdir().unwrap();
    let whole = visits(PATIENTS, &["A", "B"]);
    let (mut federation, config) = site(folder.path(), &whole).await;
    let file = folder.path().canonicalize().unwrap().join("visits.csv");
    let beside = |text: &str| {
        let new = folder.path().join("new");
        std::fs::write(&new, text).unwrap();
        new
    };
    let half = &whole[..whole.len() / 2 + 7];
    let shorter = visits(PATIENTS / 2, &["A", "B"]);
    let same_length = visits(PATIENTS, &["A", "B", "B", "B"]);
    let happenings: [(&str, &str, &dyn Fn(&Path)); 6] = [
        ("it is written over, a part at a time", "250000", &|file| {
            std::fs::write(file, &shorter).unwrap();
        }),
        ("it is written over with the same length and time", "250000", &|file| {
            let modified = std::fs::metadata(file).unwrap().modified().unwrap();
            let open = std::fs::File::options().write(true).open(file).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&open, same_length.as_bytes(), 0).unwrap();
            open.set_modified(modified).unwrap();
        }),
        ("it is cut off", "250000", &|file| {
            let open = std::fs::File::options().write(true).open(file).unwrap();
            open.set_len(half.rfind('\n').unwrap() as u64 + 1).unwrap();
        }),
        ("more is written behind it", "500001", &|file| {
            let mut open = std::fs::File::options().append(true).open(file).unwrap();
            std::io::Write::write_all(&mut open, b"999999998,A\n").unwrap();
        }),
        ("another file takes its place", "250000", &|file| {
            std::fs::rename(beside(&shorter), file).unwrap();
        }),
        ("it is gone for a moment", "500000", &|file| {
            let whole = beside(&whole);
            std::fs::remove_file(file).unwrap();
            std::fs::rename(whole, file).unwrap();
        }),
    ];
    for (what, then, happens) in happenings {
        std::fs::write(&file, &whole).unwrap();
        federation.start_site("north").await.unwrap();
        let mut client = federation.site_client("north", None).unwrap();
        assert_eq!(count(&mut client).await.unwrap(), "500000");
        let engine = processes(std::process::id(), &["engine", config.to_str().unwrap()])[0];
        let outcome = in_the_middle(&mut client, engine, &file, happens).await;
        says_changed(outcome, what);
        assert_eq!(count(&mut client).await.unwrap(), then, "after: {what}");
        federation.stop_site("north").await.unwrap();
    }
    federation.stop().await;
}

/// Patients in a file of either format, every other one in ward A.
fn written(folder: &Path, format: &str, patients: usize) -> PathBuf {
    let file = folder.join(format!("{patients}.{format}"));
    if format == "csv" {
        std::fs::write(&file, visits(patients, &["A", "B"])).unwrap();
        return file;
    }
    let ids = Int64Array::from_iter_values(0..patients as i64);
    let wards = StringArray::from_iter_values((0..patients).map(|patient| ["A", "B"][patient % 2]));
    let columns: [(&str, ArrayRef); 2] = [("patient", Arc::new(ids)), ("ward", Arc::new(wards))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    // Several row groups: each is a request of its own.
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(20_000)).build();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(&file).unwrap(), batch.schema(), Some(properties))
            .unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_exchanged_in_mid_read_ends_the_question() {
    let folder = tempfile::tempdir().unwrap();
    let mut moto = Moto::start();
    let user = User::new(folder.path(), "ann", &moto.tell(&["user", "ann", "read"]));
    let (mut federation, config) = site(folder.path(), &visits(100, &["A", "B"])).await;
    let local = std::fs::read_to_string(&config).unwrap();
    let path = local.lines().find(|line| line.starts_with("path = ")).unwrap().to_owned();
    for format in ["csv", "parquet"] {
        let (long, short) = (written(folder.path(), format, 100_000), written(folder.path(), format, 60_000));
        moto.put("visits", &long);
        let url = "url = \"s3://clinical/visits\"";
        let text = local.replace(&path, url).replace("format = \"csv\"", &format!("format = \"{format}\""));
        std::fs::write(&config, text + &user.store(&moto.endpoint, "clinical")).unwrap();
        federation.start_site("north").await.unwrap();
        let mut client = federation.site_client("north", None).unwrap();
        assert_eq!(count(&mut client).await.unwrap(), "50000", "{format}");
        for (what, object, then) in
            [("another", Some(&short), "30000"), ("the old one", Some(&long), "50000"), ("none", None, "")]
        {
            let what = format!("{format}: {what} in its place");
            assert_eq!(moto.tell(&["hold", "1000"]), "done");
            let mut asking = client.clone();
            let asked = tokio::spawn(async move { count(&mut asking).await });
            assert_eq!(moto.tell(&["held"]), "done");
            match object {
                Some(file) => moto.put("visits", file),
                None => assert_eq!(moto.tell(&["delete", "visits"]), "done"),
            }
            assert_eq!(moto.tell(&["go"]), "done");
            says_changed(asked.await.unwrap(), &what);
            match object {
                Some(_) => assert_eq!(count(&mut client).await.unwrap(), then, "after {what}"),
                None => {
                    assert!(count(&mut client).await.unwrap_err().to_string().contains("not ready"), "{what}")
                }
            }
        }
        federation.stop_site("north").await.unwrap();
    }
    federation.stop().await;
}
