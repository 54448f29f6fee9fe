//! Which check is written for which facts: shapes that Tekton sent, and names chosen to collide.

use super::super::{Naming, Parent, Rank, RunState, recorded_run, shaped_runs};
use super::*;
use std::collections::{BTreeMap, BTreeSet};

/// A PipelineRun that runs.
fn pipeline_run(name: &str, naming: Naming, label: &str) -> RunEvent {
    RunEvent {
        kind: RunKind::PipelineRun,
        name: name.to_owned(),
        pipeline_name: label.to_owned(),
        task_name: String::new(),
        pipeline_task: String::new(),
        rank: Rank::Running,
        state: RunState::Running,
        parent: Parent::default(),
        naming,
        ..recorded_run(38)
    }
}

fn task_run(name: &str, naming: Naming, label: &str) -> RunEvent {
    let run = pipeline_run(name, naming, "");
    RunEvent { kind: RunKind::TaskRun, task_name: label.to_owned(), ..run }
}

fn child(parent: &str, task: &str, name: &str, pipeline: &str) -> RunEvent {
    RunEvent {
        parent: Parent { uid: format!("uid-{parent}"), name: parent.to_owned() },
        pipeline_task: task.to_owned(),
        pipeline_name: pipeline.to_owned(),
        ..task_run(name, Naming::default(), "")
    }
}

fn by_name(name: &str) -> Naming {
    Naming { reference: Reference::Name(name.to_owned()), ..Naming::default() }
}

fn inline(generate_name: &str) -> Naming {
    let generate_name = generate_name.to_owned();
    Naming { reference: Reference::Inline, generate_name, ..Naming::default() }
}

fn by_resolver(is_resolved: bool) -> Naming {
    Naming { reference: Reference::Resolver, is_resolved, ..Naming::default() }
}

fn name(event: &RunEvent) -> Result<String, NotSettled> {
    writer(event, Above::Unknown).map(|writer| writer.check_name(&event.scm.context))
}

#[track_caller]
fn assert_named(event: &RunEvent, expected: &str) {
    assert_eq!(name(event), Ok(expected.to_owned()));
}

#[test]
fn a_pipeline_run_goes_by_its_pipeline() {
    assert_named(&pipeline_run("r-1", by_name("build"), ""), "tekton/build");
    assert_named(&pipeline_run("r-1", by_name("build"), "build"), "tekton/build");
    assert_named(&pipeline_run("r-1", Naming::default(), "build"), "tekton/build");
    assert_named(&pipeline_run("build", by_name("build"), "build"), "tekton/build");
}

#[test]
fn an_inline_pipeline_goes_by_what_all_its_runs_share() {
    assert_named(
        &pipeline_run("nightly-x", inline("nightly-"), "nightly-x"),
        "tekton/runs:nightly",
    );
    assert_named(&pipeline_run("nightly", inline(""), "nightly"), "tekton/run:nightly");
    let pac = Naming { original_name: "ci".to_owned(), ..inline("ci-") };
    assert_named(&pipeline_run("ci-7x2kq", pac, "ci-7x2kq"), "tekton/pac:ci");
}

#[test]
fn a_label_copied_from_an_older_run_names_nothing() {
    let again = pipeline_run("nightly-b", inline("nightly-"), "nightly-a");
    assert_named(&again, "tekton/runs:nightly");
    for rank in [Rank::Queued, Rank::Running] {
        let copied = RunEvent { rank, ..pipeline_run("fix-2", inline(""), "build") };
        assert_named(&copied, "tekton/run:fix-2");
    }
    assert_named(&task_run("scan-fix", inline(""), "scan"), "tekton/taskrun:scan-fix");
}

#[test]
fn a_kind_that_is_no_task_is_part_of_the_root() {
    let of_kind = |kind: &str| Naming { custom_kind: kind.to_owned(), ..by_name("scan") };
    assert_named(&task_run("scan-1", of_kind(""), ""), "tekton/task:scan");
    assert_named(&task_run("scan-1", of_kind("ClusterTask"), ""), "tekton/task:ClusterTask:scan");
}

