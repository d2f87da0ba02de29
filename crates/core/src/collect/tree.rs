//! `tree`: tasks for neighbours by position, repeated until one item is left of each group.
//!
//! ```text
//!   level 2            ┌── (0-6) ──┐          the root: what the group gives
//!   level 1      (0-3)              (4-6)
//!   level 1   (0 1)(2 3)         (4 5)  6     6 is left over: it rises unpaired
//!   level 0    0 1  2 3           4 5   6     positions in the group, not arrivals
//! ```
//!
//! At each level the nodes are joined `arity` at a time from the left; what is left over rises;
//! when fewer than `arity` are left in all, those are joined. How many there are at a level, and so
//! what is left over, is known once the group has closed; until then only full sets are joined.
//!
//! A full set of an open group is only offered: the group may yet close before its end, and then
//! its items belong to the next. Once its task is opened, the group cannot close before its end any
//! more.

mod rewind;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

pub(crate) use self::rewind::Beneath;
use super::{Item, Ripe, Span, Spans};
use crate::{Height, InputId, Key, TaskId, Timestamp};

/// Items that wait for their neighbours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Tree {
    arity: usize,
    /// By the index of their first span. The last is open, the others are closed.
    groups: BTreeMap<usize, Group>,
    /// The index of the open group's first span.
    open: usize,
    /// How many items of the open group, from its first, must stay in it: those up to the last one
    /// that a task was opened for.
    joined: usize,
    ripe: Ripe,
    /// Where the result goes of what is ripe or was opened, and by which task.
    places: BTreeMap<Key, (Place, Option<TaskId>)>,
    spans: Spans,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Group {
    /// How many items it has, once it is closed.
    size: Option<usize>,
    levels: Vec<BTreeMap<usize, Item>>,
    arrivals: Arrivals,
}

/// Which leaves have arrived.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Arrivals {
    /// Those from the left without a gap: when the first of all up to each arrived.
    oldest: Vec<Timestamp>,
    /// Those after a gap.
    ahead: BTreeMap<usize, Timestamp>,
}

/// A node's place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Place {
    group: usize,
    level: usize,
    position: usize,
}

impl Tree {
    pub(crate) fn new(arity: NonZeroU32) -> Self {
        Self {
            arity: usize::try_from(arity.get()).unwrap_or(usize::MAX).max(2),
            groups: BTreeMap::new(),
            open: 0,
            joined: 0,
            ripe: Ripe::new(),
            places: BTreeMap::new(),
            spans: Spans::default(),
        }
    }

    /// Takes the item of the span with `index`. Answers the group's root, where that makes it.
    pub(crate) fn add(&mut self, index: usize, item: Item) -> Option<Item> {
        let closed = self.groups.range(..=index).next_back().map(|(start, _)| *start);
        let group = if index >= self.open { self.open } else { closed? };
        self.arrive(group, index - group, item.at);
        self.place(Place { group, level: 0, position: index - group }, item)
    }

    /// Takes the result of one of its own tasks. Answers the group's root, where that makes it.
    pub(crate) fn add_result(&mut self, item: Item) -> Option<Item> {
        let (place, _) = self.places.remove(&item.key)?;
        self.place(place, item)
    }

    /// Closes the open group after `items` spans, which `key` covers. Answers its root, where that
    /// makes it, or an error if the group cannot be closed so.
    pub(crate) fn close(&mut self, key: &Key, items: usize) -> Result<Option<Item>, NotAGroup> {
        let span = Span { first: key.first, last: key.last, tip: key.tip };
        if items < self.joined.max(1) || !self.spans.push(span) {
            return Err(NotAGroup);
        }
        let closed = self.open;
        self.open += items;
        self.joined = 0;
        let group = self.groups.remove(&closed).unwrap_or_default();
        self.withdraw_ripe(closed);
        self.groups.insert(closed, Group { size: Some(items), ..Group::default() });
        let mut root = None;
        for (level, nodes) in group.levels.into_iter().enumerate() {
            for (position, item) in nodes {
                let place = match level == 0 && position >= items {
                    true => {
                        self.arrive(self.open, position - items, item.at);
                        Place { group: self.open, level, position: position - items }
                    }
                    false => Place { group: closed, level, position },
                };
                root = self.place(place, item).or(root);
            }
        }
        Ok(root)
    }

