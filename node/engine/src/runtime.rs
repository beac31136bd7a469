//! The engine's own threads: big stacks, apart from the threads that keep time and talk to the network.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

/// Stack of each thread: optimising a deep plan recurses.
const STACK_BYTES: usize = 64 << 20;

/// Threads that wait for files; the kernel counts their stacks as this process's memory.
const READERS: usize = 8;

/// A runtime that lives as long as its owner and may be dropped anywhere.
#[derive(Debug)]
pub(crate) struct Threads(Option<Runtime>);

impl Threads {
    /// Starts them.
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("liquid-engine")
            .thread_stack_size(STACK_BYTES)
            .max_blocking_threads(READERS)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Runs a piece of work there and waits for it here; it is given up when the waiting is given up.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, String> {
        let Some(runtime) = &self.0 else { return Err("the engine's threads have stopped".to_owned()) };
        let task = runtime.spawn(work);
        let _stop = Stop(task.abort_handle());
        task.await.map_err(|error| error.to_string())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

struct Stop(tokio::task::AbortHandle);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
