//! What runs: which attempt, at what, on which dispatcher, for how long, and how far it is.
//!
//! Not here: why a task has an attempt or none (`watch`).

use std::fmt;
use std::time::Duration;

use push0_core::{Attempt, Scheduler};
use push0_dispatch::Step;
use serde::{Deserialize, Serialize};

use super::cluster::Cluster;
use super::heard::BeatView;
use super::layout::{Amount, RECENT, long, table};
use super::named;
use super::watch::Watch;
use crate::lines;

/// An attempt that runs.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Run {
    pub(super) attempt: String,
    pub(super) dispatcher: String,
    since: String,
    /// For how long; absent where that is very long, or where an older version says it. Unit:
    /// seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    /// How long its dispatcher has said nothing, where that is longer than it should. Unit:
    /// seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) silent: Option<u64>,
    /// After so long a silence its work is given to others. Unit: seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silent_max: Option<u64>,
    /// What it is at: its stage and its key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    what: String,
    /// How long provers of its stage took until now, in the middle. Unit: seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usual_seconds: Option<u64>,
    /// What is done for it, by its dispatcher's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) doing: Option<String>,
    /// How far its prover says that it is, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fraction: Option<f64>,
    /// Whether its dispatcher was heard of at all since the engine leads; absent where it was.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) unheard: bool,
    /// Whether its dispatcher answers and does not have it.
    #[serde(default, skip_serializing_if = "is_false")]
    absent: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Run {
    pub(super) fn of(watch: &Watch<'_>, attempt: &Attempt) -> Self {
        let Watch { scheduler, fleet, now, .. } = watch;
        let dispatcher = &attempt.dispatcher;
        let silence = fleet.and_then(|fleet| fleet.silence(dispatcher));
        let unheard = fleet.and_then(|fleet| fleet.unheard(dispatcher));
        let is_unheard = fleet.is_some() && silence.is_none();
        let silent = silence.filter(|silence| *silence >= SILENCE_MIN).or(unheard);
        let silent = silent.or_else(|| is_unheard.then_some(Duration::ZERO));
        Self {
            attempt: named(attempt.id),
            dispatcher: dispatcher.to_string(),
            since: lines::time(attempt.since),
            seconds: Some(now.since(attempt.since).as_secs()).filter(|seconds| *seconds < RECENT),
            silent: silent.map(|silent| silent.as_secs()),
            silent_max: fleet.filter(|_| silent.is_some()).map(|it| it.silence_max().as_secs()),
            what: what(scheduler, attempt),
            usual_seconds: scheduler.ran().usual(attempt.stage).map(|usual| usual.as_secs()),
            doing: None,
            fraction: None,
            unheard: is_unheard,
            absent: false,
        }
    }

    /// The oldest that run.
    pub(super) fn all(watch: &Watch<'_>) -> Vec<Self> {
        let attempts = watch.scheduler.attempts().take(SENT_MAX);
        attempts.map(|attempt| Self::of(watch, attempt)).collect()
    }

    /// Notes that so much time has passed since it was looked at. Unit: seconds.
    pub(super) fn grow_older(&mut self, by: u64) {
        for age in [&mut self.seconds, &mut self.silent] {
            *age = age.map(|age| age.saturating_add(by));
        }
    }

    /// The attempt's; engines of before say `attempt 7`.
    fn number(&self) -> &str {
        self.attempt.trim_start_matches("attempt ")
    }

    /// Takes its dispatcher's word on it.
    pub(super) fn hear(&mut self, dispatcher: &str, steps: &[Step]) {
        let is_it = |step: &&Step| named(step.attempt) == self.number();
        if self.dispatcher == dispatcher
            && let Some(step) = steps.iter().find(is_it)
        {
            self.doing = Some(step.doing.clone());
            self.fraction = step.fraction.filter(|fraction| (0.0..=1.0).contains(fraction));
        }
    }

    /// Notes that a dispatcher of which the engine has heard does not answer.
    pub(super) fn is_mute(&mut self, heard: &BeatView) {
        if self.dispatcher == heard.dispatcher {
            self.silent.get_or_insert(heard.silent);
            self.silent_max.get_or_insert(heard.silent_max);
        }
    }

    /// Notes whether its dispatcher answers, where no engine leads that would hear it, and whether
    /// it has it.
    pub(super) fn without_leader(&mut self, there: &Cluster) {
        self.unheard = !there.has(&self.dispatcher);
        self.absent = !self.unheard && self.doing.is_none() && !there.says_part(&self.dispatcher);
    }

    /// Whether nobody knows whether it runs.
    pub(super) const fn is_silent(&self) -> bool {
        self.silent.is_some() || self.unheard || self.absent
    }

    /// Whether nothing runs for it any more: its dispatcher keeps what came of it.
    pub(super) fn has_ended(&self) -> bool {
        self.doing.as_deref() == Some(Step::ENDED)
    }

    /// Whether all that is left of it is a verdict.
    pub(super) fn waits_for_verifier(&self) -> bool {
        self.doing.as_deref() == Some(push0_dispatch::Doing::Unjudged.word())
    }

    /// What is done for it, and how far that is.
    fn progress(&self) -> String {
        let doing = self.doing.as_deref().unwrap_or_default();
        match self.fraction.filter(|_| doing == push0_dispatch::Doing::Proving.word()) {
            Some(fraction) => format!("{doing} {:.0} %", fraction * 100.0),
            None => push0_core::plain(doing).into_owned(),
        }
    }

    /// In a table, with what is not among those that are shown.
    pub(super) fn shown(all: &[Self], count: u64, amount: Amount) -> Option<String> {
        let ended = all.iter().filter(|run| run.has_ended()).count();
        let all: Vec<_> = all.iter().filter(|run| !run.has_ended()).collect();
        if all.is_empty() {
            return None;
        }
        let head = ["runs", "attempt", "dispatcher", "doing", "for", "usual"].map(str::to_owned);
        let rows = all.iter().take(amount.runs).map(|run| {
            let doing = match (run.is_silent(), run.silent) {
                (true, Some(silent)) => format!("silent {}", long(silent)),
                (true, None) if run.absent => "not there".to_owned(),
                (true, None) => "unheard".to_owned(),
                (false, _) => run.progress(),
            };
            let number = run.number().to_owned();
            let times =
                [run.seconds, run.usual_seconds].map(|time| time.map_or_else(String::new, long));
            let [lasts, usual] = times;
            let dispatcher = push0_core::plain(&run.dispatcher).into_owned();
            [run.what.clone(), number, dispatcher, doing, lasts, usual]
        });
        let mut shown = table(&std::iter::once(head).chain(rows).collect::<Vec<_>>(), amount.width);
        let told = (all.len().min(amount.runs) + ended) as u64;
        if count > told {
            shown += &format!("\nand {} more", count - told);
        }
        Some(shown)
    }
}

