//! The ways to fail that tests need.
//!
//! Not here: when each is asked for (`arguments`), and what push0 makes of it.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode, Stdio};
use std::time::Duration;
use std::{env, mem, thread};

use push0_prover::wire::Digest;
use push0_prover::{Failure, FailureClass, Input, Output, Task};

/// What should go wrong.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Trouble {
    pub(crate) flood_bytes: u64,
    pub(crate) eat_bytes: u64,
    pub(crate) leak: bool,
    pub(crate) daemon: bool,
    pub(crate) hang: bool,
    pub(crate) panic: bool,
    pub(crate) exit: Option<u8>,
    pub(crate) say: Option<FailureClass>,
    pub(crate) no_output: bool,
    pub(crate) garbage: bool,
    pub(crate) flaky_bytes: bool,
    pub(crate) fail_first: Option<u64>,
    pub(crate) state: Option<PathBuf>,
}

/// What must be decided before the SDK takes over. `Some`: the process ends with it.
pub(crate) fn before_anything_else() -> Option<ExitCode> {
    let args: Vec<_> = env::args_os().skip(1).collect();
    if args.first().is_some_and(|arg| arg == LINGER) {
        return Some(linger(args.iter().any(|arg| arg == OWN_SESSION)));
    }
    if !args.iter().any(|arg| arg == IGNORE_TERM) {
        return None;
    }
    // An ignored signal stays ignored across exec, so a shell can do what safe Rust cannot.
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"trap "" TERM; exec "$0" "$@""#]).arg(env::current_exe().ok()?);
    let error = shell.args(args.iter().filter(|arg| *arg != IGNORE_TERM)).exec();
    complain(&format!("sh: {error}"));
    Some(ExitCode::FAILURE)
}

impl Trouble {
    /// What is left of it in this attempt: all, or nothing after the first `fail_first`.
    pub(crate) fn of_attempt(self, task: &Task) -> Result<Self, Failure> {
        let (Some(fail_first), Some(state)) = (self.fail_first, &self.state) else {
            return Ok(self);
        };
        let attempt = count(state, task, fail_first)
            .map_err(|error| Failure::failed(format!("--state {}: {error}", state.display())))?;
        if attempt >= fail_first {
            return Ok(Self::default());
        }
        let ends = self.hang
            || self.panic
            || self.exit.is_some()
            || self.say.is_some()
            || self.no_output
            || self.garbage;
        let say = if ends { self.say } else { Some(FailureClass::Transient) };
        Ok(Self { say, ..self })
    }

    /// What goes wrong at the start, and is survived.
    pub(crate) fn begin(&self) -> Result<(), Failure> {
        flood(self.flood_bytes);
        if let Ok(bytes @ 1..) = usize::try_from(self.eat_bytes) {
            // Every page is written to, and none given back.
            mem::forget(black_box(vec![1_u8; bytes]));
        }
        let behind = [(self.leak, None), (self.daemon, Some(OWN_SESSION))];
        for (_, session) in behind.into_iter().filter(|(wanted, _)| *wanted) {
            leave_behind(session).map_err(|error| Failure::transient(error.to_string()))?;
        }
        Ok(())
    }

    /// How it ends; `None`: well.
    pub(crate) fn end(&self) -> Result<Option<Output>, Failure> {
        if self.hang {
            loop {
                thread::park();
            }
        }
        assert!(!self.panic, "told to panic");
        if let Some(code) = self.exit {
            process::exit(code.into());
        }
        if let Some(class) = self.say {
            return Err(Failure::new(class, "told to fail"));
        }
        if self.no_output {
            process::exit(0);
        }
        Ok(self.garbage.then(|| Output::Raw(b"\xff{garbage".to_vec())))
    }
}

/// Which attempt at `task` this is, from 0, among all processes that count in `state`; `most` at
/// most.
fn count(state: &Path, task: &Task, most: u64) -> io::Result<u64> {
    fs::create_dir_all(state)?;
    let named = match (&task.input, task.id.as_str()) {
        (Input::Raw(bytes), "") => Digest::of(bytes).to_string(),
        (Input::Bundle(_) | Input::Raw(_), id) => id.to_owned(),
    };
    for attempt in 0..most {
        match File::create_new(state.join(format!("{named}.{attempt}"))) {
            Ok(_) => return Ok(attempt),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(most)
}

/// Writes `bytes` bytes, in lines, to stdout and as many to stderr, whoever reads them.
fn flood(bytes: u64) {
    let line = [[b'~'; 63].as_slice(), b"\n"].concat();
    let (mut stdout, mut stderr) = (io::stdout().lock(), io::stderr().lock());
    let mut left = bytes;
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(line.len());
        let line = line.get(line.len() - length..).unwrap_or(&line);
        let _ = stdout.write_all(line);
        let _ = stderr.write_all(line);
        left = left.saturating_sub(line.len() as u64);
    }
    let _ = stdout.flush();
}

/// Starts a process that nobody waits for, and that keeps this one's stdout and stderr open.
fn leave_behind(session: Option<&str>) -> io::Result<()> {
    let mut child = Command::new(env::current_exe()?);
    let child = child.arg(LINGER).args(session).stdin(Stdio::null()).spawn()?;
    complain(&format!("left process {} behind", child.id()));
    Ok(())
}

/// What a process that is left behind does.
fn linger(own_session: bool) -> ExitCode {
    if own_session && let Err(error) = rustix::process::setsid() {
        complain(&format!("setsid: {error}"));
        return ExitCode::FAILURE;
    }
    thread::sleep(LINGERS);
    ExitCode::SUCCESS
}

fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "mock: {line}");
}

const IGNORE_TERM: &str = "--ignore-term";
const LINGER: &str = "linger";
const OWN_SESSION: &str = "--own-session";

/// Longer than any test waits, and an end for what a failed test leaves behind.
const LINGERS: Duration = Duration::from_secs(120);
