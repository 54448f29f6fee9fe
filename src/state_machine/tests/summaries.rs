//! Rule 11: a summary is shown when every expected member is final, after the straggler window,
//! once more for later stragglers, and as incomplete when a run falls silent.

use super::*;
use crate::event::{Parent, SkippedTask};

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
    core.state.summaries.accumulators[&run_key("p")].due_at
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
    assert_eq!(core.state.summaries.accumulators[&run_key("p")].renderings, 2);
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

#[test]
fn accumulators_from_before_summaries_were_switched_on_end_by_silence() {
    let mut core = Core::second();
    core.take(task_run("never-heard-of", "t", "build").success());
    assert_eq!(core.state.summaries.accumulators.len(), 1);
    core.apply(Command::Settings(Settings { accumulates: true, ..Settings::default() }));
    core.pass(2 * DAY);
    assert_eq!(core.state.summaries.accumulators.len(), 0);
}

#[test]
fn rule_11_rows_of_one_task_go_by_their_display_name_or_their_run() {
    let mut core = accumulating();
    for index in 0..2 {
        core.take(task_run("p", &format!("p-test-{index}"), "test").success());
        core.take(task_run("p", &format!("p-lint-{index}"), "lint").success());
    }
    core.take(task_run("p", "p-pack", "pack").success());
    let shown = pipeline_run("p").success().children(&["p-lint-0", "p-lint-1"]);
    core.take(shown.with(|event| {
        event.children[0].display_name = "lint on linux".to_owned();
        event.children[1].display_name = "lint on mac".to_owned();
    }));
    let summary = core.state.summary(run_key("p")).unwrap();
    let mut names: Vec<_> = summary.rows.iter().map(|row| row.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["lint on linux", "lint on mac", "p-test-0", "p-test-1", "pack"]);
}

#[test]
fn rule_11_skipped_tasks_are_rows_with_their_reason() {
    let mut core = accumulating();
    core.take(pipeline_run("p").success().with(|event| {
        let reason = "When Expressions evaluated to false".to_owned();
        event.skipped_tasks = vec![SkippedTask { name: "deploy".to_owned(), reason }];
    }));
    let summary = core.state.summary(run_key("p")).unwrap();
    let row = &summary.rows[0];
    assert!(row.is_skipped && !summary.is_incomplete);
    assert_eq!((row.name.as_str(), row.state), ("deploy", None));
    assert_eq!(row.reason, "When Expressions evaluated to false");
}

#[test]
fn rule_11_an_ignored_failure_is_no_failure_of_its_pipeline() {
    let mut core = accumulating();
    core.apply(Command::RaiseLevel { level: FeatureLevel::SECOND });
    let ignored = |event: &mut RunEvent| event.reason = "FailureIgnored".to_owned();
    core.take(pipeline_run("p").started());
    core.take(task_run("p", "p-soft", "soft").with(ignored).failure());
    core.take(
        task_run("p", "p-hard", "hard").with(|e| e.reason = "StepFailed".to_owned()).failure(),
    );
    core.take(pipeline_run("p").failure());
    assert_eq!(core.run("p").context.failed_tasks, "hard (StepFailed)");
    let summary = core.state.summary(run_key("p")).unwrap();
    let ignored: Vec<_> = summary.rows.iter().filter(|row| row.is_ignored).collect();
    assert_eq!((ignored.len(), ignored[0].name.as_str()), (1, "soft"));
}

#[test]
fn rule_11_a_pipeline_in_a_pipeline_is_a_member_of_the_outer_one() {
    let mut core = accumulating();
    core.apply(Command::RaiseLevel { level: FeatureLevel::SECOND });
    let inner = pipeline_run("p-inner").with(|event| {
        event.parent = Parent { uid: "p".to_owned(), name: "p".to_owned() };
        event.pipeline_task = "inner".to_owned();
    });
    core.take(pipeline_run("p").started());
    core.take(inner.success());
    let sent = core.take(pipeline_run("p").success().children(&["p-inner"]));
    assert!(sent.contains(&SHOWN[0].to_owned()), "{sent:?}");
    assert_eq!(rows(&core, "p"), [row("p-inner", Some(RunState::Success))]);
}

#[test]
fn rule_11_an_end_that_completes_its_summary_is_told_by_it() {
    let mut core = accumulating();
    core.apply(Command::RaiseLevel { level: FeatureLevel::SECOND });
    core.take(task_run("p", "t1", "build").success());
    core.accept(pipeline_run("p").success().children(&["t1"]));
    let queue = &core.run("p").queue;
    let told: Vec<_> = queue.iter().map(|queued| queued.context.is_summed_up).collect();
    assert_eq!(told, [true, false]);
    core.accept(pipeline_run("q").success().children(&["t9"]));
    assert!(core.run("q").queue.iter().all(|queued| !queued.context.is_summed_up));
}

#[test]
fn d11_a_task_of_another_namespace_gets_no_row_whichever_comes_first() {
    for is_foreign_first in [true, false] {
        let mut core = Core::second();
        core.apply(Command::Settings(Settings { accumulates: true, ..Settings::default() }));
        let foreign = || {
            task_run("root", "evil", "deploy").failure().with(|event| {
                event.namespace = "evil".to_owned();
            })
        };
        if is_foreign_first {
            core.accept(foreign());
        }
        core.accept(pipeline_run("root").started());
        core.accept(task_run("root", "own", "compile").success());
        if !is_foreign_first {
            core.accept(foreign());
        }
        let members: Vec<_> = core
            .state
            .summaries
            .accumulators
            .get(&run_key("root"))
            .unwrap()
            .members
            .keys()
            .collect();
        assert_eq!(members, ["own"]);
        assert_eq!(core.state.counters().contradictions, 1);
    }
}

#[test]
fn d11_what_made_a_root_fail_is_of_its_namespace_whether_summaries_are_built_or_not() {
    for accumulates in [true, false] {
        let mut core = Core::second();
        core.apply(Command::Settings(Settings { accumulates, ..Settings::default() }));
        for (uid, namespace) in [("evil", "evil"), ("own", "")] {
            core.accept(task_run("root", uid, uid).failure().with(|event| {
                if !namespace.is_empty() {
                    event.namespace = namespace.to_owned();
                }
            }));
        }
        core.accept(pipeline_run("root").failure());
        assert_eq!(core.run("root").context.failed_tasks, "own ()", "{accumulates}");
    }
}
