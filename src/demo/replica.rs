//! One replica: a process of this binary, with addresses and a directory that it keeps across
//! restarts. It never outlives the demo.

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

/// A drain takes at most the grace period of a pod; after it the process is killed.
const DRAIN_MAX: Duration = Duration::from_secs(30);
/// Flags of `serve` are also environment variables with this prefix. Those of the caller are for
/// another relay and are removed.
const FLAG_PREFIX: &str = "RELAY_";
/// File below the folder of the demo with the replicas' shared secret.
pub const SECRET_FILE: &str = "cluster-secret";

/// The addresses of a replica, for users and for other replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub http: String,
    pub peer: String,
    pub gossip: String,
}

/// A replica, running or not.
#[derive(Debug)]
pub struct DemoReplica {
    name: String,
    http: String,
    arguments: Vec<OsString>,
    log: PathBuf,
    child: Option<Child>,
}

impl DemoReplica {
    /// Replica `number` of those at `all`, with `config` and its data below `folder`. Not started
    /// yet.
    #[must_use]
    pub fn new(number: usize, all: &[Addresses], config: &Path, folder: &Path) -> Self {
        let name = format!("relay-{number}");
        let own = &all[number];
        let mut arguments: Vec<OsString> = vec!["serve".into()];
        let mut flag = |flag: &str, value: OsString| arguments.extend([flag.into(), value]);
        flag("--config", config.into());
        flag("--pod-name", name.clone().into());
        flag("--replicas", all.len().to_string().into());
        flag("--server-addr", own.http.clone().into());
        flag("--peer-addr", own.peer.clone().into());
        flag("--gossip-addr", own.gossip.clone().into());
        flag("--data-dir", folder.join(&name).into());
        flag("--secret-file", folder.join(SECRET_FILE).into());
        for other in all {
            flag("--seed", other.gossip.clone().into());
        }
        let log = folder.join(format!("{name}.log"));
        Self { name, http: own.http.clone(), arguments, log, child: None }
    }

    /// Its pod name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL of `path` at this replica.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    /// Starts the process. Its log is appended to the earlier one.
    ///
    /// # Errors
    /// The process or its log cannot be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let binary = std::env::current_exe().context("this binary cannot be found")?;
        let log = std::fs::File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(FLAG_PREFIX) {
                command.env_remove(name);
            }
        }
        command.args(&self.arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.kill_on_drop(true).spawn();
        self.child = Some(child.with_context(|| format!("{} cannot be started", self.name))?);
        Ok(())
    }

    /// Checks that the process still runs.
    ///
    /// # Errors
    /// The process ended by itself; the error holds the last line of its log.
    pub fn check(&mut self) -> anyhow::Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        if let Some(status) = child.try_wait()? {
            bail!("{} ended with {status}: {}", self.name, self.last_words());
        }
        Ok(())
    }

    /// Kills the process at once, like a lost node: no drain, no last write.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await.with_context(|| format!("{} cannot be killed", self.name))?;
        }
        Ok(())
    }

    /// Stops the process as Kubernetes does, and waits until it has drained.
    ///
    /// # Errors
    /// It does not run, or does not end in time.
    pub async fn drain(&mut self) -> anyhow::Result<ExitStatus> {
        let child = self.child.as_mut().with_context(|| format!("{} does not run", self.name))?;
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let id = id.with_context(|| format!("{} has ended before", self.name))?;
        kill_process(id, Signal::TERM)?;
        let ended = tokio::time::timeout(DRAIN_MAX, child.wait()).await;
        let ended = ended.with_context(|| format!("{} did not end by itself", self.name))??;
        self.child = None;
        Ok(ended)
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().last().unwrap_or("it logged nothing").to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(number: u16) -> Addresses {
        let address = |port: u16| format!("127.0.0.1:{}", port + number);
        Addresses { http: address(8080), peer: address(3320), gossip: address(4320) }
    }

    #[test]
    fn a_replica_is_told_its_own_addresses_and_the_gossip_of_all() {
        let all = [addresses(0), addresses(1)];
        let replica = DemoReplica::new(1, &all, Path::new("/demo/relay.yaml"), Path::new("/demo"));
        let typed: Vec<&str> =
            replica.arguments.iter().map(|argument| argument.to_str().unwrap()).collect();
        assert_eq!(
            typed.join(" "),
            "serve --config /demo/relay.yaml --pod-name relay-1 --replicas 2 \
             --server-addr 127.0.0.1:8081 --peer-addr 127.0.0.1:3321 \
             --gossip-addr 127.0.0.1:4321 --data-dir /demo/relay-1 \
             --secret-file /demo/cluster-secret --seed 127.0.0.1:4320 --seed 127.0.0.1:4321"
        );
        assert_eq!(replica.url("/readyz"), "http://127.0.0.1:8081/readyz");
    }

    #[tokio::test]
    async fn a_replica_that_never_ran_has_nothing_to_drain() {
        let folder = tempfile::tempdir().unwrap();
        let mut replica = DemoReplica::new(0, &[addresses(0)], Path::new("f"), folder.path());
        assert_eq!(replica.drain().await.unwrap_err().to_string(), "relay-0 does not run");
        assert!(replica.check().is_ok() && replica.kill().await.is_ok());
    }
}
