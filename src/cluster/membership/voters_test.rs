use super::super::fixture_test::*;
use super::super::*;

#[test]
fn a_learner_votes_once_it_was_caught_up_for_two_seconds() {
    let caught_up = |caught_up_for| {
        next_change(&view(&[0], vec![member(0), ClusterMember { caught_up_for, ..member(1) }]))
    };
    assert_eq!(caught_up(None), None);
    assert_eq!(caught_up(Some(CAUGHT_UP_MIN - SECOND / 1000)), None);
    assert_eq!(caught_up(Some(CAUGHT_UP_MIN)), set_voters(&[0, 1]));
}

#[test]
fn a_learner_that_drains_or_is_silent_does_not_vote() {
    let suspect = ClusterMember { liveness: Liveness::Suspect, ..member(1) };
    let unanswering = ClusterMember { answered_ago: None, ..member(1) };
    for learner in [draining(1), suspect, unanswering] {
        assert_eq!(next_change(&view(&[0], vec![member(0), learner])), None);
    }
}

#[test]
fn rule_25_one_to_three_is_one_joint_change() {
    assert_eq!(next_change(&view(&[0], live(3))), set_voters(&[0, 1, 2]));
}

#[test]
fn rule_25_a_second_voter_waits_for_a_third_that_is_live() {
    let with_third = |waited, third| {
        let second = ClusterMember { caught_up_for: Some(waited), ..member(1) };
        next_change(&view(&[0], vec![member(0), second, third]))
    };
    let behind = ClusterMember { caught_up_for: None, ..member(2) };
    assert_eq!(with_third(CAUGHT_UP_MIN, behind.clone()), None);
    assert_eq!(with_third(THIRD_VOTER_WAIT_MAX, behind), set_voters(&[0, 1]));
    assert_eq!(with_third(CAUGHT_UP_MIN, dead(2, SECOND)), set_voters(&[0, 1]));
    assert_eq!(with_third(CAUGHT_UP_MIN, draining(2)), set_voters(&[0, 1]));
}

#[test]
fn rule_25_two_members_are_two_voters() {
    assert_eq!(next_change(&view(&[0], live(2))), set_voters(&[0, 1]));
    let third_left = vec![ClusterMember { is_draining: true, ..gone(2, MINUTE) }];
    assert_eq!(next_change(&all_vote(2, third_left)), set_voters(&[0, 1]));
}

#[test]
fn voters_are_the_largest_odd_number_up_to_five() {
    assert_eq!(next_change(&view(&[0, 1], live(3))), set_voters(&[0, 1, 2]));
    assert_eq!(next_change(&view(&[0, 1, 2], live(5))), set_voters(&[0, 1, 2, 3, 4]));
    assert_eq!(next_change(&all_vote(4, Vec::new())), set_voters(&[0, 1, 2]));
    assert_eq!(next_change(&all_vote(8, Vec::new())), set_voters(&[0, 1, 2, 3, 4]));
}

#[test]
fn four_ready_members_of_five_keep_three_voters() {
    let behind = ClusterMember { caught_up_for: None, ..member(4) };
    let members = live(4).into_iter().chain([behind]).collect();
    assert_eq!(next_change(&view(&[0, 1, 2], members)), None);
}

#[test]
fn voters_are_kept_whatever_their_ordinals() {
    let view = MembershipView { leader: NodeId(3), ..view(&[3, 4, 5], live(6)) };
    assert_eq!(next_change(&view), set_voters(&[0, 1, 3, 4, 5]));
}

#[test]
fn the_leader_and_steady_voters_are_the_last_to_lose_their_vote() {
    let left = ClusterMember { is_draining: true, ..gone(4, MINUTE) };
    let members = vec![dead(0, SECOND), member(1), member(2), member(3), left];
    let view = MembershipView { leader: NodeId(3), ..view(&[0, 1, 2, 3, 4], members) };
    assert_eq!(next_change(&view), set_voters(&[1, 2, 3]));
}

#[test]
fn a_restart_changes_nothing() {
    let restarting = ClusterMember { is_draining: true, ..gone(2, MINUTE - SECOND) };
    assert_eq!(next_change(&all_vote(2, vec![restarting])), None);
    assert_eq!(next_change(&all_vote(2, vec![dead(2, 100 * MINUTE)])), None);
}

