//! Copies of one recorded PipelineRun with its TaskRuns, each with names, uids, a commit and a pull
//! request of its own. A connection posts one run after the other, event by event.

use anyhow::{Context as _, ensure};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const RECORDING: &str = include_str!("../../src/event/testdata/recorded-v1.12plus.jsonl");
/// The commit that the events of the recorded run have, and no others.
const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
const RUN: &str = "ok";
const TASK_RUNS: [&str; 2] = ["ok-build", "ok-cleanup"];
const FINAL_TYPE: &str = "pipelinerun.successful.v1";
const ANSWER_BYTES_MAX: usize = 4096;
const UID_CHARS: usize = 36;

/// When the end of each run was posted, by its commit.
pub type SentFinals = BTreeMap<String, Instant>;

/// One recorded request.
struct Request {
    head: String,
    body: String,
    is_final: bool,
}

/// The events of the run, in their order.
pub struct Runs {
    address: SocketAddr,
    requests: Arc<Vec<Request>>,
    /// Uids of the run and its tasks.
    uids: Arc<Vec<String>>,
}

impl Runs {
    /// The recorded run, to be posted to this address.
    pub fn recorded(address: SocketAddr) -> anyhow::Result<Self> {
        let lines = RECORDING.lines().filter(|line| line.contains(SHA));
        let (mut requests, mut uids) = (Vec::new(), Vec::new());
        for line in lines {
            let recorded: serde_json::Value = serde_json::from_str(line)?;
            let body = recorded["body"].as_str().context("no body")?;
            let object: serde_json::Value = serde_json::from_str(body)?;
            let run = object.as_object().and_then(|kinds| kinds.values().next());
            let uid = run.and_then(|run| run["metadata"]["uid"].as_str()).context("no uid")?;
            if !uids.iter().any(|known| known == uid) {
                uids.push(uid.to_owned());
            }
            let headers = recorded["headers"].as_object().context("no headers")?;
            requests.push(Request::of(headers, body)?);
        }
        ensure!(!requests.is_empty(), "the recording lacks the run");
        Ok(Self { address, requests: Arc::new(requests), uids: Arc::new(uids) })
    }

    pub fn events_per_run(&self) -> u64 {
        self.requests.len() as u64
    }

    /// Posts copies of the run over so many connections, and waits for all answers.
    pub async fn send(
        &mut self,
        numbers: Range<u64>,
        connections: usize,
    ) -> anyhow::Result<SentFinals> {
        let next = Arc::new(AtomicU64::new(numbers.start));
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            let (next, end) = (Arc::clone(&next), numbers.end);
            let (requests, uids) = (Arc::clone(&self.requests), Arc::clone(&self.uids));
            tasks.spawn(send_some(self.address, requests, uids, next, end));
        }
        let mut sent = SentFinals::new();
        while let Some(task) = tasks.join_next().await {
            sent.extend(task??);
        }
        Ok(sent)
    }
}

impl Request {
    fn of(
        headers: &serde_json::Map<String, serde_json::Value>,
        body: &str,
    ) -> anyhow::Result<Self> {
        let mut head = "POST / HTTP/1.1\r\nhost: relay\r\n".to_owned();
        let mut is_final = false;
        for (name, value) in headers {
            let (name, value) = (name.to_ascii_lowercase(), value.as_str().context("no text")?);
            let own = ["host", "connection", "content-length", "accept-encoding", "ce-id"];
            if !own.contains(&name.as_str()) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            is_final |= name == "ce-type" && value.ends_with(FINAL_TYPE);
        }
        Ok(Self { head, body: body.to_owned(), is_final })
    }

    /// The request of the run with this number, and its event's place in the run.
    fn bytes(&self, number: u64, place: usize, uids: &[String]) -> Vec<u8> {
        let named = |text: &str| {
            let mut text = text.replace(SHA, &sha(number));
            for (index, uid) in uids.iter().enumerate() {
                text = text.replace(uid, &numbered_uid(uid, number, index));
            }
            for pull_request in ["pr-number\":\"7\"", "pr-number\\\":\\\"7\\\""] {
                text = text.replace(pull_request, &pull_request.replace('7', &number.to_string()));
            }
            for task_run in TASK_RUNS {
                let numbered = task_run.replacen(RUN, &format!("{RUN}{number}"), 1);
                text = text.replace(&format!("\"{task_run}\""), &format!("\"{numbered}\""));
            }
            text.replace(&format!("\"{RUN}\""), &format!("\"{RUN}{number}\""))
        };
        let body = named(&self.body);
        let mut bytes = named(&self.head).into_bytes();
        let length = body.len();
        let end = format!("ce-id: {number}-{place}\r\ncontent-length: {length}\r\n\r\n{body}");
        bytes.extend_from_slice(end.as_bytes());
        bytes
    }
}

fn sha(number: u64) -> String {
    format!("{number:040x}")
}

/// A uid of the same length.
fn numbered_uid(uid: &str, number: u64, index: usize) -> String {
    let kept = &uid[..UID_CHARS.min(uid.len()) - 12];
    format!("{kept}{index:02x}{number:010x}")
}

async fn send_some(
    address: SocketAddr,
    requests: Arc<Vec<Request>>,
    uids: Arc<Vec<String>>,
    next: Arc<AtomicU64>,
    end: u64,
) -> anyhow::Result<SentFinals> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut sent = SentFinals::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            return Ok(sent);
        }
        for (place, request) in requests.iter().enumerate() {
            let bytes = request.bytes(number, place, &uids);
            if request.is_final {
                sent.insert(sha(number), Instant::now());
            }
            stream.write_all(&bytes).await?;
            let status = read_status(&mut stream).await?;
            ensure!(status == 202, "an event was answered {status}");
        }
    }
}

/// Reads one answer, and gives its status.
async fn read_status(stream: &mut TcpStream) -> anyhow::Result<u16> {
    let (mut answer, mut filled) = ([0; ANSWER_BYTES_MAX], 0);
    loop {
        let read = stream.read(&mut answer[filled..]).await?;
        ensure!(read > 0, "the answer was cut");
        filled += read;
        let text = std::str::from_utf8(&answer[..filled])?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.context("an answer without length")?.parse()? {
            return Ok(head.get(9..12).context("no status")?.parse()?);
        }
    }
}
