//! How much memory the state takes, part by part, and in which order it gives way. Derived: a
//! function of the records, counted as they change.

mod by_share;
mod room;
mod tracked;
mod weight;

pub(super) use by_share::ByShare;
pub(crate) use tracked::{Record, Tracked};
pub(super) use weight::{letter as letter_weight, tombstone as tombstone_weight};

use super::StateMachine;
use super::run_record::RunTombstone;
use crate::clock::Timestamp;
use crate::effect::TargetKey;
use crate::event::Key;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of state where the settings tell none.
pub const MEMORY_BYTES_DEFAULT: u64 = 256 << 20;

/// The parts that the state's memory is told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Records of runs, with what waits to be planned.
    Runs,
    /// Tombstones.
    Past,
    Targets,
    /// Accumulators and groups.
    Summaries,
    Outbox,
    DeadLetters,
    /// Delivery keys.
    Deliveries,
    /// Last finished runs.
    History,
}

impl Part {
    /// All parts, in declaration order.
    pub const ALL: [Self; 8] = [
        Self::Runs,
        Self::Past,
        Self::Targets,
        Self::Summaries,
        Self::Outbox,
        Self::DeadLetters,
        Self::Deliveries,
        Self::History,
    ];

    /// The word used in metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Past => "past",
            Self::Targets => "targets",
            Self::Summaries => "summaries",
            Self::Outbox => "outbox",
            Self::DeadLetters => "dead_letters",
            Self::Deliveries => "deliveries",
            Self::History => "history",
        }
    }
}

/// How full the state's memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    pub bytes: u64,
    /// `store.memory`.
    pub bytes_max: u64,
    /// Nothing can give way for a new run: all that is held is still owed to somebody.
    pub is_full: bool,
}

/// A namespace, by a hash of its name.
pub type ShareId = u64;

/// The share that the runs of `namespace` count in.
pub(crate) fn share_of(namespace: &str) -> ShareId {
    xxhash_rust::xxh3::xxh3_64(namespace.as_bytes())
}

/// Whether a run's record may give way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Something of it is to be planned or delivered.
    Busy,
    /// Final and delivered, last heard of at that time.
    Settled(Timestamp),
    /// Not final, delivered so far, last heard of at that time.
    Silent(Timestamp),
}

/// What a run's record counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunStanding {
    bytes: u64,
    share: ShareId,
    rest: Rest,
}

/// What the record of a target counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TargetStanding {
    bytes: u64,
    share: ShareId,
    /// Since when nothing is written to it.
    idle_since: Option<Timestamp>,
}

/// Sums and orders over the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    runs: u64,
    targets: u64,
    /// Final and delivered runs by last sighting.
    settled: BTreeSet<(Timestamp, Key)>,
    /// What each namespace holds of runs, tombstones and targets.
    shares: BTreeMap<ShareId, u64>,
    /// The same by bytes.
    ranking: BTreeSet<(u64, ShareId)>,
    /// Unfinished runs that owe nothing, by last sighting.
    silent: ByShare<Key>,
    idle_targets: ByShare<TargetKey>,
}

impl Memory {
    fn change_run(&mut self, key: Key, before: Option<&RunStanding>, after: Option<&RunStanding>) {
        if let Some(RunStanding { bytes, share, rest }) = before {
            self.runs = self.runs.saturating_sub(*bytes);
            match rest {
                Rest::Busy => {}
                Rest::Settled(seen) => {
                    self.settled.remove(&(*seen, key));
                }
                Rest::Silent(seen) => self.silent.remove(*share, *seen, &key),
            }
            self.lighten(*share, *bytes);
        }
        if let Some(RunStanding { bytes, share, rest }) = after {
            self.runs = self.runs.saturating_add(*bytes);
            self.burden(*share, *bytes);
            match rest {
                Rest::Busy => {}
                Rest::Settled(seen) => {
                    self.settled.insert((*seen, key));
                }
                Rest::Silent(seen) => self.silent.insert(*share, *seen, &key),
            }
        }
    }

