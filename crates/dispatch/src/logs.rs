//! What attempts printed, kept for people: one bounded file for each, with a header that names its
//! task.
//!
//! ```text
//!   task 3f…
//!   attempt 17
//!   stage leaf, program chain, key 16525000
//!   ended proved after 1.3 s
//!
//!   …the end of its output
//! ```
//!
//! Not here: who shows them (`push0 logs`).

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};

use push0_core::{AttemptId, Grant};

use crate::bounded;
use crate::folder::{own, write_own};
use crate::tail::Output;

/// The kept output of one attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AttemptLog {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its task's id, in hex.
    pub task: String,
    /// The file, header and all.
    pub path: PathBuf,
}

/// The kept outputs of the attempts at a task in a dispatcher's directory, oldest first. `task` is
/// its id in hex, or the first digits of it.
///
/// # Errors
///
/// If the directory cannot be read; where there is none, nothing is kept.
pub fn attempt_logs(dir: &Path, task: &str) -> io::Result<Vec<AttemptLog>> {
    let folder = dir.join(FOLDER);
    let mut found = Vec::new();
    for attempt in kept(&folder)? {
        let path = folder.join(file_name(attempt));
        // It may have been made room of in the meantime.
        let Ok(file) = bounded::open(&path) else { continue };
        let mut line = String::new();
        if BufReader::new(file).read_line(&mut line).is_err() {
            continue;
        }
        if let Some(id) = line.trim_end().strip_prefix("task ")
            && id.starts_with(task)
        {
            found.push(AttemptLog { attempt, task: id.to_owned(), path });
        }
    }
    Ok(found)
}

/// Where a dispatcher in `dir` keeps the output of an attempt, if it does.
#[must_use]
pub fn attempt_log(dir: &Path, attempt: AttemptId) -> PathBuf {
    folder(dir).join(file_name(attempt))
}

/// Where a dispatcher writes them.
#[derive(Debug)]
pub(crate) struct Logs {
    folder: PathBuf,
    kept: Mutex<BTreeSet<AttemptId>>,
}

impl Logs {
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let folder = dir.join(FOLDER);
        own(&folder)?;
        let kept = Mutex::new(kept(&folder)?);
        Ok(Self { folder, kept })
    }

    /// Keeps the output of an attempt; the oldest makes room for it. Best effort: a full disk costs
    /// a log, not a proof.
    pub(crate) fn keep(&self, attempt: AttemptId, text: &str) {
        if write_own(&self.folder.join(file_name(attempt)), text).is_err() {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(attempt);
        if kept.len() > KEPT_MAX
            && let Some(oldest) = kept.pop_first()
        {
            let _ = fs::remove_file(self.folder.join(file_name(oldest)));
        }
    }
}

/// All that is kept of an attempt.
pub(crate) fn text(grant: &Grant, ended: &str, ran: Duration, output: &Output) -> String {
    let Grant { attempt, task, stage, program, key, .. } = grant;
    let ran = ran.as_secs_f64();
    let number = attempt.position();
    let mut text = format!(
        "task {task}\nattempt {number}\nstage {stage}, program {program}, key {key}\n\
         ended {ended} after {ran:.1} s\n\n"
    );
    if output.forgotten > 0 {
        text.push_str(&format!("[{} bytes before this are not kept]\n", output.forgotten));
    }
    text.push_str(&output.text);
    text
}

/// Where a dispatcher keeps them.
pub(crate) fn folder(dir: &Path) -> PathBuf {
    dir.join(FOLDER)
}

fn kept(folder: &Path) -> io::Result<BTreeSet<AttemptId>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries?,
    };
    let mut kept = BTreeSet::new();
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log")?.parse().ok());
        kept.extend(number.map(AttemptId));
    }
    Ok(kept)
}

pub(crate) fn file_name(attempt: AttemptId) -> String {
    format!("{}.log", attempt.0)
}

const FOLDER: &str = "logs";

/// More than any of them has: what is forgotten was made harmless, which may lengthen it. Unit:
/// bytes.
pub(crate) const BYTES_MAX: u64 = 1 << 20;

/// Logs that are kept; each has at most some 64 KiB.
const KEPT_MAX: usize = 4096;
