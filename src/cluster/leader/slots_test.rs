use super::*;
use crate::clock::Timestamp;
use crate::state_machine::{SLOTS, SlotMap};
use proptest::prelude::*;

const TAKES: SlotStanding = SlotStanding::Takes;
const YIELDS: SlotStanding = SlotStanding::Yields;
const GONE: SlotStanding = SlotStanding::Gone;

fn shares(standings: &[(u64, SlotStanding)]) -> Vec<SlotShare> {
    standings.iter().map(|&(node, standing)| SlotShare { node: NodeId(node), standing }).collect()
}

/// Applies the moves of one call, as the log would, and returns them.
fn rebalance(slots: &mut SlotMap, standings: &[(u64, SlotStanding)]) -> Vec<SlotMove> {
    let moves = moves(slots.iter(), &shares(standings));
    for to in &moves {
        assert!(slots.assign(to, Timestamp(1)), "void: {to:?}");
    }
    moves
}

fn counts(slots: &SlotMap) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for owner in slots.iter().filter_map(|(_, slot)| slot.owner) {
        *counts.entry(owner.0).or_default() += 1;
    }
    counts
}

fn owned_by(slots: &SlotMap, node: u64) -> Vec<SlotId> {
    let owned = slots.iter().filter(|(_, slot)| slot.owner == Some(NodeId(node)));
    owned.map(|(id, _)| id).collect()
}

fn moved(moves: &[SlotMove]) -> Vec<SlotId> {
    moves.iter().map(|to| to.slot).collect()
}

#[test]
fn unowned_slots_are_assigned() {
    let mut slots = SlotMap::default();
    let moves = rebalance(&mut slots, &[(1, TAKES), (2, TAKES), (3, TAKES)]);
    assert_eq!(moved(&moves), SlotId::all().collect::<Vec<_>>());
    assert!(moves.iter().all(|to| to.expected_epoch == 0 && !to.is_forced));
    let mut spread: Vec<usize> = counts(&slots).into_values().collect();
    spread.sort_unstable();
    assert_eq!(spread, [85, 85, 86]);
}

#[test]
fn a_balanced_map_stays_as_it_is() {
    let mut slots = SlotMap::default();
    let standings = [(1, TAKES), (2, TAKES), (3, TAKES), (4, YIELDS)];
    rebalance(&mut slots, &standings);
    assert_eq!(rebalance(&mut slots, &standings), []);
}

#[test]
fn nobody_takes_and_nothing_moves() {
    let mut slots = SlotMap::default();
    assert_eq!(rebalance(&mut slots, &[]), []);
    rebalance(&mut slots, &[(1, TAKES), (2, TAKES)]);
    assert_eq!(rebalance(&mut slots, &[(1, YIELDS), (2, GONE)]), []);
}

#[test]
fn a_new_member_gets_its_share_and_the_others_keep_theirs() {
    let mut slots = SlotMap::default();
    rebalance(&mut slots, &[(1, TAKES), (2, TAKES), (3, TAKES)]);
    let moves = rebalance(&mut slots, &[(1, TAKES), (2, TAKES), (3, TAKES), (4, TAKES)]);
    assert_eq!(moves.len(), 64);
    assert!(moves.iter().all(|to| to.to == NodeId(4) && to.expected_epoch == 1 && !to.is_forced));
}

#[test]
fn only_slots_of_the_dead_are_forced() {
    let mut slots = SlotMap::default();
    rebalance(&mut slots, &[(1, TAKES), (2, TAKES), (3, TAKES), (4, TAKES)]);
    let (dead, draining) = (owned_by(&slots, 2), owned_by(&slots, 3));
    let moves = rebalance(&mut slots, &[(1, TAKES), (2, GONE), (3, YIELDS), (4, TAKES)]);
    let (forced, planned): (Vec<SlotMove>, Vec<_>) = moves.into_iter().partition(|to| to.is_forced);
    assert_eq!(moved(&forced), dead);
    assert_eq!(moved(&planned), draining);
    assert_eq!(counts(&slots), BTreeMap::from([(1, 128), (4, 128)]));
}

#[test]
fn slots_of_a_node_that_is_no_member_any_more_are_forced() {
    let mut slots = SlotMap::default();
    rebalance(&mut slots, &[(1, TAKES), (2, TAKES)]);
    let moves = rebalance(&mut slots, &[(1, TAKES)]);
    assert_eq!(moves.len(), 128);
    assert!(moves.iter().all(|to| to.is_forced));
}

