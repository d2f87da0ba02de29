//! The file log on directories of the operating system.
//!
//! Not here: faults.

use std::path::Path;

use push0_core::{Seq, Turn};
use push0_log::conformance::{self, Place, finish};
use push0_log::{Directory, Ending, FileLog, Log as _, OpenError, Settings, scan};
use tempfile::TempDir;

use crate::turns::turn;

#[test]
fn it_keeps_what_every_log_must() {
    let empty = || InDirectory(TempDir::new().expect("a temporary directory"));
    finish(conformance::all(empty));
}

#[test]
fn a_log_that_is_open_is_busy_until_it_is_dropped() {
    let dir = TempDir::new().expect("a temporary directory");
    let log = FileLog::open(dir.path()).expect("it is empty");
    let error = FileLog::open(dir.path()).expect_err("it is open");
    assert!(matches!(error, OpenError::Busy { .. }), "{error}");
    drop(log);
    FileLog::open(dir.path()).expect("it is closed");
}

#[test]
fn a_log_spans_segments_that_a_thread_fills_ahead() {
    let dir = TempDir::new().expect("a temporary directory");
    let turns = append(&mut small(dir.path()), 1..=60);
    let mut read = Vec::new();
    let report = scan(dir.path(), Seq(0), &mut |turn| read.push(turn)).expect("it can be read");
    assert_eq!(read, turns);
    assert!(report.segments >= 6, "{report:?}");
    assert_eq!((report.last, report.turns, report.frames), (Seq(60), 60, 61));
    assert_eq!(append(&mut small(dir.path()), 61..=70).len(), 10);
}

#[test]
fn a_log_is_read_while_it_is_written() {
    let dir = TempDir::new().expect("a temporary directory");
    let mut log = small(dir.path());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| append(&mut log, 1..=300));
        while !writer.is_finished() {
            let mut read = 0;
            let report = scan(dir.path(), Seq(0), &mut |_| read += 1).expect("it can be read");
            assert!(matches!(report.ending, Ending::Open | Ending::Torn(_)), "{report:?}");
            assert_eq!(report.last, Seq(read));
        }
    });
}

#[test]
fn a_report_says_how_the_log_ended() {
    let dir = TempDir::new().expect("a temporary directory");
    let ending = || scan(dir.path(), Seq(0), &mut drop).expect("it can be read").ending;
    let mut log = small(dir.path());
    assert!(matches!(ending(), Ending::Open));
    append(&mut log, 1..=1);
    finish(log.close()).expect("nothing is in its way");
    assert!(matches!(ending(), Ending::Closed));
    append(&mut small(dir.path()), 2..=2);
    assert!(matches!(ending(), Ending::Open));
}

#[test]
fn a_log_keeps_its_identity_and_another_has_another() {
    let (dir, other) = (TempDir::new().expect("temporary"), TempDir::new().expect("temporary"));
    let id = FileLog::open(dir.path()).expect("it is empty").0.id();
    assert_eq!(FileLog::open(dir.path()).expect("it is closed").0.id(), id);
    assert_ne!(FileLog::open(other.path()).expect("it is empty").0.id(), id);
}

struct InDirectory(TempDir);

impl Place for InDirectory {
    type Log = FileLog;

    fn open(&self) -> Option<FileLog> {
        match FileLog::open(self.0.path()) {
            Ok((log, _, _)) => Some(log),
            Err(OpenError::Busy { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A log with small segments, in a data directory.
fn small(dir: &Path) -> FileLog {
    let settings = Settings { segment_bytes: 2048, ..Settings::default() };
    let disk = Directory::new(&dir.join("log"));
    FileLog::open_on(disk, settings, &mut drop).expect("it is sound").0
}

fn append(log: &mut FileLog, positions: std::ops::RangeInclusive<u64>) -> Vec<Turn> {
    let turns: Vec<_> = positions.map(|at| turn(Seq(at), at)).collect();
    for turn in &turns {
        finish(log.append(turn)).expect("it follows");
    }
    turns
}
