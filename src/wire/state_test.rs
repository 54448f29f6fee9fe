//! States: the state read is the state written, including the indexes, and both continue alike.

use super::*;
use crate::event::Key;
use crate::state_machine::{
    Command, Counters, DeliveryKeys, Entry, FeatureLevel, FinishedRuns, SettledEffect, Settlement,
};
use crate::wire::full_state::{full_state, second_state, state_with};
use crate::wire::history::{History, fixed_steps};
use crate::wire::{decode_entry, encode_entry};
use proptest::prelude::*;
use std::sync::Arc;

/// The state after `entries`, from nothing or from `state`.
fn applied(mut state: StateMachine, entries: &[Entry]) -> StateMachine {
    for entry in entries {
        state.apply(entry.clone());
    }
    state
}

/// Text that is equal for equal states only, including derived indexes.
fn everything(state: &StateMachine) -> String {
    format!("{state:?}")
}

fn steps() -> impl Strategy<Value = Vec<[u8; 4]>> {
    proptest::collection::vec(any::<[u8; 4]>(), 0..160)
}

/// No regression files: a failing log becomes a test of its own.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_state_survives_the_wire(steps in steps()) {
        let state = History::of(&steps).state;
        let bytes = encode_state(&state);
        let decoded = decode_state(&bytes).unwrap();
        prop_assert_eq!(everything(&decoded), everything(&state));
        prop_assert!(encode_state(&decoded) == bytes);
        prop_assert_eq!(digest(&decoded), digest(&state));
        let copy = state.stored_copy();
        prop_assert!(encode_state(&copy) == bytes);
        prop_assert_eq!(digest(&copy), digest(&state));
    }

    #[test]
    fn a_snapshot_and_the_rest_of_the_log_equal_the_whole_log(steps in steps(), cut in 0..160_usize) {
        let history = History::of(&steps);
        let (before, after) = history.entries.split_at(cut.min(history.entries.len()));
        let snapshot = encode_state(&applied(StateMachine::default(), before));
        let state = applied(decode_state(&snapshot).unwrap(), after);
        prop_assert!(encode_state(&state) == encode_state(&history.state));
        prop_assert_eq!(digest(&state), digest(&history.state));
        prop_assert_eq!(everything(&state), everything(&history.state));
    }

    #[test]
    fn a_log_that_is_read_back_and_applied_again_gives_equal_bytes(steps in steps()) {
        let history = History::of(&steps);
        let stored = history.entries.iter().map(encode_entry);
        let entries: Vec<_> = stored.map(|bytes| decode_entry(&bytes).unwrap()).collect();
        prop_assert_eq!(&entries, &history.entries);
        let state = applied(StateMachine::default(), &entries);
        prop_assert!(encode_state(&state) == encode_state(&history.state));
    }
}

fn is_late(settled: &SettledEffect) -> bool {
    matches!(settled.settlement, Settlement::Late(_))
}

/// Which parts of a state have entries.
pub(in crate::wire) fn filled(state: &StateMachine) -> Vec<(&'static str, bool)> {
    let runs = || state.runs.values();
    let effects = || state.outbox.effects.values();
    vec![
        ("deliveries", state.deliveries.len() > 0),
        ("retired", !state.retired.is_empty()),
        ("paused", !state.pauses.is_empty()),
        ("past", !state.tombstones.is_empty()),
        ("forgotten_before", state.forgotten_before.is_known()),
        ("history", !state.history.is_empty()),
        ("groups", !state.summaries.groups.is_empty()),
        ("flushed groups", state.summaries.groups.values().any(|group| group.renderings > 0)),
        (
            "accumulated members",
            state.summaries.accumulators.values().any(|a| !a.members.is_empty()),
        ),
        ("dead letters", !state.dead_letters.is_empty()),
        ("unplanned", state.runs.unplanned().next().is_some()),
        ("moved slots", state.slots().any(|(_, slot)| slot.moved_at.is_known())),
        ("transitions", runs().any(|run| run.transitions.len() > 1)),
        ("second finals", runs().any(|run| run.has_second_final)),
        ("settled", runs().any(|run| !run.settled.is_empty())),
        ("previous states", runs().any(|run| run.context.previous_state.is_some())),
        ("long lanes", state.outbox.lanes.values().any(|lane| lane.len() > 1)),
        ("remote ids", state.outbox.targets.values().any(|t| !t.remote_id.is_empty())),
        ("replaced", !state.outbox.replaced.is_empty()),
        ("open", effects().any(|effect| effect.open.is_some())),
        ("parked", effects().any(|effect| effect.parked_since.is_known())),
        ("in doubt", effects().any(|effect| effect.is_in_doubt)),
        ("causes", effects().any(|effect| effect.last_cause.is_some())),
        ("replayed", effects().any(|effect| effect.origin.replays() > 0)),
        ("repairs", effects().any(|effect| effect.origin.is_repair())),
        ("summaries", effects().any(|effect| effect.origin.is_summary())),
        ("late", state.counters.late > 0),
        ("late receipts", runs().flat_map(|run| &run.settled).any(is_late)),
        ("letters dropped", state.counters.letters_dropped > 0),
    ]
}

#[test]
fn the_generated_logs_fill_every_part_of_the_state() {
    let mut history = History::begin();
    let mut empty: Vec<_> = filled(&history.state).into_iter().map(|(name, _)| name).collect();
    for step in fixed_steps(3000) {
        history.step(step);
        let full = filled(&history.state);
        let is_found = empty.iter().any(|name| full.contains(&(*name, true)));
        empty.retain(|name| !full.contains(&(*name, true)));
        if is_found {
            let decoded = decode_state(&encode_state(&history.state)).unwrap();
            assert_eq!(everything(&decoded), everything(&history.state));
        }
    }
    assert_eq!(empty, Vec::<&str>::new());
}

