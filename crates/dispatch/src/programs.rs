//! Which programs can be run here at the moment.
//!
//! A program whose file is missing or is no program leaves the offer. It returns when its file (or its
//! verifier's) changes, or after a while, since what was wrong may be beside it.
//!
//! Not here: what the engine does about it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use push0_core::ProgramName;
use rustix::fs::{Access, access};

use crate::{Config, ProgramConfig};

/// The programs that are not offered.
#[derive(Debug, Default)]
pub(crate) struct Programs(Mutex<BTreeMap<ProgramName, Gone>>);

#[derive(Debug)]
struct Gone {
    since: Instant,
    files: Vec<Option<Stamp>>,
}

/// What changes when a file does.
#[derive(Debug, Eq, PartialEq)]
struct Stamp {
    inode: u64,
    size: u64,
    mode: u32,
    changed: (i64, i64),
}

impl Programs {
    /// Takes a program out of the offer; `false` if it was out already.
    pub(crate) fn take_out(&self, name: &ProgramName, program: &ProgramConfig) -> bool {
        let gone = Gone { since: Instant::now(), files: stamps(program) };
        self.lock().insert(name.clone(), gone).is_none()
    }

    /// The programs that can be offered again.
    pub(crate) fn returned(&self, config: &Config) -> Vec<ProgramName> {
        let mut gone = self.lock();
        if gone.is_empty() {
            return Vec::new();
        }
        let has_returned = |name: &ProgramName, gone: &mut Gone| {
            let Some(program) = config.programs.get(name) else { return false };
            let may_try = gone.since.elapsed() > TRY_AGAIN || gone.files != stamps(program);
            may_try && fault(config, program).is_none()
        };
        gone.extract_if(.., has_returned).map(|(name, _)| name).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProgramName, Gone>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a program cannot be run here, as far as can be seen without running it.
pub(crate) fn fault(config: &Config, program: &ProgramConfig) -> Option<String> {
    if program.memory_bytes > config.memory_bytes {
        let (needed, had) = (program.memory_bytes, config.memory_bytes);
        return Some(format!("it needs {needed} bytes of memory, this dispatcher has {had}"));
    }
    if program.gpus > config.gpus {
        let (needed, had) = (program.gpus, config.gpus);
        return Some(format!("it needs {needed} GPUs, this dispatcher has {had}"));
    }
    files(program).find_map(|path| match fs::metadata(path) {
        Err(error) => Some(format!("{path}: {error}")),
        Ok(metadata) if !metadata.is_file() => Some(format!("{path} is not a file")),
        Ok(_) => access(path, Access::EXEC_OK).err().map(|_| format!("{path} is not executable")),
    })
}

fn files(program: &ProgramConfig) -> impl Iterator<Item = &String> {
    program.argv.first().into_iter().chain(program.verifier.first())
}

fn stamps(program: &ProgramConfig) -> Vec<Option<Stamp>> {
    let stamp = |path: &String| {
        let metadata = fs::metadata(path).ok()?;
        Some(Stamp {
            inode: metadata.ino(),
            size: metadata.size(),
            mode: metadata.mode(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    };
    files(program).map(stamp).collect()
}

/// After so long a program is tried again though its file is the same: an interpreter that it names,
/// say, may be there by then.
const TRY_AGAIN: Duration = Duration::from_secs(30);
