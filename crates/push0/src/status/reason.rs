//! Why something waits: one true reason, and what a person is told of it. Every reason is rendered
//! here.
//!
//! Not here: how a reason is found (`watch`), what dispatchers say to it (`answers`), and what
//! waits (`held`).

mod answers;
mod remedy;
mod wait;

use std::collections::BTreeMap;
use std::fmt;

use push0_core::Program;
use serde::{Deserialize, Serialize};

pub(super) use self::wait::Wait;
use super::layout::{long, size};
use super::runs::Run;
use super::trouble::probe;
use crate::tell::counted;

/// What a task waits for, or what is done for it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(super) enum Reason {
    /// Somebody is to look at it.
    Parked { class: String, message: String },
    /// Attempts at it run.
    Proving { attempts: Vec<Run> },
    /// Attempts at it are with dispatchers that say nothing: nobody knows whether they run.
    Silent { attempts: Vec<Run> },
    /// It has a proof; a verifier is to say whether it is one.
    Unjudged { attempts: Vec<Run> },
    /// Attempts at it have ended; their dispatchers keep what came of them, which no engine has
    /// taken yet.
    Kept { attempts: Vec<Run> },
    /// What it reads is made again.
    Input,
    /// Nobody that is there offers its program; who has it and cannot run it, and why.
    NotOffered {
        program: String,
        #[serde(default)]
        needs: Needs,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        cannot: Vec<String>,
    },
    /// All that offer its program are set aside; when the next probe may be.
    SetAside {
        program: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
        /// Whether a probe is out.
        #[serde(default, skip_serializing_if = "is_false")]
        probed: bool,
    },
    /// All that offer its program take nothing new: so many are cordoned, and the others leave or
    /// have no room.
    Closed {
        program: String,
        #[serde(default)]
        dispatchers: usize,
        #[serde(default)]
        cordoned: usize,
        /// One of those that are cordoned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        who: Option<String>,
    },
    /// Nobody that offers its program is large enough; what the nearest lacks.
    TooSmall { program: String, nearest: String, lacks: String },
    /// All that could take it say nothing; for how long the last of them has not. Unit: seconds.
    Mute { program: String, dispatchers: usize, silent: u64, silent_max: u64 },
    /// All that could take it have something to do, but for those that are set aside, or silent.
    Busy {
        program: String,
        dispatchers: usize,
        #[serde(default, skip_serializing_if = "is_none")]
        aside: usize,
        #[serde(default, skip_serializing_if = "is_none")]
        silent: usize,
        /// The first of those that have something to do, by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        who: Vec<String>,
    },
    /// It came to nothing, and is tried again later: in so many seconds, after attempts that ended
    /// so.
    Later {
        at: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
        failures: u32,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        after: BTreeMap<String, u32>,
    },
    /// It is granted in the next turn.
    Next,
    /// Nobody grants anything.
    NoEngine,
    /// It has its proof.
    Proved,
    /// It is about blocks that the chain has left.
    Superseded,
}

/// What a program reserves.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Needs {
    memory_bytes: u64,
    gpus: u32,
}

impl Needs {
    pub(super) const fn of(program: &Program) -> Self {
        Self { memory_bytes: program.memory_bytes, gpus: program.gpus }
    }
}

impl Reason {
    /// Of the attempts at a task.
    pub(super) fn of_runs(attempts: Vec<Run>) -> Self {
        if attempts.iter().all(Run::is_silent) {
            Self::Silent { attempts }
        } else if attempts.iter().all(|run| run.has_ended() || run.is_silent()) {
            Self::Kept { attempts }
        } else if attempts.iter().all(Run::waits_for_verifier) {
            Self::Unjudged { attempts }
        } else {
            Self::Proving { attempts }
        }
    }

