//! Commands that a sentence or a table names, as `push0 status --json`: the command and its flags
//! are there.

use std::collections::BTreeMap;
use std::process::Command;

use crate::binaries::{push0, workspace};
use crate::markdown::pages;

#[test]
fn every_command_that_a_page_names_is_one_that_push0_has() {
    let (mut help, mut wrong) = (BTreeMap::new(), Vec::new());
    for page in pages(&workspace()) {
        for (line, code) in page.code_in_lines() {
            let Some(words) = code.strip_prefix("push0 ") else { continue };
            // What `bench` has is asked of a program that these tests do not build.
            let words: Vec<_> = words.split_whitespace().filter(|word| *word != "…").collect();
            let subcommand = match words[..] {
                ["bench", ..] | [] => continue,
                ["log", "cat" | "verify" | "step", ..] => words.get(..2),
                [..] => words.get(..1),
            };
            let Some(subcommand) = subcommand.filter(|it| !it.concat().starts_with('-')) else {
                continue;
            };
            let text = help.entry(subcommand.join(" ")).or_insert_with(|| help_of(subcommand));
            let flags = words.iter().filter_map(|word| word.split('=').next());
            let flags: Vec<_> = flags.filter(|word| word.starts_with("--")).collect();
            let is_there = text.as_ref().is_some_and(|text| {
                flags.iter().all(|flag| text.split([' ', '\n', ',']).any(|word| word == *flag))
            });
            if !is_there {
                wrong.push(format!("{}:{line}: {code}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "push0 has no such thing:\n{}\n", wrong.join("\n"));
}

/// None where there is no such command.
fn help_of(subcommand: &[&str]) -> Option<String> {
    let mut command = Command::new(push0());
    command.args(subcommand);
    if subcommand != ["help"] {
        command.arg("--help"); // that one is its own help
    }
    let asked = command.output().expect("it starts");
    asked.status.success().then(|| String::from_utf8_lossy(&asked.stdout).into_owned())
}
