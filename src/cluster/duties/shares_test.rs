use super::*;
use Standing::{Gone, Takes, Yields};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);
const LEADER: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);

/// A member that is live and owns slots.
fn owner(node: NodeId) -> Sighting {
    Sighting {
        node,
        silence: Duration::ZERO,
        was_heard: true,
        is_draining: false,
        has_booted: true,
        slots: 128,
        is_sick: false,
    }
}

fn idle(node: NodeId) -> Sighting {
    Sighting { slots: 0, ..owner(node) }
}

fn silent(node: NodeId) -> Sighting {
    Sighting { silence: SUSPECT_AFTER, ..owner(node) }
}

/// What the leader decides about the other member, beside itself.
fn other(tenants: &mut Tenants, now: Duration, seen: Sighting) -> Standing {
    let shares = tenants.shares(now, &[owner(LEADER), seen]);
    assert_eq!(shares[0], Share { node: LEADER, standing: Takes });
    assert_eq!(shares[1].node, OTHER);
    shares[1].standing
}

/// The other member falls silent with its slots at `now`, and answers again without them.
fn lose(tenants: &mut Tenants, now: Duration) {
    other(tenants, now - MILLI, owner(OTHER));
    assert_eq!(other(tenants, now, silent(OTHER)), Gone);
    other(tenants, now, idle(OTHER));
}

#[test]
fn rule_02_a_silent_member_loses_its_slots_at_once() {
    let mut tenants = Tenants::default();
    let nearly = Sighting { silence: SUSPECT_AFTER - MILLI, ..owner(OTHER) };
    assert_eq!(other(&mut tenants, SECOND, nearly), Takes);
    assert_eq!(other(&mut tenants, SECOND + MILLI, silent(OTHER)), Gone);
}

#[test]
fn rule_02_slots_return_to_a_member_that_was_live_for_five_seconds_without_a_break() {
    let mut tenants = Tenants::default();
    lose(&mut tenants, 10 * SECOND);
    assert_eq!(other(&mut tenants, 15 * SECOND - MILLI, idle(OTHER)), Yields);
    assert_eq!(other(&mut tenants, 15 * SECOND, idle(OTHER)), Takes);
}

#[test]
fn rule_02_a_break_starts_the_wait_anew() {
    let mut tenants = Tenants::default();
    lose(&mut tenants, 10 * SECOND);
    let away = Sighting { slots: 0, ..silent(OTHER) };
    assert_eq!(other(&mut tenants, 14 * SECOND, away), Gone);
    assert_eq!(other(&mut tenants, 16 * SECOND, idle(OTHER)), Yields);
    assert_eq!(other(&mut tenants, 21 * SECOND - MILLI, idle(OTHER)), Yields);
    assert_eq!(other(&mut tenants, 21 * SECOND, idle(OTHER)), Takes);
}

#[test]
fn rule_02_each_further_loss_doubles_the_wait_up_to_a_minute() {
    let mut tenants = Tenants::default();
    let mut now = 10 * SECOND;
    for wait in [5, 10, 20, 40, 60, 60] {
        lose(&mut tenants, now);
        now += wait * SECOND;
        assert_eq!(other(&mut tenants, now - MILLI, idle(OTHER)), Yields, "{wait} s");
        assert_eq!(other(&mut tenants, now, idle(OTHER)), Takes, "{wait} s");
        now += SECOND;
    }
    lose(&mut tenants, now + LOSSES_APART);
    assert_eq!(other(&mut tenants, now + LOSSES_APART + RETURN_AFTER, idle(OTHER)), Takes);
}

#[test]
fn rule_02_a_silence_with_slots_is_one_loss_however_long_it_lasts() {
    let mut tenants = Tenants::default();
    other(&mut tenants, 9 * SECOND, owner(OTHER));
    for seconds in 10..40 {
        assert_eq!(other(&mut tenants, seconds * SECOND, silent(OTHER)), Gone);
    }
    other(&mut tenants, 40 * SECOND, idle(OTHER));
    assert_eq!(other(&mut tenants, 45 * SECOND, idle(OTHER)), Takes);
}

#[test]
fn rule_02_a_member_that_never_held_slots_here_does_not_wait() {
    let mut tenants = Tenants::default();
    assert_eq!(other(&mut tenants, SECOND, idle(OTHER)), Takes);
    // Not even if it was away before it was given any.
    let away = Sighting { slots: 0, ..silent(OTHER) };
    assert_eq!(other(&mut tenants, 2 * SECOND, away), Gone);
    assert_eq!(other(&mut tenants, 3 * SECOND, idle(OTHER)), Takes);
}