    pub(crate) fn open(&mut self, task: TaskId, key: &Key) -> Option<Vec<InputId>> {
        let inputs = self.ripe.remove(key)?;
        let (place, opened) = self.places.get_mut(key)?;
        *opened = Some(task);
        let nodes = self.groups.get_mut(&place.group)?.levels.get_mut(place.level - 1)?;
        let first = place.position * self.arity;
        for position in first..first + self.arity {
            nodes.remove(&position);
        }
        if place.group == self.open && place.level == 1 {
            self.joined = self.joined.max(first + self.arity);
        }
        Some(inputs)
    }

    /// The index of the open group's first span.
    pub(crate) const fn open_group(&self) -> usize {
        self.open
    }

    /// The least number of items that the open group can be closed with.
    pub(crate) const fn joined(&self) -> usize {
        self.joined
    }

    /// How many leaves of the open group have arrived without a gap, and when the first of them
    /// did.
    pub(crate) fn arrived(&self) -> Option<(usize, Timestamp)> {
        let arrivals = &self.groups.get(&self.open)?.arrivals;
        arrivals.oldest.last().map(|oldest| (arrivals.oldest.len(), *oldest))
    }

    pub(crate) const fn ripe(&self) -> &Ripe {
        &self.ripe
    }

    pub(crate) const fn spans(&self) -> &Spans {
        &self.spans
    }

    /// Whether a result of `height` waits in it. Of what is not released the lowest height is in
    /// the first group.
    pub(crate) fn holds(&self, height: Height) -> bool {
        let first = self.groups.first_key_value().map(|(_, group)| group);
        let nodes = first.into_iter().flat_map(|group| &group.levels).flat_map(BTreeMap::values);
        nodes.into_iter().any(|item| item.is_made_of(height))
    }

    pub(crate) fn waiting(&self) -> usize {
        self.groups.values().flat_map(|group| &group.levels).map(BTreeMap::len).sum()
    }

    /// A leaf of a group has arrived.
    fn arrive(&mut self, group: usize, position: usize, at: Timestamp) {
        self.groups.entry(group).or_default().arrivals.add(position, at);
    }

    /// Puts a node in its place, or higher if it is left over there, and offers the set it
    /// completes.
    fn place(&mut self, mut place: Place, item: Item) -> Option<Item> {
        let arity = self.arity;
        let group = self.groups.entry(place.group).or_default();
        let mut siblings = arity;
        if let Some(size) = group.size {
            let mut here = nodes_at(size, arity, place.level);
            while here > arity && place.position >= here / arity * arity {
                let joined = here / arity;
                place = Place {
                    level: place.level + 1,
                    position: place.position - joined * arity + joined,
                    ..place
                };
                here = nodes_at(size, arity, place.level);
            }
            if here == 1 {
                self.groups.remove(&place.group);
                return Some(item);
            }
            siblings = here.min(arity);
        }
        if group.levels.len() <= place.level {
            group.levels.resize_with(place.level + 1, BTreeMap::new);
        }
        let nodes = group.levels.get_mut(place.level)?;
        nodes.insert(place.position, item);
        let first = place.position / arity * arity;
        let set: Vec<_> = nodes.range(first..first + siblings).map(|(_, item)| *item).collect();
        if let (true, [left, .., right]) = (set.len() == siblings, set.as_slice()) {
            let key = Key { first: left.key.first, ..right.key };
            let above = Place { level: place.level + 1, position: place.position / arity, ..place };
            self.ripe.insert(key, set.iter().map(|item| item.input).collect());
            self.places.insert(key, (above, None));
        }
        None
    }

    /// Takes back what is offered of a group, whose shape is about to be known.
    fn withdraw_ripe(&mut self, group: usize) {
        let places = &mut self.places;
        self.ripe.retain(|key, _| match places.get(key) {
            Some((place, _)) if place.group == group => {
                places.remove(key);
                false
            }
            Some(_) | None => true,
        });
    }
}

impl Arrivals {
    fn add(&mut self, position: usize, at: Timestamp) {
        self.ahead.insert(position, at);
        while let Some(at) = self.ahead.remove(&self.oldest.len()) {
            self.oldest.push(self.oldest.last().map_or(at, |oldest| at.min(*oldest)));
        }
    }

    /// No more than so many leaves are there.
    fn cut(&mut self, leaves: usize) {
        self.oldest.truncate(leaves);
        self.ahead.split_off(&leaves);
    }
}

/// A closing that does not fit the open group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NotAGroup;

