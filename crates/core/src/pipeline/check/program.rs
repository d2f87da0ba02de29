//! A program's own keys.
//!
//! Not here: which stages name it (`graph`).

mod surroundings;

use std::collections::BTreeMap;
use std::time::Duration;

use super::Faults;
use crate::{
    Asking, Believes, Contract, Give, PipelineSpec, Program, ProgramName, ProgramSpec, Vkey,
};

pub(super) fn check(spec: &PipelineSpec, faults: &mut Faults) -> BTreeMap<ProgramName, Program> {
    if spec.programs.is_empty() {
        faults.add(&["programs"], "no programs", "add one, as in `[programs.chain]`");
    }
    if spec.programs.len() > PROGRAMS_MAX {
        let what = format!("{} programs", spec.programs.len());
        faults.add(&["programs"], what, format!("write {PROGRAMS_MAX} or fewer"));
        return BTreeMap::new();
    }
    let mut programs = BTreeMap::new();
    for (name, program) in &spec.programs {
        let legal = faults.name(&["programs", name], name);
        let checked = one(&mut At { name, faults }, program, spec.allow_mock);
        programs.extend(legal.zip(checked));
    }
    programs
}

impl Contract {
    /// The words in a command under the file contract that its input's path is put after.
    pub const INPUT_FLAGS: [&str; 2] = ["-i", "--input-path"];
    /// The same for its output's path.
    pub const OUTPUT_FLAGS: [&str; 2] = ["-o", "--output-path"];

    fn is_path_flag(word: &str) -> bool {
        Self::INPUT_FLAGS.contains(&word) || Self::OUTPUT_FLAGS.contains(&word)
    }
}

fn one(at: &mut At<'_>, spec: &ProgramSpec, allow_mock: bool) -> Option<Program> {
    if spec.contract.as_deref() == Some("ere") {
        // Such a program has a `url` for a command, and reserves no memory here.
        at.faults.not_built(&["programs", at.name, "contract"], "ere");
        return None;
    }
    let contract = contract(at, spec);
    let give = give(at, spec, contract);
    let memory_bytes = memory(at, spec);
    let gpus = u32::try_from(spec.gpus).ok().filter(|gpus| *gpus <= GPUS_MAX);
    if gpus.is_none() {
        let remedy = format!("write {GPUS_MAX} or less: as many as one machine has");
        at.fault("gpus", format!("{} gpus", spec.gpus), remedy);
    }
    if spec.mock && !allow_mock {
        let remedy = "write `allow_mock = true` at the top, or use a real prover";
        at.fault("mock", "a mock, which proves nothing, in a pipeline that allows none", remedy);
    }
    command(at, spec);
    let verifier = verifier(at, spec);
    let surroundings = surroundings::check(at, spec);
    let asking = asking(at, spec);
    let start = start(at, spec);
    Some(Program {
        command: spec.command.clone(),
        contract: contract?,
        give: give?,
        memory_bytes: memory_bytes?,
        gpus: gpus?,
        verifier,
        asking,
        start,
        is_mock: spec.mock,
        vkey: vkey(at, spec),
        surroundings,
    })
}

fn contract(at: &mut At<'_>, spec: &ProgramSpec) -> Option<Contract> {
    match spec.contract.as_deref() {
        None | Some("file") => Some(Contract::File),
        Some("serve") => Some(Contract::Serve),
        Some(other) => {
            at.faults.not_one_of(&["programs", at.name, "contract"], other, &["file", "serve"]);
            None
        }
    }
}

fn give(at: &mut At<'_>, spec: &ProgramSpec, contract: Option<Contract>) -> Option<Give> {
    match (spec.give.as_deref(), contract) {
        (None, Some(Contract::Serve)) | (Some("bundle"), _) => Some(Give::Bundle),
        (None, Some(Contract::File) | None) | (Some("raw"), _) => Some(Give::Raw),
        (Some("number"), _) => Some(Give::Number),
        (Some(other), _) => {
            let known = ["raw", "number", "bundle"];
            at.faults.not_one_of(&["programs", at.name, "give"], other, &known);
            None
        }
    }
}

fn memory(at: &mut At<'_>, spec: &ProgramSpec) -> Option<u64> {
    match spec.memory {
        None => {
            let remedy = "say what one attempt may use, as in `memory = \"16GiB\"`";
            at.fault("memory", "no memory", remedy);
        }
        Some(0) => at.fault("memory", "no memory at all", "say what one attempt may use"),
        Some(_) => {}
    }
    spec.memory
}

fn command(at: &mut At<'_>, spec: &ProgramSpec) {
    match spec.command.first().map(String::as_str) {
        None => {
            let remedy = "write the prover and its arguments, as in `command = [\"prover\"]`";
            at.fault("command", "no command", remedy);
        }
        Some("") => at.fault("command", "a command without a name", "name the prover's binary"),
        Some(_) => {}
    }
    at.faults.argv(&["programs", at.name, "command"], &spec.command);
}

