//! Rules 2 and 3: taking over from a dead or frozen owner, and what its late answers lead to.

use super::*;

const WAIT: Duration = Duration::from_secs(11);

/// The status of run `a` is on the wire of node A when its slots move to node B.
fn moved(is_forced: bool) -> (Core, Grant) {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let grant = core.begin(core.status("a")).unwrap();
    core.assign(B, is_forced);
    (core, grant)
}

/// As [`moved`], and node B has begun the effect anew.
fn replaced() -> (Core, Grant, Grant) {
    let (mut core, old) = moved(true);
    core.pass(WAIT);
    let new = core.begin(old.effect).unwrap();
    (core, old, new)
}

#[test]
fn rule_02_what_is_not_on_the_wire_goes_on_at_once_after_a_forced_move() {
    let (mut core, _) = moved(true);
    let chat = core.chat("a");
    assert_eq!(core.begin(chat), Some(Grant { effect: chat, attempt: 1 }));
}

#[test]
fn rule_02_an_open_begin_of_the_old_owner_is_begun_anew_after_11_s_and_not_before() {
    let (mut core, old) = moved(true);
    core.pass(WAIT - Duration::from_millis(1));
    assert_eq!(core.begin(old.effect), None);
    core.pass(Duration::from_millis(1));
    assert_eq!(core.begin(old.effect), Some(Grant { effect: old.effect, attempt: 2 }));
    assert_eq!(core.state.counters().in_doubt, 1);
    assert!(core.record(old.effect).is_in_doubt);
}

#[test]
fn rule_02_the_new_owner_finds_what_it_may_take_over_among_its_due_work() {
    let (mut core, old) = moved(true);
    let takeover_at = core.now.after(WAIT);
    assert_eq!(core.state.next_send(), Some(takeover_at));
    let chat = core.begin(core.chat("a")).unwrap();
    core.deliver(chat);
    assert_eq!(core.next_send(), None);
    core.pass(WAIT);
    assert_eq!(core.next_send(), Some(old.effect));
    assert_eq!(core.state.due_work(A, core.now).count(), 0);
}

#[test]
fn rule_02_a_newer_boot_of_the_old_owner_ends_the_wait() {
    let (mut core, old) = moved(true);
    core.boot(A, 2);
    assert_eq!(core.begin(old.effect), Some(Grant { effect: old.effect, attempt: 2 }));
    assert_eq!(core.state.counters().in_doubt, 1);
}

#[test]
fn rule_02_an_owner_that_dies_after_a_planned_move_does_not_hold_its_effect_for_ever() {
    let (mut core, old) = moved(false);
    assert_eq!(core.begin(old.effect), None);
    core.pass(WAIT);
    assert_eq!(core.begin(old.effect).map(|grant| grant.attempt), Some(2));
}

#[test]
fn rule_02_a_second_move_does_not_hold_the_effect_of_the_first_owner_for_ever() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let old = core.begin(core.status("a")).unwrap();
    let third = NodeId(3);
    core.boot(third, 1);
    core.assign(B, true);
    core.assign(third, false);
    core.pass(WAIT);
    let owner = core.owner(core.record(old.effect).slot);
    let granted = Applied::Begun(vec![Grant { effect: old.effect, attempt: 2 }]);
    assert_eq!(core.begin_as(owner, old.effect), granted);
}

#[test]
fn rule_03_a_late_delivery_is_counted_and_the_newest_state_is_sent_once_more() {
    let (mut core, old, new) = replaced();
    core.deliver(new);
    core.accept(pipeline_run("a").success());
    core.settle();
    core.deliver(old);
    assert_eq!(core.state.counters().late, 1);
    let repair = Origin::Repair { effect: old.effect, attempt: 1, route: route("status") };
    assert_eq!(core.queued("a"), [repair]);
    assert_eq!(core.settle(), ["status a success"]);
}

#[test]
fn rule_03_a_repair_starts_in_doubt_of_what_the_target_holds() {
    let (mut core, old, new) = replaced();
    core.deliver(new);
    core.deliver(old);
    core.plan_all();
    assert!(core.record(core.status("a")).is_in_doubt);
}

#[test]
fn rule_03_a_late_record_counts_once() {
    let (mut core, old, _) = replaced();
    core.deliver(old);
    let before = core.text();
    core.deliver(old);
    assert_eq!(core.text(), before);
    assert_eq!(core.state.counters().late, 1);
    assert_eq!(core.queued("a").len(), 1);
    assert_eq!(core.settled("a"), ["status running late"]);
}

