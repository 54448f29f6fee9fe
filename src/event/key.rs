//! 128-bit keys that identify an event, a run or an effect without its text.

use std::fmt;

/// Separates the parts of a key, so that ("ab", "c") and ("a", "bc") differ.
const PART_SEPARATOR: &[u8] = &[0x1f];

/// The xxh3-128 hash of some parts. Stable across processes and releases: it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u128);

impl Key {
    /// Hashes `parts` in order.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = xxhash_rust::xxh3::Xxh3Default::new();
        for part in parts {
            hash.update(part.as_bytes());
            hash.update(PART_SEPARATOR);
        }
        Self(hash.digest128())
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_borders_count() {
        assert_ne!(Key::of(&["ab", "c"]), Key::of(&["a", "bc"]));
    }

    #[test]
    fn hex_form_parses_back() {
        let key = Key::of(&["x"]);
        assert_eq!(u128::from_str_radix(&key.to_string(), 16), Ok(key.0));
    }
}
