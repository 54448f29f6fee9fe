//! Rule 8: the run record is the transition memory; it shrinks, is touched, expires, is evicted,
//! and nothing beside it grows without end.

use super::*;

/// A core that remembers so many runs, and a run `r-N` that ended `N` minutes after the start.
fn crowded(runs_max: u64) -> Core {
    Core::with(|settings| settings.runs_max = runs_max)
}

fn counts(core: &Core) -> (usize, usize) {
    core.state.run_counts()
}

#[test]
fn rule_08_a_run_shrinks_when_it_is_final_delivered_and_quiet() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success());
    core.pass(HOUR - Duration::from_millis(1));
    assert_eq!(counts(&core), (1, 0));
    core.pass(Duration::from_millis(1));
    assert_eq!(counts(&core), (0, 1));
}

#[test]
fn rule_08_a_run_does_not_shrink_before_its_effects_are_settled() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").success());
    core.pass(2 * HOUR);
    assert_eq!(counts(&core), (1, 0));
    core.plan_all();
    core.pass(2 * HOUR);
    assert_eq!(counts(&core), (1, 0));
    core.settle();
    core.pass(HOUR);
    assert_eq!(counts(&core), (0, 1));
}

#[test]
fn rule_08_a_sighting_puts_off_the_shrinking() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success());
    core.pass(HOUR / 2);
    core.accept(pipeline_run("a").success().again("x"));
    core.pass(HOUR - Duration::from_millis(1));
    assert_eq!(counts(&core), (1, 0));
    core.pass(Duration::from_millis(1));
    assert_eq!(counts(&core), (0, 1));
}

#[test]
fn rule_08_known_transitions_are_recognised_after_the_run_shrank() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success());
    core.pass(2 * HOUR);
    let again = || pipeline_run("a").success().changed(9).again("x");
    assert_eq!(core.state.known(&again().into()).unwrap().fate, Fate::Duplicate);
    assert_eq!(core.accept(again()), Fate::Duplicate);
    assert_eq!(core.accept(pipeline_run("a").running("late").again("y")), Fate::Duplicate);
    assert_eq!(counts(&core), (0, 1));
}

#[test]
fn rule_08_a_new_attempt_reopens_a_run_that_shrank() {
    let mut core = Core::new();
    core.take(pipeline_run("a").failure());
    core.pass(2 * HOUR);
    assert_eq!(core.take(pipeline_run("a").attempt(1).success()).len(), 2);
    assert_eq!(counts(&core), (1, 0));
}

#[test]
fn rule_08_a_run_that_falls_silent_before_its_end_shrinks_after_a_day() {
    let mut core = Core::new();
    core.take(pipeline_run("a").started());
    core.pass(DAY - MINUTE);
    assert_eq!(counts(&core), (1, 0));
    core.pass(2 * HOUR);
    assert_eq!(counts(&core), (0, 1));
}

#[test]
fn rule_08_the_end_of_a_run_that_had_shrunk_before_it_fires() {
    let mut core = Core::new();
    core.take(pipeline_run("a").running("1 of 2"));
    core.pass(2 * DAY);
    let again = pipeline_run("a").running("1 of 2").again("x");
    assert_eq!(core.accept(again), Fate::Duplicate);
    assert_eq!(core.take(pipeline_run("a").running("2 of 2").changed(9)).len(), 2);
    core.pass(2 * DAY);
    assert_eq!(core.take(pipeline_run("a").success()).len(), 2);
}

#[test]
fn rule_08_the_memory_of_a_run_ends_its_life_after_the_last_sighting() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success());
    core.pass(7 * DAY - MINUTE);
    assert_eq!(counts(&core), (0, 1));
    core.pass(MINUTE);
    assert_eq!(counts(&core), (0, 0));
}

#[test]
fn rule_08_a_touch_extends_the_life_of_a_memory() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success());
    core.pass(6 * DAY);
    core.apply(Command::Touch(vec![run_key("a")]));
    core.pass(6 * DAY);
    assert_eq!(counts(&core), (0, 1));
    core.pass(DAY);
    assert_eq!(counts(&core), (0, 0));
}

#[test]
fn rule_08_a_touch_is_asked_for_when_a_quarter_of_the_life_has_passed() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success());
    let again = RunEvent::from(pipeline_run("a").success().again("x"));
    core.pass(42 * HOUR - MINUTE);
    assert_eq!(core.state.known(&again).unwrap().touch, None);
    core.pass(MINUTE);
    assert_eq!(core.state.known(&again).unwrap().touch, Some(run_key("a")));
    core.apply(Command::Touch(vec![run_key("a")]));
    assert_eq!(core.state.known(&again).unwrap().touch, None);
}

#[test]
fn rule_08_a_touch_of_an_unknown_run_remembers_nothing() {
    let mut core = Core::new();
    core.apply(Command::Touch(vec![run_key("ghost")]));
    assert_eq!(counts(&core), (0, 0));
}

