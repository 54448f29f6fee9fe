use super::*;
use crate::cluster::raft::{MemberNode, MemberStatus};
use crate::state_machine::{Command, Entry, SlotId, SlotMove};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Five members, the last without a vote, and how long ago each answered.
fn status(is_leader: bool, answered_ms: [Option<u64>; 5]) -> RaftStatus {
    let members = answered_ms.into_iter().zip(1..).map(|(answered, number)| {
        let name = format!("relay-{number}");
        let status = MemberStatus {
            node: MemberNode { address: format!("{name}:3320"), name },
            is_voter: number < 5,
            matched_index: Some(90 + number),
            answered_ago: answered.map(Duration::from_millis),
        };
        (NodeId(number), status)
    });
    RaftStatus {
        leader: Some(NodeId(1)),
        is_leader,
        term: 3,
        members: members.collect(),
        last_index: 100,
        applied_index: 99,
        ..RaftStatus::default()
    }
}

fn leaders() -> ClusterView {
    let answered = [None, Some(1_499), Some(1_500), Some(10_000), None];
    of_status(&status(true, answered), NodeId(1), true)
}

#[test]
fn rule_02_a_leader_tells_members_by_their_silence() {
    let view = leaders();
    let states: Vec<_> = view.members.iter().filter_map(|member| member.state).collect();
    use MemberState::{Dead, Live, Suspect};
    assert_eq!(states, [Live, Live, Suspect, Dead, Dead]);
    assert_eq!(MemberState::after(SUSPECT_AFTER - MILLISECOND), Live);
}

#[test]
fn a_leader_knows_lags_and_its_own_is_none() {
    let lags: Vec<_> = leaders().members.iter().map(|member| member.lag).collect();
    assert_eq!(lags, [Some(0), Some(8), Some(7), Some(6), Some(5)]);
}

#[test]
fn a_follower_says_nothing_of_others() {
    let view = of_status(&status(false, [Some(1); 5]), NodeId(2), true);
    assert!(!view.is_of_leader);
    let known: Vec<_> = view.members.iter().map(|member| member.state.is_some()).collect();
    assert_eq!(known, [false, true, false, false, false]);
    assert!(view.members.iter().all(|member| member.lag.is_none()));
}

#[test]
fn fault_tolerance_counts_live_voters_beyond_the_quorum() {
    let view = leaders();
    assert_eq!((view.quorum(), view.fault_tolerance()), (3, 0));
    let well = of_status(&status(true, [Some(1); 5]), NodeId(1), true);
    assert_eq!((well.quorum(), well.fault_tolerance()), (3, 1));
}

#[test]
fn a_leaders_view_crosses_nodes_as_it_is() {
    let mut view = leaders();
    assert!(view.members.iter().all(|member| member.is_unhealthy == Some(false)));
    view.members[1].is_unhealthy = Some(true);
    assert_eq!(decode(&encode(&view)), Some(view));
}

#[test]
fn the_view_of_a_follower_is_not_taken_for_the_leaders() {
    let followers = of_status(&status(false, [Some(1); 5]), NodeId(2), true);
    assert_eq!(decode(&encode(&followers)), None);
    assert_eq!(decode(b"\xff"), None);
}

#[test]
fn slots_are_counted_by_owner_and_the_rest_is_unowned() {
    let mut state = StateMachine::default();
    let to = |slot, to| SlotMove {
        slot: SlotId::new(slot).unwrap(),
        expected_epoch: 0,
        to: NodeId(to),
        is_forced: false,
    };
    let moves = vec![to(0, 1), to(1, 1), to(2, 3)];
    state.apply(Entry { at: crate::clock::Timestamp(1), commands: vec![Command::Assign(moves)] });
    let mut view = leaders();
    view.complete(&state, Vec::new());
    let slots: Vec<_> = view.members.iter().map(|member| member.slots).collect();
    assert_eq!((slots, view.slots_unowned), (vec![2, 0, 1, 0, 0], 253));
}

#[test]
fn what_gossip_and_membership_disagree_about_is_named() {
    let mut view = leaders();
    view.gossip_live = vec![NodeId(1), NodeId(2), NodeId(3), NodeId(4), NodeId(9)];
    assert_eq!(view.gossip_differs(), [NodeId(5), NodeId(9)]);
}
