//! Who asks much makes nobody else wait: the planners take their callers in turn.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use liquid_coordinator::Planner;
use liquid_coordinator::planner::{Ask, Told};
use liquid_node_api::Error;
use liquid_node_api::child::start_with;
use liquid_node_api::sql::SessionOptions;
use liquid_node_api::worker::Worker;
use tokio::sync::{Semaphore, mpsc};

use crate::world::{World, small};

/// A planner that begins when it is let.
struct Held(Planner, Arc<Semaphore>);

#[async_trait]
impl Worker<Ask, Told> for Held {
    async fn ask(&mut self, ask: Ask, attached: Vec<Bytes>) -> Result<(Told, Vec<Bytes>), Error> {
        let _let = self.1.acquire().await.unwrap();
        self.0.ask(ask, attached).await
    }
}

/// Ann asks twenty questions at once, two planners work at one time, and eight may wait for each caller.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_floods_a_coordinator_fills_no_queue_but_their_own() {
    let gate = Arc::new(Semaphore::new(0));
    let held = {
        let gate = Arc::clone(&gate);
        start_with(move || {
            let held = Held(Planner::new(), Arc::clone(&gate));
            async { Ok(Box::new(held) as Box<dyn Worker<Ask, Told>>) }
        })
    };
    let world = Arc::new(World::with(&small(), held, |_| None).await);
    let (done, mut answers) = mpsc::unbounded_channel();
    let ask = |who: &'static str| {
        let (world, done) = (Arc::clone(&world), done.clone());
        tokio::spawn(async move {
            let answer = world.ask_as(who, "SELECT count(*) FROM cardiac", SessionOptions::default()).await;
            done.send((who, answer.map(drop).map_err(|error| error.to_string()))).unwrap();
        })
    };
    (0..20).for_each(|_| drop(ask("ann")));
    for _ in 0..10 {
        let (_, answer) = answers.recv().await.unwrap();
        assert!(answer.as_ref().is_err_and(|text| text.contains("too many of your requests")), "{answer:?}");
    }
    drop(ask("bob"));
    // He says nothing while he waits.
    tokio::time::sleep(Duration::from_millis(300)).await;
    gate.add_permits(2);
    drop(done);
    let (mut bob, mut ann) = (None, 0);
    while let Some((who, answer)) = answers.recv().await {
        match who {
            "bob" => bob = Some(answer),
            _ => ann += usize::from(answer.is_ok()),
        }
    }
    assert_eq!(bob, Some(Ok(())));
    assert!(ann > 0, "and Ann's own are answered as far as they fit");
}
