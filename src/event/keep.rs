//! What is kept of the maps of a run. Whoever may create runs fills them at will, so that only
//! entries which somebody reads are stored.

use std::collections::BTreeSet;

/// Which entries of one map are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptNames {
    named: BTreeSet<String>,
    is_all: bool,
}

impl KeptNames {
    /// These and no other.
    pub fn only<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self { named: names.into_iter().map(Into::into).collect(), is_all: false }
    }

    /// Something walks over all entries, and nothing names one.
    #[must_use]
    pub fn all() -> Self {
        Self { named: BTreeSet::new(), is_all: true }
    }

    /// Whether something walks over all entries.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.is_all
    }

    /// Whether something names this entry: it is kept before those that are merely walked over.
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
/// program names, all of them where one walks over them (rule 18). Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Params and results.
    pub values: KeptNames,
    pub labels: KeptNames,
    pub annotations: KeptNames,
}

impl Keep {
    /// Whatever a run has, within the bounds of `event::bounds`.
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

    /// Takes over what another text reads.
    pub fn extend(&mut self, other: Self) {
        self.values.extend(other.values);
        self.labels.extend(other.labels);
        self.annotations.extend(other.annotations);
    }
}
