//! `push0 logs`: how the attempts at a task ended, and what their provers printed.
//!
//! Not here: the keeping of their output (`push0_dispatch`), and which attempts there are
//! (`attempts`).

mod attempts;
mod follow;
mod source;

use std::io;

use push0_core::{FailureClass, plain};
use push0_dispatch::{attempt_log, attempt_logs};

use self::attempts::{Attempt, Attempts, SHORT, Selection};
use self::source::{NOTHING, Source};
pub(super) use self::source::{before, body, shown};
use super::LogsArgs;
use crate::clock::wall;
use crate::cluster::Asker;
use crate::data::{DataError, Layout};
use crate::exit::Exit;
use crate::facts::{Facts, FactsError};
use crate::lines::{time, word};
use crate::output::print;
use crate::status::{RECENT, long};
use crate::tell;

pub(super) fn logs(args: &LogsArgs) -> Exit {
    match show(args) {
        Ok(exit) => exit,
        Err(error) => {
            tell::error(format_args!("{error}"));
            Exit::from(&error)
        }
    }
}

fn show(args: &LogsArgs) -> Result<Exit, FactsError> {
    let (mut facts, mut attempts) =
        (Facts::of(args.data.as_deref(), &args.cluster)?, Attempts::default());
    match facts.read(&mut |turn| attempts.turn(&turn)) {
        // The output may be there all the same.
        Err(FactsError::Data(DataError::Log { source })) => tell::warn(format_args!("{source}")),
        Err(FactsError::Data(error @ DataError::Unreadable { .. })) => {
            tell::warn(format_args!("{error}"));
        }
        read => read?,
    }
    let source = Source::of(args.data.as_deref(), &args.cluster)?;
    if let Source::Data(layout) = &source {
        match attempt_logs(&layout.dispatch(), "") {
            Ok(kept) => attempts.keep(kept),
            Err(error) => {
                tell::error(format_args!("the provers' output cannot be read: {error}: try again"));
                return Ok(Exit::OutOfReach);
            }
        }
    }
    let selection = match (&args.task, args.block) {
        (Some(task), _) => attempts.named(task),
        (None, block) => Ok(Selection::Block(block.unwrap_or_default())), // clap wants one of them
    };
    let selection = match selection {
        Ok(selection) if args.follow || !attempts.of(&selection).is_empty() => selection,
        Ok(selection) => return Ok(refused(&attempts.why_none(&selection))),
        Err(why) => return Ok(refused(&why)),
    };
    let found = attempts.of(&selection);
    // What runs is followed.
    let found = found.into_iter().filter(|attempt| !args.follow || attempt.end.is_some());
    let found = found.map(|attempt| attempt.shown(&source)).collect::<Result<Vec<_>, _>>()?;
    if !found.is_empty() {
        let printed = Exit::of_print(print(&found.join("\n\n")));
        if printed != Exit::Done || !args.follow {
            return Ok(printed);
        }
    }
    let followed = follow::follow(&mut facts, &mut attempts, &selection, &source)?;
    Ok(Exit::of_print(followed))
}

fn refused(why: &str) -> Exit {
    tell::error(format_args!("{why}"));
    Exit::Usage
}

impl Attempt {
    /// How it stands, and its output.
    fn shown(&self, source: &Source) -> Result<String, FactsError> {
        let output = self.output(source)?;
        let message = self.end.as_ref().map_or("", |end| end.message.as_str());
        let message = match &output[..] {
            // What a verifier printed is nowhere else.
            [whence, printed, ..] if whence.starts_with("-- ") && !self.is_unjudged() => {
                before_output(message, printed)
            }
            _ => message,
        };
        let mut lines = vec![format!("== {} ==", self.heading())];
        lines.extend(message.lines().map(|line| plain(line).into_owned()));
        lines.extend(output);
        Ok(lines.join("\n"))
    }

