//! `push0 log`: the facts, read beside a running engine or after it.
//!
//! Not here: how frames are read (`push0_log`), what is picked of them (`picked`), and the walk
//! through them (`step`).

mod cat;
mod picked;
mod step;

use std::path::Path;

use push0_log::{Cut, Ending, Report};
use serde_json::json;

pub(super) use self::picked::{event_name, since, task_digits};
use super::{LogArgs, LogCommand};
use crate::data::{DataError, Layout, Replay};
use crate::exit::Exit;
use crate::facts::FactsError;
use crate::output::print;
use crate::tell;

pub(super) fn log(args: &LogArgs) -> Exit {
    match &args.command {
        LogCommand::Cat(args) => cat::cat(args),
        LogCommand::Verify(args) => verify(&args.data, args.json),
        LogCommand::Step(args) => step::step(args),
    }
}

/// Checks every frame against the one before, and every event against the state before.
fn verify(data: &Path, wants_json: bool) -> Exit {
    let layout = Layout::new(data);
    let (report, replay) = Replay::of(|each| layout.scan(each));
    let report = match report {
        Ok(report) => report,
        Err(error) => return complain(error),
    };
    let is_legal = replay.illegal().is_none();
    let text = match wants_json {
        true => told_json(&report, is_legal),
        false => told(&report, is_legal),
    };
    let printed = Exit::of_print(print(&text));
    let illegal = replay.illegal().cloned();
    match readable(report) {
        Err(error) => complain(error),
        Ok(()) => match illegal {
            Some(source) => complain(DataError::Illegal { path: layout.log(), source }),
            None => printed,
        },
    }
}

fn told(report: &Report, is_legal: bool) -> String {
    let log = report.log.map_or_else(|| "none".to_owned(), |log| log.to_string());
    let Report { last, turns, frames, bytes, segments, epoch, .. } = report;
    let events = if is_legal { "every one may follow those before it" } else { "NOT all legal" };
    let ending = match &report.ending {
        Ending::Absent => "nothing is in it".to_owned(),
        Ending::Closed => "clean: whoever wrote it ended well".to_owned(),
        Ending::Open => "open: an engine writes it, or was killed".to_owned(),
        Ending::Torn(cut) => {
            format!("torn: {cut}; it was never acknowledged, and the next run cuts it off")
        }
        Ending::Unreadable(_) => "UNREADABLE from there on".to_owned(),
    };
    format!(
        "log       {log}\nsegments  {segments}\nframes    {frames}\nturns     {turns}\n\
         events    {last}, {events}\nepoch     {}\nbytes     {bytes}\nend       {ending}",
        epoch.0
    )
}

fn told_json(report: &Report, is_legal: bool) -> String {
    let Report { last, turns, frames, bytes, segments, epoch, .. } = report;
    let (ending, cut) = match &report.ending {
        Ending::Absent => ("absent", None),
        Ending::Closed => ("closed", None),
        Ending::Open => ("open", None),
        Ending::Torn(cut) => {
            let Cut { file, offset, bytes, reason } = cut;
            let file = file.to_string_lossy();
            (
                "torn",
                Some(json!({"file": file, "offset": offset, "bytes": bytes, "reason": reason})),
            )
        }
        Ending::Unreadable(_) => ("unreadable", None),
    };
    json!({
        "format": "push0.log/1",
        "log": report.log.map(|log| log.to_string()),
        "segments": segments,
        "frames": frames,
        "turns": turns,
        "events": last,
        "epoch": epoch,
        "bytes": bytes,
        "legal": is_legal,
        "end": ending,
        "torn": cut,
    })
    .to_string()
}

/// Whether a log could be read to its end.
fn readable(report: Report) -> Result<(), DataError> {
    match report.ending {
        Ending::Unreadable(source) => Err(DataError::Log { source }),
        Ending::Absent | Ending::Closed | Ending::Open | Ending::Torn(_) => Ok(()),
    }
}

fn complain(error: impl Into<FactsError>) -> Exit {
    let error = error.into();
    tell::error(format_args!("{error}"));
    Exit::from(&error)
}
