//! Tests of the declarative filters.

use super::super::fixture::{pipeline_run, task_run};
use super::*;

fn list(allow: &[&str], deny: &[&str]) -> AllowDeny {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    AllowDeny { allow: owned(allow), deny: owned(deny) }
}

#[test]
fn deny_wins_and_an_empty_allow_list_allows_all() {
    let rows = [
        (list(&[], &[]), "build", true),
        (list(&["build"], &[]), "build", true),
        (list(&["build"], &[]), "BUILD", true),
        (list(&["build"], &[]), "build-2", false),
        (list(&["build"], &["Build"]), "build", false),
        (list(&[], &["build"]), "test", true),
        (list(&["build"], &["build"]), "", true),
    ];
    for (filter, name, expected) in rows {
        assert_eq!(filter.admits(name), expected, "{filter:?} {name:?}");
    }
}

#[test]
fn each_name_is_matched_with_its_own_list() {
    let tasks = NameFilter { tasks: list(&[], &["build"]), ..Default::default() };
    assert!(!tasks.admits(&task_run()));
    assert!(tasks.admits(&pipeline_run()));

    let pipelines = NameFilter { pipelines: list(&["release"], &[]), ..Default::default() };
    assert!(!pipelines.admits(&task_run()));
    assert!(!pipelines.admits(&pipeline_run()));

    let listener = RunEvent {
        kind: RunKind::EventListener,
        pipeline_name: String::new(),
        event_listener_name: "github".into(),
        ..pipeline_run()
    };
    let listeners = NameFilter { event_listeners: list(&["gitlab"], &[]), ..Default::default() };
    assert!(!listeners.admits(&listener));
    assert!(listeners.admits(&pipeline_run()));
    assert!(pipelines.admits(&listener));
}

#[test]
fn a_custom_run_is_filtered_by_its_own_name_not_by_its_task() {
    let custom = RunEvent { kind: RunKind::CustomRun, name: "approve".into(), ..task_run() };
    let by_name = NameFilter { custom_runs: list(&[], &["approve"]), ..Default::default() };
    let by_task = NameFilter { tasks: list(&[], &["build"]), ..Default::default() };
    assert!(!by_name.admits(&custom));
    assert!(by_name.admits(&RunEvent { name: "approve".into(), ..task_run() }));
    assert!(by_task.admits(&custom));
}

#[test]
fn every_kind_has_its_own_switch_and_no_other() {
    let off = EventFilter {
        allow_taskrun: false,
        allow_pipelinerun: false,
        allow_customrun: false,
        allow_eventlistener: false,
        ..Default::default()
    };
    for kind in RunKind::ALL {
        let only = EventFilter {
            allow_taskrun: kind == RunKind::TaskRun,
            allow_pipelinerun: kind == RunKind::PipelineRun,
            allow_customrun: kind == RunKind::CustomRun,
            allow_eventlistener: kind == RunKind::EventListener,
            ..Default::default()
        };
        for other in RunKind::ALL {
            let event = RunEvent { kind: other, ..pipeline_run() };
            assert!(EventFilter::default().admits(&event), "{other}");
            assert!(!off.admits(&event), "{other}");
            assert_eq!(only.admits(&event), other == kind, "{other} where only {kind} is on");
        }
    }
}

#[test]
fn unknown_events_are_dropped_only_when_asked() {
    let event = RunEvent { ce_type: "dev.tekton.event.taskrun.unknown.v1".into(), ..task_run() };
    let ignoring = EventFilter { ignore_unknown: true, ..Default::default() };
    assert!(EventFilter::default().admits(&event));
    assert!(!ignoring.admits(&event));
    assert!(ignoring.admits(&task_run()));
}

#[test]
fn a_denied_namespace_stays_out_even_when_allowed() {
    let patterns = |texts: &[&str]| -> Vec<NamespacePattern> {
        texts.iter().map(|text| NamespacePattern::parse(text).unwrap()).collect()
    };
    let rows: [(&[&str], &[&str], &str, bool); 8] = [
        (&[], &[], "production", true),
        (&["prod*"], &[], "production", true),
        (&["dev"], &[], "production", false),
        (&["*"], &["prod*"], "production", false),
        (&[], &["prod*", "!production"], "production", true),
        (&["*", "!production"], &[], "production", false),
        (&["!dev"], &[], "production", false),
        (&[], &["kube-*"], "", true),
    ];
    for (allow, deny, namespace, expected) in rows {
        let filter = EventFilter {
            allow_namespaces: patterns(allow),
            deny_namespaces: patterns(deny),
            ..Default::default()
        };
        let event = RunEvent { namespace: namespace.into(), ..pipeline_run() };
        assert_eq!(filter.admits(&event), expected, "{allow:?} {deny:?} {namespace:?}");
    }
}
