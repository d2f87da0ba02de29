//! What of a question to add blocks is read at all: what is before the first block that is too
//! large for any log. To read the names of its fields takes a hundred times as long as to see where
//! it ends.
//!
//! Not here: blocks that are too large by what they take in a record, though not as they are
//! written here (`lead`).

use std::borrow::Cow;

use push0_core::Rejection;

use super::lead::BLOCK_BYTES_MAX;
use super::wire::{Answer, NotTaken};

/// A block that is not read, and so neither is what is after it.
#[derive(Debug)]
pub(super) struct TooLarge {
    bytes: usize,
}

impl TooLarge {
    /// The answer to what was before it, as one to the whole question.
    pub(super) fn told(&self, answer: Answer) -> Answer {
        let bytes_max = BLOCK_BYTES_MAX;
        let reason = Rejection::TooLarge { bytes: self.bytes, bytes_max }.to_string();
        match answer {
            Answer::Added { arrivals, left: None } => {
                Answer::Added { arrivals, left: Some(NotTaken::Refused(reason)) }
            }
            Answer::Done(taken) => Answer::Refused { taken, reason },
            // What was before it was not all taken: it is not its turn yet.
            other @ (Answer::Added { .. }
            | Answer::Status(_)
            | Answer::Later { .. }
            | Answer::Refused { .. }
            | Answer::Discarded { .. }
            | Answer::Position(_)
            | Answer::Leaving { .. }
            | Answer::Cordoned { .. }) => other,
        }
    }
}

/// The question without its first block that is too large, and what is after it; as it is, where
/// there is none.
pub(super) fn cut(question: &[u8]) -> (Cow<'_, [u8]>, Option<TooLarge>) {
    let is_to_add = question.len() > BLOCK_BYTES_MAX // else none in it can be
        && ADDS.iter().any(|adds| question.starts_with(adds));
    let large = if is_to_add { too_large(question) } else { None };
    let Some((start, bytes)) = large else { return (Cow::Borrowed(question), None) };
    let before = question.get(..start).unwrap_or_default().trim_ascii_end();
    let before = before.strip_suffix(b",").unwrap_or(before);
    (Cow::Owned([before, b"]}"].concat()), Some(TooLarge { bytes }))
}

/// Where the first block begins that is longer than any may be, and how long it is.
fn too_large(question: &[u8]) -> Option<(usize, usize)> {
    let (mut depth, mut start) = (0_u32, 0);
    let (mut is_word, mut is_escaped) = (false, false);
    for (at, byte) in question.iter().enumerate() {
        match (is_word, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (true, b'"') => is_word = false,
            (true, _) => {}
            (false, b'"') => is_word = true,
            (false, b'{' | b'[') => {
                if depth == BLOCKS_DEPTH {
                    start = at;
                }
                depth += 1;
            }
            (false, b'}' | b']') => {
                depth = depth.saturating_sub(1);
                let bytes = at + 1 - start;
                if depth == BLOCKS_DEPTH && bytes > BLOCK_BYTES_MAX {
                    return Some((start, bytes));
                }
            }
            (false, _) => {}
        }
    }
    None
}

/// How a question to add blocks begins, as all versions of push0 write it.
const ADDS: [&[u8]; 2] = [b"{\"add\":[", b"{\"submit\":["];

/// Within the question, and its blocks.
const BLOCKS_DEPTH: u32 = 2;

#[cfg(test)]
mod tests {
    use push0_core::{Block, BlockHash, Digest, Height};

    use super::super::bus::read;
    use super::super::wire::Ask;
    use super::*;

    #[test]
    fn of_blocks_those_before_the_first_that_is_too_large_are_read() {
        let large = block("x", 10_000);
        let small = [block("\\\"]}{[", 3), block("", 0), block("x", 1_000)];
        for before in 0..=3 {
            let kept: Vec<_> = small.iter().take(before).cloned().collect();
            let all: Vec<_> = kept.iter().chain([&large]).chain(&small).cloned().collect();
            for (ask, wanted) in [
                (Ask::Add(all.clone()), Ask::Add(kept.clone())),
                (Ask::Submit(all.clone()), Ask::Submit(kept.clone())),
            ] {
                let json = serde_json::to_vec(&ask).expect("it is JSON");
                let (read_of, too_large) = cut(&json);
                assert_eq!(read::<Ask>(&read_of), Some(wanted));
                let bytes = serde_json::to_vec(&large).expect("it is JSON").len();
                assert_eq!(too_large.map(|it| it.bytes), Some(bytes));
            }
        }
    }

    /// What is cut here would be refused once it was read.
    #[test]
    fn no_block_is_shorter_by_what_it_takes_in_a_record() {
        for fields in [0, 1, 1_000, 10_000] {
            let block = block("\"\\\u{1}ü", fields);
            let json = serde_json::to_vec(&block).expect("it is JSON");
            assert!(json.len() <= block.bytes_max(), "{fields}");
        }
    }

    #[test]
    fn all_else_is_read_as_it_is() {
        let small = serde_json::to_vec(&Ask::Add(vec![block("x", 1_000); 20])).expect("JSON");
        let other = [b"{\"apply\":[{".as_slice(), &[b'x'; 100_000], b"}]}"].concat();
        let cases =
            [&small, &other, b"".as_slice(), b"{\"add\":[", b"{\"add\":[]]]]}}}}", b"\"status\""];
        for question in cases {
            let (read_of, too_large) = cut(question);
            assert_eq!(&*read_of, question);
            assert!(too_large.is_none());
        }
    }

    #[test]
    fn the_answer_says_what_was_taken_and_why_no_more_was() {
        let large = TooLarge { bytes: 70_000 };
        let Answer::Refused { taken: 3, reason } = large.told(Answer::Done(3)) else { panic!("3") };
        assert!(reason.contains("70000 bytes"), "{reason}");
        let added = Answer::Added { arrivals: vec![], left: None };
        let told = large.told(added);
        assert!(matches!(told, Answer::Added { left: Some(NotTaken::Refused(_)), .. }), "{told:?}");
        let later = Answer::Added { arrivals: vec![], left: Some(NotTaken::Later) };
        let told = large.told(later);
        assert!(matches!(told, Answer::Added { left: Some(NotTaken::Later), .. }), "{told:?}");
    }

    fn block(name: &str, fields: u32) -> Block {
        Block {
            number: Height(1),
            hash: BlockHash([1; 32]),
            parent: BlockHash([0; 32]),
            payload: Digest([1; 32]),
            bytes: 1,
            fields: (0..fields).map(|at| (format!("{name}{at:06}"), 1)).collect(),
        }
    }
}
