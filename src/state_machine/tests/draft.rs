//! Events as Tekton would send them, written in the words of a test.

use super::START;
use crate::clock::Timestamp;
use crate::event::{ChildRef, Naming, Parent, Rank, RunEvent, RunKind, RunState, Scm};
use std::collections::BTreeMap;

/// An event under construction. Equal drafts are one delivery; [`Draft::again`] is another
/// emission of the same transition.
#[derive(Clone)]
pub(super) struct Draft(RunEvent);

/// A PipelineRun whose name is its uid, created at the start.
pub(super) fn pipeline_run(uid: &str) -> Draft {
    Draft::new(RunKind::PipelineRun, uid)
}

/// A TaskRun `uid` of the PipelineRun `root`, for the pipeline task `task`.
pub(super) fn task_run(root: &str, uid: &str, task: &str) -> Draft {
    let mut draft = Draft::new(RunKind::TaskRun, uid);
    draft.0.parent = Parent { uid: root.to_owned(), name: root.to_owned() };
    draft.0.pipeline_task = task.to_owned();
    draft
}

impl Draft {
    fn new(kind: RunKind, uid: &str) -> Self {
        let none = String::new;
        Self(RunEvent {
            ce_id: none(),
            ce_source: "/apis".to_owned(),
            ce_type: none(),
            ce_time: START,
            kind,
            namespace: "ci".to_owned(),
            name: uid.to_owned(),
            uid: uid.to_owned(),
            resource_version: 0,
            created_at: START,
            rank: Rank::Queued,
            state: RunState::Pending,
            reason: none(),
            message: none(),
            attempt: 0,
            last_transition: START,
            started_at: Timestamp::UNKNOWN,
            finished_at: Timestamp::UNKNOWN,
            parent: Parent::default(),
            naming: Naming::default(),
            task_name: none(),
            pipeline_name: "build".to_owned(),
            pipeline_task: none(),
            event_listener_name: none(),
            trigger_name: none(),
            task_display_name: none(),
            pipeline_display_name: none(),
            is_finally: false,
            scm_event_type: none(),
            children: Vec::new(),
            skipped_tasks: Vec::new(),
            scm: Scm { commit_sha: format!("sha-{uid}"), ..Scm::default() },
            jira_issue_key: none(),
            group_id: none(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            params: Vec::new(),
            results: Vec::new(),
            cut: Vec::new(),
        })
    }

    fn to(mut self, rank: Rank, state: RunState, class: &str) -> Self {
        (self.0.rank, self.0.state) = (rank, state);
        self.0.ce_type = format!("dev.tekton.event.{}.{class}.v1", self.0.kind);
        self
    }

    pub(super) fn queued(self) -> Self {
        self.to(Rank::Queued, RunState::Pending, "queued")
    }

    pub(super) fn started(self) -> Self {
        self.to(Rank::Started, RunState::Running, "started")
    }

    pub(super) fn running(mut self, message: &str) -> Self {
        self.0.message = message.to_owned();
        self.to(Rank::Running, RunState::Running, "running")
    }

    pub(super) fn success(self) -> Self {
        self.to(Rank::Terminal, RunState::Success, "successful")
    }

    pub(super) fn failure(self) -> Self {
        self.to(Rank::Terminal, RunState::Failure, "failed")
    }

    /// The same emission under another CloudEvents id.
    pub(super) fn again(mut self, id: &str) -> Self {
        self.0.ce_id = id.to_owned();
        self
    }

    /// The transition happened this many milliseconds after the start.
    pub(super) fn changed(mut self, after_ms: u64) -> Self {
        self.0.last_transition = Timestamp(START.0 + after_ms);
        self.0.ce_time = self.0.last_transition;
        self
    }

    /// The run was created this many milliseconds after the start.
    pub(super) fn created(mut self, after_ms: u64) -> Self {
        self.0.created_at = Timestamp(START.0 + after_ms);
        self
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut RunEvent)) -> Self {
        change(&mut self.0);
        self
    }

    pub(super) fn attempt(self, attempt: u32) -> Self {
        self.with(|event| event.attempt = attempt)
    }

    pub(super) fn version(self, resource_version: u64) -> Self {
        self.with(|event| event.resource_version = resource_version)
    }

    pub(super) fn label(self, value: &str) -> Self {
        self.with(|event| {
            event.labels.insert("team".to_owned(), value.to_owned());
        })
    }

    /// The commit and the name that make two runs share their status.
    pub(super) fn on(self, commit: &str, name: &str) -> Self {
        self.with(|event| {
            event.scm.commit_sha = commit.to_owned();
            event.name = name.to_owned();
        })
    }

    pub(super) fn children(self, names: &[&str]) -> Self {
        let child = |name: &&str| ChildRef {
            name: (*name).to_owned(),
            pipeline_task: String::new(),
            ..ChildRef::default()
        };
        self.with(|event| event.children = names.iter().map(child).collect())
    }

    pub(super) fn group(self, id: &str) -> Self {
        self.with(|event| event.group_id = id.to_owned())
    }
}

impl From<Draft> for RunEvent {
    fn from(draft: Draft) -> Self {
        let mut event = draft.0;
        if event.ce_id.is_empty() {
            event.ce_id = format!("{}/{}/{}", event.uid, event.attempt, event.message);
        }
        event
    }
}
