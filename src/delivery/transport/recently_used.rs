//! A bounded number of values by key. Whoever asks for a key shares its value with all others who
//! do; where there are too many keys, the one that was asked for least recently gives way.

use parking_lot::Mutex;
use std::sync::Arc;

/// Values by key, the one asked for most recently last.
pub(super) struct RecentlyUsed<K, V> {
    len_max: usize,
    entries: Mutex<Vec<(K, Arc<V>)>>,
}

impl<K: PartialEq + Clone, V: Default> RecentlyUsed<K, V> {
    pub(super) fn new(len_max: usize) -> Self {
        Self { len_max, entries: Mutex::default() }
    }

    /// The value of a key, a default one at first. It lives on with its holders where it gives way.
    pub(super) fn get(&self, key: &K) -> Arc<V> {
        let mut entries = self.entries.lock();
        let entry = match entries.iter().position(|(known, _)| known == key) {
            Some(at) => entries.remove(at),
            None => (key.clone(), Arc::default()),
        };
        if entries.len() >= self.len_max {
            entries.remove(0);
        }
        let value = Arc::clone(&entry.1);
        entries.push(entry);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_value_until_too_many_others_were_asked_for() {
        let values: RecentlyUsed<u8, Mutex<u8>> = RecentlyUsed::new(2);
        let read = |key| *values.get(&key).lock();
        *values.get(&1).lock() = 10;
        *values.get(&2).lock() = 20;
        assert_eq!((read(1), read(2), read(1)), (10, 20, 10));
        let held = values.get(&2);
        assert_eq!((read(1), read(3)), (10, 0));
        assert_eq!((read(1), *held.lock()), (10, 20));
        assert_eq!(read(2), 0);
    }
}
