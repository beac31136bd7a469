//! A part that runs in this process, on a runtime of its own, so that it can be cut off with everything it has spawned.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Error;
use crate::part::Kind;
use crate::serve::{self, Workers};

/// How long a part may take to end by itself.
const STOPPED_WITHIN: Duration = Duration::from_secs(7);

/// How long its threads may take to let go.
const CUT_OFF_WITHIN: Duration = Duration::from_secs(2);

/// A running part. Dropping it cuts it off.
pub(crate) struct Task {
    listen: Option<SocketAddr>,
    runtime: Option<Runtime>,
    shutdown: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<Result<(), Error>>>,
}

impl Task {
    /// Opens it and lets it serve.
    pub(crate) async fn start(kind: Kind, config: &Path) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::machine("no threads can be started", error))?;
        let mut task = Self { listen: None, runtime: None, shutdown: None, served: None };
        let config = config.to_owned();
        let opened = runtime.spawn(async move {
            match kind {
                Kind::Node => serve::node(&config, &Workers::InProcess).await,
                Kind::Coordinator => serve::coordinator(&config, &Workers::InProcess).await,
            }
        });
        let runtime = task.runtime.insert(runtime);
        let serving = opened.await.map_err(|error| Error::Part(error.to_string()))??;
        task.listen = serving.listen();
        let (shutdown, wanted) = oneshot::channel();
        task.served = Some(runtime.spawn(serving.run(async move {
            let _sender_gone = wanted.await;
        })));
        task.shutdown = Some(shutdown);
        Ok(task)
    }

    pub(crate) fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// Lets it end in good order.
    pub(crate) async fn stop(mut self) {
        drop(self.shutdown.take());
        if let Some(served) = self.served.take() {
            let _late = tokio::time::timeout(STOPPED_WITHIN, served).await;
        }
        self.kill().await;
    }

    /// Cuts it off, and waits until everything that it has spawned is gone, its port with it.
    pub(crate) async fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            let _cut_off = tokio::task::spawn_blocking(|| runtime.shutdown_timeout(CUT_OFF_WITHIN)).await;
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
