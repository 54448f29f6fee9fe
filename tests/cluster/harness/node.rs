//! One relay process at its own place, through its starts and ends.

use super::deadline::STOPPED_MAX;
use super::network::Processes;
use super::observer::Digest;
use super::site::Site;
use super::view::View;
use super::{FORMED_MAX, copy_folder};
use crate::shared::{Finished, admin_token, eventually, run, signal};
use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::Child;

/// In the folder of a node, unless a scenario removes it.
pub const SECRET_FILE: &str = "cluster-secret";

/// Options of a node's start, apart from its addresses.
#[derive(Clone, Debug)]
pub struct Serve {
    pub binary: PathBuf,
    /// How many replicas the first formation waits for.
    pub replicas: usize,
    /// Nodes whose gossip addresses are seeds.
    pub seeds: Vec<usize>,
    /// The policy for peers without TLS.
    pub peer_tls: &'static str,
}

/// What a node still has to do, by its own applied state.
#[derive(Clone, Debug)]
pub struct Settling {
    unplanned: u64,
    unsettled: u64,
    digest: Digest,
}

impl Settling {
    /// Unfinished events and effects.
    pub fn left(&self) -> u64 {
        self.unplanned + self.unsettled
    }

    /// The digest of its state.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// For people, without the long list of slots.
impl fmt::Display for Settling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unplanned, unsettled, index) =
            (self.unplanned, self.unsettled, self.digest.applied_index);
        write!(f, "{unplanned} unplanned, {unsettled} unsettled at index {index}")
    }
}

/// A node: its directory, its addresses, and its process while it runs. Killed when dropped.
pub struct Node {
    pub number: usize,
    folder: PathBuf,
    site: Site,
    processes: Processes,
    child: Option<Child>,
    client: reqwest::Client,
}

impl Node {
    /// A node that has never run. `folder` holds its configuration.
    pub fn new(number: usize, folder: PathBuf, site: Site, processes: Processes) -> Self {
        let client = site.client();
        Self { number, folder, site, processes, child: None, client }
    }

    /// The pod name; its number is the ordinal.
    pub fn pod(&self) -> String {
        format!("relay-{}", self.number)
    }

    /// The file with the secret of its cluster.
    pub fn secret_file(&self) -> PathBuf {
        self.folder.join(SECRET_FILE)
    }

