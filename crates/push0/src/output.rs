//! What a command prints: its result on stdout, everything else on stderr, tables for people.
//!
//! Whoever stops reading has read enough: a closed pipe ends the output and is no error.
//!
//! Not here: progress of a run (`run`).

use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write as _};
use std::path::Path;

use push0_core::{plain, plain_json, plain_lines};

/// stdout for many lines.
pub(crate) struct Lines {
    to: BufWriter<StdoutLock<'static>>,
    failed: Option<io::Error>,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self { to: BufWriter::new(io::stdout().lock()), failed: None }
    }

    /// Prints a line, or several, unless one before it could not be. Whatever a stranger's words
    /// are in it, a terminal obeys none; JSON stays JSON.
    pub(crate) fn line(&mut self, line: &str) {
        let line = if line.starts_with('{') { plain_json(line) } else { plain_lines(line) };
        if self.failed.is_none() {
            self.failed = writeln!(self.to, "{line}").err();
        }
    }

    /// What was printed so far goes out; whether anybody may still read.
    pub(crate) fn flush(&mut self) -> bool {
        if self.failed.is_none() {
            self.failed = self.to.flush().err();
        }
        self.failed.is_none()
    }

    /// What is left goes out.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self.flushed() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            printed => printed,
        }
    }

    fn flushed(mut self) -> io::Result<()> {
        let printed = self.failed.take().map_or_else(|| self.to.flush(), Err);
        // What could not be written must not be tried again when this is dropped.
        let _ = self.to.into_parts();
        printed
    }
}

/// Prints a command's result.
pub(crate) fn print(text: &str) -> io::Result<()> {
    print_on(text).map(|_| ())
}

/// The same, and answers whether anybody reads on.
pub(crate) fn print_on(text: &str) -> io::Result<bool> {
    let mut lines = Lines::new();
    lines.line(text.trim_end_matches('\n'));
    match lines.flushed() {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        printed => printed.map(|()| true),
    }
}

/// Prints what push0 itself has made, byte for byte.
pub(crate) fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut to = io::stdout().lock();
    match to.write_all(bytes).and_then(|()| to.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// As a shell takes it for one word.
pub(crate) fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+".contains(letter);
    match path.chars().all(is_plain) && !path.starts_with('-') {
        true => path,
        false => format!("'./{}'", path.replace('\'', r"'\''")).replace("'.//", "'/"),
    }
}

/// Columns, each as wide as its widest cell; the first row is the head.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The sense of a message that may have many lines: how it begins, and the line in which a program
/// says why it gave up, which is mostly the last.
pub(crate) fn gist(message: &str) -> String {
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.collect();
    let Some((first, rest)) = lines.split_first() else { return String::new() };
    let first = plain(first);
    match (rest, told(rest)) {
        (_, None) => first.into_owned(),
        ([_], Some(why)) => format!("{first} {}", plain(&why)),
        (_, Some(why)) => format!("{first} … {}", plain(&why)),
    }
}

/// The line that says why, among lines of which the last may be a trace.
fn told(lines: &[&str]) -> Option<String> {
    let traces = traces(lines);
    if let Some(at) = lines.iter().rposition(|line| line.contains("panicked at ")) {
        // What it panics with is on the next line.
        let both = lines.iter().zip(&traces).skip(at).take(2).filter(|(_, is_trace)| !**is_trace);
        return Some(both.map(|(line, _)| *line).collect::<Vec<_>>().join(" "));
    }
    let others = lines.iter().zip(&traces).rfind(|(_, is_trace)| !**is_trace);
    let last = others.map(|(line, _)| line).or_else(|| lines.last());
    last.map(|line| (*line).to_owned())
}

/// Which lines are of a trace, or point to one. What else begins with a number or with "at" is
/// somebody's words: of a trace is what stands behind its head, or what names a place in a source,
/// or a symbol.
fn traces(lines: &[&str]) -> Vec<bool> {
    let mut is_behind_head = false;
    let places = lines.iter().skip(1).map(|line| is_place(line)).chain([false]);
    let traces = lines.iter().zip(places).map(|(line, is_before_place)| {
        let is_head = line.eq_ignore_ascii_case("stack backtrace:");
        let is_frame =
            frame(line).is_some_and(|what| is_behind_head || is_before_place || is_symbol(what));
        let is_of_trace = is_frame || is_place(line);
        is_behind_head = is_head || is_behind_head && is_of_trace;
        is_head || is_of_trace || is_note(line)
    });
    traces.collect()
}

/// What a numbered line says: `3: main`.
fn frame(line: &str) -> Option<&str> {
    let (number, what) = line.split_once(": ")?;
    is_number(number).then_some(what)
}

