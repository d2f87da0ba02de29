//! A map by ids that are hashes.
//!
//! A look-up costs one miss of the processor's cache, where a tree of a million costs one for each
//! of its levels. There is no way through it but in the order of the keys, as through a tree: where
//! an entry lies is no behaviour.
//!
//! Keys are hashed all the same: ids of blocks are what the source says, and a chain for tests may
//! number its blocks there.

#![expect(clippy::disallowed_types, reason = "its order is never seen: `iter` sorts")]

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash};

/// A map by a hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ByHash<K: Eq + Hash, V>(HashMap<K, V, BuildHasherDefault<DefaultHasher>>);

impl<K: Copy + Eq + Hash + Ord, V> ByHash<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.0.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.0.remove(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Every entry, in the order of the keys. Sorts them: not for what is done each turn.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut entries: Vec<_> = self.0.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| **key);
        entries.into_iter()
    }
}

impl<K: Eq + Hash, V> Default for ByHash<K, V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskId;

    #[test]
    fn entries_come_in_the_order_of_their_keys() {
        let key = |number: u64| {
            let mut bytes = [7; 32];
            // Spread as hashes are, so that neither order is that of insertion.
            let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            bytes.iter_mut().zip(spread).for_each(|(byte, of)| *byte = of);
            TaskId(bytes)
        };
        let mut map = ByHash::default();
        (0..1_000).for_each(|number| map.insert(key(number), number));
        let keys: Vec<_> = map.iter().map(|(key, _)| *key).collect();
        assert!(keys.is_sorted());
        assert_eq!(keys.len(), 1_000);
        assert!((0..1_000).all(|number| map.get(&key(number)) == Some(&number)));
        assert_eq!(map.get(&key(1_000)), None);
    }
}
