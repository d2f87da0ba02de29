//! Who is set aside, and for what: dispatchers that fail what others prove, and programs that
//! nobody proves any more.
//!
//! Not here: who decides it (`push0_core`).

use push0_core::{DispatcherId, Fleet, ProgramName, Scheduler, Timestamp};
use serde::{Deserialize, Serialize};

use super::cluster::Cluster;
use super::layout::long;
use super::watch::Watch;
use crate::lines;
use crate::output::gist;

/// What is wrong with dispatchers and programs, as far as the log tells.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Trouble {
    /// Programs that nobody has proved anything of since several of its tasks failed. None of them
    /// parks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    programs: Vec<HeldProgram>,
    /// Dispatchers that get no more than a probe now and then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    set_aside: Vec<Aside>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct HeldProgram {
    program: String,
    since: String,
    #[serde(default)]
    seconds: u64,
    /// Whether all that offer it are set aside, as far as is known.
    held: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Aside {
    dispatcher: String,
    program: String,
    since: String,
    #[serde(default)]
    seconds: u64,
    /// When it may get a probe.
    until: String,
    /// In how long; nothing where that is past. Unit: seconds.
    #[serde(default)]
    until_seconds: u64,
    /// Whether a probe is out.
    #[serde(default)]
    probed: bool,
    failures: u32,
    message: String,
}

impl Trouble {
    pub(super) fn of(watch: &Watch<'_>) -> Self {
        let Watch { scheduler, fleet, now, .. } = *watch;
        let programs = scheduler.pipeline().programs.keys().filter_map(|program| {
            let since = scheduler.troubled_since(program)?;
            let held = is_held(scheduler, fleet, program);
            let (seconds, since) = (now.since(since).as_secs(), lines::time(since));
            Some(HeldProgram { program: program.to_string(), since, seconds, held })
        });
        // Of those that are gone for good nobody wants to hear.
        let is_here = |who: &DispatcherId| fleet.is_none_or(|fleet| fleet.life(who).is_some());
        let asides = scheduler.asides().filter(|(_, who, _)| is_here(who));
        let set_aside = asides.take(SHOWN_MAX).map(|(program, dispatcher, aside)| Aside {
            dispatcher: dispatcher.to_string(),
            program: program.to_string(),
            since: lines::time(aside.since),
            seconds: now.since(aside.since).as_secs(),
            until: lines::time(aside.until),
            until_seconds: seconds_to(now, aside.until),
            probed: scheduler.probes(aside),
            failures: aside.failures,
            message: gist(&aside.message),
        });
        Self { programs: programs.collect(), set_aside: set_aside.collect() }
    }

    /// Notes that so much time has passed since it was looked at. Unit: seconds.
    pub(super) fn grow_older(&mut self, by: u64) {
        let programs = self.programs.iter_mut().map(|held| &mut held.seconds);
        let asides = self.set_aside.iter_mut().map(|aside| {
            aside.until_seconds = aside.until_seconds.saturating_sub(by);
            &mut aside.seconds
        });
        programs.chain(asides).for_each(|age| *age = age.saturating_add(by));
    }

    /// Of those that do not answer nobody wants to hear, where no engine leads that has heard of
    /// them.
    pub(super) fn without_leader(&mut self, there: &Cluster) {
        self.set_aside.retain(|aside| there.has(&aside.dispatcher));
    }

    pub(super) const fn is_none(&self) -> bool {
        self.programs.is_empty() && self.set_aside.is_empty()
    }

    pub(super) fn shown(&self) -> Option<String> {
        let mut told = Vec::new();
        for HeldProgram { program, seconds, held, .. } in &self.programs {
            let long = long(*seconds);
            told.push(match held {
                true => format!(
                    "program {program} is held: for {long} no task of it was proved, and all its dispatchers are set \
                     aside. Its tasks wait, and none of them parks. The first proof opens it again"
                ),
                false => format!("program {program}: for {long} no task of it was proved"),
            });
        }
        if !self.set_aside.is_empty() {
            told.push(
                "set aside after several failures in a row; each is probed now and then:"
                    .to_owned(),
            );
        }
        for aside in &self.set_aside {
            let Aside { dispatcher, program, seconds, failures, message, .. } = aside;
            let (lasts, probe) = (long(*seconds), probe(aside.probed, aside.until_seconds));
            told.push(format!(
                "  {dispatcher} for {program}, for {lasts}: {failures} in a row, {probe}: {message}"
            ));
        }
        (!told.is_empty()).then(|| told.join("\n"))
    }
}

/// When who is set aside is given something to try: it has it, may have it, or may in so many
/// seconds.
pub(super) fn probe(is_out: bool, seconds: u64) -> String {
    match (is_out, seconds) {
        (true, _) => "a probe is out".to_owned(),
        (false, 0) => "a probe is due".to_owned(),
        (false, seconds) => format!("the next probe is in {}", long(seconds)),
    }
}

/// How long it is to a time, in seconds that have begun; 0 where it is past.
pub(super) fn seconds_to(now: Timestamp, at: Timestamp) -> u64 {
    u64::try_from(at.since(now).as_micros().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Whether all that offer a program are set aside for it; where nobody is known, all that are known
/// to the log.
pub(crate) fn is_held(scheduler: &Scheduler, fleet: Option<&Fleet>, program: &ProgramName) -> bool {
    let mut asides = scheduler.asides().filter(|(of, ..)| *of == program).map(|(_, who, _)| who);
    match fleet {
        Some(fleet) => {
            let asides: std::collections::BTreeSet<_> = asides.collect();
            let mut offer = fleet.offering(program).peekable();
            offer.peek().is_some() && offer.all(|who| asides.contains(who))
        }
        None => asides.next().is_some() && scheduler.troubled_since(program).is_some(),
    }
}

/// Dispatchers that are told; a message has an end.
const SHOWN_MAX: usize = 64;
