//! `push0 logs`: how the attempts at a task ended, and what their provers printed.
//!
//! Not here: the keeping of their output (`push0_dispatch`), and which attempts there are (`attempts`).

mod attempts;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use push0_core::plain;
use push0_dispatch::attempt_logs;
use push0_log::{Ending, Report};

use self::attempts::{Attempt, Attempts};
use super::output::print;
use super::{Exit, LogsArgs};
use crate::data::{DataError, Layout};
use crate::lines::time;
use crate::tell;

pub(super) fn logs(args: &LogsArgs) -> Exit {
    let layout = Layout::new(&args.data);
    let mut attempts = Attempts::default();
    match layout.scan(&mut |turn| attempts.turn(&turn)) {
        // The output may be there all the same.
        Ok(Report { ending: Ending::Unreadable(error), .. }) => tell::warn(format_args!("{error}")),
        Ok(_) => {}
        Err(error @ DataError::Unreadable { .. }) => tell::warn(format_args!("{error}")),
        Err(error) => {
            tell::error(format_args!("{error}"));
            return Exit::from(&error);
        }
    }
    match attempt_logs(&layout.dispatch(), "") {
        Ok(kept) => attempts.keep(kept),
        Err(error) => {
            tell::error(format_args!("the provers' output cannot be read: {error}: try again"));
            return Exit::OutOfReach;
        }
    }
    let found = match attempts.named(&args.task) {
        Ok(found) => found,
        Err(why) => {
            tell::error(format_args!("{why}"));
            return Exit::Usage;
        }
    };
    let has_writer = layout.has_writer().unwrap_or(true);
    let shown = found.iter().map(|attempt| attempt.shown(has_writer));
    Exit::of_print(print(&shown.collect::<Vec<_>>().join("\n\n")))
}

impl Attempt {
    /// How it stands, and its output.
    fn shown(&self, has_writer: bool) -> String {
        let number = self.number;
        let mut lines = vec![format!("== {} ==", self.heading())];
        let message = self.end.as_ref().map_or("", |end| end.message.as_str());
        lines.extend(message.lines().map(|line| plain(line).into_owned()));
        let output = self.path.as_deref().map(|path| (path, read(path)));
        match (output, &self.end, self.since) {
            (Some((path, Ok(text))), ..) => {
                lines.push(format!("-- {}", path.display()));
                lines.push(text);
            }
            (Some((path, Err(error))), ..) if error.kind() != io::ErrorKind::NotFound => {
                tell::warn(format_args!("{} cannot be read: {error}", path.display()));
            }
            (_, None, Some(since)) if has_writer => lines.push(format!(
                "attempt {number} is running (since {}); its output is kept when it ends",
                time(since)
            )),
            (_, None, Some(since)) => lines.push(format!(
                "attempt {number} ran (since {}) when push0 was killed; its output went with it",
                time(since)
            )),
            (_, Some(end), _) if end.name == "lost" => {
                lines.push("its output went with its dispatcher".to_owned());
            }
            // It was the oldest, and made room for another.
            _ => lines.push("its output is not kept: that of the last 4096 attempts is".to_owned()),
        }
        lines.join("\n")
    }

    fn heading(&self) -> String {
        let of = self.of.as_ref().map(|of| format!("{of}, ")).unwrap_or_default();
        let task = self.task.get(..SHORT).unwrap_or(&self.task);
        let end = self.end.as_ref().map(|end| {
            let class = end.class.as_ref().map(|class| format!(" ({class})")).unwrap_or_default();
            format!(": {}{class} at {}", end.name, time(end.at))
        });
        format!("attempt {}, {of}task {task}{}", self.number, end.unwrap_or_default())
    }
}

/// What a prover printed, which may be anything; a terminal must not obey it. The header of the file is
/// told from the log.
fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.split_once("\n\n").map_or("", |(_, output)| output).trim_end();
    Ok(match text {
        "" => "it printed nothing".to_owned(),
        text => text
            .lines()
            .map(|line| plain(&line.replace('\t', "    ")).into_owned())
            .collect::<Vec<_>>()
            .join("\n"),
    })
}

/// Digits of a task's id that people are shown.
const SHORT: usize = 8;
/// More than any log that is kept.
const LOG_BYTES_MAX: u64 = 1 << 20;
