//! [`RunEvent`]: the facts of one CloudEvent about one run. The log replicates it, so it holds
//! names and states, never bodies, secrets or bookkeeping fields of Kubernetes.

use super::naming::Naming;
use super::{Key, Rank, RunState};
use crate::clock::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// Tekton's reason for a failure that the pipeline ignores.
const REASON_IGNORED: &str = "FailureIgnored";

/// Whether this state and reason are a failure that does not fail the pipeline.
#[must_use]
pub fn is_ignored(state: RunState, reason: &str) -> bool {
    state == RunState::Failure && reason == REASON_IGNORED
}

/// What kind of object an event reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunKind {
    TaskRun,
    PipelineRun,
    CustomRun,
    EventListener,
}

impl RunKind {
    /// All kinds, in declaration order.
    pub const ALL: [Self; 4] =
        [Self::TaskRun, Self::PipelineRun, Self::CustomRun, Self::EventListener];

    /// The lower-case word that rules and templates see as `Resource`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskRun => "taskrun",
            Self::PipelineRun => "pipelinerun",
            Self::CustomRun => "customrun",
            Self::EventListener => "eventlistener",
        }
    }

    /// The kind that `text` names, if there is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for RunKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The PipelineRun that a run belongs to, or the CustomRun whose loop the run is a round of. Either
/// field may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parent {
    pub uid: String,
    pub name: String,
}

/// One entry of a PipelineRun's `status.childReferences`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChildRef {
    pub name: String,
    pub pipeline_task: String,
    /// What people read instead of the name; empty when the pipeline gives none.
    pub display_name: String,
}

/// One entry of a PipelineRun's `status.skippedTasks`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkippedTask {
    /// The pipeline task.
    pub name: String,
    /// Why, in Tekton's words.
    pub reason: String,
}

/// A parameter or result: its name and its value as text (arrays and objects as JSON text).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedValue {
    pub name: String,
    pub value: String,
}

/// A repository as the annotations name it; every part may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    pub owner: String,
    pub name: String,
    pub id: String,
    pub workspace: String,
    pub project: String,
    pub org: String,
}

/// The source-code context of a run, from the `scm.*` annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scm {
    /// `github`, `gitlab`, ...; empty when the run names none.
    pub provider: String,
    pub api_base_url: String,
    pub commit_sha: String,
    /// The check name that the run asks for; empty when the relay chooses it.
    pub context: String,
    /// The branch or tag, from `scm.ref`.
    pub ref_name: String,
    pub repository: Repository,
    pub issue_number: Option<u64>,
    pub pr_number: Option<u64>,
    pub discussion_number: Option<u64>,
}

/// The facts of one CloudEvent about one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEvent {
    /// CloudEvents `id`, `source` and `type`, as received.
    pub ce_id: String,
    pub ce_source: String,
    pub ce_type: String,
    /// CloudEvents `time`; the time of reception when absent.
    pub ce_time: Timestamp,
    pub kind: RunKind,
    pub namespace: String,
    pub name: String,
    /// `metadata.uid`; for a sender without uids a stable stand-in, see `event::tekton`.
    pub uid: String,
    /// `metadata.resourceVersion` when it is a number, else 0.
    pub resource_version: u64,
    pub created_at: Timestamp,
    pub rank: Rank,
    pub state: RunState,
    /// Tekton's own reason of the `Succeeded` condition; empty when there is none.
    pub reason: String,
    /// The condition's message, up to a bound.
    pub message: String,
    /// The attempt of a TaskRun or CustomRun, from 0: the length of `status.retriesStatus`, at most
    /// `spec.retries`.
    pub attempt: u32,
    /// `lastTransitionTime` of the condition.
    pub last_transition: Timestamp,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub parent: Parent,
    pub naming: Naming,
    pub task_name: String,
    pub pipeline_name: String,
    pub pipeline_task: String,
    pub event_listener_name: String,
    pub trigger_name: String,
    pub task_display_name: String,
    pub pipeline_display_name: String,
    pub is_finally: bool,
    /// Normalised webhook event of an EventListener: `push`, `pull_request`, ...
    pub scm_event_type: String,
    pub children: Vec<ChildRef>,
    pub skipped_tasks: Vec<SkippedTask>,
    pub scm: Scm,
    pub jira_issue_key: String,
    pub group_id: String,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub params: Vec<NamedValue>,
    pub results: Vec<NamedValue>,
    /// Names of fields that were cut or dropped to stay within their bound.
    pub cut: Vec<String>,
}

