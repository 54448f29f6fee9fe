//! Randomness for jitter: spreads retries, decides nothing else.

use std::sync::atomic::{AtomicU64, Ordering};

/// A splitmix64 sequence: good enough to spread waits, shared without a lock.
#[derive(Debug)]
pub struct Random(AtomicU64);

/// The increment of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014).
const INCREMENT: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// Seeded by the operating system; from a constant where it has no randomness to give.
    #[must_use]
    pub fn seeded() -> Self {
        Self::from_seed(getrandom::u64().unwrap_or(INCREMENT))
    }

    /// A repeatable sequence.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next number of the sequence.
    pub fn next(&self) -> u64 {
        let mut mixed = self.0.fetch_add(INCREMENT, Ordering::Relaxed).wrapping_add(INCREMENT);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_the_published_sequence() {
        let random = Random::from_seed(0);
        assert_eq!(random.next(), 0xe220_a839_7b1d_cdaf);
    }
}
