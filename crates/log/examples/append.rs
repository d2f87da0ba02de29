//! How long an append takes here, and a replay: `cargo run --release -p push0-log --example
//! append`.
//!
//! Writes into a temporary directory (give another as the argument, on the disk that is to be
//! measured) and removes it. For orientation, on two quiet cores with a local disk: an `fdatasync`
//! of 500 bytes into a file of zeros has a p50 of 70 us. What that costs here at this moment is
//! printed beside what an append costs.
//!
//! Not here: a benchmark to compare runs by.

mod shared;

use std::error::Error;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use push0_core::Seq;
use push0_log::conformance::finish;
use push0_log::{FileLog, Log as _, scan};

use self::shared::{spread, turn};

fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = parent.join(format!("push0-log-append-{}", std::process::id()));
    let measured = syncs(&dir).and_then(|()| appends(&dir)).and_then(|()| replay(&dir));
    fs::remove_dir_all(&dir)?;
    measured
}

/// What the disk itself takes.
#[expect(clippy::print_stdout, reason = "what it is for")]
fn syncs(dir: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(dir)?;
    let file = File::create(dir.join("syncs"))?;
    file.write_all_at(&vec![0; 16 << 20], 0)?;
    file.sync_all()?;
    let mut took = Vec::new();
    for append in 0..APPENDS {
        let start = Instant::now();
        file.write_all_at(&[1; 500], append * 512)?;
        file.sync_data()?;
        took.push(start.elapsed());
    }
    println!("fdatasync of 500 bytes: {}", spread(took));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what it is for")]
fn appends(dir: &Path) -> Result<(), Box<dyn Error>> {
    let (mut log, _, _) = FileLog::open(dir)?;
    let mut took = Vec::new();
    for _ in 0..APPENDS {
        let turn = turn(log.last().next(), 1);
        let start = Instant::now();
        finish(log.append(&turn))?;
        took.push(start.elapsed());
    }
    let bytes = serde_json::to_vec(&turn(Seq(1), 1))?.len();
    println!("append of a turn of {bytes} bytes: {}", spread(took));

    let start = Instant::now();
    while log.last() < Seq(EVENTS) {
        finish(log.append(&turn(log.last().next(), TURN_EVENTS)))?;
    }
    let rate = (EVENTS - APPENDS) as f64 / start.elapsed().as_secs_f64();
    println!("append of {TURN_EVENTS} events a turn: {rate:.0} events/s");
    finish(log.close())?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what it is for")]
fn replay(dir: &Path) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut events = 0;
    let report = scan(dir, Seq(0), &mut |turn| events += turn.events.len())?;
    let (took, megabytes) = (start.elapsed(), report.bytes / 1_000_000);
    println!("replay of {events} events in {} turns, {megabytes} MB: {took:.2?}", report.turns);

    let start = Instant::now();
    scan(dir, Seq(u64::MAX), &mut drop)?;
    println!("of that, frames and digests without the JSON: {:.2?}", start.elapsed());
    Ok(())
}

const APPENDS: u64 = 20_000;
const EVENTS: u64 = 1_000_000;
const TURN_EVENTS: u64 = 50;
