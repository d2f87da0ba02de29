//! Spans: the pieces that a batching stage cuts the chain into, in order, without gaps.
//!
//! The place of an item among its siblings is the index of its span, and so depends on the blocks
//! alone.

use crate::{BlockHash, Height};

/// One piece of the chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Span {
    pub(crate) first: Height,
    pub(crate) last: Height,
    pub(crate) tip: BlockHash,
}

/// The pieces so far.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Spans(Vec<Span>);

impl Spans {
    /// Adds the next piece. Answers whether it follows the one before.
    pub(crate) fn push(&mut self, span: Span) -> bool {
        let follows = self.0.last().is_none_or(|before| before.last.next() == span.first);
        self.0.push(span);
        follows && span.first <= span.last
    }

    pub(crate) fn get(&self, index: usize) -> Option<Span> {
        self.0.get(index).copied()
    }

    pub(crate) fn index_of(&self, first: Height) -> Option<usize> {
        self.0.binary_search_by_key(&first, |span| span.first).ok()
    }

    /// Takes off those that reach `from` or past it, and answers the first of them.
    pub(crate) fn cut(&mut self, from: Height) -> Option<Span> {
        let kept = self.0.partition_point(|span| span.last < from);
        let cut = self.0.split_off(kept);
        cut.first().copied()
    }

    /// The index of the one that `height` is in.
    pub(crate) fn containing(&self, height: Height) -> Option<usize> {
        let index = self.0.partition_point(|span| span.last < height);
        self.get(index).filter(|span| span.first <= height).map(|_| index)
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_begins_where_the_one_before_ended_and_is_not_empty() {
        for (first, last, follows) in [(3, 3, true), (3, 5, true), (4, 5, false), (3, 2, false)] {
            let mut spans = Spans::default();
            assert!(spans.push(span(0, 2)));
            assert_eq!(spans.push(span(first, last)), follows, "{first} to {last}");
        }
    }

    fn span(first: u64, last: u64) -> Span {
        Span { first: Height(first), last: Height(last), tip: BlockHash([0; 32]) }
    }
}
