//! Rule 5: which check a run writes is settled once, whatever is heard of first, and a child waits
//! for its PipelineRun for a while.

use super::*;
use crate::event::{NotSettled, Parent, Reference, RunKind};

/// An inline PipelineRun of `generateName: nightly-`.
fn nightly(uid: &str) -> Draft {
    pipeline_run(uid).with(|event| {
        event.pipeline_name.clear();
        event.naming.reference = Reference::Inline;
        event.naming.generate_name = "nightly-".to_owned();
    })
}

fn by_resolver(uid: &str, label: &str) -> Draft {
    pipeline_run(uid).with(|event| {
        event.pipeline_name = label.to_owned();
        event.naming.reference = Reference::Resolver;
        event.naming.is_resolved = !label.is_empty();
    })
}

/// The TaskRun of `task` in an inline PipelineRun.
fn task_of(root: &str, task: &str) -> Draft {
    let uid = format!("{root}-{task}");
    task_run(root, &uid, task).with(|event| event.pipeline_name = root.to_owned())
}

fn name(core: &Core, uid: &str) -> String {
    let context = &core.run(uid).context;
    match context.not_settled {
        None => context.check_name.clone(),
        Some(why) => format!("{why:?}"),
    }
}

#[test]
fn rule_05_the_first_level_names_runs_as_it_did() {
    let mut core = Core::new();
    core.accept(nightly("nightly-x").started());
    core.accept(task_of("nightly-x", "test").started());
    let context = &core.run("nightly-x-test").context;
    assert_eq!((context.check_name.as_str(), &context.writer), ("tekton/test", &None));
    assert_eq!(core.run("nightly-x").context.check_name, "tekton/nightly-x");
    assert_eq!(core.state.runs.waiting().count(), 0);
}

#[test]
fn rule_05_a_child_that_comes_first_waits_for_its_pipeline_run() {
    let mut core = Core::second();
    core.accept(task_of("nightly-x", "test").started());
    assert_eq!(core.take(task_of("nightly-x", "test").running("half")), [""; 0]);
    assert_eq!(name(&core, "nightly-x-test"), "AwaitsParent");
    assert_eq!(core.state.unplanned(), 2);
    core.pass(PARENT_WAIT - Duration::from_millis(1));
    let sent = core.take(nightly("nightly-x").started());
    assert_eq!(name(&core, "nightly-x-test"), "tekton/runs:nightly/test");
    // No stream lost a transition, and none came out of its order.
    let of_child: Vec<_> =
        sent.iter().filter(|call| call.contains("chat nightly-x-test")).collect();
    assert_eq!(of_child, ["chat nightly-x-test running", "chat nightly-x-test running"]);
    assert_eq!(core.state.runs.waiting().count(), 0);
    assert_eq!(core.state.next_timer(), Core::quiet_timer(&core));
}

#[test]
fn rule_05_a_child_of_an_unknown_pipeline_run_goes_by_its_own_facts_after_the_wait() {
    let mut core = Core::second();
    let of_named = task_run("r-1", "r-1-test", "test");
    core.accept(of_named.clone().started());
    core.accept(task_of("nightly-x", "test").started());
    core.pass(PARENT_WAIT);
    assert_eq!(name(&core, "r-1-test"), "tekton/build/test");
    assert_eq!(name(&core, "nightly-x-test"), "AwaitsParent");
    assert_eq!(core.settle().len(), 3, "a status and a message, and a message alone");
    core.take(task_of("nightly-x", "test").failure());
    assert_eq!(name(&core, "nightly-x-test"), "tekton/run:nightly-x/test");
}

#[test]
fn rule_05_a_settled_check_stays_when_better_facts_come() {
    let mut core = Core::second();
    core.accept(task_of("nightly-x", "test").failure());
    core.pass(PARENT_WAIT);
    core.take(nightly("nightly-x").failure());
    core.take(task_of("nightly-x", "test").attempt(1).success());
    assert_eq!(name(&core, "nightly-x-test"), "tekton/run:nightly-x/test");
}

#[test]
fn rule_05_a_resolver_is_not_written_before_it_has_found_its_pipeline() {
    let mut core = Core::second();
    assert_eq!(core.take(by_resolver("ci-x", "").queued()), ["chat ci-x pending"]);
    assert_eq!(name(&core, "ci-x"), "AwaitsName");
    let calls = core.take(by_resolver("ci-x", "ci").started());
    assert_eq!(calls, ["status ci-x running", "chat ci-x running"]);
    assert_eq!(name(&core, "ci-x"), "tekton/ci");
}

#[test]
fn rule_05_a_child_waits_until_its_pipeline_run_is_settled() {
    let mut core = Core::second();
    let task = task_run("ci-x", "ci-x-test", "test").with(|e| e.pipeline_name = "ci".to_owned());
    core.accept(by_resolver("ci-x", "").queued());
    core.accept(task.started());
    assert_eq!(name(&core, "ci-x-test"), "AwaitsParent");
    core.accept(by_resolver("ci-x", "ci").started());
    assert_eq!(name(&core, "ci-x-test"), "tekton/ci/test");
}

