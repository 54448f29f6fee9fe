use super::super::delivery_health::Failing;
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);
const NOW: Duration = Duration::from_secs(1_000);
const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);

fn report(node: NodeId, reach: DeliveryHealth) -> DeliveryReport {
    DeliveryReport { node, slots: 85, reach: Some(reach) }
}

/// Its last attempt got an answer.
fn reaching(node: NodeId, ago: Duration) -> DeliveryReport {
    report(node, DeliveryHealth { reached_ago: Some(ago), ..DeliveryHealth::default() })
}

/// Its attempts get no answers.
fn failing(node: NodeId, lasting: Duration, last_ago: Duration) -> DeliveryReport {
    let failing = Some(Failing { lasting, last_ago });
    report(
        node,
        DeliveryHealth {
            reached_ago: Some(lasting + SECOND),
            failing,
            ..DeliveryHealth::default()
        },
    )
}

fn late(node: NodeId, by: Duration) -> DeliveryReport {
    report(node, DeliveryHealth { late_by: by, ..DeliveryHealth::default() })
}

fn healthy(node: NodeId) -> DeliveryReport {
    reaching(node, SECOND)
}

fn judged(reports: &[DeliveryReport]) -> Vec<(NodeId, Unhealthy)> {
    UnhealthyOwners::default().judge(NOW, reports)
}

#[test]
fn rule_27_an_owner_that_reaches_nobody_for_a_minute_while_another_does_is_sick() {
    let found = judged(&[failing(A, UNREACHED_MAX, SECOND), healthy(B)]);
    assert_eq!(found, [(A, Unhealthy::ReachesNobody(UNREACHED_MAX))]);
    assert_eq!(judged(&[failing(A, UNREACHED_MAX - MILLI, SECOND), healthy(B)]), []);
}

#[test]
fn rule_27_an_owner_that_tried_nothing_lately_is_not_judged() {
    let spell = 300 * SECOND;
    assert_eq!(judged(&[failing(A, spell, UNREACHED_MAX + MILLI), healthy(B)]), []);
    let found = judged(&[failing(A, spell, UNREACHED_MAX), healthy(B)]);
    assert_eq!(found, [(A, Unhealthy::ReachesNobody(spell))]);
    assert_eq!(judged(&[report(A, DeliveryHealth::default()), healthy(B)]), []);
}

#[test]
fn rule_27_what_nobody_reaches_makes_nobody_sick() {
    let minute = UNREACHED_MAX;
    assert_eq!(judged(&[failing(A, minute, SECOND)]), []);
    assert_eq!(judged(&[failing(A, minute, SECOND), failing(B, minute, SECOND)]), []);
    assert_eq!(judged(&[failing(A, minute, SECOND), reaching(B, minute + MILLI)]), []);
    assert_eq!(judged(&[failing(A, minute, SECOND), reaching(B, minute)]).len(), 1);
}

#[test]
fn rule_27_an_answer_before_a_common_outage_is_no_measure() {
    let later = failing(B, 50 * SECOND, SECOND);
    assert_eq!(later.reach.unwrap().reached_ago, Some(51 * SECOND));
    assert_eq!(judged(&[failing(A, UNREACHED_MAX, SECOND), later]), []);
}

#[test]
fn rule_27_an_owner_thirty_seconds_late_while_another_keeps_up_is_sick() {
    assert_eq!(judged(&[late(A, LATE_MAX), healthy(B)]), [(A, Unhealthy::Late(LATE_MAX))]);
    assert_eq!(judged(&[late(A, LATE_MAX - MILLI), healthy(B)]), []);
}

