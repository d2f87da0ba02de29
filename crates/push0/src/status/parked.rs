//! The tasks that wait for a person, and what that person can type.

use push0_core::{ParkedBy, Scheduler};
use serde::{Deserialize, Serialize};

use super::layout::{Amount, short};
use super::{Place, SHORT};
use crate::lines;
use crate::output::gist;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Parked {
    task: String,
    stage: String,
    key: String,
    class: Option<ParkedBy>,
    message: String,
}

impl Parked {
    pub(super) fn all(scheduler: &Scheduler, most: usize) -> Vec<Self> {
        let parked = scheduler.parked().take(most).map(|(id, task)| {
            let stage = scheduler.pipeline().stage(task.stage).name.to_string();
            let (class, message) = match &task.parked {
                Some((class, message)) => (Some(*class), message.to_string()),
                None => (None, String::new()),
            };
            Self { task: id.to_string(), stage, key: task.key.to_string(), class, message }
        });
        parked.collect()
    }

    /// No more of them than go into a message.
    pub(super) fn bound(all: &mut Vec<Self>) {
        let mut left = BYTES_MAX;
        all.truncate(SENT_MAX);
        all.retain_mut(|parked| {
            if parked.message.len() > WORDS_MAX {
                parked.message = gist(&parked.message);
            }
            let takes = 6 * parked.message.len() + BYTES; // each byte of it may be escaped
            let fits = takes <= left;
            left = left.saturating_sub(takes);
            fits
        });
    }

    /// `count`: of all there are.
    pub(super) fn shown(all: &[Self], count: u64, place: Place<'_>, amount: Amount) -> String {
        let mut lines = vec![format!("parked, they wait for you: {count}")];
        for parked in all.iter().take(amount.parked) {
            let Self { task, stage, key, class, message } = parked;
            let class = class.map(lines::word).unwrap_or_default();
            let message = gist(message);
            let message = short(&message, amount.message);
            let task = task.get(..SHORT).unwrap_or(task);
            lines.push(format!("  {task}  {stage} {key}  {class}: {message}"));
            if let Place::Data(data) = place {
                let data = super::quoted(&data.to_string_lossy());
                lines.push(format!("            push0 logs {task} --data {data}"));
            }
        }
        if let Some(more) = count.checked_sub(amount.parked as u64).filter(|more| *more > 0) {
            lines.push(format!("  and {more} more: --json shows {}", place.how_many()));
        }
        lines.push(match place {
            Place::Data(data) => {
                let data = super::quoted(&data.to_string_lossy());
                format!("to try them again: push0 run PIPELINE --data {data} --retry-parked")
            }
            Place::Cluster => {
                "to try them again: push0 retry TASK, or push0 retry --all".to_owned()
            }
        });
        lines.join("\n")
    }
}

impl Place<'_> {
    fn how_many(self) -> String {
        match self {
            Self::Data(_) => "all".to_owned(),
            Self::Cluster => format!("the first {SENT_MAX}"),
        }
    }

    /// What has a parked task tried again.
    pub(super) fn retries(self, task: &str, class: &str) -> String {
        let task = task.get(..SHORT).unwrap_or(task);
        let data = match self {
            Self::Data(data) => Some(super::quoted(&data.to_string_lossy())),
            Self::Cluster => None,
        };
        match (data, class) {
            (None, "contradiction") => format!("push0 discard {task} --why TEXT"),
            (Some(data), "contradiction") => {
                format!("push0 discard {task} --why TEXT --data {data}")
            }
            (None, _) => format!("push0 retry {task}"),
            (Some(data), _) => format!("push0 run PIPELINE --data {data} --retry-parked"),
        }
    }
}

/// Parked tasks that go into a message.
pub(super) const SENT_MAX: usize = 64;

/// What they take of it: with all else less than the least that a server takes (64 KiB).
const BYTES_MAX: usize = 24 << 10;

/// A longer message is cut to its gist. Unit: bytes.
const WORDS_MAX: usize = 512;

/// What one takes beside its message.
const BYTES: usize = 400;
