//! A leader that has not applied an entry of its term performs no duty and takes no order.

use super::*;
use crate::cluster::member::Configured;
use crate::cluster::operator::finalize;
use crate::cluster::proposal::error::AcceptError;
use crate::cluster::test_member::Pair;
use crate::cluster::transport::proto::ordered::Refusal;
use crate::cluster::transport::proto::{Check, HandOver, Remove};
use crate::state_machine::{FEATURE_LEVEL, Settings};
use feature_level::Raising;

const NOBODY: NodeId = NodeId(9);

#[tokio::test]
async fn rule_26_slots_and_settings_wait_for_an_entry_of_the_own_term() {
    let pair = Pair::elected().await;
    let member = &pair.leader.member;
    member.checked(&Check { node: NOBODY.0, ..Check::default() });
    let is_kept = || member.checks.lock().contains_key(&NOBODY);
    let now = member.clock.monotonic();
    let last_index = member.raft().status().last_index;
    assert!(look(member, None, now).await.is_none());
    assert_eq!((is_kept(), member.raft().status().last_index), (true, last_index));
    pair.confirm().await;
    let held = look(member, None, now).await.unwrap();
    assert_eq!((is_kept(), held.term), (false, member.raft().status().term));
}

#[tokio::test]
async fn rule_20_the_leader_proposes_settings_that_were_replaced_while_it_leads() {
    let pair = Pair::elected().await;
    let member = &pair.leader.member;
    pair.confirm().await;
    let now = member.clock.monotonic();
    let term = member.raft().status().term;
    // The level of an untouched cluster waits for all founders, and settings with it.
    let event = Command::Accept(Box::new(crate::event::recorded_run(1)));
    let touch = vec![Command::RaiseLevel { level: FEATURE_LEVEL }, event];
    member.proposer.propose_as_leader(term, touch).await.unwrap();
    let held = look(member, None, now).await;
    let newer = Settings { runs_max: 77, ..Settings::default() };
    let configured = Configured { settings: newer.clone(), config_hash: 5 };
    member.configured.send_replace(configured);
    look(member, held, now).await.unwrap();
    assert_eq!(member.raft().read(|state| state.settings().clone()), newer);
    assert_eq!(member.facts().config_hash, 5);
}

#[tokio::test]
async fn rule_26_a_leadership_that_is_over_is_not_held_on_to() {
    let pair = Pair::elected().await;
    let member = &pair.leader.member;
    let term = member.raft().status().term;
    let now = member.clock.monotonic();
    assert!(look(member, Some(LeaderTerm::new(term, now)), now).await.is_none());
    pair.confirm().await;
    let held = look(member, Some(LeaderTerm::new(term - 1, now)), now).await.unwrap();
    assert_eq!(held.term, term);
}

#[tokio::test]
async fn rule_26_the_membership_waits_for_an_entry_of_the_own_term() {
    let pair = Pair::elected().await;
    let member = &pair.leader.member;
    let (mut observations, mut told) = (membership::Observations::default(), BTreeSet::new());
    assert!(!membership::look(member, &mut observations, &mut told).await);
    pair.confirm().await;
    assert!(membership::look(member, &mut observations, &mut told).await);
}

#[tokio::test]
async fn rule_26_the_feature_level_waits_for_an_entry_of_the_own_term() {
    let pair = Pair::elected().await;
    let member = Arc::clone(&pair.leader.member);
    let raising = Raising {
        raft: member.raft().clone(),
        queue: member.queue.clone(),
        own: member.own.node,
        clock: Arc::clone(&member.clock),
        member: Some(member),
    };
    assert!(raising.look(None).await.is_none());
    pair.confirm().await;
    assert!(raising.look(None).await.is_some());
}

#[tokio::test]
async fn rule_26_orders_wait_for_an_entry_of_the_own_term() {
    let pair = Pair::elected().await;
    let member = &pair.leader.member;
    let remove = async || member.answer_remove(&Remove { node: NOBODY.0 }).await.refusal();
    let transfer_leadership =
        async || member.answer_hand_over(&HandOver { to: NOBODY.0 }).await.refusal();
    let finalized = async || finalize::decode(member.answer_finalize().await);
    assert_eq!(
        (remove().await, transfer_leadership().await),
        (Refusal::NoLeader, Refusal::NoLeader)
    );
    assert_eq!(finalized().await, Err(finalize::FinalizeError::NoLeader));
    pair.confirm().await;
    assert_eq!(
        (remove().await, transfer_leadership().await),
        (Refusal::UnknownMember, Refusal::UnknownMember)
    );
    assert_ne!(finalized().await, Err(finalize::FinalizeError::NoLeader));
}

#[tokio::test]
async fn rule_26_what_a_leader_decided_is_written_in_its_term_or_not_at_all() {
    let pair = Pair::elected().await;
    pair.confirm().await;
    let (leader, other) = (&pair.leader.member, &pair.other.member);
    let (term, before) = (leader.raft().status().term, leader.raft().status().last_index);
    let decided = || vec![Command::Tick];
    let late = leader.proposer.propose_as_leader(term - 1, decided()).await;
    assert_eq!(late, Err(AcceptError::NoLeader));
    // A deposed leader does not ask its successor either.
    let deposed = other.proposer.propose_as_leader(term, decided()).await;
    assert_eq!(deposed, Err(AcceptError::NoLeader));
    assert_eq!(leader.raft().status().last_index, before);
    let written = leader.proposer.propose_as_leader(term, decided()).await.unwrap();
    assert_eq!(leader.raft().status().last_index, written.index);
    assert!(written.index > before);
}
