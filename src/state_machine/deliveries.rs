//! The deliveries of events that are recognised when they come again.

use crate::clock::Timestamp;
use crate::event::Key;
use std::collections::{BTreeSet, VecDeque};

/// Keys of deliveries, and the order in which they expire.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeliveryKeys {
    /// Derived.
    keys: BTreeSet<Key>,
    expiry: VecDeque<(Timestamp, Key)>,
}

impl DeliveryKeys {
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    /// Keys that would be recognised.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Remembers a delivery until a moment in replicated time. Those that expire first are forgotten
    /// for it where there are more than `max`.
    pub(super) fn remember(&mut self, key: Key, expires_at: Timestamp, max: usize) {
        self.keys.insert(key);
        self.expiry.push_back((expires_at, key));
        // Two at a time: there may be too many when the setting was lowered.
        for _ in 0..2 {
            if self.keys.len() > max
                && let Some((_, oldest)) = self.expiry.pop_front()
            {
                self.keys.remove(&oldest);
            }
        }
    }

    /// Forgets keys that have expired by `now`, `count_max` at most.
    pub(super) fn expire(&mut self, now: Timestamp, count_max: usize) {
        for _ in 0..count_max {
            let Some((_, key)) = self.expiry.pop_front_if(|(expires_at, _)| *expires_at <= now)
            else {
                return;
            };
            self.keys.remove(&key);
        }
    }

    /// What is stored of it, to be encoded: it recognises nothing.
    pub(super) fn stored_copy(&self) -> Self {
        Self { keys: BTreeSet::new(), expiry: self.expiry.clone() }
    }

    /// Keys with the moments at which they expire, in the order in which they are forgotten.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &(Timestamp, Key)> {
        self.expiry.iter()
    }
}

impl FromIterator<(Timestamp, Key)> for DeliveryKeys {
    fn from_iter<I: IntoIterator<Item = (Timestamp, Key)>>(entries: I) -> Self {
        let expiry: VecDeque<_> = entries.into_iter().collect();
        Self { keys: expiry.iter().map(|(_, key)| *key).collect(), expiry }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_until_they_expire_or_others_take_their_place() {
        let mut deliveries = DeliveryKeys::default();
        for number in 1..=3 {
            deliveries.remember(Key(number), Timestamp(10 * u64::try_from(number).unwrap()), 3);
        }
        deliveries.expire(Timestamp(9), 5);
        assert_eq!(deliveries.len(), 3);
        deliveries.expire(Timestamp(10), 5);
        assert!(!deliveries.contains(&Key(1)) && deliveries.contains(&Key(2)));
        // The bound was lowered to 1: two give way for each that comes.
        deliveries.remember(Key(4), Timestamp(40), 1);
        assert_eq!(deliveries.iter().collect::<Vec<_>>(), [&(Timestamp(40), Key(4))]);
        let restored: DeliveryKeys = deliveries.iter().copied().collect();
        assert!(restored.contains(&Key(4)) && restored.len() == 1);
    }
}
