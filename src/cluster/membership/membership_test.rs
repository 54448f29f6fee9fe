use super::fixture_test::*;
use super::*;

#[test]
fn a_settled_cluster_stays_as_it_is() {
    for count in [1, 2, 3, 5] {
        assert_eq!(next_change(&all_vote(count, Vec::new())), None);
    }
    assert_eq!(next_change(&view(&[0, 1, 2], live(4))), None);
    assert_eq!(next_change(&view(&[0, 1, 2, 3, 4], live(9))), None);
}

#[test]
fn a_joint_configuration_is_finished_before_anything_else() {
    let view = MembershipView { is_joint: true, ..view(&[0], vec![member(0), draining(1)]) };
    assert_eq!(next_change(&view), Some(Change::FinishJoint));
}

#[test]
fn without_a_quorum_of_answers_nothing_is_proposed() {
    let silent = |node| ClusterMember { answered_ago: None, ..member(node) };
    let late =
        |node| ClusterMember { answered_ago: Some(ANSWERED_AGO_MAX + SECOND), ..member(node) };
    let moved = ClusterMember { announced_address: Some("elsewhere:1".to_owned()), ..member(0) };
    let mut without = view(&[0, 1, 2], vec![moved, silent(1), late(2)]);
    assert_eq!(next_change(&without), None);
    without.members[2].answered_ago = Some(ANSWERED_AGO_MAX);
    assert!(next_change(&without).is_some());
}

#[test]
fn a_leader_that_does_not_vote_changes_nothing() {
    assert_eq!(next_change(&view(&[1, 2], live(5))), None);
}
