//! How much is told on stderr, and in which form: the flags that every command takes.
//!
//! Not here: the telling (`tell`).

use clap::{Args, ValueEnum};

use super::Command;
use crate::tell::{Colour, Form, Level, Manner};

/// What is told on stderr.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Told on stderr")]
pub(super) struct TellArgs {
    /// Tell warnings and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Tell details too
    #[arg(short, long, global = true)]
    verbose: bool,
    /// text for people, or json: an object a line, with time, level, message, and fields by name
    /// [default: text]
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        env = "PUSH0_LOG_FORMAT",
        hide_env_values = true,
        hide_possible_values = true,
        hide_default_value = true,
        default_value_t = Format::Text
    )]
    log_format: Format,
}

/// What lines are written as.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

impl TellArgs {
    /// How to tell what a command does that may run for long, or ends at once.
    pub(super) fn manner(self, is_long: bool) -> Manner {
        let least = match (self.quiet, self.verbose) {
            (true, _) => Level::Warn,
            (false, true) => Level::Debug,
            (false, false) => Level::Info,
        };
        let form = match (self.log_format, is_long) {
            (Format::Json, _) => Form::Json,
            (Format::Text, true) => Form::Dated(Colour::of_stderr()),
            (Format::Text, false) => Form::Plain(Colour::of_stderr()),
        };
        Manner { least, form }
    }
}

impl Command {
    /// Whether it goes on for as long as there is work, or as somebody wants it to: what it tells
    /// has times then.
    pub(super) const fn is_long(&self) -> bool {
        match self {
            Self::Run(_)
            | Self::Dev(_)
            | Self::Serve(_)
            | Self::Dispatch(_)
            | Self::Fetch(_)
            | Self::Submit(_)
            | Self::Proofs(_) => true,
            Self::Init(_)
            | Self::Head(_)
            | Self::Finish(_)
            | Self::Drain(_)
            | Self::Cordon(_)
            | Self::Uncordon(_)
            | Self::Apply(_)
            | Self::Retry(_)
            | Self::Discard(_)
            | Self::Unpin(_)
            | Self::Alive(_)
            | Self::Check(_)
            | Self::Doctor(_)
            | Self::Verify(_)
            | Self::Status(_)
            | Self::Explain(_)
            | Self::Log(_)
            | Self::Logs(_)
            | Self::Artifacts(_)
            | Self::Bench(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
        }
    }
}
