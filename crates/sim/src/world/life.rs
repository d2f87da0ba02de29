//! The engine's life: it starts, takes turns, and dies.

use std::time::Duration;

use push0_core::{Epoch, Input, Limits, Scheduler, Timestamp, Turn};
use push0_log::{AppendError, FileLog, LogId, OpenError, Settings};

use super::World;
use super::crew::HEARTBEAT;
use crate::agenda::Happening;
use crate::broken::Broken;
use crate::check::{Check, Found};
use crate::clock::Clock;
use crate::disk::Mishap;
use crate::engine::{Asker, Ended, Engine, Outgoing, Request};
use crate::fault::Fault;

impl World {
    pub(super) fn engine_starts(&mut self) {
        if self.engine.is_some() {
            return;
        }
        self.life += 1;
        (self.frozen, self.look) = (Duration::ZERO, None);
        self.plan_mishap();
        let mut history = Vec::new();
        let opened =
            FileLog::open_on(self.disk.clone(), settings(&self.scenario.limits), &mut |turn| {
                history.push(turn);
            });
        self.disk.forget_plan();
        let (log, report) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.not_opened(&error),
        };
        if let Some(damage) = self.damage.take() {
            let what = format!("{} was damaged at {}, and opened", damage.name, damage.offset);
            self.watch.note(Err((Check::DamageRefused, what)));
        }
        let mut scheduler = Scheduler::new(self.scenario.limits);
        for turn in &history {
            if let Err(error) = scheduler.replay_turn(turn) {
                return self.watch.note(Err((Check::Legal, error.to_string())));
            }
        }
        let ending = &report.ending;
        self.say(|| format!("engine starts, {} turns, {ending:?}", history.len()));
        self.take_over(scheduler, log, &history);
    }

    fn take_over(
        &mut self,
        scheduler: Scheduler,
        log: FileLog<crate::disk::SimDisk>,
        history: &[Turn],
    ) {
        self.watch.opened(history, &scheduler);
        self.watch.forget_fleet();
        let now = self.agenda.now();
        if self.faults.strikes(now, Fault::ClockStep) {
            let step = self.faults.chance(Fault::ClockStep).below(2 * STEP_MAX_US);
            self.wall_step = i64::try_from(step).unwrap_or_default() - STEP_MAX_US.cast_signed();
        }
        let true_wall = Timestamp(WALL_START) + now;
        let wall = Timestamp(true_wall.0.saturating_add_signed(self.wall_step));
        let anchor = match self.broken {
            Some(Broken::ClockGoesBack) => wall,
            _ => wall.max(scheduler.now()),
        };
        let clock = Clock::start(anchor, now, self.rate);
        let leases: Vec<_> = scheduler.attempts().map(|attempt| attempt.id).collect();
        let epoch = Epoch(scheduler.epoch().0 + 1);
        let mut inputs = vec![Input::Claim(epoch)];
        if self.scenario.is_one_process {
            // Provers die with their process.
            let message = "the engine was started again".to_owned();
            let withdraw =
                |attempt| Input::Withdraw { attempt, message: message.clone(), cause: None };
            inputs.extend(leases.into_iter().map(withdraw));
        }
        inputs.push(Input::Configure(Box::new(self.spec.clone())));
        let mut engine =
            Engine::new(scheduler, log, clock, !self.scenario.is_one_process, self.broken);
        engine.ask(Request::Ask(Asker::Start, inputs));
        self.engine = Some(engine);
        self.look_by(now);
        self.source.begin();
        self.source_goes_on();
        self.reader.begin();
        let life = self.life;
        self.agenda.after(FIRST_LOOK, Happening::ReaderLooks { life });
        if self.scenario.is_one_process {
            for who in 0..self.crew.len() {
                self.agenda.after(FIRST_LOOK, Happening::DispatcherStarts { who });
            }
        }
    }

    fn not_opened(&mut self, error: &OpenError) {
        self.say(|| format!("the log is not opened: {error}"));
        match (error, self.damage.take()) {
            (OpenError::Unreadable(_), Some(damage)) => self.disk.restore(&damage),
            (OpenError::Unreadable(_) | OpenError::Busy { .. }, _) => {
                self.watch
                    .note(Err((Check::Acknowledged, format!("it cannot be opened: {error}"))));
            }
            (_, damage) => self.damage = damage,
        }
        let is_stopped = self.disk.has_stopped();
        self.lose_process(is_stopped && self.life.is_multiple_of(2));
        self.agenda.after(RETRY, Happening::EngineStarts);
    }

    /// Has the engine look at `at`, unless it does before.
    pub(super) fn look_by(&mut self, at: Duration) {
        if self.look.is_none_or(|look| at < look) {
            self.look = Some(at);
            self.agenda.at(at, Happening::EngineLooks { life: self.life });
        }
    }

    pub(super) fn engine_looks(&mut self) {
        let now = self.agenda.now();
        if self.look != Some(now) {
            return;
        }
        self.look = None;
        let Some(engine) = &mut self.engine else { return };
        if engine.waits() {
            return; // it looks again when the append is over
        }
        if now < self.frozen {
            let frozen = self.frozen;
            return self.look_by(frozen);
        }
        match engine.due(now) {
            Some(due) if due <= now => {}
            Some(due) => return self.look_by(due),
            None => return,
        }
        let outgoing = match engine.turn(now, &mut self.watch) {
            Ok(outgoing) => outgoing,
            Err(ended) => return self.ended(&ended),
        };
        let is_first = !engine.is_appending() && engine.has_more();
        self.deliver(outgoing);
        if is_first {
            self.record();
        }
        self.look_again();
    }

    /// An engine that can decide meets each deadline within two beats.
    pub(super) fn check_lateness(&mut self) {
        let now = self.agenda.now();
        let is_able = |engine: &&Engine| now >= self.frozen && engine.may_decide(now);
        let Some(engine) = self.engine.as_ref().filter(is_able) else {
            self.unable = now;
            return;
        };
        let due = self.watch.next_due().map(|at| engine.when(at));
        let late = due.map(|due| now.saturating_sub(due.max(self.unable)));
        if let Some(late) = late.filter(|late| *late > 2 * HEARTBEAT) {
            self.watch.late(late);
        }
    }

    /// Has an engine that decides ahead look when it next has something to do.
    fn look_again(&mut self) {
        let now = self.agenda.now();
        let engine = self.engine.as_ref().filter(|engine| !engine.waits());
        if let Some(due) = engine.and_then(|engine| engine.due(now)) {
            self.look_by(due.max(now));
        }
    }

    /// Appends what was decided.
    pub(super) fn record(&mut self) {
        self.plan_mishap();
        let Some(engine) = &mut self.engine else { return };
        let recorded = engine.record(self.agenda.now(), &mut self.watch);
        self.disk.forget_plan();
        let life = self.life;
        match recorded {
            // Its process went with the power.
            Ok(false) if self.disk.has_stopped() => self.crash(true, "its disk is gone"),
            // What it took is durable after a while, though there was no room for the rest.
            Ok(is_all) if is_all || engine.is_appending() => {
                let now = self.agenda.now();
                // A disk's, or that of several servers.
                let most = if self.scenario.is_one_process { 500 } else { 8_000 };
                let mut sync = Duration::from_micros(self.chance.within(50, most));
                if self.faults.strikes(now, Fault::SlowSync) {
                    sync = self.long_or_short(Fault::SlowSync, 8_000);
                    self.say(|| format!("a sync takes {sync:?}"));
                    if self.scenario.is_one_process {
                        self.deaf_until(sync);
                    }
                }
                self.agenda.after(sync, Happening::EngineSends { life });
            }
            Ok(_) => self.look_again(), // it is tried again when the engine says
            Err(ended) => self.ended(&ended),
        }
    }

    pub(super) fn engine_sends(&mut self) {
        let now = self.agenda.now();
        if now < self.frozen {
            let life = self.life;
            return self.agenda.at(self.frozen, Happening::EngineSends { life });
        }
        let Some(engine) = &mut self.engine else { return };
        let mut outgoing = engine.finish(now, &mut self.watch);
        let is_cut = !outgoing.is_empty() && self.faults.strikes(now, Fault::HalfSent);
        if is_cut {
            let kept = self.faults.chance(Fault::HalfSent).below(outgoing.len() as u64);
            outgoing.truncate(usize::try_from(kept).unwrap_or_default());
        }
        self.deliver(outgoing);
        if is_cut {
            return self.crash(false, "half of what a turn let go was sent");
        }
        if self.engine.as_ref().is_some_and(Engine::has_more) {
            self.record();
        }
        self.look_by(now);
    }

    fn deliver(&mut self, outgoing: Vec<Outgoing>) {
        for one in outgoing {
            if self.engine.is_none() {
                return;
            }
            match one {
                Outgoing::Message(to, message) => self.send_down(&to, message),
                Outgoing::Answer(asker, answer) => self.answered(asker, answer),
                Outgoing::Added(taken) => self.source_added(taken),
                Outgoing::Probed(epoch, last) => self.watch.probed(epoch, last),
                Outgoing::AskSource(block) => self.source_is_asked(block),
            }
        }
    }

    fn answered(&mut self, asker: Asker, answer: crate::engine::Answer) {
        self.say(|| format!("{asker:?} is answered {answer:?}"));
        match asker {
            Asker::Start => {
                let refused = answer.map_err(|error| found(&format!("it cannot begin: {error}")));
                self.watch.note(refused);
                let life = self.life;
                self.agenda.after(FIRST_LOOK, Happening::SourceGoes { life });
            }
            Asker::Source => self.source_answered(answer),
            Asker::Reader => self.reader_answered(answer),
            Asker::Aside | Asker::Operator => {}
        }
    }

    fn ended(&mut self, ended: &Ended) {
        let what = match ended {
            Ended::Bug(error) => error.to_string(),
            Ended::Append(AppendError::Poisoned(error)) => {
                let is_power = self.disk.has_stopped() && self.chance.flip();
                return self.crash(is_power, &format!("its log: {error}"));
            }
            Ended::Append(error) => error.to_string(),
        };
        self.watch.note(Err(found(&what)));
    }

    /// The engine's process is gone, and starts again after a while.
    pub(super) fn crash(&mut self, is_power: bool, why: &str) {
        if self.engine.take().is_none() {
            return;
        }
        self.watch.runs(false);
        self.say(|| format!("engine dies, power lost {is_power}: {why}"));
        self.lose_process(is_power);
        let wait = self.chance.millis(20, 4_000);
        self.agenda.after(wait, Happening::EngineStarts);
    }

    fn lose_process(&mut self, is_power: bool) {
        match is_power {
            true => self.disk.power_loss(),
            false => self.disk.kill(),
        }
        self.life += 1;
        if self.scenario.is_one_process {
            (0..self.crew.len()).for_each(|who| self.dispatcher_dies(who));
        }
    }

    fn plan_mishap(&mut self) {
        let now = self.agenda.now();
        if self.faults.strikes(now, Fault::TornWrite) {
            let after = self.faults.chance(Fault::TornWrite).below(7);
            self.disk.plan(after, Mishap::Stops);
        } else if self.faults.strikes(now, Fault::SyncFailed) {
            let after = self.faults.chance(Fault::SyncFailed).below(5);
            self.disk.plan(after, Mishap::Fails);
        }
    }

    /// A time that is either far below what counts as a gap in an engine's hearing, or far above.
    pub(super) fn long_or_short(&mut self, fault: Fault, most: u64) -> Duration {
        let chance = self.faults.chance(fault);
        if chance.flip() { chance.millis(50, 1_200) } else { chance.millis(4_500, most) }
    }

    /// The engine hears nothing for so long.
    pub(super) fn deaf_until(&mut self, wait: Duration) {
        if wait > DEAF {
            let until = self.agenda.now() + wait;
            self.watch.hears_from(until);
        }
    }
}

fn found(what: &str) -> Found {
    (Check::Legal, what.to_owned())
}

/// A segment takes about a hundred turns: it holds four records of the largest, and as much as is
/// around them.
const fn settings(limits: &Limits) -> Settings {
    let segment_bytes = 4 * (limits.record_bytes_max + 256);
    Settings { segment_bytes, fills_ahead: false, id: Some(LogId([7; 16])) }
}

/// When a world begins. Unit: microseconds since 1970.
const WALL_START: u64 = 1_000_000_000_000_000;

/// The wall clock is off by less. Unit: microseconds.
const STEP_MAX_US: u64 = 3_600_000_000;

/// Between two tries to open a log.
const RETRY: Duration = Duration::from_millis(500);

/// From the engine's start to that of what lives with it.
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(5);

/// What is below it is no gap to an engine, whose clock may be fast or slow.
const DEAF: Duration = Duration::from_secs(2);
