//! A sign of life: a file that a process touches while it works and its servers answer.
//!
//! Whatever looks after processes asks `push0 alive FILE`. What is frozen touches nothing, and
//! neither does what is cut off. Not here: when a process has reason to touch it (`cluster`).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use push0_core::Timestamp;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};

use crate::clock::Clock;
use crate::exit::Exit;
use crate::tell;

/// The sign of this process; of one that shows none, it does nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sign(Option<Arc<SignFile>>);

#[derive(Debug)]
struct SignFile {
    file: File,
    touched: Mutex<Option<Instant>>,
}

impl Sign {
    /// Makes the file, as one that was never touched.
    pub(crate) fn at(path: Option<&Path>) -> io::Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        futimens(&file, &at(Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        Ok(Self(Some(Arc::new(SignFile { file, touched: Mutex::default() }))))
    }

    /// Shows that this process lives; as often as one likes.
    pub(crate) fn touch(&self) {
        let Some(shown) = &self.0 else { return };
        let mut touched = shown.touched.lock().unwrap_or_else(PoisonError::into_inner);
        if touched.is_none_or(|touched| touched.elapsed() >= BETWEEN) {
            // Where it cannot be touched it shows what is so: that nobody can rely on it.
            let _ = futimens(&shown.file, &at(Timespec { tv_sec: 0, tv_nsec: UTIME_NOW }));
            *touched = Some(Instant::now());
        }
    }
}

const fn at(time: Timespec) -> Timestamps {
    Timestamps { last_access: time, last_modification: time }
}

/// Tells whether an engine or a dispatcher lives, by the file that its --alive names
///
/// An engine touches the file while the log answers, whether it leads or stands by; a dispatcher
/// while its heartbeat leaves for a server, whether there are engines or not. What is frozen, or
/// cut off, does not. A server that is gone without a word is found out in 15 s.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example:\n  push0 alive /run/push0/alive --within 10s\n\nExit: 0 it lives, 1 it does not."
)]
pub(crate) struct AliveArgs {
    /// The file
    pub(crate) file: PathBuf,
    /// How long ago it may have been touched
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) within: Duration,
}

/// Tells whether the file was touched lately.
pub(crate) fn alive(args: &AliveArgs) -> Exit {
    let shown = args.file.display();
    match age(&args.file) {
        Ok(Some(age)) if age <= args.within => Exit::Done,
        Ok(Some(age)) => {
            tell::info(format_args!("{shown}: not alive: touched {:.1} s ago", age.as_secs_f64()));
            Exit::Unproved
        }
        Ok(None) => {
            tell::info(format_args!("{shown}: not alive yet"));
            Exit::Unproved
        }
        Err(error) => {
            tell::error(format_args!("{error} ({shown}): name the file that --alive names"));
            Exit::Unproved
        }
    }
}

/// How far the file's time is from now, since either may be set back; nothing, if it was never
/// touched.
pub(crate) fn age(path: &Path) -> io::Result<Option<Duration>> {
    let found = fs::metadata(path)?;
    let seconds = u64::try_from(found.mtime()).unwrap_or_default();
    let micros = u64::try_from(found.mtime_nsec()).unwrap_or_default() / 1_000;
    let touched = seconds.saturating_mul(1_000_000) + micros;
    let now = Clock::start(Timestamp(0)).now();
    Ok((touched > 0).then(|| Duration::from_micros(now.0.abs_diff(touched))))
}

/// From one touch to the next at the least.
const BETWEEN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_alive_while_it_is_touched() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("alive");
        let exit = |within| alive(&AliveArgs { file: file.clone(), within });
        assert_eq!(exit(Duration::MAX), Exit::Unproved, "it is not there");
        let sign = Sign::at(Some(&file)).expect("it can be made");
        assert_eq!(exit(Duration::MAX), Exit::Unproved, "it was never touched");
        sign.touch();
        assert_eq!(exit(Duration::from_secs(3600)), Exit::Done);
        assert_eq!(exit(Duration::ZERO), Exit::Unproved, "that is longer ago");
        let later = Timespec { tv_sec: 1 << 40, tv_nsec: 0 };
        let opened = File::options().write(true).open(&file).expect("it is there");
        futimens(&opened, &at(later)).expect("it is ours");
        assert_eq!(exit(Duration::from_secs(3600)), Exit::Unproved, "the clock was set back");
        drop(Sign::at(Some(&file)).expect("it can be made"));
        assert_eq!(exit(Duration::MAX), Exit::Unproved, "another life has not begun");
    }
}
