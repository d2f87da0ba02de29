//! The blocks that worlds submit: one canonical chain, and forks of it.

use std::collections::BTreeMap;

use push0_core::{Block, BlockHash, Digest, Height};

/// Where the canonical chain starts.
pub(crate) const START: u64 = 100;
/// How many canonical blocks there are.
pub(crate) const BLOCKS: u64 = 14;

/// The block `index` places after the first of the branch that these salts lead along; past them,
/// the last goes on.
pub(crate) fn along(salts: &[u8], index: u64) -> Block {
    let salt = |index: u64| {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        salts.get(index).or_else(|| salts.last()).copied().unwrap_or_default()
    };
    let mut parent = BlockHash([0; 32]);
    for before in 0..index {
        parent = hash(START + before, parent, salt(before));
    }
    block(START + index, parent, salt(index))
}

/// A block at `number` after `parent`; another `salt` is another block.
pub(crate) fn block(number: u64, parent: BlockHash, salt: u8) -> Block {
    let payload = Digest::of(format!("payload {number} {salt}").as_bytes());
    Block {
        number: Height(number),
        hash: hash(number, parent, salt),
        parent,
        payload,
        bytes: 300 + number * 7919 % 500,
        fields: BTreeMap::from([("gasUsed".to_owned(), 1 + number * 31 % 7)]),
    }
}

fn hash(number: u64, parent: BlockHash, salt: u8) -> BlockHash {
    BlockHash(Digest::of(format!("{number} {parent} {salt}").as_bytes()).0)
}
