//! What one question or one caller can take from the others: the memory of one process, and one turn in each round.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use liquid_local::blueprint::{Blueprint, Content, Source};
use liquid_local::{Federation, Run, heart};
use liquid_node_api::Error;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::file::properties::WriterProperties;

use crate::fixture::{processes, signal, wait_for};
use crate::hostile_sql::agreement;

const MODEL: &str = r#"
[[table]]
name = "notes"
description = "one row a patient"
column = [
    { name = "patient", type = "integer", description = "a pseudonym" },
    { name = "note", type = "text", description = "of the doctor" },
]
"#;

const COLUMNS: &str = r#"
patient = { use = [] }
note = { use = ["group", "filter"] }
"#;

/// A Parquet file of a few kilobytes whose one text, of 100 MB, stands in each of its 20 rows.
fn bomb(path: &Path) {
    let texts = StringArray::from(vec!["a".repeat(100 << 20)]);
    let notes = DictionaryArray::try_new(Int32Array::from(vec![0; 20]), Arc::new(texts)).unwrap();
    let patients = Int64Array::from_iter_values(0..20);
    let columns: [(&str, ArrayRef); 2] = [("patient", Arc::new(patients)), ("note", Arc::new(notes))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::SNAPPY)
        .set_dictionary_page_size_limit(1 << 30)
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
        .build();
    // Without Arrow's own schema a reader knows nothing of the dictionary, and writes each text out.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new_with_options(file, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// A federation of one site, with these limits.
pub(crate) async fn limited(blueprint: &Blueprint, limits: &str) -> (Federation, PathBuf) {
    let site = blueprint.sites[0].site.clone();
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_liquid"));
    let mut federation = Federation::start(blueprint, Run::Processes(binary)).await.unwrap();
    let config = federation.root().join(format!("sites/{site}/node.toml"));
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n[limits]\n{limits}\n")).unwrap();
    federation.stop_site(site.as_str()).await.unwrap();
    federation.start_site(site.as_str()).await.unwrap();
    (federation, config)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_wants_too_much_memory_dies_alone() {
    let folder = tempfile::tempdir().unwrap();
    bomb(&folder.path().join("notes.parquet"));
    let mut blueprint = heart::blueprint();
    blueprint.sites.truncate(1);
    let plan = &mut blueprint.sites[0];
    plan.model = MODEL.to_owned();
    plan.agreements = vec![agreement("cleveland", "notes", "patient", COLUMNS)];
    plan.views = String::new();
    plan.sources = vec![Source {
        name: "notes".to_owned(),
        file: "notes.parquet".to_owned(),
        format: "parquet".to_owned(),
        null: None,
        delimiter: None,
        content: Content::File(folder.path().join("notes.parquet")),
    }];
    let (mut federation, config) = limited(&blueprint, "engines = 1\nmemory_bytes = 16777216").await;
    let mut client = federation.site_client("cleveland", None).unwrap();
    let engines = || processes(std::process::id(), &["engine", config.to_str().unwrap()]);
    let nodes = || processes(std::process::id(), &["node", "--until-stdin-closes", config.to_str().unwrap()]);
    let (node, before) = (nodes(), engines());
    assert_eq!((node.len(), before.len()), (1, 1));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", before[0])).unwrap();
    let limit = |name: &str| limits.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(limit("Max data size").contains(&((16_u64 << 20) + (2 << 30)).to_string()), "{limits}");
    assert!(limit("Max core file size").contains(" 0 "), "{limits}");

    let count = "SELECT count(*) AS n FROM notes";
    assert_eq!(client.ask(count).await.unwrap().cell(0, "n").unwrap().as_deref(), Some("20"));
    let died = client.ask("SELECT count(*) AS n FROM notes WHERE note LIKE '%b'").await.unwrap_err();
    assert!(matches!(&died, Error::Fault { .. }), "{died}");
    assert!(died.to_string().starts_with("the engine process ended before it answered"), "{died}");
    assert_eq!(client.ask(count).await.unwrap().cell(0, "n").unwrap().as_deref(), Some("20"));
    assert_eq!(nodes(), node, "the node lives");
    assert_ne!(engines(), before, "another engine took the dead one's place");
    federation.stop().await;
}

/// A process that stands still, and goes on when this is dropped, so that it can end.
struct Stopped(u32);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _gone = std::process::Command::new("kill").args(["-CONT", &self.0.to_string()]).status();
    }
}

/// One caller asks a dozen questions at once, another one: it waits for one turn of the first and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_floods_a_node_starves_nobody() {
    const COUNT: &str = "SELECT count(*) AS patients FROM cardiac";
    let mut blueprint = heart::blueprint();
    blueprint.sites.truncate(1);
    let (mut federation, config) = limited(&blueprint, "engines = 1\nqueue_per_caller = 8").await;
    let engine = processes(std::process::id(), &["engine", config.to_str().unwrap()])[0];
    signal("-STOP", engine);
    let _held = Stopped(engine);
    let order: Arc<Mutex<Vec<(&str, Result<(), String>)>>> = Arc::default();
    let ask = |role: &'static str| {
        let mut client = federation.site_client("cleveland", Some(role)).unwrap();
        let order = Arc::clone(&order);
        tokio::spawn(async move {
            let answer = client.ask(COUNT).await.map(drop).map_err(|error| error.to_string());
            order.lock().unwrap().push((role, answer));
        })
    };
    let mut tasks: Vec<_> = (0..12).map(|_| ask("heart-institute/analyst")).collect();
    wait_for("three that find their queue full", || order.lock().unwrap().len() == 3);
    tasks.push(ask("cleveland/analyst"));
    // It says nothing while it waits.
    tokio::time::sleep(Duration::from_secs(1)).await;
    signal("-CONT", engine);
    for task in tasks {
        task.await.unwrap();
    }
    let order = order.lock().unwrap().clone();
    for (_, answer) in &order {
        // A question has two steps, and the queue may be full again before the second.
        assert!(
            answer
                .as_ref()
                .err()
                .is_none_or(|text| text.starts_with("too many of your requests are waiting")),
            "{order:?}"
        );
    }
    let other = order.iter().position(|(role, _)| *role == "cleveland/analyst").unwrap();
    assert!(order[other].1.is_ok(), "{order:?}");
    let before = order[..other].iter().filter(|(_, answer)| answer.is_ok()).count();
    assert!(before <= 3, "{before} answers of the flood came first: {order:?}");
    federation.stop().await;
}
