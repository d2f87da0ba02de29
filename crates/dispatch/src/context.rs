//! What every attempt of a dispatcher works with: its configuration, store, seats, and ways to speak.
//!
//! Not here: any decision.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use push0_core::{AttemptId, FromDispatcher, ProgramName, Report};
use tokio::sync::mpsc;

use crate::board::Board;
use crate::held::Held;
use crate::lives::Lives;
use crate::logs::Logs;
use crate::pool::{Pool, Seat};
use crate::programs::Programs;
use crate::rooms::Rooms;
use crate::spares::Spares;
use crate::{Config, Notice, ProgramConfig, Retry};

/// What every attempt works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) retry: Retry,
    pub(crate) board: Arc<Board>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) programs: Programs,
    pub(crate) lives: Arc<Lives>,
    pub(crate) logs: Logs,
    pub(crate) rooms: Rooms,
    /// Where attempts and processes have their directories.
    pub(crate) work: PathBuf,
    pub(crate) spares: Spares,
    pub(crate) held: Held,
    pub(crate) from: mpsc::Sender<FromDispatcher>,
    pub(crate) notices: mpsc::Sender<Notice>,
    /// When an operator was last told of a program's verifier, or of the store.
    pub(crate) troubles: Mutex<BTreeMap<String, Instant>>,
}

impl Context {
    /// Lets go of a report: its fate is durable.
    pub(crate) fn let_go(&self, attempt: AttemptId) {
        self.board.let_go(attempt);
        self.held.forget(attempt);
    }

    /// Holds a report until there is a verdict, and sends it.
    pub(crate) fn report(&self, report: Report) {
        self.held.keep(&report);
        self.board.finish(report.clone());
        // A full channel is no loss: it goes again with the next beat.
        let _ = self.from.try_send(FromDispatcher::Report(report));
    }

    /// Stops offering a program, and says why, before the next beat is due.
    pub(crate) fn withdraw(&self, name: &ProgramName, message: &str) {
        self.take_out(name, message);
        self.beat_now();
    }

    /// Says how things stand before the next beat is due.
    pub(crate) fn beat_now(&self) {
        let (beat, _) = self.board.beat();
        let _ = self.from.try_send(FromDispatcher::Beat(beat));
    }

    /// Does not offer a program, and says why.
    pub(crate) fn take_out(&self, name: &ProgramName, message: &str) {
        let Some(program) = self.config.programs.get(name) else { return };
        if self.programs.take_out(name, program) {
            let message = message.to_owned();
            self.notify(Notice::ProgramGone { program: name.clone(), message });
        }
        self.board.offer(name, false);
    }

    /// Offers the programs again that can be run again.
    pub(crate) fn offer_returned(&self) {
        for program in self.programs.returned(&self.config) {
            self.board.offer(&program, true);
            self.notify(Notice::ProgramBack { program });
        }
    }

    /// Tells an operator, unless nobody reads.
    pub(crate) fn notify(&self, notice: Notice) {
        let _ = self.notices.try_send(notice);
    }

    /// Tells an operator what is in trouble, and how; of the same thing not again for a while.
    pub(crate) fn trouble(&self, what: &str, message: String) {
        let now = Instant::now();
        let mut told = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(what).is_none_or(|last| now.duration_since(*last) >= TROUBLE_PAUSE) {
            told.insert(what.to_owned(), now);
            self.notify(Notice::Trouble { message });
        }
    }

    /// What a program's processes find in their environment, whatever they are asked.
    pub(crate) fn environment(
        &self,
        program: &ProgramConfig,
        seat: Option<&Seat>,
        dir: &Path,
    ) -> Vec<(&'static str, Option<String>)> {
        let text = |path: PathBuf| Some(path.to_string_lossy().into_owned());
        let cache = env::var_os("PUSH0_CACHE").filter(|path| !path.is_empty()).map(PathBuf::from);
        let mut variables = vec![
            ("PUSH0_CACHE", text(cache.unwrap_or_else(|| self.config.dir.join("cache")))),
            // What a killed prover leaves in a shared directory for temporary files is never cleaned.
            ("TMPDIR", text(dir.to_owned())),
        ];
        let own =
            ["PUSH0_CONTRACT", "PUSH0_TASK", "PUSH0_STAGE", "PUSH0_ATTEMPT", "PUSH0_DEADLINE"];
        variables.extend(own.map(|name| (name, None)));
        if let Some(seat) = seat {
            variables.push(("CUDA_VISIBLE_DEVICES", Some(visible_devices(seat))));
        }
        if !program.is_mock {
            // With these a prover makes, and its verifier accepts, proofs of nothing.
            variables.push(("RISC0_DEV_MODE", None));
            if env::var("SP1_PROVER").is_ok_and(|prover| prover == "mock") {
                variables.push(("SP1_PROVER", None));
            }
        }
        if let Some(threads) = self.threads() {
            variables.push(("RAYON_NUM_THREADS", Some(threads.to_string())));
        }
        variables
    }

    /// Threads for each prover, where they would otherwise each take all cores: twice its share, so
    /// that cores are busy while others wait, yet no machine runs cores times slots threads.
    fn threads(&self) -> Option<usize> {
        let cores = available_parallelism().map_or(1, usize::from);
        let slots = usize::try_from(self.config.slots).unwrap_or(usize::MAX).max(1);
        let is_set = env::var_os("RAYON_NUM_THREADS").is_some();
        (!is_set && slots > 2).then(|| (2 * cores).div_ceil(slots).min(cores))
    }
}

/// The seat's GPUs by the names that this process knows them by.
fn visible_devices(seat: &Seat) -> String {
    let own = env::var("CUDA_VISIBLE_DEVICES").ok().filter(|devices| !devices.is_empty());
    let own: Option<Vec<String>> =
        own.map(|devices| devices.split(',').map(|device| device.trim().to_owned()).collect());
    let name = |gpu: &u32| match &own {
        Some(own) => own.get(*gpu as usize).cloned(),
        None => Some(gpu.to_string()),
    };
    seat.gpus().iter().filter_map(name).collect::<Vec<_>>().join(",")
}

/// From one notice of the same trouble to the next.
const TROUBLE_PAUSE: Duration = Duration::from_secs(60);
