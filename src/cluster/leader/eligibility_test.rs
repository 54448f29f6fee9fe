use super::*;
use SlotStanding::{Gone, Takes, Yields};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);
const LEADER: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);

/// A member that is live and owns slots.
fn owner(node: NodeId) -> Observation {
    Observation {
        node,
        silence: Duration::ZERO,
        was_heard: true,
        is_draining: false,
        has_booted: true,
        slots: 128,
        is_unhealthy: false,
    }
}

fn idle(node: NodeId) -> Observation {
    Observation { slots: 0, ..owner(node) }
}

fn silent(node: NodeId) -> Observation {
    Observation { silence: SUSPECT_AFTER, ..owner(node) }
}

/// What the leader decides about the other member, apart from itself.
fn other(eligibility: &mut SlotEligibility, now: Duration, seen: Observation) -> SlotStanding {
    let shares = eligibility.shares(now, &[owner(LEADER), seen]);
    assert_eq!(shares[0], SlotShare { node: LEADER, standing: Takes });
    assert_eq!(shares[1].node, OTHER);
    shares[1].standing
}

/// The other member falls silent with its slots at `now`, and answers again without them.
fn lose(eligibility: &mut SlotEligibility, now: Duration) {
    other(eligibility, now - MILLI, owner(OTHER));
    assert_eq!(other(eligibility, now, silent(OTHER)), Gone);
    other(eligibility, now, idle(OTHER));
}

#[test]
fn rule_02_a_silent_member_loses_its_slots_at_once() {
    let mut eligibility = SlotEligibility::default();
    let nearly = Observation { silence: SUSPECT_AFTER - MILLI, ..owner(OTHER) };
    assert_eq!(other(&mut eligibility, SECOND, nearly), Takes);
    assert_eq!(other(&mut eligibility, SECOND + MILLI, silent(OTHER)), Gone);
}

#[test]
fn rule_02_slots_return_to_a_member_that_was_live_for_five_seconds_without_a_break() {
    let mut eligibility = SlotEligibility::default();
    lose(&mut eligibility, 10 * SECOND);
    assert_eq!(other(&mut eligibility, 15 * SECOND - MILLI, idle(OTHER)), Yields);
    assert_eq!(other(&mut eligibility, 15 * SECOND, idle(OTHER)), Takes);
}

#[test]
fn rule_02_a_break_starts_the_wait_anew() {
    let mut eligibility = SlotEligibility::default();
    lose(&mut eligibility, 10 * SECOND);
    let away = Observation { slots: 0, ..silent(OTHER) };
    assert_eq!(other(&mut eligibility, 14 * SECOND, away), Gone);
    assert_eq!(other(&mut eligibility, 16 * SECOND, idle(OTHER)), Yields);
    assert_eq!(other(&mut eligibility, 21 * SECOND - MILLI, idle(OTHER)), Yields);
    assert_eq!(other(&mut eligibility, 21 * SECOND, idle(OTHER)), Takes);
}

#[test]
fn rule_02_each_further_loss_doubles_the_wait_up_to_a_minute() {
    let mut eligibility = SlotEligibility::default();
    let mut now = 10 * SECOND;
    for wait in [5, 10, 20, 40, 60, 60] {
        lose(&mut eligibility, now);
        now += wait * SECOND;
        assert_eq!(other(&mut eligibility, now - MILLI, idle(OTHER)), Yields, "{wait} s");
        assert_eq!(other(&mut eligibility, now, idle(OTHER)), Takes, "{wait} s");
        now += SECOND;
    }
    lose(&mut eligibility, now + LOSSES_APART);
    assert_eq!(other(&mut eligibility, now + LOSSES_APART + RETURN_AFTER, idle(OTHER)), Takes);
}

#[test]
fn rule_02_a_silence_with_slots_is_one_loss_however_long_it_lasts() {
    let mut eligibility = SlotEligibility::default();
    other(&mut eligibility, 9 * SECOND, owner(OTHER));
    for seconds in 10..40 {
        assert_eq!(other(&mut eligibility, seconds * SECOND, silent(OTHER)), Gone);
    }
    other(&mut eligibility, 40 * SECOND, idle(OTHER));
    assert_eq!(other(&mut eligibility, 45 * SECOND, idle(OTHER)), Takes);
}

#[test]
fn rule_02_a_member_that_never_held_slots_here_does_not_wait() {
    let mut eligibility = SlotEligibility::default();
    assert_eq!(other(&mut eligibility, SECOND, idle(OTHER)), Takes);
    // Not even if it was away before it got any slots.
    let away = Observation { slots: 0, ..silent(OTHER) };
    assert_eq!(other(&mut eligibility, 2 * SECOND, away), Gone);
    assert_eq!(other(&mut eligibility, 3 * SECOND, idle(OTHER)), Takes);
}

