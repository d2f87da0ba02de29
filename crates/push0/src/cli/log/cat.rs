//! `push0 log cat`: events as lines.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use push0_core::{AttemptId, Epoch, Event, Seq, Timestamp, Turn};

use super::complain;
use super::picked::{Names, task_of};
use crate::cli::LogCatArgs;
use crate::exit::Exit;
use crate::facts::{Facts, FactsError};
use crate::interrupts;
use crate::lines::{About, fields, time};
use crate::output::Lines;
use crate::tell::{self, counted};

/// Prints what is picked of every event that can be read, then what is wrong with the rest.
pub(super) fn cat(args: &LogCatArgs) -> Exit {
    let mut facts = match Facts::of(args.data.as_deref(), &args.cluster) {
        Ok(facts) => facts,
        Err(error) => return complain(error),
    };
    let mut cat = Cat::new(args);
    let mut read = facts.read(&mut |turn| cat.turn(&turn));
    if let Some(why) = read.is_ok().then(|| cat.has_no_such_stage()).flatten() {
        tell::error(why);
        return Exit::Usage;
    }
    if args.follow && read.is_ok() {
        read = follow(&mut facts, &mut cat);
    }
    let nothing = (read.is_ok() && !args.follow).then(|| cat.has_picked_nothing()).flatten();
    let printed = Exit::of_print(cat.lines.finish());
    nothing.iter().for_each(tell::info);
    match read {
        Ok(()) => printed,
        Err(error) => complain(error),
    }
}

/// Goes on until somebody interrupts it, or reads no more.
fn follow(facts: &mut Facts, cat: &mut Cat<'_>) -> Result<(), FactsError> {
    let interrupts = interrupts::count().map_err(FactsError::thread)?;
    while cat.lines.flush() && interrupts.load(Ordering::Relaxed) == 0 {
        facts.wait(&mut |turn| cat.turn(&turn))?;
    }
    Ok(())
}

struct Cat<'a> {
    args: &'a LogCatArgs,
    lines: Lines,
    names: Names,
    /// Of all pipelines that were configured.
    stages: BTreeSet<String>,
    /// Of the attempts' ids that follow.
    epoch: Option<Epoch>,
    /// Events that were read, and those of them that were picked.
    counts: (u64, u64),
}

impl<'a> Cat<'a> {
    fn new(args: &'a LogCatArgs) -> Self {
        let (names, stages) = (Names::default(), BTreeSet::new());
        Self { args, lines: Lines::new(), names, stages, epoch: None, counts: (0, 0) }
    }

    fn turn(&mut self, turn: &Turn) {
        for (seq, event) in (turn.first.0..).zip(&turn.events) {
            if let Event::Claimed { epoch, ids_hold_it } = event {
                self.epoch = ids_hold_it.then_some(*epoch);
            } else if let Event::Configured { pipeline } = event {
                self.stages.extend(pipeline.stages.keys().cloned());
            }
            self.names.learn(event);
            self.counts.0 += 1;
            if !self.args.picks(turn.at, event, &self.names) {
                continue;
            }
            self.counts.1 += 1;
            let line = match self.args.json {
                true => self.json(seq, turn.at, event),
                false => plain_line(seq, turn.at, event, &|task| self.names.of(task)),
            };
            self.lines.line(&line);
        }
    }

    /// `{"seq":…,"at":…,"event":…, …}`: the event's own fields follow, as they are in the log. A
    /// grant also names its attempt, so that it can be joined with how that ended. Whatever is
    /// about a task has its stage and key.
    fn json(&self, seq: u64, at: Timestamp, event: &Event) -> String {
        let event_json = serde_json::to_string(event).expect("facts are made of what JSON has");
        let fields = event_json.trim_start_matches('{').strip_suffix('}').unwrap_or_default();
        let has_own = matches!(event, Event::TaskOpened { .. });
        let of = task_of(event).filter(|_| !has_own).and_then(|task| self.names.of(task));
        let of = of.map(|(stage, key)| {
            let key = serde_json::to_string(&key).expect("a key is made of what JSON has");
            format!(",\"stage\":\"{stage}\",\"key\":{key}")
        });
        let attempt = matches!(event, Event::Granted { .. }).then(|| match self.epoch {
            Some(epoch) => AttemptId::of(epoch, Seq(seq)),
            None => AttemptId(seq),
        });
        let attempt = attempt.map(|attempt| format!(",\"attempt\":{}", attempt.0));
        let (of, attempt) = (of.unwrap_or_default(), attempt.unwrap_or_default());
        format!("{{\"seq\":{seq},\"at\":\"{}\",{fields}{of}{attempt}}}", time(at))
    }

    /// That there was nothing to print, and why.
    fn has_picked_nothing(&self) -> Option<String> {
        match self.counts {
            (0, _) => Some("the log has no event yet".to_owned()),
            (all, 0) => {
                let (all, asked) = (counted(all, "event"), self.args.asked());
                Some(format!("nothing matches: the log has {all}, and none fits {asked}"))
            }
            (_, _) => None,
        }
    }

    /// What is wrong with a stage that no pipeline of this log has.
    fn has_no_such_stage(&self) -> Option<String> {
        let stage = self.args.stage.as_ref()?;
        if self.stages.is_empty() || self.stages.contains(stage.as_str()) {
            return None;
        }
        let known: Vec<_> = self.stages.iter().map(String::as_str).collect();
        Some(format!("there is no stage {stage} (--stage): name one of {}", known.join(", ")))
    }
}

/// `SEQ TIME EVENT key=value …`.
pub(super) fn plain_line<'a>(
    seq: u64,
    at: Timestamp,
    event: &'a Event,
    about: About<'a>,
) -> String {
    let (name, fields) = (event.name(), fields(event, about));
    format!("{seq:>6} {} {name:<15} {fields}", time(at)).trim_end().to_owned()
}
