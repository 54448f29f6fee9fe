//! Which member owns which slot: the moves that spread all slots evenly over the members that take
//! slots. Pure, and not part of the replicated rules: the log holds the moves, so the algorithm may
//! differ between versions. It must not wait for releases; a move raises the slot's epoch.

use crate::state_machine::{NodeId, Slot, SlotId, SlotMove};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

/// What a member does about slots; a graver standing is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SlotStanding {
    /// Live, not draining, not unhealthy: owns its share.
    Takes,
    /// Draining or unhealthy: its slots go to others by planned moves.
    Yields,
    /// Dead: its slots go to others by forced moves.
    Gone,
}

/// One member's share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotShare {
    pub node: NodeId,
    pub standing: SlotStanding,
}

/// The smallest set of moves after which every slot belongs to a member that takes slots, and no
/// two of these differ by more than one slot. Empty if no member takes slots.
///
/// Owners without a share are not members any more, and count as gone. The order of the shares does
/// not matter. At most one move per slot, so never more than 256.
#[must_use]
pub fn moves(slots: impl Iterator<Item = (SlotId, Slot)>, shares: &[SlotShare]) -> Vec<SlotMove> {
    let standings = standings(shares);
    let takers = standings.iter().filter(|(_, standing)| **standing == SlotStanding::Takes);
    let mut owned: BTreeMap<NodeId, Vec<(SlotId, Slot)>> =
        takers.map(|(node, _)| (*node, Vec::new())).collect();
    if owned.is_empty() {
        return Vec::new();
    }
    let mut free = Vec::new();
    for (id, slot) in slots {
        match slot.owner.and_then(|owner| owned.get_mut(&owner)) {
            Some(kept) => kept.push((id, slot)),
            None => free.push((id, slot)),
        }
    }
    let quotas = quotas(&owned, free.len());
    for (node, kept) in &mut owned {
        // The slots that a node would win by rendezvous stay with it, so that they need not return.
        kept.sort_by_key(|(id, _)| (Reverse(weight(*id, *node)), *id));
        free.extend(kept.split_off(kept.len().min(quotas[node])));
    }
    free.sort_by_key(|(id, _)| *id);
    let mut room: BTreeMap<NodeId, usize> =
        owned.iter().map(|(node, kept)| (*node, quotas[node] - kept.len())).collect();
    free.into_iter()
        .filter_map(|(id, slot)| Some(to_move(id, slot, take_place(id, &mut room)?, &standings)))
        .collect()
}

/// Each member's standing; of two reports about one member the graver counts.
fn standings(shares: &[SlotShare]) -> BTreeMap<NodeId, SlotStanding> {
    let mut standings = BTreeMap::new();
    for share in shares {
        let standing = standings.entry(share.node).or_insert(share.standing);
        *standing = share.standing.max(*standing);
    }
    standings
}

/// How many slots each taker gets. The odd ones go to those that already own most: every other
/// choice moves more.
fn quotas(owned: &BTreeMap<NodeId, Vec<(SlotId, Slot)>>, free: usize) -> BTreeMap<NodeId, usize> {
    let total = free + owned.values().map(Vec::len).sum::<usize>();
    let (least, odd) = (total / owned.len(), total % owned.len());
    let mut by_count: Vec<(Reverse<usize>, NodeId)> =
        owned.iter().map(|(node, kept)| (Reverse(kept.len()), *node)).collect();
    by_count.sort_unstable();
    let with_odd = by_count.into_iter().enumerate();
    with_odd.map(|(at, (_, node))| (node, least + usize::from(at < odd))).collect()
}

/// Takes a place at the rendezvous winner among those with room.
fn take_place(slot: SlotId, room: &mut BTreeMap<NodeId, usize>) -> Option<NodeId> {
    let with_room = room.iter_mut().filter(|(_, left)| **left > 0);
    let (node, left) = with_room.max_by_key(|(node, _)| (weight(slot, **node), **node))?;
    *left -= 1;
    Some(*node)
}

/// Rendezvous weight: the slot prefers the node with the largest.
fn weight(slot: SlotId, node: NodeId) -> u64 {
    let mut pair = [0; 10];
    pair[..2].copy_from_slice(&slot.number().to_le_bytes());
    pair[2..].copy_from_slice(&node.0.to_le_bytes());
    xxh3_64(&pair)
}

fn to_move(
    id: SlotId,
    slot: Slot,
    to: NodeId,
    standings: &BTreeMap<NodeId, SlotStanding>,
) -> SlotMove {
    let is_gone =
        |owner| standings.get(&owner).is_none_or(|standing| *standing == SlotStanding::Gone);
    let is_forced = slot.owner.is_some_and(is_gone);
    SlotMove { slot: id, expected_epoch: slot.epoch, to, is_forced }
}

#[cfg(test)]
#[path = "slots_test.rs"]
mod tests;
