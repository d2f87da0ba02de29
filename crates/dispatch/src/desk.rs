//! The dispatch thread: takes messages, and sees attempts through.
//!
//! It lives as long as the dispatcher, spawns every process, and never blocks on one.
//!
//! Not here: heartbeats, which must not wait for it (`beat`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use push0_core::{AttemptId, FailureClass, Grant, Outcome, ToDispatcher};
use tokio::sync::{mpsc, watch};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::context::Context;
use crate::reins::{Cut, Reins, after};
use crate::rooms::Measuring;
use crate::serve::Warm;
use crate::{Now, attempt, orphans, rooms};

/// The dispatch thread's own state.
pub(crate) struct Desk {
    context: Arc<Context>,
    stop: watch::Receiver<Option<Duration>>,
    attempts: JoinSet<()>,
    /// Those that run, by the task that runs them.
    grants: HashMap<task::Id, Arc<Grant>>,
    cancels: BTreeMap<AttemptId, watch::Sender<Option<Cut>>>,
    measuring: Measuring,
    /// Whether programs have returned, or GPUs are free.
    looking: Option<task::JoinHandle<()>>,
    /// The ends of processes that run no attempt.
    ends: JoinSet<()>,
    /// What was written down last of what is done.
    told: Now,
    /// When it was told to end.
    stopped: Instant,
}

/// What the loop waits for.
enum Turn {
    Stop,
    Message(ToDispatcher),
    Ended(Result<(task::Id, ()), JoinError>),
    Tick,
    Look,
}

impl Desk {
    pub(crate) fn new(context: Arc<Context>, stop: watch::Receiver<Option<Duration>>) -> Self {
        Self {
            context,
            stop,
            attempts: JoinSet::new(),
            grants: HashMap::new(),
            cancels: BTreeMap::new(),
            measuring: Measuring::default(),
            looking: None,
            ends: JoinSet::new(),
            told: Now::default(),
            stopped: Instant::now(),
        }
    }

