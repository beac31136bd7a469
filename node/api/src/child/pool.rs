//! A few workers, started beforehand. A request leases one for all its steps; a worker that is late, dies or is left in
//! the middle of a question is dropped (a child process is killed by that) and another is started in its place.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::turns::{Turn, Turns};
use crate::error::Error;
use crate::worker::Worker;

/// Makes workers: a [`super::Program`] for real, [`start_with`] a closure in tests.
#[async_trait]
pub trait Start<A, T>: Send + Sync {
    /// Starts one.
    ///
    /// # Errors
    /// What kept it from that, for the operator.
    async fn start(&self) -> Result<Box<dyn Worker<A, T>>, String>;
}

/// Makes workers in this very process.
pub fn start_with<A, T, F, R>(make: F) -> Arc<dyn Start<A, T>>
where
    A: 'static,
    T: 'static,
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = Result<Box<dyn Worker<A, T>>, String>> + Send + 'static,
{
    Arc::new(Made(make))
}

struct Made<F>(F);

#[async_trait]
impl<A, T, F, R> Start<A, T> for Made<F>
where
    A: 'static,
    T: 'static,
    F: Fn() -> R + Send + Sync,
    R: Future<Output = Result<Box<dyn Worker<A, T>>, String>> + Send,
{
    async fn start(&self) -> Result<Box<dyn Worker<A, T>>, String> {
        (self.0)().await
    }
}

/// How a pool is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSettings {
    /// Workers, and so requests that run at one time.
    pub workers: usize,
    /// Requests that may wait for one.
    pub queue: usize,
    /// Requests of one caller among them.
    pub queue_per_caller: usize,
    /// How long a worker may take to start.
    pub start: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { workers: 2, queue: 32, queue_per_caller: 8, start: Duration::from_secs(60) }
    }
}

/// Why a worker gave no answer; the text is for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The deadline passed; the worker is dropped.
    #[error("the deadline passed")]
    Late,
    /// All are busy and enough requests wait already.
    #[error("all workers are busy and the queue is full")]
    Busy,
    /// The caller has enough requests waiting already.
    #[error("all workers are busy and the caller's queue is full")]
    Crowded,
    /// None could be started.
    #[error("{0}")]
    Unstarted(String),
    /// The worker died or broke the protocol.
    #[error("{0}")]
    Died(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Late => Self::fault(
                "the deadline passed before there was an answer",
                true,
                "ask a smaller question, or a longer `liquid.deadline_ms`",
            ),
            Failure::Busy => Self::fault("too many requests are waiting", true, "ask again in a few seconds"),
            Failure::Crowded => Self::fault(
                "too many of your requests are waiting",
                true,
                "ask again when one of them is answered",
            ),
            Failure::Unstarted(_) => {
                Self::fault("the worker process does not start", false, "send the reference to the operator")
            }
            Failure::Died(error) => error,
        }
    }
}

/// A pool of workers.
pub struct Pool<A, T>(Arc<Shared<A, T>>);

struct Shared<A, T> {
    starter: Arc<dyn Start<A, T>>,
    settings: PoolSettings,
    idle: Mutex<VecDeque<Box<dyn Worker<A, T>>>>,
    turns: Arc<Turns>,
}

impl<A, T> Clone for Pool<A, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A: Send + 'static, T: Send + 'static> Pool<A, T> {
    /// Starts all workers, side by side.
    ///
    /// # Errors
    /// What kept the first that failed from starting, for the operator.
    pub async fn start(starter: Arc<dyn Start<A, T>>, settings: PoolSettings) -> Result<Self, String> {
        let pool = Self(Arc::new(Shared {
            starter,
            settings,
            idle: Mutex::default(),
            turns: Turns::new(settings.workers, settings.queue, settings.queue_per_caller),
        }));
        let starting = (0..settings.workers).map(|_| pool.0.start_one());
        for worker in futures::future::try_join_all(starting).await? {
            pool.0.put_back(worker);
        }
        Ok(pool)
    }

    /// Leases a worker until `deadline`, for all steps of one request. Callers have their turns one after the other, however
    /// many requests of one of them wait.
    ///
    /// # Errors
    /// Where a queue is full, the deadline passes first, or no worker starts.
    pub async fn lease(&self, caller: &str, deadline: Instant) -> Result<Lease<A, T>, Failure> {
        let shared = &self.0;
        let lease = async {
            let turn = shared.turns.take(caller).await?;
            let worker = match shared.next_alive() {
                Some(worker) => worker,
                None => shared.start_one().await.map_err(Failure::Unstarted)?,
            };
            Ok(Lease { worker: Some(worker), busy: false, deadline, shared: Arc::clone(shared), _turn: turn })
        };
        tokio::time::timeout_at(deadline, lease).await.map_err(|_| Failure::Late)?
    }
}

impl<A, T> Shared<A, T> {
    fn idle(&self) -> MutexGuard<'_, VecDeque<Box<dyn Worker<A, T>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_alive(&self) -> Option<Box<dyn Worker<A, T>>> {
        let mut idle = self.idle();
        while let Some(mut worker) = idle.pop_front() {
            if worker.alive() {
                return Some(worker);
            }
        }
        None
    }

    fn put_back(&self, worker: Box<dyn Worker<A, T>>) {
        let mut idle = self.idle();
        if idle.len() < self.settings.workers {
            idle.push_back(worker);
        }
    }

    async fn start_one(&self) -> Result<Box<dyn Worker<A, T>>, String> {
        match tokio::time::timeout(self.settings.start, self.starter.start()).await {
            Ok(started) => started,
            Err(_) => Err(format!("a worker was not ready within {} s", self.settings.start.as_secs())),
        }
    }
}

/// One worker, held by one request.
pub struct Lease<A: Send + 'static, T: Send + 'static> {
    worker: Option<Box<dyn Worker<A, T>>>,
    busy: bool,
    deadline: Instant,
    shared: Arc<Shared<A, T>>,
    _turn: Turn,
}

impl<A: Send + 'static, T: Send + 'static> Lease<A, T> {
    /// Asks the worker; at the deadline it is dropped.
    ///
    /// # Errors
    /// [`Failure::Late`] or [`Failure::Died`]; the lease is of no use after either.
    pub async fn ask(&mut self, ask: A, attached: Vec<Bytes>) -> Result<(T, Vec<Bytes>), Failure> {
        let Some(worker) = &mut self.worker else {
            return Err(Failure::Died(Error::fault("the worker process has ended", true, "ask again")));
        };
        self.busy = true;
        let asked = tokio::time::timeout_at(self.deadline, worker.ask(ask, attached)).await;
        match asked {
            Ok(Ok(answer)) => {
                self.busy = false;
                Ok(answer)
            }
            Ok(Err(error)) => {
                self.worker = None;
                Err(Failure::Died(error))
            }
            Err(_) => {
                self.worker = None;
                Err(Failure::Late)
            }
        }
    }
}

impl<A: Send + 'static, T: Send + 'static> Drop for Lease<A, T> {
    fn drop(&mut self) {
        // A worker left in the middle of a question may answer it to whoever asks next: it goes.
        match self.worker.take() {
            Some(worker) if !self.busy => self.shared.put_back(worker),
            _ => {
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    let shared = Arc::clone(&self.shared);
                    runtime.spawn(async move {
                        match shared.start_one().await {
                            Ok(worker) => shared.put_back(worker),
                            // The next lease tries again and tells its caller.
                            Err(error) => tracing::error!(error, "worker not replaced"),
                        }
                    });
                }
            }
        }
    }
}
