//! What a client of push0 sees: turns of the log, and in them results that are durable.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use push0_core::{Event, TaskId, Turn};

use super::{Done, Told};

/// Tells of each task's first accepted result.
pub(super) struct Watch {
    done: Told,
    numbers: HashMap<TaskId, u64>,
}

impl Watch {
    pub(super) fn new(done: Told) -> Self {
        Self { done, numbers: HashMap::new() }
    }

    /// Takes a turn that is durable; `false` once nobody listens.
    pub(super) fn turn(&mut self, turn: &Turn) -> bool {
        let at = Instant::now();
        for event in &turn.events {
            if let Event::TaskOpened { task, key, .. } = event {
                self.numbers.insert(*task, key.first.0);
            }
            if let Event::Accepted { task, ran_us, .. } = event
                && let Some(number) = self.numbers.remove(task)
            {
                let done = Done { task: number, at, ran: Duration::from_micros(*ran_us) };
                if self.done.send(Ok(done)).is_err() {
                    return false;
                }
            }
        }
        true
    }
}
