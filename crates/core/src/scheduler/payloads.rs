//! Payloads of blocks that are lost, come again, or may be why a task failed.
//!
//! Not here: whether the source is asked again (`report`, `end`).

use super::apply::illegal;
use super::{Effect, Scheduler};
use crate::task::IllegalEvent;
use crate::{BlockHash, Event, InputId, Seq, TaskId, Timestamp};

impl Scheduler {
    /// A block's payload is lost, or there again.
    pub(super) fn payload(
        &mut self,
        seq: Seq,
        at: Timestamp,
        block: BlockHash,
        event: &Event,
    ) -> Result<(), IllegalEvent> {
        let number = if let Event::Resupplied { payload, bytes, .. } = event {
            self.chain.resupply(seq, block, *payload, *bytes)
        } else {
            self.effects.push_back((seq, Effect::AskSource(block)));
            self.chain.lose_payload(at, block)
        };
        let number =
            number.ok_or_else(|| illegal(seq, "an unknown block was lost, or came again"))?;
        self.requeue_users(InputId::Block(block), number);
        Ok(())
    }

    /// The payloads that a task reads may be why it failed.
    pub(super) fn doubt(&mut self, id: TaskId) {
        let inputs = self.tasks.get(&id).into_iter().flat_map(|task| &task.inputs);
        for input in inputs {
            if let InputId::Block(hash) = input {
                self.chain.doubt(*hash);
            }
        }
    }

    /// Somebody has looked after the inputs of a task that were lost too often: their budgets begin
    /// anew.
    pub(super) fn forget_losses(&mut self, id: TaskId) {
        let inputs = self.task(&id).map(|task| task.inputs.clone()).unwrap_or_default();
        for input in inputs {
            match input {
                InputId::Block(hash) => self.chain.forget_losses(hash),
                InputId::Task(maker) | InputId::Part(maker, _) => {
                    if let Some(maker) = self.tasks.get_mut(&maker) {
                        maker.remakes = 0;
                    }
                }
            }
        }
    }
}
