//! Rule 9 at the second level: times are believed within bounds, and ends that contradict each
//! other are weighed, shown and counted.

use super::*;

const YEAR_2099: Timestamp = Timestamp(4_070_908_800_000);
/// 2015-01-01T00:00:00Z.
const EARLIEST: Timestamp = Timestamp(1_420_070_400_000);
const SECOND: Duration = Duration::from_secs(1);

fn seconds(count: u64) -> u64 {
    count * 1_000
}

/// The core a minute after the start, so that events of the last minute are of the past.
fn core() -> Core {
    let mut core = Core::second();
    core.pass(10 * MINUTE);
    core
}

fn contradictions(core: &Core) -> u64 {
    core.state.counters().contradictions
}

/// (fate, whether it contradicted) of each line of the timeline.
fn timeline(core: &Core, uid: &str) -> Vec<(Fate, bool)> {
    core.run(uid).timeline.iter().map(|line| (line.fate, line.is_contradiction)).collect()
}

#[test]
fn s01c_a_run_of_2099_does_not_outlive_the_runs_after_it() {
    let mut core = core();
    let forged = pipeline_run("forged").on("sha", "build").success();
    core.take(forged.with(|event| {
        (event.created_at, event.last_transition, event.ce_time) =
            (YEAR_2099, YEAR_2099, YEAR_2099);
    }));
    assert_eq!(core.run("forged").facts.created_at, core.now);
    assert_eq!(core.state.counters().times_clamped, 1);
    core.pass(MINUTE);
    let after_ms = core.now.0 - START.0;
    let real = pipeline_run("real").on("sha", "build").created(after_ms).changed(after_ms);
    assert!(core.take(real.failure()).contains(&"status build failure".to_owned()));
}

#[test]
fn rule_09_no_time_counts_before_2015_and_what_is_unknown_stays_so() {
    let mut core = core();
    core.accept(pipeline_run("a").success().with(|event| {
        event.created_at = Timestamp(7);
        event.last_transition = Timestamp::UNKNOWN;
    }));
    let facts = &core.run("a").facts;
    assert_eq!((facts.created_at, facts.last_transition), (EARLIEST, Timestamp::UNKNOWN));
    assert_eq!(core.state.counters().times_clamped, 1);
    assert_eq!(core.accept(pipeline_run("b").success()), Fate::Accepted);
    assert_eq!(core.state.counters().times_clamped, 1);
}

#[test]
fn rule_09_a_run_that_claims_two_ages_keeps_the_younger() {
    let mut core = core();
    core.take(pipeline_run("old").on("sha", "build").created(seconds(10)).success());
    core.take(pipeline_run("new").on("sha", "build").created(seconds(20)).started());
    let older = pipeline_run("new").on("sha", "build").created(0).changed(seconds(30)).failure();
    assert!(core.take(older).contains(&"status build failure".to_owned()));
}

#[test]
fn f01_failed_running_passed_is_passed_and_the_old_failure_again_changes_nothing() {
    let mut core = core();
    // A lone one: it waits for nobody.
    let task = || task_run("", "t", "");
    let failed = || task().failure().version(110).changed(seconds(10));
    core.take(failed());
    core.take(task().running("again").version(130).changed(seconds(20)));
    let passed = task().success().version(140).changed(seconds(60));
    assert_eq!(core.state.known(&passed.clone().into()), None);
    assert_eq!(core.take(passed), ["status t success"]);
    assert_eq!(core.take(failed().again("x")), [""; 0]);
    assert_eq!(core.run("t").facts.state, RunState::Success);
    assert_eq!(contradictions(&core), 1);
    let last = timeline(&core, "t");
    assert_eq!(last, [(Fate::Accepted, false), (Fate::Superseded, false), (Fate::Accepted, true)]);
}

#[test]
fn s01b_a_forged_success_with_a_huge_version_does_not_hide_the_real_failure() {
    let mut core = core();
    let forged = pipeline_run("a").success().version(100_000_000_000_000_000);
    core.take(forged.changed(seconds(10)));
    let real = pipeline_run("a").failure().version(100).changed(seconds(60));
    assert_eq!(core.state.known(&real.clone().into()), None);
    assert_eq!(core.take(real), ["status a failure"]);
    assert_eq!(contradictions(&core), 1);
    assert_eq!(timeline(&core, "a"), [(Fate::Accepted, false), (Fate::Accepted, true)]);
}

#[test]
fn s01b_a_forged_success_after_the_real_failure_is_counted_and_not_shown() {
    let mut core = core();
    core.take(pipeline_run("a").failure().version(100).changed(seconds(60)));
    let forged = || pipeline_run("a").success().version(99).changed(seconds(90));
    assert_eq!(core.accept(forged()), Fate::Superseded);
    assert_eq!(core.settle(), [""; 0]);
    assert_eq!(contradictions(&core), 1);
    assert_eq!(timeline(&core, "a").last(), Some(&(Fate::Superseded, true)));
    // The same claim again is known by then.
    assert_eq!(core.accept(forged().again("x")), Fate::Duplicate);
    assert_eq!(contradictions(&core), 1);
    assert!(core.state.known(&forged().again("y").into()).is_none());
}

