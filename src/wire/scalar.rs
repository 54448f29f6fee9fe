//! Keys, numbers and lists: the parts of messages. Each reader takes the name of its field, so that
//! an error names the wrong field.

use super::WireError;
use super::proto;
use crate::event::{Key, NamedValue};
use crate::state_machine::{FeatureLevel, Record, SlotId, Tracked};
use std::collections::{BTreeMap, BTreeSet};

/// Length of an encoded key.
pub(super) const KEY_BYTES: usize = 16;

pub(super) fn to_key(key: Key) -> Vec<u8> {
    key.0.to_be_bytes().to_vec()
}

pub(super) fn from_key(bytes: &[u8], field: &'static str) -> Result<Key, WireError> {
    let found = bytes.len();
    let key = bytes.try_into().map_err(|_| WireError::Length { field, found, accepted: "16" })?;
    Ok(Key(u128::from_be_bytes(key)))
}

pub(super) fn to_keys<'a>(keys: impl ExactSizeIterator<Item = &'a Key>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(keys.len() * KEY_BYTES);
    for key in keys {
        bytes.extend_from_slice(&key.0.to_be_bytes());
    }
    bytes
}

/// Keys in stored order.
pub(super) fn from_keys(bytes: &[u8], field: &'static str) -> Result<Vec<Key>, WireError> {
    let (keys, rest) = bytes.as_chunks::<KEY_BYTES>();
    if !rest.is_empty() {
        let accepted = "a multiple of 16";
        return Err(WireError::Length { field, found: bytes.len(), accepted });
    }
    Ok(keys.iter().map(|key| Key(u128::from_be_bytes(*key))).collect())
}

/// Keys without repetition.
pub(super) fn from_key_set(bytes: &[u8], field: &'static str) -> Result<BTreeSet<Key>, WireError> {
    let mut set = BTreeSet::new();
    for key in from_keys(bytes, field)? {
        if !set.insert(key) {
            return Err(WireError::Repeated { field, found: key.to_string() });
        }
    }
    Ok(set)
}

pub(super) fn from_slot(number: u32, field: &'static str) -> Result<SlotId, WireError> {
    let slot = u16::try_from(number).ok().and_then(SlotId::new);
    slot.ok_or(WireError::Value { field, found: i64::from(number), accepted: "0 to 255" })
}

/// A feature level. An unknown level is refused: this build may not know the meaning of what was
/// written at it.
pub(super) fn from_level(number: u32, field: &'static str) -> Result<FeatureLevel, WireError> {
    let level = FeatureLevel(number);
    let accepted = "a level that this build speaks";
    let refused = WireError::Value { field, found: number.into(), accepted };
    level.is_spoken().then_some(level).ok_or(refused)
}

pub(super) fn from_u16(number: u32, field: &'static str) -> Result<u16, WireError> {
    let accepted = "0 to 65535";
    u16::try_from(number).map_err(|_| WireError::Value { field, found: number.into(), accepted })
}

/// The message in a required field.
pub(super) fn required<T>(message: Option<T>, field: &'static str) -> Result<T, WireError> {
    message.ok_or(WireError::Missing { field })
}

pub(super) fn from_each<P, T, C: FromIterator<T>>(
    messages: Vec<P>,
    from: impl FnMut(P) -> Result<T, WireError>,
) -> Result<C, WireError> {
    messages.into_iter().map(from).collect()
}

pub(super) fn to_values(values: &[NamedValue]) -> Vec<proto::NamedValue> {
    let to_value =
        |v: &NamedValue| proto::NamedValue { name: v.name.clone(), value: v.value.clone() };
    values.iter().map(to_value).collect()
}

pub(super) fn from_values(values: Vec<proto::NamedValue>) -> Vec<NamedValue> {
    values.into_iter().map(|v| NamedValue { name: v.name, value: v.value }).collect()
}

