//! A tree whose chain is another one from some height on.
//!
//! Groups that end before stay. The one that reaches past there is open again, with the leaves that
//! are left. Of its joins those stay that an open group has too: of full sets, at their places.
//! Every other was of a shape that only the group's end made. It is superseded, and what it joined
//! is joined anew.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Group, Item, Place, Tree};
use crate::{Height, Key, TaskId, Timestamp};

/// What a tree asks about the tasks and items around it.
pub(crate) trait Beneath {
    /// The index of the span that flows in and has `height` in it.
    fn index(&self, height: Height) -> Option<usize>;
    /// What a task of the tree joins.
    fn joined(&self, task: TaskId) -> Vec<Item>;
}

impl Tree {
    /// The chain is another one from `from` on, and the first `spans` of those that flow in end
    /// before. The joins `gone` are superseded. Answers those that are superseded too.
    pub(crate) fn rewind(
        &mut self,
        from: Height,
        spans: usize,
        at: Timestamp,
        gone: impl IntoIterator<Item = TaskId>,
        beneath: &impl Beneath,
    ) -> Vec<TaskId> {
        let crossing = self.spans.cut(from).and_then(|span| beneath.index(span.first));
        let start = crossing.unwrap_or(spans).min(spans).min(self.open);
        let is_reopened = start != self.open;
        let (mut free, alive) = self.take_from(start, spans - start, from);
        (self.open, self.joined) = (start, 0);
        free.extend(gone.into_iter().flat_map(|task| beneath.joined(task)));

        let place = |key: &Key, arity: usize| {
            let first = beneath.index(key.first)?.checked_sub(start)?;
            let last = beneath.index(key.last)?.checked_sub(start)?;
            let (level, position) = full_set(arity, first, last)?;
            Some(Place { group: start, level, position })
        };
        let (mut superseded, mut places) = (Vec::new(), Vec::new());
        for (key, task) in alive {
            match place(&key, self.arity) {
                Some(place) => {
                    places.push(place);
                    self.places.insert(key, (place, Some(task)));
                }
                None => {
                    superseded.push(task);
                    free.extend(beneath.joined(task));
                }
            }
        }
        let mut nodes = BTreeMap::new();
        while let Some(item) = free.pop() {
            if item.key.last >= from {
                continue;
            }
            match (place(&item.key, self.arity), item.input.maker()) {
                (Some(place), _) => {
                    nodes.insert((place.level, place.position), (place, item));
                }
                (None, Some(task)) => {
                    superseded.push(task);
                    free.extend(beneath.joined(task));
                }
                (None, None) => {} // a block is one leaf, and in its place
            }
        }
        places.extend(nodes.values().map(|(place, _)| *place));
        for place in places {
            let leaves = leaves(self.arity, place);
            if place.level > 0 {
                self.joined = self.joined.max(leaves.end);
            }
            if is_reopened {
                leaves.for_each(|leaf| self.arrive(start, leaf, at));
            }
        }
        for (place, item) in nodes.into_values() {
            self.place(place, item);
        }
        superseded
    }

    /// Takes out all from the group at `start` on. Answers its nodes, and its joins without a
    /// result, that end before `from`. Where it was open it stays known when its first `leaves`
    /// arrived.
    fn take_from(
        &mut self,
        start: usize,
        leaves: usize,
        from: Height,
    ) -> (Vec<Item>, Vec<(Key, TaskId)>) {
        let group = self.groups.split_off(&start).remove(&start).unwrap_or_default();
        let (mut alive, ripe) = (Vec::new(), &mut self.ripe);
        self.places.retain(|key, (place, task)| {
            if place.group < start {
                return true;
            }
            let is_opened = ripe.remove(key).is_none();
            if is_opened && place.group == start && key.last < from {
                alive.extend(task.map(|task| (*key, task)));
            }
            false
        });
        if start == self.open {
            let mut arrivals = group.arrivals;
            arrivals.cut(leaves);
            self.groups.insert(start, Group { arrivals, ..Group::default() });
        }
        let nodes = group.levels.into_iter().flat_map(BTreeMap::into_values);
        (nodes.filter(|item| item.key.last < from).collect(), alive)
    }
}

