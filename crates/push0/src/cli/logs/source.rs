//! Where the output of an attempt is had from: the run itself, or the dispatcher of a cluster, or
//! its store.
//!
//! Not here: what is shown of it (`shown`, `follow`).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use push0_core::{TaskId, plain};
use push0_dispatch::{OutputAnswer, OutputAsk, Piece, attempt_log, is_progress};

use super::attempts::Attempt;
use crate::cluster::{Asker, ClusterArgs, QuestionOutcome};
use crate::data::Layout;
use crate::facts::FactsError;
use crate::live;
use crate::tell;

/// Who is asked.
pub(super) enum Source {
    /// The run of a data directory.
    Data(Layout),
    /// The dispatchers of a cluster, and its store.
    Cluster(Box<Asker>),
}

/// What is there of an output.
pub(super) enum OutputReply {
    Piece(Piece),
    /// Whoever had it has kept nothing.
    Nothing,
    /// Nobody answers, or not now; who, and why.
    Nobody(String),
}

impl Source {
    pub(super) fn of(data: Option<&Path>, cluster: &ClusterArgs) -> Result<Self, FactsError> {
        match data {
            Some(data) => Ok(Self::Data(Layout::new(data))),
            None => Ok(Self::Cluster(Box::new(Asker::connect(cluster)?))),
        }
    }

    /// Whether nobody is there who could print more.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Data(layout) => matches!(layout.has_writer(), Ok(false)),
            Self::Cluster(_) => false, // dispatchers come and go
        }
    }

    /// Some of what an attempt prints or printed.
    pub(super) fn ask(&self, attempt: &Attempt, from: u64) -> Result<OutputReply, FactsError> {
        let ask = OutputAsk { attempt: attempt.id, from };
        let answer = match self {
            Self::Data(layout) => match live::ask(&layout.dispatch(), ask) {
                Ok(answer) => answer,
                Err(error) => {
                    return Ok(OutputReply::Nobody(format!("the run does not answer: {error}")));
                }
            },
            Self::Cluster(asker) => {
                let Some(dispatcher) = &attempt.dispatcher else { return Ok(OutputReply::Nothing) };
                match asker.ask(dispatcher, ask) {
                    QuestionOutcome::Answer(answer) => answer,
                    QuestionOutcome::Forbidden(words) => return Ok(OutputReply::Nobody(words)),
                    QuestionOutcome::Nobody => {
                        return Ok(OutputReply::Nobody(format!(
                            "dispatcher {dispatcher} does not answer"
                        )));
                    }
                }
            }
        };
        Ok(match answer {
            OutputAnswer::Piece(piece) => OutputReply::Piece(piece),
            OutputAnswer::None => OutputReply::Nothing,
            OutputAnswer::Later(why) => OutputReply::Nobody(why),
        })
    }

    /// What is kept of an attempt that has ended, by whom nobody needs to ask: in the dispatcher's
    /// directory, or in the store.
    pub(super) fn kept(&self, attempt: &Attempt) -> Option<String> {
        match self {
            Self::Data(layout) => read(&attempt_log(&layout.dispatch(), attempt.id)).ok(),
            Self::Cluster(asker) => {
                let task: TaskId = attempt.task.parse().ok()?;
                match asker.kept((attempt.id, task)) {
                    Ok(text) => text.map(|text| body(&String::from_utf8_lossy(&text)).to_owned()),
                    Err(why) => {
                        tell::warn(format_args!("the store cannot be read: {why}"));
                        None
                    }
                }
            }
        }
    }

    /// All that an attempt has printed so far.
    pub(super) fn whole(&self, attempt: &Attempt) -> Result<Result<String, String>, FactsError> {
        let (mut text, mut next) = (String::new(), 0);
        for _ in 0..PIECES_MAX {
            match self.ask(attempt, next)? {
                OutputReply::Piece(piece) => {
                    text += &before(piece.forgotten);
                    text += &piece.text;
                    next = piece.next;
                    if piece.is_end {
                        text += &piece.rest;
                        break;
                    }
                }
                OutputReply::Nothing => {
                    let who = attempt.dispatcher.as_ref().map_or("nobody", |id| id.as_str());
                    return Ok(Err(format!("dispatcher {who} has not kept it")));
                }
                OutputReply::Nobody(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(text))
    }
}

/// The output in a file that a dispatcher keeps.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(body(&String::from_utf8_lossy(&bytes)).to_owned())
}

/// What is behind the header, which is told from the log.
pub(in crate::cli) fn body(text: &str) -> &str {
    text.split_once("\n\n").map_or("", |(_, output)| output)
}

/// A word on what was printed and is not kept.
pub(in crate::cli) fn before(forgotten: u64) -> String {
    match forgotten {
        0 => String::new(),
        bytes => format!("[{bytes} bytes before this are not kept]\n"),
    }
}

/// What a prover printed for people: without the lines that say how far it is, which `push0 status`
/// shows.
pub(super) fn words(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !is_progress(line)).collect()
}

/// The same of a part of an output; none where nothing of it is for people.
pub(super) fn shown_part(text: &str) -> Option<String> {
    (!words(text).trim().is_empty()).then(|| shown(text))
}

/// What a prover printed, which may be anything; a terminal must not obey it.
pub(in crate::cli) fn shown(text: &str) -> String {
    match words(text).trim_end() {
        "" => NOTHING.to_owned(),
        text => text
            .lines()
            .map(|line| plain(&line.replace('\t', "    ")).into_owned())
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

/// What is said of an output in which there is nothing for people.
pub(super) const NOTHING: &str = "it printed nothing";

/// More than any log that is kept.
const LOG_BYTES_MAX: u64 = 1 << 20;

/// A dispatcher keeps 64 KiB of an output, in pieces of 8; more come while they are read.
pub(super) const PIECES_MAX: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nothing_was_printed_is_said_of_a_whole_output_alone() {
        for text in ["progress 0.5\n\n", "\n", "progress 1\n", ""] {
            assert_eq!((shown_part(text), shown(text).as_str()), (None, NOTHING), "{text:?}");
        }
        assert_eq!(shown_part("progress 0.5\n\nloading\n"), Some("\nloading".to_owned()));
    }
}
