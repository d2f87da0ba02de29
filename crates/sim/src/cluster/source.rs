//! The client: it submits the chain to whoever leads, some blocks at once, and asks again where no
//! answer comes.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{BlockHash, Input};
use push0_engine::Admission;

use super::{Asked, Cluster, Happening};
use crate::check::{Check, holds};
use crate::store::Read;

/// Where the client is.
#[derive(Debug, Default)]
pub(super) struct Source {
    next: usize,
    pub(super) has_ended: bool,
    /// The question that it waits for the answer of, and until when.
    asks: Option<(u64, Duration)>,
    tokens: u64,
    /// The blocks of each question.
    sent: BTreeMap<u64, Vec<BlockHash>>,
    lost: Vec<BlockHash>,
}

impl Source {
    pub(super) fn words(&self) -> String {
        let Self { next, has_ended, lost, .. } = self;
        format!("at {next}, ended {has_ended}, to deliver again {}", lost.len())
    }

    const fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }
}

impl Cluster {
    pub(super) fn source_goes(&mut self) {
        let now = self.agenda.now();
        let pace = self.scenario.pace.clamp(LOOK_MIN, LOOK_MAX);
        self.agenda.after(pace, Happening::SourceGoes);
        self.delivers_again();
        if self.source.has_ended || self.source.asks.is_some_and(|(_, until)| now < until) {
            return;
        }
        let token = self.source.token();
        self.source.asks = Some((token, now + ANSWER_MAX));
        let most = usize::try_from(self.chance.within(1, 6)).unwrap_or(1);
        let blocks = self.scenario.blocks.iter().skip(self.source.next).take(most);
        let blocks: Vec<_> = blocks.cloned().collect();
        if blocks.is_empty() {
            return self.ask_leaders(&Asked::Ask(token, Input::EndSource));
        }
        for block in &blocks {
            if self.store.read(&block.payload) != Read::Sound && !self.store.put(block.payload) {
                return; // the store is away
            }
        }
        self.source.sent.insert(token, blocks.iter().map(|block| block.hash).collect());
        self.ask_leaders(&Asked::Add(token, blocks));
    }

    /// What became of the blocks that were added at once.
    pub(super) fn source_answered(&mut self, token: u64, taken: &Admission) {
        if self.source.asks.is_none_or(|(asked, _)| asked != token) {
            return; // it asked again since, and waits for that
        }
        self.source.asks = None;
        self.source.next += taken.arrivals.len();
    }

    pub(super) fn source_ends(&mut self, token: u64, is_done: bool) {
        if self.source.asks.is_none_or(|(asked, _)| asked != token) {
            return;
        }
        self.source.asks = None;
        self.source.has_ended |= is_done;
    }

    /// An engine asks for a payload again.
    pub(super) fn source_is_asked(&mut self, block: BlockHash) {
        if !self.source.lost.contains(&block) {
            self.source.lost.push(block);
        }
    }

    fn delivers_again(&mut self) {
        for hash in std::mem::take(&mut self.source.lost) {
            let block = self.scenario.blocks.iter().find(|block| block.hash == hash).cloned();
            let Some(block) = block else { continue };
            if !self.store.put(block.payload) {
                self.source.lost.push(hash);
                continue;
            }
            let token = self.source.token();
            self.ask_leaders(&Asked::Ask(token, Input::Submit(Box::new(block))));
        }
    }

    /// The blocks that an engine says it took are in the log.
    pub(super) fn check_added(&mut self, token: u64, taken: &Admission) {
        let sent = self.source.sent.get(&token).into_iter().flatten();
        let mut said = sent.take(taken.arrivals.len());
        let submitted = &self.truth.watch.ledger.submitted;
        let missing = said.find(|hash| !submitted.contains_key(*hash)).copied();
        self.note(holds(Check::DurableFirst, missing.is_none(), || {
            format!("block {missing:?} was said to be taken, and is not in the log")
        }));
    }
}

/// How long the client waits for an answer before it asks again.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Between two looks of the client.
const LOOK_MIN: Duration = Duration::from_millis(20);
const LOOK_MAX: Duration = Duration::from_millis(1_000);
