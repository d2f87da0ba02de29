//! What items over the chain weigh, and how that stands to limits.

use super::{Chain, Link};
use crate::{Height, Weights};

/// How a weight stands to limits, of which there may be several.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Weighed {
    /// It is over one of them.
    pub(crate) is_over: bool,
    /// It is at one of them, or over.
    pub(crate) is_reached: bool,
    /// It is under one of them.
    pub(crate) is_under: bool,
}

impl Chain {
    /// How the weight of `items` items over the canonical blocks `first..=last` stands to `limits`.
    pub(crate) fn weigh(
        &self,
        items: u64,
        first: Height,
        last: Height,
        limits: &Weights,
    ) -> Weighed {
        let mut weighed = Weighed::default();
        let mut hold = |weight: u128, limit: Option<u64>| {
            if let Some(limit) = limit.map(u128::from) {
                weighed.is_over |= weight > limit;
                weighed.is_reached |= weight >= limit;
                weighed.is_under |= weight < limit;
            }
        };
        hold(items.into(), limits.items);
        hold((last.0 - first.0 + 1).into(), limits.blocks);
        hold(self.weight(first, last, |link| link.bytes), limits.bytes);
        for (index, limit) in &limits.fields {
            let field = |link: &Link| link.fields.get(*index).copied().unwrap_or_default();
            hold(self.weight(first, last, field), Some(*limit));
        }
        weighed
    }

    fn weight(&self, first: Height, last: Height, of: impl Fn(&Link) -> u128) -> u128 {
        let up_to = |height: Height| self.link(height).map_or(0, &of);
        up_to(last) - first.0.checked_sub(1).map_or(0, |before| up_to(Height(before)))
    }
}
