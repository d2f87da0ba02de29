//! Why something waits: one true reason, and what a person is told of it. Every reason is rendered here.
//!
//! Not here: what waits (`head`).

use std::fmt;
use std::time::Duration;

use push0_core::{
    DispatcherId, Fleet, InputId, Offer, Program, ProgramName, Scheduler, Task, TaskId, TaskState,
    Timestamp,
};
use serde::{Deserialize, Serialize};

use super::named;
use super::trouble::is_held;
use crate::cli::gist;
use crate::lines::{self, word};

/// What a task waits for, or what is done for it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(super) enum Reason {
    /// Somebody is to look at it.
    Parked { class: String, message: String },
    /// Attempts at it run.
    Proving { attempts: Vec<Proving> },
    /// What it reads is made again.
    Input,
    /// Nobody that is there offers its program.
    NotOffered { program: String },
    /// All that offer its program are set aside.
    SetAside { program: String },
    /// All that offer its program are cordoned, or leave.
    Closed { program: String },
    /// Nobody that offers its program is large enough; what the nearest lacks.
    TooSmall { program: String, nearest: String, lacks: String },
    /// All that could take it have something to do.
    Busy { program: String, dispatchers: usize },
    /// It came to nothing, and is tried again later.
    Later { at: String, failures: u32 },
    /// It is granted in the next turn.
    Next,
    /// Nobody grants anything.
    NoEngine,
    /// It has its proof.
    Proved,
}

/// An attempt that runs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Proving {
    attempt: String,
    dispatcher: String,
    since: String,
    /// For how long; absent where only the log is known, which says nothing while it runs. Unit: seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    /// How long its dispatcher has said nothing, where that is longer than it should. Unit: seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silent: Option<u64>,
}

impl Reason {
    /// Why a task stands where it does; of who is there nothing is known where no engine leads.
    pub(super) fn of(
        scheduler: &Scheduler,
        fleet: Option<&Fleet>,
        now: Timestamp,
        (id, task): (TaskId, &Task),
    ) -> Self {
        let program = &scheduler.pipeline().stage(task.stage).program;
        match &task.state {
            TaskState::Parked => {
                let why = task.parked.as_ref();
                let (class, message) = why
                    .map_or((String::new(), String::new()), |(class, it)| (word(class), gist(it)));
                Self::Parked { class, message }
            }
            TaskState::Leased { .. } => Self::Proving {
                attempts: scheduler
                    .attempts_at(id)
                    .map(|attempt| Proving {
                        attempt: named(attempt.id),
                        dispatcher: attempt.dispatcher.to_string(),
                        since: lines::time(attempt.since),
                        seconds: fleet.map(|_| now.since(attempt.since).as_secs()),
                        silent: fleet.and_then(|fleet| silent(fleet, &attempt.dispatcher)),
                    })
                    .collect(),
            },
            TaskState::Ready { .. } if !has_inputs(scheduler, task) => Self::Input,
            TaskState::Ready { at } if *at > now => {
                Self::Later { at: lines::time(*at), failures: task.tally.total() }
            }
            TaskState::Ready { .. } => match fleet {
                Some(fleet) => Self::of_fleet(scheduler, fleet, program),
                None if is_held(scheduler, None, program) => {
                    Self::SetAside { program: program.to_string() }
                }
                None => Self::Next,
            },
            TaskState::Accepted => Self::Proved,
        }
    }

    /// Why nobody has it, though it may be tried.
    fn of_fleet(scheduler: &Scheduler, fleet: &Fleet, name: &ProgramName) -> Self {
        let program = name.to_string();
        if !fleet.programs().contains(name) {
            return Self::NotOffered { program };
        }
        if is_held(scheduler, Some(fleet), name) {
            return Self::SetAside { program };
        }
        let offers = fleet.offers(scheduler); // those that are cordoned are not among them
        let offers: Vec<_> = offers
            .iter()
            .filter(|offer| offer.whole.slots > 0 && offer.whole.programs.contains(name))
            .collect();
        let Some(needs) = scheduler.pipeline().programs.get(name) else {
            return Self::NotOffered { program };
        };
        let lacking = |offer: &&Offer| lacks(offer, needs);
        let able = offers.iter().filter(|offer| lacking(offer).is_none()).count();
        if offers.is_empty() {
            return Self::Closed { program };
        }
        if able == 0 {
            let nearest = offers.iter().min_by_key(|offer| {
                let whole = &offer.whole;
                (needs.gpus.saturating_sub(whole.gpus), u64::MAX - whole.memory_bytes)
            });
            let of = |offer: &&Offer| (offer.dispatcher.to_string(), lacking(offer));
            let (nearest, lacks) = nearest.map(of).unwrap_or_default();
            return Self::TooSmall { program, nearest, lacks: lacks.unwrap_or_default() };
        }
        let fits = |offer: &&&Offer| {
            offer.free.slots > 0
                && offer.free.memory_bytes >= needs.memory_bytes
                && offer.free.gpus >= needs.gpus
        };
        match offers.iter().any(|offer| fits(&offer)) {
            true => Self::Next,
            false => Self::Busy { program, dispatchers: able },
        }
    }