    /// Runs until the dispatcher is to end, and then until nothing is left.
    pub(crate) async fn run(mut self, mut to: mpsc::Receiver<ToDispatcher>) {
        let mut ticks = interval(self.context.config.heartbeat);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = interval(rooms::LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = self.stop.clone();
        loop {
            let turn = tokio::select! {
                biased;
                _ = stop.wait_for(Option::is_some) => Turn::Stop,
                Some(ended) = self.attempts.join_next_with_id() => Turn::Ended(ended),
                Some(message) = to.recv() => Turn::Message(message),
                _ = ticks.tick() => Turn::Tick,
                _ = looks.tick() => Turn::Look,
            };
            match turn {
                Turn::Stop => break,
                Turn::Message(message) => self.take(message),
                Turn::Ended(ended) => self.ended(ended),
                Turn::Tick => self.tend(),
                Turn::Look => self.look_at_rooms().await,
            }
        }
        self.shut_down(to).await;
    }

    fn take(&mut self, message: ToDispatcher) {
        match message {
            ToDispatcher::Grant(grant) => self.grant(*grant),
            ToDispatcher::Cancel(attempt) => {
                self.cut(attempt, Cut::Unwanted);
            }
            ToDispatcher::Verdict(attempt, _) => self.context.let_go(attempt),
        }
    }

    /// Ends an attempt before its time, for the first reason that is given.
    fn cut(&self, attempt: AttemptId, why: Cut) {
        if let Some(cancel) = self.cancels.get(&attempt) {
            cancel.send_if_modified(|cut| {
                let is_first = cut.is_none();
                *cut = cut.or(Some(why));
                is_first
            });
        }
    }

    fn grant(&mut self, grant: Grant) {
        if !self.context.board.take(&grant) {
            return;
        }
        if self.context.board.is_leaving() {
            let message = "its dispatcher is leaving".to_owned();
            return attempt::not_run(&self.context, &grant, message);
        }
        if !self.context.board.is_open() {
            let message = "no room: its disk is nearly full, or does not answer".to_owned();
            return attempt::not_run(&self.context, &grant, message);
        }
        let Some(program) = self.context.config.programs.get(&grant.program) else {
            let message = format!("there is no program {} here", grant.program);
            return attempt::not_run(&self.context, &grant, message);
        };
        let admission = match self.context.pool.admit(&grant.program, program) {
            Ok(admission) => admission,
            Err(busy) => return attempt::not_run(&self.context, &grant, busy.to_string()),
        };
        let (cancel, cancelled) = watch::channel(None);
        let deadline = after(grant.timeout);
        let reins = Reins { deadline, cancel: cancelled, stop: self.stop.clone() };
        let (context, program) = (Arc::clone(&self.context), program.clone());
        let grant = Arc::new(grant);
        let run = attempt::run(context, Arc::clone(&grant), program, admission, reins);
        self.cancels.insert(grant.attempt, cancel);
        let id = self.attempts.spawn(run).id();
        self.grants.insert(id, grant);
    }

    fn ended(&mut self, ended: Result<(task::Id, ()), JoinError>) {
        let (id, panic) = match ended {
            Ok((id, ())) => (id, None),
            Err(error) => (error.id(), Some(error)),
        };
        let Some(grant) = self.grants.remove(&id) else { return };
        self.cancels.remove(&grant.attempt);
        if let Some(panic) = panic {
            // What it held was freed as it unwound; its processes were killed.
            let message = format!("a bug in push0: {panic}");
            let outcome = Outcome::Failed { class: FailureClass::Failed, message };
            attempt::report(&self.context, &grant, outcome, Duration::ZERO);
        }
    }

    /// What is looked at from time to time.
    fn tend(&mut self) {
        let is_to_look = self.context.programs.has_gone() || self.context.devices.is_to_look();
        if is_to_look && self.looking.as_ref().is_none_or(|it| it.is_finished()) {
            let context = Arc::clone(&self.context);
            self.looking = Some(task::spawn_blocking(move || {
                context.offer_returned();
                context.look_for_gpus();
            }));
        }
        self.context.tell_now(&mut self.told);
        let broken = self.context.pool.take(|warm| !warm.is_sound());
        self.end_idle(broken);
        while self.ends.try_join_next().is_some() {}
        orphans::sweep(&self.context.lives);
        if self.context.lives.had_strays() {
            self.context.trouble("strays", STRAYS.to_owned());
        }
    }

    async fn look_at_rooms(&mut self) {
        self.context.rooms.tend(&self.context);
        if let Some((attempt, bytes)) = self.measuring.greediest(&self.context).await {
            self.cut(attempt, Cut::Greedy { bytes });
        }
    }

    fn end_idle(&mut self, warms: Vec<Warm>) {
        let (_, cancel) = watch::channel(None);
        let reins = Reins { deadline: after(Duration::MAX), cancel, stop: self.stop.clone() };
        for warm in warms {
            self.ends.spawn(warm.end(IDLE_GRACE, reins.clone()));
        }
    }

    /// The next attempt that ends; none any more once their grace is over, and more.
    async fn next_ended(&mut self) -> Option<Result<(task::Id, ()), JoinError>> {
        let mut stop = self.stop.clone();
        loop {
            // Said again, the shorter grace counts.
            let grace = stop.borrow_and_update().unwrap_or_default();
            let over = self.stopped.checked_add(grace.saturating_add(ENDINGS));
            let Some(over) = over else { return self.attempts.join_next_with_id().await };
            tokio::select! {
                biased;
                ended = self.attempts.join_next_with_id() => return ended,
                () = sleep_until(over) => return None,
                Ok(()) = stop.changed() => {}
            }
        }
    }

    /// Gives up the attempts that have not ended: some disk does not answer. Their processes are
    /// killed.
    fn abandon(&mut self) {
        self.attempts.abort_all();
        let grants = std::mem::take(&mut self.grants).into_values();
        // One that has reported already may still have been clearing up.
        for grant in grants.filter(|grant| self.context.board.runs(grant.attempt)) {
            let message = "its dispatcher was stopped, and its disk did not answer".to_owned();
            attempt::not_run(&self.context, &grant, message);
        }
    }

    /// Waits for the attempts, which feel the end by themselves, and ends what waits for one.
    async fn shut_down(mut self, mut to: mpsc::Receiver<ToDispatcher>) {
        let idle = self.context.pool.take(|_| true);
        self.end_idle(idle);
        self.stopped = Instant::now();
        while let Some(ended) = self.next_ended().await {
            self.ended(ended);
        }
        let idle = self.context.pool.take(|_| true);
        self.end_idle(idle);
        while let Ok(Some(_)) = timeout(ENDINGS, self.ends.join_next()).await {}
        self.abandon();
        while let Ok(message) = to.try_recv() {
            match message {
                ToDispatcher::Grant(grant) if self.context.board.take(&grant) => {
                    let message = "its dispatcher was stopped".to_owned();
                    attempt::not_run(&self.context, &grant, message);
                }
                ToDispatcher::Verdict(attempt, _) => self.context.let_go(attempt),
                ToDispatcher::Grant(_) | ToDispatcher::Cancel(_) => {}
            }
        }
        orphans::end_all(&self.context.lives).await;
    }
}

/// Said once a minute at most.
const STRAYS: &str = "a prover left processes behind that start each other faster than they can be ended: run push0 where \
    it may make cgroups, or give the program `wrap = [\"unshare\", \"--pid\", \"--fork\", \"--kill-child\", \"--\"]`";

/// How long after their grace attempts are waited for. Their processes are dead by then; what takes
/// longer is a disk.
const ENDINGS: Duration = Duration::from_secs(6);

/// From SIGTERM to SIGKILL for a process that waits for an attempt.
const IDLE_GRACE: Duration = Duration::from_secs(2);