pub(super) fn to_pairs(pairs: &BTreeMap<String, String>) -> Vec<proto::NamedValue> {
    let to_pair = |(name, value): (&String, &String)| proto::NamedValue {
        name: name.clone(),
        value: value.clone(),
    };
    pairs.iter().map(to_pair).collect()
}

pub(super) fn from_pairs(
    pairs: Vec<proto::NamedValue>,
    field: &'static str,
) -> Result<BTreeMap<String, String>, WireError> {
    if pairs.is_sorted_by(|one, next| one.name < next.name) {
        return Ok(pairs.into_iter().map(|pair| (pair.name, pair.value)).collect());
    }
    let mut map = BTreeMap::new();
    for pair in pairs {
        insert_once(&mut map, pair.name, pair.value, field)?;
    }
    Ok(map)
}

/// Like [`insert_once`], into a map whose entries are weighed.
pub(super) fn insert_tracked<K: Ord + Clone + std::fmt::Debug, V: Record<K>>(
    map: &mut Tracked<K, V>,
    key: K,
    value: V,
    field: &'static str,
) -> Result<(), WireError> {
    if map.contains_key(&key) {
        return Err(WireError::Repeated { field, found: format!("{key:?}") });
    }
    map.insert(key, value);
    Ok(())
}

/// Inserts an entry into a map that must not have its key yet: no entry is lost silently.
pub(super) fn insert_once<K: Ord + std::fmt::Debug, V>(
    map: &mut BTreeMap<K, V>,
    key: K,
    value: V,
    field: &'static str,
) -> Result<(), WireError> {
    match map.entry(key) {
        std::collections::btree_map::Entry::Vacant(place) => {
            place.insert(value);
            Ok(())
        }
        std::collections::btree_map::Entry::Occupied(place) => {
            Err(WireError::Repeated { field, found: format!("{:?}", place.key()) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_machine::FEATURE_LEVEL;

    #[test]
    fn keys_stand_big_endian_so_that_their_bytes_sort_like_they_do() {
        assert_eq!(to_key(Key(0x0102)), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert!(to_key(Key(u128::MAX)) > to_key(Key(1)));
    }

    #[test]
    fn rows_of_keys_come_back_in_their_order() {
        let keys = vec![Key(3), Key(u128::MAX), Key(0), Key(3)];
        assert_eq!(from_keys(&to_keys(keys.iter()), "x"), Ok(keys));
        assert_eq!(from_keys(&[], "x"), Ok(Vec::new()));
    }

    #[test]
    fn numbers_are_taken_up_to_their_bound() {
        assert_eq!(from_slot(255, "x").map(SlotId::number), Ok(255));
        assert_eq!(from_u16(65_535, "x"), Ok(65_535));
        let value = |found, accepted| WireError::Value { field: "x", found, accepted };
        assert_eq!(from_slot(65_536, "x"), Err(value(65_536, "0 to 255")));
        assert_eq!(from_u16(65_536, "x"), Err(value(65_536, "0 to 65535")));
    }

    #[test]
    fn rule_22_levels_are_taken_up_to_that_of_this_build() {
        assert_eq!(from_level(1, "x"), Ok(FeatureLevel::FIRST));
        assert_eq!(from_level(FEATURE_LEVEL.0, "x"), Ok(FEATURE_LEVEL));
        for number in [0, FEATURE_LEVEL.0 + 1] {
            let error = from_level(number, "x").unwrap_err().to_string();
            assert_eq!(error, format!("x is {number}, accepted is a level that this build speaks"));
        }
    }

    #[test]
    fn a_second_entry_for_a_place_is_refused_and_the_first_stays() {
        let mut map = BTreeMap::from([(1, "first")]);
        let refused = WireError::Repeated { field: "x", found: "1".to_owned() };
        assert_eq!(insert_once(&mut map, 1, "second", "x"), Err(refused));
        assert_eq!(map, BTreeMap::from([(1, "first")]));
    }
}