    /// What it printed, or prints; behind a line that says whence, where that is there.
    fn output(&self, source: &Source) -> Result<Vec<String>, FactsError> {
        Ok(match (source, &self.end) {
            (Source::Data(layout), Some(_)) => self.of_file(layout),
            (Source::Data(layout), None) if self.is_kept => self.of_file_alone(layout),
            (Source::Data(layout), None) if !layout.has_writer().unwrap_or(true) => {
                let (number, since) = (self.number, self.since.map(time).unwrap_or_default());
                vec![format!(
                    "attempt {number} ran (since {since}) when push0 was killed; its output went with it"
                )]
            }
            (Source::Data(_) | Source::Cluster(_), None) => {
                let lasts = self.since.map(|since| match wall().since(since).as_secs() {
                    seconds if seconds < RECENT => format!(", for {}", long(seconds)),
                    _ => format!(", since {}", time(since)),
                });
                let lasts = lasts.unwrap_or_default();
                let runs = format!("attempt {} is running{lasts}", self.number);
                match source.whole(self)? {
                    Ok(text) if source::words(&text).trim().is_empty() => {
                        vec![runs, "it has printed nothing yet".to_owned()]
                    }
                    Ok(text) => vec![shown(&text), format!("-- {runs}; -f goes on with it")],
                    Err(why) => vec![runs, format!("what it prints is not to be had: {why}")],
                }
            }
            (Source::Cluster(asker), Some(_)) => self.of_cluster(asker, source)?,
        })
    }

    /// What the dispatcher of a run has kept.
    fn of_file(&self, layout: &Layout) -> Vec<String> {
        match self.of_file_alone(layout) {
            lines if !lines.is_empty() => lines,
            _ if self.is_lost() => vec!["its output went with its dispatcher".to_owned()],
            // It was the oldest, and made room for another.
            _ => vec!["its output is not kept: that of the last 4096 attempts is".to_owned()],
        }
    }

    fn of_file_alone(&self, layout: &Layout) -> Vec<String> {
        let path = attempt_log(&layout.dispatch(), self.id);
        match source::read(&path) {
            Ok(text) => vec![format!("-- {}", path.display()), self.printed(&text)],
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tell::warn(format_args!("{} cannot be read: {error}", path.display()));
                Vec::new()
            }
        }
    }

    /// What the store has of an attempt that ended, or else its dispatcher.
    fn of_cluster(&self, asker: &Asker, source: &Source) -> Result<Vec<String>, FactsError> {
        let is_accepted = self.end.as_ref().is_some_and(|end| end.name == "accepted");
        if !is_accepted && let Some(text) = source.kept(self) {
            return Ok(vec!["-- from the store".to_owned(), self.printed(&text)]);
        }
        let from = self.dispatcher.as_ref().map_or("nobody", |dispatcher| dispatcher.as_str());
        Ok(match source.whole(self)? {
            Ok(text) => vec![format!("-- from {from}"), self.printed(&text)],
            Err(_) if self.is_lost() => vec!["its output went with its dispatcher".to_owned()],
            Err(why) if asker.has_store() => {
                vec![format!("its output is not to be had: {why}, and the store has none of it")]
            }
            Err(why) => vec![format!(
                "its output is not to be had: {why}; the store has that of failed attempts: name it (--store)"
            )],
        })
    }

    /// What its prover printed. Where its message tells what a verifier printed, that one printed
    /// nothing is no word on it.
    fn printed(&self, text: &str) -> String {
        match source::words(text).trim().is_empty() && self.is_unjudged() {
            true => "its prover printed nothing".to_owned(),
            false => shown(text),
        }
    }

    fn is_unjudged(&self) -> bool {
        let class = self.end.as_ref().and_then(|end| end.class.as_ref());
        class.is_some_and(|class| *class == word(FailureClass::Unjudged))
    }

    fn is_lost(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.name == "lost")
    }

    /// What it is.
    fn name(&self) -> String {
        let of = self.of.as_ref().map(|of| format!("{of}, ")).unwrap_or_default();
        let task = self.task.get(..SHORT).unwrap_or(&self.task);
        format!("attempt {}, {of}task {task}", self.number)
    }

    /// The same, and how it ended.
    fn heading(&self) -> String {
        let end = self.end.as_ref().map(|end| {
            let class = end.class.as_ref().filter(|class| *class != end.name);
            let class = class.map(|class| format!(" ({class})")).unwrap_or_default();
            format!(": {}{class} at {}", end.name, time(end.at))
        });
        self.name() + &end.unwrap_or_default()
    }
}

/// What a message says before the end of an output, where that is the end of what follows anyway,
/// or both are nothing.
fn before_output<'a>(message: &'a str, printed: &str) -> &'a str {
    let lines = format!("{printed}\n");
    let is_there = |(at, mark): &(usize, &str)| {
        let tail = message.get(at + mark.len()..).map(shown).unwrap_or_default();
        lines.contains(&format!("{tail}\n"))
    };
    let tail = message.match_indices("; the end of its output:\n").find(is_there);
    match tail {
        Some((at, _)) => message.get(..at).unwrap_or(message),
        None => message
            .strip_suffix("; it printed nothing")
            .filter(|_| printed == NOTHING)
            .unwrap_or(message),
    }
}
