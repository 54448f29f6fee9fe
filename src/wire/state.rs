//! The whole replicated state as a sequence of records: written to a snapshot, or hashed to a
//! digest. Indexes are not written; they are rebuilt from the records.

use super::WireError;
use super::command::{from_settings, to_settings};
use super::envelope::{Kind, decode_whole};
use super::event_table::{EventTable, StoredEvents};
use super::ledger::{
    DELIVERY_BYTES, from_counters, from_deliveries, from_letter, from_slot_record, from_timer,
    to_counters, to_deliveries, to_letter, to_slot, to_timer,
};
use super::outbox::{
    from_lane, from_repair, from_replaced, from_target, to_lane, to_repair, to_replaced, to_target,
};
use super::proto::{self, snapshot_record::Record};
use super::run::{from_finished, from_past, from_run, to_finished, to_past, to_run};
use super::scalar::{from_level, insert_once, insert_tracked};
use super::summary::{from_accumulator, from_group, to_accumulator, to_group};
use crate::clock::Timestamp;
use crate::state_machine::{
    CopyOnWrite, FeatureLevel, NodeId, Slot, SlotId, SlotMap, StateMachine,
};
use prost::Message;
use std::collections::BTreeMap;

const MESSAGE: &str = "SnapshotRecord";

/// The stored form of a state. Equal states give equal bytes.
#[must_use]
pub fn encode_state(state: &StateMachine) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_state_in_parts(state, |part| bytes.extend_from_slice(part));
    bytes
}

/// The same, record by record: a large state is never in memory twice.
pub fn encode_state_in_parts(state: &StateMachine, mut take: impl FnMut(&[u8])) {
    take(&Kind::Snapshot.header());
    let mut records = 0;
    Writing::new(|record| {
        take(&of(record).encode_length_delimited_to_vec());
        records += 1;
    })
    .write(state);
    take(&of(Record::End(proto::End { records })).encode_length_delimited_to_vec());
}

/// Reads what [`encode_state`] wrote and builds the indexes.
///
/// # Errors
///
/// This build does not fully know the bytes: another kind or version, an unknown record, enum value
/// or field (rule 22). Or the bytes are cut or contradict themselves.
pub fn decode_state(bytes: &[u8]) -> Result<StateMachine, WireError> {
    let mut rest = Kind::Snapshot.open(bytes)?;
    let mut reading = Reading::default();
    while !rest.is_empty() {
        let (record, after) = split_record(rest, reading.records)?;
        rest = after;
        let record = decode_whole(record, MESSAGE, from_record)?;
        if let Record::End(end) = record {
            return reading.finish(end.records, rest);
        }
        reading.take(record)?;
        reading.records += 1;
    }
    Err(WireError::Cut { found: reading.records })
}

/// A sum over the records of a state, by which replicas notice that they differ (rule 21). A sum
/// can follow the state record by record. It does not depend on the order of the records, nor on
/// that of the remembered deliveries, which are hashed one by one.
#[must_use]
pub fn digest(state: &StateMachine) -> u128 {
    let mut sum = 0_u128;
    Writing::new(|record| {
        if let Record::Deliveries(deliveries) = &record {
            for item in deliveries.items.chunks_exact(DELIVERY_BYTES) {
                let items = item.to_vec();
                sum = sum.wrapping_add(hash(Record::Deliveries(proto::Deliveries { items })));
            }
        } else {
            sum = sum.wrapping_add(hash(record));
        }
    })
    .write(state);
    sum
}

/// The encoding begins with the number of the record's field, which distinguishes the kinds.
fn hash(record: Record) -> u128 {
    xxhash_rust::xxh3::xxh3_128(&of(record).encode_to_vec())
}

fn of(record: Record) -> proto::SnapshotRecord {
    proto::SnapshotRecord { record: Some(record) }
}

fn from_record(record: proto::SnapshotRecord) -> Result<Record, WireError> {
    let (field, accepted) = ("SnapshotRecord.record", "one of the fields 1 to 22");
    record.record.ok_or(WireError::UnknownVariant { field, accepted })
}

/// The first record of `bytes`, and the bytes after it.
fn split_record(bytes: &[u8], records: u64) -> Result<(&[u8], &[u8]), WireError> {
    let mut body = bytes;
    let length = prost::decode_length_delimiter(&mut body)
        .map_err(|source| WireError::Malformed { message: MESSAGE, source })?;
    body.split_at_checked(length).ok_or(WireError::Cut { found: records })
}

/// Hands the records of a state to `take`, in the order of the schema.
struct Writing<F> {
    events: EventTable,
    take: F,
}

