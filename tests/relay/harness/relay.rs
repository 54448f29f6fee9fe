//! A relay process: started, queried, stopped, killed.

use super::Setup;
use crate::shared::{admin_token, client, eventually, signal};
use serde_json::Value;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tekton_events_relay::demo::Recorded;
use tekton_events_relay::demo::{Sender, SenderAnswer};
use tokio::process::{Child, Command};

/// A start is a few fsyncs and an election of one; the rest is for a busy machine.
const START_MAX: Duration = Duration::from_secs(20);
/// The longest drain: the grace period of a pod.
const STOP_MAX: Duration = Duration::from_secs(30);
/// A settled relay has nothing to send and nothing to plan. This includes pauses of the breaker.
const SETTLE_MAX: Duration = Duration::from_secs(40);

const BINARY: &str = env!("CARGO_BIN_EXE_tekton-events-relay");

/// A running relay. Killed when dropped.
pub struct Relay<'s> {
    setup: &'s Setup,
    child: Child,
    client: reqwest::Client,
}

impl<'s> Relay<'s> {
    /// Starts on the setup's directory and waits until it is ready.
    pub async fn start(setup: &'s Setup) -> Self {
        let mut relay = Self::spawn(setup);
        relay.ready().await;
        relay
    }

    /// The same, with only this many file descriptors.
    pub async fn start_with_descriptors(setup: &'s Setup, descriptors: usize) -> Self {
        let mut shell = Command::new("sh");
        let limited = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        shell.arg("-c").arg(limited).arg(BINARY);
        let mut relay = Self::spawn_by(shell, setup);
        relay.ready().await;
        relay
    }

    /// Starts without waiting.
    pub fn spawn(setup: &'s Setup) -> Self {
        Self::spawn_by(Command::new(BINARY), setup)
    }

    fn spawn_by(mut command: Command, setup: &'s Setup) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(setup.path("log"));
        let log = log.unwrap();
        command.arg("serve").args(["--server-addr", &setup.address]);
        command.arg("--data-dir").arg(setup.path("data"));
        if let Some(config) = setup.config() {
            command.arg("--config").arg(config);
        }
        command.current_dir(setup.folder()).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        let child = command.spawn().unwrap();
        Self { setup, child, client: client() }
    }

    /// Waits until events are accepted.
    pub async fn ready(&mut self) {
        let url = self.url("/readyz");
        let (client, child, setup) = (&self.client, &mut self.child, self.setup);
        eventually("the relay is ready", START_MAX, async || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the relay ended with {status}:\n{}", log_of(setup));
            }
            let answer = client.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.setup.address)
    }

    /// Sends to this relay and its successors on the same address.
    pub fn sender(&self) -> Sender {
        Sender::new(&self.url("/")).unwrap()
    }

    /// Sends one after the other; every event must be acknowledged.
    pub async fn take(&self, requests: &[Recorded]) -> Vec<SenderAnswer> {
        let answers = self.sender().play(requests).await;
        for (answer, request) in answers.iter().zip(requests) {
            let name = request.run_name();
            assert!(answer.is_acknowledged(), "{name:?} {}: {answer:?}", request.event_type());
        }
        answers
    }

    /// The change token.
    pub async fn token(&self) -> String {
        admin_token(self.setup.config().as_deref(), &self.setup.path("data"), None).await
    }

    /// Gets JSON as an operator.
    pub async fn get(&self, path: &str) -> Value {
        let get = self.client.get(self.url(path)).bearer_auth(self.token().await);
        let answer = get.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// Posts JSON as an operator.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let post = self.client.post(self.url(path)).body(body.to_string());
        let post = post.bearer_auth(self.token().await);
        let answer = post.header("content-type", "application/json").send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// The value of a metric without labels, by its name behind the prefix.
    pub async fn gauge(&self, name: &str) -> u64 {
        self.metric(&format!("tekton_events_relay_{name} ")).await
    }

    /// All metrics, as they are scraped.
    pub async fn metrics(&self) -> String {
        let answer = self.client.get(self.url("/metrics")).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// The value of one line of the metrics.
    pub async fn metric(&self, line: &str) -> u64 {
        let text = self.metrics().await;
        let mut values = text.lines().filter_map(|known| known.strip_prefix(line));
        let value = values.next().unwrap_or_else(|| panic!("no {line} in:\n{text}"));
        value.trim().parse().unwrap()
    }

    /// Waits until nothing is left to plan or send.
    pub async fn settled(&self) {
        eventually("the relay has settled", SETTLE_MAX, async || {
            // In this order: the second read finds an event that is planned between the two.
            let unplanned = self.gauge("events_unplanned").await;
            (unplanned + self.gauge("effects_unsettled").await == 0).then_some(())
        })
        .await;
    }

    /// All dead letters.
    pub async fn dead_letters(&self) -> Vec<Value> {
        let mut letters = Vec::new();
        loop {
            let page = self.get(&format!("/api/v1/dlq?limit=100&offset={}", letters.len())).await;
            let events = page["events"].as_array().unwrap();
            letters.extend(events.iter().cloned());
            if events.is_empty() {
                return letters;
            }
        }
    }

    /// Child processes of the relay that still exist, including zombies, each with its state from
    /// `/proc`.
    pub fn children(&self) -> Vec<(u32, char)> {
        let relay = self.child.id().unwrap();
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let (_, fields) = stat.rsplit_once(')')?;
            let mut fields = fields.split_whitespace();
            let state = fields.next()?.chars().next()?;
            let parent: u32 = fields.next()?.parse().ok()?;
            (parent == relay).then_some((pid, state))
        });
        processes.collect()
    }

    /// SIGKILL: no drain, no last write.
    pub async fn kill_nine(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends the process SIGTERM.
    pub async fn terminate(&self) {
        signal(self.child.id().unwrap(), "TERM").await;
    }

    /// Waits for the end of the process.
    pub async fn ended(mut self) -> ExitStatus {
        let ended = tokio::time::timeout(STOP_MAX, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("still running:\n{}", self.log())).unwrap()
    }

    /// SIGTERM, a drain, and exit code 0.
    pub async fn stop(self) {
        self.terminate().await;
        assert_eq!(self.ended().await.code(), Some(0));
    }

    /// The peak memory of the process.
    pub fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap()));
        let status = status.unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The logs of the processes on this directory.
    pub fn log(&self) -> String {
        log_of(self.setup)
    }
}

fn log_of(setup: &Setup) -> String {
    std::fs::read_to_string(setup.path("log")).unwrap_or_default()
}
