//! The composition root: turns a configuration into parts, runs them, and drains them. The only
//! file that knows all parts.

use crate::api::{Api, Server, ServerError, router};
use crate::clock::{Clock, SystemClock};
use crate::cluster::{Backend, Cluster, Options, StartError};
use crate::config::{Config, StoreBackend};
use crate::delivery::transport::{BuildError, Transports};
use crate::delivery::{Worker, WorkerOptions};
use crate::state_machine::{Settings, millis};
use crate::telemetry::{Metrics, MetricsError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// Time between unready and the end of accepting, so that the sender's next attempt already
/// finds another replica. Tekton's ladder bridges it.
const UNREADY_BEFORE_CLOSE: Duration = Duration::from_millis(200);

/// Why the relay could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The data directory or the log could not be opened. Nothing was accepted.
    #[error("the cluster could not be started")]
    Cluster(#[source] StartError),
    /// The listen address is not to be had.
    #[error("the HTTP server could not be started")]
    Server(#[source] ServerError),
    /// The TLS stack or the metrics could not be set up.
    #[error("the HTTP client could not be started")]
    Transport(#[source] BuildError),
    /// Two metrics share a name.
    #[error("the metrics could not be started")]
    Metrics(#[source] MetricsError),
    /// The disk failed while running: nothing is acknowledged any more.
    #[error("the log can no longer be written: {0}")]
    StorageFailed(String),
}

/// A started relay.
pub struct App {
    address: SocketAddr,
    cluster: Arc<Cluster>,
    worker: tokio::task::JoinHandle<()>,
    server: tokio::task::JoinHandle<()>,
    /// Cancelled first: unready, nothing new accepted.
    drain: CancellationToken,
    /// Cancelled next: the listener closes.
    close: CancellationToken,
    drain_max: Duration,
}

impl App {
    /// Opens the log, then starts to deliver and to listen.
    ///
    /// # Errors
    /// A part could not be started; the others are stopped.
    pub async fn start(config: Config) -> Result<Self, AppError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let metrics = Arc::new(Metrics::new().map_err(AppError::Metrics)?);
        let transports = Transports::new(Arc::clone(&clock)).map_err(AppError::Transport)?;
        let server = Server::bind(&config.server.addr).await.map_err(AppError::Server)?;
        let cluster = Cluster::start(cluster_options(&config), Arc::clone(&clock))
            .await
            .map_err(AppError::Cluster)?;
        let cluster = Arc::new(cluster);
        let (drain, close) = (CancellationToken::new(), CancellationToken::new());
        let address = server.address();
        let api = Api {
            cluster: Arc::clone(&cluster),
            metrics: Arc::clone(&metrics),
            clock: Arc::clone(&clock),
            keep: Arc::new(config.keep.clone()),
            body_bytes_max: config.server.max_body_bytes,
            admin_token: config.server.admin_token_file.clone(),
            drain: drain.clone(),
        };
        let server = tokio::spawn(server.serve(router(api), close.clone()));
        let (options, drain_max) = (worker_options(&config), config.server.shutdown_timeout);
        let rules = Arc::new(config.rules);
        let shared = Arc::clone(&cluster);
        let worker = Worker::new(shared, rules, transports, options, (clock, metrics));
        let worker = tokio::spawn(worker.run(close.clone()));
        info!(%address, node = %cluster.node_id(), "relay started");
        Ok(Self { address, cluster, worker, server, drain, close, drain_max })
    }

    /// The address that events are accepted on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The replicated log.
    #[must_use]
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Runs until `stop` is cancelled or the disk fails, then drains.
    ///
    /// # Errors
    /// The disk failed; what was acknowledged before is safe.
    pub async fn run(self, stop: CancellationToken) -> Result<(), AppError> {
        let mut failed = self.cluster.failed();
        let failure = tokio::select! {
            () = stop.cancelled() => None,
            failure = failed.wait_for(Option::is_some) => failure.ok().and_then(|text| text.clone()),
        };
        if let Some(reason) = failure {
            error!(reason, "storage failed");
            return Err(AppError::StorageFailed(reason));
        }
        self.drain().await;
        Ok(())
    }

    /// Unready, close the listener, let calls end and be recorded, close the log.
    async fn drain(self) {
        info!("draining");
        self.drain.cancel();
        tokio::time::sleep(UNREADY_BEFORE_CLOSE).await;
        self.close.cancel();
        let parts = async {
            let _ = self.server.await;
            let _ = self.worker.await;
        };
        if tokio::time::timeout(self.drain_max, parts).await.is_err() {
            error!("calls were still under way at the end of the drain");
        }
        self.cluster.shutdown().await;
        info!("relay stopped");
    }
}

fn cluster_options(config: &Config) -> Options {
    let backend = match config.store.backend {
        StoreBackend::Cluster => Backend::Disk(config.cluster.data_dir.clone()),
        StoreBackend::Memory => Backend::Memory,
    };
    Options {
        backend,
        settings: settings(config),
        free_bytes_min: config.store.free_bytes_min,
        ..Options::default()
    }
}

pub(crate) fn settings(config: &Config) -> Settings {
    Settings {
        ttl_ms: millis(config.store.ttl),
        transition_ttl_ms: millis(config.store.transition_ttl),
        runs_max: config.store.runs_max,
        dead_letter_ttl_ms: millis(config.dlq.retention),
        dead_letters_max: config.dlq.entries_max,
        accumulates: config.accumulator.enabled,
        straggler_window_ms: millis(config.accumulator.straggler_window),
        group_ttl_ms: millis(config.accumulator.ttl),
    }
}

fn worker_options(config: &Config) -> WorkerOptions {
    WorkerOptions {
        concurrency_max: config.max_concurrency,
        handler_timeout: config.handler_timeout,
        retry: config.retry.clone(),
    }
}
