//! What the state does not keep and the log's turns show in passing: when blocks were submitted,
//! when tasks were opened, and who proved them.
//!
//! It follows the log from its beginning, in an engine that stands by too, so an engine that takes
//! over knows how old the oldest block is. Histograms count only what was seen while it led.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use push0_core::{Event, Height, ProgramName, StageName, TaskId, Timestamp, Turn};

/// What was seen, and has not come to its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passing {
    tasks: HashMap<TaskId, OpenTask>,
    /// When the first block of each height came that is not released.
    blocks: BTreeMap<Height, Timestamp>,
}

/// A task without an accepted result.
#[derive(Clone, Debug)]
struct OpenTask {
    stage: StageName,
    program: ProgramName,
    opened: Timestamp,
    was_granted: bool,
}

/// Something that a histogram counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    /// A task was granted for the first time, so long after it was opened.
    Queued(StageName, Duration),
    /// A task was granted again.
    Retried,
    /// A prover of a program ran so long for a result that was accepted.
    Proved(StageName, ProgramName, Duration),
}

impl Passing {
    /// Follows a turn; answers what of it counts.
    pub(crate) fn follow(&mut self, turn: &Turn) -> Vec<Seen> {
        turn.events.iter().filter_map(|event| self.event(turn.at, event)).collect()
    }

    /// When the lowest block was submitted that is not released.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.blocks.first_key_value().map(|(_, at)| *at)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "few events count")]
    fn event(&mut self, at: Timestamp, event: &Event) -> Option<Seen> {
        match event {
            Event::BlockSubmitted { block } => {
                if self.blocks.len() < BLOCKS_MAX {
                    self.blocks.entry(block.number).or_insert(at);
                }
                None
            }
            Event::TaskOpened { task, stage, program, .. } => {
                if self.tasks.len() < TASKS_MAX {
                    let (stage, program) = (stage.clone(), program.clone());
                    let open = OpenTask { stage, program, opened: at, was_granted: false };
                    self.tasks.insert(*task, open);
                }
                None
            }
            Event::Granted { task, .. } => {
                let open = self.tasks.get_mut(task)?;
                match std::mem::replace(&mut open.was_granted, true) {
                    true => Some(Seen::Retried),
                    false => Some(Seen::Queued(open.stage.clone(), at.since(open.opened))),
                }
            }
            Event::Accepted { task, ran_us, .. } => {
                let open = self.tasks.remove(task)?;
                let ran = Duration::from_micros(*ran_us);
                (*ran_us > 0).then_some(Seen::Proved(open.stage, open.program, ran))
            }
            Event::Released { key, .. } => {
                while self.blocks.first_key_value().is_some_and(|(height, _)| *height <= key.last) {
                    self.blocks.pop_first();
                }
                None
            }
            _ => None,
        }
    }
}

/// Blocks that are remembered: more than an engine has open by default (docs/sizing.md).
const BLOCKS_MAX: usize = 1 << 20;

/// Tasks that are remembered, likewise.
const TASKS_MAX: usize = 1 << 20;
