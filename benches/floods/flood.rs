//! The floods, and the measurements of each.

use crate::client::Client;
use crate::shared::process::{Process, folder, free_address};
use crate::shared::table::Table;
use crate::shared::wait::{pause, wait_until};
use crate::watch::{Fresh, MemoryWatch, trickle};
use anyhow::{Context as _, anyhow};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub const RUNNING: &str = "dev.tekton.event.pipelinerun.running.v1";
const SUCCESSFUL: &str = "dev.tekton.event.pipelinerun.successful.v1";
const ANNOTATION_BYTES: usize = 1000;
/// Connections that send at the same time.
const SENDERS: u64 = 16;
/// Rest before the flood and after a restart, to see what an idle process takes.
const REST: Duration = Duration::from_secs(3);
const NORMAL_WITHIN: Duration = Duration::from_secs(120);

/// A flood of runs.
pub struct Flood {
    pub name: &'static str,
    /// Which runs are logged.
    when: &'static str,
    runs: u64,
    annotations: usize,
    /// Every second run ends, with its own event.
    ends: bool,
}

pub const FLOODS: [Flood; 3] = [
    Flood {
        name: "fat",
        when: "event.RunName != \"\"",
        runs: 12_000,
        annotations: 60,
        ends: false,
    },
    Flood {
        name: "fat-walked",
        when: "size(event.Annotations) >= 0",
        runs: 12_000,
        annotations: 60,
        ends: false,
    },
    Flood {
        name: "many",
        when: "event.RunName != \"\"",
        runs: 120_000,
        annotations: 0,
        ends: true,
    },
];

/// A PipelineRun.
pub struct Run {
    pub namespace: &'static str,
    pub number: u64,
    pub annotations: usize,
}

impl Run {
    pub fn uid(&self) -> String {
        format!("{}-{:08x}-2571-494e-bd44-668a8cc76fbd", self.namespace, self.number)
    }

    pub fn body(&self, status: &str, reason: &str) -> String {
        let annotation = |number: usize| {
            format!(",\"example.com/a{number}\":\"{}\"", "x".repeat(ANNOTATION_BYTES))
        };
        let more: String = (0..self.annotations).map(annotation).collect();
        let (uid, namespace, number) = (self.uid(), self.namespace, self.number);
        format!(
            "{{\"pipelineRun\":{{\"metadata\":{{\"name\":\"run-{number}\",\
             \"namespace\":\"{namespace}\",\"uid\":\"{uid}\",\
             \"creationTimestamp\":\"2026-11-30T00:00:00Z\",\
             \"labels\":{{\"tekton.dev/pipeline\":\"build\",\"app\":\"shop\"}},\
             \"annotations\":{{\
             \"tekton.dev/tekton-events-relay.scm.provider\":\"github\",\
             \"tekton.dev/tekton-events-relay.scm.repo-owner\":\"acme\",\
             \"tekton.dev/tekton-events-relay.scm.repo-name\":\"shop\",\
             \"tekton.dev/tekton-events-relay.scm.commit-sha\":\"{number:040x}\"{more}}}}},\
             \"spec\":{{\"pipelineRef\":{{\"name\":\"build\"}}}},\
             \"status\":{{\"conditions\":[{{\"type\":\"Succeeded\",\"status\":\"{status}\",\
             \"reason\":\"{reason}\",\"message\":\"Tasks Completed: 1, Incomplete: 2\"}}]}}}}}}"
        )
    }
}

/// A relay with a data directory that outlives it.
struct Relay {
    process: Process,
    address: SocketAddr,
}

impl Relay {
    fn start(folder: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tekton-events-relay"));
        command.arg("serve").arg("--config").arg(folder.join("relay.yaml"));
        command.arg("--data-dir").arg(folder.join("data"));
        command.arg("--server-addr").arg(address.to_string());
        let relay = Self { process: Process::start(&mut command)?, address };
        Ok(relay)
    }

    fn ready(&self) -> anyhow::Result<()> {
        let is_ready = |(status, _)| status == 200;
        wait_until(|| Client::new(self.address).get("/readyz").is_ok_and(is_ready))
    }

    /// The sum of a metric's series with this prefix.
    fn metric(&self, start: &str) -> anyhow::Result<u64> {
        let (_, text) = Client::new(self.address).get("/metrics")?;
        let lines = text.lines().filter(|line| line.starts_with(start));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        Ok(values.sum())
    }

    /// Whether nothing is left to plan or deliver.
    fn is_settled(&self) -> bool {
        let left = ["effects_unsettled", "events_unplanned"]
            .map(|name| self.metric(&format!("tekton_events_relay_{name} ")).unwrap_or(u64::MAX));
        left == [0, 0]
    }
}