#[test]
fn rule_25_a_drained_member_without_dns_for_a_minute_is_demoted_not_removed() {
    let drained = ClusterMember { is_draining: true, ..gone(2, MINUTE) };
    let mut after = all_vote(2, vec![drained]);
    assert_eq!(next_change(&after), set_voters(&[0, 1]));
    after.voters = nodes(&[0, 1]);
    assert_eq!(next_change(&after), None);
}

#[test]
fn rule_25_a_voter_dead_for_a_minute_swaps_with_a_learner() {
    let with_dead = |lasting| {
        let members = vec![member(0), member(1), dead(2, lasting), member(3)];
        next_change(&view(&[0, 1, 2], members))
    };
    assert_eq!(with_dead(MINUTE - SECOND), None);
    assert_eq!(with_dead(MINUTE), set_voters(&[0, 1, 3]));
}

#[test]
fn rule_25_the_rest_become_the_voters_before_draining_ones_take_the_quorum_along() {
    assert_eq!(next_change(&all_vote(1, vec![draining(1), draining(2)])), set_voters(&[0]));
    assert_eq!(next_change(&all_vote(1, vec![draining(1)])), set_voters(&[0]));
    let three_of_five = vec![draining(2), draining(3), draining(4)];
    assert_eq!(next_change(&all_vote(2, three_of_five)), set_voters(&[0, 1]));
    // Two of five leave a quorum: they may be restarting.
    assert_eq!(next_change(&all_vote(3, vec![draining(3), draining(4)])), None);
    assert_eq!(next_change(&all_vote(2, vec![draining(2)])), None);
}

#[test]
fn rule_25_a_draining_leader_hands_its_vote_over_too() {
    let members = vec![draining(0), draining(1), member(2)];
    assert_eq!(next_change(&view(&[0, 1, 2], members)), set_voters(&[2]));
}

#[test]
fn rule_25_voters_without_dns_count_as_going_once_they_are_silent() {
    let restarted = ClusterMember { dns: Dns::Absent(SECOND), ..member(1) };
    assert_eq!(next_change(&all_vote(1, vec![restarted, draining(2)])), None);
    let crashed = gone(1, SECOND);
    assert_eq!(next_change(&all_vote(1, vec![crashed, draining(2)])), set_voters(&[0]));
    let unknown = ClusterMember { dns: Dns::Unknown, ..dead(1, SECOND) };
    assert_eq!(next_change(&all_vote(1, vec![unknown, draining(2)])), None);
}

#[test]
fn rule_25_a_full_stop_changes_no_voters() {
    let all = vec![draining(0), draining(1), draining(2)];
    assert_eq!(next_change(&view(&[0, 1, 2], all)), None);
    // No voter is left to confirm it.
    let stopped = |node| ClusterMember { is_draining: true, ..dead(node, SECOND) };
    assert_eq!(next_change(&all_vote(1, vec![stopped(1), stopped(2)])), None);
}

#[test]
fn fault_tolerance_counts_live_voters_beyond_the_quorum() {
    let tolerated = |voters: &[u64], live: &[u64]| fault_tolerance(&nodes(voters), &nodes(live));
    assert_eq!(tolerated(&[0], &[0]), 0);
    assert_eq!(tolerated(&[0, 1], &[0, 1]), 0);
    assert_eq!(tolerated(&[0, 1, 2], &[0, 1, 2, 3, 4]), 1);
    assert_eq!(tolerated(&[0, 1, 2], &[0, 1]), 0);
    assert_eq!(tolerated(&[0, 1, 2, 3, 4], &[0, 1, 2, 3, 4]), 2);
    assert_eq!(tolerated(&[0, 1, 2], &[0]), 0);
    assert_eq!(tolerated(&[], &[]), 0);
}
#[test]
fn rule_25_the_rest_are_only_those_that_answer() {
    let going = vec![dead(1, SECOND), gone(2, SECOND), draining(3), draining(4)];
    assert_eq!(next_change(&all_vote(1, going)), set_voters(&[0]));
}

#[test]
fn a_draining_voter_loses_its_vote_before_a_steady_one() {
    let left = ClusterMember { is_draining: true, ..gone(4, MINUTE) };
    let members = vec![member(0), draining(1), member(2), member(3), left];
    assert_eq!(next_change(&view(&[0, 1, 2, 3, 4], members)), set_voters(&[0, 2, 3]));
}

#[test]
fn a_learner_that_does_not_answer_takes_no_place_of_a_dead_voter() {
    let unanswering = ClusterMember { answered_ago: None, ..member(3) };
    let members = vec![member(0), member(1), dead(2, MINUTE), unanswering];
    assert_eq!(next_change(&view(&[0, 1, 2], members)), None);
}
