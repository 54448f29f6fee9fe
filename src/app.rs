//! The composition root: turns a configuration into parts, runs them, and drains them. The only
//! file that knows all parts.

use crate::api::{Api, Server, ServerError, router};
use crate::clock::{Clock, SystemClock};
use crate::cluster::{
    Backend, Cluster, ClusterId, Degrade, Discovery, FatalError, Options, Several, StartError,
};
use crate::config::{Config, StoreBackend};
use crate::delivery::credentials::{self, CredentialError};
use crate::delivery::transport::{BuildError, Transports};
use crate::delivery::{Worker, WorkerOptions};
use crate::state_machine::{Settings, millis};
use crate::telemetry::{Metrics, MetricsError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// Time between unready and the end of accepting at least, so that the sender's next attempt
/// already finds another replica. Tekton's ladder bridges it.
const UNREADY_BEFORE_CLOSE: Duration = Duration::from_millis(200);
/// The same behind a Service: every node's proxy has to hear that this address is gone, for whoever
/// still connects to it afterwards waits for minutes (`docs/adr/0008-no-prestop.md`).
const UNREADY_BEHIND_SERVICE: Duration = Duration::from_secs(3);

/// What a stop may take beside `server.shutdown_timeout_sec`: slots are released in 10 s, and a
/// last voter stays for 15 s, of which calls that end early leave more (rule 25).
pub(crate) const HAND_OVER_MAX: Duration = Duration::from_secs(15);
/// What is left at the end may still be written; then the process goes. Milliseconds on a healthy
/// disk.
pub(crate) const CLOSE_MAX: Duration = Duration::from_secs(5);

/// Why the relay could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The data directory or the log could not be opened. Nothing was accepted.
    #[error("the cluster could not be started")]
    Cluster(#[source] StartError),
    /// The secret of the cluster cannot be read.
    #[error("cluster.secret_file cannot be used")]
    Secret(#[source] CredentialError),
    /// The listen address is not to be had.
    #[error("the HTTP server could not be started")]
    Server(#[source] ServerError),
    /// The TLS stack could not be set up.
    #[error("the HTTP client could not be started")]
    Transport(#[source] BuildError),
    /// Two metrics share a name.
    #[error("the metrics could not be started")]
    Metrics(#[source] MetricsError),
    /// The cluster can no longer be used: nothing is acknowledged any more.
    #[error("the relay had to stop")]
    Fatal(#[source] FatalError),
}

/// A started relay.
pub struct App {
    address: SocketAddr,
    cluster: Arc<Cluster>,
    worker: tokio::task::JoinHandle<()>,
    server: tokio::task::JoinHandle<()>,
    /// Cancelled first: unready.
    drain: CancellationToken,
    /// Cancelled next: the listener closes, and nothing new is accepted or begun.
    close: CancellationToken,
    drain_max: Duration,
    unready_before_close: Duration,
}

impl App {
    /// Opens the log, then starts to deliver and to listen.
    ///
    /// # Errors
    /// A part could not be started; the others are stopped.
    pub async fn start(config: Config) -> Result<Self, AppError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let metrics = Arc::new(Metrics::new().map_err(AppError::Metrics)?);
        metrics.expect_routes(config.rules.routes.iter().map(|route| &route.name));
        let transports = Transports::new(Arc::clone(&clock)).map_err(AppError::Transport)?;
        let server = Server::bind(&config.server.addr).await.map_err(AppError::Server)?;
        let options = cluster_options(&config, server.address()).await?;
        let cluster = Cluster::start(options, Arc::clone(&clock)).await;
        let cluster = cluster.map_err(AppError::Cluster)?;
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
        let unready_before_close = match &config.cluster.service {
            Some(_) => UNREADY_BEHIND_SERVICE,
            None => UNREADY_BEFORE_CLOSE,
        };
        let rules = Arc::new(config.rules);
        let shared = Arc::clone(&cluster);
        let worker = Worker::new(shared, rules, transports, options, (clock, metrics));
        let worker = tokio::spawn(worker.run(close.clone()));
        info!(%address, node = %cluster.node_id(), "relay started");
        Ok(Self { address, cluster, worker, server, drain, close, drain_max, unready_before_close })
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

    /// Runs until `stop` is cancelled, then drains; or until the cluster can no longer be used.
    ///
    /// # Errors
    /// The cluster can no longer be used; what was acknowledged before is safe.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), AppError> {
        let mut failed = self.cluster.failed();
        let ended = |task| Some(FatalError::TaskEnded { task });
        // Both run until the listener closes, which nobody has asked for yet. In this order: a task
        // that ends because the cluster failed is not the reason.
        let failure = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            failure = failed.wait_for(Option::is_some) => failure.ok().and_then(|reason| reason.clone()),
            _ = &mut self.worker => ended("deliveries"),
            _ = &mut self.server => ended("the HTTP server"),
        };
        if let Some(reason) = failure {
            error!(%reason, "the relay has to stop");
            return Err(AppError::Fatal(reason));
        }
        self.drain().await;
        Ok(())
    }

    /// Unready, close the listener, let calls end and be recorded, close the log. Each part gets
    /// what the ones before it left of the time.
    async fn drain(self) {
        info!("draining");
        let until = Instant::now() + self.drain_max + HAND_OVER_MAX;
        self.drain.cancel();
        // Events are still taken while the slots go to others.
        let releasing = timeout_at(until, self.cluster.release());
        let _ = tokio::join!(tokio::time::sleep(self.unready_before_close), releasing);
        self.close.cancel();
        let parts = async {
            let _ = self.server.await;
            let _ = self.worker.await;
        };
        if timeout_at(until.min(Instant::now() + self.drain_max), parts).await.is_err() {
            error!("calls were still under way at the end of the drain");
        }
        if timeout_at(until, self.cluster.hand_over()).await.is_err() {
            warn!("stopping before the work was handed over");
        }
        if tokio::time::timeout(CLOSE_MAX, self.cluster.shutdown()).await.is_err() {
            error!("the log was not closed in time");
        }
        info!("relay stopped");
    }
}

async fn cluster_options(config: &Config, http: SocketAddr) -> Result<Options, AppError> {
    let backend = match config.store.backend {
        StoreBackend::Cluster => Backend::Disk(config.cluster.data_dir.clone()),
        StoreBackend::Memory => Backend::Memory,
    };
    Ok(Options {
        backend,
        settings: settings(config),
        free_bytes_min: config.store.free_bytes_min,
        expected_cluster: config.cluster.expected_cluster_id.map(ClusterId),
        several: several(config, http).await?,
        ..Options::default()
    })
}

/// How the others are found; `None` where there are none.
async fn several(config: &Config, http: SocketAddr) -> Result<Option<Several>, AppError> {
    let cluster = &config.cluster;
    if !cluster.seeks_others() {
        return Ok(None);
    }
    let host = cluster.host_for_others();
    let discovery = match &cluster.service {
        Some(name) => Discovery::Service { name: name.clone(), port: port(&cluster.gossip_addr) },
        None => Discovery::Seeds(cluster.seeds.clone()),
    };
    let secret = match &cluster.secret_file {
        Some(file) => Some(credentials::read(file).await.map_err(AppError::Secret)?),
        None => None,
    };
    Ok(Some(Several {
        name: cluster.pod_name.clone().unwrap_or_default(),
        replicas: cluster.is_replicas_given.then_some(cluster.replicas),
        peer_addr: cluster.peer_addr.clone(),
        gossip_addr: cluster.gossip_addr.clone(),
        http_address: format!("{host}:{}", http.port()),
        advertise_host: Some(host),
        discovery,
        secret,
        election_timeout: cluster.election_timeout,
        removal_grace: cluster.removal_grace,
        degrade: Degrade {
            spool_after: config.store.spool_after,
            on_quorum_loss: config.store.on_quorum_loss,
        },
        config_hash: u64::try_from(config.hash().0 >> 64).unwrap_or_default(),
    }))
}

fn port(address: &str) -> u16 {
    address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default()
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
