//! A status that is shown again and again: drawn anew on a terminal, else one below the other.
//!
//! A look begins so many seconds after the last one ended, so that however long it takes, it takes
//! no more than half of the time. Ctrl-C ends it, with the exit code of what was shown last.
//!
//! Not here: how a status is looked at.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::cli::StatusArgs;
use crate::clock::wall;
use crate::exit::Exit;
use crate::interrupts;
use crate::lines::time;
use crate::output::print_on;
use crate::status::{Frame, Place, Status, rows_of};
use crate::tell;

/// What came of a look.
pub(super) enum LookOutcome {
    Seen(Box<Status>),
    /// Why nothing can be said.
    Failed(Exit, String),
}

/// Shows what `look` sees, once or as often as was asked for.
pub(super) fn show_each(
    args: &StatusArgs,
    place: Place<'_>,
    mut look: impl FnMut() -> LookOutcome,
) -> Exit {
    let Some(seconds) = args.watch else { return show(args, place, look(), ("", None)).0 };
    let interrupts = match interrupts::count() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            tell::error(format_args!("no signal can be heard ({error}): try again"));
            return Exit::OutOfReach;
        }
    };
    let is_drawn = std::io::stdout().is_terminal() && !args.json;
    let mut is_first = true;
    loop {
        let began = Instant::now();
        let looked = look();
        if let (true, LookOutcome::Failed(..)) = (is_first, &looked) {
            return show(args, place, looked, ("", None)).0; // what is wrong at first is wrong with the command
        }
        if is_drawn {
            clear();
        }
        let gap = if is_first || is_drawn { "" } else { "\n" };
        let title = format!("{gap}{}, every {seconds}s, Ctrl-C ends it\n\n", time(wall()));
        let rows = is_drawn.then(|| size().map(|size| usize::from(size.ws_row))).flatten();
        let (exit, is_read) = show(args, place, looked, (&title, rows));
        is_first = false;
        let pause = Duration::from_secs(seconds).max(began.elapsed());
        if !is_read || is_interrupted(&interrupts, pause) {
            return exit;
        }
    }
}

/// Shows what came of a look, and no more than so many rows of it; whether anybody reads on.
fn show(
    args: &StatusArgs,
    place: Place<'_>,
    looked: LookOutcome,
    (title, rows): (&str, Option<usize>),
) -> (Exit, bool) {
    let (status, text) = match looked {
        LookOutcome::Failed(exit, words) => {
            tell::error(words);
            return (exit, true);
        }
        LookOutcome::Seen(status) if args.json => {
            let text = serde_json::to_string(&status).expect("names and numbers are JSON");
            (status, text)
        }
        LookOutcome::Seen(status) => {
            let mut frame = frame(args);
            // The cursor takes a row too.
            frame.rows = rows.map(|rows| rows.saturating_sub(1 + rows_of(title, frame.width)));
            let text = title.to_owned() + &status.shown(place, frame);
            let text = match (rows, columns()) {
                (Some(rows), Some(width)) if rows > 0 => cut(&text, rows, width),
                (Some(_) | None, _) => text,
            };
            (status, text)
        }
    };
    match print_on(&text) {
        Ok(is_read) if status.is_wiped() => (Exit::Data, is_read),
        Ok(is_read) if status.is_short_of_room() => (Exit::OutOfReach, is_read),
        Ok(is_read) => (Exit::Done, is_read),
        Err(error) => (Exit::of_print(Err(error)), false),
    }
}

fn frame(args: &StatusArgs) -> Frame {
    let width = columns().map(|width| width.max(WIDTH_MIN));
    Frame { width, rows: None, blocks: args.blocks as usize }
}

/// How wide the terminal is, though nothing is readable in it.
fn columns() -> Option<usize> {
    let width = size().map(|size| usize::from(size.ws_col)).filter(|width| *width > 0);
    width.or_else(|| std::io::stdout().is_terminal().then_some(WIDTH))
}

/// That of the terminal.
fn size() -> Option<rustix::termios::Winsize> {
    let stdout = std::io::stdout();
    stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok()).flatten()
}

/// As much of a text as a terminal shows without moving it up, and how much is left out. Its cursor
/// takes a row too.
fn cut(text: &str, rows: usize, width: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let takes = |line: &&str| rows_of(line, Some(width)).max(1);
    let most = rows.saturating_sub(1).max(1);
    if lines.iter().map(takes).sum::<usize>() <= most {
        return text.to_owned();
    }
    let mut left = most - 1; // one says what is left out
    let fits = lines.iter().take_while(|line| {
        let fits = takes(line) <= left;
        left = left.saturating_sub(takes(line));
        fits
    });
    let shown: Vec<&str> = fits.copied().collect();
    let more = tell::counted(lines.len() - shown.len(), "more line");
    shown.into_iter().map(|line| format!("{line}\n")).collect::<String>() + "and " + &more
}

/// Begins the screen anew.
fn clear() {
    let mut to = std::io::stdout();
    let _ = to.write_all(b"\x1b[H\x1b[2J\x1b[3J").and_then(|()| to.flush());
}

/// Waits, and answers whether it was told to end meanwhile.
fn is_interrupted(interrupts: &AtomicU32, pause: Duration) -> bool {
    let until = Instant::now() + pause;
    while Instant::now() < until {
        if interrupts.load(Ordering::Relaxed) > 0 {
            return true;
        }
        std::thread::sleep(TICK);
    }
    interrupts.load(Ordering::Relaxed) > 0
}

/// How soon Ctrl-C is heard.
const TICK: Duration = Duration::from_millis(50);

/// That of a terminal which does not say it.
const WIDTH: usize = 80;

/// In less nothing is readable.
const WIDTH_MIN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_a_terminal_is_counted() {
        assert_eq!(cut("a\nb\nc", 4, 80), "a\nb\nc");
        assert_eq!(cut("a\nb\nc", 3, 80), "a\nand 2 more lines");
        assert_eq!(cut("a\nb\nc\nd", 4, 80), "a\nb\nand 2 more lines");
        assert_eq!(
            cut("a\nlong and longer\nc", 5, 5),
            "a\nand 2 more lines",
            "it takes three rows"
        );
        assert_eq!(cut("a\nb", 1, 80), "and 2 more lines");
    }
}