#[test]
fn a_resolver_is_awaited_until_the_end() {
    let asked = |label: &str| pipeline_run("ci-x", by_resolver(false), label);
    for label in ["", "ci-x", "ci"] {
        assert_eq!(name(&asked(label)), Err(NotSettled::AwaitsName), "{label}");
    }
    let found = |label: &str| pipeline_run("ci-x", by_resolver(true), label);
    assert_named(&found("ci"), "tekton/ci");
    assert_eq!(name(&found("ci-x")), Err(NotSettled::AwaitsName));
    let ended = |label: &str| RunEvent { state: RunState::Error, ..asked(label) };
    assert_named(&ended("ci"), "tekton/ci");
    assert_named(&ended("ci-x"), "tekton/run:ci-x");
}

#[test]
fn a_lone_task_run_goes_by_its_task() {
    assert_named(&task_run("scan-1", by_name("scan"), ""), "tekton/task:scan");
    assert_named(&task_run("scan-1", inline("scan-"), ""), "tekton/taskruns:scan");
    assert_named(&task_run("scan-1", inline(""), ""), "tekton/taskrun:scan-1");
    let queued = RunEvent { rank: Rank::Queued, ..task_run("scan-1", Naming::default(), "") };
    assert_eq!(name(&queued), Err(NotSettled::AwaitsName));
}

#[test]
fn a_child_goes_below_its_pipeline_run() {
    let event = child("ci-1", "test", "ci-1-test-3", "ci");
    assert_named(&event, "tekton/ci/test:3");
    let parent = CheckWriter::of(RootKind::PipelineRuns, "nightly");
    let below = writer(&event, Above::Settled(&parent)).unwrap();
    assert_eq!(below.check_name(""), "tekton/runs:nightly/test:3");
    assert_eq!(below.check_name("unit"), "unit/test:3");
    assert_eq!(writer(&event, Above::Awaited), Err(NotSettled::AwaitsParent));
}

#[test]
fn a_child_of_an_unknown_inline_run_is_settled_at_its_end() {
    let event = child("nightly-x", "test", "nightly-x-test", "nightly-x");
    assert_eq!(name(&event), Err(NotSettled::AwaitsParent));
    let ended = RunEvent { state: RunState::Failure, ..event };
    assert_named(&ended, "tekton/run:nightly-x/test");
}

#[test]
fn a_child_pipeline_run_appends_its_path_also_below_a_context() {
    let root = CheckWriter::of(RootKind::Pipeline, "release");
    let mut inner = child("r-1", "build", "r-1-build-0", "r-1-build");
    inner.kind = RunKind::PipelineRun;
    inner.scm.context = "ci".to_owned();
    let inner = writer(&inner, Above::Settled(&root)).unwrap();
    assert_eq!(inner.check_name("ci"), "ci/build:0");
    let task = child("r-1-build-0", "compile", "r-1-build-0-compile", "lib");
    let task = writer(&task, Above::Settled(&inner)).unwrap();
    assert_eq!(task.check_name("ci"), "ci/build:0/compile");
    assert_eq!(task.task_path(), "build:0/compile");
}

#[test]
fn rounds_of_a_loop_are_told_apart_by_their_label_or_their_name() {
    let round = |iteration: &str, owner: &str, name: &str| {
        let mut event = child("ci-1", "loop", name, "ci");
        event.naming.iteration = iteration.to_owned();
        event.naming.owner = owner.to_owned();
        event
    };
    assert_named(&round("2", "ci-1-loop", "ci-1-loop-00002-x"), "tekton/ci/loop:each:2");
    assert_named(&round("2", "ci-1-loop-1", "ci-1-loop-1-x"), "tekton/ci/loop:1:each:2");
    assert_named(&round("", "", "ci-1-loop-00002-x"), "tekton/ci/loop:run:ci-1-loop-00002-x");
    assert_named(&round("", "", "ci-1-loop"), "tekton/ci/loop");
}

