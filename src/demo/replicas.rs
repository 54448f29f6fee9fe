//! Several replicas as one cluster: started together, queried over HTTP like any relay, and stopped
//! together.

use super::ports::Ports;
use super::replica::{Addresses, DemoReplica};
use super::view::{Readiness, View, Work};
use anyhow::{Context as _, bail};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// Longest wait for the answer of a replica.
const ASK_MAX: Duration = Duration::from_secs(2);
/// Time between two requests: shorter than an election.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// Forming takes two seconds, an election one, a return less. The rest is for a busy machine.
const READY_MAX: Duration = Duration::from_secs(20);

/// The replicas, by their number.
pub struct Replicas {
    all: Vec<DemoReplica>,
    client: reqwest::Client,
}

impl Replicas {
    /// `count` replicas of one configuration, with their data and logs below `folder`. Not started
    /// yet.
    ///
    /// # Errors
    /// No addresses are free, or the HTTP client cannot be set up.
    pub fn new(count: usize, config: &Path, folder: &Path) -> anyhow::Result<Self> {
        let mut ports = Ports::of_process(std::process::id());
        let mut addresses = || {
            let (http, peer, gossip) = (ports.next()?, ports.next()?, ports.next()?);
            Ok::<_, std::io::Error>(Addresses { http, peer, gossip })
        };
        let places = (0..count).map(|_| addresses()).collect::<Result<Vec<Addresses>, _>>();
        let places = places.context("no addresses are free")?;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(ASK_MAX).build()?;
        let replica = |number| DemoReplica::new(number, &places, config, folder);
        Ok(Self { all: (0..count).map(replica).collect(), client })
    }

    /// The number of replicas, running or not.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The name of a replica.
    #[must_use]
    pub fn name(&self, number: usize) -> &str {
        self.all[number].name()
    }

    /// The URL of `path` at each replica.
    #[must_use]
    pub fn urls(&self, path: &str) -> Vec<String> {
        self.all.iter().map(|replica| replica.url(path)).collect()
    }

    /// Starts all of them and waits until they have formed a cluster.
    ///
    /// # Errors
    /// One cannot be started, ended by itself, or was not ready in time.
    pub async fn form(&mut self) -> anyhow::Result<()> {
        for replica in &mut self.all {
            replica.start()?;
        }
        for number in 0..self.count() {
            self.ready(number).await?;
        }
        Ok(())
    }

    /// Starts one of them again and waits until it takes events.
    ///
    /// # Errors
    /// As for [`Self::form`].
    pub async fn restart(&mut self, number: usize) -> anyhow::Result<()> {
        self.all[number].start()?;
        self.ready(number).await
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn kill(&mut self, number: usize) -> anyhow::Result<()> {
        self.all[number].kill().await
    }

    /// SIGTERM, and the end of the drain.
    ///
    /// # Errors
    /// It does not end in time.
    pub async fn drain(&mut self, number: usize) -> anyhow::Result<ExitStatus> {
        self.all[number].drain().await
    }

    /// Stops the replicas that still run.
    ///
    /// # Errors
    /// The system refuses; the others are stopped.
    pub async fn end(&mut self) -> anyhow::Result<()> {
        let mut ended = Ok(());
        for replica in &mut self.all {
            ended = ended.and(replica.kill().await);
        }
        ended
    }

    /// Waits for a leader and returns its number. A replica that is `gone` is not asked and does
    /// not count.
    ///
    /// # Errors
    /// A replica ended by itself, or there was no leader in time.
    pub async fn leader(&mut self, gone: Option<usize>) -> anyhow::Result<usize> {
        let deadline = Instant::now() + READY_MAX;
        while Instant::now() < deadline {
            self.check()?;
            for number in (0..self.count()).filter(|number| Some(*number) != gone) {
                let view = self.view(number).await;
                let leader = view.and_then(|view| self.number(view.leader.as_deref()?));
                if let Some(leader) = leader.filter(|leader| Some(*leader) != gone) {
                    return Ok(leader);
                }
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        bail!("no leader within {READY_MAX:?}")
    }

    /// The cluster as a replica sees it; `None` if the replica does not answer.
    pub async fn view(&self, number: usize) -> Option<View> {
        View::parse(&self.ask(number, "/api/v1/cluster").await?)
    }

    /// What each replica knows about remaining work; `None` unless all are ready and answer.
    pub async fn work(&self) -> Option<Vec<Work>> {
        let mut all = Vec::with_capacity(self.count());
        for number in 0..self.count() {
            let readiness = self.readiness(number).await.filter(|readiness| readiness.is_ready)?;
            let mut work = Work::parse(&self.ask(number, "/metrics").await?)?;
            work.left += readiness.spooled;
            all.push(work);
        }
        Some(all)
    }

    /// Checks that all processes still run.
    ///
    /// # Errors
    /// A process ended by itself.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.all.iter_mut().try_for_each(DemoReplica::check)
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.all.iter().position(|replica| replica.name() == name)
    }

    async fn ready(&mut self, number: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_MAX;
        while Instant::now() < deadline {
            self.check()?;
            if self.readiness(number).await.is_some_and(|readiness| readiness.is_ready) {
                return Ok(());
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        bail!("{} was not ready within {READY_MAX:?}", self.name(number))
    }

    async fn readiness(&self, number: usize) -> Option<Readiness> {
        Readiness::parse(&self.ask(number, "/readyz").await?)
    }

    /// The text of a 2xx answer.
    async fn ask(&self, number: usize, path: &str) -> Option<String> {
        let answer = self.client.get(self.all[number].url(path)).send().await.ok()?;
        let answer = answer.error_for_status().ok()?;
        answer.text().await.ok()
    }
}
