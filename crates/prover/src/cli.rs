//! The `main()` of every prover: reads the command line, and speaks the contract it asks for.
//!
//! Arguments that the SDK does not know are the prover's own and reach it as `Task::args`.
//!
//! Not here: what each contract does (`file`, `serve`, `verify`).

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::around::USAGE;
use crate::replies::complain;
use crate::{Prover, file, serve, verify};

/// Runs the prover `P` as a program: under the file contract, the serve contract, or as a verifier.
///
/// This is the whole `main()` of a prover; the crate's documentation shows one.
#[must_use]
pub fn main<P: Prover>() -> ExitCode {
    match Command::parse(env::args_os().skip(1).collect()) {
        Ok(Command::Help) => print(&help::<P>()),
        Ok(Command::Prove { input, output, args }) => file::prove::<P>(&input, &output, args),
        Ok(Command::Verify { envelope }) => verify::verify::<P>(&envelope),
        Ok(Command::Serve { .. }) if serves_nobody() => {
            complain(&help::<P>());
            ExitCode::from(USAGE)
        }
        Ok(Command::Serve { args }) => serve::serve::<P>(args),
        Err(error) => {
            complain(&format!("error: {error}\n(--help says how it is used)"));
            ExitCode::from(USAGE)
        }
    }
}

/// What the command line asks for.
#[derive(Debug, Eq, PartialEq)]
enum Command {
    Help,
    Prove { input: PathBuf, output: PathBuf, args: Vec<String> },
    Serve { args: Vec<String> },
    Verify { envelope: PathBuf },
}

/// Why a command line cannot be followed.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
enum UsageError {
    /// Give the path.
    #[error("{0} needs a path after it")]
    NoPath(&'static str),
    /// Give it once.
    #[error("{0} is given twice")]
    Twice(&'static str),
    /// Give the other one too.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Arguments reach provers as text.
    #[error("argument {0:?} is not UTF-8")]
    NotText(OsString),
}

impl Command {
    fn parse(argv: Vec<OsString>) -> Result<Self, UsageError> {
        let (mut input, mut output, mut args) = (None, None, Vec::new());
        let mut argv = argv.into_iter();
        while let Some(arg) = argv.next() {
            let (slot, name) = match arg.to_str() {
                Some("--input-path" | "-i") => (&mut input, INPUT),
                Some("--output-path" | "-o") => (&mut output, OUTPUT),
                Some("--help" | "-h") => return Ok(Self::Help),
                Some(text) => {
                    args.push(text.to_owned());
                    continue;
                }
                None => return Err(UsageError::NotText(arg)),
            };
            let path = PathBuf::from(argv.next().ok_or(UsageError::NoPath(name))?);
            if slot.replace(path).is_some() {
                return Err(UsageError::Twice(name));
            }
        }
        match (input, output) {
            (Some(input), Some(output)) => Ok(Self::Prove { input, output, args }),
            (Some(envelope), None) if is_verify(&args) => Ok(Self::Verify { envelope }),
            (None, None) if is_verify(&args) => Err(UsageError::Missing(INPUT)),
            (Some(_), None) => Err(UsageError::Missing(OUTPUT)),
            (None, Some(_)) => Err(UsageError::Missing(INPUT)),
            (None, None) => Ok(Self::Serve { args }),
        }
    }
}

/// `verify` stands last: before it may be the program's own arguments.
fn is_verify(args: &[String]) -> bool {
    args.last().is_some_and(|arg| arg == "verify")
}

fn serves_nobody() -> bool {
    io::stdin().is_terminal() && env::var_os("PUSH0_CONTRACT").is_none_or(|name| name != "serve")
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn help<P: Prover>() -> String {
    let name = P::NAME;
    let about = P::ABOUT.trim();
    let mock = if P::IS_MOCK { "MOCK: what it makes proves nothing.\n\n" } else { "" };
    let gap = if about.is_empty() { "" } else { "\n\n" };
    format!(
        "\
{name}: a prover for push0

{mock}{about}{gap}Usage:
  {name} [ARGS] --input-path FILE --output-path FILE
      Proves one task and exits. FILE holds a bundle, one item, an array of
      items, or a block number. Lines `progress 0.42` on stdout tell how far it is.
      Exit: 0 written, 75 try again, 77 unprovable, 137 out of memory, 1 failed.
  {name} [ARGS]
      Serves: reads one JSON object a line from stdin, answers on stdout, proves
      one task after another, and exits at the end of stdin.
        {{\"prove\":{{\"task\":\"2a\",\"attempt\":1,\"stage\":\"leaf\",\"args\":[],
                  \"input\":\"/abs/in\",\"output\":\"/abs/out\",\"deadline_ms\":60000}}}}
        {{\"cancel\":{{\"attempt\":1}}}}
  {name} verify --input-path ENVELOPE
      Checks a proof, and says so on stdout in a line: {{\"vkey\":…,\"claim\":…}}
      and exit 0 accepted, {{\"refused\":\"why\"}} and 1 refused,
      {{\"undecided\":\"why\"}} and 2 could not tell.

Options:
  -i, --input-path FILE    what to prove, or to verify
  -o, --output-path FILE   where the result goes
  -h, --help               this text

Environment:
  PUSH0_CACHE              a directory that may be kept between runs
                           [default: $XDG_CACHE_HOME/push0/{name}]
  PUSH0_TASK, PUSH0_STAGE, PUSH0_ATTEMPT, PUSH0_DEADLINE (milliseconds left)
                           what the task is; push0 sets them
  PUSH0_CONTRACT=serve     serve even if stdin is a terminal
"
    )
}

const INPUT: &str = "--input-path";
const OUTPUT: &str = "--output-path";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, UsageError> {
        Command::parse(line.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn arguments_of_the_prover_reach_it_in_order() {
        let args = ["leaf", "--fast", "3"].map(String::from).to_vec();
        let prove = Command::Prove { input: "a".into(), output: "b".into(), args };
        assert_eq!(parse("leaf -i a --fast --output-path b 3"), Ok(prove));
    }

    #[test]
    fn no_paths_is_serve() {
        assert_eq!(parse("--fast"), Ok(Command::Serve { args: vec!["--fast".into()] }));
    }

    #[test]
    fn verify_may_follow_the_programs_own_arguments() {
        let verify = Command::Verify { envelope: "e".into() };
        assert_eq!(parse("--fast verify --input-path e"), Ok(verify));
    }

    #[test]
    fn half_a_command_line_is_refused() {
        assert_eq!(parse("-i a"), Err(UsageError::Missing(OUTPUT)));
        assert_eq!(parse("-o a"), Err(UsageError::Missing(INPUT)));
        assert_eq!(parse("verify"), Err(UsageError::Missing(INPUT)));
        assert_eq!(parse("-i"), Err(UsageError::NoPath(INPUT)));
        assert_eq!(parse("-i a -o b -i c"), Err(UsageError::Twice(INPUT)));
    }
}