    /// The same where no engine runs: nothing is granted then. What dispatchers of a cluster have goes on.
    pub(super) fn without_engine(self, has_dispatchers: bool) -> Self {
        match self {
            Self::Proving { .. } if has_dispatchers => self,
            Self::Proving { .. } | Self::Later { .. } | Self::Busy { .. } | Self::Next => {
                Self::NoEngine
            }
            Self::Parked { .. }
            | Self::Input
            | Self::NotOffered { .. }
            | Self::SetAside { .. }
            | Self::Closed { .. }
            | Self::TooSmall { .. }
            | Self::NoEngine
            | Self::Proved => self,
        }
    }
}

/// What an idle dispatcher has less than a program needs.
fn lacks(offer: &Offer, needs: &Program) -> Option<String> {
    let whole = &offer.whole;
    let memory = needs.memory_bytes > whole.memory_bytes;
    let memory = memory.then(|| {
        format!(
            "{} MiB of memory of {}",
            whole.memory_bytes >> 20,
            needs.memory_bytes.div_ceil(1 << 20)
        )
    });
    let gpus = needs.gpus > whole.gpus;
    let gpus = gpus.then(|| format!("{} GPUs of {}", whole.gpus, needs.gpus));
    let all: Vec<_> = memory.into_iter().chain(gpus).collect();
    (!all.is_empty()).then_some(all.join(", "))
}

/// How long a dispatcher has said nothing, where it is more than three beats.
fn silent(fleet: &Fleet, dispatcher: &DispatcherId) -> Option<u64> {
    let silence = fleet.silence(dispatcher)?;
    (silence >= SILENCE_MIN).then_some(silence.as_secs())
}

fn has_inputs(scheduler: &Scheduler, task: &Task) -> bool {
    task.inputs.iter().all(|input| match input {
        InputId::Block(hash) => {
            scheduler.chain().block(hash).is_some_and(|block| !block.payload_lost)
        }
        InputId::Task(maker) | InputId::Part(maker, _) => {
            scheduler.task(maker).is_some_and(|maker| !maker.is_open())
        }
    })
}

impl fmt::Display for Reason {
    /// After what waits: `prove 7 …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parked { class, message } => write!(f, "is parked: {class}: {message}"),
            Self::Proving { attempts } => {
                f.write_str("is being proved: ")?;
                for (index, attempt) in attempts.iter().enumerate() {
                    write!(f, "{}{attempt}", if index > 0 { "; " } else { "" })?;
                }
                Ok(())
            }
            Self::Input => f.write_str("waits for an input that is made again"),
            Self::NotOffered { program } => {
                write!(f, "waits: no dispatcher runs its program, {program}")
            }
            Self::SetAside { program } => {
                write!(f, "waits: all dispatchers of its program, {program}, are set aside")
            }
            Self::Closed { program } => write!(
                f,
                "waits: all dispatchers of its program, {program}, are cordoned, leave, or have no room for new work"
            ),
            Self::TooSmall { program, nearest, lacks } => write!(
                f,
                "waits: no dispatcher is large enough for its program, {program}; {nearest} comes nearest, with {lacks}"
            ),
            Self::Busy { program, dispatchers } => {
                let all = match dispatchers {
                    1 => "the one dispatcher that could run".to_owned(),
                    count => format!("all {count} dispatchers that could run"),
                };
                write!(f, "waits: {all} its program, {program}, have something to do")
            }
            Self::Later { at, failures: 0 } => write!(f, "is tried again at {at}"),
            Self::Later { at, failures } => {
                let plural = if *failures == 1 { "failure" } else { "failures" };
                write!(f, "is tried again at {at}, after {failures} {plural}")
            }
            Self::Next => f.write_str("waits for its turn, and is tried next"),
            Self::NoEngine => f.write_str("waits for an engine: none runs"),
            Self::Proved => f.write_str("is proved"),
        }
    }
}

impl fmt::Display for Proving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempt, dispatcher, since, seconds, silent } = self;
        write!(f, "{attempt} on {dispatcher}, ")?;
        match seconds.map(|seconds| humantime::format_duration(Duration::from_secs(seconds))) {
            Some(long) => write!(f, "for {long} (since {since})")?,
            None => write!(f, "since {since}")?,
        }
        match silent {
            Some(seconds) => write!(f, ", and {dispatcher} has said nothing for {seconds} s"),
            None => Ok(()),
        }
    }
}

