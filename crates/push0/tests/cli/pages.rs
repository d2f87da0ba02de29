//! `push0 help`, `push0 completions` and `push0 man`.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::world::{Ran, push0, run};

#[test]
fn help_tells_of_a_command_what_its_flag_does() {
    for words in [&["run"][..], &["log", "cat"], &["man"]] {
        let by_flag = push0(&[words, &["--help"]].concat());
        let by_word = push0(&[&["help"][..], words].concat());
        assert_eq!((by_word.code, by_word.stdout), (Some(0), by_flag.stdout), "{words:?}");
    }
    assert_eq!(push0(&["help"]).stdout, push0(&["--help"]).stdout);
    let unknown = push0(&["help", "prove"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("prove"), "{}", unknown.stderr);
}

/// In a real bash: it loads, completes commands, and flags after a command.
#[test]
fn bash_completes_commands_and_flags() {
    let dir = tempfile::tempdir().expect("a directory");
    let script = dir.path().join("push0.bash");
    let printed = push0(&["completions", "bash"]);
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    fs::write(&script, printed.stdout).expect("a writable directory");
    let asked = |words: &str| {
        format!(
            "COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=(); \
             _push0 push0 \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[*]}}\""
        )
    };
    let body = [
        "source \"$1\"".to_owned(),
        "complete -p push0".to_owned(),
        asked("push0 artif"),
        asked("push0 run --retry"),
        asked("push0 completions z"),
    ];
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-euc", &body.join("\n"), "bash"]).arg(&script);
    let Ran { code, stdout, stderr } = run(&mut bash);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let lines: Vec<_> = stdout.lines().collect();
    let [loaded, command, flag, shell] = lines.as_slice() else { panic!("{stdout}") };
    assert!(loaded.contains("-F _push0") && loaded.ends_with(" push0"), "{loaded}");
    assert_eq!([*command, *flag, *shell], ["artifacts", "--retry-parked", "zsh"]);
}

#[test]
fn every_shell_has_completions_and_others_are_refused() {
    for (shell, word) in [
        ("zsh", "#compdef push0"),
        ("fish", "complete -c push0"),
        ("elvish", "push0"),
        ("powershell", "push0"),
    ] {
        let printed = push0(&["completions", shell]);
        assert_eq!(printed.code, Some(0), "{shell}");
        assert!(printed.stdout.contains(word) && printed.stdout.contains("artifacts"), "{shell}");
    }
    let refused = push0(&["completions", "csh"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("csh") && refused.stderr.contains("bash"),
        "{}",
        refused.stderr
    );
}

#[test]
fn there_is_a_page_for_each_command_and_each_is_well_formed() {
    let dir = tempfile::tempdir().expect("a directory");
    let pages = dir.path().join("man1");
    let written = push0(&["man", pages.to_str().expect("UTF-8")]);
    assert_eq!((written.code, written.stderr.as_str()), (Some(0), ""));
    let entries = fs::read_dir(&pages).expect("it was made");
    let names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    assert!(written.stdout.starts_with(&format!("{} pages", names.len())), "{}", written.stdout);
    let listed = push0(&["--help"]).stdout;
    let commands = listed.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    for command in commands.filter_map(|line| line.split_whitespace().next()) {
        let is_there = names.contains(&format!("push0-{command}.1"));
        assert_eq!(is_there, command != "help", "{command}");
    }
    assert!(names.contains(&"push0-log-step.1".to_owned()), "{names:?}");
    for name in &names {
        check(&fs::read_to_string(pages.join(name)).expect("it is text"), name);
        lint(&pages.join(name));
    }
    let whole = push0(&["man"]).stdout;
    assert_eq!(whole, fs::read_to_string(pages.join("push0.1")).expect("it is there"));
    assert!(whole.contains("push0\\-run(1)"), "{whole}");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("a writable directory");
    let below = file.join("man1");
    let failed = push0(&["man", below.to_str().expect("UTF-8")]);
    assert_eq!(failed.code, Some(6));
    assert!(failed.stderr.contains(below.to_str().expect("UTF-8")), "{}", failed.stderr);
    assert!(failed.stderr.contains("name another directory"), "{}", failed.stderr);
}

/// What every page of a manual has, whatever reads it: a title, the sections by which it is found,
/// and no line that a reader would take for a request that there is not.
fn check(page: &str, name: &str) {
    let title = format!(".TH {} 1", name.trim_end_matches(".1"));
    let titles: Vec<_> = page.lines().filter(|line| line.starts_with(".TH ")).collect();
    assert!(matches!(titles.as_slice(), [only] if only.starts_with(&title)), "{name}: {titles:?}");
    for section in [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
        assert_eq!(page.lines().filter(|line| *line == section).count(), 1, "{name}: {section}");
    }
    for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
        let request = line.split_whitespace().next().unwrap_or_default();
        assert!(REQUESTS.contains(&request), "{name}: {line}");
    }
}

/// As the formatter itself sees it, where there is one.
fn lint(page: &Path) {
    let groff = Command::new("groff")
        .args(["-man", "-ww", "-z", "-Tutf8"])
        .arg(page)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output();
    match groff {
        Ok(said) => {
            assert!(said.status.success(), "{}: {}", page.display(), said.status);
            assert_eq!(String::from_utf8_lossy(&said.stderr), "", "{}", page.display());
        }
        Err(error) => {
            let told = writeln!(std::io::stderr(), "groff does not look at it: {error}");
            told.expect("stderr");
        }
    }
}

/// Those of `man` that pages are made of.
const REQUESTS: [&str; 12] =
    [".TH", ".SH", ".TP", ".PP", ".RS", ".RE", ".br", ".ie", ".el", ".IP", ".ie", ".SS"];
