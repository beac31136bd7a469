//! Processes die; nobody is told something wrong, nobody waits for ever, and no release lacks its record.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use liquid_local::{Federation, Run, heart};
use liquid_node::audit::verify;
use liquid_node_api::Error;

use crate::fixture::{Demo, signal};

const COUNT: &str = "SELECT count(*) AS patients FROM cardiac";

#[test]
fn a_killed_site_is_named_and_a_killed_coordinator_is_a_clean_error() {
    let demo = Demo::serve();
    assert_eq!(demo.query(&[COUNT]).code, 0);

    // A killed engine: the node starts another, and the next question is answered.
    for engine in demo.processes(&["engine", "node"]) {
        signal("-KILL", engine);
    }
    let until = Instant::now() + Duration::from_secs(60);
    while demo.query(&[COUNT]).code != 0 {
        assert!(Instant::now() < until, "engines are not started again");
        std::thread::sleep(Duration::from_millis(100));
    }

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
    let gone = demo.query(&[COUNT]);
    assert_eq!(gone.code, 1, "{gone:?}");
    assert!(gone.err.contains("cannot be reached"), "{gone:?}");
    let folder = demo.folder();
    assert_eq!(demo.interrupt(), 0);
    assert!(!folder.exists());
}

/// Four clients ask without a pause while a site is killed and brought back, then the coordinator.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_nothing_is_wrong_and_nothing_unrecorded() {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_liquid"));
    let mut federation = Federation::start(&heart::blueprint(), Run::Processes(binary)).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let (answered, missing, broken) = (counter(), counter(), counter());
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = federation.client(None).unwrap();
        let (done, answered) = (Arc::clone(&done), Arc::clone(&answered));
        let (missing, broken) = (Arc::clone(&missing), Arc::clone(&broken));
        clients.push(tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                match client.ask(COUNT).await {
                    Ok(answer) => {
                        assert_eq!(answer.cell(0, "patients").unwrap().as_deref(), Some("920"));
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(Error::SiteMissing { sites, .. }) => {
                        assert_eq!(sites, ["cleveland"]);
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
    grows(&answered).await;
    federation.kill_site("cleveland").await.unwrap();
    grows(&missing).await;
    federation.start_site("cleveland").await.unwrap();
    grows(&answered).await;
    federation.kill_coordinator().await;
    grows(&broken).await;
    federation.start_coordinator().await.unwrap();
    grows(&answered).await;
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    federation.stop().await;
    for log in federation.audit_logs() {
        let summary = verify(&std::fs::read(&log.path).unwrap(), Some(&log.key)).unwrap();
        assert!(summary.open.is_empty(), "{}: {:?}", log.site, summary.open);
        let released = answered.load(Ordering::Relaxed);
        assert!(
            summary.released >= released,
            "{}: {} records for {released} answers",
            log.site,
            summary.released
        );
    }
}

fn counter() -> Arc<AtomicU64> {
    Arc::new(AtomicU64::new(0))
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
