//! `parts`: a task for all parts of a key, as many as its split reported.

use std::collections::BTreeMap;

use super::{Item, Ripe};
use crate::{InputId, Key};

/// Parts that wait for their siblings.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Parts {
    gathers: BTreeMap<Key, Gather>,
    ripe: Ripe,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Gather {
    expected: usize,
    got: BTreeMap<u32, InputId>,
}

impl Parts {
    /// The split of `key` reported `expected` parts, before any of them flows.
    pub(crate) fn expect(&mut self, key: Key, expected: usize) {
        self.gathers.insert(key.whole(), Gather { expected, got: BTreeMap::new() });
    }

    /// Answers whether the part was expected.
    pub(crate) fn add(&mut self, item: Item) -> bool {
        let key = item.key.whole();
        let (Some(gather), Some(part)) = (self.gathers.get_mut(&key), item.key.part) else {
            return false;
        };
        gather.got.insert(part, item.input);
        if gather.got.len() == gather.expected {
            let inputs = gather.got.values().copied().collect();
            self.gathers.remove(&key);
            self.ripe.insert(key, inputs);
        }
        true
    }

    pub(crate) fn open(&mut self, key: &Key) -> Option<Vec<InputId>> {
        self.ripe.remove(key)
    }

    pub(crate) const fn ripe(&self) -> &Ripe {
        &self.ripe
    }

    pub(crate) fn waiting(&self) -> usize {
        let got = self.gathers.values().map(|gather| gather.got.len()).sum::<usize>();
        got + self.ripe.values().map(Vec::len).sum::<usize>()
    }
}
