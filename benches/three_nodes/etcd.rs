//! Three members of etcd with its own settings: the minimum wait of a relay with its state in a
//! replicated store.

use crate::grpc::Channel;
use crate::shared::load::Measured;
use crate::shared::process::{Process, folder, free_address};
use crate::waiting::{eventually, log_tail};
use anyhow::Context as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Few connections with several calls each, as etcd's own benchmark has by default.
pub const CONNECTIONS: usize = 16;
const MEMBERS: usize = 3;
const PUT: &str = "/etcdserverpb.KV/Put";
const STATUS: &str = "/etcdserverpb.Maintenance/Status";

/// `etcdserverpb.PutRequest`, with the needed fields. The other messages likewise.
#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PutResponse {
    #[prost(message, optional, tag = "1")]
    header: Option<ResponseHeader>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ResponseHeader {
    #[prost(uint64, tag = "2")]
    member_id: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StatusRequest {}

#[derive(Clone, PartialEq, prost::Message)]
struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    header: Option<ResponseHeader>,
    #[prost(uint64, tag = "4")]
    leader: u64,
}

/// A running cluster.
pub struct Etcd {
    members: Vec<Process>,
    leader: SocketAddr,
    /// Removed after the processes have ended: fields are dropped in this order.
    _folder: TempDir,
}

/// What to put.
#[derive(Clone)]
pub struct Puts {
    pub value_bytes: usize,
    pub in_flight: usize,
    /// Number of the first key.
    pub first: u64,
    pub requests: u64,
    pub time_max: Duration,
}

/// Whether etcd is installed.
pub fn is_installed() -> bool {
    let asked = Command::new("etcd").arg("--version").stdout(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

impl Etcd {
    /// Starts three members and waits for their leader.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = folder()?;
        let addresses = (0..MEMBERS).map(|_| Ok((free_address()?, free_address()?)));
        let addresses = addresses.collect::<anyhow::Result<Vec<_>>>()?;
        let cluster: Vec<String> = addresses
            .iter()
            .enumerate()
            .map(|(number, (peer, _))| format!("etcd-{number}=http://{peer}"))
            .collect();
        let mut members = Vec::new();
        for (number, (peer, client)) in addresses.iter().enumerate() {
            let (peer, client) = (format!("http://{peer}"), format!("http://{client}"));
            let mut command = Command::new("etcd");
            command.args(["--name", &format!("etcd-{number}")]);
            command.arg("--data-dir").arg(folder.path().join(format!("etcd-{number}")));
            command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
            command.args(["--initial-cluster", &cluster.join(","), "--logger", "zap"]);
            command.args(["--log-level", "error"]);
            members.push(Process::start_logged(&mut command, &folder.path().join("log"))?);
        }
        let clients: Vec<SocketAddr> = addresses.iter().map(|(_, client)| *client).collect();
        let leader = eventually("etcd has a leader", async || leader(&clients).await);
        let leader = leader.await.with_context(|| log_tail(&folder.path().join("log")))?;
        Ok(Self { members, leader, _folder: folder })
    }

    /// Processor time of all members.
    pub fn processor_time(&self) -> anyhow::Result<Duration> {
        self.members.iter().map(Process::processor_time).sum()
    }

    /// Puts to the leader until all are answered or the time is over.
    pub async fn put(&self, puts: &Puts) -> anyhow::Result<Measured> {
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            channels.push(Channel::open(self.leader).await?);
        }
        let next = Arc::new(AtomicU64::new(puts.first));
        let started = Instant::now();
        let until = started + puts.time_max;
        let mut tasks = JoinSet::new();
        for channel in channels.iter().cycle().take(puts.in_flight) {
            tasks.spawn(put_some(puts.clone(), channel.clone(), Arc::clone(&next), until));
        }
        let mut latencies = Vec::new();
        while let Some(task) = tasks.join_next().await {
            latencies.extend(task??);
        }
        Measured::of(latencies, started.elapsed())
    }
}

async fn put_some(
    puts: Puts,
    mut channel: Channel,
    next: Arc<AtomicU64>,
    until: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let end = puts.first + puts.requests;
    let mut latencies = Vec::new();
    let mut request = PutRequest { key: Vec::new(), value: vec![b'x'; puts.value_bytes] };
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end || Instant::now() >= until {
            return Ok(latencies);
        }
        request.key = format!("{number:016x}").into_bytes();
        let started = Instant::now();
        let _: PutResponse = channel.call(PUT, &request).await?;
        latencies.push(started.elapsed());
    }
}

/// The leading member, once one leads and all agree.
async fn leader(clients: &[SocketAddr]) -> Option<SocketAddr> {
    let mut found = None;
    for client in clients {
        let mut channel = Channel::open(*client).await.ok()?;
        let status: StatusResponse = channel.call(STATUS, &StatusRequest {}).await.ok()?;
        if status.leader == 0 {
            return None;
        }
        if status.header?.member_id == status.leader {
            found = Some(*client);
        }
    }
    found
}
