//! Tests of the declarative filters.

use super::super::fixture::{pipeline_run, task_run};
use super::*;
use crate::event::{Rank, Reference, RunState};

fn patterns(names: &[&str]) -> Vec<NamePattern> {
    let parsed = names.iter().map(|name| NamePattern::parse(name).unwrap().in_lower_case());
    parsed.collect()
}

fn list(allow: &[&str], deny: &[&str]) -> AllowDeny {
    AllowDeny { allow: patterns(allow), deny: patterns(deny) }
}

#[test]
fn deny_wins_and_an_empty_allow_list_allows_all() {
    let rows = [
        (list(&[], &[]), "build", true),
        (list(&["build"], &[]), "build", true),
        (list(&["build"], &[]), "BUILD", true),
        (list(&["build"], &[]), "build-2", false),
        (list(&["build-*"], &[]), "Build-2", true),
        (list(&["build-*", "!build-x"], &[]), "build-x", false),
        (list(&["build"], &["Build"]), "build", false),
        (list(&[], &["build"]), "test", true),
        (list(&[], &["b?ild"]), "build", false),
        (list(&["build"], &[]), "", false),
        (list(&[], &["build"]), "", true),
    ];
    for (filter, name, expected) in rows {
        let names = Names::new(&[name], true);
        assert_eq!(filter.admits(Some(&names)), expected, "{filter:?} {name:?}");
        assert!(filter.admits(None), "{filter:?} is about nothing that the event has");
    }
}

#[test]
fn f14_a_list_that_needs_a_name_that_is_not_known_yet_decides_later() {
    let unnamed = |rank| RunEvent {
        rank,
        task_name: String::new(),
        pipeline_task: String::new(),
        pipeline_name: String::new(),
        parent: Parent { uid: "11111111".to_owned(), name: "ci-4".to_owned() },
        ..task_run()
    };
    let lists = [list(&["build"], &[]), list(&[], &["lint"])];
    for (tasks, at_last) in lists.into_iter().zip([false, true]) {
        let filters = [
            NameFilter { tasks: tasks.clone(), ..Default::default() },
            NameFilter { pipelines: tasks, ..Default::default() },
        ];
        for filter in filters {
            for rank in [Rank::Queued, Rank::Started] {
                assert!(!filter.admits(&unnamed(rank)), "{filter:?} {rank:?}");
            }
            assert_eq!(filter.admits(&unnamed(Rank::Terminal)), at_last, "{filter:?}");
        }
    }
    assert!(NameFilter::default().admits(&unnamed(Rank::Queued)));
}

#[test]
fn a_queued_child_is_decided_when_its_label_is_its_own() {
    let queued = RunEvent {
        rank: Rank::Queued,
        state: RunState::Pending,
        parent: Parent { uid: "11111111".to_owned(), name: "release-4".to_owned() },
        pipeline_name: "release".to_owned(),
        ..pipeline_run()
    };
    let pipelines = |pipelines| NameFilter { pipelines, ..Default::default() };
    for list in [list(&["release"], &[]), list(&[], &["inner"])] {
        assert!(!pipelines(list).admits(&queued));
    }
    let runs = RunEvent {
        rank: Rank::Running,
        state: RunState::Running,
        pipeline_name: "inner".to_owned(),
        ..queued
    };
    assert!(pipelines(list(&["inner"], &[])).admits(&runs));
    assert!(!pipelines(list(&[], &["inner"])).admits(&runs));
}

#[test]
fn a_run_that_a_resolver_looks_for_is_decided_when_it_was_found() {
    let asked = |mut event: RunEvent| {
        (event.rank, event.state) = (Rank::Running, RunState::Pending);
        event.reason = "ResolvingPipelineRef".to_owned();
        event.naming.reference = Reference::Resolver;
        event.pipeline_name.clear();
        event.task_name.clear();
        event
    };
    let pipelines = NameFilter { pipelines: list(&[], &["ci"]), ..Default::default() };
    let tasks = NameFilter { tasks: list(&[], &["build"]), ..Default::default() };
    assert!(!pipelines.admits(&asked(pipeline_run())));
    assert!(!tasks.admits(&asked(task_run())));
    let found = |mut event: RunEvent, name: &str| {
        (event.state, event.naming.is_resolved) = (RunState::Running, true);
        (event.pipeline_name, event.task_name) = (name.to_owned(), name.to_owned());
        event
    };
    assert!(pipelines.admits(&found(asked(pipeline_run()), "other")));
    assert!(!pipelines.admits(&found(asked(pipeline_run()), "ci")));
    assert!(tasks.admits(&found(asked(task_run()), "other")));
    assert!(!tasks.admits(&found(asked(task_run()), "build")));
}

#[test]
fn f15_a_task_without_a_task_of_its_own_has_the_name_it_has_in_its_pipeline() {
    let inline =
        RunEvent { task_name: String::new(), pipeline_task: "lint".to_owned(), ..task_run() };
    let tasks = |tasks| NameFilter { tasks, ..Default::default() };
    assert!(!tasks(list(&["build"], &[])).admits(&inline));
    assert!(tasks(list(&["lint"], &[])).admits(&inline));
    assert!(!tasks(list(&[], &["lint"])).admits(&inline));
    assert!(tasks(list(&[], &["build"])).admits(&inline));
    let of_a_task = RunEvent { task_name: "golang".to_owned(), ..inline };
    assert!(tasks(list(&["lint"], &[])).admits(&of_a_task));
    assert!(tasks(list(&["golang"], &[])).admits(&of_a_task));
    assert!(!tasks(list(&[], &["lint"])).admits(&of_a_task));
    assert!(!tasks(list(&[], &["golang"])).admits(&of_a_task));
}

#[test]
fn a_custom_run_has_the_name_of_its_task_too() {
    let custom = RunEvent {
        kind: RunKind::CustomRun,
        name: "ci-4-approve".to_owned(),
        pipeline_task: "approve".to_owned(),
        ..task_run()
    };
    let custom_runs = |custom_runs| NameFilter { custom_runs, ..Default::default() };
    assert!(custom_runs(list(&["approve"], &[])).admits(&custom));
    assert!(!custom_runs(list(&[], &["approve"])).admits(&custom));
    assert!(!custom_runs(list(&["deploy"], &[])).admits(&custom));
}

#[test]
fn a_lone_task_run_belongs_to_no_pipeline() {
    let lone = RunEvent { pipeline_name: String::new(), parent: Parent::default(), ..task_run() };
    let pipelines = NameFilter { pipelines: list(&["release"], &[]), ..Default::default() };
    assert!(pipelines.admits(&lone));
    let mut round = lone;
    round.parent.name = "loop-1".to_owned();
    assert!(!pipelines.admits(&round));
    round.naming.owner = "loop-1".to_owned();
    assert!(pipelines.admits(&round), "a round of a loop that stands alone");
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
    let patterns = |texts: &[&str]| -> Vec<NamePattern> {
        texts.iter().map(|text| NamePattern::parse(text).unwrap()).collect()
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