#[test]
fn rule_08_only_shrunk_records_are_evicted_and_then_the_oldest() {
    let mut core = crowded(2);
    core.take(pipeline_run("first").success());
    core.pass(MINUTE);
    core.take(pipeline_run("second").success().changed(60_000));
    let full = core.apply(Command::Accept(Box::new(pipeline_run("third").started().into())));
    assert_eq!(full, Applied::Refused(Refusal::Full));
    core.pass(2 * HOUR);
    assert_eq!(core.accept(pipeline_run("third").started().changed(7_000_000)), Fate::Accepted);
    assert_eq!(counts(&core), (1, 1));
    assert!(core.state.tombstones.contains_key(&run_key("second")));
}

#[test]
fn rule_08_a_refused_event_may_be_sent_again() {
    let mut core = crowded(1);
    core.take(pipeline_run("a").success());
    let event = || pipeline_run("b").started().changed(7_200_000);
    core.apply(Command::Accept(Box::new(event().into())));
    core.pass(2 * HOUR);
    assert_eq!(core.accept(event()), Fate::Accepted);
}

#[test]
fn rule_08_an_evicted_run_that_is_sent_again_fires_nothing() {
    let mut core = crowded(1);
    core.take(pipeline_run("a").success());
    core.pass(3 * HOUR);
    core.take(pipeline_run("b").success().changed(3 * 3_600_000));
    assert_eq!(core.state.forgotten_before, START);
    core.pass(2 * HOUR);
    assert_eq!(core.accept(pipeline_run("a").success().again("x")), Fate::Superseded);
    assert_eq!(core.settle(), [""; 0]);
    assert_eq!(core.accept(pipeline_run("a").success().again("y")), Fate::Duplicate);
}

#[test]
fn rule_08_an_eviction_forgets_nothing_of_the_last_hour() {
    let mut core = crowded(1);
    core.take(pipeline_run("a").success().changed(3_600_000));
    core.pass(HOUR + MINUTE);
    core.accept(pipeline_run("b").success().changed(3_660_000));
    assert_eq!(core.state.forgotten_before, START.after(MINUTE));
}

#[test]
fn rule_08_the_end_of_an_unknown_run_fires_although_its_past_was_forgotten() {
    let mut core = Core::new();
    core.state.forgotten_before = START.after(HOUR);
    core.pass(2 * HOUR);
    assert_eq!(core.accept(pipeline_run("a").running("old")), Fate::Superseded);
    assert_eq!(core.take(pipeline_run("a").success().changed(7_200_000)).len(), 2);
}

#[test]
fn rule_08_a_storm_of_forgotten_runs_stays_within_the_bound() {
    let mut core = crowded(8);
    core.state.forgotten_before = START.after(HOUR);
    core.pass(2 * HOUR);
    for number in 0..50 {
        let event = pipeline_run(&format!("r-{number}")).success();
        assert_eq!(core.accept(event), Fate::Superseded);
    }
    assert_eq!(counts(&core), (0, 8));
}

#[test]
fn rule_08_a_lowered_bound_is_reached_by_the_next_accepts() {
    let mut core = Core::new();
    for number in 0..20 {
        core.take(pipeline_run(&format!("r-{number}")).success());
    }
    core.pass(2 * HOUR);
    core.apply(Command::Settings(Settings { runs_max: 5, ..Settings::default() }));
    core.accept(pipeline_run("new").success().changed(7_200_000));
    assert_eq!(counts(&core), (1, 4));
}

#[test]
fn rule_08_a_delivery_key_lives_for_its_ttl() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").success());
    core.pass(HOUR - Duration::from_millis(1));
    assert_eq!(core.state.deliveries_remembered(), 1);
    core.pass(Duration::from_millis(1));
    assert_eq!(core.state.deliveries_remembered(), 0);
}

#[test]
fn rule_08_timers_do_not_pile_up_with_events() {
    let mut core = Core::with(|settings| settings.accumulates = true);
    for number in 0..40 {
        core.pass(Duration::from_secs(1));
        core.take(pipeline_run("a").running(&format!("{number}")).changed(number));
    }
    // One each for the quiet run, its silence, and its two targets.
    assert_eq!(core.state.timers.len(), 4);
}

#[test]
fn rule_08_nothing_remains_of_a_run_when_its_life_is_over() {
    let mut core = Core::with(|settings| settings.accumulates = true);
    core.take(pipeline_run("p").started().group("g"));
    core.take(task_run("p", "t", "test").success());
    core.take(task_run("ghost", "u", "test").success());
    core.take(pipeline_run("p").success().group("g").children(&["t"]));
    core.pass(20 * DAY);
    let state = &core.state;
    assert_eq!(counts(&core), (0, 0));
    assert_eq!((state.summaries.accumulators.len(), state.summaries.groups.len()), (0, 0));
    assert_eq!((state.timers.len(), state.outbox.targets.len()), (0, 0));
    assert_eq!((state.part_bytes(Part::Past), state.deliveries_remembered()), (0, 0));
}

#[test]
fn rule_08_members_of_a_run_that_is_never_seen_are_forgotten_without_summaries_too() {
    let mut core = Core::new();
    core.take(task_run("ghost", "t", "test").success());
    core.pass(2 * HOUR);
    assert_eq!((counts(&core), core.state.summaries.accumulators.len()), ((0, 1), 0));
}
