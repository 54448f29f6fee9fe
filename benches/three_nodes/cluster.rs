//! Three relay processes that find each other by seeds on loopback, each with a data directory on
//! disk: started, queried, killed, stopped, started again.

use crate::shared::process::{Process, folder, free_address};
use crate::waiting::{eventually, log_tail};
use anyhow::{Context as _, anyhow};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub const NODES: usize = 3;
/// A healthy node answers at once.
const ASK_WITHIN: Duration = Duration::from_secs(1);
/// Slots are spread if no node has fewer.
const SLOTS_MIN: u64 = 256 / NODES as u64;
/// A follower this close behind has caught up.
const LAG_MAX: u64 = 64;

/// One node; its addresses and its folder outlive its processes.
struct Node {
    folder: PathBuf,
    http: SocketAddr,
    peer: SocketAddr,
    gossip: SocketAddr,
    process: Option<Process>,
}

/// How the nodes communicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peers {
    /// With TLS, as required.
    Proven,
    /// Readable, as with a version before TLS.
    Plain,
}

/// Three nodes.
pub struct Cluster {
    nodes: Vec<Node>,
    peers: Peers,
    /// From the start of the first process until all were ready.
    pub formed_after: Duration,
    /// Removed after the processes have ended: fields are dropped in this order.
    _folder: TempDir,
}

impl Cluster {
    /// Starts three pristine nodes with this configuration, and waits until they have formed a
    /// cluster and share its slots.
    pub async fn start(config: &str) -> anyhow::Result<Self> {
        Self::start_as(config, Peers::Proven).await
    }

    /// The same, with or without authentication of peers.
    pub async fn start_as(config: &str, peers: Peers) -> anyhow::Result<Self> {
        let root = folder()?;
        let mut nodes = Vec::new();
        for number in 0..NODES {
            let folder = root.path().join(format!("relay-{number}"));
            std::fs::create_dir(&folder)?;
            std::fs::write(folder.join("relay.yaml"), config)?;
            let (http, peer, gossip) = (free_address()?, free_address()?, free_address()?);
            std::fs::write(folder.join("cluster-secret"), "the secret of this benchmark")?;
            nodes.push(Node { folder, http, peer, gossip, process: None });
        }
        let formed_after = Duration::ZERO;
        let mut cluster = Self { nodes, peers, formed_after, _folder: root };
        let started = Instant::now();
        (0..NODES).try_for_each(|number| cluster.spawn(number))?;
        cluster.wait("all nodes are ready", async |cluster| cluster.are_ready().await).await?;
        cluster.formed_after = started.elapsed();
        cluster.settled().await?;
        Ok(cluster)
    }

    /// Starts the process of a node without waiting.
    pub fn spawn(&mut self, number: usize) -> anyhow::Result<()> {
        let seeds: Vec<String> = self.nodes.iter().map(|node| node.gossip.to_string()).collect();
        let node = &mut self.nodes[number];
        let mut command = Command::new(env!("CARGO_BIN_EXE_tekton-events-relay"));
        command.arg("serve").arg("--config").arg(node.folder.join("relay.yaml"));
        command.arg("--data-dir").arg(node.folder.join("data"));
        command.args(["--pod-name", &format!("relay-{number}"), "--replicas", &NODES.to_string()]);
        command.args(["--server-addr", &node.http.to_string()]);
        command.args(["--peer-addr", &node.peer.to_string()]);
        command.args(["--gossip-addr", &node.gossip.to_string()]);
        command.args(seeds.iter().flat_map(|seed| ["--seed", seed]));
        match self.peers {
            Peers::Proven => {
                command.arg("--secret-file").arg(node.folder.join("cluster-secret"));
            }
            Peers::Plain => {
                command.args(["--peer-tls", "migrate"]);
            }
        }
        node.process = Some(Process::start_logged(&mut command, &node.folder.join("log"))?);
        Ok(())
    }

    /// Waits until all nodes run, are ready, have caught up, and own equally many slots.
    pub async fn settled(&mut self) -> anyhow::Result<()> {
        let is_settled = async |cluster: &Self| {
            cluster.are_ready().await && cluster.view().await.is_some_and(|view| is_spread(&view))
        };
        self.wait("all nodes are ready, caught up, and own slots", is_settled).await
    }

