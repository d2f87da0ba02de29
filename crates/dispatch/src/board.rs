//! What a dispatcher has taken on, as its threads share it: attempts, reports, what it offers.
//!
//! ```text
//!           take             finish               verdict
//!   (new) ───────▶ running ─────────▶ held report ───────▶ gone, and never taken again
//! ```
//!
//! Every method takes one short lock, and none waits for anything else under it.
//!
//! Not here: what happens in an attempt (`attempt`), and who sends the beats (`beat`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use push0_core::{AttemptId, Beat, Capacity, DispatcherId, Grant, Key, ProgramName, Report};
use push0_core::{StageName, TaskId};

/// A look at what a dispatcher does, for a person. Clones share it.
#[derive(Clone, Debug)]
pub struct View(pub(crate) Arc<Board>);

impl View {
    /// The attempts that have not ended, oldest first.
    #[must_use]
    pub fn running(&self) -> Vec<Running> {
        self.0.running()
    }
}

/// An attempt that has not ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// Which.
    pub attempt: AttemptId,
    /// At which task.
    pub task: TaskId,
    /// Of which stage.
    pub stage: StageName,
    /// By which program.
    pub program: ProgramName,
    /// What is proved.
    pub key: Key,
    /// Since it was taken.
    pub elapsed: Duration,
    /// What is being done for it.
    pub doing: Doing,
    /// How far the prover says it is, from 0 to 1.
    pub fraction: Option<f64>,
}

/// Where an attempt is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Doing {
    /// Its input is written, and its prover started.
    Starting,
    /// The prover runs.
    Proving,
    /// The verifier runs.
    Verifying,
    /// The result waits for a verifier that gave no verdict, and is asked again.
    Unjudged,
    /// The result is stored.
    Storing,
    /// The result waits for a store that did not take it, and is asked again.
    Unstored,
    /// What it started is ended.
    Ending,
}

impl Doing {
    /// In a word: `verifying`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Proving => "proving",
            Self::Verifying => "verifying",
            Self::Unjudged => "waits for its verifier",
            Self::Storing => "storing",
            Self::Unstored => "waits for the store",
            Self::Ending => "ending",
        }
    }
}

/// What is shared.
#[derive(Debug)]
pub(crate) struct Board {
    dispatcher: DispatcherId,
    incarnation: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    capacity: Capacity,
    /// Whether anything new may be begun.
    is_open: bool,
    /// Whether its store answers.
    has_store: bool,
    /// Whether it is about to end: it takes nothing more.
    is_leaving: bool,
    running: BTreeMap<AttemptId, Entry>,
    held: BTreeMap<AttemptId, Report>,
    /// Taken once, and let go of.
    gone: BTreeSet<AttemptId>,
    /// What is not above it was taken once, for all that is remembered.
    gone_floor: AttemptId,
}

#[derive(Debug)]
struct Entry {
    task: TaskId,
    stage: StageName,
    program: ProgramName,
    key: Key,
    taken: Instant,
    doing: Doing,
    fraction: Option<f64>,
    /// Where what it makes is, at most its own directory and its process's.
    dirs: Vec<PathBuf>,
}

impl Board {
    /// Which life of the dispatcher this is.
    pub(crate) const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    pub(crate) fn new(dispatcher: DispatcherId, incarnation: u64, capacity: Capacity) -> Self {
        let state = State {
            capacity,
            is_open: true,
            has_store: true,
            is_leaving: false,
            running: BTreeMap::new(),
            held: BTreeMap::new(),
            gone: BTreeSet::new(),
            gone_floor: AttemptId(0),
        };
        Self { dispatcher, incarnation, state: Mutex::new(state) }
    }

    /// Takes an attempt on; `false` if it was taken before.
    pub(crate) fn take(&self, grant: &Grant) -> bool {
        let mut state = self.lock();
        let attempt = grant.attempt;
        if attempt <= state.gone_floor
            || state.gone.contains(&attempt)
            || state.held.contains_key(&attempt)
            || state.running.contains_key(&attempt)
        {
            return false;
        }
        let entry = Entry {
            task: grant.task,
            stage: grant.stage.clone(),
            program: grant.program.clone(),
            key: grant.key,
            taken: Instant::now(),
            doing: Doing::Starting,
            fraction: None,
            dirs: Vec::new(),
        };
        state.running.insert(attempt, entry);
        true
    }

    /// Says what is being done for an attempt.
    pub(crate) fn note(&self, attempt: AttemptId, doing: Doing) {
        if let Some(entry) = self.lock().running.get_mut(&attempt) {
            entry.doing = doing;
        }
    }

