//! The words by which a command under the file contract takes its paths: `["prover", "-i", "-o"]`.
//!
//! Both stand in one list, a program's `command` or a stage's `args`, and each once. A pipeline
//! that a log holds from before may be otherwise, and runs: what is missing is then appended.
//!
//! Not here: what is put after them (`push0_dispatch`), and a default verifier, which has none.

use push0_core::{Contract, Fault, PipelineSpec, ProgramSpec};

/// All that is wrong with them.
pub(super) fn check(spec: &PipelineSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, program) in spec.programs.iter().filter(|(_, program)| is_file(program)) {
        faults.extend(list(&Fault::path(&["programs", name, "command"]), own(program)));
    }
    for (name, stage) in &spec.stages {
        let program = stage.program.as_ref().and_then(|program| spec.programs.get(program));
        let Some(program) = program.filter(|program| is_file(program)) else { continue };
        let path = Fault::path(&["stages", name, "args"]);
        let wrong = list(&path, &stage.args);
        if wrong.is_empty() && !flags(&stage.args).is_empty() && !flags(own(program)).is_empty() {
            let what = "the paths are asked for here, and in the program's command";
            faults.push(fault(&path, what.to_owned(), "ask for them in one of the two".to_owned()));
        }
        faults.extend(wrong);
    }
    faults
}

/// What is wrong with one list.
fn list(path: &str, words: &[String]) -> Vec<Fault> {
    let flags = flags(words);
    let sides = [
        (Contract::INPUT_FLAGS, Contract::OUTPUT_FLAGS),
        (Contract::OUTPUT_FLAGS, Contract::INPUT_FLAGS),
    ];
    let wrong = sides.into_iter().filter_map(|(here, there)| {
        let mut found = flags.iter().filter(|word| here.contains(word));
        let (first, second) = (found.next()?, found.next());
        if let Some(second) = second {
            let what = match first == second {
                true => format!("`{first}` twice"),
                false => format!("`{first}` and `{second}`, which ask for the same path"),
            };
            return Some(fault(path, what, "leave one of them".to_owned()));
        }
        if flags.iter().any(|word| there.contains(word)) {
            return None;
        }
        let [short, long] = there;
        let other = if first.starts_with("--") { long } else { short };
        let what = format!("`{first}` asks for a path, and no `{other}` for the other");
        let remedy =
            format!("add \"{other}\"; if `{first}` means another thing here, write its other name");
        Some(fault(path, what, remedy))
    });
    wrong.collect()
}

/// The words that ask for a path.
fn flags(words: &[String]) -> Vec<&str> {
    let all = [Contract::INPUT_FLAGS, Contract::OUTPUT_FLAGS].concat();
    words.iter().map(String::as_str).filter(|word| all.contains(word)).collect()
}

/// A program's own arguments, without its name.
fn own(program: &ProgramSpec) -> &[String] {
    program.command.get(1..).unwrap_or_default()
}

fn is_file(program: &ProgramSpec) -> bool {
    matches!(program.contract.as_deref(), None | Some("file"))
}

fn fault(path: &str, what: String, remedy: String) -> Fault {
    Fault { path: path.to_owned(), what, remedy }
}
