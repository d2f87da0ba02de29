//! The source, as `push0 run` feeds a file: from the first block at every start, one submission at
//! a time, and again what the store has lost. Its faults are those of clients: they repeat, reorder
//! and flood.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use push0_core::{BlockHash, Input, Rejection, Seq};
use push0_engine::Admission;

use super::World;
use super::heads::{Heads, beside};
use crate::agenda::Happening;
use crate::check::{Check, holds};
use crate::engine::{Answer, Asker, Engine, Request};
use crate::fault::Fault;
use crate::scenario;
use crate::store::Read;

/// Where the source is.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) next: usize,
    pub(super) has_ended: bool,
    /// What it waits for an answer of.
    asks: Option<Asks>,
    /// Where the log was when the engine had no room for its next block, and how often in a row.
    full_at: Option<(Seq, u32)>,
    lost: VecDeque<BlockHash>,
    /// What it cannot deliver again, whatever it is asked.
    gone: BTreeSet<BlockHash>,
    /// Where it says heads.
    pub(super) heads: Heads,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asks {
    Next,
    Again,
    Head,
    Final(usize),
    End,
}

impl Source {
    pub(super) fn begin(&mut self) {
        let (gone, heads) = (std::mem::take(&mut self.gone), std::mem::take(&mut self.heads));
        *self = Self { gone, heads, ..Self::default() };
    }

    /// It can deliver everything again.
    pub(super) fn finds_all(&mut self) {
        self.gone.clear();
    }

    /// Whether it does nothing more unless it is asked, or there is room in an engine that had none
    /// at `durable`.
    pub(super) fn rests(&self, durable: Seq) -> bool {
        // The turn that refused it may have made room itself.
        let is_full = self.full_at.is_some_and(|(at, times)| at == durable && times > 1);
        self.lost.is_empty() && (self.has_ended || is_full)
    }
}

impl World {
    pub(super) fn source_goes(&mut self) {
        if self.source.asks.is_some() || self.engine.is_none() {
            return;
        }
        if let Some(hash) = self.source.lost.front().copied() {
            let mut all =
                self.scenario.blocks.iter().chain(self.source.heads.former.iter().flatten());
            let block = all.find(|block| block.hash == hash).cloned();
            let Some(block) = block else {
                self.source.lost.pop_front();
                return self.source_waits(Duration::ZERO);
            };
            if !self.store.put(block.payload) {
                return self.source_waits(STORE_WAIT);
            }
            return self.source_asks(Asks::Again, Input::Submit(Box::new(block)));
        }
        if self.scenario.says_heads && self.says_of_heads() {
            return;
        }
        let Some(block) = self.scenario.blocks.get(self.source.next).cloned() else {
            if !self.source.has_ended {
                self.source_asks(Asks::End, Input::EndSource);
            }
            return;
        };
        if self.source.gone.contains(&block.hash) {
            self.source.next += 1; // the log knows the block, and lacks its payload
            return self.source_waits(Duration::ZERO);
        }
        if self.store.read(&block.payload) != Read::Sound && !self.store.put(block.payload) {
            return self.source_waits(STORE_WAIT);
        }
        self.trouble_of_source();
        if self.scenario.is_one_process || self.scenario.says_heads {
            return self.source_asks(Asks::Next, Input::Submit(Box::new(block)));
        }
        // As clients of a cluster do: some at once.
        let most = usize::try_from(self.chance.within(1, TOGETHER)).unwrap_or(1);
        let next = self.scenario.blocks.iter().skip(self.source.next).take(most);
        let next = next.take_while(|block| !self.source.gone.contains(&block.hash)).cloned();
        let mut blocks = Vec::new();
        for block in next.collect::<Vec<_>>() {
            if self.store.read(&block.payload) != Read::Sound && !self.store.put(block.payload) {
                break;
            }
            blocks.push(block);
        }
        if blocks.is_empty() {
            return self.source_waits(STORE_WAIT);
        }
        self.source.asks = Some(Asks::Next);
        self.request(Request::Add(blocks));
    }

    /// What became of the blocks that were added at once: those that were taken, in their order, up
    /// to the first that was refused or found no room in its turn.
    pub(super) fn source_added(&mut self, Admission { arrivals, refused }: Admission) {
        let taken = arrivals.len();
        let is_some = taken > 0 || refused.is_some();
        self.watch.note(holds(Check::Legal, is_some, || "no block was taken, none refused".into()));
        // The answer below says one more, or that the next was refused.
        let (before, answer) = match refused {
            Some(refused) => (taken, Err(refused)),
            None => (taken.saturating_sub(1), Ok(())),
        };
        self.source.next += before;
        self.source_answered(answer);
    }

