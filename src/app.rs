//! The composition root: turns a configuration into parts, runs them, and drains them. The only
//! file that knows all parts.

use crate::api::tokens::{ChangeToken, TokenError};
use crate::api::{
    Access, Api, BodyBudget, Senders, SendersError, Server, ServerError, TlsError, TlsFiles,
    admin_router, router,
};
use crate::clock::{Clock, SystemClock};
use crate::cluster::{
    AcceptError, Backend, CertificateFiles, Cluster, ClusterId, ClusterSecrets, Discovery,
    FatalError, Options, PeerOptions, QuorumLossPolicy, SecretSource, SecretsError, Security,
    StartError,
};
use crate::config::{ClusterSettings, Config, PeerTlsPolicy, StoreBackend};
use crate::delivery::transport::{BuildError, Transports};
use crate::delivery::{Worker, WorkerOptions};
use crate::plan::Ruleset;
use crate::state_machine::{Settings, millis};
use crate::telemetry::{Metrics, MetricsError, chain};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
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
    /// No secret can be drawn.
    #[error("no secret for the peer port")]
    Secret(#[source] SecretsError),
    /// The listen address is not to be had.
    #[error("the HTTP server could not be started")]
    Server(#[source] ServerError),
    /// The listeners could not speak TLS.
    #[error("server.tls cannot be used")]
    Tls(#[source] TlsError),
    /// No sender would be admitted.
    #[error("nobody could send events")]
    Senders(#[source] SendersError),
    /// Operators would have no token.
    #[error("nobody could use the API")]
    Token(#[source] TokenError),
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
    cluster: Arc<Cluster>,
    worker: tokio::task::JoinHandle<()>,
    server: tokio::task::JoinHandle<()>,
    metrics: Arc<Metrics>,
    rulesets: watch::Sender<Arc<Ruleset>>,
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
        let ruleset = Ruleset::first(config.rules.clone(), config.keep.clone(), config.hash());
        metrics.expect_routes(ruleset.rules.names());
        let rulesets = watch::Sender::new(Arc::new(ruleset));
        let transports = Transports::new(Arc::clone(&clock)).map_err(AppError::Transport)?;
        let (server, admin) = listeners(&config).await?;
        let options = cluster_options(&config, server.address())?;
        let cluster = Cluster::start(options, Arc::clone(&clock)).await;
        let cluster = cluster.map_err(AppError::Cluster)?;
        let cluster = Arc::new(cluster);
        let (drain, close) = (CancellationToken::new(), CancellationToken::new());
        let address = server.address();
        let api = Api {
            cluster: Arc::clone(&cluster),
            metrics: Arc::clone(&metrics),
            clock: Arc::clone(&clock),
            rulesets: rulesets.subscribe(),
            body_bytes_max: config.server.max_body_bytes,
            access: Arc::new(access(&config)?),
            bodies: BodyBudget::default(),
            senders: Arc::new(senders(&config, &clock).await?),
            warnings: warnings(&config, address),
            digest: Arc::default(),
            drain: drain.clone(),
        };
        let server = tokio::spawn(serve(server, admin, api, close.clone()));
        let (options, drain_max) = (worker_options(&config), config.server.shutdown_timeout);
        let unready_before_close = match &config.cluster.service {
            Some(_) => UNREADY_BEHIND_SERVICE,
            None => UNREADY_BEFORE_CLOSE,
        };
        let (shared, newest) = (Arc::clone(&cluster), rulesets.subscribe());
        let telemetry = (clock, Arc::clone(&metrics));
        let worker = Worker::new(shared, newest, transports, options, telemetry);
        let worker = tokio::spawn(worker.run(close.clone()));
        info!(%address, node = %cluster.node_id(), "relay started");
        Ok(Self {
            cluster,
            worker,
            server,
            metrics,
            rulesets,
            drain,
            close,
            drain_max,
            unready_before_close,
        })
    }

    /// The replicated log.
    #[must_use]
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Decides by a newer configuration from the next event on: its rules, what of events they read,
    /// and the settings of the cluster. What was planned before keeps its plan. Every other part of
    /// the configuration counts at the next start.
    ///
    /// # Errors
    /// The settings were not confirmed, the rules count. The call may be made again.
    #[cfg_attr(not(test), expect(dead_code, reason = "only a reload replaces a configuration"))]
    pub async fn swap(&self, config: &Config) -> Result<(), AcceptError> {
        self.metrics.expect_routes(config.rules.names());
        self.rulesets.send_modify(|held| {
            let (rules, keep) = (config.rules.clone(), config.keep.clone());
            *held = Arc::new(held.replaced_by(rules, keep, config.hash()));
        });
        let generation = self.rulesets.borrow().generation;
        info!(generation, "the rules were replaced");
        self.cluster.configure(settings(config), config_hash(config)).await
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
            error!(reason = chain(&reason), "the relay has to stop");
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
        if timeout_at(until, self.cluster.transfer_leadership()).await.is_err() {
            warn!("stopping before the work was handed over");
        }
        if tokio::time::timeout(CLOSE_MAX, self.cluster.shutdown()).await.is_err() {
            error!("the log was not closed in time");
        }
        info!("relay stopped");
    }
}

/// The listener of senders, and that of operators where they have their own. One on the loopback
/// interface needs no TLS: whoever reads there reads the keys, too.
async fn listeners(config: &Config) -> Result<(Server, Option<Server>), AppError> {
    let tls = config.server.tls.as_ref().map(TlsFiles::load).transpose();
    let tls = tls.map_err(AppError::Tls)?.map(Arc::new);
    let server = Server::bind(&config.server.addr).await.map_err(AppError::Server)?;
    let server = server.with_tls(tls.clone());
    let Some(address) = &config.server.admin.addr else { return Ok((server, None)) };
    let admin = Server::bind(address).await.map_err(AppError::Server)?;
    let tls = tls.filter(|_| !admin.address().ip().is_loopback());
    Ok((server, Some(admin.with_tls(tls))))
}

/// Serves senders, and operators beside them or on a listener of their own.
async fn serve(server: Server, admin: Option<Server>, api: Api, stop: CancellationToken) {
    let Some(admin) = admin else { return server.serve(router(api, true), stop).await };
    info!(address = %admin.address(), "the API has a listener of its own");
    let operators = admin.serve(admin_router(api.clone()), stop.clone());
    tokio::join!(server.serve(router(api, false), stop), operators);
}

fn needs_certificate(config: &Config) -> bool {
    config.server.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some())
}

async fn senders(config: &Config, clock: &Arc<dyn Clock>) -> Result<Senders, AppError> {
    let senders = Senders::new(&config.server.auth, needs_certificate(config), Arc::clone(clock));
    senders.check().await.map_err(AppError::Senders)?;
    Ok(senders)
}

/// What an operator is told at the start, by `/readyz` and by `cluster status`.
fn warnings(config: &Config, address: SocketAddr) -> Arc<[&'static str]> {
    let mut warnings = Vec::new();
    if config.server.auth.is_empty() && !needs_certificate(config) && !address.ip().is_loopback() {
        warnings.push(
            "whoever reaches server.addr may send events, and so write statuses: set server.auth",
        );
    }
    for warning in &warnings {
        warn!("{warning}");
    }
    warnings.into()
}

/// Who may use the API. The data directory is there, and nobody else's.
fn access(config: &Config) -> Result<Access, AppError> {
    let change = ChangeToken::of(config);
    change.ensure().map_err(AppError::Token)?;
    let admin = &config.server.admin;
    let hosts = config.cluster.service.iter().chain(&admin.hosts).cloned();
    let hosts = hosts.chain([config.cluster.host_for_others()]).collect();
    Ok(Access { change, read: admin.read_token_file.clone(), hosts })
}

fn cluster_options(config: &Config, http: SocketAddr) -> Result<Options, AppError> {
    let backend = match config.store.backend {
        StoreBackend::Cluster => Backend::Disk(config.cluster.data_dir.clone()),
        StoreBackend::Memory => Backend::Memory,
    };
    Ok(Options {
        backend,
        settings: settings(config),
        free_bytes_min: config.store.free_bytes_min,
        expected_cluster: config.cluster.expected_cluster_id.map(ClusterId),
        peer_options: peer_options(config, http)?,
        ..Options::default()
    })
}

/// How this replica proves itself to others. One that is alone has a secret of its own: others
/// come only with a secret that both were given.
fn security(cluster: &ClusterSettings) -> Result<Security, AppError> {
    let secret = match (&cluster.secret_file, cluster.peer_tls) {
        (Some(file), _) => Some(SecretSource::File(file.path().to_owned())),
        (None, PeerTlsPolicy::Required) => {
            Some(SecretSource::Given(ClusterSecrets::draw().map_err(AppError::Secret)?))
        }
        (None, PeerTlsPolicy::Migrate) => None,
    };
    let certificate = cluster.tls.as_ref().map(|given| CertificateFiles {
        cert: given.cert.clone(),
        key: given.key.clone(),
        ca: given.ca.clone(),
    });
    Ok(Security { secret, certificate, policy: cluster.peer_tls })
}

/// How the others are found; `None` where there are none.
fn peer_options(config: &Config, http: SocketAddr) -> Result<Option<PeerOptions>, AppError> {
    let cluster = &config.cluster;
    if !cluster.seeks_others() {
        return Ok(None);
    }
    let host = cluster.host_for_others();
    let discovery = match &cluster.service {
        Some(name) => Discovery::Service { name: name.clone(), port: port(&cluster.gossip_addr) },
        None => Discovery::Seeds(cluster.seeds.clone()),
    };
    Ok(Some(PeerOptions {
        name: cluster.pod_name.clone().unwrap_or_default(),
        replicas: cluster.is_replicas_given.then_some(cluster.replicas),
        peer_addr: cluster.peer_addr.clone(),
        gossip_addr: cluster.gossip_addr.clone(),
        http_address: format!("{host}:{}", http.port()),
        advertise_host: Some(host),
        discovery,
        security: security(cluster)?,
        election_timeout: cluster.election_timeout,
        removal_grace: cluster.removal_grace,
        admit: cluster.admit.clone(),
        degrade: QuorumLossPolicy {
            spool_after: config.store.spool_after,
            on_quorum_loss: config.store.on_quorum_loss,
        },
        config_hash: config_hash(config),
    }))
}

/// What members tell each other of their files.
fn config_hash(config: &Config) -> u64 {
    u64::try_from(config.hash().0 >> 64).unwrap_or_default()
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
        memory_bytes: config.store.memory,
    }
}

fn worker_options(config: &Config) -> WorkerOptions {
    WorkerOptions {
        concurrency_max: config.max_concurrency,
        handler_timeout: config.handler_timeout,
        retry: config.retry.clone(),
    }
}

#[cfg(test)]
#[path = "app_test.rs"]
mod tests;
