//! The dispatcher of a run on one machine, as it is known from its directory: what it has, and what
//! it does.
//!
//! Not here: the dispatchers of a cluster, which answer for themselves (`cluster`).

use std::path::Path;
use std::time::Duration;

use push0_core::{Beat, Capacity, Fleet, Scheduler, Timestamp};
use push0_dispatch::{About, MemoryLimit, Now};

use super::cluster::elsewhere_words;
use super::layout::size;
use crate::tell::counted;

/// What it said of itself.
pub(crate) struct Local {
    pub(crate) about: About,
    pub(crate) now: Now,
}

impl Local {
    pub(crate) fn read(dispatch: &Path) -> Option<Self> {
        let about = About::read(dispatch)?;
        let now = Now::read(dispatch);
        let now = now.unwrap_or_else(|| Now { gpus: about.gpus, ..Now::default() });
        Some(Self { about, now })
    }

    /// A fleet of it alone, which has been heard for long enough to be believed.
    pub(crate) fn fleet(&self, scheduler: &Scheduler, at: Timestamp) -> Option<Fleet> {
        let About { dispatcher, slots, memory_bytes, .. } = &self.about;
        let dispatcher = dispatcher.parse().ok()?;
        let is_offered = |program: &str| !self.now.cannot.contains_key(program);
        let programs = scheduler.pipeline().programs.keys();
        let programs = programs.filter(|program| is_offered(program.as_str())).cloned().collect();
        let (slots, memory_bytes, gpus) = (*slots, *memory_bytes, self.now.gpus);
        let running = scheduler.attempts_of(&dispatcher);
        let beat = Beat {
            running: running.map(|attempt| (attempt.id, attempt.task)).collect(),
            dispatcher,
            incarnation: 1,
            capacity: Capacity { programs, slots, memory_bytes, gpus },
            held: std::collections::BTreeMap::new(),
            leaving: false,
        };
        let mut fleet = Fleet::new(SILENCE);
        for before in (0..HEARD_FOR).rev() {
            let at = Timestamp(at.0.saturating_sub(before * 1_000_000));
            fleet.look(at);
            fleet.beat(at, &beat, scheduler);
        }
        Some(fleet)
    }
}

/// What a run's dispatcher has, for a person.
pub(super) fn shown(about: &About, now: Option<&Now>) -> String {
    let About { dispatcher, slots, memory_bytes, memory_limit, .. } = about;
    let gpus = now.map_or(about.gpus, |now| now.gpus);
    let gpus = if gpus > 0 { format!(", {}", counted(gpus, "GPU")) } else { String::new() };
    let memory = size(*memory_bytes);
    let kept = if let MemoryLimit::Cgroup { version, .. } = memory_limit {
        format!("kept by the kernel (cgroups {version})") // its path is long, and in --json
    } else {
        memory_limit.to_string()
    };
    let mut lines = vec![
        format!("dispatcher {dispatcher}: {}, {memory} of memory{gpus}", counted(slots, "slot")),
        format!("memory of provers: {kept}"),
    ];
    lines.extend(now.into_iter().flat_map(|now| elsewhere_words(dispatcher, &now.gpus_elsewhere)));
    lines.join("\n")
}

/// As a run's engine has it.
const SILENCE: Duration = Duration::from_secs(10);

/// Beats after which all that any machine has is believed.
const HEARD_FOR: u64 = 64;