#[test]
fn rule_03_a_late_receipt_is_kept_in_the_history_of_its_run() {
    let (mut core, old, new) = replaced();
    core.outcome(new, AttemptResult::Delivered(receipt("new")));
    core.outcome(old, AttemptResult::Delivered(receipt("late")));
    let settled = core.run("a").settled.iter();
    let lines: Vec<_> = settled.map(|line| (line.attempts, line.settlement.clone())).collect();
    let expected =
        [(2, Settlement::Delivered(receipt("new"))), (1, Settlement::Late(receipt("late")))];
    assert_eq!(lines, expected);
}

#[test]
fn rule_03_a_late_failure_has_no_receipt_to_keep() {
    let (mut core, old, _) = replaced();
    core.fail(old, 0);
    assert_eq!(core.settled("a"), [""; 0]);
}

#[test]
fn rule_03_a_late_failure_may_have_been_carried_out_too() {
    let (mut core, old, _) = replaced();
    core.fail(old, 0);
    assert_eq!(core.queued("a").len(), 1);
}

#[test]
fn rule_03_a_call_that_never_left_needs_no_repair() {
    let (mut core, old, _) = replaced();
    core.outcome(old, AttemptResult::Unsent);
    assert_eq!(core.state.counters().late, 1);
    assert_eq!(core.queued("a"), Vec::<Origin>::new());
}

#[test]
fn rule_03_the_next_boot_of_the_old_owner_settles_its_replaced_begin() {
    let (mut core, old, new) = replaced();
    core.deliver(new);
    core.boot(A, 2);
    assert_eq!(core.queued("a").len(), 1);
    core.deliver(old);
    assert_eq!(core.queued("a").len(), 1);
    assert_eq!(core.state.counters().late, 0);
}

#[test]
fn rule_03_an_object_that_the_late_call_made_is_adopted_where_none_is_known() {
    let (mut core, old, new) = replaced();
    core.outcome(old, AttemptResult::Delivered(receipt("late")));
    let target = core.record(new.effect).target.clone();
    assert_eq!(core.state.remote_id(&target), Some("late"));
    core.outcome(new, AttemptResult::Delivered(receipt("new")));
    assert_eq!(core.state.remote_id(&target), Some("new"));
}

#[test]
fn rule_03_an_object_that_is_known_is_not_exchanged_for_the_late_one() {
    let (mut core, old, new) = replaced();
    core.outcome(new, AttemptResult::Delivered(receipt("new")));
    core.outcome(old, AttemptResult::Delivered(receipt("late")));
    let target = TargetKey("status/sha-a/tekton/build".to_owned());
    assert_eq!(core.state.remote_id(&target), Some("new"));
}

#[test]
fn rule_03_a_message_is_not_sent_once_more() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let old = core.begin(core.chat("a")).unwrap();
    core.assign(B, true);
    core.pass(WAIT);
    let new = core.begin(old.effect).unwrap();
    core.deliver(new);
    core.deliver(old);
    assert_eq!(core.state.counters().late, 1);
    assert_eq!(core.queued("a"), Vec::<Origin>::new());
}

#[test]
fn rule_03_the_repair_of_a_shared_target_shows_the_newest_run() {
    let mut core = Core::new();
    core.accept(pipeline_run("old").on("c", "x").started());
    core.plan_all();
    let old = core.begin(core.status("old")).unwrap();
    core.assign(B, true);
    core.pass(WAIT);
    let new = core.begin(old.effect).unwrap();
    core.deliver(new);
    core.take(pipeline_run("new").on("c", "x").created(1).started());
    core.deliver(old);
    assert_eq!(core.queued("old"), Vec::<Origin>::new());
    assert_eq!(core.queued("new").len(), 1);
}

#[test]
fn rule_03_a_call_that_ends_after_the_life_of_its_run_is_repaired_all_the_same() {
    let (mut core, old, new) = replaced();
    core.deliver(new);
    core.take(pipeline_run("a").success());
    core.pass(2 * DAY);
    assert_eq!(core.state.run_counts(), (1, 0));
    core.deliver(old);
    assert_eq!(core.settle(), ["status a success"]);
    core.pass(HOUR);
    assert_eq!(core.state.run_counts(), (0, 1));
}

