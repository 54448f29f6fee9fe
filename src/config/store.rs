//! `store` and `dlq`: what the replicated state keeps, how long, and what happens when it cannot be
//! written.

use crate::settings::error::Problem;
use crate::settings::fields::Fields;
use std::time::Duration;

/// Where the state lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreBackend {
    /// In the log of the cluster and on the disk of each member.
    Cluster,
    /// In the memory of one replica: lost when the process ends. For trials.
    Memory,
}

/// What a replica does with events while the cluster has no quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnQuorumLoss {
    /// Keeps them on its own disk, and feeds them to the log when the quorum is back.
    Spool,
    /// Answers 503: the sender keeps them for as long as it retries.
    Reject,
}

/// What the state keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// `backend`. Default `cluster`.
    pub backend: StoreBackend,
    /// `ttl`: how long one delivery of an event is recognised, 1m to 24h. Default 1h; a sender
    /// retries for 20.5 s. Longer costs memory and finds no more duplicates.
    pub ttl: Duration,
    /// `transition_ttl`: how long a run is kept after its last event, 1h to 8760h. Default 168h, so
    /// that a controller restart within a week re-sends nothing.
    pub transition_ttl: Duration,
    /// `memory`: bytes that the state may take in memory, 16 MiB to 64 GiB. Default 256 MiB. At the
    /// bound, finished runs are evicted first; the deployment's memory limit is twice this.
    pub memory: u64,
    /// `runs_max`: runs kept at most, including finished ones, 1,000 to 10,000,000. Default
    /// 500,000: at the default of `memory` the bytes are the tighter bound.
    pub runs_max: u64,
    /// `free_bytes_min`: free disk below which events get 503; accepted events are still delivered.
    /// Default 512 MiB, room for compaction and a snapshot.
    pub free_bytes_min: u64,
    /// `spool_after`: how long to wait for a lost quorum before `on_quorum_loss` applies, 500ms to
    /// 1m. Default 3s: an election takes less, and Tekton retries for 20.5 s. A shorter wait puts
    /// events on one disk that the log would take a moment later. A longer wait makes senders give
    /// up.
    pub spool_after: Duration,
    /// `on_quorum_loss`. Default `spool`.
    pub on_quorum_loss: OnQuorumLoss,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            backend: StoreBackend::Cluster,
            ttl: Duration::from_hours(1),
            transition_ttl: Duration::from_hours(168),
            memory: 256 << 20,
            runs_max: 500_000,
            free_bytes_min: 512 << 20,
            spool_after: Duration::from_secs(3),
            on_quorum_loss: OnQuorumLoss::Spool,
        }
    }
}

/// Which dead letters are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetters {
    /// `retention_days`: age at which a dead letter is dropped, 1 to 365 days. Default 7 days, also
    /// for 0.
    pub retention: Duration,
    /// `max_entries`: how many are kept, 1 to 1,000,000; the oldest is dropped first. Default
    /// 10,000.
    pub entries_max: u64,
}

impl Default for DeadLetters {
    fn default() -> Self {
        Self { retention: Duration::from_hours(7 * 24), entries_max: 10_000 }
    }
}

/// The accepted values of `store.backend`; `None` for those of the Go relay that the cluster
/// replaces.
const BACKENDS: [(&str, Option<StoreBackend>); 4] = [
    ("cluster", Some(StoreBackend::Cluster)),
    ("memory", Some(StoreBackend::Memory)),
    ("valkey", None),
    ("olric", None),
];

/// The accepted values of `store.on_quorum_loss`.
const QUORUM_LOSSES: [(&str, OnQuorumLoss); 2] =
    [("spool", OnQuorumLoss::Spool), ("reject", OnQuorumLoss::Reject)];

/// Delivering without a quorum. Refused: no replica could know whether another one sends the same.
const PROCESS: &str = "process";

/// The shortest wait for a quorum: an election may take a second.
const SPOOL_AFTER_MIN: Duration = Duration::from_millis(500);

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Reads `store`.
pub(super) fn read(mut fields: Fields<'_>) -> Store {
    let default = Store::default();
    let store = Store {
        backend: read_backend(&mut fields).unwrap_or(default.backend),
        ttl: fields.duration("ttl", MINUTE..=24 * HOUR).unwrap_or(default.ttl),
        transition_ttl: fields
            .duration("transition_ttl", HOUR..=8760 * HOUR)
            .unwrap_or(default.transition_ttl),
        memory: fields.amount("memory", 16 << 20..=64 << 30).unwrap_or(default.memory),
        runs_max: fields.amount("runs_max", 1_000..=10_000_000).unwrap_or(default.runs_max),
        free_bytes_min: fields
            .amount("free_bytes_min", 0..=1 << 40)
            .unwrap_or(default.free_bytes_min),
        spool_after: fields
            .duration("spool_after", SPOOL_AFTER_MIN..=MINUTE)
            .unwrap_or(default.spool_after),
        on_quorum_loss: read_on_quorum_loss(&mut fields).unwrap_or(default.on_quorum_loss),
    };
    fields.notice(
        &["valkey", "olric"],
        "has no effect: replicas share their state through their own log",
    );
    fields.finish();
    store
}

fn read_backend(fields: &mut Fields<'_>) -> Option<StoreBackend> {
    let (text, setting) = fields.text_setting("backend")?;
    let backend = setting.word(&BACKENDS)?;
    if backend.is_none() {
        setting.fail(Problem::Replaced {
            what: format!("`{text}`"),
            instead: "write `cluster`: replicas share their state through their own log",
        });
    }
    backend
}

fn read_on_quorum_loss(fields: &mut Fields<'_>) -> Option<OnQuorumLoss> {
    let (text, setting) = fields.text_setting("on_quorum_loss")?;
    if text == PROCESS {
        setting.fail(Problem::Replaced {
            what: format!("`{text}`"),
            instead: "write `spool` or `reject`: without a quorum nothing can be sent just once",
        });
        return None;
    }
    setting.word(&QUORUM_LOSSES)
}

/// Reads `dlq`.
pub(super) fn read_dead_letters(mut fields: Fields<'_>) -> DeadLetters {
    let default = DeadLetters::default();
    let days = fields.count("retention_days", 0..=365).filter(|days| *days > 0);
    let dead_letters = DeadLetters {
        retention: days.map_or(default.retention, |days| 24 * HOUR * days),
        entries_max: fields.amount("max_entries", 1..=1_000_000).unwrap_or(default.entries_max),
    };
    fields.notice(
        &["enabled", "path", "max_size_bytes"],
        "has no effect: dead letters are always kept, in the replicated state",
    );
    fields.finish();
    dead_letters
}
