//! A crash at every operation of the disk, twice in a row: what was acknowledged is there
//! afterwards.
//!
//! Method: an engine opens the log and appends. The disk stops at one operation; then the process
//! is killed, or the power goes and takes any part of what was not synced. The next engine opens,
//! and meets the same. The last one must open, and find every acknowledged turn, in order, and
//! besides them at most the one whose append was under way.
//!
//! Not here: damage to what was durable (`damage`).

use std::collections::BTreeSet;
use std::io::ErrorKind;

use push0_core::{Seq, Turn};
use push0_log::conformance::finish;
use push0_log::{AppendError, FileLog, Log as _, LogId, OpenError, Settings};

use crate::disk::FaultyDisk;
use crate::turns::turn;

#[test]
fn whatever_was_acknowledged_survives_a_crash_at_any_operation() {
    let first_operations = operations(&World::default());
    for stop in 0..first_operations {
        for seed in 0..SEEDS {
            let mut world = World::default();
            world.live(Some(stop));
            world.crash(seed);
            let second_operations = operations(&world);
            for second_stop in 0..second_operations {
                let mut world = world.copy();
                world.live(Some(second_stop));
                world.crash(seed / 2);
                world.live(None);
                world.power_loss(seed);
                world.live(None);
            }
        }
    }
}

#[test]
fn a_fault_at_any_operation_is_answered_by_what_to_do() {
    let mut met = BTreeSet::new();
    for operation in 0..operations(&World::default()) {
        for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
            let mut world = World::default();
            world.disk.fault_at(operation, kind);
            met.insert(world.live_until_poisoned());
            world.crash(operation as u64);
            world.live(None);
            world.power_loss(3);
            world.live(None);
        }
    }
    let all = ["an append to repeat", "an opening that failed", "nothing", "poison"];
    assert!(met.into_iter().eq(all));
}

/// A disk, and what engines were told of it.
#[derive(Default)]
struct World {
    disk: FaultyDisk,
    acknowledged: Vec<Turn>,
    under_way: Option<Turn>,
    marks: u64,
}

impl World {
    /// An engine opens the log, appends and closes, until the disk stops.
    fn live(&mut self, stop: Option<usize>) {
        match stop {
            Some(stop) => self.disk.stop_at(stop),
            None => self.disk.kill(),
        }
        let Some(mut log) = self.open() else {
            assert!(stop.is_some(), "a disk without faults opens");
            return;
        };
        for _ in 0..TURNS {
            if self.append(&mut log).is_err() {
                assert!(stop.is_some(), "a disk without faults takes an append");
                return;
            }
        }
        let closed = finish(log.close());
        assert!(closed.is_ok() || stop.is_some());
    }

    /// An engine that repeats what may be repeated, and ends where it must. Says what it met.
    fn live_until_poisoned(&mut self) -> &'static str {
        let mut met = "nothing";
        let Some(mut log) = self.open().or_else(|| {
            met = "an opening that failed";
            self.open()
        }) else {
            panic!("it opens again")
        };
        while self.acknowledged.len() < TURNS {
            match self.append(&mut log) {
                Ok(()) => {}
                Err(AppendError::Full(_) | AppendError::Unavailable(_)) => {
                    met = "an append to repeat";
                    let turn = self.under_way.take().expect("it was refused");
                    finish(log.append(&turn)).expect("it can be repeated");
                    self.acknowledged.push(turn);
                }
                Err(AppendError::Poisoned(_)) => {
                    let again = self.append(&mut log);
                    assert!(matches!(again, Err(AppendError::Poisoned(_))), "{again:?}");
                    return "poison";
                }
                Err(error) => panic!("{error}"),
            }
        }
        met
    }

    fn open(&mut self) -> Option<FileLog<FaultyDisk>> {
        let mut history = Vec::new();
        match FileLog::open_on(self.disk.clone(), SETTINGS, &mut |turn| history.push(turn)) {
            Ok((log, _)) => {
                let (known, rest) = history.split_at(self.acknowledged.len().min(history.len()));
                assert_eq!(known, self.acknowledged);
                let under_way = self.under_way.take();
                assert!(rest.is_empty() || rest.iter().eq(under_way.iter()), "{rest:?}");
                self.acknowledged = history;
                Some(log)
            }
            Err(OpenError::Unavailable(_) | OpenError::Full(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn append(&mut self, log: &mut FileLog<FaultyDisk>) -> Result<(), AppendError> {
        self.marks += 1;
        let turn =
            turn(self.acknowledged.last().map_or(Seq(1), |last| last.last().next()), self.marks);
        let appended = finish(log.append(&turn));
        match appended {
            Ok(()) => self.acknowledged.push(turn),
            // A poisoned log wrote nothing more: what was under way at first is.
            Err(_) => self.under_way = self.under_way.take().or(Some(turn)),
        }
        appended
    }

    fn crash(&mut self, seed: u64) {
        match seed % 2 {
            0 => self.disk.kill(),
            _ => self.power_loss(seed),
        }
    }

    fn power_loss(&mut self, seed: u64) {
        self.disk.power_loss(seed);
    }

    fn copy(&self) -> Self {
        let (acknowledged, under_way) = (self.acknowledged.clone(), self.under_way.clone());
        Self { disk: self.disk.copy(), acknowledged, under_way, marks: self.marks }
    }
}

/// How many operations a life without a crash takes from here.
fn operations(world: &World) -> usize {
    let mut world = world.copy();
    world.live(None);
    world.disk.operations()
}

const TURNS: usize = 7;
const SEEDS: u64 = 6;

/// Four turns to a segment, so that few turns make it roll.
const SETTINGS: Settings =
    Settings { segment_bytes: 1024, fills_ahead: false, id: Some(LogId([7; 16])) };