    /// Gives the node these secrets.
    pub fn share(&self, secrets: &str) {
        std::fs::write(self.secret_file(), secrets).unwrap();
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.site.url(self.number))
    }

    /// Changes the configuration; the next start reads it.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let path = self.folder.join("relay.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, change(text)).unwrap();
    }

    /// Starts the process without waiting.
    pub fn start(&mut self, serve: &Serve) {
        assert!(self.child.is_none(), "{} runs already", self.pod());
        let log = std::fs::File::options().create(true).append(true).open(self.log_file());
        let log = log.unwrap();
        let mut command = self.site.command(self.number, &serve.binary);
        command.args(self.arguments(serve)).current_dir(&self.folder).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        // An older build knows neither variable, and starts anyway.
        command.env("RELAY_PEER_TLS", serve.peer_tls);
        if self.secret_file().exists() {
            command.env("RELAY_SECRET_FILE", self.secret_file());
        }
        let child = command.spawn().unwrap();
        self.processes.started(self.number, child.id().unwrap());
        self.child = Some(child);
    }

    fn arguments(&self, serve: &Serve) -> Vec<String> {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let mut arguments = vec!["serve".to_owned()];
        let flags = [
            ("--config", path("relay.yaml")),
            ("--data-dir", self.data().display().to_string()),
            ("--pod-name", self.pod()),
            ("--replicas", serve.replicas.to_string()),
        ];
        let of_site = self.site.flags(self.number, &serve.seeds);
        let flags = flags.into_iter().chain(of_site);
        arguments.extend(flags.flat_map(|(flag, value)| [flag.to_owned(), value]));
        arguments
    }

    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    fn pid(&self) -> u32 {
        let child = self.child.as_ref().unwrap_or_else(|| panic!("{} is down", self.pod()));
        child.id().unwrap_or_else(|| panic!("{} has ended:\n{}", self.pod(), self.log_tail()))
    }

    /// SIGKILL: no drain, no last write.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().unwrap_or_else(|| panic!("{} is down", self.pod()));
        child.kill().await.unwrap();
    }

    /// SIGSTOP: the process does nothing, its connections stay.
    pub async fn freeze(&self) {
        signal(self.pid(), "STOP").await;
    }

    /// SIGCONT: the process continues where it was.
    pub async fn thaw(&self) {
        signal(self.pid(), "CONT").await;
    }

    /// SIGTERM, without waiting.
    pub async fn ask_to_stop(&self) {
        signal(self.pid(), "TERM").await;
    }

    /// Whether the process has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut().unwrap_or_else(|| panic!("relay-{} is down", self.number));
        child.try_wait().unwrap().is_some()
    }

    /// Waits for the end of the process.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap_or_else(|| panic!("{} is down", self.pod()));
        let ended = tokio::time::timeout(STOPPED_MAX, child.wait()).await;
        ended.unwrap_or_else(|_| panic!("{} does not end", self.pod())).unwrap()
    }

    /// SIGTERM, a drain, and exit code 0; returns how long it took.
    pub async fn stop(&mut self) -> Duration {
        let asked = Instant::now();
        self.ask_to_stop().await;
        let status = self.ended().await;
        assert_eq!(status.code(), Some(0), "{}:\n{}", self.pod(), self.log_tail());
        asked.elapsed()
    }

    /// Removes all data of the node, which must be down.
    pub fn wipe(&self) {
        assert!(self.child.is_none(), "{} runs", self.pod());
        std::fs::remove_dir_all(self.data()).unwrap();
    }

    /// Copies the data directory of another node. Both must be down.
    pub fn copy_data_of(&self, other: &Self) {
        assert!(self.child.is_none() && other.child.is_none(), "both have to be down");
        if self.data().exists() {
            self.wipe();
        }
        copy_folder(&other.data(), &self.data());
    }

    /// Moves the volume of another node here: the same files, not a copy.
    pub fn take_volume_of(&self, other: &Self) {
        self.copy_data_of(other);
        std::fs::remove_file(self.data().join("place")).unwrap();
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The logs of all processes of this node.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The last lines of the log.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// The status of a path, if the node answers.
    pub async fn status(&self, path: &str) -> Option<u16> {
        Some(self.client.get(self.url(path)).send().await.ok()?.status().as_u16())
    }

    /// The change token.
    async fn token(&self) -> String {
        let config = self.folder.join("relay.yaml");
        admin_token(Some(&config), &self.data(), Some(&self.secret_file())).await
    }

    /// Gets JSON as an operator. `None` if the node does not answer with a success.
    pub async fn get(&self, path: &str) -> Option<Value> {
        let get = self.client.get(self.url(path)).bearer_auth(self.token().await);
        let answer = get.send().await.ok()?.error_for_status().ok()?;
        serde_json::from_str(&answer.text().await.ok()?).ok()
    }

    /// The node's view of the cluster, if it answers.
    pub async fn view(&self) -> Option<View> {
        serde_json::from_value(self.get("/api/v1/cluster").await?).ok()
    }

    /// How far the node has come, if it answers.
    pub async fn settling(&self) -> Option<Settling> {
        Some(Settling {
            unplanned: self.gauge("events_unplanned").await?,
            unsettled: self.gauge("effects_unsettled").await?,
            digest: serde_json::from_value(self.get("/api/v1/cluster/digest").await?).ok()?,
        })
    }

    /// Whether events are accepted.
    pub async fn is_ready(&self) -> bool {
        self.status("/readyz").await == Some(200)
    }

    /// Waits until events are accepted.
    ///
    /// # Panics
    /// The process has ended, or is not ready in time.
    pub async fn ready(&mut self) {
        let pod = self.pod();
        eventually(&format!("{pod} is ready"), FORMED_MAX, async || {
            self.assert_runs();
            self.is_ready().await.then_some(())
        })
        .await;
    }

    /// Fails with the log if the process has ended by itself.
    pub fn assert_runs(&mut self) {
        let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
        if let Some(status) = ended {
            panic!("{} ended with {status}:\n{}", self.pod(), self.log_tail());
        }
    }

    /// One value of the metrics, if the node answers.
    pub async fn metric(&self, line: &str) -> Option<u64> {
        let answer = self.client.get(self.url("/metrics")).send().await.ok()?;
        let text = answer.text().await.ok()?;
        let value = text.lines().find_map(|known| known.strip_prefix(line))?;
        value.trim().parse().ok()
    }

    /// The value of a metric without labels, by its name behind the prefix.
    pub async fn gauge(&self, name: &str) -> Option<u64> {
        self.metric(&format!("tekton_events_relay_{name} ")).await
    }

    /// Runs a command of the program against this node.
    ///
    /// # Panics
    /// It does not end.
    pub async fn command(&self, arguments: &[&str]) -> Finished {
        let url = self.url("");
        let secret = self.secret_file().display().to_string();
        let found = ["--url", &url, "--secret-file", &secret];
        let arguments: Vec<&str> = arguments.iter().copied().chain(found).collect();
        run(&self.folder, &arguments).await
    }

    /// Posts or deletes as an operator; returns the status, if the node answers.
    pub async fn ask(&self, method: http::Method, path: &str, body: &Value) -> Option<u16> {
        let request = self.client.request(method, self.url(path)).body(body.to_string());
        let request = request.bearer_auth(self.token().await);
        let answer = request.header("content-type", "application/json").send().await.ok()?;
        Some(answer.status().as_u16())
    }
}

/// What openraft logs at the level ERROR if a membership change is requested during another one.
/// The leader retries; which of the two comes first is chance.
pub const CHANGE_UNDER_WAY: &str = "the cluster is already undergoing a configuration change";

/// Lines of a log, one JSON object each, at the level ERROR, without those with one of the
/// `announced` texts.
pub fn error_lines<'l>(log: &'l str, announced: &[&str]) -> Vec<&'l str> {
    let is_error = |line: &&str| {
        let line: Option<Value> = serde_json::from_str(line).ok();
        line.is_some_and(|line| line["level"] == "ERROR")
    };
    let is_announced = |line: &&str| announced.iter().any(|text| line.contains(text));
    // Most lines are not errors and need no JSON parsing.
    let candidates = log.lines().filter(|line| line.contains("ERROR"));
    candidates.filter(is_error).filter(|line| !is_announced(line)).collect()
}
