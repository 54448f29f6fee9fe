//! Rule 14: bounds of lanes and of the outbox.

use super::*;

/// A core whose run `a` has so many messages waiting.
fn waiting(count: usize) -> Core {
    let mut core = Core::new();
    for number in 0..count {
        let attempt = u32::try_from(number).unwrap();
        core.accept(pipeline_run("a").attempt(attempt).success());
    }
    core.plan_all();
    core
}

#[test]
fn rule_14_a_stream_lane_holds_64_and_gives_up_the_oldest() {
    let core = waiting(STREAM_LANE_MAX);
    assert_eq!(core.letters(), [""; 0]);
    let core = waiting(STREAM_LANE_MAX + 1);
    let letters: Vec<_> = core.state.dead_letters().collect();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].event.attempt, letters[0].route.action.as_str()), (0, "chat"));
    assert_eq!(letters[0].cause.kind, CauseKind::BacklogFull);
}

#[test]
fn rule_14_the_message_on_the_wire_is_not_given_up() {
    let mut core = waiting(1);
    let grant = core.begin(core.chat("a")).unwrap();
    for attempt in 1..=65 {
        core.accept(pipeline_run("a").attempt(attempt).success());
    }
    core.plan_all();
    assert_eq!(core.letters(), ["backlog_full"]);
    core.deliver(grant);
    assert!(core.settled("a").contains(&"chat success delivered".to_owned()));
}

#[test]
fn rule_14_a_latest_lane_holds_what_is_on_the_wire_and_the_newest() {
    let mut core = waiting(1);
    core.begin(core.status("a")).unwrap();
    for attempt in 1..=9 {
        core.accept(pipeline_run("a").attempt(attempt).success());
    }
    core.plan_all();
    let lane = core.record(core.status("a")).lane();
    let attempts: Vec<u32> = core.state.outbox.lane(&lane).map(|e| e.event.attempt).collect();
    assert_eq!(attempts, [0, 9]);
}

#[test]
fn rule_14_the_largest_backlog_gives_way_oldest_first_and_not_from_the_wire() {
    let mut core = waiting(3);
    let oldest = core.state.outbox.to_give_up(FeatureLevel::FIRST).unwrap();
    assert_eq!(core.describe(oldest), "chat a success");
    assert_eq!(core.record(oldest).event.attempt, 0);
    assert_eq!(core.begin(oldest).map(|grant| grant.attempt), Some(1));
    let next = core.state.outbox.to_give_up(FeatureLevel::FIRST).unwrap();
    assert_eq!(core.record(next).event.attempt, 1);
}

#[test]
fn rule_14_a_text_that_would_fill_the_outbox_becomes_a_dead_letter_and_accepts_go_on() {
    let mut core = Core::new();
    let huge = "x".repeat(usize::try_from(outbox::OUTBOX_BYTES_MAX / 2).unwrap());
    assert_eq!(core.accept(pipeline_run("a").running(&huge)), Fate::Accepted);
    core.plan_all();
    assert_eq!(core.letters(), ["backlog_full"]);
    assert_eq!(core.state.backlog(), 1);
    assert_eq!(core.accept(pipeline_run("b").started()), Fate::Accepted);
}

#[test]
fn rule_14_the_outbox_counts_down_when_effects_leave() {
    let mut core = waiting(3);
    core.settle();
    assert_eq!(core.state.backlog(), 0);
    let text = format!("{:?}", core.state.outbox);
    assert!(text.contains("bytes: 0"), "{text}");
    assert!(text.contains("by_instance: {}"), "{text}");
    assert!(
        text.contains("placements: {}, firsts: {}, of_slot: {}, queues: {}, later: {}"),
        "{text}"
    );
    assert!(text.contains("open: {}"), "{text}");
}
