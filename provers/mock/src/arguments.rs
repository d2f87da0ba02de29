//! The mock's arguments: what to make, how long to take, and what should go wrong.
//!
//! Not here: `--input-path` and the like, which the SDK reads.

use std::num::{NonZeroU64, ParseIntError};
use std::path::PathBuf;
use std::time::Duration;

use push0_prover::{Failure, FailureClass};

use crate::trouble::Trouble;

/// What one task is told to do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) job: Job,
    pub(crate) lasts: Lasts,
    /// Whether it keeps a core busy for that time.
    pub(crate) is_busy: bool,
    pub(crate) trouble: Trouble,
}

/// What to make.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Job {
    /// A result for the input, whatever it is.
    #[default]
    Prove,
    /// Parts of a block: so many, or two to five.
    Split(Option<NonZeroU64>),
    /// A result for one part.
    Step,
    /// One result for the results of all parts of a block.
    Join,
}

/// How long to take: from the one to the other, included.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Lasts {
    pub(crate) least: Duration,
    pub(crate) most: Duration,
}

/// Why the arguments make no sense. Change the pipeline or the command.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error("unknown argument {0:?}; --help lists them")]
    Unknown(String),
    #[error("{0} needs a value after it")]
    NoValue(String),
    #[error("not a number: {0}")]
    Number(#[from] ParseIntError),
    #[error("{0:?} is no time: write 250ms, 3s, 2m, or 1s..4s")]
    Time(String),
    #[error("{0:?} is no size: write 1000, 64KiB, 64MiB or 1GiB")]
    Size(String),
    #[error("{0:?} is no failure class")]
    Class(String),
    #[error("--fail-first needs --state DIR, where attempts are counted")]
    NoState,
}

impl From<ArgumentError> for Failure {
    fn from(error: ArgumentError) -> Self {
        Self::failed(error.to_string())
    }
}

impl Arguments {
    pub(crate) fn parse(args: &[String]) -> Result<Self, ArgumentError> {
        let mut read = Self::default();
        let mut args = args.iter().map(String::as_str).peekable();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| ArgumentError::NoValue(arg.to_owned()));
            let trouble = &mut read.trouble;
            match arg {
                "prove" => read.job = Job::Prove,
                "step" => read.job = Job::Step,
                "join" => read.job = Job::Join,
                "split" => {
                    let count = args.peek().and_then(|count| count.parse().ok());
                    args.next_if(|_| count.is_some());
                    read.job = Job::Split(count);
                }
                "--for" => read.lasts = Lasts::parse(value()?)?,
                "--busy" => read.is_busy = true,
                "--exit" => trouble.exit = Some(value()?.parse()?),
                "--say" => trouble.say = Some(class(value()?)?),
                "--panic" => trouble.panic = true,
                "--garbage" => trouble.garbage = true,
                "--no-output" => trouble.no_output = true,
                "--hang" => trouble.hang = true,
                "--leak" => trouble.leak = true,
                "--daemon" => trouble.daemon = true,
                "--flood" => trouble.flood_bytes = size(value()?)?,
                "--eat" => trouble.eat_bytes = size(value()?)?,
                "--fail-first" => trouble.fail_first = Some(value()?.parse()?),
                "--state" => trouble.state = Some(PathBuf::from(value()?)),
                "--flaky-bytes" => trouble.flaky_bytes = true,
                "--ignore-term" => {} // seen to when the process started, or too late
                unknown => return Err(ArgumentError::Unknown(unknown.to_owned())),
            }
        }
        if read.trouble.fail_first.is_some() && read.trouble.state.is_none() {
            return Err(ArgumentError::NoState);
        }
        Ok(read)
    }
}

impl Lasts {
    fn parse(text: &str) -> Result<Self, ArgumentError> {
        let error = || ArgumentError::Time(text.to_owned());
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let (least, most) = (time(least).ok_or_else(error)?, time(most).ok_or_else(error)?);
        if least <= most { Ok(Self { least, most }) } else { Err(error()) }
    }
}

fn time(text: &str) -> Option<Duration> {
    let (number, milliseconds) = scaled(text, &[("ms", 1), ("s", 1000), ("m", 60_000)])?;
    Some(Duration::from_millis(number.checked_mul(milliseconds)?))
}

fn size(text: &str) -> Result<u64, ArgumentError> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)];
    scaled(text, &units)
        .and_then(|(number, bytes)| number.checked_mul(bytes))
        .ok_or_else(|| ArgumentError::Size(text.to_owned()))
}

/// The number before the first of `units` that it ends in, and how much that unit is.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<(u64, u64)> {
    let (number, scale) =
        units.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, *scale)))?;
    Some((number.parse().ok()?, scale))
}

fn class(name: &str) -> Result<FailureClass, ArgumentError> {
    serde_json::from_value(name.into()).map_err(|_| ArgumentError::Class(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, ArgumentError> {
        let words: Vec<_> = line.split_whitespace().map(String::from).collect();
        Arguments::parse(&words)
    }

    #[test]
    fn nothing_said_is_a_proof_at_once() {
        assert_eq!(parse(""), Ok(Arguments::default()));
        assert_eq!(parse("prove"), Ok(Arguments::default()));
        assert!(parse("--busy").is_ok_and(|read| read.is_busy));
    }

    #[test]
    fn times_are_one_or_a_range() {
        let (second, four) = (Duration::from_secs(1), Duration::from_secs(4));
        let lasts = |line| parse(line).map(|read| read.lasts);
        assert_eq!(lasts("--for 1s..4s"), Ok(Lasts { least: second, most: four }));
        assert_eq!(lasts("--for 1000ms"), Ok(Lasts { least: second, most: second }));
        assert_eq!(lasts("--for 4s..1s"), Err(ArgumentError::Time("4s..1s".into())));
        assert_eq!(lasts("--for 4"), Err(ArgumentError::Time("4".into())));
    }

    #[test]
    fn a_split_may_say_its_count() {
        let job = |line| parse(line).map(|read| read.job);
        assert_eq!(job("split --hang"), Ok(Job::Split(None)));
        assert_eq!(job("--for 1s split 3"), Ok(Job::Split(NonZeroU64::new(3))));
        assert_eq!(job("split 0"), Err(ArgumentError::Unknown("0".into())));
    }

    #[test]
    fn sizes_and_classes_are_read() {
        let trouble = |line| parse(line).map(|read| read.trouble);
        assert_eq!(trouble("--eat 2MiB").map(|read| read.eat_bytes), Ok(2 << 20));
        let say = trouble("--say invalid_input").map(|read| read.say);
        assert_eq!(say, Ok(Some(FailureClass::InvalidInput)));
        assert_eq!(trouble("--say ill"), Err(ArgumentError::Class("ill".into())));
        assert_eq!(trouble("--eat lots"), Err(ArgumentError::Size("lots".into())));
        assert_eq!(trouble("--fail-first 2"), Err(ArgumentError::NoState));
        assert_eq!(trouble("--exit"), Err(ArgumentError::NoValue("--exit".into())));
    }
}
