//! Decides about what begins things: pipelines, engines, blocks, the end of the source.

use super::Scheduler;
use crate::input::Rejection;
use crate::{
    Arrival, Block, Canonical, Epoch, Event, Height, InputId, KnownBlock, ParkedBy, Pipeline,
    PipelineSpec, ReopenedBy, Timestamp,
};

impl Scheduler {
    pub(super) fn configure(&self, spec: &PipelineSpec) -> Result<Vec<Event>, Rejection> {
        let pipeline = Pipeline::check(spec).map_err(|faults| Rejection::Faults(faults.len()))?;
        if self.is_configured() && !pipeline.proves_as(&self.pipeline) {
            return Err(Rejection::AnotherPipeline);
        }
        self.keeps_start(&pipeline)?;
        if self.chain.known() > 0 && pipeline.source.canonical != self.pipeline.source.canonical {
            return Err(Rejection::OtherHeads);
        }
        match self.is_configured() && pipeline == self.pipeline {
            true => Ok(Vec::new()),
            false => Ok(vec![Event::Configured { pipeline: Box::new(spec.clone()) }]),
        }
    }

    /// A pipeline says nothing else of where the chain starts than what it did from its first block
    /// on.
    fn keeps_start(&self, pipeline: &Pipeline) -> Result<(), Rejection> {
        let asked = pipeline.source.start;
        let begins = self.chain.begins().filter(|_| self.chain.known() > 0);
        let is_kept = asked.is_some() || self.chain.start().is_some();
        match begins {
            Some(start) if asked.is_some_and(|asked| asked != start) || !is_kept => {
                Err(Rejection::OtherStart { start })
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn claim(&self, epoch: Epoch) -> Result<Vec<Event>, Rejection> {
        if epoch <= self.epoch {
            return Err(Rejection::Epoch { claimed: epoch, current: self.epoch });
        }
        Ok(vec![Event::Claimed { epoch, ids_hold_it: true }])
    }

    pub(super) fn submit(&self, block: &Block) -> Result<Vec<Event>, Rejection> {
        if let Some(known) = self.chain.block(&block.hash) {
            return Ok(match can_matter(known, block) {
                true => self.resupply(block),
                false => Vec::new(),
            });
        }
        self.fit(block)?;
        let is_by_head = self.pipeline.source.canonical == Canonical::ByHead;
        let (open, limit) = (self.unreleased(), self.limits.blocks_max);
        // Where the chain may be another one, what takes the place of what is there takes no room.
        let takes_place = |tip: Height| is_by_head && block.number <= tip;
        let takes_place = self.chain.tip().is_some_and(|(tip, _)| takes_place(tip));
        let is_full = open >= limit && !takes_place;
        match self.chain.arrival(block) {
            Arrival::New | Arrival::Known | Arrival::Ahead if is_full => {
                return Err(Rejection::Full { open, limit });
            }
            Arrival::New | Arrival::Known if !is_by_head => {}
            Arrival::New | Arrival::Known | Arrival::Ahead => {
                let (open, limit) = self.strays();
                let is_next = is_by_head && self.follows_canonical(block);
                let of_height = if is_next { NEXT_OF_A_HEIGHT } else { STRAYS_OF_A_HEIGHT };
                let is_crowded = self.chain.strays_at(block.number) >= of_height;
                if (open >= limit && !is_next) || is_crowded {
                    return Err(Rejection::Full { open, limit });
                }
            }
            Arrival::Beside if is_by_head => return Ok(Vec::new()),
            Arrival::Beside => {
                // Nothing is lost by forgetting it: it is told so, and told again when it comes
                // again.
                let (open, limit) = self.strays();
                let is_over = self.feed.next().is_some_and(|next| block.number < next);
                let is_crowded = self.chain.strays_at(block.number) >= STRAYS_OF_A_HEIGHT;
                if is_full || is_over || open >= limit || is_crowded {
                    return Ok(Vec::new());
                }
            }
        }
        let mut block = block.clone();
        block.fields.retain(|field, _| self.pipeline.fields.contains(field));
        Ok(vec![Event::BlockSubmitted { block }])
    }

    /// Whether an unknown block can be one of this chain's, by its numbers and fields.
    fn fit(&self, block: &Block) -> Result<(), Rejection> {
        let number = block.number;
        for field in &self.pipeline.fields {
            if !block.fields.contains_key(field) {
                return Err(Rejection::MissingField { number, field: field.clone() });
            }
        }
        if number > Height::MAX {
            return Err(Rejection::TooHigh { number });
        }
        if let Some(parent) = self.chain.block(&block.parent)
            && number != parent.number.next()
        {
            return Err(Rejection::Misnumbered { number, parent: parent.number });
        }
        if let Some(start) = self.chain.begins()
            && number < start
        {
            return Err(Rejection::BeforeStart { number, start });
        }
        if let Some(last) = self.chain.ended()
            && number > last
        {
            return Err(Rejection::PastEnd { number, last });
        }
        let tip = self.chain.tip().map(|(tip, _)| tip);
        if let Some(tip) = tip.or_else(|| self.chain.begins())
            && number.0 > tip.0.saturating_add(self.limits.reorder_max)
        {
            return Err(Rejection::TooFarAhead { number, tip });
        }
        Ok(())
    }

    /// Whether it could be the next head as the chain is: no stray takes its room.
    fn follows_canonical(&self, block: &Block) -> bool {
        let before = block.number.0.checked_sub(1).map(Height);
        let before = before.and_then(|before| self.chain.hash_at(before));
        let is_first = self.chain.start().is_none_or(|start| start == block.number);
        is_first || before == Some(block.parent)
    }

    /// How many blocks are not canonical, and how many may be. Those below what is released are in
    /// nobody's way.
    fn strays(&self) -> (usize, usize) {
        let from = self.feed.next().unwrap_or_default();
        (self.chain.strays_from(from), self.limits.strays_max)
    }

    /// The source ends at the tip. A block ahead of it may be on its way with its parent, so what
    /// has just come is waited for; what has waited longer is left out: who says that no block
    /// follows says it of its parent too.
    pub(super) fn end_source(&self, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        let Some((tip, _)) = self.chain.tip() else {
            return Err(Rejection::CannotEnd("no block was submitted"));
        };
        if self.chain.ended().is_some() {
            return Ok(Vec::new()); // the tip has not moved since: no block is taken past the end
        }
        let waiting = self.chain.waiting_since();
        if waiting.is_some_and(|since| now.since(since) < self.limits.stray_wait) {
            return Err(Rejection::CannotEnd("a block has just come whose parent has not"));
        }
        Ok(vec![Event::SourceEnded { last: tip }])
    }

    /// A known block came again, after its payload was lost or with another one in the place of one
    /// that could not be used. Tasks that failed on the old one get another chance.
    fn resupply(&self, block: &Block) -> Vec<Event> {
        let resupplied =
            Event::Resupplied { block: block.hash, payload: block.payload, bytes: block.bytes };
        let input = InputId::Block(block.hash);
        let around = self.open_around(block.number);
        let parked = around.filter(|id| self.parked.contains(id));
        let parked = parked.filter_map(|id| Some((id, self.task(&id)?)));
        let reopened = parked
            .filter(|(_, task)| task.inputs.contains(&input))
            .filter(|(_, task)| {
                let class = task.parked.as_ref().map(|(class, _)| *class);
                matches!(class, Some(ParkedBy::InvalidInput | ParkedBy::InputLost))
            })
            .map(|(task, _)| Event::Reopened { task, why: ReopenedBy::Resupplied });
        std::iter::once(resupplied).chain(reopened.take(self.limits.decision_max)).collect()
    }

    /// How many blocks may yet cost room: the canonical ones that are not released, and those
    /// beside or ahead of them. What is not canonical and below what is released costs nothing any
    /// more.
    #[must_use]
    pub fn open_blocks(&self) -> usize {
        self.unreleased() + self.strays().0
    }

    /// Canonical blocks that are not released.
    pub(super) fn unreleased(&self) -> usize {
        let released = usize::try_from(self.totals.blocks_released).unwrap_or(usize::MAX);
        self.chain.len().saturating_sub(released)
    }
}

/// Whether it changes anything that a known block comes again: nobody else's word on a payload that
/// is there and that provers can use counts, and no block is a way to write into the log as often
/// as somebody likes.
fn can_matter(known: &KnownBlock, block: &Block) -> bool {
    let is_other = known.payload != block.payload;
    let is_of_use = known.payload_lost || (known.is_doubted && is_other);
    is_of_use && known.resupplies < RESUPPLIES_MAX
}

/// Deliveries of one payload until a person looks at what failed on it (`push0 retry`): far more
/// than a store that loses things causes, for after a few losses its tasks are parked.
const RESUPPLIES_MAX: u32 = 16;

/// Blocks of one height that are known and not canonical. Chains fork in two, seldom in three.
const STRAYS_OF_A_HEIGHT: usize = 8;

/// The same where the source says heads, of those that follow the chain: one of them may be its
/// next, and others must not keep it out.
const NEXT_OF_A_HEIGHT: usize = 64;