#[test]
fn rule_02_the_first_distribution_of_a_leader_waits_for_nobody() {
    let nobody_owns = [LEADER, OTHER, NodeId(3)].map(idle);
    let shares = SlotEligibility::default().shares(Duration::ZERO, &nobody_owns);
    assert!(shares.iter().all(|share| share.standing == Takes), "{shares:?}");
}

#[test]
fn rule_02_a_member_that_was_not_heard_yet_keeps_its_slots_and_is_given_none() {
    let mut eligibility = SlotEligibility::default();
    let unheard = |slots| Observation { was_heard: false, slots, ..owner(OTHER) };
    assert_eq!(other(&mut eligibility, SECOND, unheard(128)), Takes);
    assert_eq!(other(&mut SlotEligibility::default(), SECOND, unheard(0)), Yields);
}

#[test]
fn rule_02_a_planned_restart_waits_once_and_is_no_loss() {
    let mut eligibility = SlotEligibility::default();
    other(&mut eligibility, SECOND, owner(OTHER));
    for seconds in [10, 30, 50] {
        let now = seconds * SECOND;
        let draining = Observation { is_draining: true, ..owner(OTHER) };
        assert_eq!(other(&mut eligibility, now, draining), Yields);
        assert_eq!(other(&mut eligibility, now + SECOND, idle(OTHER)), Yields);
        assert_eq!(other(&mut eligibility, now + 6 * SECOND, idle(OTHER)), Takes);
        other(&mut eligibility, now + 7 * SECOND, owner(OTHER));
    }
}

#[test]
fn rule_02_who_returns_takes_slots_at_once_when_nobody_else_does() {
    let mut eligibility = SlotEligibility::default();
    lose(&mut eligibility, 10 * SECOND);
    let draining = Observation { is_draining: true, ..owner(LEADER) };
    let standings = |shares: Vec<SlotShare>| shares.iter().map(|s| s.standing).collect::<Vec<_>>();
    let shares = eligibility.shares(11 * SECOND, &[draining, idle(OTHER)]);
    assert_eq!(standings(shares), [Yields, Takes]);
    let shares = eligibility.shares(12 * SECOND, &[draining, silent(OTHER)]);
    assert_eq!(standings(shares), [Yields, Gone]);
}

#[test]
fn rule_27_a_sick_member_gives_its_slots_away_as_planned_and_takes_none() {
    let mut eligibility = SlotEligibility::default();
    let unhealthy = |slots| Observation { is_unhealthy: true, slots, ..owner(OTHER) };
    assert_eq!(other(&mut eligibility, SECOND, unhealthy(128)), Yields);
    assert_eq!(other(&mut eligibility, 10 * SECOND, unhealthy(0)), Yields);
    assert_eq!(other(&mut eligibility, 301 * SECOND, idle(OTHER)), Takes);
    let silent = Observation { is_unhealthy: true, ..silent(OTHER) };
    assert_eq!(other(&mut eligibility, 302 * SECOND, silent), Gone);
}

#[test]
fn rule_27_when_all_are_sick_nobody_loses_slots() {
    let unhealthy = |node| Observation { is_unhealthy: true, ..owner(node) };
    let standings = |seen: &[Observation]| {
        let shares = SlotEligibility::default().shares(SECOND, seen);
        shares.iter().map(|share| share.standing).collect::<Vec<_>>()
    };
    assert_eq!(standings(&[unhealthy(LEADER), unhealthy(OTHER)]), [Takes, Takes]);
    let draining = Observation { is_draining: true, ..owner(LEADER) };
    assert_eq!(standings(&[draining, unhealthy(OTHER)]), [Yields, Takes]);
    assert_eq!(
        standings(&[owner(LEADER), unhealthy(OTHER), idle(NodeId(3))]),
        [Takes, Yields, Takes]
    );
}

#[test]
fn a_member_without_a_life_in_the_log_takes_nothing() {
    let unborn = Observation { has_booted: false, ..idle(OTHER) };
    assert_eq!(other(&mut SlotEligibility::default(), SECOND, unborn), Yields);
}

#[test]
fn who_is_no_member_any_more_is_forgotten() {
    let mut eligibility = SlotEligibility::default();
    lose(&mut eligibility, 10 * SECOND);
    eligibility.shares(11 * SECOND, &[owner(LEADER)]);
    assert_eq!(other(&mut eligibility, 12 * SECOND, idle(OTHER)), Takes);
}