fn is_symbol(what: &str) -> bool {
    what.starts_with(['<', '_']) || what.starts_with("0x") || what.contains("::")
}

/// What stands below a trace, and says nothing of why: how to see more of it, that there is more,
/// and of what version it is.
fn is_note(line: &str) -> bool {
    let is_more = |rest: &str| rest.strip_suffix(" more").is_some_and(is_number);
    line.starts_with("note: ") && line.contains("RUST_BACKTRACE")
        || line.strip_prefix("... ").is_some_and(is_more)
        || line.strip_prefix("Node.js v").is_some_and(|rest| rest.split('.').all(is_number))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_digit())
}

/// Whether a line is a frame's place, or a frame with its place: `at ./src/main.rs:4:5`, `at prove
/// (/app/prove.js:3:9)`, `at Prover.prove(Prover.java:3)`, `at prove (<anonymous>)`.
fn is_place(line: &str) -> bool {
    let Some(place) = line.strip_prefix("at ") else { return false };
    let place = place.strip_suffix(')').unwrap_or(place);
    let is_line = place.rsplit_once(':').is_some_and(|(file, line)| {
        let line = line.strip_prefix("line ").unwrap_or(line);
        !file.is_empty() && is_number(line)
    });
    is_line || NO_PLACES.iter().any(|nowhere| place.ends_with(nowhere))
}

/// What stands where a frame has no place in a source.
const NO_PLACES: [&str; 4] = ["(<anonymous>", "(native", "(Native Method", "(Unknown Source"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gist_has_the_last_line() {
        assert_eq!(gist("a"), "a");
        assert_eq!(
            gist("exit code 1; the end of its output:\nbad\n"),
            "exit code 1; the end of its output: bad"
        );
        assert_eq!(gist("a:\nb\nc\u{1b}\n\n"), "a: … c\\u{1b}");
        assert_eq!(gist("\n"), "");
    }

    #[test]
    fn the_gist_has_what_a_program_panicked_with_and_no_trace() {
        let panic = "exit code 101; the end of its output:\nstarts\n\nthread 'main' (7) panicked at src/main.rs:4:5:\n\
            no device\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        assert_eq!(
            gist(panic),
            "exit code 101; the end of its output: … thread 'main' (7) panicked at src/main.rs:4:5: no device"
        );
        let traced =
            "exit code 1:\nno device\nstack backtrace:\n   0: main\n         at ./src/main.rs:4\n";
        assert_eq!(gist(traced), "exit code 1: … no device");
    }

    #[test]
    fn the_gist_has_a_last_line_that_only_begins_like_a_trace() {
        for last in [
            "at least 24 GiB is needed",
            "at 12:30 the driver was reset",
            "2: out of memory",
            "1: ioctl failed (os error 12)",
            "note: the key is of another version",
        ] {
            let message = format!("exit code 1:\nloading keys\n{last}\n");
            assert_eq!(gist(&message), format!("exit code 1: … {last}"));
        }
        // As the errors of many programs are told.
        let caused =
            "exit code 1:\nError: no proof\n\nCaused by:\n    0: no device\n    1: out of memory\n";
        let traced = format!("{caused}\nStack backtrace:\n   0: <unknown>\n   1: main\n");
        assert_eq!([gist(caused), gist(&traced)], ["exit code 1: … 1: out of memory"; 2]);
    }

    #[test]
    fn the_gist_has_no_frame_of_any_language() {
        for trace in [
            "    at prove (/app/prove.js:3:9)\n    at async main (file:///app/main.js:2:1)\n\nNode.js v20.11.0",
            "    at new Promise (<anonymous>)\n    at node:internal/main:5:12",
            "    at app//Prover.prove(Prover.java:3)\n    at Thread.run(Unknown Source)\n\t... 12 more",
            "    at Prover.Prove() in /app/Prover.cs:line 3",
            "  12: app::main\n             at ./src/main.rs:4:5\n  13: main\n             at ./src/a.rs:1\n  14: _start",
        ] {
            assert_eq!(
                gist(&format!("exit code 1:\nno device\n{trace}\n")),
                "exit code 1: … no device"
            );
        }
    }

    #[test]
    fn a_directory_is_one_word_of_a_shell() {
        let quoted = |dir: &str| quoted(Path::new(dir));
        assert_eq!([quoted("a/b-1"), quoted("/x")], ["a/b-1", "/x"]);
        assert_eq!([quoted("a b"), quoted("-x"), quoted("/a b")], ["'./a b'", "'./-x'", "'/a b'"]);
        assert_eq!(quoted("it's"), r"'./it'\''s'");
    }
}
