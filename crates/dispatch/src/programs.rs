//! Which programs can be run here at the moment.
//!
//! A program whose file is missing or is no program leaves the offer. It returns when its file (or
//! its verifier's) changes, or after a while, since what was wrong may be beside it.
//!
//! Not here: what the engine does about it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use push0_core::ProgramName;

use crate::environment::environment;
use crate::startable::unstartable;
use crate::user::can_run_as;
use crate::{Config, ProgramConfig};

/// The programs that are not offered.
#[derive(Debug, Default)]
pub(crate) struct Programs(Mutex<BTreeMap<ProgramName, UnofferedProgram>>);

#[derive(Debug)]
struct UnofferedProgram {
    since: Instant,
    why: String,
    /// As they were then, where they could be looked at.
    files: Option<Stamps>,
}

/// What changes when a program's files do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stamps(Vec<Option<Stamp>>);

/// What changes when a file does.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Stamp {
    inode: u64,
    size: u64,
    mode: u32,
    changed: (i64, i64),
}

impl Programs {
    /// Takes a program out of the offer; `false` if it was out already.
    pub(crate) fn take_out(&self, name: &ProgramName, why: &str, files: Option<Stamps>) -> bool {
        let gone = UnofferedProgram { since: Instant::now(), why: why.to_owned(), files };
        self.lock().insert(name.clone(), gone).is_none()
    }

    /// Those that are out, and why.
    pub(crate) fn gone(&self) -> BTreeMap<String, String> {
        let short = |why: &str| why.chars().take(WHY_MAX).collect();
        self.lock().iter().map(|(name, gone)| (name.to_string(), short(&gone.why))).collect()
    }

    /// Whether one is out.
    pub(crate) fn has_gone(&self) -> bool {
        !self.lock().is_empty()
    }

    /// The programs that can be offered again. Looks at their files, which may take its time.
    pub(crate) fn returned(&self, config: &Config) -> Vec<ProgramName> {
        let gone: Vec<ProgramName> = self.lock().keys().cloned().collect();
        let has_returned = |name: &ProgramName| {
            let Some(program) = config.programs.get(name) else { return false };
            let now = Stamps::of(program);
            let may_try = self.lock().get(name).is_some_and(|gone| {
                let has_changed = gone.files.as_ref().is_some_and(|files| *files != now);
                gone.since.elapsed() > TRY_AGAIN || has_changed
            });
            may_try && fault(config, program).is_none()
        };
        let returned: Vec<_> = gone.into_iter().filter(has_returned).collect();
        self.lock().retain(|name, _| !returned.contains(name));
        returned
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProgramName, UnofferedProgram>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a program cannot be run here, as far as can be seen without running it.
pub(crate) fn fault(config: &Config, program: &ProgramConfig) -> Option<String> {
    if program.memory_bytes > config.memory_bytes {
        let (needed, had) = (program.memory_bytes, config.memory_bytes);
        return Some(format!(
            "it needs {} MiB of memory, this dispatcher has {}",
            needed.div_ceil(1 << 20),
            had >> 20
        ));
    }
    if program.gpus > config.gpus.count() {
        let (needed, had) = (program.gpus, config.gpus.count());
        return Some(format!("GPUs: it needs {needed}, this dispatcher has {had}"));
    }
    if let Some(user) = &program.surroundings.user
        && let Err(error) = can_run_as(user, Some(&config.dir))
    {
        return Some(format!("{error}: {}", error.remedy()));
    }
    let env = environment(&program.surroundings);
    files(program).find_map(|path| unstartable(&path, &env))
}

fn files(program: &ProgramConfig) -> impl Iterator<Item = PathBuf> {
    let words = [&program.argv, &program.verifier, &program.surroundings.wrap];
    words.into_iter().filter_map(|argv| argv.first()).map(PathBuf::from)
}

impl Stamps {
    /// Looks at a program's files.
    pub(crate) fn of(program: &ProgramConfig) -> Self {
        let stamp = |path: PathBuf| {
            let metadata = fs::metadata(path).ok()?;
            Some(Stamp {
                inode: metadata.ino(),
                size: metadata.size(),
                mode: metadata.mode(),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            })
        };
        Self(files(program).map(stamp).collect())
    }
}

/// Enough of a reason to act on it. Unit: characters.
const WHY_MAX: usize = 300;

/// After so long a program is tried again though its file is the same: an interpreter that it
/// names, say, may be there by then.
const TRY_AGAIN: Duration = Duration::from_secs(30);
