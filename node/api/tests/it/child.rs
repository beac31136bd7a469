//! Workers in real child processes: late ones are killed, dead ones replaced, orphans end by themselves.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use liquid_node_api::Error;
use liquid_node_api::child::{Child, Failure, Pool, PoolSettings, Program, serve_on};
use liquid_node_api::worker::Worker;
use tokio::time::Instant;

/// What the child of these tests understands.
struct Echo;

#[async_trait]
impl Worker<String, String> for Echo {
    async fn ask(&mut self, ask: String, attached: Vec<Bytes>) -> Result<(String, Vec<Bytes>), Error> {
        match ask.as_str() {
            "spin" => loop {
                // Starves the whole runtime, as a join can.
                std::hint::spin_loop();
            },
            "die" => std::process::abort(),
            "fail" => Err(Error::invalid("no", "yes")),
            "pid" => Ok((std::process::id().to_string(), vec![])),
            _ => Ok((ask, attached)),
        }
    }
}

/// The child's entry. The test program is its own child: it speaks on descriptor 3, since the test harness has stdout.
#[tokio::test]
#[ignore = "runs as a child of the other tests"]
async fn child_entry() {
    if std::env::var_os("LIQUID_TEST_CHILD").is_none() {
        return;
    }
    let output = std::fs::OpenOptions::new().write(true).open("/proc/self/fd/3").unwrap();
    let open = async {
        match std::env::var("LIQUID_TEST_CHILD").as_deref() {
            Ok("broken") => Err("there is no data folder".to_owned()),
            Ok("slow") => {
                std::thread::sleep(Duration::from_secs(60));
                Ok(Echo)
            }
            _ => Ok(Echo),
        }
    };
    drop(serve_on::<String, String, Echo>(std::io::stdin(), tokio::fs::File::from_std(output), open).await);
}

fn program(kind: &str) -> Program {
    let this = std::env::current_exe().unwrap();
    let script = format!(
        "LIQUID_TEST_CHILD={kind} exec '{}' --ignored --exact child::child_entry --nocapture 3>&1 1>/dev/null",
        this.display()
    );
    Program { path: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()], name: "echo".to_owned() }
}

async fn pool(workers: usize, queue: usize) -> Pool<String, String> {
    let settings = PoolSettings { workers, queue, queue_per_caller: queue, start: Duration::from_secs(20) };
    Pool::start(Arc::new(program("good")), settings).await.unwrap()
}

fn within(time: Duration) -> Instant {
    Instant::now() + time
}

const LONG: Duration = Duration::from_secs(30);

fn runs(pid: &str) -> bool {
    // A killed child stays as a zombie until it is waited for, and can be waited for when its last thread has gone.
    let process = Path::new("/proc").join(pid);
    let threads = std::fs::read_dir(process.join("task")).map_or(0, Iterator::count);
    let zombie = std::fs::read_to_string(process.join("stat")).is_ok_and(|stat| stat.contains(") Z "));
    threads > 1 || (threads == 1 && !zombie)
}

