//! Rule 5: a target is written by one call at a time, and the newest run wins; rule 6: what a run
//! knew of its predecessor is fixed when its event is applied.

use super::*;

/// Two runs of one commit that share their status, the younger created 1 ms later.
fn older() -> Draft {
    pipeline_run("older").on("commit", "build")
}

fn newer() -> Draft {
    pipeline_run("newer").on("commit", "build").created(1)
}

#[test]
fn rule_05_runs_that_share_a_target_write_it_one_at_a_time() {
    let mut core = Core::new();
    core.accept(older().started());
    core.accept(newer().started());
    core.plan_all();
    let first = core.begin(core.status("older")).unwrap();
    assert_eq!(core.begin(core.status("newer")), None);
    core.deliver(first);
    assert!(core.begin(core.status("newer")).is_some());
}

#[test]
fn rule_05_a_busy_target_is_not_offered_as_due_work() {
    let mut core = Core::new();
    core.accept(older().started());
    core.accept(newer().started());
    core.plan_all();
    core.begin(core.status("older")).unwrap();
    core.begin(core.chat("older")).unwrap();
    assert_eq!(core.next_send(), None);
}

#[test]
fn rule_05_an_effect_of_an_older_run_does_not_overwrite_a_newer_one() {
    let mut core = Core::new();
    core.take(newer().started());
    assert_eq!(core.take(older().success()), ["chat build success"]);
    let ends = ["chat success delivered", "status success older_than_target"];
    assert_eq!(core.settled("older"), ends);
    assert_eq!(core.state.counters().skipped[&SkipReason::OlderThanTarget], 1);
}

#[test]
fn rule_05_the_uid_decides_between_runs_of_one_creation_time() {
    let mut core = Core::new();
    core.take(pipeline_run("b").on("commit", "build").started());
    assert_eq!(core.take(pipeline_run("a").on("commit", "build").success()).len(), 1);
    assert_eq!(core.take(pipeline_run("c").on("commit", "build").started()).len(), 2);
}

#[test]
fn rule_05_a_replay_does_not_overwrite_a_newer_run() {
    let mut core = Core::new();
    core.accept(older().success());
    core.plan_all();
    let grant = core.begin(core.status("older")).unwrap();
    core.die(grant);
    core.take(newer().started());
    core.apply(Command::Replay(vec![ReplayItem { letter: 1, event: None }]));
    assert_eq!(core.settle(), [""; 0]);
    assert_eq!(core.settled("older").last().unwrap(), "status success older_than_target");
}

#[test]
fn rule_05_the_remote_id_stays_with_the_target_for_the_next_run() {
    let mut core = Core::new();
    core.accept(older().success());
    core.plan_all();
    let grant = core.begin(core.status("older")).unwrap();
    let target = core.record(grant.effect).target.clone();
    core.outcome(grant, AttemptResult::Delivered(receipt("17")));
    core.take(newer().started());
    assert_eq!(core.state.remote_id(&target), Some("17"));
}

#[test]
fn rule_05_children_of_a_matrix_never_share_a_check_name() {
    for accumulates in [false, true] {
        let mut core = Core::with(|settings| settings.accumulates = accumulates);
        core.accept(pipeline_run("p").started());
        for index in 0..3 {
            let uid = format!("t-{index}");
            core.accept(task_run("p", &uid, "test").started());
        }
        core.accept(task_run("p", "lint-0", "lint").started());
        let name = |uid| core.run(uid).context.check_name.clone();
        let names = ["t-0", "t-1", "t-2", "lint-0"].map(name);
        assert_eq!(names, ["tekton/test", "tekton/test-1", "tekton/test-2", "tekton/lint"]);
    }
}

#[test]
fn rule_05_a_check_name_does_not_change_when_a_sibling_appears() {
    let mut core = Core::new();
    core.accept(task_run("p", "t-0", "test").started());
    core.accept(task_run("p", "t-1", "test").started());
    core.accept(task_run("p", "t-0", "test").success());
    assert_eq!(core.run("t-0").context.check_name, "tekton/test");
}

#[test]
fn rule_05_a_target_is_forgotten_when_it_was_out_of_use_for_the_life_of_a_run() {
    let mut core = Core::with(|settings| settings.transition_ttl_ms = millis(2 * HOUR));
    core.take(pipeline_run("a").started());
    core.pass(HOUR);
    core.take(pipeline_run("a").success());
    core.pass(2 * HOUR - Duration::from_millis(1));
    assert_eq!(core.state.outbox.targets.len(), 2);
    core.pass(Duration::from_millis(1));
    assert_eq!(core.state.outbox.targets.len(), 0);
}

#[test]
fn rule_06_the_previous_state_is_stored_when_the_event_is_applied() {
    let mut core = Core::new();
    core.take(pipeline_run("first").failure());
    core.accept(pipeline_run("second").created(1).success());
    let previous = |core: &Core, uid| core.run(uid).queue[0].context.previous_state;
    assert_eq!(previous(&core, "second"), Some(RunState::Failure));
    core.accept(pipeline_run("third").created(2).started());
    assert_eq!(previous(&core, "third"), Some(RunState::Success));
    assert_eq!(previous(&core, "second"), Some(RunState::Failure));
}

#[test]
fn rule_06_the_previous_state_is_that_of_the_same_pipeline_repository_and_branch() {
    let mut core = Core::new();
    let on = |uid: &str, branch: &str| {
        pipeline_run(uid).with(|event| event.scm.ref_name = branch.to_owned())
    };
    core.take(on("first", "main").failure());
    core.accept(on("second", "topic").started());
    assert_eq!(core.run("second").context.previous_state, None);
    core.accept(on("third", "main").started());
    assert_eq!(core.run("third").context.previous_state, Some(RunState::Failure));
}

#[test]
fn rule_06_an_older_run_that_ends_late_does_not_become_the_previous_one() {
    let mut core = Core::new();
    core.take(pipeline_run("newer").created(5).success());
    core.take(pipeline_run("older").created(1).failure());
    core.accept(pipeline_run("newest").created(9).started());
    assert_eq!(core.run("newest").context.previous_state, Some(RunState::Success));
}

#[test]
fn rule_06_a_run_that_ends_twice_still_knows_its_predecessor() {
    let mut core = Core::new();
    core.take(pipeline_run("first").failure());
    core.take(pipeline_run("second").created(1).success());
    core.take(pipeline_run("second").created(1).attempt(1).success());
    assert_eq!(core.run("second").context.previous_state, Some(RunState::Failure));
}

#[test]
fn rule_06_the_memory_of_pipelines_is_bounded_and_forgets_the_oldest() {
    let mut core = Core::new();
    for number in 0..=finished_runs::HISTORY_MAX {
        let of = |event: &mut RunEvent| event.pipeline_name = format!("p-{number}");
        core.now = core.now.after(Duration::from_millis(1));
        core.accept(pipeline_run(&format!("r-{number}")).with(of).success());
    }
    assert!(core.state.history.len() <= finished_runs::HISTORY_MAX);
    let previous = |core: &mut Core, uid: &str, pipeline: &str| {
        core.accept(pipeline_run(uid).with(|e| e.pipeline_name = pipeline.to_owned()).started());
        core.run(uid).context.previous_state
    };
    assert_eq!(previous(&mut core, "x", "p-0"), None);
    let newest = format!("p-{}", finished_runs::HISTORY_MAX);
    assert_eq!(previous(&mut core, "y", &newest), Some(RunState::Success));
}
