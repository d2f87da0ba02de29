//! `push0 logs`: what the provers of a task printed.
//!
//! Not here: the keeping of it (`push0_dispatch`).

use std::fs::File;
use std::io::{self, Read as _};

use push0_dispatch::{AttemptLog, attempt_logs};

use super::output::{print, say};
use super::{Exit, LogsArgs};
use crate::data::Layout;

pub(super) fn logs(args: &LogsArgs) -> Exit {
    let layout = Layout::new(&args.data);
    if let Err(error) = layout.look() {
        say(&format!("error: {error}"));
        return Exit::from(&error);
    }
    let chosen = attempt_logs(&layout.dispatch(), "").map(|kept| choose(kept, &args.task));
    let found = match chosen {
        Ok(Ok(found)) => found,
        Ok(Err(why)) => {
            say(&format!("error: {why}"));
            return Exit::Usage;
        }
        Err(error) => {
            say(&format!("error: the provers' output cannot be read: {error}: try again"));
            return Exit::OutOfReach;
        }
    };
    let mut text = String::new();
    for log in &found {
        match read(log) {
            Ok(output) => text.push_str(&format!("== {} ==\n{output}\n\n", log.path.display())),
            // It was the oldest, and made room for another.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                say(&format!("warning: {} cannot be read: {error}", log.path.display()));
            }
        }
    }
    Exit::of_print(print(&text))
}

/// The logs that `named` means: an attempt's number, or a task by its id or the first digits of it.
fn choose(kept: Vec<AttemptLog>, named: &str) -> Result<Vec<AttemptLog>, String> {
    let number: Option<u64> = named.strip_prefix("attempt-").unwrap_or(named).parse().ok();
    let by_number = kept.iter().find(|log| Some(log.attempt.0) == number).cloned();
    let by_task: Vec<AttemptLog> = match named.len() {
        PREFIX_MIN.. => kept.into_iter().filter(|log| log.task.starts_with(named)).collect(),
        _ => Vec::new(),
    };
    let mut tasks: Vec<&str> = by_task.iter().map(|log| log.task.as_str()).collect();
    tasks.sort_unstable();
    tasks.dedup();
    match (by_number, tasks.as_slice()) {
        (Some(log), []) => Ok(vec![log]),
        (None, [_]) => Ok(by_task),
        (None, []) => Err(format!(
            "no output is kept of a task or attempt {named}: `push0 log cat` names those there are, and \
             the output of the last 4096 attempts is kept"
        )),
        (Some(_), [..]) | (None, [..]) => {
            Err(format!("{named} is the beginning of several names: give more digits of one"))
        }
    }
}

/// A log's header and output. What a prover printed may be anything; a terminal must not obey it.
fn read(log: &AttemptLog) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(&log.path)?.take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let is_safe = |letter: &char| matches!(letter, '\n' | '\t') || !letter.is_control();
    Ok(text.chars().filter(is_safe).collect::<String>().trim_end().to_owned())
}

/// The fewest digits that name a task.
const PREFIX_MIN: usize = 4;
/// More than any log that is kept.
const LOG_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use push0_core::AttemptId;

    use super::*;

    #[test]
    fn an_attempt_goes_by_its_number_and_a_task_by_its_first_digits() {
        assert_eq!(chosen("17"), Ok(vec![17]));
        assert_eq!(chosen("abcd"), Ok(vec![17, 18]));
        assert_eq!(chosen("abcd01"), Ok(vec![17, 18]));
    }

    #[test]
    fn what_names_nothing_or_several_is_told() {
        assert!(chosen("19").is_err_and(|why| why.starts_with("no output")));
        assert!(chosen("abc").is_err_and(|why| why.starts_with("no output")));
        assert!(chosen("1234").is_err_and(|why| why.contains("several")));
    }

    fn chosen(named: &str) -> Result<Vec<u64>, String> {
        let log = |attempt, task: &str| AttemptLog {
            attempt: AttemptId(attempt),
            task: task.to_owned(),
            path: "/log".into(),
        };
        let kept = vec![log(17, "abcd01"), log(18, "abcd01"), log(20, "123401"), log(21, "123402")];
        choose(kept, named).map(|found| found.iter().map(|log| log.attempt.0).collect())
    }
}
