//! The processes of a world, found by a variable of push0's, and by where its
//! programs work.
//!
//! Not by parent: a prover whose push0 was killed has another one.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The variable.
pub(crate) const MARK: &str = "PUSH0_TEST_WORLD";

/// A process of a world.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    /// Its argv, for people.
    pub(crate) words: String,
}

impl Process {
    /// Ends it as nothing can hinder. It may have ended by itself.
    pub(crate) fn kill(&self) {
        let _ = kill_process(self.pid, Signal::KILL);
    }

    /// As the kernel writes it: a session that is led from outside of a container is 0 there,
    /// which `getsid` cannot give as a `Pid`.
    pub(crate) fn leads_a_session(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        fields.split(' ').nth(3) == Some(self.pid.to_string().as_str())
    }

    pub(crate) fn is_prover(&self) -> bool {
        self.words.contains("push0-prover-")
    }
}

/// Those that live.
pub(crate) fn of(world: &Path) -> Vec<Process> {
    let mark = format!("{MARK}={}", world.display());
    let works = format!("TMPDIR={}/", world.display());
    let entries = fs::read_dir("/proc").expect("a /proc").filter_map(Result::ok);
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let found = numbers.filter_map(|number: i32| {
        // A process that has ended has no environment, even before anybody has waited for it.
        let environ = fs::read(format!("/proc/{number}/environ")).ok()?;
        // What push0 starts does not inherit the mark, and works in the world.
        let is_of_world =
            |entry: &[u8]| entry == mark.as_bytes() || entry.starts_with(works.as_bytes());
        environ.split(|byte| *byte == 0).find(|entry| is_of_world(entry))?;
        let words = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        Some(Process { pid: Pid::from_raw(number)?, words })
    });
    found.collect()
}

/// Waits until those that live are as wanted; nothing tells of the processes of others.
///
/// # Errors
///
/// Those that live after [`PATIENCE`].
pub(crate) fn wait(world: &Path, wanted: impl Fn(&[Process]) -> bool) -> Result<(), Vec<Process>> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let found = of(world);
        if wanted(&found) {
            return Ok(());
        }
        if Instant::now() > give_up {
            return Err(found);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// A run begins with some syncs, and a killed prover has memory to give back; the rest is the
/// machine's load. Less than the minute after which the stubborn end by themselves.
const PATIENCE: Duration = Duration::from_secs(40);