    /// The same where no engine runs: nothing is granted then. What dispatchers of a cluster have
    /// goes on.
    pub(super) fn without_engine(self, has_dispatchers: bool) -> Self {
        match self {
            Self::Proving { .. }
            | Self::Silent { .. }
            | Self::Unjudged { .. }
            | Self::Kept { .. }
                if has_dispatchers =>
            {
                self
            }
            Self::Proving { .. }
            | Self::Silent { .. }
            | Self::Unjudged { .. }
            | Self::Kept { .. }
            | Self::Later { .. }
            | Self::Busy { .. }
            | Self::NotOffered { .. }
            | Self::Closed { .. }
            | Self::TooSmall { .. }
            | Self::Mute { .. }
            | Self::Next => Self::NoEngine,
            Self::Parked { .. }
            | Self::Input
            | Self::SetAside { .. }
            | Self::NoEngine
            | Self::Proved
            | Self::Superseded => self,
        }
    }

    /// Whether nobody could take a task of its program, however long it waited.
    pub(super) const fn is_hindrance(&self) -> bool {
        match self {
            Self::NotOffered { .. }
            | Self::SetAside { .. }
            | Self::Closed { .. }
            | Self::TooSmall { .. }
            | Self::Mute { .. } => true,
            Self::Parked { .. }
            | Self::Proving { .. }
            | Self::Silent { .. }
            | Self::Unjudged { .. }
            | Self::Kept { .. }
            | Self::Input
            | Self::Busy { .. }
            | Self::Later { .. }
            | Self::Next
            | Self::NoEngine
            | Self::Proved
            | Self::Superseded => false,
        }
    }

    /// Whether several tasks of a stage may have the same: they share a line then.
    pub(super) const fn is_shared(&self) -> bool {
        match self {
            Self::Parked { .. }
            | Self::NotOffered { .. }
            | Self::SetAside { .. }
            | Self::Closed { .. }
            | Self::TooSmall { .. }
            | Self::Mute { .. }
            | Self::Busy { .. }
            | Self::Next
            | Self::NoEngine => true,
            Self::Proving { .. }
            | Self::Silent { .. }
            | Self::Unjudged { .. }
            | Self::Kept { .. }
            | Self::Input
            | Self::Later { .. }
            | Self::Proved
            | Self::Superseded => false,
        }
    }

