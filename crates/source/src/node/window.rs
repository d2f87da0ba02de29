//! Several heights of one node, some at once, in their order.

use std::ops::RangeInclusive;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use push0_core::{Height, NodePayload};

use super::Trouble;
use super::client::Node;

/// The payloads of all these heights. One that the node does not have ends it, and all are fetched
/// again later.
pub(super) async fn fetch(
    node: &Node,
    heights: RangeInclusive<Height>,
    payload: NodePayload,
) -> Result<Vec<Vec<u8>>, Trouble> {
    let (first, last) = heights.into_inner();
    let asked = (first.0..=last.0).map(|height| async move {
        let height = Height(height);
        let found = node.block(height, payload).await?;
        found.ok_or_else(|| {
            let name = node.name();
            Trouble::Passing(format!("{name} calls block {height} final, and does not have it"))
        })
    });
    stream::iter(asked).buffered(AT_ONCE).try_collect().await
}

/// Questions to one node that are under way: as many as public nodes answer at once.
const AT_ONCE: usize = 8;
