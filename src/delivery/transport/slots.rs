//! A bounded number of values by key. Whoever asks for a key shares its value with all others who
//! do; where there are too many keys, the one that was asked for least recently gives way.

use std::sync::{Arc, Mutex, PoisonError};

/// Values by key, the one asked for most recently last.
pub(super) struct Slots<K, V> {
    len_max: usize,
    slots: Mutex<Vec<(K, Arc<V>)>>,
}

impl<K: PartialEq + Clone, V: Default> Slots<K, V> {
    pub(super) fn new(len_max: usize) -> Self {
        Self { len_max, slots: Mutex::default() }
    }

    /// The value of a key, a default one at first. It lives on with its holders where it gives way.
    pub(super) fn get(&self, key: &K) -> Arc<V> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = match slots.iter().position(|(known, _)| known == key) {
            Some(at) => slots.remove(at),
            None => (key.clone(), Arc::default()),
        };
        if slots.len() >= self.len_max {
            slots.remove(0);
        }
        let value = Arc::clone(&slot.1);
        slots.push(slot);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_value_until_too_many_others_were_asked_for() {
        let slots: Slots<u8, Mutex<u8>> = Slots::new(2);
        let read = |key| *slots.get(&key).lock().unwrap();
        *slots.get(&1).lock().unwrap() = 10;
        *slots.get(&2).lock().unwrap() = 20;
        assert_eq!((read(1), read(2), read(1)), (10, 20, 10));
        let held = slots.get(&2);
        assert_eq!((read(1), read(3)), (10, 0));
        assert_eq!((read(1), *held.lock().unwrap()), (10, 20));
        assert_eq!(read(2), 0);
    }
}