/// The level and position of the node that joins the leaves `first..=last`, if they are a full set.
fn full_set(arity: usize, first: usize, last: usize) -> Option<(usize, usize)> {
    let size = (last + 1).checked_sub(first)?;
    let (mut level, mut full) = (0, 1_usize);
    while full < size {
        (level, full) = (level + 1, full.checked_mul(arity)?);
    }
    (full == size && first.is_multiple_of(full)).then(|| (level, first / full))
}

/// The leaves beneath a node of an open group.
fn leaves(arity: usize, place: Place) -> Range<usize> {
    let size = (0..place.level).fold(1_usize, |size, _| size.saturating_mul(arity));
    let first = place.position.saturating_mul(size);
    first..first.saturating_add(size)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::{BlockHash, ChainId, InputId};

    /// ```text
    ///   (0-6)   7          of eight: 6 was left over, and joined with the threes before it
    ///   (0-2) (3-5) 6 7
    /// ```
    /// Without 7 the group is open again, and 6 waits for its own neighbours.
    #[test]
    fn a_join_that_only_the_end_of_its_group_made_goes_and_full_sets_stay() {
        let mut tree = Tree::new(NonZeroU32::new(3).expect("it is three"));
        (0..8).for_each(|leaf| assert_eq!(tree.add(leaf, item(leaf, leaf)), None));
        assert_eq!(tree.close(&key(0, 7), 8), Ok(None));
        for (first, last) in [(0, 2), (3, 5)] {
            assert!(tree.open(task(first, last), &key(first, last)).is_some());
            assert_eq!(tree.add_result(item(first, last)), None);
        }
        assert!(tree.open(task(0, 6), &key(0, 6)).is_some());
        let superseded = tree.rewind(Height(7), 7, Timestamp(9), [], &Leaves);
        assert_eq!((superseded, tree.waiting()), (vec![task(0, 6)], 3));
        assert_eq!(tree.arrived(), Some((7, Timestamp(9))));
        assert_eq!((tree.joined(), tree.open_group()), (6, 0));
        (7..9).for_each(|leaf| assert_eq!(tree.add(leaf, item(leaf, leaf)), None));
        let offered = tree.ripe().keys().map(|key| (key.first.0, key.last.0));
        assert_eq!(offered.collect::<Vec<_>>(), [(6, 8)]);
        assert!(tree.open(task(6, 8), &key(6, 8)).is_some());
        assert_eq!(tree.add_result(item(6, 8)), None);
        assert_eq!(tree.ripe().keys().copied().collect::<Vec<_>>(), [key(0, 8)]);
    }

    #[test]
    fn a_full_set_is_as_large_as_a_node_of_its_level_and_begins_where_one_does() {
        let sets = [(0, 0), (4, 4), (0, 2), (1, 3), (3, 5), (0, 6), (0, 8), (9, 17), (0, 1)];
        let found = sets.map(|(first, last)| full_set(3, first, last));
        let expected = [Some((0, 0)), Some((0, 4)), Some((1, 0)), None, Some((1, 1)), None];
        assert_eq!(found[..6], expected);
        assert_eq!(found[6..], [Some((2, 0)), Some((2, 1)), None]);
    }

    /// Each block is an item, and the join of (0-6) has three.
    struct Leaves;

    impl Beneath for Leaves {
        fn index(&self, height: Height) -> Option<usize> {
            usize::try_from(height.0).ok()
        }

        fn joined(&self, join: TaskId) -> Vec<Item> {
            match join == task(0, 6) {
                true => vec![item(0, 2), item(3, 5), item(6, 6)],
                false => Vec::new(),
            }
        }
    }

    fn item(first: usize, last: usize) -> Item {
        let input = InputId::Task(task(first, last));
        Item { input, key: key(first, last), at: Timestamp(1) }
    }

    fn task(first: usize, last: usize) -> TaskId {
        TaskId([u8::try_from(16 * first + last).expect("small"); 32])
    }

    fn key(first: usize, last: usize) -> Key {
        let [first, last] = [first, last].map(|height| Height(height as u64));
        Key { chain: ChainId(1), first, last, part: None, tip: BlockHash([0; 32]) }
    }
}
