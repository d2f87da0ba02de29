//! The most memory that this process' descendants were seen to use at once.
//!
//! It is looked at again and again, so what is short may have used more than was seen.

use std::fs;

use rustix::process::{Pid, getpid};

#[derive(Debug, Default)]
pub(super) struct Footprint {
    most_bytes: u64,
}

impl Footprint {
    pub(super) fn look(&mut self) {
        let mut found = push0_dispatch::children(getpid());
        let mut next = 0;
        while let Some(pid) = found.get(next).copied()
            && found.len() < PROCESSES_MAX
        {
            found.extend(push0_dispatch::children(pid));
            next += 1;
        }
        self.most_bytes = self.most_bytes.max(found.into_iter().map(bytes).sum());
    }

    /// Unit: bytes.
    pub(super) const fn most_bytes(&self) -> u64 {
        self.most_bytes
    }
}

/// What only its end would free.
fn bytes(pid: Pid) -> u64 {
    let pid = pid.as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kib.unwrap_or_default()
    };
    (kib("RssAnon:") + kib("RssShmem:")) << 10
}

/// It may fork faster than one can look.
const PROCESSES_MAX: usize = 4096;