impl RunEvent {
    /// Identifies one emission: the sender's own retries carry the same three attributes. The type
    /// is part of the key because an EventListener uses one id for all its events.
    #[must_use]
    pub fn delivery_key(&self) -> Key {
        Key::of(&["delivery", &self.ce_source, &self.ce_id, &self.ce_type])
    }

    /// Identifies one transition of one run, however often and under whatever ids it is sent.
    ///
    /// A terminal transition has only its attempt as a name: copies of it may differ in time,
    /// resource version and message (`docs/EVENTS.md`, "Key table").
    #[must_use]
    pub fn transition_key(&self) -> Key {
        let attempt = self.attempt.to_string();
        let class = match self.rank {
            Rank::Queued => "queued",
            Rank::Started => "started",
            Rank::Running => "running",
            Rank::Terminal => "terminal",
        };
        let run = ["transition", self.kind.as_str(), &self.uid, class, &attempt];
        match self.rank {
            Rank::Queued | Rank::Started | Rank::Terminal => Key::of(&run),
            Rank::Running => {
                let [prefix, kind, uid, class, attempt] = run;
                Key::of(&[
                    prefix,
                    kind,
                    uid,
                    class,
                    attempt,
                    &self.ce_class(),
                    &self.reason,
                    &self.message,
                ])
            }
        }
    }

    /// `running` and `unknown` are different transitions of the same rank.
    fn ce_class(&self) -> String {
        let mut parts = self.ce_type.rsplit('.');
        let _version = parts.next();
        parts.next().unwrap_or_default().to_owned()
    }

    /// The place of this event in the life of its run. An event with a lower place is late.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            attempt: self.attempt,
            rank: self.rank,
            last_transition: self.last_transition,
            ce_time: self.ce_time,
        }
    }

    /// The run whose slot this event belongs to: a TaskRun and its PipelineRun have one owner. A
    /// PipelineRun is its own root even when another PipelineRun owns it.
    #[must_use]
    pub fn root_uid(&self) -> &str {
        match self.kind {
            RunKind::TaskRun | RunKind::CustomRun if !self.parent.uid.is_empty() => {
                &self.parent.uid
            }
            RunKind::TaskRun
            | RunKind::CustomRun
            | RunKind::PipelineRun
            | RunKind::EventListener => &self.uid,
        }
    }

    /// A digest of the facts that a known transition may still gain: labels, annotations, results.
    #[must_use]
    pub fn facts_digest(&self) -> u64 {
        let mut hash = xxhash_rust::xxh3::Xxh3Default::new();
        let maps = [&self.labels, &self.annotations].into_iter().flatten();
        let values = self.params.iter().chain(&self.results).map(|v| (&v.name, &v.value));
        for (name, value) in maps.chain(values) {
            hash.update(name.as_bytes());
            hash.update(&[0]);
            hash.update(value.as_bytes());
            hash.update(&[0]);
        }
        hash.digest()
    }

    /// Whether the run failed and its pipeline goes on (`onError: continue`). False for custom
    /// tasks, whose controllers choose their own reasons, and for roots, which have no pipeline
    /// above them.
    #[must_use]
    pub fn is_ignored(&self) -> bool {
        let is_of_pipeline = self.parent != Parent::default() && !self.is_round();
        let is_tektons = matches!(self.kind, RunKind::TaskRun | RunKind::PipelineRun);
        is_tektons && is_of_pipeline && is_ignored(self.state, &self.reason)
    }

    /// Whether the run is a round of a loop that only the loop's CustomRun places.
    #[must_use]
    pub fn is_round(&self) -> bool {
        !self.naming.owner.is_empty() && self.naming.owner == self.parent.name
    }

    /// Removes what members of the first feature level do not know.
    pub fn keep_first_level(&mut self) {
        if self.is_round() {
            self.parent = Parent::default();
        }
        self.naming = Naming::default();
        self.skipped_tasks.clear();
        for child in &mut self.children {
            child.display_name.clear();
        }
        if self.kind == RunKind::PipelineRun {
            self.parent = Parent::default();
        }
    }

    /// The age order of runs that share a target: the newest run wins.
    #[must_use]
    pub fn age(&self) -> RunAge {
        RunAge { created_at: self.created_at, uid: self.uid.clone() }
    }
}

/// Order of events within a run: (attempt, rank, lastTransitionTime, ce-time).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub attempt: u32,
    pub rank: Rank,
    pub last_transition: Timestamp,
    pub ce_time: Timestamp,
}

/// Order between runs that share a target: (creationTimestamp, uid).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunAge {
    pub created_at: Timestamp,
    pub uid: String,
}
