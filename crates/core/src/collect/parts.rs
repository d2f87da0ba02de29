//! `parts`: a task for all parts of a key, as many as its split reported.

use std::collections::BTreeMap;

use super::{Item, Ripe};
use crate::{Height, InputId, Key};

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

    /// What came from tasks that are no more goes.
    pub(crate) fn forget(&mut self, is_gone: impl Fn(&InputId) -> bool) {
        self.gathers.values_mut().for_each(|gather| gather.got.retain(|_, input| !is_gone(input)));
        self.ripe.retain(|_, inputs| !inputs.iter().any(&is_gone));
    }

    /// The chain is another one from `from` on.
    pub(crate) fn rewind(&mut self, from: Height) {
        self.gathers.retain(|key, _| key.last < from);
        self.ripe.retain(|key, _| key.last < from);
    }

    pub(crate) const fn ripe(&self) -> &Ripe {
        &self.ripe
    }

    /// Whether a part of `height` waits in it.
    pub(crate) fn holds(&self, height: Height) -> bool {
        let mut gathers = self.gathers.iter().filter(|(_, gather)| !gather.got.is_empty());
        gathers.any(|(key, _)| (key.first..=key.last).contains(&height))
    }

    pub(crate) fn waiting(&self) -> usize {
        let got = self.gathers.values().map(|gather| gather.got.len()).sum::<usize>();
        got + self.ripe.values().map(Vec::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BlockHash, ChainId, TaskId, Timestamp};

    #[test]
    fn a_part_waits_until_its_task_is_opened() {
        let mut parts = Parts::default();
        [1, 2].map(key).into_iter().for_each(|key| parts.expect(key, 2));
        let waiting = [(1, 1), (2, 0), (1, 0)].map(|(height, part)| {
            assert!(parts.add(item(height, part)));
            parts.waiting()
        });
        assert_eq!(waiting, [1, 2, 3]);
        assert_eq!(parts.open(&key(1)).map(|inputs| inputs.len()), Some(2));
        assert_eq!(parts.waiting(), 1);
    }

    fn item(height: u64, part: u32) -> Item {
        let input = InputId::Part(TaskId([0; 32]), part);
        Item { input, key: key(height).part(part), at: Timestamp(0) }
    }

    fn key(height: u64) -> Key {
        let (height, tip) = (Height(height), BlockHash([0; 32]));
        Key { chain: ChainId(1), first: height, last: height, part: None, tip }
    }
}
