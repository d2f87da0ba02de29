//! `push0-model`: goes every way of the named worlds, and tells how many states there were and what
//! was found.

use std::io::Write as _;
use std::process::ExitCode;

use push0_model::{DEEP, Explored, Happened, SMALL, Search, Setting, explore};

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let (mut settings, mut search) = (SMALL, Search::Wide);
    let (mut threads, mut named) = (1, None);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--deep" => (settings, search) = (DEEP, Search::Deep),
            "--threads" => {
                let Some(count) = rest.next().and_then(|count| count.parse().ok()) else {
                    return misused("--threads takes a number");
                };
                threads = count;
            }
            "--world" => {
                let Some(name) = rest.next() else {
                    return misused("--world takes a part of a name");
                };
                named = Some(name.as_str());
            }
            _ => return misused(&format!("{arg} is none of --deep, --world NAME, --threads N")),
        }
    }
    let named = |setting: &&Setting| named.is_none_or(|name| setting.name.contains(name));
    let mut is_sound = true;
    for setting in settings.iter().filter(named) {
        let explored = explore(*setting, threads, search);
        is_sound &= explored.violated.is_empty();
        print(&told(setting, &explored));
    }
    if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn told(setting: &Setting, explored: &Explored) -> String {
    let Explored { states, steps, depth, ends, happened, violated, took } = explored;
    let mut text = format!(
        "{}: {states} states, {steps} steps, depth {depth}, {ends} ends, {:.1} s\n",
        setting.name,
        took.as_secs_f64()
    );
    for (_, words) in Happened::ALL.iter().filter(|(what, _)| happened.has(*what)) {
        text.push_str(&format!("    {words}\n"));
    }
    for found in violated {
        let steps = found.steps;
        text.push_str(&format!(
            "FAILED {}: {} ({steps} steps)\n{}",
            found.check, found.what, found.way
        ));
    }
    text
}

fn misused(why: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "push0-model: {why}");
    ExitCode::from(2)
}

fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
