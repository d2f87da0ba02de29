//! What people are told while push0 works: lines on stderr, each with its time and its level.
//!
//! ```text
//!   run, cluster, cli ──words──▶ Line ──Manner──▶ 2026-11-30T10:02:36.123Z WARN  words      of what runs for long
//!                                          ├────▶ warning: words                            of what ends at once
//!                                          └────▶ {"time":…,"level":"warn","message":…}     for programs
//! ```
//!
//! Whatever is told goes through a [`Line`], and so is told without what is secret in its URLs.
//! Whatever a stranger's words are in them, a terminal obeys none. Nobody is troubled if nobody
//! reads.
//!
//! This module knows nobody who tells. Not here: what a command answers, which is on stdout and is
//! not told.

mod flags;
mod line;
mod repeats;
mod writer;

use std::fmt::Display;
use std::io::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};

pub(crate) use push0_core::counted;
use push0_core::{plain_json, plain_lines};

pub(crate) use flags::flags;
pub(crate) use line::{Colour, Form};
pub use line::{Level, Line};
pub(crate) use repeats::{Repeats, shown};

/// How this process tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Manner {
    /// What matters less is left out.
    pub(crate) least: Level,
    pub(crate) form: Form,
}

/// Has this process tell in this manner from here on. Before, and without, it tells as what ends at
/// once does.
pub(crate) fn begin(manner: Manner) {
    // The first word counts: a second one would be of another command, and a process does one.
    let _ = MANNER.set(manner);
}

/// Has whoever tells never wait for who reads, from here on. What ends at once need not: its words
/// are in order with what it prints.
pub(crate) fn never_wait() {
    writer::begin(|count| {
        let mut text = String::new();
        let words = format!("{} left out: stderr took none for a while", counted(count, "line"));
        Line::new(Level::Warn, words).write(&mut text, manner().form, crate::clock::wall());
        text
    });
}

/// Waits for a moment until what was told is written.
pub(crate) fn end() {
    writer::end();
}

/// Whether what matters so much is told.
pub(crate) fn tells(level: Level) -> bool {
    level >= manner().least
}

/// Whether a person may be shown pictures: of words alone, where no program reads them.
pub(crate) fn may_draw() -> bool {
    tells(Level::Info) && !wants_fields()
}

/// Whether programs read what is told.
pub(crate) fn wants_fields() -> bool {
    manner().form == Form::Json
}

/// What helps to find a fault, and is asked for.
pub(crate) fn debug(words: impl Display) {
    say(Level::Debug, &words);
}

/// What happens.
pub(crate) fn info(words: impl Display) {
    say(Level::Info, &words);
}

/// What somebody should see to, some time.
pub(crate) fn warn(words: impl Display) {
    say(Level::Warn, &words);
}

/// Why it does not go on.
pub(crate) fn error(words: impl Display) {
    say(Level::Error, &words);
}

/// Each of several reasons why it does not go on.
pub(crate) fn errors(words: impl IntoIterator<Item: Display>) {
    words.into_iter().for_each(error);
}

fn say(level: Level, words: &impl Display) {
    if tells(level) {
        tell(&[Line::new(level, words.to_string())]);
    }
}

/// Tells lines, in one piece, so that those of two processes do not mix.
pub(crate) fn tell(lines: &[Line]) {
    let Manner { least, form } = manner();
    let now = crate::clock::wall();
    let mut text = String::new();
    for line in lines.iter().filter(|line| line.level() >= least) {
        line.write(&mut text, form, now);
    }
    put(&text);
}

/// Tells why this process ends at once: past whoever draws, who may be what has failed.
pub(crate) fn last(words: &str) {
    let mut text = String::new();
    Line::new(Level::Error, words).write(&mut text, manner().form, crate::clock::wall());
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Tells what is to be read and typed as it stands: without time and level, unless a program reads
/// it.
pub(crate) fn page(text: &str) {
    match manner().form {
        Form::Json => tell(&[Line::new(Level::Info, text)]),
        Form::Dated(_) | Form::Plain(_) if tells(Level::Info) => {
            put(&plain_lines(&format!("{text}\n")));
        }
        Form::Dated(_) | Form::Plain(_) => {}
    }
}

/// Prints lines that others have made for people, each with its end.
pub(crate) fn as_it_is(lines: &str) {
    put(&plain_lines(lines));
}

/// Has lines go through `put` from here on, by whoever draws on the terminal; straight to stderr,
/// where nobody does.
pub(crate) fn through(put: Option<Put>) {
    *ABOVE.lock().unwrap_or_else(PoisonError::into_inner) = put;
}

/// Takes lines, each with its end.
pub(crate) type Put = Box<dyn Fn(&str) + Send>;

fn put(lines: &str) {
    if lines.is_empty() {
        return;
    }
    let above = ABOVE.lock().unwrap_or_else(PoisonError::into_inner);
    match above.as_ref() {
        Some(put) => put(lines),
        None => writer::put(lines),
    }
}

/// How this process tells.
pub(crate) fn manner() -> Manner {
    MANNER.get().copied().unwrap_or(UNTOLD)
}

static MANNER: OnceLock<Manner> = OnceLock::new();

static ABOVE: Mutex<Option<Put>> = Mutex::new(None);

const UNTOLD: Manner = Manner { least: Level::Info, form: Form::Plain(Colour::Off) };
