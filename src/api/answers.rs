//! What the API answers, as the relay writes it and its command line reads it. Members are in the order
//! of their names, which is their order in the answer. The API of an earlier version lacks some, so that
//! each has a default when it is read.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What became of an event, by the request that brought it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FateAnswer {
    pub fate: &'static str,
    /// A hint: who works on the run now.
    pub owner: Option<String>,
    pub run_uid: Option<String>,
    pub slot: Option<u16>,
}

/// Why a request was refused, as RFC 9457 has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ProblemAnswer {
    pub detail: String,
    pub status: u16,
    pub title: String,
    #[serde(rename = "type")]
    pub kind: String,
}

/// Whether events are accepted now, by `GET /readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ReadyAnswer {
    pub applied_index: u64,
    /// Effects that are owed.
    pub backlog: usize,
    pub leader: Option<String>,
    pub memory: MemoryAnswer,
    /// The part that is missing.
    pub reason: Option<&'static str>,
    /// Events on the disk of this replica alone.
    pub spooled: u64,
    /// `ok`, `degraded` or `unavailable`.
    pub status: &'static str,
    pub warnings: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MemoryAnswer {
    pub bytes: u64,
    pub bytes_max: u64,
}

/// The cluster, by `GET /api/v1/cluster`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ClusterAnswer {
    /// The last entry that was applied, by whoever's view this is.
    pub applied_index: u64,
    pub cluster_id: Option<String>,
    pub fault_tolerance: usize,
    pub feature_level: u32,
    pub gossip: GossipAnswer,
    pub has_quorum: bool,
    pub leader: Option<String>,
    pub members: Vec<MemberAnswer>,
    /// Where the log of the replica that answers ends.
    pub own_log_end: Option<LogEndAnswer>,
    pub quorum: usize,
    /// The node that answers.
    #[serde(rename = "self")]
    pub own: String,
    pub slots: SlotCounts,
    pub term: u64,
    /// `leader` or `local`.
    pub view: String,
    pub warnings: Vec<String>,
}

/// Members as gossip has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct GossipAnswer {
    pub differs_from_raft: Vec<String>,
    pub live: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LogEndAnswer {
    pub index: u64,
    pub term: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SlotCounts {
    pub total: u16,
    pub unowned: u32,
}

/// A member. What nobody can tell is null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct MemberAnswer {
    pub addresses: MemberAddresses,
    pub feature_level: Option<u32>,
    pub is_draining: Option<bool>,
    pub is_leader: bool,
    /// Entries that the member lacks.
    pub lag: Option<u64>,
    pub last_contact_ms: Option<u64>,
    pub matched_index: Option<u64>,
    /// Name of its pod; empty without one.
    pub name: String,
    pub node_id: String,
    /// `voter` or `learner`.
    pub role: String,
    pub slots: u32,
    pub state: Option<String>,
    pub unhealthy: Option<bool>,
    pub version: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct MemberAddresses {
    pub gossip: Option<String>,
    pub http: Option<String>,
    pub peer: String,
}

/// Owners of slots, by `GET /api/v1/cluster/slots`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct SlotsAnswer {
    pub applied_index: u64,
    /// By number.
    pub slots: Vec<SlotAnswer>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct SlotAnswer {
    pub epoch: u64,
    pub owner: Option<String>,
}

/// The state as a number, by `GET /api/v1/cluster/digest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct DigestAnswer {
    pub applied_index: u64,
    /// 32 hexadecimal digits.
    pub digest: String,
}

/// Who was removed, by `DELETE /api/v1/cluster/members/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RemovedAnswer {
    pub name: String,
    pub removed: String,
}

/// Who leads now, by `POST /api/v1/cluster/transfer`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LeaderAnswer {
    pub leader: String,
    pub name: String,
}

/// The level in force, by `POST /api/v1/cluster/finalize`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LevelAnswer {
    pub feature_level: u32,
}

