//! Rule 11: a run that is never heard of again leaves no check unfinished.

use super::*;

#[test]
fn rule_11_the_check_of_a_silent_run_ends_as_an_error_once() {
    let mut core = Core::second();
    core.take(pipeline_run("r-1").running("half"));
    core.pass(DAY + 2 * MINUTE);
    assert_eq!(core.settle(), ["status r-1 error"]);
    let ends = ["chat running delivered", "status running delivered", "status error delivered"];
    assert_eq!(core.settled("r-1"), ends);
    core.pass(2 * HOUR);
    assert_eq!(
        (core.settle().len(), core.state.runs.len(), core.state.tombstones.len()),
        (0, 0, 1)
    );
}

#[test]
fn rule_11_an_end_that_is_reported_after_all_is_shown() {
    let mut core = Core::second();
    core.take(pipeline_run("r-1").running("half"));
    core.pass(DAY + 2 * MINUTE);
    core.settle();
    let calls = core.take(pipeline_run("r-1").changed(1000).success());
    assert!(calls.contains(&"chat r-1 success".to_owned()), "{calls:?}");
    let shown = core.settled("r-1").contains(&"status success older_than_target".to_owned());
    assert!(
        !shown || calls.contains(&"status r-1 success".to_owned()),
        "{:?}",
        core.settled("r-1")
    );
}

#[test]
fn rule_11_a_finished_run_that_falls_silent_is_left_alone() {
    let mut core = Core::second();
    core.take(pipeline_run("r-1").success());
    core.pass(DAY + 2 * HOUR);
    assert_eq!(core.settle(), [""; 0]);
    assert_eq!(core.state.tombstones.len(), 1);
}

#[test]
fn rule_11_silence_does_not_overwrite_a_newer_run() {
    let mut core = Core::second();
    core.take(pipeline_run("old").on("commit", "old").started());
    core.pass(MINUTE);
    core.take(pipeline_run("new").on("commit", "new").created(9).success());
    core.pass(DAY + 2 * MINUTE);
    core.settle();
    assert_eq!(core.settled("old").last().unwrap(), "status error older_than_target");
}

#[test]
fn rule_11_the_first_level_ends_no_check() {
    let mut core = Core::new();
    core.take(pipeline_run("r-1").running("half"));
    core.pass(DAY + 2 * HOUR);
    assert_eq!((core.settle().len(), core.state.tombstones.len()), (0, 1));
}
