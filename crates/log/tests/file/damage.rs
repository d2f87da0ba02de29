//! Damage to what was durable: found wherever it is, and never taken for less than it is.
//!
//! Not here: what a crash leaves (`power_loss`).

use push0_core::{Seq, Turn};
use push0_log::conformance::finish;
use push0_log::{
    Disk as _, Ending, FileLog, Log as _, LogId, OpenError, ReadError, Report, Settings,
};

use crate::disk::FaultyDisk;
use crate::turns::turn;

#[test]
fn no_flipped_bit_takes_a_turn_from_a_closed_log() {
    let (disk, turns) = written(11, true);
    for name in ["00000001.seg", "00000002.seg", "00000003.seg"] {
        for offset in 0..disk.size(name) {
            for bit in 0..8 {
                let damaged = disk.copy();
                damaged.flip(name, offset, 1 << bit);
                match open(&damaged) {
                    Err(OpenError::Unreadable(ReadError::Damaged { file, .. })) => {
                        assert_eq!(file, damaged.path(name));
                    }
                    Ok((history, report)) => {
                        assert!(report.cut().is_some(), "{name} {offset}.{bit} went unseen");
                        assert_eq!(history, turns, "{name} {offset}.{bit}");
                    }
                    Err(error) => panic!("{name} {offset}.{bit}: {error}"),
                }
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_an_open_log_cuts_its_last_turn_or_is_refused() {
    let (disk, turns) = written(3, false);
    // From the last turn to as far as the next frame can reach.
    let tail = at(3)..at(4) + SETTINGS.segment_bytes / 4;
    for offset in 0..disk.size("00000001.seg") {
        let damaged = disk.copy();
        damaged.flip("00000001.seg", offset, 4);
        let kept = match open(&damaged) {
            Err(OpenError::Unreadable(ReadError::Damaged { .. })) if !tail.contains(&offset) => {
                continue;
            }
            Ok((kept, report)) if tail.contains(&offset) && report.cut().is_some() => kept,
            opened => panic!("byte {offset}: {opened:?}"),
        };
        let is_last = offset < at(4);
        assert!(
            turns.starts_with(&kept) && kept.len() == 3 - usize::from(is_last),
            "byte {offset}"
        );
        let (again, report) = open(&damaged).expect("it was mended");
        assert!(again == kept && report.cut().is_none(), "byte {offset}");
    }
}

#[test]
fn a_torn_turn_after_a_clean_end_is_cut() {
    let (disk, turns) = written(1, true);
    disk.change("00000001.seg", |bytes| bytes.splice(at(2) + CLOSING.., [7; 64]).for_each(drop));
    disk.change("00000001.seg", |bytes| bytes.resize(SETTINGS.segment_bytes, 0));
    let (history, report) = open(&disk).expect("nothing was acknowledged after it");
    let cut = report.cut().expect("something is there");
    assert_eq!((cut.offset, cut.bytes, history), ((at(2) + CLOSING) as u64, 64, turns));
}

#[test]
fn two_damaged_frames_are_more_than_a_torn_tail() {
    // Together they are smaller than the largest frame of such segments.
    let (disk, _) = written_as(Settings { segment_bytes: 4096, ..SETTINGS }, 3, false);
    disk.flip("00000001.seg", at(2) + 100, 1);
    disk.flip("00000001.seg", at(3) + 100, 1);
    let error = open(&disk).expect_err("the first of them was acknowledged");
    assert_eq!(
        error.to_string(),
        "00000001.seg is damaged at byte 320: its checksum does not match"
    );
}

#[test]
fn a_missing_segment_is_refused() {
    for name in ["00000001.seg", "00000002.seg"] {
        let (disk, _) = written(11, true);
        disk.remove(name).expect("it is there");
        let error = open(&disk).expect_err("turns are missing").to_string();
        assert_eq!(error, format!("{name} is damaged at byte 0: the segment is missing"));
    }
}

#[test]
fn a_segment_that_was_cut_short_is_refused() {
    for name in ["00000001.seg", "00000003.seg"] {
        for bytes in [0, 1, at(1), at(1) + 20, at(3), 1023] {
            let (disk, _) = written(11, true);
            disk.truncate(name, bytes);
            let opened = open(&disk);
            assert!(matches!(opened, Err(OpenError::Unreadable(_))), "{name} {bytes}: {opened:?}");
        }
    }
}

#[test]
fn a_segment_of_another_log_is_refused() {
    let (disk, _) = written(11, true);
    let other = Settings { id: Some(LogId([8; 16])), ..SETTINGS };
    let foreign = written_as(other, 11, true).0.read("00000002.seg").expect("it is there");
    disk.change("00000002.seg", |bytes| *bytes = foreign);
    let error = open(&disk).expect_err("it is of another log").to_string();
    assert!(error.contains("is of log 08080808"), "{error}");
}

#[test]
fn a_segment_of_another_history_of_the_same_log_is_refused() {
    let (disk, _) = written(11, true);
    let fork = FaultyDisk::default();
    append(&fork, SETTINGS, (1..=11).map(|at| turn(Seq(at), at + 100)), true);
    let foreign = fork.read("00000002.seg").expect("it is there");
    disk.change("00000002.seg", |bytes| *bytes = foreign);
    let error = open(&disk).expect_err("it follows other turns").to_string();
    assert_eq!(error, "00000002.seg is damaged at byte 0: it does not follow the frame before it");
}

#[test]
fn a_turn_that_skips_a_position_is_refused() {
    let (disk, _) = written(2, false);
    reseal_last(&disk, 32, 3);
    let error = open(&disk).expect_err("position 2 is missing").to_string();
    assert_eq!(
        error,
        "00000001.seg is damaged at byte 320: it does not follow the frame before it"
    );
}

#[test]
fn a_record_of_a_newer_push0_is_refused_as_such() {
    let newer = [
        (8, 2, "version 2, encoding 2"),
        (10, 3, "version 1, encoding 3"),
        (11, 4, "a frame of kind 4"),
        (123, b'S', "unknown variant"),
    ];
    for (offset, byte, reason) in newer {
        let (disk, _) = written(2, false);
        reseal_last(&disk, offset, byte);
        let error = open(&disk).expect_err("it is not known here").to_string();
        let newer = format!("00000001.seg holds a record of a newer push0 at byte 320: {reason}");
        assert!(error.starts_with(&newer), "{error}");
    }
}

/// Changes a byte of the second turn's frame, and makes its checksum right again.
fn reseal_last(disk: &FaultyDisk, offset: usize, byte: u8) {
    disk.change("00000001.seg", |bytes| {
        let frame = bytes.get_mut(at(2)..at(3)).expect("the second turn");
        *frame.get_mut(offset).expect("within the frame") = byte;
        frame.get_mut(16..20).expect("a checksum").fill(0);
        let checksum = crc32c::crc32c(frame).to_le_bytes();
        frame.get_mut(16..20).expect("a checksum").copy_from_slice(&checksum);
    });
}

fn open(disk: &FaultyDisk) -> Result<(Vec<Turn>, Report), OpenError> {
    let mut history = Vec::new();
    let each = &mut |turn| history.push(turn);
    let report = FileLog::open_on(disk.clone(), SETTINGS, each).map(|(_, report)| report)?;
    assert!(!matches!(report.ending, Ending::Unreadable(_)));
    Ok((history, report))
}

fn written(turns: u64, is_closed: bool) -> (FaultyDisk, Vec<Turn>) {
    written_as(SETTINGS, turns, is_closed)
}

/// A log of so many turns.
/// No crash leaves it so: the first segment has its name once its genesis frame is synced.
#[test]
fn a_first_segment_that_is_empty_or_blank_is_damage_and_no_new_log() {
    for turns in [2, 11] {
        let (disk, _) = written(turns, true);
        for size in [0, disk.size("00000001.seg")] {
            let damaged = disk.copy();
            let file = damaged.create("00000001.seg").expect("it takes everything");
            damaged.write_at(&file, 0, &vec![0; size]).expect("it takes everything");
            match open(&damaged) {
                Err(OpenError::Unreadable(ReadError::Damaged { file, offset: 0, reason })) => {
                    assert_eq!(file, damaged.path("00000001.seg"));
                    assert!(reason.contains("empty, or zeros alone"), "{reason}");
                }
                opened => panic!("{size} zeros: {opened:?}"),
            }
        }
    }
}

fn written_as(settings: Settings, turns: u64, is_closed: bool) -> (FaultyDisk, Vec<Turn>) {
    let disk = FaultyDisk::default();
    let turns = append(&disk, settings, (1..=turns).map(|at| turn(Seq(at), at)), is_closed);
    (disk, turns)
}

fn append(
    disk: &FaultyDisk,
    settings: Settings,
    turns: impl Iterator<Item = Turn>,
    is_closed: bool,
) -> Vec<Turn> {
    let turns: Vec<_> = turns.collect();
    let (mut log, _) = FileLog::open_on(disk.clone(), settings, &mut drop).expect("it is empty");
    for turn in &turns {
        finish(log.append(turn)).expect("it follows");
    }
    if is_closed {
        finish(log.close()).expect("nothing is in its way");
    }
    turns
}

/// Where in the first segment the frame of this turn begins, counted from 1.
const fn at(turn: usize) -> usize {
    GENESIS + (turn - 1) * FRAME
}

const GENESIS: usize = 128;
const FRAME: usize = 192;
const CLOSING: usize = 128;

const SETTINGS: Settings =
    Settings { segment_bytes: 1024, fills_ahead: false, id: Some(LogId([7; 16])) };