fn verifier(at: &mut At<'_>, spec: &ProgramSpec) -> Vec<String> {
    let Some(verifier) = &spec.verifier else {
        return match spec.mock {
            true => Vec::new(),
            false => command_of_verifier(spec).chain(["verify".to_owned()]).collect(),
        };
    };
    if spec.mock {
        at.fault("verifier", "a verifier of a mock, which has nothing to verify", "remove it");
    } else if verifier.first().is_none_or(String::is_empty) {
        let remedy = "name its binary, or remove the key: then it is the command with `verify`";
        at.fault("verifier", "a verifier without a name", remedy);
    }
    at.faults.argv(&["programs", at.name, "verifier"], verifier);
    verifier.clone()
}

/// How its verifier is asked: with limits of its own, and only as far believed as the file says.
fn asking(at: &mut At<'_>, spec: &ProgramSpec) -> Asking {
    let is_named = spec.verifier.is_some();
    let keys = [
        ("verdict", spec.verdict.is_some()),
        ("verifier_memory", spec.verifier_memory.is_some()),
        ("verifier_timeout", spec.verifier_timeout.is_some()),
    ];
    for (key, is_said) in keys.into_iter().filter(|_| spec.mock) {
        if is_said {
            at.fault(key, "a key of a verifier, of a mock, which has none", "remove it");
        }
    }
    let believes = match (spec.verdict.as_deref(), is_named) {
        (None | Some("line"), false) => Believes::LineOfGuess,
        (None | Some("line"), true) => Believes::Line,
        (Some("exit"), true) => Believes::Exit,
        (Some("exit"), false) => {
            let what = "the exit code of a verifier that nobody named";
            let remedy = "name it, as in `verifier = [\"verify\"]`: a prover may exit 0 and not know `verify`";
            at.fault("verdict", what, remedy);
            Believes::LineOfGuess
        }
        (Some(other), _) => {
            at.faults.not_one_of(&["programs", at.name, "verdict"], other, &["line", "exit"]);
            Believes::LineOfGuess
        }
    };
    if spec.verifier_memory == Some(0) {
        at.fault("verifier_memory", "no memory at all", "say what it may use");
    }
    let memory_bytes = spec.verifier_memory.or(spec.memory).unwrap_or_default();
    let timeout = at.duration("verifier_timeout", spec.verifier_timeout, VERIFIER_TIMEOUT);
    Asking { believes, memory_bytes, timeout }
}

fn start(at: &mut At<'_>, spec: &ProgramSpec) -> Duration {
    if spec.start.is_some() && spec.contract.as_deref() != Some("serve") {
        let what = "a time to be ready, of a program that never says so";
        at.fault("start", what, "remove it, or write `contract = \"serve\"`");
    }
    at.duration("start", spec.start, START)
}

/// The command, without the words after which a prover under the file contract is given its paths.
fn command_of_verifier(spec: &ProgramSpec) -> impl Iterator<Item = String> {
    let is_served = spec.contract.as_deref() == Some("serve");
    let words = spec.command.iter();
    words.filter(move |word| is_served || !Contract::is_path_flag(word)).cloned()
}

fn vkey(at: &mut At<'_>, spec: &ProgramSpec) -> Option<Vkey> {
    let vkey = spec.vkey.as_deref()?;
    let parsed = vkey.parse().ok();
    if parsed.is_none() {
        let what = format!("`{}` is no verification key", vkey.escape_debug());
        at.fault("vkey", what, "write `sha256:` and 64 lower-case hexadecimal digits");
    }
    parsed
}

/// The program under check.
struct At<'a> {
    name: &'a str,
    faults: &'a mut Faults,
}

impl At<'_> {
    fn fault(&mut self, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.faults.add(&["programs", self.name, key], what, remedy);
    }

    fn duration(&mut self, key: &str, said: Option<Duration>, default: Duration) -> Duration {
        let duration = said.unwrap_or(default);
        if duration < DURATION_MIN {
            self.fault(key, "no time at all", "write 1ms or more, as in \"10m\"");
        } else if duration > DURATION_MAX {
            self.fault(key, "more than a year", "write a shorter one, as in \"10m\"");
        }
        duration
    }
}

/// As `docs/formats.md` fixes it: enough to load keys on a busy machine.
const VERIFIER_TIMEOUT: Duration = Duration::from_secs(120);
/// As `docs/formats.md` fixes it. Loading keys was seen to take eleven minutes.
const START: Duration = Duration::from_secs(1800);
/// Time is counted in milliseconds.
const DURATION_MIN: Duration = Duration::from_millis(1);
/// What is longer is a slip of the pen, and would overflow a deadline.
const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// Every machine reads the whole list.
const PROGRAMS_MAX: usize = 256;
/// More than any machine holds.
const GPUS_MAX: u32 = 1024;
