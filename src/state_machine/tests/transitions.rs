//! Rule 9 and promise 3: one transition fires once, whatever ids and orders it comes in.

use super::*;

#[test]
fn rule_09_a_delivery_that_is_repeated_is_a_duplicate() {
    let mut core = Core::new();
    assert_eq!(core.accept(pipeline_run("a").success()), Fate::Accepted);
    assert_eq!(core.accept(pipeline_run("a").success()), Fate::Duplicate);
    assert_eq!(core.state.unplanned(), 1);
    assert_eq!(core.state.counters().fates[&Fate::Duplicate], 1);
}

#[test]
fn rule_09_one_id_with_another_type_is_another_delivery() {
    let mut core = Core::new();
    assert_eq!(core.accept(pipeline_run("a").started().again("x")), Fate::Accepted);
    assert_eq!(core.accept(pipeline_run("a").success().again("x")), Fate::Accepted);
}

#[test]
fn rule_09_the_same_transition_under_a_new_id_is_a_duplicate() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.accept(pipeline_run("a").success().changed(5));
    assert_eq!(core.accept(pipeline_run("a").started().again("x")), Fate::Duplicate);
    assert_eq!(core.accept(pipeline_run("a").success().changed(9).again("y")), Fate::Duplicate);
    assert_eq!(core.state.unplanned(), 2);
}

#[test]
fn rule_09_running_events_differ_by_reason_and_message() {
    let mut core = Core::new();
    assert_eq!(core.accept(pipeline_run("a").running("1 of 2")), Fate::Accepted);
    assert_eq!(core.accept(pipeline_run("a").running("2 of 2").changed(1)), Fate::Accepted);
    let repeated = pipeline_run("a").running("2 of 2").changed(2).again("x");
    assert_eq!(core.accept(repeated), Fate::Duplicate);
}

#[test]
fn rule_09_late_running_event_after_success_is_superseded() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").success());
    assert_eq!(core.accept(pipeline_run("a").running("late").changed(9)), Fate::Superseded);
    assert_eq!(core.state.unplanned(), 1);
    assert_eq!(core.run("a").timeline.back().unwrap().fate, Fate::Superseded);
    assert_eq!(core.run("a").facts.state, RunState::Success);
}

#[test]
fn rule_09_a_new_attempt_reopens_a_finished_task() {
    let mut core = Core::new();
    let task = || task_run("p", "t", "test");
    core.take(task().failure());
    assert_eq!(core.take(task().attempt(1).running("ToBeRetried")).len(), 2);
    assert_eq!(core.accept(task().failure().again("x")), Fate::Superseded);
    assert_eq!(core.take(task().attempt(1).success()), ["status t success", "chat t success"]);
}

#[test]
fn rule_09_new_facts_of_a_known_transition_are_merged_and_fire_nothing() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success());
    let late = || pipeline_run("a").success().again("x").label("core");
    assert_eq!(core.state.known(&late().into()), None);
    assert_eq!(core.accept(late()), Fate::Duplicate);
    assert_eq!(core.state.unplanned(), 0);
    assert_eq!(core.run("a").facts.labels["team"], "core");
    let again = core.state.known(&late().again("y").into()).unwrap();
    assert_eq!((again.fate, again.touch), (Fate::Duplicate, None));
}

#[test]
fn rule_09_facts_of_an_older_transition_do_not_replace_newer_ones() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.accept(pipeline_run("a").success().label("new"));
    core.accept(pipeline_run("a").started().again("x").label("old"));
    assert_eq!(core.run("a").facts.labels["team"], "new");
}

#[test]
fn rule_09_a_second_different_final_state_is_taken_once_for_latest_targets_only() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success().version(1));
    assert_eq!(core.accept(pipeline_run("a").failure().version(2)), Fate::Accepted);
    assert_eq!(core.queued("a"), [Origin::Reported { is_latest_only: true }]);
    assert_eq!(core.settle(), ["status a failure"]);
    let third = pipeline_run("a").success().version(3).again("x");
    assert_eq!(core.accept(third), Fate::Duplicate);
    assert_eq!(core.settle(), [""; 0]);
}

#[test]
fn rule_09_a_second_final_state_needs_a_higher_resource_version() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").success().version(7));
    assert_eq!(core.accept(pipeline_run("a").failure().version(7)), Fate::Duplicate);
    assert_eq!(core.run("a").facts.state, RunState::Success);
}

#[test]
fn rule_09_a_second_final_state_is_shown_also_when_its_times_are_behind() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success().version(1).changed(1_000));
    assert_eq!(core.take(pipeline_run("a").failure().version(2)), ["status a failure"]);
}

#[test]
fn rule_09_a_new_attempt_may_have_a_second_final_state_of_its_own() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").success().version(1));
    core.accept(pipeline_run("a").failure().version(2));
    core.accept(pipeline_run("a").attempt(1).failure().version(3));
    assert_eq!(core.accept(pipeline_run("a").attempt(1).success().version(4)), Fate::Accepted);
}

#[test]
fn rule_09_beyond_64_transitions_only_final_ones_are_kept() {
    let mut core = Core::new();
    for number in 0..64 {
        let event = pipeline_run("a").running(&format!("{number}")).changed(number);
        assert_eq!(core.accept(event), Fate::Accepted);
    }
    let surplus = pipeline_run("a").running("surplus").changed(99);
    assert_eq!(core.accept(surplus), Fate::Superseded);
    assert_eq!(core.state.counters().transitions_uncounted, 1);
    assert_eq!(core.run("a").transitions.len(), TRANSITIONS_MAX);
    assert_eq!(core.accept(pipeline_run("a").success().changed(99)), Fate::Accepted);
}

#[test]
fn rule_09_a_new_attempt_starts_with_room_for_its_transitions() {
    let mut core = Core::new();
    for number in 0..64 {
        core.accept(pipeline_run("a").running(&format!("{number}")).changed(number));
    }
    assert_eq!(core.accept(pipeline_run("a").attempt(1).running("x")), Fate::Accepted);
    assert_eq!(core.run("a").transitions.len(), 1);
}

#[test]
fn rule_09_the_timeline_keeps_its_newest_entries() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").success());
    for number in 0..TIMELINE_MAX {
        let uid = format!("{number}");
        core.accept(pipeline_run("a").queued().again(&uid).attempt(0));
        let attempt = u32::try_from(number).unwrap() + 1;
        core.accept(pipeline_run("a").attempt(attempt).success());
    }
    assert_eq!(core.run("a").timeline.len(), TIMELINE_MAX);
    assert_eq!(core.run("a").timeline.back().unwrap().fate, Fate::Accepted);
}