#[test]
fn rule_27_when_everybody_is_late_nobody_is_sick() {
    assert_eq!(judged(&[late(A, LATE_MAX), late(B, LATE_MAX)]), []);
    assert_eq!(judged(&[late(A, LATE_MAX)]), []);
    // A member without slots is never late, and proves nothing.
    let idle = DeliveryReport { slots: 0, ..healthy(B) };
    assert_eq!(judged(&[late(A, LATE_MAX), idle]), []);
    let found = judged(&[late(A, LATE_MAX), late(B, LATE_MAX), late(C, KEPT_UP_MAX - MILLI)]);
    assert_eq!(found.iter().map(|(node, _)| *node).collect::<Vec<_>>(), [A, B]);
}

#[test]
fn rule_27_an_owner_with_a_backlog_of_its_own_is_no_measure() {
    assert_eq!(judged(&[late(A, LATE_MAX), late(B, LATE_MAX - SECOND)]), []);
    assert_eq!(judged(&[late(A, 10 * LATE_MAX), late(B, KEPT_UP_MAX)]), []);
    assert_eq!(judged(&[late(A, LATE_MAX), late(B, KEPT_UP_MAX - MILLI)]).len(), 1);
}

#[test]
fn rule_27_a_member_that_says_nothing_is_healthy_and_no_measure() {
    let unknown = DeliveryReport { reach: None, ..healthy(B) };
    assert_eq!(judged(&[healthy(A), unknown]), []);
    assert_eq!(judged(&[failing(A, 2 * UNREACHED_MAX, SECOND), unknown]), []);
    assert_eq!(judged(&[late(A, 2 * LATE_MAX), unknown]), []);
}

#[test]
fn rule_27_who_owns_nothing_is_not_judged() {
    let idle = DeliveryReport { slots: 0, ..late(A, 2 * LATE_MAX) };
    assert_eq!(judged(&[idle, healthy(B)]), []);
}

#[test]
fn rule_27_a_judgement_holds_for_five_minutes_and_is_told_once() {
    let mut list = UnhealthyOwners::default();
    let reports = [late(A, LATE_MAX), healthy(B)];
    assert_eq!(list.judge(NOW, &reports).len(), 1);
    assert_eq!(list.judge(NOW + SECOND, &reports), []);
    assert!(list.contains(A, NOW) && !list.contains(B, NOW));
    assert_eq!(list.judgements(), 1);
    let end = NOW + UNHEALTHY_FOR;
    assert!(list.contains(A, end - MILLI) && !list.contains(A, end));
    assert_eq!(list.judge(end - MILLI, &reports), []);
    assert_eq!(list.judge(end, &reports), [(A, Unhealthy::Late(LATE_MAX))]);
    assert_eq!(list.judgements(), 2);
}

#[test]
fn rule_27_the_last_healthy_owner_stays_one() {
    let mut list = UnhealthyOwners::default();
    let mut sick_at =
        |seconds, reports: &[DeliveryReport]| list.judge(NOW + seconds * SECOND, reports);
    assert_eq!(sick_at(0, &[late(A, LATE_MAX), healthy(B), healthy(C)]).len(), 1);
    assert_eq!(sick_at(40, &[healthy(A), late(B, LATE_MAX), healthy(C)]).len(), 1);
    assert_eq!(sick_at(80, &[healthy(A), healthy(B), late(C, LATE_MAX)]), []);
    assert_eq!(sick_at(99, &[healthy(A), healthy(B), failing(C, UNREACHED_MAX, SECOND)]), []);
}

#[test]
fn rule_27_two_that_could_only_accuse_each_other_do_not_both_fall_sick() {
    let accuser = DeliveryReport {
        reach: Some(DeliveryHealth { late_by: LATE_MAX, ..healthy(A).reach.unwrap() }),
        ..healthy(A)
    };
    let found = judged(&[accuser, failing(B, UNREACHED_MAX, SECOND)]);
    assert_eq!(found, [(A, Unhealthy::Late(LATE_MAX))]);
}

#[test]
fn rule_27_a_new_leader_judges_for_itself() {
    let mut list = UnhealthyOwners::default();
    list.judge(NOW, &[late(A, LATE_MAX), healthy(B)]);
    list.clear();
    assert!(!list.contains(A, NOW));
}