/// A round that the CustomRun `owner` made, without any label of a PipelineRun.
fn lone_round(kind: RunKind, owner: &str, iteration: &str) -> RunEvent {
    let (owner, iteration) = (owner.to_owned(), iteration.to_owned());
    let parent = Parent { uid: format!("uid-{owner}"), name: owner.clone() };
    let naming = Naming { owner, iteration, ..by_name("build") };
    RunEvent { kind, parent, state: RunState::Failure, ..pipeline_run("round-1", naming, "build") }
}

#[test]
fn rounds_of_a_loop_that_stands_alone_go_beside_it() {
    let of_loop = of_kind(RootKind::CustomTask, "Loop.a.dev", "each-branch");
    for kind in [RunKind::TaskRun, RunKind::PipelineRun] {
        let name = |iteration: &str, above: Above<'_>| {
            writer(&lone_round(kind, "loop-1", iteration), above).unwrap().check_name("")
        };
        let below_it = |iteration: &str| name(iteration, Above::Settled(&of_loop));
        assert_eq!(below_it("1"), "tekton/custom:Loop.a.dev:each-branch:each:1");
        assert_eq!(below_it(""), "tekton/custom:Loop.a.dev:each-branch:run:round-1");
        assert_eq!(name("2", Above::Unknown), "tekton/customrun:loop-1:each:2");
        let runs = RunEvent { state: RunState::Running, ..lone_round(kind, "loop-1", "2") };
        for above in [Above::Unknown, Above::Awaited] {
            assert_eq!(writer(&runs, above), Err(NotSettled::AwaitsParent));
        }
    }
}

#[test]
fn tasks_of_a_round_that_is_a_pipeline_run_go_below_it() {
    let of_loop = of_kind(RootKind::CustomTask, "Loop.a.dev", "each-branch");
    let task_in = |iteration: &str| {
        let round = lone_round(RunKind::PipelineRun, "loop-1", iteration);
        let round = writer(&round, Above::Settled(&of_loop)).unwrap();
        writer(&child("round-1", "test", "round-1-test-3", "build"), Above::Settled(&round))
            .unwrap()
    };
    let task = task_in("1");
    assert_eq!(task.check_name(""), "tekton/custom:Loop.a.dev:each-branch:each:1/test:3");
    assert_eq!(task.check_name("ci"), "ci:each:1/test:3");
    assert_eq!(
        (task.identity(), task.task_path()),
        (task.check_name(""), "each:1/test".to_owned())
    );
    assert_ne!(task.check_name("ci"), task_in("2").check_name("ci"));
}

#[test]
fn a_child_without_a_pipeline_task_is_no_round() {
    let inner = |tasks: &[&str]| CheckWriter {
        tasks: tasks.iter().map(|task| (*task).to_owned()).collect(),
        ..CheckWriter::of(RootKind::Pipeline, "ci")
    };
    let names = [[":run:a", "x"].as_slice(), &["inner", ":run:a", "x"], &["inner:run:a", "x"]]
        .map(|tasks| inner(tasks).check_name(""));
    let expected = ["tekton/ci/:run:a/x", "tekton/ci/inner/:run:a/x", "tekton/ci/inner:run:a/x"];
    assert_eq!(names, expected);
}

#[test]
fn a_round_in_a_pipeline_is_called_alike_with_and_without_labels() {
    let root = CheckWriter::of(RootKind::Pipeline, "ci");
    for (suffix, expected) in [("", "tekton/ci/loop:each:2"), ("-1", "tekton/ci/loop:1:each:2")] {
        let name = format!("ci-1-loop{suffix}");
        let custom = RunEvent { kind: RunKind::CustomRun, ..child("ci-1", "loop", &name, "ci") };
        let of_loop = writer(&custom, Above::Settled(&root)).unwrap();
        let unlabelled = lone_round(RunKind::TaskRun, &name, "2");
        let mut labelled = child("ci-1", "loop", "round-1", "ci");
        labelled.naming = unlabelled.naming.clone();
        let names = [(&unlabelled, &of_loop), (&labelled, &root)]
            .map(|(event, above)| writer(event, Above::Settled(above)).unwrap().check_name(""));
        assert_eq!(names, [expected, expected]);
    }
}

