//! Engines that lie, hang or die; disks that are full or fail; callers that leave. Nothing is released, nothing is lost.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use liquid_node::audit::{FileStore, Outcome, Salt32, SaltName, Store};
use liquid_node_api::Error;
use liquid_node_api::request::SiteRequest;

use crate::engine::SECRET;
use crate::site::{Site, ask, ask_with, request, token};

#[track_caller]
fn fault(answer: Result<liquid_node_api::channel::SiteAnswer, Error>) -> String {
    let error = answer.map(|_| ()).unwrap_err();
    let Error::Fault { reference, fix, .. } = &error else { panic!("{error}") };
    assert!(reference.len() == 36 && !fix.is_empty(), "{error}");
    assert!(!error.to_string().contains(SECRET), "{error}");
    error.to_string()
}

#[tokio::test]
async fn an_engine_that_breaks_its_word_releases_nothing() {
    let mut site = Site::new();
    let node = site.open().await;
    let scenes =
        ["unguarded", "other columns", "no bytes", "garbage", "other answer", "finish lies", "fails", "dies"];
    for scene in scenes {
        fault(ask(&node, scene).await);
    }
    let outcomes = site.outcomes();
    assert_eq!(outcomes.len(), scenes.len());
    assert!(outcomes.iter().all(|o| matches!(o, Outcome::Failed { .. })), "{outcomes:?}");
    let log = std::fs::read_to_string(site.path("audit.jsonl")).unwrap();
    assert!(!log.contains(SECRET), "an engine's words are not in the log either");
    ask(&node, "counted").await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_a_question_is_said_without_the_engines_detail() {
    let mut site = Site::new();
    let node = site.open().await;
    let error = ask(&node, "invalid").await.map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
    assert!(!error.to_string().contains(SECRET));
    assert!(matches!(site.outcomes().as_slice(), [Outcome::Rejected { .. }]));
}

#[tokio::test]
async fn a_late_engine_is_replaced_and_the_request_failed() {
    let mut site = Site::new();
    let node = site.open().await;
    let before = site.seen.started.load(Ordering::SeqCst);
    for scene in ["slow", "slow plan"] {
        let begun = Instant::now();
        let short = SiteRequest { deadline_ms: 200, ..request(scene) };
        let text = fault(ask_with(&node, token(), short).await);
        assert!(text.contains("deadline"), "{text}");
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
    let begun = Instant::now();
    fault(ask(&node, "slow").await);
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "the site's own limit holds, whatever the caller wants"
    );
    ask(&node, "counted").await.unwrap();
    assert!(site.seen.started.load(Ordering::SeqCst) > before, "others stand in for the late ones");
    assert_eq!(site.outcomes().len(), 4);
}

#[tokio::test]
async fn a_caller_that_leaves_and_a_task_that_panics_leave_an_outcome() {
    let mut site = Site::new();
    let node = site.open().await;
    for scene in ["slow", "slow plan"] {
        let asking = tokio::spawn({
            let node = node.clone();
            async move { ask(&node, scene).await.map(|_| ()) }
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
    }
    let panicking = tokio::spawn({
        let node = node.clone();
        async move { ask(&node, "panics").await.map(|_| ()) }
    });
    assert!(panicking.await.unwrap_err().is_panic());
    let outcomes = site.outcomes();
    assert_eq!(outcomes.len(), 3);
    assert!(
        outcomes.iter().all(|o| matches!(o, Outcome::Failed { kind } if kind == "dropped")),
        "{outcomes:?}"
    );
    ask(&node, "counted").await.unwrap();
}

#[tokio::test]
async fn many_at_once_have_one_outcome_each() {
    let mut site = Site::new();
    site.limits = "deadline_ms = 20000\nengines = 3\nqueue = 5".to_owned();
    let node = site.open().await;
    let scenes = ["counted", "named", "fails", "finished", "invalid"];
    let asking = (0..60).map(|i| {
        let node = node.clone();
        tokio::spawn(async move { ask(&node, scenes[i % scenes.len()]).await.map(|_| ()) })
    });
    let mut answered = 0;
    for ended in futures::future::join_all(asking).await {
        answered += usize::from(ended.unwrap().is_ok());
    }
    let outcomes = site.outcomes();
    assert_eq!(outcomes.len(), 60);
    let released = outcomes.iter().filter(|o| matches!(o, Outcome::Released { .. })).count();
    assert_eq!(released, answered, "what was answered was recorded as released, and nothing else");
    assert!(answered > 0);
}

/// A file that can be made full or unable to sync.
struct Faulty {
    file: FileStore,
    state: Arc<Mutex<Faults>>,
}

#[derive(Default)]
struct Faults {
    /// So many more writes go through.
    writes_left: Option<usize>,
    sync_fails: bool,
}

impl Store for Faulty {
    fn read_all(&mut self) -> io::Result<Vec<u8>> {
        self.file.read_all()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.state.lock().unwrap().writes_left {
            Some(0) => {
                // A full disk takes a part.
                self.file.append(&bytes[..bytes.len() / 3])?;
                return Err(io::ErrorKind::StorageFull.into());
            }
            Some(left) => *left -= 1,
            None => {}
        }
        self.file.append(bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.state.lock().unwrap().sync_fails {
            return Err(io::Error::other("input/output error"));
        }
        self.file.sync()
    }

    fn reader(&self, from: u64) -> io::Result<Box<dyn io::Read + Send>> {
        self.file.reader(from)
    }

    fn salt(&mut self, name: &SaltName) -> io::Result<Salt32> {
        self.file.salt(name)
    }

    fn known_salt(&self, name: &SaltName) -> io::Result<Option<Salt32>> {
        self.file.known_salt(name)
    }

    fn salts(&self) -> io::Result<Vec<SaltName>> {
        self.file.salts()
    }

    fn forget(&mut self, name: &SaltName) -> io::Result<()> {
        self.file.forget(name)
    }

    fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.file.head()
    }

    fn note_head(&mut self, head: &[u8]) -> io::Result<()> {
        self.file.note_head(head)
    }
}

fn faulty(site: &mut Site) -> Arc<Mutex<Faults>> {
    let state = Arc::new(Mutex::new(Faults::default()));
    let file = FileStore::open(&site.path("audit.jsonl")).unwrap();
    site.store = Some(Box::new(Faulty { file, state: Arc::clone(&state) }));
    state
}

#[tokio::test]
async fn a_full_disk_stops_requests_with_its_cure_and_ends_by_itself() {
    let mut site = Site::new();
    let faults = faulty(&mut site);
    let node = site.open().await;
    faults.lock().unwrap().writes_left = Some(0);
    for scene in ["counted", "named"] {
        let text = fault(ask(&node, scene).await);
        assert!(text.contains("free space"), "{text}");
    }
    assert_eq!(site.seen.planned.load(Ordering::SeqCst), 0, "nothing is done that cannot be recorded");
    faults.lock().unwrap().writes_left = None;
    ask(&node, "counted").await.unwrap();
    assert_eq!(site.outcomes().len(), 1, "and the log verifies");
}

#[tokio::test]
async fn a_disk_that_fills_up_meanwhile_releases_nothing_and_loses_nothing() {
    let mut site = Site::new();
    let faults = faulty(&mut site);
    let node = site.open().await;
    faults.lock().unwrap().writes_left = Some(1);
    let text = fault(ask(&node, "counted").await);
    assert!(text.contains("free space"), "{text}");
    assert_eq!(site.seen.ran(), 1, "it ran, and its release could not be recorded");
    assert_eq!(site.summary().open.len(), 1);
    faults.lock().unwrap().writes_left = None;
    ask(&node, "counted").await.unwrap();
    let outcomes = site.outcomes();
    assert!(
        matches!(outcomes.as_slice(), [Outcome::Failed { .. }, Outcome::Released { .. }]),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_answered_any_more() {
    let mut site = Site::new();
    let faults = faulty(&mut site);
    let node = site.open().await;
    faults.lock().unwrap().sync_fails = true;
    let text = fault(ask(&node, "counted").await);
    assert!(text.contains("the node's log says why") && !text.contains("free space"), "{text}");
    assert_eq!(site.fatal.lock().unwrap().len(), 1, "the process is told to end");
    faults.lock().unwrap().sync_fails = false;
    assert!(!fault(ask(&node, "counted").await).contains("free space"));
    assert_eq!(site.seen.ran(), 0);
}

#[tokio::test]
async fn a_node_that_was_killed_closes_what_it_left_open() {
    let mut site = Site::new();
    let node = site.open().await;
    let asking = tokio::spawn({
        let node = node.clone();
        async move { ask(&node, "slow").await.map(|_| ()) }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    // What a kill leaves: the log as it is at this moment, with half a line after it.
    let mut log = std::fs::read(site.path("audit.jsonl")).unwrap();
    let head = std::fs::read(site.path("audit.jsonl.head")).unwrap();
    log.extend(b"{\"number\":9,\"ti");
    asking.abort();
    let mut again = Site::new();
    std::fs::write(again.path("audit.jsonl"), log).unwrap();
    std::fs::write(again.path("audit.jsonl.head"), head).unwrap();
    let node = again.open().await;
    assert!(matches!(again.outcomes().as_slice(), [Outcome::Crashed]));
    ask(&node, "counted").await.unwrap();
}

#[tokio::test]
async fn a_node_does_not_open_over_a_changed_log_or_without_its_key() {
    let mut site = Site::new();
    drop(site.open().await);
    let path = site.path("audit.jsonl");
    let whole = std::fs::read(&path).unwrap();
    let mut changed = whole.clone();
    changed[30] ^= 1;
    std::fs::write(&path, changed).unwrap();
    let error = site.try_open().await.err().unwrap();
    assert!(error.contains("record 1 is bad"), "{error}");
    std::fs::write(&path, whole).unwrap();
    std::fs::write(site.path("audit.key"), b"no key").unwrap();
    assert!(site.try_open().await.err().unwrap().contains("audit key"));
    std::fs::remove_file(site.path("audit.key")).unwrap();
    assert!(site.try_open().await.err().unwrap().contains("audit.key"));
}
