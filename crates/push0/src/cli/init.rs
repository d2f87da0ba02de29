//! `push0 init`: a pipeline to begin with, a prover that runs at once, and blocks for it.
//!
//! The prover knows the square root of each block's number. That is no proof of anything a chain
//! does; it is a program that proves, verifies, and refuses, short enough to be read before another
//! takes its place.
//!
//! Nothing is written where any of its files is there already.
//!
//! Not here: how a pipeline is run (`run`), and what the files' keys mean (`docs/formats.md`).

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use push0_core::PipelineName;
use push0_prover::Vkey;
use push0_source::made;

use crate::exit::Exit;
use crate::output::{print, quoted};
use crate::tell;

/// Writes a pipeline to begin with, and a prover that runs at once
///
/// In the directory: pipeline.toml, with what each key is for; blocks.jsonl, a few made-up blocks;
/// and a prover in the language that is named. Then put your own prover in its place. What is there
/// already is left as it is: if one of the files exists, nothing is written.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  push0 init demo\n  push0 init demo --prover rust")]
pub(super) struct InitArgs {
    /// Where they are written; it is made where there is none
    #[arg(default_value = ".", value_parser = crate::directory::named)]
    dir: PathBuf,
    /// What the prover is written in
    #[arg(long, value_enum, default_value_t = Language::Python)]
    prover: Language,
    /// The SDK of a Rust prover: `crates/prover` of a clone of push0 [default: that of the clone
    /// that this push0 was built in]
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    sdk: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Language {
    /// A script that needs Python 3 and nothing else
    Python,
    /// A script that needs bash and coreutils
    Bash,
    /// A Cargo project, with the SDK
    Rust,
}

/// Why nothing was written, or not all of it.
#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("{} is there already: nothing was written; name another directory, or move it away", .0.display())]
    Exists(PathBuf),
    #[error("{}: {source}: name a directory that can be written to", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "the SDK is not found ({what}): give --sdk DIR, `crates/prover` of a clone of push0, or take --prover python"
    )]
    NoSdk { what: String },
}

/// A file that is to be written.
struct New {
    name: &'static str,
    text: String,
    mode: u32,
}

pub(super) fn init(args: &InitArgs) -> Exit {
    match write(args) {
        Ok(()) => Exit::of_print(print(&next(args))),
        Err(error) => {
            tell::error(format_args!("{error}"));
            match error {
                InitError::Exists(_) | InitError::NoSdk { .. } => Exit::Usage,
                InitError::Write { .. } => Exit::OutOfReach,
            }
        }
    }
}

fn write(args: &InitArgs) -> Result<(), InitError> {
    let files = files(args)?;
    let there = files.iter().map(|file| args.dir.join(file.name));
    if let Some(path) = there.into_iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(InitError::Exists(path));
    }
    for New { name, text, mode } in files {
        let path = args.dir.join(name);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = made.and_then(|()| create(&path, &text, mode));
        written.map_err(|source| {
            let is_there = source.kind() == io::ErrorKind::AlreadyExists;
            if is_there { InitError::Exists(path) } else { InitError::Write { path, source } }
        })?;
    }
    Ok(())
}

fn files(args: &InitArgs) -> Result<Vec<New>, InitError> {
    let script = |name, text: &str| New { name, text: text.to_owned(), mode: 0o755 };
    let plain = |name, text: String| New { name, text, mode: 0o644 };
    let mut files = vec![
        plain("pipeline.toml", pipeline(&args.dir, args.prover)),
        plain("blocks.jsonl", made(FIRST, BLOCKS, &[]).join("\n") + "\n"),
    ];
    match args.prover {
        Language::Python => files.push(script("prover.py", PYTHON)),
        Language::Bash => files.push(script("prover.sh", BASH)),
        Language::Rust => {
            let sdk = sdk(args)?;
            // A string of JSON is one of TOML.
            let sdk = serde_json::Value::from(sdk.display().to_string()).to_string();
            files.push(plain("prover/Cargo.toml", CARGO.replace("@SDK@", &sdk)));
            files.push(plain("prover/src/main.rs", RUST.to_owned()));
        }
    }
    Ok(files)
}

