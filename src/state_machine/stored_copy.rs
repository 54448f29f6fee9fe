//! The copy of a state that is written to a snapshot or digested: what is stored, without the indexes
//! that derive from it. They are a large part of a state with many effects, and memory is most used while two
//! states are held.

use super::memory::Memory;
use super::{Changes, StateMachine};

impl StateMachine {
    /// What is stored of this state, to be encoded or digested. Nothing can be applied to it, and what
    /// is due is not found in it.
    #[must_use]
    pub(crate) fn stored_copy(&self) -> Self {
        Self {
            now: self.now,
            settings: self.settings.clone(),
            feature_level: self.feature_level,
            slots: self.slots.clone(),
            boots: self.boots.clone(),
            retired: self.retired.clone(),
            pauses: self.pauses.clone(),
            deliveries: self.deliveries.stored_copy(),
            runs: self.runs.stored_copy(),
            tombstones: self.tombstones.clone(),
            forgotten_before: self.forgotten_before,
            outbox: self.outbox.stored_copy(),
            repairs: self.repairs.clone(),
            history: self.history.clone(),
            summaries: self.summaries.clone(),
            dead_letters: self.dead_letters.clone(),
            timers: self.timers.clone(),
            memory: Memory::default(),
            next_sequence: self.next_sequence,
            counters: self.counters.clone(),
            changes: Changes::default(),
        }
    }
}
