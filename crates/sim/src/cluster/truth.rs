//! What truly stands in the log, whoever wrote it and whatever they believe: read as it is taken,
//! and checked.
//!
//! Not here: what an engine believes of it (`lead`).

use std::time::Duration;

use push0_core::{Epoch, Scheduler, Seq, Turn};
use push0_log::stream::Position;

use super::node::Part;
use super::stream::Stream;
use super::{Answer, Cluster, Happening, Question};
use crate::check::{Check, holds};
use crate::fault::Fault;
use crate::ledger::Ledger;
use crate::scenario::Scenario;
use crate::watch::Watch;

/// The log, read.
pub(super) struct Truth {
    /// What it leads to, and all that is checked of it.
    pub(super) watch: Watch,
    position: Position,
    turns: Vec<Turn>,
    /// Since when the stream is what it was, after it was not.
    pub(super) whole_again: Duration,
    /// When the stream did not answer last, whichever it is.
    pub(super) answered: Duration,
    /// When the latest claim was taken.
    claimed: Duration,
    /// Since when nothing keeps an engine from leading, and when one last led.
    well: Duration,
    led: Duration,
}

impl Truth {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let chain = scenario.blocks.iter().map(|block| (block.number, block.hash)).collect();
        let stream = Stream::new(true);
        let first = stream.records.first().expect("a stream begins with its genesis record");
        Self {
            watch: Watch::new(Ledger::new(chain), scenario.limits),
            position: Position::begin(first).expect("it is one"),
            turns: Vec::new(),
            whole_again: Duration::ZERO,
            answered: Duration::ZERO,
            claimed: Duration::ZERO,
            well: Duration::ZERO,
            led: Duration::ZERO,
        }
    }

    /// What checks an engine that has read the log up to `last`.
    pub(super) fn watch_of(&self, last: Seq, scheduler: &Scheduler) -> Watch {
        let until = self.turns.partition_point(|turn| turn.last() <= last);
        self.watch.beside(self.turns.get(..until).unwrap_or_default(), scheduler)
    }

    /// The position of the last event in the log.
    pub(super) const fn last(&self) -> Seq {
        self.position.last()
    }
}

impl Cluster {
    /// A question reaches the stream.
    pub(super) fn stream_hears(&mut self, asker: (usize, u64, u64), question: Question) {
        let now = self.agenda.now();
        let Question::Publish(publish) = &question else {
            let answer = self.stream.look(now, &question);
            if !matches!(answer, Answer::Nothing) {
                self.answers(asker, answer);
            }
            return;
        };
        let before = self.stream.last();
        match self.stream.publish(now, publish) {
            super::stream::Taken::At(said) => {
                if self.stream.last() > before {
                    self.took();
                }
                self.answers(asker, Answer::Said(said));
            }
            super::stream::Taken::UnderWay(nth) => {
                let mut wait = Duration::from_micros(self.chance.within(200, 5_000));
                if self.faults.strikes(now, Fault::AppendLate) {
                    wait = self.faults.chance(Fault::AppendLate).millis(100, 6_000);
                }
                let answers = Some(asker);
                self.agenda.after(wait, Happening::Commits { nth, answers });
            }
            super::stream::Taken::Silence => {}
        }
    }

    /// What was under way is on a majority of servers.
    pub(super) fn stream_commits(&mut self, nth: u64, answers: Option<(usize, u64, u64)>) {
        let now = self.agenda.now();
        if !self.stream.answers(now) {
            // The next leader has it on its disk, and brings it there.
            let again = Happening::Commits { nth, answers: None };
            return self.agenda.after(Duration::from_millis(20), again);
        }
        let Some(sequence) = self.stream.commit(nth) else { return };
        self.took();
        if let Some(asker) = answers {
            let said = push0_log::stream::PublishAnswer::Stands { sequence, is_repeat: false };
            self.answers(asker, Answer::Said(said));
        }
    }

    /// The stream holds one more record.
    fn took(&mut self) {
        if self.stream.is_another() {
            let what = "a record was appended to a log that went back".to_owned();
            return self.note(Err((Check::LoudStop, what)));
        }
        let Some(record) = self.stream.records.last().cloned() else { return };
        let (before, mut turns) = (self.truth.position.epoch(), Vec::new());
        let followed = self.truth.position.follow(&record, &mut |turn| turns.push(turn));
        self.say(|| format!("the log holds record {} of {}", record.sequence, record.subject));
        if let Err(fault) = followed {
            let what = format!("record {}: {}", record.sequence, fault.reason());
            return self.note(Err((Check::OneWriter, what)));
        }
        for turn in turns {
            let is_later = turn.epoch >= before;
            self.note(holds(Check::OneWriter, is_later, || {
                format!("a turn of {} stands behind one of {before}", turn.epoch)
            }));
            turn.events.iter().for_each(|event| self.say(|| format!("  {event:?}")));
            if turn.epoch > before {
                self.truth.claimed = self.agenda.now();
            }
            self.truth.watch.took(&turn);
            self.truth.turns.push(turn);
        }
    }

