//! Rule 5: between two writers of one check the worse state stands until its own writer outlives
//! it, and every such meeting is counted.

use super::*;

/// A run of `pipeline` that asks for a context that others ask for as well.
fn run_of(pipeline: &str, uid: &str) -> Draft {
    pipeline_run(uid).on("commit", uid).with(|event| {
        event.pipeline_name = pipeline.to_owned();
        event.scm.context = "ci".to_owned();
    })
}

/// The core a minute after the start: runs that are created later than it believes are of one age.
fn core() -> Core {
    let mut core = Core::second();
    core.pass(MINUTE);
    core
}

fn collisions(core: &Core) -> u64 {
    core.state.counters().check_collisions
}

#[test]
fn rule_05_a_green_of_another_writer_does_not_hide_a_red() {
    let mut core = core();
    core.take(run_of("deploy", "d-1").failure());
    assert_eq!(core.take(run_of("build", "b-1").created(9).success()), ["chat b-1 success"]);
    let ends = ["status success worse_state_stands", "chat success delivered"];
    assert_eq!(core.settled("b-1"), ends);
    assert_eq!(collisions(&core), 1);
    assert_eq!(core.state.counters().skipped[&SkipReason::WorseStateStands], 1);
}

#[test]
fn rule_05_an_older_run_of_another_writer_still_shows_its_red() {
    let mut core = core();
    core.take(run_of("build", "b-1").created(9).success());
    let calls = core.take(run_of("deploy", "d-1").failure());
    assert!(calls.contains(&"status d-1 failure".to_owned()), "{calls:?}");
}

#[test]
fn rule_05_a_red_is_outlived_by_its_own_writer() {
    let mut core = core();
    core.take(run_of("deploy", "d-1").failure());
    core.take(run_of("build", "b-1").success());
    let calls = core.take(run_of("deploy", "d-2").created(9).success());
    assert!(calls.contains(&"status d-2 success".to_owned()), "{calls:?}");
}

#[test]
fn rule_05_the_red_of_another_writer_is_not_outlived_by_ones_own_green() {
    let mut core = core();
    core.take(run_of("deploy", "d-1").failure());
    core.take(run_of("build", "b-1").failure());
    assert_eq!(core.take(run_of("deploy", "d-2").created(9).success()), ["chat d-2 success"]);
    // The one that was held back counts as the state of its writer.
    let calls = core.take(run_of("build", "b-2").created(9).success());
    assert!(calls.contains(&"status b-2 success".to_owned()), "{calls:?}");
}

#[test]
fn rule_05_what_is_under_way_does_not_hide_a_red_of_another_writer() {
    let mut core = core();
    core.take(run_of("deploy", "d-1").failure());
    assert_eq!(core.take(run_of("build", "b-1").started()), ["chat b-1 running"]);
}

#[test]
fn rule_05_runs_of_one_writer_meet_without_being_counted() {
    let mut core = core();
    core.take(run_of("build", "b-1").failure());
    core.take(run_of("build", "b-2").created(9).success());
    assert_eq!(core.take(run_of("build", "b-1").attempt(1).success()), ["chat b-1 success"]);
    assert!(core.settled("b-1").contains(&"status success older_than_target".to_owned()));
    assert_eq!(collisions(&core), 0);
}

#[test]
fn rule_05_an_ignored_failure_hides_nothing_and_is_hidden_by_anything() {
    let mut core = core();
    let ignored = run_of("soft", "s-1").failure();
    core.take(ignored.with(|event| {
        event.reason = "FailureIgnored".to_owned();
        event.parent.name = "r-1".to_owned();
    }));
    let calls = core.take(run_of("build", "b-1").success());
    assert!(calls.contains(&"status b-1 success".to_owned()), "{calls:?}");
}

#[test]
fn rule_05_writers_of_two_namespaces_are_two() {
    let mut core = core();
    core.take(run_of("build", "b-1").failure());
    let other = run_of("build", "b-2").created(9);
    let other = other.with(|event| event.namespace = "another".to_owned());
    assert_eq!(core.take(other.success()), ["chat b-2 success"]);
}

#[test]
fn rule_05_the_writers_of_a_target_are_bounded() {
    let mut core = core();
    for number in 0..40 {
        core.take(run_of(&format!("p-{number}"), &format!("r-{number}")).success());
    }
    let targets = core.state.outbox.targets.values();
    assert_eq!(targets.map(|target| target.standings.len()).max(), Some(16));
}

#[test]
fn rule_05_runs_of_the_first_level_go_on_as_they_did() {
    let mut core = Core::new();
    core.take(run_of("deploy", "d-1").failure());
    core.apply(Command::RaiseLevel { level: FeatureLevel::SECOND });
    core.pass(MINUTE);
    let calls = core.take(run_of("build", "b-1").created(9).success());
    assert!(calls.contains(&"status b-1 success".to_owned()), "{calls:?}");
}

#[test]
fn rule_05_of_two_runs_of_one_second_the_worse_state_stands() {
    for (passed, failed) in [("z", "a"), ("a", "z")] {
        let run = |uid| pipeline_run(uid).on("sha", "build").created(9);
        let mut core = self::core();
        core.take(run(passed).success());
        let calls = core.take(run(failed).failure());
        assert!(calls.contains(&"status build failure".to_owned()), "{calls:?}");
        let mut core = self::core();
        core.take(run(failed).failure());
        assert_eq!(core.take(run(passed).success()), ["chat build success"]);
    }
}

#[test]
fn rule_05_a_run_that_does_not_say_when_it_was_created_hides_no_red_and_keeps_its_own() {
    let mut core = core();
    core.take(pipeline_run("known").on("sha", "build").created(0).success());
    core.pass(MINUTE);
    let unknown = pipeline_run("unknown").on("sha", "build").failure();
    let calls = core.take(unknown.with(|event| event.created_at = Timestamp::UNKNOWN));
    assert!(calls.contains(&"status build failure".to_owned()), "{calls:?}");
}

#[test]
fn rule_05_more_reds_than_are_remembered_leave_the_check_red() {
    let mut core = core();
    for number in 0..20 {
        core.take(run_of(&format!("p{number}"), &format!("r{number}")).failure());
    }
    // The last green meets nothing but those that found no place.
    for number in 0..20 {
        let again = run_of(&format!("p{number}"), &format!("s{number}")).created(9).success();
        assert_eq!(core.take(again), [format!("chat s{number} success")]);
    }
}

#[test]
fn rule_05_a_tie_of_one_writer_does_not_hide_the_red_of_another() {
    let mut core = core();
    core.take(run_of("deploy", "d-1").failure());
    for uid in ["b-1", "b-2"] {
        let green = run_of("build", uid).created(9).success();
        assert_eq!(core.take(green), [format!("chat {uid} success")]);
    }
}
