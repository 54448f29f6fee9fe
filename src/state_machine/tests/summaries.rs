//! Rule 11: a summary is shown when every expected member is final, after the straggler window,
//! once more for later stragglers, and as incomplete when a run falls silent.

use super::*;

const SHOWN: [&str; 1] = ["summary p success"];

fn accumulating() -> Core {
    Core::with(|settings| settings.accumulates = true)
}

/// PipelineRun `p` and its task `t1` have ended; it announced the given children.
fn ended(children: &[&str]) -> Core {
    let mut core = accumulating();
    core.take(pipeline_run("p").started());
    core.take(task_run("p", "t1", "build").success());
    let sent = core.take(pipeline_run("p").success().children(children));
    let shows_summary = sent.contains(&SHOWN[0].to_owned());
    assert_eq!(shows_summary, children == ["t1"]);
    core
}

fn rows(core: &Core, uid: &str) -> Vec<(String, Option<RunState>)> {
    let summary = core.state.summary(run_key(uid)).unwrap();
    summary.rows.into_iter().map(|row| (row.run_name, row.state)).collect()
}

/// When the summary of `p` is due.
fn due_at(core: &Core) -> Timestamp {
    core.state.accumulators[&run_key("p")].due_at
}

fn row(name: &str, state: Option<RunState>) -> (String, Option<RunState>) {
    (name.to_owned(), state)
}

#[test]
fn rule_11_a_complete_summary_is_shown_at_once() {
    let core = ended(&["t1"]);
    assert_eq!(rows(&core, "p"), [row("t1", Some(RunState::Success))]);
    assert!(!due_at(&core).is_known());
}

#[test]
fn rule_11_no_summary_is_built_unless_asked_for() {
    let mut core = Core::new();
    core.take(pipeline_run("p").started());
    assert_eq!(core.take(pipeline_run("p").success()), ["status p success", "chat p success"]);
    assert_eq!(core.state.summary(run_key("p")), None);
}

#[test]
fn rule_11_an_incomplete_summary_waits_for_the_straggler_window() {
    let mut core = ended(&["t1", "t2"]);
    assert_eq!(due_at(&core), core.now.after(Duration::from_secs(5)));
    core.pass(Duration::from_millis(4_999));
    assert_eq!(core.settle(), [""; 0]);
    core.pass(Duration::from_millis(1));
    assert_eq!(core.settle(), SHOWN);
}

#[test]
fn rule_11_a_missing_member_is_shown_as_unknown() {
    let mut core = ended(&["t1", "t2"]);
    core.pass(Duration::from_secs(5));
    assert_eq!(rows(&core, "p"), [row("t1", Some(RunState::Success)), row("t2", None)]);
}

#[test]
fn rule_11_the_last_straggler_ends_the_window() {
    let mut core = ended(&["t1", "t2"]);
    let sent = core.take(task_run("p", "t2", "test").success());
    assert!(sent.contains(&SHOWN[0].to_owned()));
    core.pass(HOUR / 2);
    assert_eq!(core.settle(), [""; 0]);
}

#[test]
fn rule_11_a_straggler_that_is_not_the_last_does_not_prolong_the_window() {
    let mut core = ended(&["t1", "t2", "t3"]);
    core.pass(Duration::from_secs(4));
    core.take(task_run("p", "t2", "test").success());
    core.pass(Duration::from_secs(1));
    assert_eq!(core.settle(), SHOWN);
}

#[test]
fn rule_11_a_late_straggler_is_shown_once_more() {
    let mut core = ended(&["t1", "t2"]);
    core.pass(MINUTE);
    assert_eq!(core.settle(), SHOWN);
    let sent = core.take(task_run("p", "t2", "test").failure());
    assert!(sent.contains(&SHOWN[0].to_owned()));
    assert_eq!(rows(&core, "p")[1], row("t2", Some(RunState::Failure)));
    assert_eq!(core.state.accumulators[&run_key("p")].renderings, 2);
}

#[test]
fn rule_09_what_a_summary_does_not_show_does_not_show_it_again() {
    let mut core = ended(&["t1"]);
    core.accept(pipeline_run("p").success().children(&["t1"]).again("x").label("core"));
    core.accept(task_run("p", "t1", "build").running("late").changed(9));
    core.accept(task_run("p", "t1", "build").success().again("y").label("core"));
    assert_eq!(core.settle(), [""; 0]);
}

#[test]
fn rule_11_a_run_that_is_silent_for_24_h_is_shown_as_incomplete_and_counted() {
    let mut core = accumulating();
    core.take(pipeline_run("p").started());
    core.pass(HOUR);
    core.take(task_run("p", "t1", "build").success());
    core.pass(DAY - Duration::from_millis(1));
    assert_eq!((core.settle(), core.state.counters().incomplete_summaries), (vec![], 0));
    core.pass(Duration::from_millis(1));
    assert_eq!(core.settle(), ["summary p running"]);
    assert_eq!(core.state.counters().incomplete_summaries, 1);
    assert!(core.state.summary(run_key("p")).unwrap().is_incomplete);
}

#[test]
fn rule_11_a_summary_that_became_complete_is_no_longer_incomplete() {
    let mut core = accumulating();
    core.take(pipeline_run("p").started());
    core.pass(DAY);
    core.settle();
    assert!(core.take(pipeline_run("p").success()).contains(&SHOWN[0].to_owned()));
    assert!(!core.state.summary(run_key("p")).unwrap().is_incomplete);
}

#[test]
fn rule_11_members_that_come_before_their_run_are_kept_for_it() {
    let mut core = accumulating();
    core.take(task_run("p", "t1", "build").success());
    core.pass(2 * HOUR);
    let sent = core.take(pipeline_run("p").success().children(&["t1"]));
    assert!(sent.contains(&SHOWN[0].to_owned()));
    assert_eq!(rows(&core, "p"), [row("t1", Some(RunState::Success))]);
}

#[test]
fn rule_11_a_member_that_still_runs_keeps_the_summary_waiting() {
    let mut core = accumulating();
    core.take(pipeline_run("p").started());
    core.take(task_run("p", "t1", "build").started());
    core.take(pipeline_run("p").success());
    assert_eq!(due_at(&core), core.now.after(Duration::from_secs(5)));
}

#[test]
fn rule_11_finally_tasks_come_last_and_others_in_the_order_they_started() {
    let mut core = accumulating();
    let began = |uid: &str, after_ms: u64, is_finally: bool| {
        task_run("p", uid, uid).success().with(|event| {
            event.started_at = Timestamp(START.0 + after_ms);
            event.is_finally = is_finally;
        })
    };
    core.take(pipeline_run("p").started());
    core.take(began("cleanup", 1, true));
    core.take(began("second", 3, false));
    core.take(began("first", 2, false));
    core.take(pipeline_run("p").success());
    let names: Vec<String> = rows(&core, "p").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["first", "second", "cleanup"]);
}

#[test]
fn rule_11_a_run_keeps_its_members_until_its_summary_was_shown() {
    let mut core = Core::with(|settings| {
        settings.accumulates = true;
        settings.straggler_window_ms = millis(2 * HOUR);
    });
    core.take(pipeline_run("p").success().children(&["t1"]));
    core.pass(2 * HOUR - MINUTE);
    assert_eq!(core.state.run_counts(), (1, 0));
    core.pass(MINUTE);
    assert_eq!(core.settle(), SHOWN);
}
