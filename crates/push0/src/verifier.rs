//! Runs a verifier on a final proof, as a stranger would, and takes its word.
//!
//! It gets a copy of the envelope that nobody else writes to. Its output and its time are bounded, and
//! when it has ended, or its time has, everything in its process group is killed.
//!
//! Not here: results within a run, which their dispatcher has verified (`push0_dispatch`).

mod output;

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use push0_prover::wire;
use push0_prover::{Envelope, Vkey};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde_json::Value;

use self::output::Output;

/// What a verifier says of a proof.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is good.
    Accepted {
        /// The key it was checked with, where the verifier names one.
        vkey: Option<Vkey>,
        /// What the public values say, where the verifier says it.
        claim: Option<Value>,
    },
    /// It is not.
    Refused {
        /// In the verifier's words.
        words: String,
    },
    /// Nobody knows: the verifier itself failed.
    None {
        /// What became of it.
        why: String,
    },
}

/// What exit 0 means where no line `{"vkey":…,"claim":…}` comes with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Silence {
    /// The proof is good: somebody named this verifier as one.
    Accepts,
    /// Nothing: a program that was only guessed to be a verifier may not know `verify`.
    IsNoVerdict,
}

/// Asks the verifier `argv` about `envelope`. `cache` is a directory that it may keep things in between
/// runs, if there is one.
#[must_use]
pub fn ask(
    argv: &[String],
    envelope: &Envelope,
    cache: Option<&Path>,
    silence: Silence,
) -> Verdict {
    match try_ask(argv, envelope, cache, silence) {
        Ok(verdict) => verdict,
        Err(why) => Verdict::None { why },
    }
}

fn try_ask(
    argv: &[String],
    envelope: &Envelope,
    cache: Option<&Path>,
    silence: Silence,
) -> Result<Verdict, String> {
    let (program, arguments) = argv.split_first().ok_or("there is no verifier")?;
    let dir = tempfile::Builder::new().prefix("push0-verify-").tempdir();
    let dir = dir.map_err(|error| format!("no directory for the envelope: {error}"))?;
    let path = dir.path().join("envelope.json");
    let written = envelope.encode().map_err(io::Error::from);
    let written = written.and_then(|bytes| fs::write(&path, bytes));
    written.map_err(|error| format!("the envelope could not be written: {error}"))?;

    let mut command = Command::new(program);
    command.args(arguments).arg("--input-path").arg(&path).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in UNWANTED {
        command.env_remove(name);
    }
    if let Some(cache) = cache {
        command.env("PUSH0_CACHE", cache);
    }
    // The thread that asks waits for the answer, so the signal cannot come early.
    push0_dispatch::die_with_parent(&mut command);
    let child = command.spawn();
    let child = child.map_err(|error| format!("`{program}` could not be started: {error}"))?;
    Running { child, is_reaped: false }.verdict(TIMEOUT, silence)
}

/// A verifier that runs, and all that it started. Dropped, it is killed.
struct Running {
    child: Child,
    is_reaped: bool,
}

impl Running {
    fn verdict(mut self, timeout: Duration, silence: Silence) -> Result<Verdict, String> {
        let stdout = self.child.stdout.take().map(Output::of);
        let stderr = self.child.stderr.take().map(Output::of);
        let ended = self.wait(timeout).map_err(|error| format!("it was lost: {error}"))?;
        let stdout = stdout.map(Output::text).unwrap_or_default();
        let stderr = stderr.map(Output::text).unwrap_or_default();
        let said = if stderr.trim().is_empty() { &stdout } else { &stderr };
        let with_words = |what: String| match said.trim() {
            "" => what,
            words => format!("{what}: {}", last_lines(words)),
        };
        let Some(status) = ended else {
            return Err(with_words(format!("no verdict within {} s", timeout.as_secs())));
        };
        match status.code() {
            Some(0) => accepted(&stdout, silence),
            Some(1) => Ok(Verdict::Refused { words: last_lines(said.trim()) }),
            Some(code) => Err(with_words(format!("it ended with exit code {code}"))),
            None => Err(with_words("it was ended by a signal".to_owned())),
        }
    }

    /// How it ended, if it did in time. Its group is gone after this.
    fn wait(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        let (began, mut pause) = (Instant::now(), Duration::from_millis(1));
        while !self.has_ended()? {
            if began.elapsed() >= timeout {
                self.end()?;
                return Ok(None);
            }
            sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
        self.end().map(Some)
    }

    /// Looks, and leaves it to be waited for: until then its group's number is not given to another.
    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(Pid::from_child(&self.child)), options)?.is_some())
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        // That there is nobody left to kill is what is wanted.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let status = self.child.wait()?;
        self.is_reaped = true;
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

/// A verifier that somebody named need print no verdict. Then it names no key; that is its right.
fn accepted(stdout: &str, silence: Silence) -> Result<Verdict, String> {
    let verdict = |line| serde_json::from_str::<wire::Verdict>(line).ok();
    match (stdout.lines().rev().find_map(verdict), silence) {
        (Some(wire::Verdict { vkey, claim }), _) => {
            Ok(Verdict::Accepted { vkey, claim: Some(claim).filter(|claim| !claim.is_null()) })
        }
        (None, Silence::Accepts) => Ok(Verdict::Accepted { vkey: None, claim: None }),
        (None, Silence::IsNoVerdict) => Err(SILENT.to_owned()),
    }
}