impl<F: FnMut(Record)> Writing<F> {
    fn new(take: F) -> Self {
        Self { events: EventTable::default(), take }
    }

    fn write(&mut self, state: &StateMachine) {
        self.write_ledger(state);
        self.write_runs(state);
        self.write_summaries(state);
        self.write_outbox(state);
        for letter in state.dead_letters.values() {
            let letter = to_letter(letter, &mut self.events);
            self.put(Record::DeadLetter(letter));
        }
        for (due_at, timer) in &state.timers {
            self.put(Record::Timer(to_timer(*due_at, timer)));
        }
    }

    fn write_ledger(&mut self, state: &StateMachine) {
        self.put(Record::Clock(proto::Clock {
            now_ms: state.now.0,
            forgotten_before_ms: state.forgotten_before.0,
            next_sequence: state.next_sequence,
            next_letter: state.dead_letters.last(),
        }));
        self.put(Record::Settings(to_settings(&state.settings)));
        // Absent at the first level, so that the states of builds that know no other level stay the
        // same.
        if state.feature_level != FeatureLevel::FIRST {
            self.put(Record::Level(proto::Level { level: state.feature_level.0 }));
        }
        self.put(Record::Counters(to_counters(&state.counters)));
        for (number, slot) in state.slots.iter().filter(|(_, slot)| *slot != Slot::default()) {
            self.put(Record::Slot(to_slot(number, slot)));
        }
        for (node, boot) in &state.boots {
            self.put(Record::Life(proto::Life { node: node.0, boot: *boot }));
        }
        for (node, at) in &state.retired {
            self.put(Record::Retired(proto::Retired { node: node.0, at_ms: at.0 }));
        }
        for (instance, until) in &state.pauses {
            let (instance, until_ms) = (instance.clone(), until.0);
            self.put(Record::Paused(proto::Paused { instance, until_ms }));
        }
        self.put(Record::Deliveries(to_deliveries(&state.deliveries)));
    }

    fn write_runs(&mut self, state: &StateMachine) {
        for (key, run) in &state.runs {
            let run = to_run(*key, run, &mut self.events);
            self.put(Record::Run(run));
        }
        for (key, past) in state.tombstones.iter() {
            self.put(Record::Past(to_past(*key, past)));
        }
        for (key, finished) in state.history.iter() {
            self.put(Record::Finished(to_finished(*key, finished)));
        }
    }

    fn write_summaries(&mut self, state: &StateMachine) {
        for (key, accumulator) in &state.summaries.accumulators {
            let accumulator = to_accumulator(*key, accumulator, &mut self.events);
            self.put(Record::Accumulator(accumulator));
        }
        for (key, group) in &state.summaries.groups {
            let group = to_group(key, group, &mut self.events);
            self.put(Record::Group(group));
        }
    }

    fn write_outbox(&mut self, state: &StateMachine) {
        let outbox = &state.outbox;
        for key in outbox.lanes.keys() {
            let lane = to_lane(outbox.lane(key), &mut self.events);
            self.put(Record::Lane(lane));
        }
        for (key, target) in &outbox.targets {
            self.put(Record::Target(to_target(key, target)));
        }
        for (key, begin) in &outbox.replaced {
            let begin = to_replaced(*key, begin, &mut self.events);
            self.put(Record::Replaced(begin));
        }
        for (target, repair) in &state.repairs {
            self.put(Record::OwedRepair(to_repair(target, repair)));
        }
    }

    fn put(&mut self, record: Record) {
        for event in self.events.take_unwritten() {
            (self.take)(Record::Event(event));
        }
        (self.take)(record);
    }
}

/// The part of a state that was read so far.
#[derive(Default)]
struct Reading {
    state: StateMachine,
    events: StoredEvents,
    slots: BTreeMap<SlotId, Slot>,
    records: u64,
}