#[test]
fn of_two_reports_about_a_member_the_graver_counts() {
    let mut slots = SlotMap::default();
    rebalance(&mut slots, &[(1, TAKES), (2, GONE), (2, TAKES)]);
    assert_eq!(counts(&slots), BTreeMap::from([(1, 256)]));
}

#[test]
fn of_equal_choices_the_rendezvous_order_decides() {
    let mut slots = SlotMap::default();
    rebalance(&mut slots, &[(1, TAKES)]);
    rebalance(&mut slots, &[(1, TAKES), (2, TAKES)]);
    let prefers_its_owner = |slot: &SlotId| weight(*slot, NodeId(1));
    let least_kept = owned_by(&slots, 1).iter().map(prefers_its_owner).min();
    let most_given = owned_by(&slots, 2).iter().map(prefers_its_owner).max();
    assert!(least_kept > most_given, "{least_kept:?} {most_given:?}");
}

/// The minimum number of moves of any algorithm: each set of quotas is tried.
fn fewest_moves(before: &SlotMap, takers: &[u64]) -> usize {
    let kept: Vec<usize> = takers.iter().map(|taker| owned_by(before, *taker).len()).collect();
    let (least, odd) = (usize::from(SLOTS) / takers.len(), usize::from(SLOTS) % takers.len());
    let choices = (0..1_u32 << takers.len()).filter(|set| set.count_ones() as usize == odd);
    let staying = |set: u32| -> usize {
        let quota = |at: usize| least + usize::from(set & (1 << at) != 0);
        kept.iter().enumerate().map(|(at, kept)| (*kept).min(quota(at))).sum()
    };
    usize::from(SLOTS) - choices.map(staying).max().unwrap()
}

fn standing() -> impl Strategy<Value = Option<SlotStanding>> {
    prop_oneof![
        4 => Just(Some(TAKES)),
        1 => Just(Some(YIELDS)),
        1 => Just(Some(GONE)),
        1 => Just(None),
    ]
}

/// Members 1 to 9 come, drain, die and leave.
fn history() -> impl Strategy<Value = Vec<Vec<(u64, SlotStanding)>>> {
    let members = prop::collection::vec(standing(), 9).prop_map(|standings| {
        let listed = (1..).zip(standings);
        listed.filter_map(|(node, standing)| Some((node, standing?))).collect::<Vec<_>>()
    });
    prop::collection::vec(members, 1..8)
}

proptest! {
    #[test]
    fn slots_are_even_over_takers_after_every_call(history in history()) {
        let mut slots = SlotMap::default();
        for standings in history {
            let before = slots.clone();
            let takers: Vec<u64> =
                standings.iter().filter(|(_, s)| *s == TAKES).map(|(node, _)| *node).collect();
            let moves = rebalance(&mut slots, &standings);
            if takers.is_empty() {
                prop_assert!(moves.is_empty());
                continue;
            }
            let counts = counts(&slots);
            let least = usize::from(SLOTS) / takers.len();
            prop_assert_eq!(counts.keys().copied().collect::<Vec<_>>(), takers.clone());
            prop_assert_eq!(counts.values().sum::<usize>(), usize::from(SLOTS));
            prop_assert!(counts.values().all(|count| (least..=least + 1).contains(count)));
            prop_assert_eq!(moves.len(), fewest_moves(&before, &takers));
        }
    }

    #[test]
    fn the_order_of_the_shares_is_without_meaning(history in history(), turn in 0..9_usize) {
        let mut slots = SlotMap::default();
        for standings in history {
            let mut turned = shares(&standings);
            let by = turn.min(turned.len());
            turned.rotate_left(by);
            let again = moves(slots.iter(), &turned);
            prop_assert_eq!(rebalance(&mut slots, &standings), again);
        }
    }

    #[test]
    fn a_move_is_forced_if_and_only_if_its_owner_is_gone(history in history()) {
        let mut slots = SlotMap::default();
        for standings in history {
            let before = slots.clone();
            let lives = |owner: NodeId| {
                standings.iter().any(|(node, standing)| *node == owner.0 && *standing != GONE)
            };
            for to in rebalance(&mut slots, &standings) {
                let owner = before.get(to.slot).owner;
                prop_assert_eq!(to.is_forced, owner.is_some_and(|owner| !lives(owner)));
            }
        }
    }
}
