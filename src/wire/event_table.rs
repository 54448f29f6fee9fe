//! Events that several records of a state share. Each is written once, and its name is the hash of
//! its encoding. A name by content makes the bytes of a record independent of other records and of
//! shared memory, so that equal records always have equal bytes.

use super::event::{from_event, to_event};
use super::scalar::{from_key, insert_once, required, to_key};
use super::{WireError, proto};
use crate::event::{Key, RunEvent};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Names events during the writing of a state.
#[derive(Default)]
pub(super) struct EventTable {
    /// Avoids encoding an event again for each record that shares it. It holds the events, so that
    /// no other event gets the address of a dropped one. Used for look-ups only.
    by_address: BTreeMap<*const RunEvent, (Key, Arc<RunEvent>)>,
    named: BTreeSet<Key>,
    unwritten: Vec<proto::StoredEvent>,
}

impl EventTable {
    /// The name of `event`, in its stored form.
    pub(super) fn name(&mut self, event: &Arc<RunEvent>) -> Vec<u8> {
        let address = Arc::as_ptr(event);
        if let Some((key, _)) = self.by_address.get(&address) {
            return to_key(*key);
        }
        let message = to_event(event);
        let key = Key(xxhash_rust::xxh3::xxh3_128(&message.encode_to_vec()));
        self.by_address.insert(address, (key, Arc::clone(event)));
        if self.named.insert(key) {
            let event = Some(message);
            self.unwritten.push(proto::StoredEvent { key: to_key(key), event });
        }
        to_key(key)
    }

    /// Events named since the last call: they precede the record that names them.
    pub(super) fn take_unwritten(&mut self) -> Vec<proto::StoredEvent> {
        std::mem::take(&mut self.unwritten)
    }
}

/// Finds events by name during the reading of a state.
#[derive(Default)]
pub(super) struct StoredEvents(BTreeMap<Key, Arc<RunEvent>>);

impl StoredEvents {
    pub(super) fn add(&mut self, stored: proto::StoredEvent) -> Result<(), WireError> {
        let key = from_key(&stored.key, "StoredEvent.key")?;
        let event = from_event(required(stored.event, "StoredEvent.event")?)?;
        insert_once(&mut self.0, key, Arc::new(event), "StoredEvent.key")
    }

    pub(super) fn find(
        &self,
        name: &[u8],
        field: &'static str,
    ) -> Result<Arc<RunEvent>, WireError> {
        let key = from_key(name, field)?;
        let event = self.0.get(&key).cloned();
        event.ok_or_else(|| WireError::Dangling { field, found: key.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sample::full_event;

    #[test]
    fn equal_events_have_one_name_and_are_written_once() {
        let (first, second) = (Arc::new(full_event()), Arc::new(full_event()));
        let mut table = EventTable::default();
        let name = table.name(&first);
        assert_eq!(table.name(&first), name);
        assert_eq!(table.name(&second), name);
        assert_eq!(table.take_unwritten().len(), 1);
        assert_eq!(table.name(&second), name);
        assert_eq!(table.take_unwritten().len(), 0);
    }

    #[test]
    fn an_event_made_after_another_was_dropped_has_a_name_of_its_own() {
        let mut table = EventTable::default();
        // Dropped at once: an allocator gives the same memory to the next value of its size.
        let first = table.name(&Arc::new(full_event()));
        let other = table.name(&Arc::new(RunEvent { attempt: 4, ..full_event() }));
        assert_ne!(other, first);
        assert_eq!(table.take_unwritten().len(), 2);
    }

    #[test]
    fn a_stored_event_is_found_by_its_name_and_shared() {
        let mut table = EventTable::default();
        let name = table.name(&Arc::new(full_event()));
        let mut stored = StoredEvents::default();
        for event in table.take_unwritten() {
            stored.add(event).unwrap();
        }
        let (first, second) = (stored.find(&name, "x").unwrap(), stored.find(&name, "x").unwrap());
        assert_eq!(*first, full_event());
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn a_name_without_event_is_refused_with_its_field() {
        let found = format!("{:032x}", 7);
        let refused = WireError::Dangling { field: "Run.facts", found };
        let name = to_key(Key(7));
        assert_eq!(StoredEvents::default().find(&name, "Run.facts"), Err(refused));
    }
}
