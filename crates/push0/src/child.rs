//! A process of somebody else's, run to its end within bounds, and ended with all that it started:
//! a verifier of a final proof, a hook.
//!
//! It has a process group of its own, and a mark in its environment that what it starts inherits.
//! When it has ended, or a bound is passed, its group and all that bears the mark are killed. If
//! push0 dies, so does it.
//!
//! Not here: provers, and verifiers within a run, which a dispatcher runs (`push0_dispatch`).

mod output;

use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use push0_core::Surroundings;
use push0_dispatch::VerdictReader;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use self::output::Output;

/// What a process may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// From its start to its end.
    pub(crate) timeout: Duration,
    /// With all beneath it; no limit where there is none. Unit: bytes.
    pub(crate) memory_bytes: Option<u64>,
    /// Of what it prints. Only what is taken is counted. Unit: bytes.
    pub(crate) output_bytes: u64,
}

/// How it ended. Nothing of it runs any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChildEnd {
    /// Its exit code, where it ended by itself.
    pub(crate) code: Option<i32>,
    /// How it ended, in words.
    pub(crate) how: String,
    /// The end of its stdout, where that was taken.
    pub(crate) stdout: String,
    /// The same of its stderr.
    pub(crate) stderr: String,
    /// What it said on its stdout, if it is a verifier.
    pub(crate) heard: VerdictReader,
}

/// Runs it. What goes to a pipe is taken.
///
/// # Errors
///
/// The system's: it could not be started, or was lost.
pub(crate) fn run(
    mut command: Command,
    surroundings: &Surroundings,
    bounds: Bounds,
) -> io::Result<ChildEnd> {
    let mark = mark();
    surround(&mut command, surroundings);
    command.stdin(Stdio::null()).process_group(0).env(push0_dispatch::TAG, &mark);
    let program = startable(&command).map_err(io::Error::other)?;
    // The thread that asks waits for the answer, so the signal cannot come early.
    push0_dispatch::die_with_parent(&mut command);
    // The C library would hand what is no program to a shell, which runs its bytes as lines.
    push0_dispatch::become_program(&mut command, &program)?;
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().map(Output::of);
    let stderr = child.stderr.take().map(Output::of);
    let mut running = Running { child, mark, is_reaped: false };
    let (code, how) = running.wait(bounds, &[&stdout, &stderr])?;
    let close = |output: Option<Output>| output.map(Output::close).unwrap_or_default();
    let ((stdout, heard), (stderr, _)) = (close(stdout), close(stderr));
    Ok(ChildEnd { code, how, stdout, stderr, heard })
}

/// The one place where the environment of what is run here is made: as a program's, never push0's
/// own handed on, and nothing by which a verifier accepts proofs of nothing.
fn surround(command: &mut Command, surroundings: &Surroundings) {
    let set = command.get_envs().map(|(name, value)| (name.to_owned(), value.map(OsStr::to_owned)));
    let set: Vec<(OsString, Option<OsString>)> = set.collect();
    let mut made = push0_dispatch::environment(surroundings);
    made.remove(OsStr::new("RISC0_DEV_MODE"));
    if made.get(OsStr::new("SP1_PROVER")).is_some_and(|prover| prover == "mock") {
        made.remove(OsStr::new("SP1_PROVER"));
    }
    command.env_clear().envs(made);
    command.envs(set.into_iter().filter_map(|(name, value)| Some((name, value?))));
}

/// The file of its program, looked for and looked at in the environment that it is given.
fn startable(command: &Command) -> Result<PathBuf, String> {
    let variables =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    let name = command.get_program().to_str().ok_or("its name is not UTF-8")?;
    push0_dispatch::startable(name, &variables.collect())
}

/// A mark that no other process bears.
fn mark() -> String {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    // Drawn from the system: a process number comes again.
    let drawn = RandomState::new().build_hasher().finish();
    format!("push0-child.{}.{drawn:x}.{number}", std::process::id())
}

/// A process that runs, and all that it started. Dropped, it is killed.
struct Running {
    child: Child,
    mark: String,
    is_reaped: bool,
}