#[test]
fn rule_05_a_wait_ends_from_the_root_down() {
    let mut core = Core::second();
    let inner = pipeline_run("r-1-inner").with(|event| {
        event.parent = Parent { uid: "r-1".to_owned(), name: "r-1".to_owned() };
        event.pipeline_task = "inner".to_owned();
        event.pipeline_name = "lib".to_owned();
    });
    let leaf = task_run("r-1-inner", "r-1-inner-test-1", "test");
    core.accept(leaf.clone().started());
    core.accept(inner.queued());
    assert_eq!(name(&core, "r-1-inner-test-1"), "AwaitsParent");
    core.accept(pipeline_run("r-1").started());
    assert_eq!(name(&core, "r-1-inner"), "tekton/build/inner");
    assert_eq!(name(&core, "r-1-inner-test-1"), "tekton/build/inner/test:1");
}

#[test]
fn rule_05_pipeline_runs_that_claim_each_other_as_parents_end_by_time() {
    let mut core = Core::second();
    for (uid, parent) in [("a", "b"), ("b", "a"), ("c", "c")] {
        core.accept(
            pipeline_run(uid)
                .with(|event| {
                    event.parent = Parent { uid: parent.to_owned(), name: parent.to_owned() };
                })
                .failure(),
        );
    }
    core.pass(PARENT_WAIT);
    for uid in ["a", "b", "c"] {
        assert_ne!(name(&core, uid), "AwaitsParent");
    }
    assert_eq!(core.state.runs.waiting().count(), 0);
}

#[test]
fn rule_05_a_check_outlives_the_shrinking_of_its_run() {
    let mut core = Core::second();
    core.take(nightly("nightly-x").failure());
    core.take(task_of("nightly-x", "test").failure());
    let name_before = name(&core, "nightly-x-test");
    core.pass(3 * HOUR);
    assert_eq!(core.state.tombstones.len(), 2);
    core.take(task_of("nightly-x", "test").attempt(1).success());
    assert_eq!(name(&core, "nightly-x-test"), name_before);
}

#[test]
fn rule_05_a_matrix_child_that_returns_keeps_its_check() {
    let mut core = Core::second();
    core.accept(pipeline_run("r-1").failure());
    let child = |index: u32| task_run("r-1", &format!("r-1-test-{index}"), "test");
    for index in 0..3 {
        core.take(child(index).failure());
    }
    core.pass(3 * HOUR);
    for index in (0..3).rev() {
        core.take(child(index).attempt(1).success());
        let uid = format!("r-1-test-{index}");
        assert_eq!(name(&core, &uid), format!("tekton/build/test:{index}"));
    }
}

#[test]
fn rule_05_the_children_of_a_run_of_the_first_level_are_named_by_its_facts() {
    let mut core = Core::new();
    core.accept(nightly("nightly-x").started());
    core.apply(Command::RaiseLevel { level: FeatureLevel::SECOND });
    core.accept(task_of("nightly-x", "test").started());
    assert_eq!(name(&core, "nightly-x-test"), "tekton/runs:nightly/test");
    assert_eq!(core.run("nightly-x").context.check_name, "tekton/nightly-x");
}

#[test]
fn rule_21_a_wait_survives_a_snapshot() {
    let mut core = Core::second();
    core.accept(task_of("nightly-x", "test").started());
    core.state.rebuild_indexes();
    assert_eq!(core.settle(), [""; 0]);
    core.accept(nightly("nightly-x").started());
    assert_eq!(name(&core, "nightly-x-test"), "tekton/runs:nightly/test");
    assert_eq!(core.settle().len(), 4);
}

#[test]
fn rule_05_a_lone_run_and_a_child_never_share_a_check() {
    let mut core = Core::second();
    let lone = pipeline_run("scan-1").with(|event| {
        event.kind = RunKind::TaskRun;
        event.pipeline_name.clear();
        event.task_name = "build".to_owned();
    });
    core.accept(lone.started());
    core.accept(pipeline_run("r-1").started());
    core.accept(task_run("r-1", "r-1-build", "build").started());
    let names = ["scan-1", "r-1", "r-1-build"].map(|uid| name(&core, uid));
    assert_eq!(names, ["tekton/task:build", "tekton/build", "tekton/build/build"]);
    assert_eq!(NotSettled::ALL.len(), 2);
}

impl Core {
    /// When the first run is looked at for having fallen quiet.
    fn quiet_timer(&self) -> Option<Timestamp> {
        let is_quiet = |timer: &&(Timestamp, Timer)| matches!(timer.1, Timer::Quiet(_));
        self.state.timers.iter().find(is_quiet).map(|(at, _)| *at)
    }
}