#[test]
fn s01b_the_real_failure_is_shown_also_when_the_record_has_shrunk() {
    let mut core = core();
    let now_ms = || core.now.0 - START.0;
    let (first, second) = (now_ms(), now_ms() + seconds(1));
    core.take(pipeline_run("a").success().version(10_000).changed(first));
    core.pass(3 * HOUR);
    assert!(core.state.run("a").is_none(), "the run is not shrunk");
    let real = pipeline_run("a").failure().version(100).changed(second);
    assert_eq!(core.state.known(&real.clone().into()), None);
    assert_eq!(core.take(real), ["status a failure"]);
    assert_eq!(contradictions(&core), 1);
    let copy = pipeline_run("a").success().version(10_000).changed(first).again("x");
    assert_eq!(core.accept(copy), Fate::Duplicate);
}

#[test]
fn s01b_a_success_that_contradicts_a_shrunk_failure_is_counted_and_not_shown() {
    let mut core = core();
    core.take(pipeline_run("a").failure().version(100).changed(seconds(60)));
    core.pass(3 * HOUR);
    let forged = pipeline_run("a").success().version(99).changed(seconds(90));
    assert_eq!(core.accept(forged), Fate::Superseded);
    assert_eq!(contradictions(&core), 1);
    assert_eq!(core.state.unplanned(), 0);
}

#[test]
fn v13_a_state_that_comes_back_is_shown_where_the_latest_counts() {
    let mut core = core();
    let running = |after| pipeline_run("a").running("working").changed(seconds(after));
    let waiting = pipeline_run("a").running("no node").changed(seconds(20)).with(|event| {
        (event.state, event.reason) = (RunState::Pending, "Pending".to_owned());
    });
    core.take(running(10));
    core.take(waiting);
    let again = || running(30).again("x");
    assert_eq!(core.state.known(&again().into()), None);
    assert_eq!(core.take(again()), ["status a running"]);
    assert_eq!(core.accept(again().again("y")), Fate::Duplicate);
    assert_eq!(core.accept(running(10).again("z")), Fate::Duplicate);
    assert_eq!(contradictions(&core), 0);
}

#[test]
fn v13_a_state_that_flaps_is_shown_a_bounded_number_of_times() {
    let mut core = core();
    let mut at = 0;
    let mut shown = 0;
    for turn in 0..200 {
        at += 1;
        let event = pipeline_run("a").running(if turn % 2 == 0 { "a" } else { "b" });
        let event = event.changed(seconds(at)).again(&format!("{turn}"));
        shown += u32::from(core.accept(event) == Fate::Accepted);
        core.settle();
    }
    assert_eq!(shown, 2 + claim::RETURNS_MAX);
}

#[test]
fn rule_22_at_the_first_level_ends_are_not_weighed_and_times_not_clamped() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success().version(7).with(|event| event.created_at = YEAR_2099));
    assert_eq!(core.run("a").facts.created_at, YEAR_2099);
    assert_eq!(core.accept(pipeline_run("a").failure().version(3)), Fate::Duplicate);
    let run = core.run("a");
    assert_eq!((run.ends.len(), run.returns), (0, 0));
    assert_eq!((contradictions(&core), core.state.counters().times_clamped), (0, 0));
}

#[test]
fn s01c_a_run_of_2099_from_the_first_level_gives_way_once_the_level_has_risen() {
    let mut core = Core::new();
    core.pass(10 * MINUTE);
    let forged = pipeline_run("forged").on("sha", "build").success();
    core.take(forged.with(|event| {
        (event.created_at, event.last_transition, event.ce_time) =
            (YEAR_2099, YEAR_2099, YEAR_2099);
    }));
    core.apply(Command::RaiseLevel { level: FeatureLevel::SECOND });
    core.pass(MINUTE);
    let after_ms = core.now.0 - START.0;
    let real = pipeline_run("real").on("sha", "build").created(after_ms).changed(after_ms);
    assert!(core.take(real.failure()).contains(&"status build failure".to_owned()));
}

#[test]
fn rule_22_an_end_from_the_first_level_is_weighed_once_the_level_has_risen() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success().version(1_000).changed(seconds(10)));
    core.apply(Command::RaiseLevel { level: FeatureLevel::SECOND });
    core.pass(10 * MINUTE);
    let real = pipeline_run("a").failure().version(100).changed(seconds(60));
    assert_eq!(core.take(real), ["status a failure"]);
}