fn what(scheduler: &Scheduler, attempt: &Attempt) -> String {
    let key = scheduler.task(&attempt.task).map(|task| task.key.to_string());
    format!("{} {}", scheduler.pipeline().stage(attempt.stage).name, key.unwrap_or_default())
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dispatcher, since, .. } = self;
        let dispatcher = push0_core::plain(dispatcher);
        write!(f, "attempt {} on {dispatcher}", self.number())?;
        match self.seconds {
            Some(seconds) => write!(f, ", for {}", long(seconds))?,
            None => write!(f, ", since {since}")?,
        }
        if let Some(usual) = self.usual_seconds.filter(|usual| *usual > 0) {
            write!(f, ", usually {}", long(usual))?;
        }
        let progress = self.progress();
        if !progress.is_empty() && !self.waits_for_verifier() && !self.has_ended() {
            write!(f, ", {progress}")?;
        }
        match (self.silent, self.silent_max, self.unheard) {
            (Some(silent), Some(most), false) => {
                write!(f, ", and {dispatcher} has said nothing for {silent} s of {most}")
            }
            (Some(silent), Some(most), true) => write!(
                f,
                ", and {dispatcher} has said nothing since this engine leads, for {silent} s of {most}"
            ),
            (_, _, true) => write!(f, ", and {dispatcher} does not answer"),
            (_, _, false) if self.absent => write!(f, ", and {dispatcher} does not have it"),
            (_, _, false) => Ok(()),
        }
    }
}

/// Three beats.
pub(super) const SILENCE_MIN: Duration = Duration::from_secs(3);

/// Attempts that go into a message.
const SENT_MAX: usize = 64;
