//! One thing that is told, and the forms in which it is written.
//!
//! Not here: where it goes, and which levels do (`tell`).

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use clap::builder::styling::{Style, Styles};
use push0_core::{Timestamp, without_secrets};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{plain_json, plain_lines};

/// How much something matters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// It helps to find a fault.
    Debug,
    /// It happens.
    Info,
    /// Somebody should see to it, some time.
    Warn,
    /// It does not go on.
    Error,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// For people: time, level, words.
    Dated(Colour),
    /// For people who wait for a command that ends at once: words, as clap says them.
    Plain(Colour),
    /// For programs: an object a line.
    Json,
}

/// Whether words have colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Colour {
    On,
    Off,
}

/// Something that is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    level: Level,
    /// The time of the event that it is about, by the log.
    at: Option<Timestamp>,
    /// What it is. A line of it that is not the first belongs to it.
    message: String,
    /// What people see behind it, of which programs have the fields.
    tail: String,
    fields: Vec<(String, Value)>,
    /// Whether its first word tells people its level.
    says_its_level: bool,
}

impl Line {
    pub(crate) fn new(level: Level, message: impl Into<String>) -> Self {
        let message = without_secrets(&message.into()).into_owned();
        Self {
            level,
            at: None,
            message,
            tail: String::new(),
            fields: Vec::new(),
            says_its_level: false,
        }
    }

    /// The same about an event of this time. People see when it is told, so that no line's time is
    /// before that of the one above; the log has the event's.
    pub(crate) fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    /// The same with more words, for people alone: programs have them as fields.
    pub(crate) fn tail(mut self, tail: String) -> Self {
        self.tail = without_secrets(&tail).into_owned();
        self
    }

    /// The same with what programs read of it by name.
    pub(crate) fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let value = match value.into() {
            Value::String(text) => Value::String(without_secrets(&text).into_owned()),
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_)) => other,
        };
        self.fields.push((name.into(), value));
        self
    }

    /// The same of words that have a name of their own for their level: `refused: …`.
    pub(crate) const fn says_its_level(mut self) -> Self {
        self.says_its_level = true;
        self
    }

    pub(crate) const fn level(&self) -> Level {
        self.level
    }

    /// Adds it to `text`, with its end.
    pub(super) fn write(&self, text: &mut String, form: Form, now: Timestamp) {
        let at = time(now);
        match form {
            Form::Json => {
                let json = serde_json::to_string(&Object { line: self, at: &at });
                let json = json.expect("names and values are text");
                *text += &plain_json(&json);
                text.push('\n');
            }
            Form::Dated(colour) => {
                let (level, dim) = (style(self.level, colour), of(colour, Style::new().dimmed()));
                let word = self.level.padded();
                for line in self.shown().lines() {
                    // A text takes all that is written to it.
                    let _ = writeln!(
                        text,
                        "{dim}{at}{dim:#} {level}{word}{level:#} {}",
                        plain_lines(line)
                    );
                }
            }
            Form::Plain(colour) => {
                if let Some(word) = self.level.said().filter(|_| !self.says_its_level) {
                    let style = style(self.level, colour);
                    let _ = write!(text, "{style}{word}:{style:#} ");
                }
                *text += &plain_lines(&self.shown());
                text.push('\n');
            }
        }
    }

    /// Its words, as people see them.
    pub(crate) fn shown(&self) -> String {
        match self.tail.is_empty() {
            true => self.message.clone(),
            false => format!("{} {}", self.message, self.tail),
        }
    }
}

impl Colour {
    /// As clap decides it for stderr: a terminal, `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR`, `TERM`.
    pub(crate) fn of_stderr() -> Self {
        match anstream::AutoStream::choice(&std::io::stderr()) {
            anstream::ColorChoice::Never => Self::Off,
            anstream::ColorChoice::Auto
            | anstream::ColorChoice::AlwaysAnsi
            | anstream::ColorChoice::Always => Self::On,
        }
    }
}

