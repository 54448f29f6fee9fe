//! What fits into one proposal, and what is left of one that the log found too large.

use super::*;
use crate::effect::{Delivery, PlannedEffect, TargetKey};
use crate::event::Key;
use crate::state_machine::{NodeId, Owner, SlotId};

fn owner() -> Owner {
    Owner { node: NodeId(1), boot: 1, slot: SlotId::of_root("run"), epoch: 1 }
}

/// The plan of an event with one effect, whose target has a key of so many bytes.
fn plan(sequence: u64, bytes: usize) -> Piece {
    let id = EffectId(Key(sequence.into()));
    let effect = PlannedEffect {
        id,
        route: RouteName::every(),
        target: TargetKey("x".repeat(bytes)),
        delivery: Delivery::Stream,
    };
    let (run, effects) = (Key(7), vec![effect]);
    let planned = Planned { run, sequence, effects, skipped: Vec::new(), failed: Vec::new() };
    let command =
        Command::Begin(Begin { owner: owner(), planned: Some(planned), asked: Vec::new() });
    Piece { command, taken: vec![(id, "hub".to_owned())] }
}

fn batch(plans: impl IntoIterator<Item = (u64, usize)>) -> Batch {
    let mut batch = Batch::default();
    for (sequence, bytes) in plans {
        assert!(batch.try_push(plan(sequence, bytes)).is_none());
    }
    batch
}

/// Sequences of the plans, and how many routes of each failed.
fn plans(batch: &Batch) -> Vec<(u64, usize)> {
    let planned = batch.commands().into_iter().filter_map(|command| {
        let Command::Begin(Begin { planned, .. }) = command else { return None };
        planned
    });
    planned.map(|planned| (planned.sequence, planned.failed.len())).collect()
}

#[test]
fn rule_04_a_batch_holds_what_an_entry_holds_to_the_byte() {
    // Lengths of this order have one form, so that the rest of a command does not depend on them.
    let order = 1_000_000;
    let others = command_bytes(&plan(2, order).command) - order;
    let rest = ENTRY_BYTES_MAX - command_bytes(&plan(1, 1000).command) - others;
    let mut full = batch([(1, 1000), (2, rest)]);
    assert_eq!(full.bytes, ENTRY_BYTES_MAX);
    assert!(full.try_push(plan(3, 0)).is_some());
    let mut full = batch([(1, 1000)]);
    let left_out = full.try_push(plan(2, rest + 1)).unwrap();
    assert_eq!(left_out.taken, [(EffectId(Key(2)), "hub".to_owned())]);
    assert_eq!(full.into_taken(), [(EffectId(Key(1)), "hub".to_owned())]);
}

#[test]
fn a_batch_holds_so_many_commands() {
    let mut full = batch((0..256).map(|sequence| (sequence, 0)));
    assert!(full.is_full());
    assert_eq!(full.room(), 0);
    assert!(full.try_push(plan(256, 0)).is_some());
}

#[test]
fn rule_04_half_of_what_is_too_large_is_left_to_another_proposal() {
    let mut large = batch([(1, 10), (2, 10), (3, 10)]);
    let left_out: Vec<EffectId> = large.halve().into_iter().map(|(effect, _)| effect).collect();
    assert_eq!(left_out, [EffectId(Key(2)), EffectId(Key(3))]);
    assert_eq!(plans(&large), [(1, 0)]);
    assert_eq!(large.bytes, command_bytes(&plan(1, 10).command));
    assert_eq!(large.into_taken(), [(EffectId(Key(1)), "hub".to_owned())]);
}

#[test]
fn rule_07_a_single_plan_that_is_too_large_is_given_up() {
    let mut large = batch([(5, 10)]);
    assert_eq!(large.halve().len(), 1);
    assert_eq!(plans(&large), [(5, 1)]);
    assert_eq!(large.into_taken(), []);
}

#[test]
fn what_plans_nothing_is_left_to_be_asked_for_again() {
    let mut large = Batch::default();
    assert!(large.try_push(Piece { command: Command::Tick, taken: Vec::new() }).is_none());
    large.halve();
    assert!(large.is_empty());
}
