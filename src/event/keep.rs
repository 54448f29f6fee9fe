//! Which entries of a run's maps are kept. Anyone who may create runs controls their content, so
//! only entries that are read are stored.

use std::collections::BTreeSet;

/// The entries of one map that are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptNames {
    named: BTreeSet<String>,
    is_all: bool,
}

impl KeptNames {
    /// These names and no other.
    pub fn only<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self { named: names.into_iter().map(Into::into).collect(), is_all: false }
    }

    /// A rule iterates over all entries and names none.
    #[must_use]
    pub fn all() -> Self {
        Self { named: BTreeSet::new(), is_all: true }
    }

    /// Whether a rule iterates over all entries.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.is_all
    }

    /// Whether a rule names this entry. Named entries are kept before the others.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.named.contains(name)
    }

    /// Notes an entry that is read by its name.
    pub fn add(&mut self, name: &str) {
        if !self.named.contains(name) {
            self.named.insert(name.to_owned());
        }
    }

    /// Notes that any entry may be read.
    pub fn add_all(&mut self) {
        self.is_all = true;
    }

    fn extend(&mut self, other: Self) {
        self.named.extend(other.named);
        self.is_all |= other.is_all;
    }
}

/// Which params, results, labels and annotations are kept: those that a rule, a template or a
/// program names, and all of a map that one iterates over (rule 18). Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Params and results.
    pub values: KeptNames,
    pub labels: KeptNames,
    pub annotations: KeptNames,
}

impl Keep {
    /// Everything that a run has, within the bounds of `event::bounds`.
    #[must_use]
    pub fn all() -> Self {
        Self { values: KeptNames::all(), labels: KeptNames::all(), annotations: KeptNames::all() }
    }

    /// Notes that the whole event is used.
    pub fn add_all(&mut self) {
        self.values.add_all();
        self.labels.add_all();
        self.annotations.add_all();
    }

    /// Adds what another text reads.
    pub fn extend(&mut self, other: Self) {
        self.values.extend(other.values);
        self.labels.extend(other.labels);
        self.annotations.extend(other.annotations);
    }
}