    /// An engine says that it leads, by its log's word: it did so a moment ago, or stood still
    /// since.
    pub(super) fn check_says(&mut self, node: usize, epoch: Epoch) {
        let now = self.agenda.now();
        let (latest, claimed) = (self.truth.watch.ledger.epoch, self.truth.claimed);
        let woke = self.nodes.get(node).map_or(Duration::ZERO, |one| one.frozen);
        let is_late = now.saturating_sub(claimed.max(woke)) < WORD_MAX;
        self.note(holds(Check::StaleEpoch, epoch == latest || is_late, || {
            format!("engine {node} says that it leads in {epoch}, and {latest} was claimed at {claimed:?}")
        }));
    }

    /// Who reaches a log that another has claimed finds that out.
    pub(super) fn check_deposed(&mut self) {
        let now = self.agenda.now();
        if self.stream.is_another() || !self.stream.answers(now) {
            self.truth.whole_again = now;
            return;
        }
        let (latest, whole) = (self.truth.watch.ledger.epoch, self.truth.whole_again);
        let claimed = self.truth.claimed.max(whole);
        let goes_on = self.nodes.iter().find(|one| {
            let Part::Leads(lead) = &one.part else { return false };
            let since = claimed.max(one.frozen).max(one.reached);
            lead.epoch < latest && !one.cut.log && now.saturating_sub(since) > DEPOSED_MAX
        });
        let goes_on = goes_on.map(|one| one.name);
        self.note(holds(Check::StaleEpoch, goes_on.is_none(), || {
            format!("engine {goes_on:?} goes on, and {latest} was claimed at {claimed:?}")
        }));
    }

    /// Who has read more than a log holds that went back ends.
    pub(super) fn check_knows_better(&mut self) {
        let now = self.agenda.now();
        if !self.stream.answers(now) {
            self.truth.answered = now;
        }
        let Some(since) = self.stream.another_since() else { return };
        let knows = self.nodes.iter().find(|one| {
            let is_there = matches!(one.part, Part::Follows(_) | Part::Leads(_));
            let since = since.max(one.frozen).max(one.reached).max(self.truth.answered);
            is_there && !one.cut.log && now.saturating_sub(since) > BETTER_MAX
        });
        let knows = knows.map(|one| one.name);
        self.note(holds(Check::LoudStop, knows.is_none(), || {
            format!("engine {knows:?} goes on over a log that went back at {since:?}")
        }));
    }

    /// Where the log answers and an engine hears, one leads soon.
    pub(super) fn check_leads(&mut self) {
        let now = self.agenda.now();
        let is_well = self.stream.answers(now) && !self.stream.is_full && !self.stream.is_another();
        let is_able = self.nodes.iter().any(|one| {
            let is_there = !matches!(one.part, Part::Down | Part::Ended);
            is_there && now >= one.frozen && !one.cut.log
        });
        let truth = &mut self.truth;
        if !is_well || !is_able {
            truth.well = now;
            return;
        }
        let epoch = truth.watch.ledger.epoch;
        let leads = self.nodes.iter().any(|one| match &one.part {
            Part::Leads(lead) => now >= one.frozen && lead.epoch == epoch && lead.engine.leads(),
            Part::Down | Part::Opens { .. } | Part::Follows(_) | Part::Ended => false,
        });
        if leads {
            truth.led = now;
        }
        let without = now.saturating_sub(truth.well.max(truth.led));
        if without > RECOVERY_MAX {
            let state = self.state().join("; ");
            self.note(Err((Check::Recovers, format!("nobody leads for {without:?}: {state}"))));
        }
    }
}

/// What the log has said of who leads may come so much later: a record that landed is asked for so
/// long where its answer was lost.
const WORD_MAX: Duration = Duration::from_secs(25);

/// Within so long who leads no more has found that out: an append of unknown fate, and questions
/// that are not answered.
const DEPOSED_MAX: Duration = Duration::from_secs(40);

/// Within so long who knows better has found out that its log went back: four looks, of which some
/// are not answered, or an append of unknown fate.
const BETTER_MAX: Duration = Duration::from_secs(35);

/// The longest that nobody may lead where the log answers: what an append of unknown fate is asked
/// for, then what an engine with another clock waits, and some for messages that are late.
const RECOVERY_MAX: Duration = Duration::from_secs(60);