/// Three beats.
const SILENCE_MIN: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use push0_core::{
        Beat, Block, BlockHash, Capacity, Digest, Epoch, Height, Input, Limits, PipelineSpec,
        ProgramSpec, StageSpec,
    };

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    /// One block, one stage, and dispatchers with so many slots, so much memory, so many GPUs.
    struct Place {
        scheduler: Scheduler,
        fleet: Fleet,
    }

    impl Place {
        fn new(dispatchers: &[(&str, &str, u32, u64, u32)]) -> Self {
            let mut spec =
                PipelineSpec { push0: Some(1), name: "day".into(), ..PipelineSpec::default() };
            (spec.source.kind, spec.source.chain) = ("submit".into(), Some(1));
            let program = ProgramSpec {
                command: vec!["prover".into()],
                contract: Some("serve".into()),
                memory: Some(8 << 30),
                gpus: 1,
                ..ProgramSpec::default()
            };
            spec.programs = BTreeMap::from([("prover".into(), program)]);
            let stage = StageSpec {
                inputs: vec!["blocks".into()],
                program: Some("prover".into()),
                ..StageSpec::default()
            };
            spec.stages = BTreeMap::from([("prove".into(), stage)]);
            spec.release.inputs = vec!["prove".into()];
            let silence = Duration::from_secs(10);
            let (scheduler, fleet) = (Scheduler::new(Limits::default()), Fleet::new(silence));
            let mut place = Self { scheduler, fleet };
            place.ask(&Input::Claim(Epoch(1)));
            place.ask(&Input::Configure(Box::new(spec)));
            let block = Block {
                number: Height(7),
                hash: BlockHash([7; 32]),
                parent: BlockHash([6; 32]),
                payload: Digest([7; 32]),
                bytes: 1,
                fields: BTreeMap::new(),
            };
            place.ask(&Input::Submit(Box::new(block)));
            place.ask(&Input::Wake);
            place.fleet.look(NOW);
            for (name, program, slots, memory_bytes, gpus) in dispatchers {
                let programs = std::iter::once(program.parse().expect("a name")).collect();
                let capacity =
                    Capacity { programs, slots: *slots, memory_bytes: *memory_bytes, gpus: *gpus };
                let beat = Beat {
                    dispatcher: name.parse().expect("a name"),
                    incarnation: 1,
                    capacity,
                    running: BTreeMap::new(),
                    held: BTreeMap::new(),
                    leaving: false,
                };
                place.fleet.beat(NOW, &beat, &place.scheduler);
            }
            place
        }

        fn ask(&mut self, input: &Input) {
            let events = self.scheduler.decide(NOW, input).expect("it is legal");
            self.scheduler.apply_all(NOW, &events).expect("it was decided");
        }

        fn reason(&self) -> Reason {
            let (id, task) = self.scheduler.tasks().next().expect("it is open");
            Reason::of(&self.scheduler, Some(&self.fleet), NOW, (*id, task))
        }

        fn words(&self) -> String {
            self.reason().to_string()
        }
    }

    const WELL: (&str, &str, u32, u64, u32) = ("well", "prover", 1, 16 << 30, 1);

    #[test]
    fn each_cause_has_its_own_words() {
        let words = |dispatchers: &[_]| Place::new(dispatchers).words();
        assert_eq!(words(&[]), "waits: no dispatcher runs its program, prover");
        assert_eq!(words(&[("a", "other", 1, 1, 0)]), words(&[]));
        assert_eq!(
            words(&[("a", "prover", 1, 4 << 30, 1), ("b", "prover", 1, 6 << 30, 1)]),
            "waits: no dispatcher is large enough for its program, prover; b comes nearest, with 6144 MiB of memory of 8192"
        );
        assert_eq!(
            words(&[("a", "prover", 1, 16 << 30, 0)]),
            "waits: no dispatcher is large enough for its program, prover; a comes nearest, with 0 GPUs of 1"
        );
        assert!(
            words(&[("a", "prover", 0, 16 << 30, 1)]).contains("cordoned, leave, or have no room")
        );
        assert_eq!(Place::new(&[WELL]).reason(), Reason::Next);
    }

    #[test]
    fn who_is_cordoned_is_of_no_use_and_is_not_called_busy() {
        let mut place = Place::new(&[WELL]);
        let (by, why) = (String::new(), String::new());
        let dispatcher = "well".parse().expect("a name");
        place.ask(&Input::Cordon { dispatcher, by, why });
        assert_eq!(place.reason(), Reason::Closed { program: "prover".to_owned() });
    }

    #[test]
    fn what_runs_is_told_with_its_dispatchers_silence_and_not_at_all_without_an_engine() {
        let mut place = Place::new(&[WELL]);
        let offers = place.fleet.offers(&place.scheduler);
        place.ask(&Input::Assign(offers));
        assert!(place.words().contains("on well, for 0s"), "{}", place.words());
        assert!(!place.words().contains("said nothing"), "{}", place.words());
        for second in 1..=6 {
            place.fleet.look(Timestamp(NOW.0 + second * 1_000_000));
        }
        assert!(place.words().contains("well has said nothing for 6 s"), "{}", place.words());
        assert_eq!(place.reason().without_engine(false), Reason::NoEngine);
        assert_eq!(place.reason().without_engine(true), place.reason());
    }
}
