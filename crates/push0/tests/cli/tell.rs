//! How a command that ends at once tells what it has to say: its form, and its colours.
//!
//! Not here: what runs for long (`tests/run`).

use std::process::Command;

use crate::world::{self, Ran, at, run};

#[test]
fn people_are_told_as_clap_tells_them_and_programs_get_an_object() {
    let people = push0(&[], &[]);
    assert_eq!(people.code, Some(2));
    assert!(people.stderr.starts_with("error: ") && people.stderr.lines().count() == 1);
    for (words, env) in
        [(&["--log-format", "json"][..], &[][..]), (&[], &[("PUSH0_LOG_FORMAT", "json")])]
    {
        let told = push0(words, env).stderr;
        assert_eq!(at(&told, "/level"), "error", "{told}");
        let message = at(&told, "/message");
        let message = message.as_str().expect("words");
        assert_eq!(format!("error: {message}\n"), people.stderr);
        let time = at(&told, "/time");
        humantime::parse_rfc3339(time.as_str().expect("a time")).expect("RFC 3339");
    }
}

#[test]
fn an_error_is_told_however_quiet_it_is_to_be() {
    assert_eq!(push0(&["-q"], &[]).stderr, push0(&[], &[]).stderr);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (words, told) in [(["-q", "-v"], "--verbose"), (["--log-format", "xml"], "--log-format")] {
        let ran = push0(&words, &[]);
        assert!(ran.code == Some(2) && ran.stderr.contains(told), "{}", ran.stderr);
    }
}

#[test]
fn colours_are_for_terminals_unless_somebody_says_otherwise() {
    let is_coloured = |env: &[(&str, &str)]| push0(&[], env).stderr.contains('\u{1b}');
    assert!(!is_coloured(&[]), "it is no terminal");
    assert!(is_coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!is_coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn every_command_takes_the_same_flags() {
    let whole = world::push0(&["--help"]).stdout;
    let (_, flags) = cut(&whole);
    insta::assert_snapshot!(flags, @r"
    Told on stderr:
      -q, --quiet
              Tell warnings and errors only

      -v, --verbose
              Tell details too

          --log-format <FORMAT>
              text for people, or json: an object a line, with time, level, message, and fields by name
              [default: text]
              
              [env: PUSH0_LOG_FORMAT]
    ");
    for command in ["run", "serve", "status", "log", "check"] {
        assert_eq!(cut(&world::push0(&[command, "--help"]).stdout).1, flags, "{command}");
    }
}

/// What a command's help says, but for the flags that all take.
pub(crate) fn help(words: &[&str]) -> String {
    let ran = world::push0(words);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    cut(&ran.stdout).0
}

/// A command's help without the flags that all take, and those.
fn cut(help: &str) -> (String, String) {
    let (before, rest) = help.split_once(HEADING).expect("they have a heading");
    let (flags, after) = rest.split_once(LAST).expect("they have a last one");
    (before.to_owned() + after.trim_start_matches('\n'), [HEADING, flags, LAST].concat())
}

const HEADING: &str = "Told on stderr:\n";
const LAST: &str = "[env: PUSH0_LOG_FORMAT]\n";

/// A command that has nothing to say but that it cannot be done.
fn push0(words: &[&str], env: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_push0"));
    for name in ["CLICOLOR_FORCE", "NO_COLOR", "PUSH0_LOG_FORMAT"] {
        command.env_remove(name);
    }
    run(command.args(["status", "--data", "/no/such"]).args(words).envs(env.iter().copied()))
}