/// The result of a flood.
struct Outcome {
    sent: u64,
    refused: u64,
    took: Duration,
}

/// Floods a new relay, and adds the measurements.
pub fn measure(flood: &Flood, table: &mut Table) -> anyhow::Result<()> {
    let folder = folder()?;
    let config = format!(
        "logging: {{level: warn}}\nnotifiers:\n  log: [{{name: all, when: '{}'}}]\n",
        flood.when
    );
    std::fs::write(folder.path().join("relay.yaml"), config)?;
    let address = free_address()?;
    let relay = Relay::start(folder.path(), address)?;
    relay.ready()?;
    let watch = MemoryWatch::start(relay.process.id());
    let stop = Arc::new(AtomicBool::new(false));
    let fresh = trickle(address, Arc::clone(&stop));
    pause(REST);
    let outcome = send(flood, address)?;
    let ended = Instant::now();
    while !relay.is_settled() && ended.elapsed() < NORMAL_WITHIN {
        pause(Duration::from_millis(100));
    }
    let normal = ended.elapsed();
    pause(REST);
    stop.store(true, Ordering::Relaxed);
    let fresh = fresh.join().map_err(|_| anyhow!("the trickle panicked"))??;
    let most = watch.end();
    let (bytes, rest) =
        (relay.metric("tekton_events_relay_state_bytes{")?, relay.process.resident_bytes()?);
    drop(relay);
    let relay = Relay::start(folder.path(), address)?;
    let watch = MemoryWatch::start(relay.process.id());
    relay.ready()?;
    pause(REST);
    let restarted = relay.process.resident_bytes().context("it ended after its restart")?;
    let bytes_restarted = relay.metric("tekton_events_relay_state_bytes{")?;
    let most_restarted = watch.end();
    report(flood, table, &outcome, fresh);
    let mut row = |what: &str, value: String, goal| {
        table.add(format!("{}: {what}", flood.name), value, goal);
    };
    row("most memory", megabytes(most), "< 512 MiB");
    row("memory at rest", megabytes(rest), "");
    row("weight of the state", megabytes(bytes), "<= 256 MiB");
    row("most memory of a restart", megabytes(most_restarted), "< 512 MiB");
    row("memory at rest after it", megabytes(restarted), "");
    row("weight of the state after it", megabytes(bytes_restarted), "<= 256 MiB");
    row("from the end until all is delivered", format!("{:.1} s", normal.as_secs_f64()), "< 60 s");
    Ok(())
}

fn report(flood: &Flood, table: &mut Table, outcome: &Outcome, mut fresh: Fresh) {
    let Outcome { sent, refused, took } = outcome;
    let value = format!("{sent} in {:.1} s, {refused} refused", took.as_secs_f64());
    table.add(format!("{}: events of the flood", flood.name), value, "");
    let p99 = fresh.p99();
    let worst = fresh.latencies.last().copied().unwrap_or_default();
    let value = format!(
        "{}, {} refused, p99 {:.1} ms, worst {:.1} ms",
        fresh.latencies.len(),
        fresh.refused,
        p99.as_secs_f64() * 1e3,
        worst.as_secs_f64() * 1e3
    );
    table.add(format!("{}: events of another namespace", flood.name), value, "p99 < 100 ms");
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Sends the flood from several connections.
fn send(flood: &Flood, address: SocketAddr) -> anyhow::Result<Outcome> {
    let (next, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let sent = AtomicU64::new(0);
    let started = Instant::now();
    let one = || -> anyhow::Result<()> {
        let mut client = Client::new(address);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= flood.runs {
                return Ok(());
            }
            let run = Run { namespace: "flood", number, annotations: flood.annotations };
            let mut events = vec![(RUNNING, run.body("Unknown", "Running"))];
            if flood.ends && number % 2 == 0 {
                events.push((SUCCESSFUL, run.body("True", "Succeeded")));
            }
            for (event_type, body) in events {
                let id = format!("{}-{}", run.uid(), event_type.len());
                let status = client.post(&id, event_type, &body)?;
                sent.fetch_add(1, Ordering::Relaxed);
                refused.fetch_add(u64::from(status != 202), Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(one)).collect();
        for sender in senders {
            sender.join().map_err(|_| anyhow!("a sender panicked"))??;
        }
        anyhow::Ok(())
    })?;
    let (sent, refused) = (sent.into_inner(), refused.into_inner());
    Ok(Outcome { sent, refused, took: started.elapsed() })
}