    /// How ill it is: of several tasks of a block the worst is told.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Parked { .. } => 0,
            Self::NoEngine => 1,
            Self::NotOffered { .. } => 2,
            Self::TooSmall { .. } => 3,
            Self::SetAside { .. } => 4,
            Self::Closed { .. } => 5,
            Self::Mute { .. } => 6,
            Self::Input => 7,
            Self::Silent { .. } => 8,
            Self::Unjudged { .. } => 9,
            Self::Kept { .. } => 10,
            Self::Later { .. } => 11,
            Self::Busy { .. } => 12,
            Self::Proving { .. } => 13,
            Self::Next => 14,
            Self::Proved => 15,
            Self::Superseded => 16,
        }
    }

    /// In words, of what could be tried for so long.
    pub(super) fn words(&self, waited: Option<u64>) -> String {
        let waits = match waited.filter(|seconds| *seconds > 0) {
            Some(seconds) => format!("waits for {}", long(seconds)),
            None => "waits".to_owned(),
        };
        match self {
            Self::Parked { class, message } => format!("is parked: {class}: {message}"),
            Self::Proving { attempts } => format!("is being proved: {}", listed(attempts)),
            Self::Silent { attempts } => format!("was given to {}", listed(attempts)),
            Self::Unjudged { attempts } => {
                format!("has a proof that waits for its verifier: {}", listed(attempts))
            }
            Self::Kept { attempts } => format!(
                "has ended, and waits for an engine to take its result: {}",
                listed(attempts)
            ),
            Self::Input => "waits for an input that is made again".to_owned(),
            Self::NotOffered { program, needs, cannot } => {
                let cannot = cannot.iter().map(|words| format!("; {words}")).collect::<String>();
                format!("{waits}: no dispatcher runs {program}{needs}{cannot}")
            }
            Self::SetAside { program, seconds, probed, .. } => {
                let probe = probe(*probed, seconds.unwrap_or_default());
                format!("{waits}: all dispatchers that run {program} are set aside; {probe}")
            }
            Self::Closed { program, dispatchers, cordoned, who } if cordoned == dispatchers => {
                let (each, who) = (each(*dispatchers), named(who.as_deref()));
                format!("{waits}: {each} that runs {program} is cordoned: push0 uncordon {who}")
            }
            Self::Closed { program, cordoned: 0, .. } => format!(
                "{waits}: each dispatcher that runs {program} leaves or has no room for new work"
            ),
            Self::Closed { program, cordoned, who, .. } => format!(
                "{waits}: of the dispatchers that run {program}, {cordoned} must not take it (push0 uncordon {}), and each \
                 other leaves or has no room for new work",
                named(who.as_deref())
            ),
            Self::TooSmall { program, nearest, lacks } => format!(
                "{waits}: no dispatcher is large enough for {program}; {nearest} comes nearest, with {lacks}"
            ),
            Self::Mute { program, dispatchers: 1, silent, silent_max } => format!(
                "{waits}: the only dispatcher that can run {program} has said nothing for {silent} s of {silent_max}"
            ),
            Self::Mute { program, dispatchers, silent, silent_max } => format!(
                "{waits}: all {dispatchers} dispatchers that can run {program} have said nothing for {silent} s of \
                 {silent_max}"
            ),
            Self::Busy { program, dispatchers, aside: 0, silent: 0, .. } => {
                format!("{waits}: {} that can run {program} is busy", each(*dispatchers))
            }
            Self::Busy { program, dispatchers, aside, silent, .. } => {
                let counts = [(dispatchers, "busy"), (aside, "set aside"), (silent, "silent")];
                let counts = counts.iter().filter(|(count, _)| **count > 0);
                let counts = counts.map(|(count, how)| format!("{count} {how}"));
                let counts = counts.collect::<Vec<_>>().join(", ");
                format!("{waits}: no dispatcher that can run {program} is free ({counts})")
            }
            Self::Later { at, seconds, failures, after } => {
                let when =
                    seconds.map_or_else(|| format!("at {at}"), |it| format!("in {}", long(it)));
                format!("is tried again {when}, {}", ended(*failures, after))
            }
            Self::Next => format!("{waits} for its turn, and is tried next"),
            Self::NoEngine => "waits for an engine: none leads".to_owned(),
            Self::Proved => "is proved".to_owned(),
            Self::Superseded => {
                "is about blocks that the chain has left: nothing waits for it".to_owned()
            }
        }
    }
}

/// All of so many dispatchers, one by one.
fn each(dispatchers: usize) -> String {
    match dispatchers {
        0 | 1 => "the only dispatcher".to_owned(),
        2 => "each of the two dispatchers".to_owned(),
        more => format!("each of the {more} dispatchers"),
    }
}