    /// Whether an attempt was taken on and has not ended.
    pub(crate) fn runs(&self, attempt: AttemptId) -> bool {
        self.lock().running.contains_key(&attempt)
    }

    /// Says where files of an attempt are.
    pub(crate) fn works_in(&self, attempt: AttemptId, dir: &Path) {
        if let Some(entry) = self.lock().running.get_mut(&attempt) {
            entry.dirs.push(dir.to_owned());
        }
    }

    /// Where the files of each attempt that runs are.
    pub(crate) fn dirs(&self) -> Vec<(AttemptId, Vec<PathBuf>)> {
        let running = &self.lock().running;
        running.iter().map(|(attempt, entry)| (*attempt, entry.dirs.clone())).collect()
    }

    /// Announces its slots, or none while nothing may be begun.
    pub(crate) fn open(&self, is_open: bool) {
        self.lock().is_open = is_open;
    }

    /// Announces its slots, or none while its store does not answer.
    pub(crate) fn has_store(&self, has_store: bool) {
        self.lock().has_store = has_store;
    }

    /// Announces no slots from here on.
    pub(crate) fn leave(&self) {
        self.lock().is_leaving = true;
    }

    /// Whether it takes nothing more.
    pub(crate) fn is_leaving(&self) -> bool {
        self.lock().is_leaving
    }

    /// How many attempts have not ended, and how many reports wait for a verdict.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        (state.running.len(), state.held.len())
    }

    /// Whether something may be begun.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().is_open
    }

    /// Says how far the prover is. Nonsense is ignored.
    pub(crate) fn progress(&self, attempt: AttemptId, fraction: f64) {
        if let Some(entry) = self.lock().running.get_mut(&attempt)
            && (0.0..=1.0).contains(&fraction)
        {
            entry.fraction = Some(fraction);
        }
    }

    /// Holds the report of an attempt that has ended.
    pub(crate) fn finish(&self, report: Report) {
        let mut state = self.lock();
        state.running.remove(&report.attempt);
        state.held.insert(report.attempt, report);
    }

    /// Lets go of an attempt's report. One that runs is not touched.
    pub(crate) fn let_go(&self, attempt: AttemptId) {
        let mut state = self.lock();
        if state.held.remove(&attempt).is_none() {
            return;
        }
        state.gone.insert(attempt);
        if state.gone.len() > GONE_MAX
            && let Some(oldest) = state.gone.pop_first()
        {
            // Attempts are positions in a log: one this old would have been granted long ago.
            state.gone_floor = oldest;
        }
    }

    /// Offers a program, or does not any more.
    pub(crate) fn offer(&self, program: &ProgramName, is_offered: bool) {
        let programs = &mut self.lock().capacity.programs;
        match is_offered {
            true => programs.insert(program.clone()),
            false => programs.remove(program),
        };
    }

    /// Offers so many GPUs more.
    pub(crate) fn add_gpus(&self, count: u32) {
        self.lock().capacity.gpus += count;
    }

    /// How many GPUs it offers.
    pub(crate) fn gpus(&self) -> u32 {
        self.lock().capacity.gpus
    }

    /// The whole truth of the moment.
    pub(crate) fn beat(&self) -> (Beat, Vec<Report>) {
        let state = self.lock();
        let mut capacity = state.capacity.clone();
        if !state.is_open || !state.has_store || state.is_leaving {
            capacity.slots = 0;
        }
        let beat = Beat {
            dispatcher: self.dispatcher.clone(),
            incarnation: self.incarnation,
            capacity,
            running: state.running.iter().map(|(attempt, entry)| (*attempt, entry.task)).collect(),
            held: state.held.iter().map(|(attempt, report)| (*attempt, report.task)).collect(),
            leaving: state.is_leaving,
        };
        (beat, state.held.values().cloned().collect())
    }

    /// The attempts that have ended, and whose report waits for a verdict.
    pub(crate) fn held(&self) -> Vec<AttemptId> {
        self.lock().held.keys().copied().collect()
    }

    pub(crate) fn running(&self) -> Vec<Running> {
        let now = Instant::now();
        let state = self.lock();
        let running = state.running.iter().map(|(attempt, entry)| Running {
            attempt: *attempt,
            task: entry.task,
            stage: entry.stage.clone(),
            program: entry.program.clone(),
            key: entry.key,
            elapsed: now.saturating_duration_since(entry.taken),
            doing: entry.doing,
            fraction: entry.fraction,
        });
        running.collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Attempts that are remembered one by one after they are let go of.
const GONE_MAX: usize = 65_536;