/// The end of what it printed, short enough for an error.
fn last_lines(words: &str) -> String {
    let lines: Vec<&str> = words.lines().collect();
    let from = lines.len().saturating_sub(LINES_SHOWN_MAX);
    lines.get(from..).unwrap_or_default().join("\n")
}

const SILENT: &str = "\
exit 0 without a verdict line {\"vkey\":…,\"claim\":…}: the program may not know `verify`; give `verifier` in \
the pipeline, or --verifier, if its exit code is its word";

/// How long a verifier may take; it may have to load keys first.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The longest time between looks at whether it has ended.
const PAUSE_MAX: Duration = Duration::from_millis(20);
/// Lines of its output that an error shows.
const LINES_SHOWN_MAX: usize = 12;

/// Variables it must not see: the first two make verifiers accept proofs of nothing, the others are of
/// a prover's contract.
const UNWANTED: [&str; 7] = [
    "RISC0_DEV_MODE",
    "SP1_PROVER",
    "PUSH0_CONTRACT",
    "PUSH0_TASK",
    "PUSH0_STAGE",
    "PUSH0_ATTEMPT",
    "PUSH0_DEADLINE",
];

#[cfg(test)]
mod tests {
    use push0_prover::wire::{Base64, Hash32, Hex, Key};
    use push0_prover::{EnvelopeFormat, Program};

    use super::*;

    #[test]
    fn exit_0_accepts_with_the_key_and_claim_that_it_prints() {
        let key = format!("sha256:{}", "ab".repeat(32));
        let script = format!("echo chatter; echo '{{\"vkey\":\"{key}\",\"claim\":{{\"a\":1}}}}'");
        let expected =
            Verdict::Accepted { vkey: key.parse().ok(), claim: Some(serde_json::json!({"a": 1})) };
        assert_eq!(say(&script), expected);
    }

    #[test]
    fn exit_0_without_a_word_names_no_key() {
        assert_eq!(say("exit 0"), Verdict::Accepted { vkey: None, claim: None });
        let null = r#"echo '{"vkey":null,"claim":null}'"#;
        assert_eq!(say(null), Verdict::Accepted { vkey: None, claim: None });
    }

    #[test]
    fn exit_0_without_a_word_is_no_verdict_of_a_program_that_nobody_named() {
        let guessed = |script: &str| ask(&argv(script), &envelope(), None, Silence::IsNoVerdict);
        let silent = guessed("echo usage: prove");
        assert!(matches!(&silent, Verdict::None { why } if why == SILENT), "{silent:?}");
        let told = guessed(r#"echo '{"vkey":null,"claim":null}'"#);
        assert!(matches!(told, Verdict::Accepted { .. }), "{told:?}");
    }

    #[test]
    fn exit_1_refuses_in_its_words() {
        let words = "refused: bad".to_owned();
        assert_eq!(say("echo refused: bad >&2; exit 1"), Verdict::Refused { words });
    }

    #[test]
    fn any_other_end_is_no_verdict() {
        for script in ["exit 2", "kill -9 $$"] {
            assert!(matches!(say(script), Verdict::None { .. }), "{script}");
        }
        let gone = ask(&["/no/such/verifier".to_owned()], &envelope(), None, Silence::Accepts);
        assert!(matches!(gone, Verdict::None { .. }), "{gone:?}");
    }

    #[test]
    fn it_reads_the_envelope() {
        let script = "grep -q push0.proof/1 \"$2\" || exit 1";
        assert!(matches!(say(script), Verdict::Accepted { .. }));
    }

    #[test]
    fn a_flood_of_output_is_bounded_and_its_end_is_kept() {
        let Verdict::Refused { words } = say("yes | head -c 5000000 >&2; echo the end >&2; exit 1")
        else {
            panic!("not refused")
        };
        assert!(words.ends_with("the end") && words.len() < 1000, "{words}");
    }

    #[test]
    fn one_that_hangs_is_killed_with_what_it_started() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & sleep 1000"]).process_group(0);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sh");
        let group = Pid::from_child(&child);
        let running = Running { child, is_reaped: false };
        let verdict = running.verdict(Duration::from_millis(50), Silence::Accepts);
        assert_eq!(verdict, Err("no verdict within 0 s".to_owned()));
        let mut is_gone = rustix::process::test_kill_process_group(group).is_err();
        for _ in 0..200 {
            // Killed at once; reaped by whoever adopted it a moment later.
            is_gone = is_gone || rustix::process::test_kill_process_group(group).is_err();
            sleep(Duration::from_millis(if is_gone { 0 } else { 10 }));
        }
        assert!(is_gone, "something in the group still runs");
    }

    fn say(script: &str) -> Verdict {
        ask(&argv(script), &envelope(), None, Silence::Accepts)
    }

    fn argv(script: &str) -> [String; 4] {
        ["sh", "-c", script, "sh"].map(ToOwned::to_owned)
    }

    fn envelope() -> Envelope {
        Envelope {
            format: EnvelopeFormat::V1,
            pipeline: "demo".into(),
            key: Key { chain: 1, first: 5, last: 6, part: None, tip: Hash32([1; 32]) },
            block_hashes: None,
            program: Program { name: "p".into(), vkey: None },
            mock: false,
            claim: None,
            public_values: Hex(vec![5]),
            proof: Base64(vec![0]),
            history: Vec::new(),
            inputs: None,
        }
    }
}