async fn ends(pid: &str) {
    for _ in 0..500 {
        if !runs(pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("process {pid} still runs");
}

#[tokio::test]
async fn a_child_answers_with_attachments_and_typed_errors() {
    let mut child = Child::<String, String>::start(&program("good")).await.unwrap();
    let attached = vec![Bytes::from(vec![7; 3 << 20]), Bytes::new()];
    let answer = child.ask("hello".to_owned(), attached.clone()).await.unwrap();
    assert_eq!(answer, ("hello".to_owned(), attached));
    let error = child.ask("fail".to_owned(), vec![]).await.unwrap_err();
    assert_eq!(error, Error::invalid("no", "yes"));
    let (pid, _) = child.ask("pid".to_owned(), vec![]).await.unwrap();
    drop(child);
    ends(&pid).await;
}

#[tokio::test]
async fn a_child_that_does_not_open_says_why() {
    let error = Child::<String, String>::start(&program("broken")).await.map(|_| ()).unwrap_err();
    assert!(error.contains("there is no data folder"), "{error}");
    let absent = Program { path: "/not/there".into(), ..program("good") };
    let error = Child::<String, String>::start(&absent).await.map(|_| ()).unwrap_err();
    assert!(error.contains("/not/there"), "{error}");
    let settings =
        PoolSettings { workers: 1, queue: 1, queue_per_caller: 1, start: Duration::from_millis(300) };
    let error =
        Pool::<String, String>::start(Arc::new(program("slow")), settings).await.map(|_| ()).unwrap_err();
    assert!(error.contains("not ready"), "{error}");
}

#[tokio::test]
async fn a_late_child_is_killed_and_replaced() {
    let pool = pool(1, 4).await;
    let mut lease = pool.lease("caller", within(LONG)).await.unwrap();
    let (pid, _) = lease.ask("pid".to_owned(), vec![]).await.unwrap();
    drop(lease);
    let mut lease = pool.lease("caller", within(Duration::from_millis(300))).await.unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(lease.ask("spin".to_owned(), vec![]).await.unwrap_err(), Failure::Late);
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(
        matches!(lease.ask("hello".to_owned(), vec![]).await, Err(Failure::Died(_))),
        "a lease ends with it"
    );
    drop(lease);
    ends(&pid).await;
    let mut lease = pool.lease("caller", within(LONG)).await.unwrap();
    let (other, _) = lease.ask("pid".to_owned(), vec![]).await.unwrap();
    assert_ne!(pid, other);
}

#[tokio::test]
async fn a_child_that_dies_is_an_error_and_replaced() {
    let pool = pool(1, 4).await;
    let mut lease = pool.lease("caller", within(LONG)).await.unwrap();
    let Err(Failure::Died(error)) = lease.ask("die".to_owned(), vec![]).await else { panic!("it lives") };
    assert!(matches!(error, Error::Fault { retry: true, .. }), "{error}");
    drop(lease);
    let mut lease = pool.lease("caller", within(LONG)).await.unwrap();
    let (pid, _) = lease.ask("pid".to_owned(), vec![]).await.unwrap();
    drop(lease);
    // One that is killed while nobody uses it is noticed before the next request gets it.
    Command::new("kill").args(["-9", &pid]).status().unwrap();
    ends(&pid).await;
    let mut lease = pool.lease("caller", within(LONG)).await.unwrap();
    assert_eq!(lease.ask("hello".to_owned(), vec![]).await.unwrap().0, "hello");
}

#[tokio::test]
async fn a_request_that_is_given_up_takes_its_child_along() {
    let pool = pool(1, 4).await;
    let mut lease = pool.lease("caller", within(LONG)).await.unwrap();
    let (pid, _) = lease.ask("pid".to_owned(), vec![]).await.unwrap();
    drop(lease);
    let asking = tokio::spawn({
        let pool = pool.clone();
        async move {
            let mut lease = pool.lease("caller", within(LONG)).await.unwrap();
            lease.ask("spin".to_owned(), vec![]).await
        }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    asking.abort();
    ends(&pid).await;
    let mut lease = pool.lease("caller", within(LONG)).await.unwrap();
    assert_eq!(lease.ask("hello".to_owned(), vec![]).await.unwrap().0, "hello");
}

#[tokio::test]
async fn the_queue_is_bounded_and_waiting_has_a_deadline() {
    let pool = pool(1, 1).await;
    let held = pool.lease("caller", within(LONG)).await.unwrap();
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move { pool.lease("caller", within(Duration::from_millis(400))).await.err() }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(pool.lease("caller", within(LONG)).await.err(), Some(Failure::Busy));
    assert_eq!(waiting.await.unwrap(), Some(Failure::Late));
    drop(held);
    pool.lease("caller", within(LONG)).await.unwrap();
}

#[test]
fn an_orphan_ends_even_while_it_is_busy() {
    let this = std::env::current_exe().unwrap();
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!(
            "exec '{}' --ignored --exact child::child_entry --nocapture 3>&1 1>/dev/null",
            this.display()
        ))
        .env("LIQUID_TEST_CHILD", "good")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 15]).unwrap(); // it stands ready: lengths and `"ready"`
    let question = b"\"spin\"";
    stdin.write_all(&(question.len() as u32).to_le_bytes()).unwrap();
    stdin.write_all(&0_u32.to_le_bytes()).unwrap();
    stdin.write_all(question).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it is busy");
    drop(stdin);
    for _ in 0..500 {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("it outlives its parent");
}
