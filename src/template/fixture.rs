//! Data for the tests of this module.

use super::shape::{EVENT_FIELDS, NAMED_VALUE_FIELDS, REPOSITORY_FIELDS, Shape};
use super::{Data, DataKind, Template};
use crate::clock::Timestamp;
use crate::effect::{Summary, SummaryRow};
use crate::event::{
    ChildRef, NamedValue, Naming, Parent, Rank, Repository, RunContext, RunEvent, RunKind,
    RunState, Scm,
};
use std::collections::BTreeMap;

/// 2026-03-05T16:07:09Z.
pub(super) const STARTED: Timestamp = Timestamp(1_772_726_829_000);
/// 83.5 s later.
pub(super) const FINISHED: Timestamp = Timestamp(1_772_726_912_500);

pub(super) fn event() -> RunEvent {
    RunEvent {
        ce_id: "ce-1".to_owned(),
        ce_source: "/runs/build-x1".to_owned(),
        ce_type: "dev.tekton.event.pipelinerun.failed.v1".to_owned(),
        ce_time: FINISHED,
        kind: RunKind::PipelineRun,
        namespace: "ci".to_owned(),
        name: "build-x1".to_owned(),
        uid: "uid-1".to_owned(),
        resource_version: 7,
        created_at: STARTED,
        rank: Rank::Terminal,
        state: RunState::Failure,
        reason: "Failed".to_owned(),
        message: "Tasks Completed: 2 (Failed: 1)".to_owned(),
        attempt: 1,
        last_transition: FINISHED,
        started_at: STARTED,
        finished_at: FINISHED,
        parent: Parent::default(),
        naming: Naming::default(),
        task_name: String::new(),
        pipeline_name: "build".to_owned(),
        pipeline_task: String::new(),
        event_listener_name: "listener".to_owned(),
        trigger_name: "push".to_owned(),
        task_display_name: String::new(),
        pipeline_display_name: "Build & test".to_owned(),
        is_finally: false,
        scm_event_type: "pull_request".to_owned(),
        children: vec![ChildRef::default(), ChildRef::default()],
        skipped_tasks: Vec::new(),
        scm: scm(),
        jira_issue_key: "OPS-9".to_owned(),
        group_id: "release".to_owned(),
        labels: BTreeMap::from([("app.kubernetes.io/name".to_owned(), "shop".to_owned())]),
        annotations: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
        params: vec![named("image", "shop:1"), named("count", "3")],
        results: vec![named("digest", "sha256:ab"), named("url", "https://x/?a=1&b=2")],
        cut: Vec::new(),
    }
}

fn scm() -> Scm {
    Scm {
        provider: "gitlab".to_owned(),
        api_base_url: "https://git.example/api".to_owned(),
        commit_sha: "0123456789abcdef".to_owned(),
        context: String::new(),
        ref_name: "main".to_owned(),
        repository: Repository {
            owner: "acme".to_owned(),
            name: "shop".to_owned(),
            id: "42".to_owned(),
            workspace: "ws".to_owned(),
            project: "SHOP".to_owned(),
            org: "acme-org".to_owned(),
        },
        issue_number: None,
        pr_number: Some(17),
        discussion_number: None,
    }
}

fn named(name: &str, value: &str) -> NamedValue {
    NamedValue { name: name.to_owned(), value: value.to_owned() }
}

pub(super) fn context() -> RunContext {
    RunContext {
        check_name: "tekton/build".to_owned(),
        previous_state: Some(RunState::Success),
        target_url: "https://dash.example/build-x1".to_owned(),
        ..RunContext::default()
    }
}

pub(super) fn data() -> Data {
    Data::event(&event(), &context())
}

fn row(name: &str, state: Option<RunState>, seconds: u64) -> SummaryRow {
    let finished_at = Timestamp(STARTED.0 + seconds * 1_000);
    SummaryRow {
        name: name.to_owned(),
        run_name: format!("{name}-run"),
        is_finally: false,
        state,
        reason: "Why".to_owned(),
        is_ignored: false,
        is_skipped: false,
        started_at: if seconds == 0 { Timestamp::UNKNOWN } else { STARTED },
        finished_at,
    }
}

pub(super) fn summary() -> Summary {
    Summary {
        title: "build".to_owned(),
        run_name: "build-x1".to_owned(),
        state: RunState::Failure,
        rows: vec![
            row("lint", Some(RunState::Success), 83),
            row("test", Some(RunState::Failure), 3_600),
            row("deploy", None, 0),
        ],
        is_incomplete: true,
    }
}

/// Renders `text` over [`data`]; returns the text of an error of compiling or rendering.
pub(super) fn render(text: &str) -> String {
    match Template::compile(text, DataKind::Event) {
        Ok(template) => template.render(&data()).unwrap_or_else(|error| format!("failed {error}")),
        Err(error) => format!("refused {error}"),
    }
}

/// Checks that every text renders as given.
pub(super) fn assert_renders(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(render(text), *expected, "{text}");
    }
}

/// An event template that prints every field that there is. Of labels, annotations and parameters
/// it reads the one called `key`.
pub(crate) fn every_field(key: &str) -> String {
    EVENT_FIELDS.iter().map(|(name, shape)| printed(&format!(".{name}"), *shape, key)).collect()
}

fn printed(path: &str, shape: Shape, key: &str) -> String {
    let fields = |of: &[(&str, Shape)], path: &str| -> String {
        of.iter().map(|(name, shape)| printed(&format!("{path}.{name}"), *shape, key)).collect()
    };
    match shape {
        Shape::Repository => fields(REPOSITORY_FIELDS, path),
        Shape::NamedValues => {
            format!("{{{{range {path}}}}}{}{{{{end}}}}\n", fields(NAMED_VALUE_FIELDS, ""))
        }
        Shape::Labels | Shape::Annotations | Shape::Params => {
            format!("{name}: {{{{index {path} \"{key}\"}}}}\n", name = path.trim_start_matches('.'))
        }
        Shape::Text | Shape::Bool | Shape::Integer | Shape::Time => {
            format!("{name}: {{{{{path}}}}}\n", name = path.trim_start_matches('.'))
        }
        Shape::Any
        | Shape::Number
        | Shape::Duration
        | Shape::Event
        | Shape::NamedValue
        | Shape::Summary
        | Shape::Task
        | Shape::Tasks
        | Shape::Check => panic!("an event has no field of this shape: {shape:?}"),
    }
}
