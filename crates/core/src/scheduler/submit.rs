//! Decides about what begins things: pipelines, engines, blocks, the end of the source.

use super::Scheduler;
use crate::input::Rejection;
use crate::{Block, Epoch, Event, Height, InputId, ParkedBy, Pipeline, PipelineSpec, ReopenedBy};

impl Scheduler {
    pub(super) fn configure(&self, spec: &PipelineSpec) -> Result<Vec<Event>, Rejection> {
        let pipeline = Pipeline::check(spec).map_err(|faults| Rejection::Faults(faults.len()))?;
        if self.is_configured() && !pipeline.proves_as(&self.pipeline) {
            return Err(Rejection::AnotherPipeline);
        }
        match self.is_configured() && pipeline == self.pipeline {
            true => Ok(Vec::new()),
            false => Ok(vec![Event::Configured { pipeline: Box::new(spec.clone()) }]),
        }
    }

    pub(super) fn claim(&self, epoch: Epoch) -> Result<Vec<Event>, Rejection> {
        if epoch <= self.epoch {
            return Err(Rejection::Epoch { claimed: epoch, current: self.epoch });
        }
        Ok(vec![Event::Claimed { epoch }])
    }

    pub(super) fn submit(&self, block: &Block) -> Result<Vec<Event>, Rejection> {
        if let Some(known) = self.chain.block(&block.hash) {
            return Ok(match known.payload_lost || known.payload != block.payload {
                true => self.resupply(block),
                false => Vec::new(),
            });
        }
        for field in &self.pipeline.fields {
            if !block.fields.contains_key(field) {
                let field = field.clone();
                return Err(Rejection::MissingField { number: block.number, field });
            }
        }
        if block.number > Height::MAX {
            return Err(Rejection::TooFarAhead { number: block.number, tip: Height::MAX });
        }
        if let Some(parent) = self.chain.block(&block.parent)
            && block.number != parent.number.next()
        {
            let (number, parent) = (block.number, parent.number);
            return Err(Rejection::Misnumbered { number, parent });
        }
        if let Some(start) = self.chain.start()
            && block.number < start
        {
            return Err(Rejection::BeforeStart { number: block.number, start });
        }
        if let Some(last) = self.chain.ended()
            && block.number > last
        {
            return Err(Rejection::PastEnd { number: block.number, last });
        }
        if let Some((tip, _)) = self.chain.tip()
            && block.number.0 > tip.0.saturating_add(self.limits.reorder_max)
        {
            return Err(Rejection::TooFarAhead { number: block.number, tip });
        }
        let follows = self.chain.tip().is_none_or(|(_, tip)| block.parent == tip);
        let (strays, limit) = (self.chain.known() - self.chain.len(), self.limits.strays_max);
        if !follows && strays >= limit {
            return Err(Rejection::Full { open: strays, limit });
        }
        let (open, limit) = (self.unreleased(), self.limits.blocks_max);
        if open >= limit {
            return Err(Rejection::Full { open, limit });
        }
        Ok(vec![Event::BlockSubmitted { block: block.clone() }])
    }

    pub(super) fn end_source(&self) -> Result<Vec<Event>, Rejection> {
        let Some((tip, _)) = self.chain.tip() else {
            return Err(Rejection::CannotEnd("no block was submitted"));
        };
        match self.chain.ended() {
            // The tip has not moved since: no block is taken past the end.
            Some(_) => Ok(Vec::new()),
            None if self.chain.has_waiting() => {
                Err(Rejection::CannotEnd("blocks wait for a parent that never came"))
            }
            None => Ok(vec![Event::SourceEnded { last: tip }]),
        }
    }

    /// A known block came again, after its payload was lost or with another payload. Tasks that failed on
    /// the old one get another chance; of a block that was used up, it is only recorded.
    fn resupply(&self, block: &Block) -> Vec<Event> {
        let resupplied =
            Event::Resupplied { block: block.hash, payload: block.payload, bytes: block.bytes };
        let input = InputId::Block(block.hash);
        let parked = self.parked.iter().filter_map(|id| Some((*id, self.task(id)?)));
        let reopened = parked
            .filter(|(_, task)| task.inputs.contains(&input))
            .filter(|(_, task)| {
                let class = task.parked.as_ref().map(|(class, _)| *class);
                matches!(class, Some(ParkedBy::InvalidInput | ParkedBy::InputLost))
            })
            .map(|(task, _)| Event::Reopened { task, why: ReopenedBy::Resupplied });
        std::iter::once(resupplied).chain(reopened.take(self.limits.decision_max)).collect()
    }

    /// Canonical blocks that are not released.
    pub(super) fn unreleased(&self) -> usize {
        let released = usize::try_from(self.totals.blocks_released).unwrap_or(usize::MAX);
        self.chain.len().saturating_sub(released)
    }
}