impl Running {
    /// How it ended, by itself or at a bound.
    fn wait(
        &mut self,
        bounds: Bounds,
        outputs: &[&Option<Output>],
    ) -> io::Result<(Option<i32>, String)> {
        let (began, mut pause, mut looked) =
            (Instant::now(), Duration::from_millis(1), Instant::now());
        while !self.has_ended()? {
            if began.elapsed() >= bounds.timeout {
                self.end()?;
                let limit = humantime::format_duration(bounds.timeout);
                return Ok((None, format!("it was ended, for it had not ended within {limit}")));
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                if let Some(what) = self.over(bounds, outputs) {
                    self.end()?;
                    return Ok((None, what));
                }
            }
            sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
        let status = self.end()?;
        Ok((status.code(), words(status)))
    }

    /// Which bound it has passed, if any.
    fn over(&self, bounds: Bounds, outputs: &[&Option<Output>]) -> Option<String> {
        let printed: u64 = outputs.iter().copied().flatten().map(Output::bytes).sum();
        if printed > bounds.output_bytes {
            let mib = bounds.output_bytes >> 20;
            return Some(format!("it was ended, for it had printed more than {mib} MiB"));
        }
        let limit = bounds.memory_bytes?;
        let used = push0_dispatch::more_than(Pid::from_child(&self.child), limit)?;
        let [used, limit] = [used, limit].map(|bytes| bytes.div_ceil(1 << 20));
        Some(format!("it was ended, for it used {used} MiB of memory, and may use {limit} MiB"))
    }

    /// Looks, and leaves it to be waited for: until then its group's number is not given to
    /// another.
    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(Pid::from_child(&self.child)), options)?.is_some())
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        // That there is nobody left to kill is what is wanted.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let status = self.child.wait()?;
        self.is_reaped = true;
        push0_dispatch::end_marked(&self.mark);
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_reaped {
            // Best effort, on a way out that has its own error.
            let _ = self.end();
        }
    }
}

fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended, nobody knows how".to_owned(),
    }
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// The longest time between looks at whether it has ended.
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// From one look at what it takes to the next.
const LOOK: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn one_that_hangs_is_killed_with_what_it_started_in_its_group_or_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let pid = |name: &str| dir.path().join(name).display().to_string();
        let script = format!(
            "sleep 1000 & echo $! > {}; setsid sh -c 'echo $$ > {}; sleep 1000' & sleep 1000",
            pid("group"),
            pid("session")
        );
        let bounds = Bounds { timeout: Duration::from_secs(1), ..bounds() };
        let ended = run(sh(&script), &Surroundings::default(), bounds).expect("it runs");
        assert_eq!(ended.code, None);
        assert!(ended.how.contains("not ended within 1s"), "{}", ended.how);
        for name in ["group", "session"] {
            let pid = std::fs::read_to_string(dir.path().join(name)).expect("it began");
            assert!(!lives(pid.trim()), "{name} lives");
        }
    }

    #[test]
    fn what_it_leaves_behind_at_its_end_is_ended_too() {
        let script = "setsid sh -c 'echo $$; exec >&- 2>&-; exec sleep 1000' & read -r _ < /dev/null; sleep 0.3";
        let ended = run(sh(script), &Surroundings::default(), bounds()).expect("it runs");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!lives(ended.stdout.trim()), "{ended:?}");
    }

    #[test]
    fn what_is_no_program_is_handed_to_no_shell_however_it_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, ran) = (dir.path().join("settle"), dir.path().join("ran"));
        // An ELF header of another architecture, and a line that a shell would run.
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0\x01\0\0\0\n".to_vec();
        bytes.extend(format!("touch {}\n", ran.display()).into_bytes());
        std::fs::write(&path, bytes).expect("a writable directory");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its own");
        let around = Surroundings {
            env: [("PATH".to_owned(), dir.path().display().to_string())].into(),
            ..Surroundings::default()
        };
        for name in [path.display().to_string(), "settle".to_owned()] {
            let error = run(Command::new(&name), &around, bounds()).expect_err(&name);
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
            // Though nobody had looked at it: it may be replaced after that.
            let mut command = Command::new("true");
            command.env_clear();
            push0_dispatch::become_program(&mut command, &path).expect("no NUL in it");
            command.spawn().expect_err("it is no program");
            assert!(!ran.exists());
        }
        let error = run(Command::new("no-such"), &around, bounds()).expect_err("it is not there");
        assert!(error.to_string().contains("nowhere in PATH"), "{error}");
    }

    #[test]
    fn a_bound_on_memory_and_one_on_output_are_kept() {
        let hungry = "x=$(head -c 100000000 /dev/zero | tr '\\0' x); sleep 1000";
        let bound = Bounds { memory_bytes: Some(32 << 20), ..bounds() };
        let ended = run(sh(hungry), &Surroundings::default(), bound).expect("it runs");
        assert!(ended.how.contains("may use 32 MiB"), "{}", ended.how);
        let bound = Bounds { output_bytes: 1 << 20, ..bounds() };
        let ended = run(sh("yes"), &Surroundings::default(), bound).expect("it runs");
        assert!(ended.how.contains("more than 1 MiB"), "{}", ended.how);
    }

    #[test]
    fn its_environment_has_what_it_was_given_and_nothing_of_push0s_own() {
        let mut command = sh("env");
        command.env("PUSH0_CACHE", "/c");
        let ended = run(command, &Surroundings::default(), bounds()).expect("it runs");
        let own = ended.stdout.lines().filter(|line| line.starts_with("PUSH0_"));
        let names: Vec<_> = own.filter_map(|line| line.split('=').next()).collect();
        assert!(names.iter().all(|name| ["PUSH0_CACHE", "PUSH0_PROCESS"].contains(name)));
        assert!(names.contains(&"PUSH0_CACHE"));
    }

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn lives(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }

    const fn bounds() -> Bounds {
        Bounds { timeout: Duration::from_secs(60), memory_bytes: None, output_bytes: 16 << 20 }
    }
}
