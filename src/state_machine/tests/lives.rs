//! Nodes that left for good: what they had on the wire is settled (rules 2, 3, 7), and their ids
//! never come back (rule 23).

use super::*;

const WAIT: Duration = Duration::from_secs(11);
const RETIRE_A: Command = Command::Retire { node: A };

/// The status of run `a` is on the wire of node A; what A owned is moved to node B.
fn moved() -> (Core, Grant) {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let grant = core.begin(core.status("a")).unwrap();
    core.assign(B, true);
    (core, grant)
}

/// As [`moved`], and node B has begun the effect anew.
fn replaced() -> (Core, Grant, Grant) {
    let (mut core, old) = moved();
    core.pass(WAIT);
    let new = core.begin(old.effect).unwrap();
    (core, old, new)
}

#[test]
fn rule_03_a_node_that_left_for_good_leaves_no_replaced_begin_behind() {
    let (mut core, old, new) = replaced();
    core.deliver(new);
    assert_eq!(core.state.outbox.replaced.len(), 1);
    assert_eq!(core.apply(RETIRE_A), Applied::Done);
    assert_eq!(core.state.outbox.replaced.len(), 0);
    let repair = Origin::Repair { effect: old.effect, attempt: 1, route: route("status") };
    assert_eq!(core.queued("a"), [repair]);
    assert_eq!(core.settle(), ["chat a running", "status a running"]);
}

#[test]
fn rule_03_what_a_retired_node_reports_late_changes_nothing() {
    let (mut core, old, new) = replaced();
    core.deliver(new);
    core.apply(RETIRE_A);
    let before = core.text();
    core.deliver(old);
    assert_eq!(core.text(), before);
}

#[test]
fn rule_03_only_the_begins_of_the_node_that_left_are_over() {
    let (mut core, _, new) = replaced();
    core.apply(Command::Retire { node: NodeId(9) });
    assert_eq!(core.state.outbox.replaced.len(), 1);
    assert!(core.record(new.effect).open.is_some());
}

#[test]
fn rule_02_what_a_retired_node_had_on_the_wire_is_begun_anew_at_once() {
    let (mut core, old) = moved();
    core.pass(WAIT);
    assert_eq!(core.apply(RETIRE_A), Applied::Done);
    assert_eq!(core.state.counters().in_doubt, 1);
    assert!(core.record(old.effect).is_in_doubt);
    assert_eq!(core.begin(old.effect), Some(Grant { effect: old.effect, attempt: 2 }));
    assert_eq!((core.state.outbox.replaced.len(), core.state.counters().in_doubt), (0, 1));
}

#[test]
fn rule_02_a_node_that_may_be_making_a_call_is_not_retired() {
    let (mut core, old) = moved();
    core.pass(WAIT - Duration::from_millis(1));
    let before = core.text();
    assert_eq!(core.apply(RETIRE_A), Applied::Refused(Refusal::InUse));
    assert_eq!(core.text(), before);
    core.deliver(old);
    assert_eq!(core.apply(RETIRE_A), Applied::Done);
    assert_eq!(core.settled("a"), ["status running delivered"]);
}

#[test]
fn rule_02_a_node_that_owns_a_slot_is_not_retired() {
    let mut core = Core::new();
    assert_eq!(core.apply(RETIRE_A), Applied::Refused(Refusal::InUse));
    assert!(!core.state.is_retired(A));
    assert_eq!(core.state.boot_of(A), Some(1));
    core.assign(B, true);
    assert_eq!(core.apply(RETIRE_A), Applied::Done);
    assert_eq!(core.state.retired().collect::<Vec<_>>(), [(A, START)]);
    assert_eq!(core.state.boot_of(A), None);
}

#[test]
fn rule_07_a_retirement_counts_as_an_ended_boot() {
    let (mut core, old, _) = replaced();
    core.apply(RETIRE_A);
    core.boot(B, 2);
    assert_eq!((core.record(old.effect).ended_boots, core.letters().len()), (2, 0));
    core.begin(old.effect).unwrap();
    core.boot(B, 3);
    assert_eq!(core.letters(), ["poison"]);
}

#[test]
fn rule_17_a_retirement_applied_twice_changes_nothing() {
    let (mut core, old, new) = replaced();
    core.deliver(new);
    assert_eq!(core.apply(RETIRE_A), Applied::Done);
    core.pass(MINUTE);
    let before = core.text();
    assert_eq!(core.apply(RETIRE_A), Applied::Done);
    assert_eq!(core.text(), before);
    assert_eq!(core.state.effect(old.effect), None);
}

#[test]
fn rule_23_a_boot_of_a_retired_node_is_refused_whatever_its_number() {
    let mut core = Core::new();
    core.assign(B, true);
    core.apply(RETIRE_A);
    let before = core.text();
    for number in [0, 1, 2, u64::MAX] {
        assert_eq!(core.boot(A, number), Applied::Refused(Refusal::Retired));
    }
    assert_eq!(core.text(), before);
}

#[test]
fn rule_23_a_retired_node_is_given_no_slot_while_other_moves_of_the_command_apply() {
    let mut core = Core::new();
    core.assign(B, true);
    core.apply(RETIRE_A);
    let third = NodeId(3);
    core.boot(third, 1);
    let [first, second] = [0, 1].map(|number| SlotId::new(number).unwrap());
    let to = |slot, to| {
        let expected_epoch = core.state.slot(slot).epoch;
        SlotMove { slot, expected_epoch, to, is_forced: false }
    };
    let moves = vec![to(first, A), to(second, third)];
    core.apply(Command::Assign(moves));
    assert_eq!(core.state.slot(first).owner, Some(B));
    assert_eq!(core.state.slot(second).owner, Some(third));
}

#[test]
fn rule_23_the_node_that_left_longest_ago_is_forgotten_first() {
    let mut core = Core::new();
    let retire = |core: &mut Core, id: u64| core.apply(Command::Retire { node: NodeId(id) });
    // The largest id leaves first, so that neither order of ids is that of leaving.
    retire(&mut core, 1_000_000);
    core.pass(MINUTE);
    for id in 1..u64::try_from(RETIRED_MAX).unwrap() {
        retire(&mut core, 100 + id);
    }
    assert_eq!(core.state.retired().count(), RETIRED_MAX);
    assert!(core.state.is_retired(NodeId(1_000_000)));
    retire(&mut core, 99);
    assert_eq!(core.state.retired().count(), RETIRED_MAX);
    assert!(!core.state.is_retired(NodeId(1_000_000)));
    assert!(core.state.is_retired(NodeId(99)) && core.state.is_retired(NodeId(101)));
}
