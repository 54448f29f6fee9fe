use super::super::fixture_test::*;
use super::super::*;

#[test]
fn a_dead_learner_goes_when_its_pod_comes_back_as_another_node() {
    let with_member = view(&[0], vec![member(0), dead(1, SECOND), successor(7, 1)]);
    assert_eq!(next_change(&with_member), remove(&[1]));

    let comes = Stranger { name: "relay-1".to_owned(), ..stranger(7) };
    let mut with_stranger = view(&[0], vec![member(0), dead(1, SECOND)]);
    with_stranger.strangers.push(comes);
    assert_eq!(next_change(&with_stranger), remove(&[1]));
    with_stranger.members[1].liveness = Liveness::Suspect;
    assert_eq!(added(&with_stranger), Some(7));
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
    assert_eq!(removed(Member { dns: Dns::Absent(long), ..dead(3, long - SECOND) }), None);
    assert_eq!(removed(Member { dns: Dns::Absent(long - SECOND), ..dead(3, long) }), None);
    assert_eq!(removed(Member { dns: Dns::Unknown, ..dead(3, long) }), None);
    assert_eq!(removed(Member { dns: Dns::Present, ..dead(3, long) }), None);
    assert_eq!(removed(Member { dns: Dns::Absent(long), ..member(3) }), None);
    let suspect = Member { liveness: Liveness::Suspect, ..gone(3, long) };
    assert_eq!(removed(suspect), None);
    // Rule 13: events on its disk are nowhere else.
    assert_eq!(removed(Member { spooled: 1, ..gone(3, long) }), None);
}

#[test]
fn with_static_seeds_nobody_is_removed_or_demoted_by_absence() {
    let learner = [live(3), vec![gone(3, REMOVAL_GRACE)]].concat();
    let drained = Member { is_draining: true, ..gone(2, 100 * MINUTE) };
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
    let spooling = Member { spooled: 9, ..dead(2, SECOND) };
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