    async fn wait(
        &mut self,
        what: &str,
        is_done: impl AsyncFn(&Self) -> bool,
    ) -> anyhow::Result<()> {
        let waited = eventually(what, async || match self.ended() {
            Some(ended) => Some(Err(ended)),
            None => is_done(self).await.then_some(Ok(())),
        });
        waited.await.flatten().with_context(|| {
            let tails = self.nodes.iter().map(|node| log_tail(&node.folder.join("log")));
            tails.collect::<Vec<_>>().join("\n")
        })
    }

    /// An unexpected end of a process.
    fn ended(&mut self) -> Option<anyhow::Error> {
        self.nodes.iter_mut().find_map(|node| {
            let status = node.process.as_mut()?.ended().ok()??;
            Some(anyhow!("the process at {} has ended: {status}", node.http))
        })
    }

    async fn are_ready(&self) -> bool {
        for node in &self.nodes {
            let ready = get(node.http, "/readyz").await;
            if ready.is_none_or(|(status, _)| status != 200) {
                return false;
            }
        }
        true
    }

    /// The cluster as its leader sees it, from the first running node that answers.
    async fn view(&self) -> Option<Value> {
        for node in self.nodes.iter().filter(|node| node.process.is_some()) {
            let Some((_, body)) = get(node.http, "/api/v1/cluster").await else { continue };
            let view: Value = serde_json::from_str(&body).ok()?;
            if view["leader"].is_string() {
                return Some(view);
            }
        }
        None
    }

    /// Index of the last entry that the leader has applied.
    pub async fn applied_index(&self) -> anyhow::Result<u64> {
        let view = self.view().await.context("no node answers")?;
        view["applied_index"].as_u64().context("no applied index")
    }

    /// Number of the node that leads.
    pub async fn leader(&self) -> anyhow::Result<usize> {
        let found = eventually("there is a leader", async || {
            let leader = self.view().await?["leader"].clone();
            self.with_id(leader.as_str()?).await
        });
        found.await
    }

    /// Number of the node with this id.
    async fn with_id(&self, id: &str) -> Option<usize> {
        for (number, node) in self.nodes.iter().enumerate() {
            if self.id(node).await.as_deref() == Some(id) {
                return Some(number);
            }
        }
        None
    }

    async fn id(&self, node: &Node) -> Option<String> {
        let (_, body) = get(node.http, "/api/v1/cluster").await?;
        let view: Value = serde_json::from_str(&body).ok()?;
        Some(view["self"].as_str()?.to_owned())
    }

    /// Id of a running node, in the form of owners in answers.
    pub async fn id_of(&self, number: usize) -> anyhow::Result<String> {
        self.id(&self.nodes[number]).await.context("the node does not answer")
    }

    /// Where events are sent to.
    pub fn address(&self, number: usize) -> SocketAddr {
        self.nodes[number].http
    }

    /// All nodes but one, in order.
    pub fn others(&self, number: usize) -> Vec<SocketAddr> {
        let others = (0..NODES).filter(|other| *other != number);
        others.map(|other| self.address(other)).collect()
    }

    /// All nodes, in order.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.http).collect()
    }

    /// Processor time of all running processes.
    pub fn processor_time(&self) -> anyhow::Result<Duration> {
        self.nodes
            .iter()
            .filter_map(|node| node.process.as_ref())
            .map(Process::processor_time)
            .sum()
    }

    /// SIGKILL: no drain, no last write.
    pub fn kill(&mut self, number: usize) {
        self.nodes[number].process = None;
    }

    /// SIGTERM; returns the time until the process has ended.
    pub async fn stop(&mut self, number: usize) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let mut process = self.nodes[number].process.take().context("the node is down")?;
        process.terminate()?;
        let ended = eventually("the process has ended", async || process.ended().ok().flatten());
        ended.await.with_context(|| log_tail(&self.nodes[number].folder.join("log")))?;
        Ok(started.elapsed())
    }
}

fn is_spread(view: &Value) -> bool {
    let members = view["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_fine = |member: &Value| {
        let slots = member["slots"].as_u64().unwrap_or_default();
        let lag = member["lag"].as_u64().unwrap_or_default();
        let is_live = !["suspect", "dead"].iter().any(|state| member["state"] == *state);
        is_live && slots >= SLOTS_MIN && lag <= LAG_MAX
    };
    view["slots"]["unowned"] == 0 && members.len() == NODES && members.iter().all(is_fine)
}

/// Status and body, if there is an answer.
async fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    };
    tokio::time::timeout(ASK_WITHIN, asked).await.ok().flatten()
}