#[test]
fn display_names_are_no_part_of_a_check() {
    let mut run = pipeline_run("r-1", by_name("build"), "");
    run.pipeline_display_name = "Build and test".to_owned();
    run.task_display_name = "Task".to_owned();
    assert_named(&run, "tekton/build");
}

#[test]
fn adversarial_names_do_not_collide() {
    let custom = |naming| RunEvent { kind: RunKind::CustomRun, ..task_run("task", naming, "") };
    let custom_kind = |kind: &str| Naming { custom_kind: kind.to_owned(), ..by_name("ask") };
    let listener = RunEvent {
        kind: RunKind::EventListener,
        event_listener_name: "task".to_owned(),
        ..task_run("task", Naming::default(), "")
    };
    let names = ["task", "run", "runs", "build", "task-0", "tekton"];
    let mut events = vec![listener, custom(inline("")), custom(inline("task-"))];
    events.extend(["Approval.a.dev", "Approval.b.dev", "Wait.a.dev"].map(custom_kind).map(custom));
    for name in names {
        events.push(pipeline_run("r", by_name(name), name));
        events.push(pipeline_run(name, inline(""), name));
        events.push(pipeline_run("r", inline(&format!("{name}-")), "r"));
        events.push(pipeline_run("r", inline(name), "r"));
        let pac = Naming { original_name: name.to_owned(), ..inline("") };
        events.push(pipeline_run("r", pac, "r"));
        events.push(task_run("r", by_name(name), name));
        events.push(task_run(name, inline(""), ""));
        for task in names {
            events.push(child("r", task, &format!("r-{task}"), name));
            events.push(child("r", task, &format!("r-{task}-0"), name));
        }
    }
    // `r-task-0` can be the task `task-0` or the first combination of `task`: Tekton makes only one
    // of them.
    let mut seen = BTreeMap::new();
    for event in &events {
        let writer = writer(event, Above::Unknown).unwrap();
        let (name, identity) = (writer.check_name(""), writer.identity());
        assert_eq!(name, identity);
        if let Some(other) = seen.insert(name.clone(), writer.clone()) {
            assert_eq!(other, writer, "{name}");
        }
    }
    assert_eq!(seen.len(), events.len());
}

#[test]
fn names_that_kubernetes_refuses_cannot_forge_a_path() {
    let forged = child("r", "a/b:0", "r-x", "ci");
    let task = child("r", "b", "r-b-0", "ci/a");
    assert_ne!(name(&forged), name(&task));
    assert!(!name(&forged).unwrap().contains("a/b:0"));
}

/// The check of every run of [`shaped_runs`]: kind and name of the run, a tab, its check. The check
/// is empty for a run whose resolver found nothing and that did not end. A run that was deleted and
/// created again with the same name has two lines.
const SHAPES: &str = include_str!("testdata/shape-checks.tsv");

#[test]
fn every_recorded_shape_has_its_check_from_any_of_its_events() {
    let events = shaped_runs();
    // PipelineRuns first, as in apply: children wait for them.
    let mut settled: BTreeMap<String, CheckWriter> = BTreeMap::new();
    for _depth in 0..3 {
        for event in &events {
            let above = settled.get(&event.parent.uid).map_or(Above::Awaited, Above::Settled);
            if let Ok(found) = writer(event, above) {
                let known = settled.entry(event.uid.clone()).or_insert_with(|| found.clone());
                assert_eq!(*known, found, "{}", event.name);
            }
        }
    }
    let mut checks = BTreeSet::new();
    for event in &events {
        let check = settled.get(&event.uid).map(|writer| writer.check_name(&event.scm.context));
        let check = check.unwrap_or_default();
        checks.insert((format!("{} {}", event.kind, event.name), check));
    }
    let expected = SHAPES.lines().map(|row| row.split_once('\t').unwrap());
    let expected: BTreeSet<_> =
        expected.map(|(run, check)| (run.to_owned(), check.to_owned())).collect();
    let missing: Vec<_> = expected.symmetric_difference(&checks).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
