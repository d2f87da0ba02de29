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
