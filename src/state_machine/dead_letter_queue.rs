//! The dead letters that are kept, and what they weigh.

use super::dead_letter::DeadLetter;
use super::memory::letter_weight;
use std::collections::BTreeMap;
use std::ops::Deref;

/// Letters by their numbers, which rise: the oldest first.
#[derive(Clone, Debug, Default)]
pub struct DeadLetterQueue {
    letters: BTreeMap<u64, DeadLetter>,
    /// The number of the newest letter that was ever added.
    last: u64,
    /// What the letters weigh, in bytes. Derived.
    bytes: u64,
}

impl DeadLetterQueue {
    /// Goes on with the number after `last`.
    pub(crate) fn go_on_after(&mut self, last: u64) {
        self.last = last;
    }

    /// Adds a letter under the next number, which is returned.
    pub(super) fn add(&mut self, letter: DeadLetter) -> u64 {
        self.last += 1;
        self.keep(DeadLetter { id: self.last, ..letter });
        self.last
    }

    /// Keeps a letter under the number that it has. The one that had it before is returned.
    pub(crate) fn keep(&mut self, letter: DeadLetter) -> Option<DeadLetter> {
        self.bytes = self.bytes.saturating_add(letter_weight(&letter));
        let before = self.letters.insert(letter.id, letter)?;
        self.bytes = self.bytes.saturating_sub(letter_weight(&before));
        Some(before)
    }

    /// Takes a letter out. Its number is not handed out again.
    pub(super) fn remove(&mut self, id: u64) -> Option<DeadLetter> {
        let letter = self.letters.remove(&id)?;
        self.bytes = self.bytes.saturating_sub(letter_weight(&letter));
        Some(letter)
    }

    /// The number of the oldest letter.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.letters.keys().next().copied()
    }

    /// The number of the newest letter that was ever added; 0 before the first.
    #[must_use]
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// What the letters weigh, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Reading is free.
impl Deref for DeadLetterQueue {
    type Target = BTreeMap<u64, DeadLetter>;

    fn deref(&self) -> &Self::Target {
        &self.letters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::effect::RouteName;
    use crate::event::{Key, RunContext, recorded_run};
    use crate::state_machine::{Cause, CauseKind};
    use std::sync::Arc;

    fn letter(detail: &str) -> DeadLetter {
        DeadLetter {
            id: 0,
            failed_at: Timestamp(1),
            cause: Cause { kind: CauseKind::Poison, detail: detail.to_owned() },
            replays: 0,
            attempts: 0,
            run: Key(1),
            route: RouteName::every(),
            event: Arc::new(recorded_run(38)),
            context: RunContext::default(),
            is_summary: false,
            sequence: 1,
        }
    }

    #[test]
    fn the_queue_weighs_what_its_letters_weigh_and_repeats_no_number() {
        let mut queue = DeadLetterQueue::default();
        assert_eq!((queue.add(letter("a")), queue.add(letter("longer"))), (1, 2));
        let sum: u64 = queue.values().map(letter_weight).sum();
        assert_eq!(queue.bytes(), sum);
        queue.remove(2);
        assert_eq!((queue.bytes(), queue.oldest()), (letter_weight(&queue[&1]), Some(1)));
        assert_eq!((queue.remove(2), queue.add(letter("b")), queue.last()), (None, 3, 3));
        queue.keep(DeadLetter { id: 3, ..letter("") });
        let sum: u64 = queue.values().map(letter_weight).sum();
        assert_eq!((queue.len(), queue.bytes()), (2, sum));
    }
}
