//! A few blocks through each program of a pipeline, in order, to see whether each does what its
//! contract says.
//!
//! ```text
//!   blocks ──▶ scheduler ──grant──▶ dispatcher ──spawns──▶ prover, verifier
//!                  ▲ └──────report──────┘ │
//!                  └── the first report of each stage is looked at, and its verifier asked about changed proofs
//! ```
//!
//! Scheduler and dispatcher are those of a run, so what is seen here is what a run would see; there
//! is no log, and everything is in a directory that goes at the end.
//!
//! Not here: whether the file is right (`push0_pipeline`), and what a run does about a failure.

mod blocks;
mod course;
mod footprint;
mod look;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use push0_core::{PipelineSpec, ProgramName};
use push0_dispatch::{
    Config, Elsewhere, ProgramConfig, Retry, Started, Store, can_run_as, environment, unstartable,
};
use push0_pipeline::LoadedPipeline;

use self::course::Course;
use crate::finding::{Finding, Standing};
use crate::gpus::Gpus;
use crate::programs::{self, Programs};
use crate::tell::counted;
use crate::temporary::{self, Temporary};

/// What is tried, and how.
pub(crate) struct Trial<'a> {
    pub(crate) loaded: &'a LoadedPipeline,
    /// The pipeline's file, as it was named.
    pub(crate) file: &'a Path,
    /// Blocks for it; without them the source's, or made-up ones.
    pub(crate) blocks: Option<&'a Path>,
    /// How long each process may take.
    pub(crate) within: Duration,
    /// How often somebody wanted it to end.
    pub(crate) interrupts: Arc<AtomicU32>,
}

/// Who hears of what was found, as it is found.
pub(crate) type Teller<'a> = dyn FnMut(Finding) + 'a;

impl Trial<'_> {
    /// Tries all programs, up to the first that makes nothing. What the others need is not there
    /// then.
    pub(crate) fn run(&self, tell: &mut Teller<'_>) {
        let mut can_begin = true;
        for finding in startable(self.loaded) {
            can_begin &= finding.standing != Standing::Fail;
            tell(finding);
        }
        if can_begin && let Err(finding) = self.begin(tell) {
            tell(finding);
        }
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupts.load(Ordering::Relaxed) > 0
    }

    /// What a stage's or a program's table is called in the file.
    fn place(&self, key: &str) -> String {
        format!("{}, {key}", self.file.display())
    }

    fn begin(&self, tell: &mut Teller<'_>) -> Result<(), Finding> {
        let blocks = self.take_blocks(tell)?;
        let programs = programs::resolve(self.loaded).map_err(|missing| {
            Finding::fail(format!("program {}", missing.program), missing.to_string(), REPAIR)
        })?;
        let dir = scratch(&programs).map_err(|(path, error)| {
            let said = format!("{}: {error}", path.display());
            Finding::fail("directory", said, "make room, or name another in TMPDIR")
        })?;
        let tried = self.try_in(dir.path(), &programs, &blocks, tell);
        let (path, closed) = (dir.path().to_owned(), dir.close());
        if let Err(error) = closed {
            let said = format!("{}: {error}", path.display());
            tell(Finding::warn("directory", said, "remove it; it is of no use any more"));
        }
        tried
    }

    fn try_in(
        &self,
        dir: &Path,
        programs: &Programs,
        blocks: &[push0_source::SourceBlock],
        tell: &mut Teller<'_>,
    ) -> Result<(), Finding> {
        let store = Store::open(&dir.join("store"))
            .map_err(|error| Finding::fail("directory", error.to_string(), error.remedy()))?;
        let config = self.config(dir, programs, store.clone())?;
        let started = push0_dispatch::start_with(config, RETRY);
        let Started { dispatcher, to, from, notices } = started
            .map_err(|error| Finding::fail("dispatcher", error.to_string(), "see to that"))?;
        let mut course = Course::new(self, programs, store, (to, from, notices));
        let done = course.prepare(blocks).and_then(|()| course.run(tell));
        dispatcher.shutdown(STOP_GRACE);
        done
    }

    fn config(&self, dir: &Path, programs: &Programs, store: Store) -> Result<Config, Finding> {
        let pipeline = &self.loaded.pipeline;
        let wanted = Gpus::wanted(pipeline);
        let Gpus { count, warning, devices } = Gpus::find(None, wanted);
        if count < wanted {
            let said = warning.unwrap_or_else(|| format!("{} found here", counted(count, "GPU")));
            return Err(Finding::fail(
                "GPUs",
                said,
                "try it on a machine that has what it reserves",
            ));
        }
        let elsewhere = if wanted > 0 { devices.elsewhere() } else { Vec::new() };
        if elsewhere.len() + (wanted as usize) > count as usize {
            let said =
                elsewhere.iter().map(|Elsewhere { gpu, by }| format!("GPU {gpu}: {by} has it"));
            let said = said.collect::<Vec<_>>().join("; ");
            return Err(Finding::warn(
                "GPUs",
                format!("not tried: {said}"),
                "try it once they are free, or on another machine",
            ));
        }
        let mut configs = programs.configs();
        for config in configs.values_mut() {
            config.start = config.start.min(self.within);
            config.asking.timeout = config.asking.timeout.min(self.within);
        }
        let most = configs.values().map(|program| program.memory_bytes).max();
        Ok(Config {
            id: "trial".parse().expect("it is a name"),
            pipeline: pipeline.name.clone(),
            dir: dir.join("dispatch"),
            store,
            slots: 1,
            memory_bytes: most.unwrap_or_default(),
            gpus: devices,
            programs: configs,
            heartbeat: Config::HEARTBEAT,
            uses_cgroups: true,
            adopts_orphans: true,
            keeps_results: false,
        })
    }

    /// What the scheduler is told of the pipeline.
    fn spec(&self) -> PipelineSpec {
        self.loaded.spec.clone()
    }
}