/// Whom to name in a command.
fn named(who: Option<&str>) -> String {
    who.map_or_else(|| "ID".to_owned(), |who| push0_core::plain(who).into_owned())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's")]
const fn is_none(count: &usize) -> bool {
    *count == 0
}

/// What attempts came to before.
fn ended(failures: u32, after: &BTreeMap<String, u32>) -> String {
    if failures == 0 {
        return "after an attempt that ended through no fault of its own".to_owned();
    }
    let ways = after.iter().map(|(how, count)| format!("{count} {how}")).collect::<Vec<_>>();
    let ways = if ways.is_empty() { String::new() } else { format!(" ({})", ways.join(", ")) };
    format!("after {}{ways}", counted(failures, "failure"))
}

fn listed(attempts: &[Run]) -> String {
    attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for Reason {
    /// After what waits: `prove 7 …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(None))
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.memory_bytes, self.gpus) {
            (0, 0) => Ok(()),
            (memory, 0) => write!(f, ", which needs {} of memory", size(memory)),
            (memory, gpus) => {
                let gpus = counted(gpus, "GPU");
                write!(f, ", which needs {} of memory and {gpus}", size(memory))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind, in the order of their ranks, of several texts where they have several.
    fn all() -> Vec<Reason> {
        let (program, attempts) = ("prover".to_owned(), Vec::new);
        let (why, of) = (String::new, || program.clone());
        let busy = |silent| Reason::Busy {
            program: of(),
            dispatchers: 1,
            aside: 0,
            silent,
            who: Vec::new(),
        };
        let closed = |dispatchers, cordoned| Reason::Closed {
            program: of(),
            dispatchers,
            cordoned,
            who: None,
        };
        let mute =
            |dispatchers| Reason::Mute { program: of(), dispatchers, silent: 4, silent_max: 10 };
        vec![
            Reason::Parked { class: why(), message: why() },
            Reason::NoEngine,
            Reason::NotOffered { program: of(), needs: Needs::default(), cannot: Vec::new() },
            Reason::TooSmall { program: of(), nearest: why(), lacks: why() },
            Reason::SetAside { program: of(), until: None, seconds: None, probed: true },
            closed(1, 1),
            closed(1, 0),
            closed(2, 1),
            mute(1),
            mute(2),
            Reason::Input,
            Reason::Silent { attempts: attempts() },
            Reason::Unjudged { attempts: attempts() },
            Reason::Kept { attempts: attempts() },
            Reason::Later { at: why(), seconds: Some(1), failures: 1, after: BTreeMap::new() },
            busy(0),
            busy(1),
            Reason::Proving { attempts: attempts() },
            Reason::Next,
            Reason::Proved,
            Reason::Superseded,
        ]
    }

    fn waits() -> Vec<Wait> {
        let stage = || "batch".to_owned();
        vec![
            Wait::Undelivered,
            Wait::Batch { stage: stage() },
            Wait::Blocks { stage: stage(), closes_at: None, seconds: None },
            Wait::Window { blocks: 3 },
            Wait::Unopened,
            Wait::Behind { block: 7 },
            Wait::Final { last: None },
            Wait::Final { last: Some(7) },
        ]
    }

    #[test]
    fn each_reason_has_what_is_to_be_done_about_it() {
        use crate::status::Place;

        let data = std::path::Path::new("my data");
        for place in [Place::Data(data), Place::Cluster] {
            let of_tasks = all().into_iter().map(|reason| reason.to_do("3f9a01c2", place));
            let of_blocks = waits().into_iter().map(|wait| wait.to_do(place));
            for told in of_tasks.chain(of_blocks) {
                assert!(!told.is_empty());
                let names_task = told.contains("push0 logs");
                assert!(!names_task || told.contains("push0 logs 3f9a01c2"), "{told}");
                let is_of_data = matches!(place, Place::Data(_));
                assert!(!names_task || told.contains("--data 'my data'") == is_of_data, "{told}");
            }
        }
    }

    #[test]
    fn each_reason_has_its_line_in_the_page_on_what_to_do() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(page.join("../../docs/troubleshooting.md"));
        let page = page.expect("it is there");
        let (_, rows) = page.split_once("| it says | do |").expect("the table is there");
        let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
        let told = rows.filter_map(|row| row.split(" | ").next()).collect::<Vec<_>>();
        let phrases = told.iter().flat_map(|cell| cell.split('`').skip(1).step_by(2));
        let phrases: Vec<_> = phrases.collect();
        let is_told = |words: &str| {
            let has = |phrase: &&str| phrase.split('…').all(|part| words.contains(part.trim()));
            phrases.iter().any(has)
        };
        let ranks: std::collections::BTreeSet<_> = all().iter().map(Reason::rank).collect();
        assert_eq!(ranks, (0..=16).collect(), "one of each kind is looked at");
        let reasons = all().into_iter().filter(|reason| *reason != Reason::Proved);
        let all = reasons.map(|reason| reason.to_string());
        let all = all.chain(waits().into_iter().map(|wait| wait.words(false)));
        let untold: Vec<_> = all.filter(|words| !is_told(words)).collect();
        assert!(untold.is_empty(), "{untold:#?}");
    }
}
