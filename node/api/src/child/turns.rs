//! Whose turn it is: a bounded queue for each caller, and the callers in turn, so that one who asks much makes nobody else
//! wait longer than for one request of theirs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::pool::Failure;

/// So many may work at one time, so many wait.
pub(super) struct Turns {
    queue: usize,
    queue_per_caller: usize,
    state: Mutex<State>,
}

struct State {
    free: usize,
    /// Callers with somebody waiting, the next one first.
    waiting: VecDeque<(String, VecDeque<oneshot::Sender<Turn>>)>,
}

/// The right to work, passed on when it is dropped.
pub(super) struct Turn(Option<Arc<Turns>>);

impl Turns {
    pub(super) fn new(at_once: usize, queue: usize, queue_per_caller: usize) -> Arc<Self> {
        let state = State { free: at_once, waiting: VecDeque::new() };
        Arc::new(Self { queue, queue_per_caller, state: Mutex::new(state) })
    }

    /// Waits for a turn. Giving the waiting up gives the place in the queue up.
    ///
    /// # Errors
    /// Where the queue, or this caller's part of it, is full.
    pub(super) async fn take(self: &Arc<Self>, caller: &str) -> Result<Turn, Failure> {
        let receiver = {
            let mut state = self.state();
            state.forget_who_left();
            if state.free > 0 {
                state.free -= 1;
                return Ok(Turn(Some(Arc::clone(self))));
            }
            if state.waiting.iter().map(|(_, queue)| queue.len()).sum::<usize>() >= self.queue {
                return Err(Failure::Busy);
            }
            let (sender, receiver) = oneshot::channel();
            match state.waiting.iter_mut().find(|(known, _)| known == caller) {
                Some((_, queue)) if queue.len() >= self.queue_per_caller => return Err(Failure::Crowded),
                Some((_, queue)) => queue.push_back(sender),
                None if self.queue_per_caller == 0 => return Err(Failure::Crowded),
                None => state.waiting.push_back((caller.to_owned(), VecDeque::from([sender]))),
            }
            receiver
        };
        receiver.await.map_err(|_| Failure::Busy)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next who waits, one of each caller in turn; without one, the turn is free.
    fn next(&self) -> Option<oneshot::Sender<Turn>> {
        let mut state = self.state();
        while let Some((caller, mut queue)) = state.waiting.pop_front() {
            let next = queue.pop_front();
            if !queue.is_empty() {
                state.waiting.push_back((caller, queue));
            }
            if next.is_some() {
                return next;
            }
        }
        state.free += 1;
        None
    }
}

impl State {
    fn forget_who_left(&mut self) {
        for (_, queue) in &mut self.waiting {
            queue.retain(|waits| !waits.is_closed());
        }
        self.waiting.retain(|(_, queue)| !queue.is_empty());
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(turns) = self.0.take() else { return };
        while let Some(next) = turns.next() {
            match next.send(Turn(Some(Arc::clone(&turns)))) {
                Ok(()) => return,
                // It left meanwhile: what comes back must not be passed on twice.
                Err(mut turn) => turn.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn callers_have_their_turn_one_after_the_other() {
        let turns = Turns::new(1, 100, 100);
        let mut held = Some(turns.take("loud").await.unwrap());
        let mut waiting = Vec::new();
        for caller in ["loud", "loud", "loud", "loud", "quiet", "loud", "other"] {
            let mut take = Box::pin({
                let turns = Arc::clone(&turns);
                async move { turns.take(caller).await }
            });
            assert!((&mut take).now_or_never().is_none());
            waiting.push((caller, take));
        }
        let mut order = Vec::new();
        while !waiting.is_empty() {
            drop(held.take());
            let mut next = None;
            for (at, (caller, take)) in waiting.iter_mut().enumerate() {
                if let Some(turn) = take.now_or_never() {
                    held = Some(turn.unwrap_or_else(|failure| panic!("{failure}")));
                    order.push(*caller);
                    next = Some(at);
                    break;
                }
            }
            drop(waiting.remove(next.unwrap()));
        }
        assert_eq!(order, ["loud", "quiet", "other", "loud", "loud", "loud", "loud"]);
    }

    #[tokio::test]
    async fn queues_are_bounded_for_each_and_for_all() {
        let turns = Turns::new(1, 3, 2);
        let held = turns.take("a").await.unwrap();
        let mut waiting = Vec::new();
        for (caller, refused) in
            [("a", None), ("a", None), ("a", Some(Failure::Crowded)), ("b", None), ("c", Some(Failure::Busy))]
        {
            let mut take = Box::pin({
                let turns = Arc::clone(&turns);
                async move { turns.take(caller).await.err() }
            });
            match (&mut take).now_or_never() {
                Some(failure) => assert_eq!(failure, refused, "{caller}"),
                None => {
                    assert_eq!(refused, None, "{caller}");
                    waiting.push(take);
                }
            }
        }
        // Whoever gives up leaves room, and no turn is lost with them.
        waiting.clear();
        let mut again = Box::pin(turns.take("c"));
        assert!((&mut again).now_or_never().is_none());
        drop(held);
        assert!(again.await.is_ok());
        assert!(turns.take("d").now_or_never().is_some_and(|turn| turn.is_ok()));
    }
}