/// For each program that a stage uses: whether the system could start it, and its verifier.
pub(crate) fn startable(loaded: &LoadedPipeline) -> Vec<Finding> {
    let is_used =
        |name: &ProgramName| loaded.pipeline.stages.iter().any(|stage| stage.program == *name);
    let programs = loaded.pipeline.programs.iter().filter(|(name, _)| is_used(name));
    let mut findings = Vec::new();
    for (name, program) in programs {
        let around = &program.surroundings;
        let about = format!("program {name}");
        if let Some(user) = &around.user
            && let Err(error) = can_run_as(user, None)
        {
            findings.push(Finding::fail(&about, error.to_string(), error.remedy()));
        }
        let env = environment(around);
        let verifier: &[String] = if program.is_mock { &[] } else { &program.verifier };
        let mut words = [&around.wrap, &program.command, verifier].map(<[String]>::first).to_vec();
        words.dedup();
        for word in words.into_iter().flatten() {
            findings.push(match programs::find(&loaded.dir, word) {
                Err((what, remedy)) => Finding::fail(&about, what, remedy),
                Ok(path) => match unstartable(&path, &env) {
                    Some(fault) => Finding::fail(&about, fault, REPAIR),
                    None => Finding::ok(&about, format!("{} can be started", path.display())),
                },
            });
        }
    }
    findings
}

/// A bound for a program that is tried: none of nothing, which none could keep, and none of years.
pub(crate) fn within(text: &str) -> Result<Duration, &'static str> {
    let parsed = humantime::parse_duration(text).ok();
    let fits = parsed.filter(|time| (WITHIN_MIN..=WITHIN_MAX).contains(time));
    fits.ok_or("a time from 1ms to 24h is needed")
}

/// A directory of this trial alone, which goes with it.
fn scratch(programs: &Programs) -> Result<Temporary, (PathBuf, io::Error)> {
    let within = std::env::temp_dir();
    temporary::sweep(&within, PREFIX);
    let made = Temporary::make(&within, PREFIX).map_err(|error| (within, error))?;
    // Another user, whom a program runs as, passes through.
    let has_user = |config: &ProgramConfig| config.surroundings.user.is_some();
    if programs.configs().values().any(has_user) {
        let passed = fs::set_permissions(made.path(), fs::Permissions::from_mode(0o711));
        passed.map_err(|error| (made.path().to_owned(), error))?;
    }
    Ok(made)
}

const REPAIR: &str = "repair it, or name another in `command`";

/// A trial asks a verifier once, and tells what it said: no pause before a second time is short
/// enough.
const RETRY: Retry = Retry {
    pause: Duration::from_secs(3_600),
    pause_max: Duration::from_secs(3_600),
    total: Duration::from_secs(2),
};

/// What the names of such directories begin with.
const PREFIX: &str = "push0-trial-";

const WITHIN_MIN: Duration = Duration::from_millis(1);
const WITHIN_MAX: Duration = Duration::from_secs(24 * 3600);

/// For provers that are kept warm, or stopped while they work.
const STOP_GRACE: Duration = Duration::from_secs(2);