/// The directory of the SDK's crate.
fn sdk(args: &InitArgs) -> Result<PathBuf, InitError> {
    let no_sdk = |what: String| InitError::NoSdk { what };
    let is_one = |dir: &Path| dir.join("Cargo.toml").is_file() && dir.join("src/lib.rs").is_file();
    if let Some(dir) = &args.sdk {
        let shown = dir.display();
        return match is_one(dir) {
            true => std::path::absolute(dir).map_err(|error| no_sdk(format!("{shown}: {error}"))),
            false => Err(no_sdk(format!("{shown} holds no crate"))),
        };
    }
    // TARGET/release/push0 of a clone.
    let own = std::env::current_exe().map_err(|error| no_sdk(error.to_string()))?;
    let above = own.ancestors().skip(1).take(ANCESTORS_MAX).map(|dir| dir.join("crates/prover"));
    let found = above.into_iter().find(|dir| is_one(dir));
    found.ok_or_else(|| no_sdk(format!("{} is not in a clone of push0", own.display())))
}

fn create(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

fn pipeline(dir: &Path, prover: Language) -> String {
    let (command, contract, key): (_, _, &[u8]) = match prover {
        Language::Python => ("./prover.py", "file", b"square root/1"),
        Language::Bash => ("./prover.sh", "file", b"square root/1"),
        Language::Rust => ("./prover/target/release/prover", "serve", b"root/1"),
    };
    PIPELINE
        .replace("@NAME@", name(dir).as_str())
        .replace("@COMMAND@", command)
        .replace("@CONTRACT@", contract)
        .replace("@VKEY@", &Vkey::of(key).to_string())
}

/// A pipeline's name, after the directory's.
fn name(dir: &Path) -> PipelineName {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let of_dir = dir.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name: String = of_dir
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .take(NAME_CHARS_MAX)
        .collect();
    let demo = || "demo".parse().expect("it is a name");
    name.trim_matches('-').parse().unwrap_or_else(|_| demo())
}

/// What to type next.
fn next(args: &InitArgs) -> String {
    let prover = match args.prover {
        Language::Python => "prover.py",
        Language::Bash => "prover.sh",
        Language::Rust => "prover/",
    };
    let mut lines = vec![format!("written: pipeline.toml, blocks.jsonl, {prover}. Next:")];
    if args.dir != Path::new(".") {
        lines.push(format!("  cd {}", quoted(&args.dir)));
    }
    if args.prover == Language::Rust {
        lines.push("  cargo build --release --manifest-path prover/Cargo.toml".to_owned());
    }
    let name = name(&args.dir);
    lines.push("  push0 check pipeline.toml".to_owned());
    lines.push("  push0 run pipeline.toml".to_owned());
    lines.push(format!("  push0 verify --pipeline pipeline.toml {name}.push0/proofs/*.proof.json"));
    let dev = "  # for push0 dev: kind = \"submit\" in [source], and no path";
    lines.push(dev.to_owned());
    lines.join("\n")
}

/// The first of the blocks, and how many there are.
const FIRST: u64 = 1_000_000;
const BLOCKS: u64 = 4;

/// As long as a name may be.
const NAME_CHARS_MAX: usize = 40;

/// How far above its own file push0 looks for the clone that it was built in.
const ANCESTORS_MAX: usize = 6;

const PIPELINE: &str = include_str!("init/pipeline.toml");
const PYTHON: &str = include_str!("init/prover.py");
const BASH: &str = include_str!("init/prover.sh");
const CARGO: &str = include_str!("init/Cargo.toml.in");
/// Built and tested where it is.
const RUST: &str = include_str!("../../../prover/examples/root.rs");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_any_directory_s() {
        let named = |dir: &str| name(Path::new(dir)).to_string();
        assert_eq!(named("/a/My Prover_2"), "my-prover-2");
        assert_eq!([named("/"), named("/a/---"), named("/a/é")], ["demo"; 3]);
        assert_eq!(named(&format!("/a/{}", "x".repeat(99))), "x".repeat(40));
    }
}
