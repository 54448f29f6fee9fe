//! Events and variables for the tests of this module.

use super::EventVars;
use crate::clock::Timestamp;
use crate::event::{NamedValue, Naming, Rank, RunContext, RunEvent, RunKind, RunState};

/// 2026-11-20T18:00:00Z, the start of the sample run.
pub(crate) const STARTED: Timestamp = Timestamp(1_795_197_600_000);

/// A successful PipelineRun `ci-7` of pipeline `ci` in `production`, five minutes long, for pull
/// request 7 of a GitHub repository.
pub(crate) fn pipeline_run() -> RunEvent {
    let scm = crate::event::Scm {
        provider: "github".into(),
        commit_sha: "0123456789abcdef".into(),
        context: "ci/asked".into(),
        ref_name: "main".into(),
        repository: crate::event::Repository {
            owner: "acme".into(),
            name: "shop".into(),
            ..Default::default()
        },
        pr_number: Some(7),
        ..Default::default()
    };
    RunEvent {
        kind: RunKind::PipelineRun,
        state: RunState::Success,
        rank: Rank::Terminal,
        ce_type: "dev.tekton.event.pipelinerun.successful.v1".into(),
        namespace: "production".into(),
        name: "ci-7".into(),
        uid: "uid-7".into(),
        pipeline_name: "ci".into(),
        reason: "Completed".into(),
        started_at: STARTED,
        finished_at: Timestamp(STARTED.0 + 5 * 60_000),
        scm,
        labels: [("team".to_owned(), "shop".to_owned())].into(),
        params: vec![named("revision", "main")],
        results: vec![named("IMAGE", "registry/shop:1"), named("EMPTY", "")],
        ..empty()
    }
}

/// A running TaskRun of task `build` in the same pipeline.
pub(crate) fn task_run() -> RunEvent {
    RunEvent {
        kind: RunKind::TaskRun,
        state: RunState::Running,
        rank: Rank::Running,
        ce_type: "dev.tekton.event.taskrun.running.v1".into(),
        name: "ci-7-build".into(),
        uid: "uid-8".into(),
        task_name: "build".into(),
        finished_at: Timestamp::UNKNOWN,
        results: Vec::new(),
        ..pipeline_run()
    }
}

pub(crate) fn named(name: &str, value: &str) -> NamedValue {
    NamedValue { name: name.into(), value: value.into() }
}

/// The variables of an event whose pipeline has no finished run yet.
pub(crate) fn vars(event: &RunEvent) -> EventVars {
    EventVars::new(event, &RunContext::default())
}

fn empty() -> RunEvent {
    RunEvent {
        ce_id: String::new(),
        ce_source: String::new(),
        ce_type: String::new(),
        ce_time: Timestamp::UNKNOWN,
        kind: RunKind::PipelineRun,
        namespace: String::new(),
        name: String::new(),
        uid: String::new(),
        resource_version: 0,
        created_at: Timestamp::UNKNOWN,
        rank: Rank::Queued,
        state: RunState::Pending,
        reason: String::new(),
        message: String::new(),
        attempt: 0,
        last_transition: Timestamp::UNKNOWN,
        started_at: Timestamp::UNKNOWN,
        finished_at: Timestamp::UNKNOWN,
        parent: Default::default(),
        naming: Naming::default(),
        task_name: String::new(),
        pipeline_name: String::new(),
        pipeline_task: String::new(),
        event_listener_name: String::new(),
        trigger_name: String::new(),
        task_display_name: String::new(),
        pipeline_display_name: String::new(),
        is_finally: false,
        scm_event_type: String::new(),
        children: Vec::new(),
        skipped_tasks: Vec::new(),
        scm: Default::default(),
        jira_issue_key: String::new(),
        group_id: String::new(),
        labels: Default::default(),
        annotations: Default::default(),
        params: Vec::new(),
        results: Vec::new(),
        cut: Vec::new(),
    }
}