    pub(super) fn source_answered(&mut self, answer: Answer) {
        let asked = self.source.asks.take();
        let full_at = self.source.full_at.take();
        let mut wait = Duration::ZERO;
        match (answer, asked) {
            (Ok(()), Some(Asks::Next)) => {
                self.source.next += 1;
                wait = self.scenario.pace;
            }
            (Ok(()), Some(Asks::Again)) => {
                self.source.lost.pop_front();
            }
            (Ok(()), Some(Asks::Head)) => self.source.heads.said = self.source.next,
            (Ok(()), Some(Asks::Final(count))) => self.source.heads.is_final = count,
            (Ok(()), Some(Asks::End)) => self.source.has_ended = true,
            (Ok(()), None) => {}
            (Err(Rejection::Full { .. }), Some(Asks::Next)) => {
                let durable = self.engine.as_ref().map(Engine::durable).unwrap_or_default();
                let before = full_at.filter(|(at, _)| *at == durable).map_or(0, |(_, times)| times);
                self.source.full_at = Some((durable, before + 1));
                wait = FULL_WAIT;
                self.source.heads.is_pressed = true;
            }
            (Err(error), asked) => {
                let what = format!("the source's own {asked:?} was refused: {error}");
                self.watch.note(Err((Check::Legal, what)));
            }
        }
        self.source_waits(wait);
    }

    /// The engine asks for a payload again.
    pub(super) fn source_is_asked(&mut self, block: BlockHash) {
        if self.faults.strikes(self.agenda.now(), Fault::PayloadGone) {
            self.source.gone.insert(block);
        }
        if self.source.gone.contains(&block) {
            return self.say(|| format!("the source is asked for {block}, and has it no more"));
        }
        self.say(|| format!("the source is asked for {block}"));
        self.source.lost.push_back(block);
        self.source_waits(Duration::ZERO);
    }

    fn source_waits(&mut self, wait: Duration) {
        let life = self.life;
        self.agenda.after(wait, Happening::SourceGoes { life });
    }

    pub(super) fn source_asks(&mut self, asks: Asks, input: Input) {
        self.source.asks = Some(asks);
        self.ask(Asker::Source, vec![input]);
    }

    pub(super) fn ask(&mut self, asker: Asker, inputs: Vec<Input>) {
        self.request(Request::Ask(asker, inputs));
    }

    pub(super) fn request(&mut self, request: Request) {
        let Some(engine) = &mut self.engine else { return };
        engine.ask(request);
        let now = self.agenda.now();
        self.look_by(now);
    }

    /// What clients do that should not.
    fn trouble_of_source(&mut self) {
        let (now, next) = (self.agenda.now(), self.source.next);
        let mut asides = Vec::new();
        if self.faults.strikes(now, Fault::Repeated) {
            asides.extend(self.known_block(Fault::Repeated));
        }
        if next > 0 && self.faults.strikes(now, Fault::Reordered) {
            let ahead = self.faults.chance(Fault::Reordered).within(1, 6);
            let ahead = next + usize::try_from(ahead).unwrap_or_default();
            asides.extend(self.scenario.blocks.get(ahead).cloned());
        }
        if self.faults.strikes(now, Fault::Flooded) {
            asides.extend(self.scenario.blocks.iter().skip(next).cloned());
        }
        if self.faults.strikes(now, Fault::Forked)
            && let Some(known) = self.known_block(Fault::Forked)
        {
            let salt = self.faults.chance(Fault::Forked).within(1, 5) + beside(&known.parent);
            asides.push(scenario::block(known.number.0, known.parent, salt));
        }
        if self.faults.strikes(now, Fault::OtherPayload)
            && let Some(mut known) = self.known_block(Fault::OtherPayload)
        {
            let salt = self.faults.chance(Fault::OtherPayload).within(1, 3);
            known.payload = scenario::payload(known.number.0, salt);
            asides.push(known);
        }
        let put = |block: &push0_core::Block| self.store.put(block.payload);
        let asides: Vec<_> = asides.into_iter().filter(put).collect();
        let inputs = asides.into_iter().map(|block| Input::Submit(Box::new(block)));
        // What is too much for one turn goes on in the next.
        match self.chance.flip() {
            true => self.ask(Asker::Aside, inputs.collect()),
            false => inputs.for_each(|input| self.ask(Asker::Aside, vec![input])),
        }
    }

    /// A block that was answered for.
    fn known_block(&mut self, fault: Fault) -> Option<push0_core::Block> {
        let known = self.scenario.blocks.get(..self.source.next)?;
        self.faults.chance(fault).pick(known).cloned()
    }
}

/// Blocks that a client adds at once, at most.
const TOGETHER: u64 = 12;

/// Between two tries to submit to an engine that is full.
const FULL_WAIT: Duration = Duration::from_millis(200);

/// Between two tries to put into a store that does not answer.
const STORE_WAIT: Duration = Duration::from_millis(500);