    fn change_target(
        &mut self,
        key: &TargetKey,
        before: Option<&TargetStanding>,
        after: Option<&TargetStanding>,
    ) {
        if let Some(TargetStanding { bytes, share, idle_since }) = before {
            self.targets = self.targets.saturating_sub(*bytes);
            if let Some(since) = idle_since {
                self.idle_targets.remove(*share, *since, key);
            }
            self.lighten(*share, *bytes);
        }
        if let Some(TargetStanding { bytes, share, idle_since }) = after {
            self.targets = self.targets.saturating_add(*bytes);
            if let Some(since) = idle_since {
                self.idle_targets.insert(*share, *since, key);
            }
            self.burden(*share, *bytes);
        }
    }

    /// Counts a tombstone in its namespace.
    pub(super) fn add_tombstone(&mut self, past: &RunTombstone) {
        self.burden(past.share, weight::tombstone(past));
    }

    /// Takes a tombstone off its namespace again.
    pub(super) fn remove_tombstone(&mut self, past: &RunTombstone) {
        self.lighten(past.share, weight::tombstone(past));
    }

    fn burden(&mut self, id: ShareId, bytes: u64) {
        let held = self.shares.entry(id).or_default();
        self.ranking.remove(&(*held, id));
        *held = held.saturating_add(bytes);
        self.ranking.insert((*held, id));
    }

    fn lighten(&mut self, id: ShareId, bytes: u64) {
        let Some(held) = self.shares.get_mut(&id) else { return };
        self.ranking.remove(&(*held, id));
        *held = held.saturating_sub(bytes);
        if *held == 0 {
            self.shares.remove(&id);
        } else {
            self.ranking.insert((*held, id));
        }
    }

    /// The share that holds most.
    fn largest(&self) -> Option<ShareId> {
        self.ranking.last().map(|(_, id)| *id)
    }

    /// What the runs of a namespace hold.
    #[cfg(test)]
    pub(super) fn held_by(&self, namespace: &str) -> u64 {
        self.shares.get(&share_of(namespace)).copied().unwrap_or_default()
    }
}

impl StateMachine {
    /// Brings the sums and orders up to date.
    pub(super) fn weigh(&mut self) {
        let Self { memory, runs, summaries, history, outbox, .. } = self;
        runs.records_mut().changes(|key, before, after| memory.change_run(*key, before, after));
        outbox.targets.changes(|key, before, after| memory.change_target(key, before, after));
        summaries.weigh();
        history.weigh();
    }

    /// Counts everything anew, for a state that was read from a snapshot.
    pub(super) fn weigh_anew(&mut self) {
        let mut anew = Memory::default();
        self.tombstones.values().for_each(|past| anew.add_tombstone(past));
        let runs = self.runs.records_mut();
        runs.forget_standings(|key, standing| anew.change_run(*key, None, Some(standing)));
        let targets = &mut self.outbox.targets;
        targets.forget_standings(|key, standing| anew.change_target(key, None, Some(standing)));
        self.summaries.weigh_again();
        self.history.weigh_again();
        self.memory = anew;
    }

    /// Bytes that a part of the state takes.
    #[must_use]
    pub fn part_bytes(&self, part: Part) -> u64 {
        let number = |of: usize| u64::try_from(of).unwrap_or(u64::MAX);
        match part {
            Part::Runs => self.memory.runs,
            Part::Past => self.tombstones.bytes(),
            Part::Targets => self.memory.targets,
            Part::Summaries => self.summaries.bytes(),
            Part::Outbox => {
                let calls = self.outbox.replaced.len() + self.repairs.len();
                self.outbox.bytes().saturating_add(weight::effects(calls))
            }
            Part::DeadLetters => self.dead_letters.bytes(),
            Part::Deliveries => {
                number(self.deliveries.len()).saturating_mul(weight::DELIVERY_BYTES)
            }
            Part::History => self.history.bytes(),
        }
    }

    /// How full the state's memory is.
    #[must_use]
    pub fn memory_use(&self) -> MemoryUse {
        let bytes = Part::ALL.into_iter().map(|part| self.part_bytes(part)).sum();
        let bytes_max = self.memory_max();
        MemoryUse { bytes, bytes_max, is_full: self.is_memory_full(bytes) }
    }

    /// `store.memory`, as the log has it.
    pub(super) fn memory_max(&self) -> u64 {
        match self.settings.memory_bytes {
            0 => MEMORY_BYTES_DEFAULT,
            bytes => bytes,
        }
    }
}