/// How many nodes there are at `level` over `size` leaves.
const fn nodes_at(size: usize, arity: usize, level: usize) -> usize {
    let (mut nodes, mut at) = (size, 0);
    while at < level && nodes > 1 {
        nodes = if nodes < arity { 1 } else { nodes / arity + nodes % arity };
        at += 1;
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BlockHash, ChainId};

    #[test]
    fn the_shape_does_not_depend_on_arrival() {
        for size in 1..40 {
            for arity in 2..5 {
                let forward = shape(size, arity, |index| index);
                let backward = shape(size, arity, |index| size - 1 - index);
                assert_eq!(forward, backward, "{size} leaves, arity {arity}");
                if size % 7 != 0 {
                    let mixed = shape(size, arity, |index| (index * 7 + 3) % size);
                    assert_eq!(forward, mixed, "{size} leaves, arity {arity}");
                }
            }
        }
    }

    #[test]
    fn a_binary_tree_takes_one_join_less_than_it_has_leaves() {
        for size in 1..70 {
            assert_eq!(shape(size, 2, |index| index).len(), size - 1, "{size} leaves");
        }
    }

    #[test]
    fn a_left_over_rises_unpaired() {
        assert_eq!(shape(3, 2, |index| index), [(0, 1), (0, 2)]);
        assert_eq!(shape(7, 2, |index| index), [(0, 1), (0, 3), (0, 6), (2, 3), (4, 5), (4, 6)]);
        assert_eq!(shape(5, 3, |index| index), [(0, 2), (0, 4)]);
    }

    #[test]
    fn what_has_no_neighbour_yet_waits() {
        let mut tree = Tree::new(NonZeroU32::new(2).expect("it is two"));
        let waiting = [0, 1, 2].map(|index| {
            tree.add(index, leaf(index));
            tree.open(TaskId([0; 32]), &key(0, 1));
            tree.waiting()
        });
        assert_eq!(waiting, [1, 0, 1]);
    }

    #[test]
    fn items_past_a_closing_belong_to_the_next_group() {
        let mut tree = Tree::new(NonZeroU32::new(2).expect("it is two"));
        for index in 0..4 {
            assert_eq!(tree.add(index, leaf(index)), None);
        }
        assert_eq!(tree.close(&key(0, 2), 3), Ok(None));
        assert_eq!(tree.ripe().keys().copied().collect::<Vec<_>>(), [key(0, 1)]);
        assert_eq!(tree.close(&key(3, 3), 1), Ok(Some(leaf(3))));
    }

    #[test]
    fn a_group_does_not_close_before_what_it_has_joined() {
        let mut tree = Tree::new(NonZeroU32::new(2).expect("it is two"));
        for index in [0, 2, 3] {
            assert_eq!(tree.add(index, leaf(index)), None);
        }
        assert!(tree.open(TaskId([0; 32]), &key(2, 3)).is_some());
        assert_eq!((tree.arrived().map(|(items, _)| items), tree.joined()), (Some(1), 4));
        assert_eq!(tree.close(&key(0, 0), 1), Err(NotAGroup));
        assert_eq!(tree.close(&key(0, 3), 4), Ok(None));
    }

    /// Runs a whole group, closed when half of it has arrived; answers the spans it joined.
    fn shape(size: usize, arity: u32, order: impl Fn(usize) -> usize) -> Vec<(u64, u64)> {
        let mut tree = Tree::new(NonZeroU32::new(arity).expect("not zero"));
        let mut joined = Vec::new();
        let mut root = None;
        for arrived in 0..size {
            if arrived == size / 2 {
                root = tree.close(&key(0, size - 1), size).expect("it is the first group").or(root);
            }
            let index = order(arrived);
            root = tree.add(index, leaf(index)).or(root);
            while let Some(next) = tree.ripe().first_key_value().map(|(key, _)| *key) {
                tree.open(TaskId([0; 32]), &next);
                joined.push((next.first.0, next.last.0));
                root = tree.add_result(Item { key: next, ..leaf(0) }).or(root);
            }
        }
        assert_eq!(root.map(|item| item.key), Some(key(0, size - 1)));
        assert_eq!(tree.waiting(), 0);
        joined.sort_unstable();
        joined
    }

    fn leaf(index: usize) -> Item {
        let input = InputId::Task(TaskId([0; 32]));
        Item { input, key: key(index, index), at: Timestamp(0) }
    }

    fn key(first: usize, last: usize) -> Key {
        let height = |index| Height(u64::try_from(index).expect("small"));
        Key {
            chain: ChainId(1),
            first: height(first),
            last: height(last),
            part: None,
            tip: BlockHash([u8::try_from(last).expect("small"); 32]),
        }
    }
}
