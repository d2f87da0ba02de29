//! `push0-sim`: runs worlds by their seeds, and tells what fails in them.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, value_parser};
use push0_sim::{Fault, Story, Strike, shrink};

/// Runs push0's scheduler and log in simulated worlds. Each world is drawn from its seed: the same
/// seed is the same history, byte for byte.
#[derive(Debug, Parser)]
#[command(name = "push0-sim", version)]
struct Args {
    /// Run this world, and tell its history.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run so many worlds; stop at the first that fails, and tell the shortest story of it.
    #[arg(long, value_parser = value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// The first of these worlds [default: drawn from the time]
    #[arg(long, requires = "seeds")]
    from: Option<u64>,
    /// Go on after a world that fails.
    #[arg(long, requires = "seeds")]
    keep_going: bool,
    /// Walk through the world event by event, with what each changes: enter goes on.
    #[arg(long, requires = "seed")]
    step: bool,
    /// Tell only how a world comes out: of one that fails no shorter story is looked for.
    #[arg(long)]
    quiet: bool,
    /// At most so many blocks.
    #[arg(long, requires = "seed")]
    blocks: Option<u64>,
    /// The only strikes of faults that happen, as a failure tells them; `none` for none.
    #[arg(long, requires = "seed", value_name = "FAULT:N,...")]
    only: Option<String>,
    /// The only kinds of faults that strike, and often.
    #[arg(long, value_delimiter = ',', value_name = "FAULT,...", value_parser = kind)]
    often: Vec<Fault>,
    /// Worlds of a cluster: several engines over one log on a stream. Else of one engine over its
    /// disk.
    #[arg(long)]
    cluster: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // What panics in a world is told as what does not hold there.
    std::panic::set_hook(Box::new(|_| {}));
    let mut out = io::stdout().lock();
    let done = match (args.seed, args.seeds) {
        (Some(seed), _) => one(&args, seed, &mut out),
        (None, Some(seeds)) => many(&args, seeds, &mut out),
        (None, None) => many(&args, 100, &mut out),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(_) => ExitCode::from(2), // nobody reads any more
    }
}

/// Runs one world. Answers whether all checks held.
fn one(args: &Args, seed: u64, out: &mut impl Write) -> io::Result<bool> {
    let only = match args.only.as_deref().map(strikes) {
        None => None,
        Some(Some(only)) => Some(only),
        Some(None) => {
            writeln!(out, "error: --only takes faults as in engine-killed:1,message-lost:3")?;
            return Ok(false);
        }
    };
    let (blocks, is_cluster) = (args.blocks, args.cluster);
    let often = args.often.clone();
    let story = Story { seed, only, often, blocks, broken: None, is_cluster };
    let outcome = if args.step { walk(&story, out)? } else { story.tell() };
    if !args.step && !args.quiet {
        out.write_all(outcome.history.as_bytes())?;
    }
    let (steps, events, lasted) = (outcome.steps, outcome.events, outcome.lasted.as_secs_f64());
    let faults = outcome.struck.len();
    writeln!(out, "seed {seed}: {steps} steps, {events} events, {faults} faults, {lasted:.3} s")?;
    match &outcome.violation {
        None => writeln!(out, "all checks hold")?,
        Some(violation) => writeln!(out, "FAILED {violation}")?,
    }
    Ok(outcome.violation.is_none())
}

/// Walks through a world, a step at a time.
fn walk(story: &Story, out: &mut impl Write) -> io::Result<push0_sim::Outcome> {
    let mut before: Vec<String> = Vec::new();
    let mut broken = Ok(());
    let mut lines = io::stdin().lock().lines();
    let outcome = story.step(|news, state| {
        if broken.is_err() {
            return;
        }
        broken = tell_step(news, &before, state, out);
        before = state.to_vec();
        // At its end the walk goes on by itself.
        let _ = lines.next();
    });
    broken.map(|()| outcome)
}

fn tell_step(
    news: &str,
    before: &[String],
    state: &[String],
    out: &mut impl Write,
) -> io::Result<()> {
    out.write_all(news.as_bytes())?;
    for line in before.iter().filter(|line| !state.contains(line)) {
        writeln!(out, "             - {line}")?;
    }
    for line in state.iter().filter(|line| !before.contains(line)) {
        writeln!(out, "             + {line}")?;
    }
    out.flush()
}

/// Runs many worlds. Answers whether all checks held in all of them.
fn many(args: &Args, seeds: u64, out: &mut impl Write) -> io::Result<bool> {
    let from = args.from.unwrap_or_else(fresh);
    let began = Instant::now();
    let mut failed = 0;
    let mut told = Instant::now();
    for (done, seed) in (1..=seeds).zip(from..) {
        let (often, is_cluster) = (args.often.clone(), args.cluster);
        let story = Story { often, is_cluster, ..Story::of(seed) };
        if let Some(violation) = story.run().violation {
            failed += 1;
            match args.quiet {
                true => writeln!(out, "FAILED seed {seed}: {violation}")?,
                false => tell_failure(&story, out)?,
            }
            if !args.keep_going {
                return Ok(false);
            }
        }
        if told.elapsed().as_secs() >= 10 || done == seeds {
            told = Instant::now();
            let rate = done as f64 * 60.0 / began.elapsed().as_secs_f64();
            writeln!(
                out,
                "{done} of {seeds} seeds from {from}, {failed} failed, {rate:.0} a minute"
            )?;
            out.flush()?;
        }
    }
    Ok(failed == 0)
}

fn tell_failure(story: &Story, out: &mut impl Write) -> io::Result<()> {
    let Some(shrunk) = shrink(story) else { return Ok(()) };
    let outcome = shrunk.story.tell();
    writeln!(out, "FAILED seed {}: {}", story.seed, shrunk.violation)?;
    let ((faults, steps), (fewer, less)) = (shrunk.before, shrunk.after);
    writeln!(out, "  {faults} faults and {steps} steps, shrunk to {fewer} and {less}:")?;
    for struck in &outcome.struck {
        writeln!(out, "  {:>12.6} {}", struck.at.as_secs_f64(), struck.strike)?;
    }
    let lines: Vec<_> = outcome.history.lines().collect();
    for line in lines.iter().skip(lines.len().saturating_sub(LINES_MAX)) {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "  {}", shrunk.story)?;
    out.flush()
}

/// The strikes in a text.
fn strikes(text: &str) -> Option<BTreeSet<Strike>> {
    if text == "none" {
        return Some(BTreeSet::new());
    }
    let strike = |word: &str| {
        let (name, nth) = word.split_once(':')?;
        let fault = Fault::ALL.iter().find(|fault| fault.word() == name).copied()?;
        Some(Strike { fault, nth: nth.parse().ok()? })
    };
    text.split(',').map(strike).collect()
}

/// The kind of this name.
fn kind(word: &str) -> Result<Fault, String> {
    let found = Fault::ALL.iter().find(|fault| fault.word() == word).copied();
    found.ok_or_else(|| {
        let all: Vec<_> = Fault::ALL.iter().map(|fault| fault.word()).collect();
        format!("no such fault: one of {}", all.join(", "))
    })
}

/// A seed that nobody had before, most likely.
fn fresh() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a seed is drawn once; no world reads a clock")]
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or_default().wrapping_mul(1_000_000)
}

/// The end of a history that a failure tells.
const LINES_MAX: usize = 40;