impl Reading {
    fn take(&mut self, record: Record) -> Result<(), WireError> {
        let Self { state, events, .. } = self;
        match record {
            Record::Clock(clock) => self.take_clock(&clock),
            Record::Settings(settings) => state.settings = from_settings(settings),
            Record::Level(level) => state.feature_level = from_level(level.level, "Level.level")?,
            Record::Counters(counters) => state.counters = from_counters(counters)?,
            Record::Slot(slot) => {
                let (number, slot) = from_slot_record(slot)?;
                insert_once(&mut self.slots, number, slot, "Slot.number")?;
            }
            Record::Life(life) => {
                insert_once(&mut state.boots, NodeId(life.node), life.boot, "Life.node")?;
            }
            Record::Retired(retired) => {
                let (node, at) = (NodeId(retired.node), Timestamp(retired.at_ms));
                insert_once(&mut state.retired, node, at, "Retired.node")?;
            }
            Record::Paused(paused) => {
                let (instance, until) = (paused.instance, Timestamp(paused.until_ms));
                insert_once(&mut state.pauses, instance, until, "Paused.instance")?;
            }
            Record::Deliveries(deliveries) => {
                state.deliveries = from_deliveries(&deliveries)?;
            }
            Record::Event(event) => events.add(event)?,
            Record::Run(run) => {
                let (key, run) = from_run(run, events)?;
                insert_tracked(state.runs.records_mut(), key, run, "Run.key")?;
            }
            Record::Past(past) => {
                let (key, past) = from_past(past)?;
                if state.tombstones.insert(key, past).is_some() {
                    let found = format!("{key:?}");
                    return Err(WireError::Repeated { field: "Past.key", found });
                }
            }
            Record::Finished(finished) => {
                let (key, finished) = from_finished(finished)?;
                insert_tracked(state.history.records_mut(), key, finished, "Finished.key")?;
            }
            Record::Accumulator(accumulator) => {
                let (key, accumulator) = from_accumulator(accumulator, events)?;
                let known = &mut state.summaries.accumulators;
                insert_tracked(known, key, accumulator, "Accumulator.key")?;
            }
            Record::Group(group) => {
                let (key, group) = from_group(group, events)?;
                insert_tracked(&mut state.summaries.groups, key, group, "Group.key")?;
            }
            Record::Lane(lane) => self.take_lane(lane)?,
            Record::Target(target) => {
                let (key, target) = from_target(target)?;
                insert_tracked(&mut state.outbox.targets, key, target, "Target.key")?;
            }
            Record::Replaced(begin) => {
                let (key, begin) = from_replaced(begin, events)?;
                insert_once(&mut state.outbox.replaced, key, begin, "Replaced.id")?;
            }
            Record::OwedRepair(repair) => {
                let (target, repair) = from_repair(repair)?;
                insert_once(&mut state.repairs, target, repair, "OwedRepair.target")?;
            }
            Record::DeadLetter(letter) => self.take_letter(letter)?,
            Record::Timer(timer) => self.take_timer(timer)?,
            Record::End(_) => {}
        }
        Ok(())
    }

    fn take_letter(&mut self, letter: proto::DeadLetter) -> Result<(), WireError> {
        let letter = from_letter(letter, &self.events)?;
        let Some(before) = self.state.dead_letters.keep(letter) else { return Ok(()) };
        Err(WireError::Repeated { field: "DeadLetter.id", found: before.id.to_string() })
    }

    fn take_clock(&mut self, clock: &proto::Clock) {
        self.state.now = Timestamp(clock.now_ms);
        self.state.forgotten_before = Timestamp(clock.forgotten_before_ms);
        self.state.next_sequence = clock.next_sequence;
        self.state.dead_letters.go_on_after(clock.next_letter);
    }

    fn take_lane(&mut self, lane: proto::Lane) -> Result<(), WireError> {
        let effects = from_lane(lane, &self.events)?;
        let outbox = &mut self.state.outbox;
        if let Some(first) = effects.first() {
            let ids = effects.iter().map(|effect| effect.id).collect();
            insert_once(&mut outbox.lanes, first.lane(), ids, "Lane.effects")?;
        }
        for effect in effects {
            let (id, effect) = (effect.id, CopyOnWrite::new(effect));
            insert_once(&mut outbox.effects, id, effect, "Effect.id")?;
        }
        Ok(())
    }

    fn take_timer(&mut self, timer: proto::Timer) -> Result<(), WireError> {
        let timer = from_timer(timer)?;
        let field = "Timer.kind";
        if self.state.timers.contains(&timer) {
            return Err(WireError::Repeated { field, found: format!("{timer:?}") });
        }
        self.state.timers.insert(timer);
        Ok(())
    }

    /// The state, if the end record has the number of records read and no bytes follow it.
    fn finish(mut self, accepted: u64, rest: &[u8]) -> Result<StateMachine, WireError> {
        if self.records != accepted || !rest.is_empty() {
            return Err(WireError::Count { found: self.records, accepted });
        }
        let slots = SlotId::all().map(|slot| self.slots.remove(&slot).unwrap_or_default());
        self.state.slots = SlotMap::from_slots(slots.collect());
        self.state.rebuild_indexes();
        Ok(self.state)
    }
}

#[cfg(test)]
#[path = "state_test.rs"]
mod tests;
#[cfg(test)]
pub(super) use tests::filled;

#[cfg(test)]
#[path = "refusal_test.rs"]
mod refusals;
