//! What was found of a machine or a program: that it is well, or what is wrong with it and what to
//! do.
//!
//! Not here: who looks (`trial`, `doctor`).

mod out;

use std::fmt;

use push0_core::{plain, without_secrets};
use serde::Serialize;

pub(crate) use self::out::FindingsOut;

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at.
    pub(crate) about: String,
    /// How it stands.
    pub(crate) standing: Standing,
    /// What was seen.
    pub(crate) said: String,
    /// What to do; there is nothing to do about what is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

/// How something stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// As it should be.
    Ok,
    /// It works, and something is worth knowing.
    Warn,
    /// It does not work.
    Fail,
}

impl Finding {
    pub(crate) fn ok(about: impl Into<String>, said: impl Into<String>) -> Self {
        let (about, said) = (shown(about), shown(said));
        Self { about, standing: Standing::Ok, said, remedy: None }
    }

    pub(crate) fn warn(
        about: impl Into<String>,
        said: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(shown(remedy));
        Self { standing: Standing::Warn, remedy, ..Self::ok(about, said) }
    }

    pub(crate) fn fail(
        about: impl Into<String>,
        said: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { standing: Standing::Fail, ..Self::warn(about, said, remedy) }
    }
}

/// Whoever is named in a URL is not told.
fn shown(words: impl Into<String>) -> String {
    without_secrets(&words.into()).into_owned()
}

/// A line, whatever a program said.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { about, standing, said, remedy } = self;
        let word = match standing {
            Standing::Ok => "ok  ",
            Standing::Warn => "warn",
            Standing::Fail => "FAIL",
        };
        write!(f, "{word}  {}: {}", plain(about), plain(said))?;
        match remedy {
            Some(remedy) => write!(f, ": {}", plain(remedy)),
            None => Ok(()),
        }
    }
}