#[test]
fn rule_09_the_fast_answer_before_the_log_says_what_apply_would_say() {
    let mut core = core();
    core.take(pipeline_run("a").failure().version(100).changed(seconds(60)));
    let events = [
        pipeline_run("a").failure().version(100).changed(seconds(60)),
        pipeline_run("a").failure().version(101).changed(seconds(60)),
        pipeline_run("a").success().version(101).changed(seconds(61)),
        pipeline_run("a").success().version(99).changed(seconds(61)),
        pipeline_run("a").running("late").changed(seconds(50)),
    ];
    for (number, event) in events.into_iter().enumerate() {
        let event: RunEvent = event.again(&format!("{number}")).into();
        let mut applied = core.clone();
        applied.pass(SECOND);
        let before = applied.state.unplanned();
        let fate = applied.accept(event.clone());
        let has_fired = applied.state.unplanned() > before;
        if core.state.known(&event).is_some() {
            assert_eq!((fate, has_fired), (Fate::Duplicate, false), "{number}");
        } else {
            assert!(number > 0, "the copy is not known");
        }
    }
}

#[test]
fn rule_09_each_event_of_a_run_behind_a_slow_clock_makes_it_no_younger() {
    let mut core = core();
    // The clock of the relay is behind: both were created later than it believes.
    let ahead = |created: u64| core_time_ahead(created);
    core.take(pipeline_run("old").on("sha", "build").created(ahead(1)).started());
    core.pass(SECOND);
    core.take(pipeline_run("new").on("sha", "build").created(ahead(2)).failure());
    core.pass(SECOND);
    let late = pipeline_run("old").on("sha", "build").created(ahead(1)).success();
    assert_eq!(core.take(late), ["chat build success"]);
}

/// Milliseconds after the start that are an hour ahead of what the core has seen.
fn core_time_ahead(seconds_later: u64) -> u64 {
    seconds(3_600 + seconds_later)
}

#[test]
fn rule_09_a_run_that_claims_to_be_younger_hides_no_newer_red() {
    let mut core = core();
    let old = || pipeline_run("old").on("sha", "build");
    core.take(old().created(seconds(10)).started());
    core.take(pipeline_run("new").on("sha", "build").created(seconds(20)).failure());
    core.take(old().created(seconds(30)).running("forged"));
    assert_eq!(core.take(old().created(seconds(30)).success()), ["chat build success"]);
}

#[test]
fn rule_09_another_object_under_the_uid_of_a_run_hides_no_red() {
    let other = |state: fn(Draft) -> Draft| {
        state(pipeline_run("a").on("sha", "build"))
            .with(|event| event.kind = crate::event::RunKind::TaskRun)
    };
    let mut core = core();
    core.take(pipeline_run("a").on("sha", "build").failure());
    assert_eq!(core.accept(other(Draft::success)), Fate::Superseded);
    assert_eq!((contradictions(&core), core.run("a").facts.state), (1, RunState::Failure));
    // Forged before the real one, it is not believed either.
    let mut core = self::core();
    core.take(other(Draft::success));
    let calls = core.take(pipeline_run("a").on("sha", "build").failure());
    assert!(calls.contains(&"status build failure".to_owned()), "{calls:?}");
    assert_eq!(contradictions(&core), 1);
    // A green of another object does not end a run that is under way, nor is an end undone.
    let mut core = self::core();
    core.take(pipeline_run("a").on("sha", "build").started());
    assert_eq!(core.accept(other(Draft::success)), Fate::Superseded);
    assert_eq!(core.run("a").facts.state, RunState::Running);
    let mut core = self::core();
    core.take(pipeline_run("a").on("sha", "build").success());
    assert_eq!(core.accept(other(|run| run.running("on"))), Fate::Superseded);
    assert_eq!(core.run("a").facts.state, RunState::Success);
}

#[test]
fn rule_09_an_object_is_another_one_by_its_kind_its_namespace_or_its_name() {
    type Change = fn(&mut RunEvent);
    let changes: [Change; 3] = [
        |event| event.kind = crate::event::RunKind::CustomRun,
        |event| event.namespace.push_str("-other"),
        |event| event.name.push_str("-other"),
    ];
    for change in changes {
        let mut core = core();
        core.take(pipeline_run("a").with(|event| event.name = "a-1".to_owned()).failure());
        let other = pipeline_run("a").with(|event| event.name = "a-1".to_owned()).with(change);
        assert_eq!(core.accept(other.success()), Fate::Superseded);
        assert_eq!((contradictions(&core), core.run("a").facts.state), (1, RunState::Failure));
    }
}

#[test]
fn rule_21_a_child_waits_for_the_parent_of_its_newest_facts_as_a_restored_state_has_it() {
    let mut core = core();
    let child = |parent: &str| task_run(parent, "t", "compile");
    core.accept(child("first").started());
    core.accept(child("second").running("moved"));
    let waiting = |state: &StateMachine, above: &str| {
        state.runs.waiting_for(&run_key(above)).collect::<Vec<_>>()
    };
    let mut restored = core.state.clone();
    restored.rebuild_indexes();
    for above in ["first", "second"] {
        assert_eq!(waiting(&core.state, above), waiting(&restored, above), "{above}");
    }
    assert_eq!(waiting(&core.state, "second"), [run_key("t")]);
}
