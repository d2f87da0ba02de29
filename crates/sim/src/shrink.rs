//! Shrinking: from a story that fails to a shorter one in which the same check does not hold.
//!
//! Faults are left out by halves, then by ever smaller parts, then one by one; then blocks. Each
//! try is a whole run, so what is left is needed, at least as the rest stands.

use std::collections::BTreeSet;

use crate::check::Violation;
use crate::fault::Strike;
use crate::story::Story;

/// A story that could not be made shorter.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// It.
    pub story: Story,
    /// What does not hold in it.
    pub violation: Violation,
    /// Faults and steps of the first one.
    pub before: (usize, u64),
    /// Faults and steps of this one.
    pub after: (usize, u64),
    /// How often it was tried.
    pub runs: u32,
}

/// The shortest story found that fails as `story` does; none if that does not fail.
#[must_use]
pub fn shrink(story: &Story) -> Option<Shrunk> {
    let first = story.run();
    let violation = first.violation?;
    let before = (first.struck.len(), first.steps);
    let strikes: Vec<_> = first.struck.iter().map(|struck| struck.strike).collect();
    let mut search = Search { story: story.clone(), violation, strikes, after: before, runs: 1 };
    search.leave_out_blocks();
    search.leave_out_strikes();
    search.leave_out_blocks();
    let Search { story, violation, after, runs, .. } = search;
    Some(Shrunk { story, violation, before, after, runs })
}

struct Search {
    story: Story,
    violation: Violation,
    strikes: Vec<Strike>,
    after: (usize, u64),
    runs: u32,
}

impl Search {
    fn leave_out_strikes(&mut self) {
        let mut size = self.strikes.len().max(1);
        while size > 0 && self.runs < RUNS_MAX {
            let was_shorter = self.leave_out_parts(size);
            // One by one, again and again: what was needed may not be any more.
            size = if size == 1 && was_shorter { 1 } else { size / 2 };
        }
    }

    /// Leaves out parts of that size. Answers whether one was not needed.
    fn leave_out_parts(&mut self, size: usize) -> bool {
        let (mut start, mut was_shorter) = (0, false);
        while start < self.strikes.len() && self.runs < RUNS_MAX {
            let end = (start + size).min(self.strikes.len());
            let before = self.strikes.iter().take(start);
            let left: BTreeSet<_> = before.chain(self.strikes.iter().skip(end)).copied().collect();
            match self.holds_with(Story { only: Some(left), ..self.story.clone() }) {
                true => was_shorter = true,
                false => start = end,
            }
        }
        was_shorter
    }

    fn leave_out_blocks(&mut self) {
        for blocks in (1..FEW_BLOCKS).chain([FEW_BLOCKS, 2 * FEW_BLOCKS, 4 * FEW_BLOCKS]) {
            if self.story.blocks.is_some_and(|now| now <= blocks) {
                return;
            }
            if self.holds_with(Story { blocks: Some(blocks), ..self.story.clone() }) {
                return;
            }
        }
    }

    /// Goes on from `story` if it fails alike.
    fn holds_with(&mut self, story: Story) -> bool {
        self.runs += 1;
        let outcome = story.run();
        match outcome.violation {
            Some(violation) if violation.check == self.violation.check => {
                self.strikes = outcome.struck.iter().map(|struck| struck.strike).collect();
                self.after = (self.strikes.len(), outcome.steps);
                (self.story, self.violation) = (story, violation);
                true
            }
            Some(_) | None => false,
        }
    }
}

/// A story is tried so often.
const RUNS_MAX: u32 = 600;

/// What most worlds have at the most; each number below is tried, and few above.
const FEW_BLOCKS: u64 = 24;
