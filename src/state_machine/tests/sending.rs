//! Rules 1 and 3, while nobody moves: begin before send, and what a crash leaves in doubt.

use super::*;

#[test]
fn rule_01_a_begin_is_refused_to_whoever_is_not_the_owner_in_this_life_and_epoch() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let id = core.status("a");
    let owner = core.owner(core.record(id).slot);
    let strangers = [
        Owner { node: B, ..owner },
        Owner { boot: owner.boot + 1, ..owner },
        Owner { epoch: owner.epoch + 1, ..owner },
        Owner { epoch: owner.epoch - 1, ..owner },
    ];
    for stranger in strangers {
        assert_eq!(core.begin_as(stranger, id), Applied::Refused(Refusal::NotOwner));
    }
    let other_slot = SlotId::all().find(|slot| *slot != owner.slot).unwrap();
    let elsewhere = core.owner(other_slot);
    assert_eq!(core.begin_as(elsewhere, id), Applied::Begun(Vec::new()));
    assert_eq!(core.begin_as(owner, id), Applied::Begun(vec![Grant { effect: id, attempt: 1 }]));
}

#[test]
fn rule_01_the_first_begin_carries_the_plan_and_is_granted_what_it_planned() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    let mut begin = core.next_plan().unwrap();
    ask_for_all(&mut begin);
    let grants = begin.asked.clone();
    assert_eq!(grants.len(), 2);
    assert_eq!(core.apply(Command::Begin(begin)), Applied::Begun(grants));
    assert_eq!((core.state.unplanned(), core.state.backlog()), (0, 2));
}

#[test]
fn rule_01_an_empty_plan_takes_the_event_out_of_its_queue_and_keeps_the_reasons() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    let mut begin = core.next_plan().unwrap();
    let planned = begin.planned.as_mut().unwrap();
    planned.effects.clear();
    planned.skipped = vec![Skipped { route: route("status"), reason: SkipReason::WhenFalse }];
    assert_eq!(core.apply(Command::Begin(begin)), Applied::Begun(Vec::new()));
    assert_eq!((core.state.unplanned(), core.state.backlog()), (0, 0));
    assert_eq!(core.settled("a"), ["status running when_false"]);
    assert_eq!(core.state.counters().skipped[&SkipReason::WhenFalse], 1);
}

#[test]
fn rule_01_a_plan_counts_only_from_the_owner_of_the_runs_slot() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    let mut begin = core.next_plan().unwrap();
    let own = begin.owner.slot;
    begin.owner = core.owner(SlotId::all().find(|slot| *slot != own).unwrap());
    assert_eq!(core.apply(Command::Begin(begin)), Applied::Begun(Vec::new()));
    assert_eq!((core.state.unplanned(), core.state.backlog()), (1, 0));
}

#[test]
fn rule_01_a_rule_that_fails_becomes_a_dead_letter_and_the_other_routes_go_on() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    let mut begin = core.next_plan().unwrap();
    let planned = begin.planned.as_mut().unwrap();
    planned.failed.push(FailedRoute { route: route("email"), cause: cause() });
    core.apply(Command::Begin(begin));
    assert_eq!((core.letters(), core.state.backlog()), (vec!["server"], 2));
}

#[test]
fn rule_01_a_record_counts_only_if_it_names_the_open_begin() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let id = core.status("a");
    let first = core.begin(id).unwrap();
    core.fail(first, 0);
    let second = core.begin(id).unwrap();
    assert_eq!(second.attempt, 2);
    core.deliver(first);
    assert_eq!(core.settled("a"), Vec::<String>::new());
    core.deliver(second);
    assert_eq!(core.settled("a"), ["status running delivered"]);
}

#[test]
fn rule_01_an_outcome_without_an_open_begin_settles_nothing() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let id = core.status("a");
    core.deliver(Grant { effect: id, attempt: 0 });
    assert_eq!(core.settled("a"), [""; 0]);
    let grant = core.begin(id).unwrap();
    core.fail(grant, 0);
    core.deliver(grant);
    assert_eq!(core.settled("a"), [""; 0]);
    assert_eq!(core.record(id).attempts, 1);
}

