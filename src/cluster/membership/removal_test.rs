use super::super::fixture_test::*;
use super::super::*;

#[test]
fn a_dead_learner_goes_when_its_pod_comes_back_as_another_node() {
    let with_member = view(&[0], vec![member(0), dead(1, SECOND), successor(7, 1)]);
    assert_eq!(next_change(&with_member), remove(&[1]));

    let comes = Joiner { name: "relay-1".to_owned(), ..joiner(7) };
    let mut with_joiner = view(&[0], vec![member(0), dead(1, SECOND)]);
    with_joiner.joiners.push(comes);
    assert_eq!(next_change(&with_joiner), remove(&[1]));
    with_joiner.members[1].liveness = Liveness::Suspect;
    assert_eq!(added(&with_joiner), Some(7));
}

#[test]
fn a_gone_voter_loses_its_vote_and_is_then_removed() {
    let mut view = all_vote(3, vec![gone(3, REMOVAL_GRACE), gone(4, REMOVAL_GRACE)]);
    assert_eq!(next_change(&view), set_voters(&[0, 1, 2]));
    view.voters = nodes(&[0, 1, 2]);
    assert_eq!(next_change(&view), remove(&[3, 4]));
}

#[test]
fn a_member_is_removed_only_when_everything_says_that_it_is_gone() {
    let removed = |learner| next_change(&view(&[0, 1, 2], [live(3), vec![learner]].concat()));
    let long = REMOVAL_GRACE;
    assert_eq!(removed(gone(3, long)), remove(&[3]));
    assert_eq!(removed(gone(3, long - SECOND)), None);
    assert_eq!(removed(ClusterMember { dns: Dns::Absent(long), ..dead(3, long - SECOND) }), None);
    assert_eq!(removed(ClusterMember { dns: Dns::Absent(long - SECOND), ..dead(3, long) }), None);
    assert_eq!(removed(ClusterMember { dns: Dns::Unknown, ..dead(3, long) }), None);
    assert_eq!(removed(ClusterMember { dns: Dns::Present, ..dead(3, long) }), None);
    assert_eq!(removed(ClusterMember { dns: Dns::Absent(long), ..member(3) }), None);
    let suspect = ClusterMember { liveness: Liveness::Suspect, ..gone(3, long) };
    assert_eq!(removed(suspect), None);
    // Rule 13: events on its disk are nowhere else.
    assert_eq!(removed(ClusterMember { spooled: 1, ..gone(3, long) }), None);
}

#[test]
fn with_static_seeds_nobody_is_removed_or_demoted_by_absence() {
    let learner = [live(3), vec![gone(3, REMOVAL_GRACE)]].concat();
    let drained = ClusterMember { is_draining: true, ..gone(2, 100 * MINUTE) };
    for view in [view(&[0, 1, 2], learner), all_vote(2, vec![drained])] {
        assert_eq!(next_change(&MembershipView { has_static_seeds: true, ..view }), None);
    }
}

#[test]
fn an_operator_removes_live_and_dead_members() {
    let view = view(&[0, 1, 2], [live(4), vec![dead(4, SECOND)]].concat());
    for node in [1, 3, 4] {
        assert_eq!(admin_remove(&view, NodeId(node)).ok(), remove(&[node]));
    }
    let spooling = ClusterMember { spooled: 9, ..dead(2, SECOND) };
    assert_eq!(admin_remove(&all_vote(2, vec![spooling]), NodeId(2)).ok(), remove(&[2]));
}

#[test]
fn an_operator_removes_neither_strangers_nor_the_leader() {
    let view = all_vote(3, Vec::new());
    assert_eq!(admin_remove(&view, NodeId(9)), Err(RemoveError::Unknown(NodeId(9))));
    assert_eq!(admin_remove(&view, NodeId(0)), Err(RemoveError::Leader(NodeId(0))));
    let joint = MembershipView { is_joint: true, ..view };
    assert_eq!(admin_remove(&joint, NodeId(1)), Err(RemoveError::ChangeUnderWay));
}

#[test]
fn an_operator_cannot_remove_the_quorum() {
    let lost = |node| Err(RemoveError::QuorumLost { node: NodeId(node), answering: 1, needed: 2 });
    let one_dead = all_vote(2, vec![dead(2, SECOND)]);
    assert_eq!(admin_remove(&one_dead, NodeId(1)), lost(1));
    assert_eq!(admin_remove(&one_dead, NodeId(2)).ok(), remove(&[2]));
    let pair = all_vote(1, vec![dead(1, SECOND)]);
    let none = Err(RemoveError::NoQuorum { answering: 1, needed: 2 });
    assert_eq!(admin_remove(&pair, NodeId(1)), none);
}