#[test]
fn rule_02_the_first_distribution_of_a_leader_waits_for_nobody() {
    let nobody_owns = [LEADER, OTHER, NodeId(3)].map(idle);
    let shares = Tenants::default().shares(Duration::ZERO, &nobody_owns);
    assert!(shares.iter().all(|share| share.standing == Takes), "{shares:?}");
}

#[test]
fn rule_02_a_member_that_was_not_heard_yet_keeps_its_slots_and_is_given_none() {
    let mut tenants = Tenants::default();
    let unheard = |slots| Sighting { was_heard: false, slots, ..owner(OTHER) };
    assert_eq!(other(&mut tenants, SECOND, unheard(128)), Takes);
    assert_eq!(other(&mut Tenants::default(), SECOND, unheard(0)), Yields);
}

#[test]
fn rule_02_a_planned_restart_waits_once_and_is_no_loss() {
    let mut tenants = Tenants::default();
    other(&mut tenants, SECOND, owner(OTHER));
    for seconds in [10, 30, 50] {
        let now = seconds * SECOND;
        let draining = Sighting { is_draining: true, ..owner(OTHER) };
        assert_eq!(other(&mut tenants, now, draining), Yields);
        assert_eq!(other(&mut tenants, now + SECOND, idle(OTHER)), Yields);
        assert_eq!(other(&mut tenants, now + 6 * SECOND, idle(OTHER)), Takes);
        other(&mut tenants, now + 7 * SECOND, owner(OTHER));
    }
}

#[test]
fn rule_02_who_returns_takes_slots_at_once_when_nobody_else_does() {
    let mut tenants = Tenants::default();
    lose(&mut tenants, 10 * SECOND);
    let draining = Sighting { is_draining: true, ..owner(LEADER) };
    let standings = |shares: Vec<Share>| shares.iter().map(|s| s.standing).collect::<Vec<_>>();
    let shares = tenants.shares(11 * SECOND, &[draining, idle(OTHER)]);
    assert_eq!(standings(shares), [Yields, Takes]);
    let shares = tenants.shares(12 * SECOND, &[draining, silent(OTHER)]);
    assert_eq!(standings(shares), [Yields, Gone]);
}

#[test]
fn rule_27_a_sick_member_gives_its_slots_away_as_planned_and_takes_none() {
    let mut tenants = Tenants::default();
    let sick = |slots| Sighting { is_sick: true, slots, ..owner(OTHER) };
    assert_eq!(other(&mut tenants, SECOND, sick(128)), Yields);
    assert_eq!(other(&mut tenants, 10 * SECOND, sick(0)), Yields);
    assert_eq!(other(&mut tenants, 301 * SECOND, idle(OTHER)), Takes);
    let silent = Sighting { is_sick: true, ..silent(OTHER) };
    assert_eq!(other(&mut tenants, 302 * SECOND, silent), Gone);
}

#[test]
fn rule_27_when_all_are_sick_nobody_loses_slots() {
    let sick = |node| Sighting { is_sick: true, ..owner(node) };
    let standings = |seen: &[Sighting]| {
        let shares = Tenants::default().shares(SECOND, seen);
        shares.iter().map(|share| share.standing).collect::<Vec<_>>()
    };
    assert_eq!(standings(&[sick(LEADER), sick(OTHER)]), [Takes, Takes]);
    let draining = Sighting { is_draining: true, ..owner(LEADER) };
    assert_eq!(standings(&[draining, sick(OTHER)]), [Yields, Takes]);
    assert_eq!(standings(&[owner(LEADER), sick(OTHER), idle(NodeId(3))]), [Takes, Yields, Takes]);
}

#[test]
fn a_member_without_a_life_in_the_log_takes_nothing() {
    let unborn = Sighting { has_booted: false, ..idle(OTHER) };
    assert_eq!(other(&mut Tenants::default(), SECOND, unborn), Yields);
}

#[test]
fn who_is_no_member_any_more_is_forgotten() {
    let mut tenants = Tenants::default();
    lose(&mut tenants, 10 * SECOND);
    tenants.shares(11 * SECOND, &[owner(LEADER)]);
    assert_eq!(other(&mut tenants, 12 * SECOND, idle(OTHER)), Takes);
}