#[test]
fn rule_01_a_record_counts_whatever_the_epoch_is_by_then() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let grant = core.begin(core.status("a")).unwrap();
    core.assign(B, true);
    core.deliver(grant);
    assert_eq!(core.settled("a"), ["status running delivered"]);
    assert_eq!((core.state.counters().in_doubt, core.state.counters().late), (0, 0));
}

#[test]
fn rule_01_a_failed_attempt_waits_as_long_as_it_was_told() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let id = core.status("a");
    let grant = core.begin(id).unwrap();
    core.fail(grant, 5_000);
    assert_eq!(core.state.next_send(), Some(core.now.after(Duration::from_secs(5))));
    assert_eq!(core.next_send(), Some(core.chat("a")));
    core.pass(Duration::from_secs(5));
    assert_eq!(core.record(id).last_cause, Some(cause()));
    assert_eq!(core.settle().len(), 2);
}

#[test]
fn rule_01_what_never_left_may_be_begun_at_once_and_its_record_ends_no_later_begin() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let id = core.status("a");
    let first = core.begin(id).unwrap();
    core.outcome(first, AttemptResult::Unsent);
    let second = core.begin(id).unwrap();
    core.outcome(first, AttemptResult::Unsent);
    assert!(core.record(id).open.is_some());
    assert_ne!(first.attempt, second.attempt);
    assert_eq!(core.state.counters().in_doubt, 0);
}

#[test]
fn rule_01_an_effect_that_owes_nothing_when_rendered_ends_as_skipped() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let grant = core.begin(core.status("a")).unwrap();
    core.outcome(grant, AttemptResult::Skipped(SkipReason::MissingFacts));
    assert_eq!(core.settled("a"), ["status running missing_facts"]);
}

#[test]
fn rule_02_a_newer_boot_puts_what_was_on_the_wire_in_doubt_and_counts_it() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let id = core.status("a");
    core.begin(id).unwrap();
    assert_eq!(core.boot(A, 2), Applied::Done);
    assert_eq!(core.state.counters().in_doubt, 1);
    assert!(core.record(id).is_in_doubt);
    assert_eq!(core.begin(id), Some(Grant { effect: id, attempt: 2 }));
}

#[test]
fn rule_02_a_boot_leaves_the_calls_of_other_nodes_alone() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let id = core.status("a");
    core.begin(id).unwrap();
    core.boot(B, 2);
    assert_eq!(core.state.counters().in_doubt, 0);
    assert!(core.record(id).open.is_some());
}

#[test]
fn rule_02_doubt_passes_to_the_newer_effect_that_takes_the_place() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    core.begin(core.status("a")).unwrap();
    core.boot(A, 2);
    core.accept(pipeline_run("a").success());
    core.plan_all();
    assert_eq!(core.settled("a"), ["status running superseded"]);
    assert!(core.record(core.status("a")).is_in_doubt);
}

#[test]
fn rule_23_a_boot_number_that_is_not_above_the_known_one_is_a_copied_disk() {
    let mut core = Core::new();
    core.boot(A, 5);
    assert_eq!(core.boot(A, 4), Applied::Refused(Refusal::StaleBoot));
    assert_eq!(core.state.boot_of(A), Some(5));
}

#[test]
fn the_first_begin_of_an_effect_is_remembered() {
    let mut core = Core::second();
    core.accept(pipeline_run("a").success());
    core.plan_all();
    core.pass(HOUR);
    let first = core.begin(core.status("a")).unwrap();
    let begun_at = core.now;
    core.fail(first, 0);
    core.pass(MINUTE);
    core.begin(first.effect).unwrap();
    assert_eq!(core.record(first.effect).first_begun_at, begun_at);
}
