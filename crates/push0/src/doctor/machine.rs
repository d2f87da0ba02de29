//! Cores, memory, control groups, orphans, GPUs, and the clock.

use std::thread;

use push0_core::{Pipeline, ProgramName};
use push0_dispatch::{Config, Elsewhere, MemoryLimit, Store};

use super::bounded;
use crate::clock::wall;
use crate::finding::Finding;
use crate::gpus::Gpus;
use crate::run::MachineArgs;
use crate::temporary::{self, Temporary};

pub(super) fn look(pipeline: Option<&Pipeline>) -> Vec<Finding> {
    let mut findings = vec![cores(), memory(pipeline)];
    findings.extend(processes());
    findings.push(gpus(pipeline));
    findings
}

fn cores() -> Finding {
    match thread::available_parallelism() {
        Ok(cores) => {
            Finding::ok("cores", format!("{cores}: as many attempts run at once (--slots)"))
        }
        Err(error) => {
            Finding::warn("cores", error.to_string(), "say how many attempts may run (--slots)")
        }
    }
}

fn memory(pipeline: Option<&Pipeline>) -> Finding {
    const ABOUT: &str = "memory";
    let none = MachineArgs { slots: None, memory: None, gpus: None };
    let bytes = match none.memory_bytes() {
        Ok(bytes) => bytes,
        Err(error) => {
            return Finding::warn(
                ABOUT,
                error.to_string(),
                "say how much provers may use (--memory)",
            );
        }
    };
    let of = match push0_dispatch::memory_limit_bytes() {
        Some(limit) if limit <= bytes => "the limit of the control group around this process",
        Some(_) | None => "all of this machine",
    };
    let said = format!("{} MiB for provers ({of})", bytes >> 20);
    let programs = pipeline.into_iter().flat_map(|pipeline| &pipeline.programs);
    match programs.max_by_key(|(_, program)| program.memory_bytes) {
        Some((name, program)) if program.memory_bytes > bytes => Finding::fail(
            ABOUT,
            format!("{said}; program {name} reserves {} MiB", program.memory_bytes >> 20),
            "lower its `memory`, or take a machine that has more",
        ),
        Some(_) | None => Finding::ok(ABOUT, said),
    }
}

/// A dispatcher without programs, which says what it found.
fn processes() -> Vec<Finding> {
    const ABOUT: &str = "processes";
    let found = bounded(ABOUT, super::STORE_MAX, || {
        let within = std::env::temp_dir();
        temporary::sweep(&within, PREFIX);
        let dir = Temporary::make(&within, PREFIX);
        let dir = dir.map_err(|error| (error.to_string(), "make room, or name another TMPDIR"))?;
        let store = Store::open(&dir.path().join("store"));
        let store = store.map_err(|error| (error.to_string(), error.remedy()))?;
        let config = Config {
            id: "doctor".parse().expect("it is a name"),
            pipeline: "doctor".parse().expect("it is a name"),
            dir: dir.path().join("dispatch"),
            store,
            slots: 1,
            memory_bytes: 0,
            gpus: push0_dispatch::Gpus::default(),
            programs: std::iter::empty::<(ProgramName, _)>().collect(),
            heartbeat: Config::HEARTBEAT,
            uses_cgroups: true,
            adopts_orphans: true,
            keeps_results: false,
        };
        let started = push0_dispatch::start(config);
        let started = started.map_err(|error| (error.to_string(), "see to that"))?;
        let limit = started.dispatcher.about().memory_limit.clone();
        started.dispatcher.shutdown(std::time::Duration::ZERO);
        Ok::<_, (String, &'static str)>(limit)
    });
    match found {
        Err(finding) => vec![finding],
        Ok(Err((said, remedy))) => vec![Finding::fail(ABOUT, said, remedy)],
        Ok(Ok(limit)) => vec![
            Finding::ok(ABOUT, "what a prover leaves behind is adopted, and ended with it"),
            groups(&limit),
        ],
    }
}

fn groups(limit: &MemoryLimit) -> Finding {
    const ABOUT: &str = "control groups";
    let kept = "the kernel keeps each prover to its `memory`, and ends all that it starts";
    match limit {
        MemoryLimit::Cgroup { version, .. } => {
            Finding::ok(ABOUT, format!("version {version}, delegated: {kept}"))
        }
        MemoryLimit::Watched { why } => watched(ABOUT, why),
        other => watched(ABOUT, &other.to_string()),
    }
}

fn watched(about: &str, why: &str) -> Finding {
    Finding::warn(
        about,
        format!(
            "none delegated ({why}): push0 looks at provers' memory four times a second, and searches for what they leave \
             behind; after a kill -9 of push0 a chain of forks may live on"
        ),
        "run push0 where it may make some: a systemd unit with Delegate=yes (systemd-run --user --scope -p Delegate=yes \
         push0 …), or a container with a writable /sys/fs/cgroup",
    )
}

fn gpus(pipeline: Option<&Pipeline>) -> Finding {
    const ABOUT: &str = "GPUs";
    let wanted = pipeline.map(Gpus::wanted).unwrap_or_default();
    let Gpus { count, warning, devices } = Gpus::find(None, wanted);
    let elsewhere = devices.elsewhere();
    let had = elsewhere.iter().map(|Elsewhere { gpu, by }| format!("; GPU {gpu}: {by} has it"));
    let had = had.collect::<String>();
    let reserved = pipeline.map(|_| format!("; {wanted} reserved by a program"));
    let reserved = reserved.unwrap_or_default();
    let said = format!("{count} (CUDA_VISIBLE_DEVICES, else /dev/nvidia*){reserved}{had}");
    let free = (count as usize).saturating_sub(elsewhere.len());
    match warning {
        _ if count < wanted => Finding::fail(
            ABOUT,
            said,
            "say how many there are (--gpus of run and dispatch), or lower its `gpus`",
        ),
        _ if free < wanted as usize => Finding::warn(
            ABOUT,
            said,
            "a dispatcher that starts now waits for them: drain the other, or share them out by CUDA_VISIBLE_DEVICES",
        ),
        Some(warning) => Finding::warn(ABOUT, warning + &had, "see to it that both say the same"),
        None => Finding::ok(ABOUT, said),
    }
}

/// Engines whose clocks are apart take longer to take over.
pub(super) fn clock() -> Finding {
    const ABOUT: &str = "clock";
    let now = wall();
    if now.0 < BUILT_AFTER_MICROS {
        let said = "it shows a year before push0 was written";
        return Finding::fail(ABOUT, said, "set it: times in the log, and certificates, go by it");
    }
    match push0_dispatch::clock_is_synchronized() {
        Some(true) => Finding::ok(ABOUT, "kept by a time service"),
        Some(false) => Finding::warn(
            ABOUT,
            "the kernel reports no time sync",
            "run chrony or systemd-timesyncd where an engine runs; a clock 5 s off delays a takeover",
        ),
        None => Finding::warn(
            ABOUT,
            "the kernel does not say whether it is synced",
            "compare it with the other machines' (date -u); a clock 5 s off delays a takeover",
        ),
    }
}

/// What the names of its directories begin with.
const PREFIX: &str = "push0-doctor-";

/// The beginning of 2025. Unit: microseconds since 1970.
const BUILT_AFTER_MICROS: u64 = 1_735_689_600_000_000;
