//! `push0 completions` and `push0 man`: the command line as a shell, and as a reader of manuals,
//! has it.
//!
//! Both are made from what the binary itself takes, so they cannot say something else than it does.
//!
//! Not here: what the commands are (`cli`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;
use crate::exit::Exit;
use crate::output::{print, print_bytes};
use crate::tell::{self, counted};

/// Prints what a shell needs to complete push0's commands and flags
///
/// Load it once to try it, or put it where the shell looks for such at its start.
#[derive(Args, Debug)]
#[command(after_long_help = COMPLETIONS_EXAMPLES)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the manual page of push0, or writes those of all commands
///
/// Without a directory, push0.1 goes to stdout. With one, a page for each command is written into
/// it: push0.1, push0-run.1 and so on. Pages of these names that are there are replaced, and
/// nothing else is touched.
#[derive(Args, Debug)]
#[command(after_long_help = MAN_EXAMPLES)]
pub(super) struct ManArgs {
    /// Where the pages are written; it is made where there is none
    #[arg(value_parser = crate::directory::named)]
    dir: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    Exit::of_print(print_bytes(&script))
}

pub(super) fn man(args: &ManArgs) -> Exit {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let Some(dir) = &args.dir else {
        return match page(&command) {
            Ok(page) => Exit::of_print(print_bytes(&page)),
            Err(error) => failed("the page", &error),
        };
    };
    match write(&command, dir) {
        Ok(count) => Exit::of_print(print(&format!(
            "{} in {}: man -l {}",
            counted(count, "page"),
            dir.display(),
            dir.join("push0.1").display()
        ))),
        Err((path, error)) => failed(&path.display().to_string(), &error),
    }
}

/// Writes the page of a command, and of all beneath it; answers how many.
fn write(command: &Command, dir: &Path) -> Result<usize, (PathBuf, io::Error)> {
    fs::create_dir_all(dir).map_err(|error| (dir.to_owned(), error))?;
    let mut open = vec![command];
    let mut count = 0;
    while let Some(next) = open.pop() {
        let name = next.get_display_name().unwrap_or_else(|| next.get_name());
        let path = dir.join(format!("{name}.1"));
        let written = page(next).and_then(|page| fs::write(&path, page));
        written.map_err(|error| (path, error))?;
        open.extend(next.get_subcommands());
        count += 1;
    }
    Ok(count)
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}

fn failed(what: &str, error: &io::Error) -> Exit {
    tell::error(format_args!(
        "{what} cannot be written: {error}: make room, or name another directory"
    ));
    Exit::OutOfReach
}

const NAME: &str = "push0";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  source <(push0 completions bash)
  push0 completions bash > ~/.local/share/bash-completion/completions/push0
  push0 completions zsh > \"${fpath[1]}/_push0\"
  push0 completions fish > ~/.config/fish/completions/push0.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  push0 man | man -l -
  push0 man ~/.local/share/man/man1 && man push0-run";
