//! Processes die; nobody is told something wrong, nobody waits for ever, and no release lacks its record.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use liquid_local::{Federation, Run, heart};
use liquid_node::audit::verify_file;
use liquid_node_api::Error;
use tokio::task::JoinHandle;

use crate::fixture::{Demo, Ended, processes, signal, wait_for};

const COUNT: &str = "SELECT count(*) AS patients FROM cardiac";

#[test]
fn a_killed_site_is_named_and_a_killed_coordinator_is_a_clean_error() {
    let demo = Demo::serve();
    assert_eq!(demo.query(&[COUNT]).code, 0);

    // A killed engine: the node starts another, and the next question is answered.
    for engine in demo.processes(&["engine", "node"]) {
        signal("-KILL", engine);
    }
    wait_for("an answer of new engines", || demo.query(&[COUNT]).code == 0);

    let node = demo.processes(&["node", "--until-stdin-closes", "sites/cleveland"]);
    signal("-KILL", node.first().copied().unwrap());
    let missing = demo.query(&[COUNT]);
    assert_eq!(missing.code, 5, "{missing:?}");
    assert!(missing.err.contains("cleveland") && missing.err.contains("liquid.min_sites"), "{missing:?}");
    let partial = demo.query(&["--set", "liquid.min_sites=3", "--format", "csv", COUNT]);
    assert_eq!((partial.code, partial.out.as_str()), (0, "patients\n616\n"), "{partial:?}");
    assert!(partial.err.contains("missing cleveland"), "{partial:?}");

    let coordinator = demo.processes(&["coordinator", "--until-stdin-closes"]);
    signal("-KILL", coordinator.first().copied().unwrap());
    demo.until_nobody_listens();
    let gone = demo.query(&[COUNT]);
    assert_eq!(gone.code, 1, "{gone:?}");
    assert!(gone.err.contains("is gone") && gone.err.contains("liquid demo --serve"), "{gone:?}");
    let folder = demo.folder();
    assert_eq!(demo.interrupt(), 0);
    assert!(!folder.exists());
}

/// Engines that are stopped hold a question for as long as a test needs, whatever the machine's pace.
#[test]
fn killed_in_mid_query_a_node_is_code_5_and_a_coordinator_a_broken_connection() {
    let demo = Demo::serve();
    assert_eq!(demo.query(&[COUNT]).code, 0);
    let cleveland = hold(&demo, "cleveland");
    let asking = cleveland.asked();
    let strict = ask(&demo, &[COUNT]);
    let lenient = ask(&demo, &["--set", "liquid.min_sites=3", "--format", "csv", COUNT]);
    wait_for("two questions at cleveland", || cleveland.asked() == asking + 2);
    let node = demo.processes(&["node", "--until-stdin-closes", "sites/cleveland"]);
    signal("-KILL", node.first().copied().unwrap());
    let strict: Ended = strict.wait_with_output().unwrap().into();
    assert_eq!(strict.code, 5, "{strict:?}");
    assert!(strict.err.contains("cleveland"), "{strict:?}");
    let lenient: Ended = lenient.wait_with_output().unwrap().into();
    assert_eq!((lenient.code, lenient.out.as_str()), (0, "patients\n616\n"), "{lenient:?}");
    drop(cleveland);

    let budapest = hold(&demo, "budapest");
    let asking = budapest.asked();
    let broken = ask(&demo, &["--set", "liquid.min_sites=3", COUNT]);
    wait_for("a question at budapest", || budapest.asked() == asking + 1);
    let coordinator = demo.processes(&["coordinator", "--until-stdin-closes"]);
    signal("-KILL", coordinator.first().copied().unwrap());
    let broken: Ended = broken.wait_with_output().unwrap().into();
    assert_eq!(broken.code, 1, "{broken:?}");
    assert!(broken.err.contains("broke the connection off") && !broken.err.contains("docs.rs"), "{broken:?}");
}

