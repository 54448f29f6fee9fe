//! The part of a configuration that decides about events, as one value that is replaced as a whole.

use super::Rules;
use crate::event::{Keep, Key};

/// The generation of the ruleset that a process starts with.
const FIRST_GENERATION: u64 = 1;

/// One reading of the configuration. Whoever decides takes one ruleset and keeps it until the
/// decision is carried out, so that no decision is a mixture of two files.
#[derive(Clone, Debug)]
pub struct Ruleset {
    /// 1 for the ruleset that the process started with, one more for each that replaced another.
    /// It belongs to the process: replicas count on their own.
    pub generation: u64,
    /// The hash of the file and its templates, equal on replicas with the same rules.
    pub hash: Key,
    pub rules: Rules,
    /// What rules and templates read of params, results, labels and annotations; nothing else of
    /// these is kept of an event.
    pub keep: Keep,
}

impl Ruleset {
    /// The ruleset that a process starts with.
    #[must_use]
    pub fn first(rules: Rules, keep: Keep, hash: Key) -> Self {
        Self { generation: FIRST_GENERATION, hash, rules, keep }
    }

    /// The ruleset that takes the place of this one.
    #[must_use]
    pub fn replaced_by(&self, rules: Rules, keep: Keep, hash: Key) -> Self {
        Self { generation: self.generation.saturating_add(1), hash, rules, keep }
    }
}

/// No routes, and nothing is kept.
impl Default for Ruleset {
    fn default() -> Self {
        Self::first(Rules::default(), Keep::default(), Key::of(&[]))
    }
}