impl Level {
    /// As programs read it.
    const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// As wide as all of them.
    const fn padded(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO ",
            Self::Warn => "WARN ",
            Self::Error => "ERROR",
        }
    }

    /// As it stands before words without a time.
    const fn said(self) -> Option<&'static str> {
        match self {
            Self::Debug => Some("debug"),
            Self::Info => None,
            Self::Warn => Some("warning"),
            Self::Error => Some("error"),
        }
    }
}

/// A line as programs read it. What it is comes first, and its fields after that.
struct Object<'a> {
    line: &'a Line,
    at: &'a str,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Line { level, message, fields, .. } = self.line;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("time", self.at)?;
        object.serialize_entry("level", level.name())?;
        object.serialize_entry("message", message)?;
        if let Some(of_event) = self.line.at {
            object.serialize_entry("at", &precise(of_event))?;
        }
        for (name, value) in fields {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

/// RFC 3339, UTC, to the millisecond: the same on every machine, and what `log cat` prints begins
/// with it.
fn time(at: Timestamp) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_micros(at.0)).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_millis(time).to_string()
}

/// The same to the microsecond, as `log cat` has it.
fn precise(at: Timestamp) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_micros(at.0)).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_micros(time).to_string()
}

/// clap's own for errors, and its like for the others.
fn style(level: Level, colour: Colour) -> Style {
    let style = match level {
        Level::Debug => Style::new().dimmed(),
        Level::Info => *Styles::styled().get_valid(),
        Level::Warn => Styles::styled().get_invalid().bold(),
        Level::Error => *Styles::styled().get_error(),
    };
    of(colour, style)
}

const fn of(colour: Colour, style: Style) -> Style {
    match colour {
        Colour::On => style,
        Colour::Off => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_runs_for_long_has_a_time_and_a_level_in_every_line() {
        insta::assert_snapshot!(written(Form::Dated(Colour::Off)), @r"
        2025-10-09T08:53:20.123Z DEBUG a detail
        2025-10-09T08:53:20.123Z INFO  granted stage=leaf key=5
        2025-10-09T08:53:20.123Z WARN  it says \u{1b}[2J\u{9b}
        2025-10-09T08:53:20.123Z ERROR one
        2025-10-09T08:53:20.123Z ERROR   more of it
        ");
    }

    #[test]
    fn what_ends_at_once_says_it_as_clap_does() {
        insta::assert_snapshot!(written(Form::Plain(Colour::Off)), @r"
        debug: a detail
        granted stage=leaf key=5
        warning: it says \u{1b}[2J\u{9b}
        error: one
          more of it
        ");
    }

    #[test]
    fn programs_have_an_object_a_line_with_the_fields_by_name() {
        let written = written(Form::Json);
        insta::assert_snapshot!(written, @r#"
        {"time":"2025-10-09T08:53:20.123Z","level":"debug","message":"a detail"}
        {"time":"2025-10-09T08:53:20.123Z","level":"info","message":"granted","at":"2025-10-09T08:53:20.000000Z","stage":"leaf","inputs":2}
        {"time":"2025-10-09T08:53:20.123Z","level":"warn","message":"it says \u001b[2J\u009b"}
        {"time":"2025-10-09T08:53:20.123Z","level":"error","message":"one\n  more of it"}
        "#);
        for line in written.lines() {
            serde_json::from_str::<Value>(line).expect("an object");
        }
    }

    #[test]
    fn colours_are_those_of_clap() {
        let written = written(Form::Plain(Colour::On));
        let wanted = Styles::styled();
        let error = wanted.get_error();
        assert!(written.contains(&format!("{error}error:{error:#} one")), "{written:?}");
    }

    fn written(form: Form) -> String {
        let now = Timestamp(1_760_000_000_123_456);
        let lines = [
            Line::new(Level::Debug, "a detail"),
            Line::new(Level::Info, "granted")
                .at(Timestamp(1_760_000_000_000_000))
                .tail("stage=leaf key=5".to_owned())
                .with("stage", "leaf")
                .with("inputs", json!(2)),
            Line::new(Level::Warn, "it says \u{1b}[2J\u{9b}"),
            Line::new(Level::Error, "one\n  more of it"),
        ];
        let mut text = String::new();
        lines.iter().for_each(|line| line.write(&mut text, form, now));
        text
    }
}