fn ask(demo: &Demo, arguments: &[&str]) -> Child {
    demo.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A site whose engines stand still; they go on when this is dropped, so that they can end.
struct Held {
    engines: Vec<u32>,
    log: PathBuf,
}

fn hold(demo: &Demo, site: &str) -> Held {
    let engines = demo.processes(&["engine", &format!("sites/{site}")]);
    assert_eq!(engines.len(), 2, "a node keeps two engines");
    engines.iter().for_each(|engine| signal("-STOP", *engine));
    Held { engines, log: demo.folder().join(format!("sites/{site}/audit.jsonl")) }
}

impl Held {
    fn asked(&self) -> usize {
        std::fs::read_to_string(&self.log).unwrap().matches("\"what\":\"asked\"").count()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for engine in &self.engines {
            // The kernel may have woken it already, when its parent died.
            let _gone =
                Command::new("kill").args(["-CONT", &engine.to_string()]).stderr(Stdio::null()).status();
        }
    }
}

/// Four clients that ask without a pause. Every outcome is the right answer, a site named as missing, or a fault of the
/// connection where the coordinator was killed.
struct Load {
    done: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    missing: Arc<AtomicU64>,
    broken: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(federation: &Federation, site: &'static str) -> Self {
        let (done, clients) = (Arc::default(), Vec::new());
        let mut load =
            Self { done, answered: Arc::default(), missing: Arc::default(), broken: Arc::default(), clients };
        for _ in 0..4 {
            let mut client = federation.client(None).unwrap();
            let (done, answered) = (Arc::clone(&load.done), Arc::clone(&load.answered));
            let (missing, broken) = (Arc::clone(&load.missing), Arc::clone(&load.broken));
            load.clients.push(tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    match client.ask(COUNT).await {
                        Ok(answer) => {
                            assert_eq!(answer.cell(0, "patients").unwrap().as_deref(), Some("920"));
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(Error::SiteMissing { sites, .. }) => {
                            assert_eq!(sites, [site]);
                            missing.fetch_add(1, Ordering::Relaxed);
                        }
                        // The coordinator was killed: there is nobody to give the error a type of its own.
                        Err(Error::Fault { reference, .. }) => {
                            assert_eq!(reference, "none");
                            broken.fetch_add(1, Ordering::Relaxed);
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            }));
        }
        load
    }

    /// Ends it; so many questions were answered.
    async fn end(self) -> u64 {
        self.done.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        self.answered.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_nothing_is_wrong_and_nothing_unrecorded() {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_liquid"));
    let mut federation = Federation::start(&heart::blueprint(), Run::Processes(binary)).await.unwrap();
    let load = Load::start(&federation, "cleveland");
    grows(&load.answered).await;
    federation.kill_site("cleveland").await.unwrap();
    grows(&load.missing).await;
    federation.start_site("cleveland").await.unwrap();
    grows(&load.answered).await;
    federation.kill_coordinator().await;
    grows(&load.broken).await;
    federation.start_coordinator().await.unwrap();
    grows(&load.answered).await;
    let answered = load.end().await;
    federation.stop().await;
    every_request_has_an_outcome(&federation, answered);
}

/// The engines of one site are killed under load, until a question has been hit in the middle at least once.
#[tokio::test(flavor = "multi_thread")]
async fn engines_killed_in_the_middle_cost_an_answer_and_nothing_else() {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_liquid"));
    let mut federation = Federation::start(&heart::blueprint(), Run::Processes(binary)).await.unwrap();
    let config = federation.root().join("sites/cleveland/node.toml");
    let load = Load::start(&federation, "cleveland");
    let until = Instant::now() + Duration::from_secs(180);
    let mut rounds = 0;
    while rounds < 4 || load.missing.load(Ordering::Relaxed) == 0 {
        assert!(Instant::now() < until, "in {rounds} rounds no engine was hit while it worked");
        grows(&load.answered).await;
        for engine in processes(std::process::id(), &["engine", config.to_str().unwrap()]) {
            let _ended_meanwhile =
                Command::new("kill").args(["-KILL", &engine.to_string()]).status().unwrap();
        }
        rounds += 1;
    }
    grows(&load.answered).await;
    assert_eq!(load.broken.load(Ordering::Relaxed), 0, "the coordinator was there all the time");
    let missing = load.missing.load(Ordering::Relaxed);
    let answered = load.end().await;
    let whole = federation.client(None).unwrap().ask(COUNT).await.unwrap();
    assert_eq!(whole.cell(0, "patients").unwrap().as_deref(), Some("920"));
    federation.stop().await;
    every_request_has_an_outcome(&federation, answered);
    let log = federation.audit_logs().into_iter().find(|log| log.site.as_str() == "cleveland").unwrap();
    let summary = verify_file(&log.path, Some(&log.key)).unwrap();
    assert!(summary.other >= missing, "{} failures on record for {missing} seen", summary.other);
}

fn every_request_has_an_outcome(federation: &Federation, answered: u64) {
    for log in federation.audit_logs() {
        let summary = verify_file(&log.path, Some(&log.key)).unwrap();
        assert!(summary.open.is_empty(), "{}: {:?}", log.site, summary.open);
        assert!(
            summary.released >= answered,
            "{}: {} records for {answered} answers",
            log.site,
            summary.released
        );
    }
}

/// Waits until a counter has grown by a few.
async fn grows(counter: &AtomicU64) {
    let wanted = counter.load(Ordering::Relaxed) + 4;
    let until = Instant::now() + Duration::from_secs(60);
    while counter.load(Ordering::Relaxed) < wanted {
        assert!(Instant::now() < until, "nothing happens any more");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
