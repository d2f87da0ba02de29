//! Measures what the README says: set-up cold and warm, leaf, aggregate, verify, sizes, memory.
//!
//! `cargo run -p push0-prover-chain --example measure`: medians of five, on this machine.
//!
//! Not here: what push0 adds to it.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use push0_prover::wire::Hash32;
use push0_prover_chain::{Block, Chain, Key, Proof, Shape, Stage};

fn main() -> io::Result<()> {
    let mut out = io::stdout();
    let cache = std::env::temp_dir().join(format!("push0-chain-measure-{}", std::process::id()));
    std::fs::create_dir_all(&cache)?;
    for stage in [Stage::Leaf, Stage::Range] {
        let cold = median(|| set_up(None, stage))?;
        set_up(Some(&cache), stage)?;
        let warm = median(|| set_up(Some(&cache), stage))?;
        writeln!(out, "{stage:?}: built in {cold:?}, loaded in {warm:?}")?;
    }
    for entry in std::fs::read_dir(&cache)? {
        let entry = entry?;
        writeln!(out, "{}: {} bytes", entry.file_name().display(), entry.metadata()?.len())?;
    }

    let chain = Chain::new(Some(cache.clone()));
    let leaf = |number| chain.prove_block(1, &block(number)).map_err(io::Error::other);
    let (left, right) = (leaf(1)?, leaf(2)?);
    let range = || chain.prove_range(&left, &right).map_err(io::Error::other);
    let both = range()?;
    writeln!(out, "leaf: {:?}", median(|| leaf(3))?)?;
    writeln!(out, "aggregate: {:?}", median(range)?)?;
    writeln!(out, "verify: {:?}", median(|| verify(&both))?)?;
    writeln!(out, "proof: {} bytes", both.bytes.len())?;
    writeln!(out, "peak memory of proving: {}", peak()?)?;
    std::fs::remove_dir_all(&cache)?;

    let start = Instant::now();
    let rows = Shape::build().map_err(io::Error::other)?.rows;
    writeln!(out, "shape found, both circuits built: {:?}, {rows} rows", start.elapsed())
}

fn set_up(cache: Option<&std::path::Path>, stage: Stage) -> io::Result<()> {
    let set_up = Chain::new(cache.map(Into::into)).set_up(stage).map_err(io::Error::other)?;
    set_up
        .and_then(|set_up| set_up.problem)
        .map_or(Ok(()), |problem| Err(io::Error::other(problem)))
}

fn verify(proof: &Proof) -> io::Result<()> {
    Key::pinned().verify(proof).map_err(io::Error::other)
}

fn median<T>(mut run: impl FnMut() -> io::Result<T>) -> io::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times.into_iter().nth(2).unwrap_or_default())
}

/// What Linux says of this process.
fn peak() -> io::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.unwrap_or("unknown").trim().to_owned())
}

fn block(number: u64) -> Block {
    let hash = |number: u64| {
        let mut hash = Hash32::default();
        hash.0.iter_mut().zip(number.to_be_bytes()).for_each(|(byte, value)| *byte = value);
        hash
    };
    let (pre_root, post_root) = (hash(number), hash(number + 1));
    let (hash, parent) = (hash(number), hash(number.saturating_sub(1)));
    Block { number, hash, parent, pre_root, post_root, gas_used: 1, gas_limit: 2 }
}