/// A run, by `GET /api/v1/runs/{uid}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RunAnswer {
    pub attempt: u32,
    pub check_name: String,
    pub check_not_settled: Option<&'static str>,
    /// Those that are owed, then those that are settled.
    pub effects: Vec<EffectAnswer>,
    /// Events whose effects are not decided yet.
    pub events_unplanned: usize,
    pub kind: &'static str,
    pub last_seen: String,
    pub name: String,
    pub namespace: String,
    pub parent: Option<ParentAnswer>,
    pub previous_state: Option<&'static str>,
    pub reason: String,
    pub slot: u16,
    pub state: &'static str,
    pub timeline: Vec<TimelineAnswer>,
    pub uid: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ParentAnswer {
    pub name: String,
    pub uid: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TimelineAnswer {
    pub at: String,
    pub attempt: u32,
    pub ce_time: String,
    pub contradicts: bool,
    pub fate: &'static str,
    pub reason: String,
    pub state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum EffectAnswer {
    Unsettled(UnsettledAnswer),
    Settled(SettledAnswer),
}

/// An effect that is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct UnsettledAnswer {
    pub attempts: u32,
    pub event_state: &'static str,
    pub id: String,
    pub in_doubt: bool,
    pub last_failure: Option<FailureAnswer>,
    pub not_before: Option<String>,
    pub route: String,
    /// `sending` or `waiting`.
    pub status: &'static str,
    pub target: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FailureAnswer {
    pub detail: String,
    pub kind: &'static str,
}

/// An effect that is owed no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SettledAnswer {
    pub at: String,
    pub attempts: u32,
    pub event_state: &'static str,
    pub id: String,
    pub reason: Option<&'static str>,
    pub receipt: Option<ReceiptAnswer>,
    pub route: String,
    /// `delivered`, `skipped`, `dead` or `late`.
    pub status: &'static str,
    pub target: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ReceiptAnswer {
    /// Id of the remote object; empty without one.
    pub remote_id: String,
    /// HTTP status of the last answer; 0 without one.
    pub status: u16,
}

/// A page of dead letters, by `GET /api/v1/dlq`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LettersAnswer {
    /// Letters of this page.
    pub count: usize,
    pub events: Vec<LetterAnswer>,
    pub limit: usize,
    pub offset: usize,
    /// Letters of all pages.
    pub total: usize,
}

/// A dead letter in the Go relay's shape, plus the effect that it stands for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LetterAnswer {
    pub cause: String,
    pub effect: LetterEffect,
    pub envelope: Envelope,
    pub failed_at: String,
    pub id: String,
    pub retry_count: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LetterEffect {
    pub action: String,
    pub attempts: u32,
    pub cause: String,
    pub instance: String,
    pub integration: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Envelope {
    #[serde(rename = "CloudEventID")]
    pub id: String,
    #[serde(rename = "CloudEventType")]
    pub kind: String,
    /// The event as templates see it.
    #[serde(rename = "Report")]
    pub report: Value,
    #[serde(rename = "Source")]
    pub source: String,
}

/// Dead letters in numbers, by `GET /api/v1/dlq/analytics`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AnalyticsAnswer {
    pub age_buckets: AgeBuckets,
    pub by_provider: BTreeMap<String, u64>,
    pub by_state: BTreeMap<&'static str, u64>,
    pub top_causes: Vec<CauseCount>,
    pub total: usize,
}

/// Letters younger than an hour, than a day, and the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AgeBuckets {
    pub gt_24h: u64,
    pub lt_1h: u64,
    pub lt_24h: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CauseCount {
    pub cause: &'static str,
    pub count: u64,
}

/// What was queued again, by `POST /api/v1/dlq/replay`. A dry run alone has `dry_run`, `letters` and
/// `would_replay`; a replay alone has `failed`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ReplayAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// Letters that the filter left out.
    pub filtered: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letters: Option<Vec<LetterAnswer>>,
    pub overridden: usize,
    pub replayed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_replay: Option<usize>,
}

/// What was deleted, by `POST /api/v1/dlq/delete`. A dry run alone has `dry_run`, `letters` and
/// `would_delete`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DeleteAnswer {
    pub deleted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// Letters that were not chosen.
    pub filtered: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letters: Option<Vec<LetterAnswer>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_delete: Option<usize>,
}

#[cfg(test)]
#[path = "answers_test.rs"]
mod tests;
