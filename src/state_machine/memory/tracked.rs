//! A map whose entries are weighed. Whoever changes an entry need not think of it: what an entry was
//! before is noted when it is handed out, and what it is afterwards is asked for when the state is
//! weighed.

use std::collections::BTreeMap;
use std::ops::Deref;

/// Something that is kept under a key and counts in the memory of the state.
pub(crate) trait Record<K> {
    /// What the sums and indexes are made of. A function of the record alone, so that replicas that
    /// came to it in different ways agree.
    type Standing: Clone + std::fmt::Debug + PartialEq;

    fn standing(&self, key: &K) -> Self::Standing;
}

/// A map in which no entry changes unnoticed: there is no way to one but through these methods.
#[derive(Clone, Debug)]
pub(crate) struct Tracked<K, V: Record<K>> {
    map: BTreeMap<K, V>,
    /// What the entries that were handed out or replaced stood for before; `None` for new ones.
    before: BTreeMap<K, Option<V::Standing>>,
}

impl<K: Ord + Clone, V: Record<K>> Tracked<K, V> {
    /// Hands out an entry to be changed.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let value = self.map.get_mut(key)?;
        if !self.before.contains_key(key) {
            self.before.insert(key.clone(), Some(value.standing(key)));
        }
        Some(value)
    }

    /// Hands out an entry to be changed, made where there is none.
    pub(crate) fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.note(&key);
        self.map.entry(key).or_default()
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.note(&key);
        self.map.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.note(key);
        self.map.remove(key)
    }

    /// Tells, for each entry that may have changed since the last call, what it stood for then and
    /// what it stands for now.
    pub(crate) fn changes(
        &mut self,
        mut tell: impl FnMut(&K, Option<&V::Standing>, Option<&V::Standing>),
    ) {
        while let Some((key, before)) = self.before.pop_first() {
            let after = self.map.get(&key).map(|value| value.standing(&key));
            if before != after {
                tell(&key, before.as_ref(), after.as_ref());
            }
        }
    }

    /// Takes every entry for one that nobody was told of.
    pub(crate) fn forget_standings(&mut self, mut tell: impl FnMut(&K, &V::Standing)) {
        self.before.clear();
        for (key, value) in &self.map {
            tell(key, &value.standing(key));
        }
    }

    /// Hands out every entry to be changed.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        for (key, value) in &self.map {
            self.before.entry(key.clone()).or_insert_with(|| Some(value.standing(key)));
        }
        self.map.values_mut()
    }

    fn note(&mut self, key: &K) {
        if !self.before.contains_key(key) {
            let standing = self.map.get(key).map(|value| value.standing(key));
            self.before.insert(key.clone(), standing);
        }
    }
}

#[cfg(test)]
impl<K: Ord + Clone, V: Record<K>> Tracked<K, V> {
    pub(crate) fn clear(&mut self) {
        let keys: Vec<K> = self.map.keys().cloned().collect();
        for key in keys {
            self.remove(&key);
        }
    }
}

impl<K, V: Record<K>> Default for Tracked<K, V> {
    fn default() -> Self {
        Self { map: BTreeMap::new(), before: BTreeMap::new() }
    }
}

impl<K: Ord + Clone, V: Record<K>> FromIterator<(K, V)> for Tracked<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut tracked = Self::default();
        for (key, value) in entries {
            tracked.insert(key, value);
        }
        tracked
    }
}

/// Reading is free.
impl<K, V: Record<K>> Deref for Tracked<K, V> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &Self::Target {
        &self.map
    }
}

impl<'a, K, V: Record<K>> IntoIterator for &'a Tracked<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = std::collections::btree_map::Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.map.iter()
    }
}
