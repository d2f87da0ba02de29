//! How another push0 is had to tell as this one does: `push0 dev` starts some.
//!
//! Not here: what the flags mean when they are read (`cli`).

use super::{Form, Level, Manner, manner};

/// The flags that have another push0 tell as this one does.
pub(crate) fn flags() -> Vec<&'static str> {
    let Manner { least, form } = manner();
    let mut flags = match form {
        Form::Json => vec!["--log-format", "json"],
        Form::Dated(_) | Form::Plain(_) => vec![],
    };
    flags.extend(match least {
        Level::Debug => Some("--verbose"),
        Level::Info => None,
        Level::Warn | Level::Error => Some("--quiet"),
    });
    flags
}