/// A state that has every kind of record.
pub(super) fn long_history() -> StateMachine {
    let kinds = [
        "deliveries",
        "past",
        "history",
        "groups",
        "accumulated members",
        "dead letters",
        "unplanned",
        "settled",
        "replaced",
        "retired",
        "paused",
    ];
    let mut history = History::begin();
    for step in fixed_steps(LONG_STEPS_MAX) {
        history.step(step);
        let full = filled(&history.state);
        if kinds.iter().all(|kind| full.contains(&(*kind, true))) {
            return history.state;
        }
    }
    panic!("no state with every kind of record in {LONG_STEPS_MAX} steps");
}

/// Steps that are enough to have every kind of record at once.
const LONG_STEPS_MAX: usize = 3000;

#[test]
fn bytes_do_not_depend_on_who_shares_memory_with_whom() {
    let state = long_history();
    let mut copied = state.clone();
    for run in copied.runs.records_mut().values_mut() {
        run.facts = Arc::new((*run.facts).clone());
        for queued in &mut run.queue {
            queued.event = Arc::new((*queued.event).clone());
        }
    }
    assert!(encode_state(&copied) == encode_state(&state));
    assert_eq!(digest(&copied), digest(&state));
}

#[test]
fn an_event_that_many_records_share_is_written_once() {
    let mut state = long_history();
    let before = encode_state(&state).len();
    let run = state.runs.records_mut().values_mut().find(|run| !run.queue.is_empty()).unwrap();
    let queued = run.queue[0].clone();
    run.queue.extend(std::iter::repeat_n(queued, 10));
    let grown = encode_state(&state).len() - before;
    assert!(grown < 10 * 200, "ten more records took {grown} bytes");
}

#[test]
fn every_field_of_a_state_comes_back() {
    for state in [full_state(), second_state()] {
        let bytes = encode_state(&state);
        let decoded = decode_state(&bytes).unwrap();
        assert_eq!(everything(&decoded), everything(&state));
        assert!(encode_state(&decoded) == bytes);
        assert_eq!(digest(&decoded), digest(&state));
    }
}

#[test]
fn the_stored_form_of_every_record_stays_as_it_is() {
    let bytes = encode_state(&full_state());
    let hash = xxhash_rust::xxh3::xxh3_128(&bytes);
    assert_eq!((bytes.len(), hash), (7638, 0xdbcd_797e_bd07_7b18_3b5c_2a2f_705d_348e));
    assert_eq!(digest(&full_state()), 0xa3cc_12d3_ede1_201e_0bf5_89c5_c50f_5e44);
}

#[test]
fn the_stored_form_of_a_state_stays_as_it_is() {
    let state = state_with(|state| {
        state.now = Timestamp(1_790_000_000_123);
        state.boots = [(NodeId(0xa1), 4)].into();
        state.deliveries = [(Timestamp(5), Key(6))].into_iter().collect();
    });
    let hex: String = encode_state(&state).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, GOLDEN);
}

const GOLDEN: &str = concat!(
    "5301090a0708fbd8c1a28c342212200880dddb01108088b2a00218a08d06208088b2a00228904e3888274080dddb01",
    "021a000d2a0b09a10000000000000010041c321a0a18000000000000000500000000000000000000000000000006",
    "059201020805",
);

#[test]
fn rule_22_the_first_level_leaves_no_trace_in_a_snapshot() {
    let mut state = StateMachine::default();
    let at = Timestamp::UNKNOWN;
    let raise = |level| Entry { at, commands: vec![Command::RaiseLevel { level }] };
    state.apply(raise(FeatureLevel::FIRST));
    assert_eq!(encode_state(&state), encode_state(&StateMachine::default()));
    assert_eq!(decode_state(&encode_state(&state)).unwrap().feature_level(), FeatureLevel::FIRST);
    state.apply(raise(FeatureLevel(2)));
    assert_ne!(digest(&state), digest(&StateMachine::default()));
}

#[test]
fn rule_21_every_kind_of_record_counts_in_the_digest() {
    let state = long_history();
    let whole = digest(&state);
    let changes: [fn(&mut StateMachine); 13] = [
        |state| state.now = Timestamp(state.now.0 + 1),
        |state| state.settings.runs_max += 1,
        |state| state.counters = Counters { late: 1_000_000, ..state.counters.clone() },
        |state| state.deliveries = DeliveryKeys::default(),
        |state| state.feature_level = FeatureLevel(2),
        |state| state.boots.clear(),
        |state| state.retired.clear(),
        |state| state.pauses.clear(),
        |state| state.runs.records_mut().clear(),
        |state| state.history = FinishedRuns::default(),
        |state| state.summaries.accumulators.clear(),
        |state| state.outbox.targets.clear(),
        |state| state.timers.clear(),
    ];
    for (place, change) in changes.into_iter().enumerate() {
        let mut other = state.clone();
        change(&mut other);
        assert_ne!(digest(&other), whole, "change {place}");
    }
}

#[test]
fn the_digest_adds_up_delivery_by_delivery() {
    let with = |keys: &[u128]| {
        let deliveries = keys.iter().map(|key| (Timestamp(9), Key(*key))).collect();
        digest(&state_with(|state| state.deliveries = deliveries))
    };
    let none = with(&[]);
    let sum = with(&[1]).wrapping_add(with(&[2])).wrapping_sub(none);
    assert_eq!(with(&[1, 2]), sum);
    assert_eq!(with(&[1, 2]), with(&[2, 1]));
}