#[test]
fn rule_03_the_last_writer_of_a_target_is_kept_for_the_repair_of_another_runs_call() {
    let mut core = Core::with(|settings| settings.transition_ttl_ms = millis(DAY));
    core.accept(pipeline_run("old").on("c", "x").success());
    core.plan_all();
    let old = core.begin(core.status("old")).unwrap();
    core.assign(B, true);
    core.pass(WAIT);
    let new = core.begin(old.effect).unwrap();
    core.deliver(new);
    core.take(pipeline_run("new").on("c", "x").created(1).success());
    core.take(pipeline_run("other").success());
    core.pass(2 * DAY);
    assert_eq!(core.state.run_counts(), (2, 0));
    core.deliver(old);
    assert_eq!(core.queued("new").len(), 1);
    core.settle();
    core.pass(2 * DAY);
    assert_eq!((core.state.run_counts(), core.state.outbox.targets.len()), ((0, 0), 0));
}

#[test]
fn rule_03_a_message_that_may_still_be_sent_keeps_no_run() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").success());
    core.plan_all();
    let old = core.begin(core.chat("a")).unwrap();
    core.assign(B, true);
    core.pass(WAIT);
    core.begin(old.effect).unwrap();
    core.settle();
    let again = Grant { attempt: 2, ..old };
    core.deliver(again);
    core.pass(2 * HOUR);
    assert_eq!((core.state.outbox.replaced.len(), core.state.run_counts()), (1, (0, 1)));
}

#[test]
fn rule_07_an_effect_that_ended_three_nodes_is_poison_also_when_each_was_taken_over() {
    let (mut core, old, _) = replaced();
    core.boot(A, 2);
    for number in 2..=3 {
        assert_eq!(core.letters(), [""; 0]);
        core.begin(old.effect);
        core.boot(B, number);
    }
    assert_eq!(core.letters(), ["poison"]);
}

/// As [`replaced`], and two processes of node B ended with the effect on the wire of it, when node
/// A starts anew. A third process of B has it on the wire now.
fn ended_thrice() -> (Core, Grant) {
    let (mut core, old, _) = replaced();
    for number in 2..=3 {
        core.boot(B, number);
        core.begin(old.effect).unwrap();
    }
    core.boot(A, 2);
    let attempt = core.record(old.effect).attempts;
    (core, Grant { attempt, ..old })
}

#[test]
fn rule_07_an_effect_on_the_wire_is_not_buried_beside_its_call() {
    let (mut core, grant) = ended_thrice();
    let effect = core.record(grant.effect);
    assert_eq!((effect.ended_boots, effect.open.map(|open| open.node)), (3, Some(B)));
    let target = &core.state.outbox.targets[&effect.target];
    assert_eq!(target.open, Some(grant.effect));
    core.deliver(grant);
    assert_eq!(core.letters(), [""; 0]);
    assert_eq!(core.settled("a"), ["status running delivered"]);
}

#[test]
fn rule_07_an_effect_that_ended_three_processes_is_not_begun_by_another() {
    let (mut core, grant) = ended_thrice();
    core.fail(grant, 0);
    assert_eq!(core.letters(), [""; 0]);
    assert_eq!(core.begin(grant.effect), None);
    assert_eq!(core.letters(), ["poison"]);
}

#[test]
fn rule_07_the_late_answer_about_an_effect_that_was_buried_still_repairs_its_target() {
    let (mut core, grant) = ended_thrice();
    core.assign(A, true);
    core.pass(WAIT);
    assert_eq!(core.begin(grant.effect), None);
    assert_eq!((core.letters(), core.queued("a").len()), (vec!["poison"], 1));
    core.deliver(grant);
    assert_eq!(core.queued("a").len(), 2);
}

#[test]
fn rule_17_a_grant_whose_answer_was_lost_can_be_found_and_given_back_by_its_node() {
    let (mut core, grant) = moved(true);
    let boot = core.state.boot_of(A).unwrap();
    let begun = |core: &Core| core.state.begun_by(A, boot).collect::<Vec<_>>();
    assert_eq!(begun(&core), [grant]);
    assert_eq!(core.state.begun_by(B, boot).count(), 0);
    core.outcome(grant, AttemptResult::Unsent);
    assert_eq!(begun(&core), []);
    assert_eq!(core.state.counters().in_doubt, 0);
    assert!(core.begin(grant.effect).is_some());
}
