//! Bytes that change while nobody looks: refused or repaired, and told.

use std::fs;
use std::path::PathBuf;

use crate::support::{World, blocks, flip, leaf_and_tree};

#[test]
fn a_flipped_byte_within_the_log_is_refused_with_its_place() {
    let world = finished();
    let (segment, end) = segment(&world);
    flip(&segment, end / 2);
    let ended = world.run(&[]).with(4);
    let place = ended.error().split_once("00000001.seg").map(|(_, place)| place.to_owned());
    let offset = place.unwrap_or_default();
    assert!(offset.contains(|letter: char| letter.is_ascii_digit()), "{}", ended.stderr);
}

#[test]
fn bytes_after_the_last_frame_are_cut_off_with_a_warning() {
    let world = killed_after_a_leaf();
    let (segment, end) = segment(&world);
    let mut bytes = fs::read(&segment).expect("a segment");
    let garbage = (0..100_u8).map(|byte| byte | 1);
    bytes.iter_mut().skip(end + 1).zip(garbage).for_each(|(byte, garbage)| *byte = garbage);
    fs::write(&segment, bytes).expect("room on the disk");
    assert_goes_on_with_a_warning(&world);
}

#[test]
fn a_last_frame_that_was_half_written_is_cut_off_with_a_warning() {
    let world = killed_after_a_leaf();
    let (segment, end) = segment(&world);
    let mut bytes = fs::read(&segment).expect("a segment");
    bytes.iter_mut().take(end).skip(end - 40).for_each(|byte| *byte = 0);
    fs::write(&segment, bytes).expect("room on the disk");
    assert_goes_on_with_a_warning(&world);
}

#[test]
fn a_damaged_result_is_made_again_before_it_is_used() {
    let world = killed_after_a_leaf();
    let history = world.history();
    let leaf = history.task("leaf", FIRST);
    flip(&world.artifact(history.output(leaf)), 5);
    let ended = world.run(ONE).with(0);
    assert_eq!(ended.said("why=result_lost").len(), 1, "{}", ended.stderr);
    assert_undisturbed(&world);
}

#[test]
fn a_damaged_final_result_is_made_again_when_its_file_is_gone() {
    let world = finished();
    let history = world.history();
    let released = history.all("released").next().expect("it is finished");
    let last = released["tasks"][0].as_str().expect("a task");
    flip(&world.artifact(history.output(last)), 5);
    fs::remove_file(proof_file(&world)).expect("it is there");
    let ended = world.run(&[]).with(0);
    assert_eq!(ended.said(" WARN  the result of task").len(), 1, "{}", ended.stderr);
    assert_undisturbed(&world);
}

#[test]
fn a_damaged_final_result_is_taken_from_its_proof_file() {
    let world = finished();
    let history = world.history();
    let released = history.all("released").next().expect("it is finished");
    let artifact = world.artifact(history.output(released["tasks"][0].as_str().expect("a task")));
    let whole = fs::read(&artifact).expect("an artifact");
    flip(&artifact, 5);
    let ended = world.run(&[]).with(0);
    assert_eq!(ended.said("it is its proof file's again").len(), 1, "{}", ended.stderr);
    assert_eq!(fs::read(&artifact).expect("an artifact"), whole);
}

#[test]
fn a_damaged_result_that_nothing_needs_is_told_of() {
    let world = finished();
    let history = world.history();
    flip(&world.artifact(history.output(history.task("leaf", FIRST))), 5);
    let ended = world.run(&[]).with(0);
    assert_eq!(ended.said("if it is needed again").len(), 1, "{}", ended.stderr);
}

#[test]
fn a_store_of_which_all_is_damaged_is_made_again() {
    let world = finished();
    let history = world.history();
    for event in history.all("accepted") {
        flip(&world.artifact(event["result"]["output"].as_str().expect("a digest")), 5);
    }
    fs::remove_file(proof_file(&world)).expect("it is there");
    let ended = world.run(&["--slots", "4"]).with(0);
    assert_eq!(ended.said(" remade ").len(), 7, "{}", ended.stderr);
    assert_undisturbed(&world);
}

#[test]
fn a_damaged_payload_is_taken_from_the_source_again() {
    let world = killed_after_a_leaf();
    let history = world.history();
    let last = history.all("block_submitted").next_back().expect("a block");
    flip(&world.artifact(last["block"]["payload"].as_str().expect("a digest")), 5);
    let ended = world.run(ONE).with(0);
    assert_eq!(ended.said("payload").len(), 1, "{}", ended.stderr);
    assert_undisturbed(&world);
}

#[test]
fn a_proof_file_that_is_damaged_or_gone_is_written_again() {
    let world = finished();
    let file = proof_file(&world);
    let bytes = fs::read(&file).expect("a proof");
    flip(&file, bytes.len() / 2);
    world.run(&[]).with(0);
    let mended = fs::read(&file).expect("a proof");
    fs::remove_file(&file).expect("it is there");
    world.run(&[]).with(0);
    assert!(mended == bytes && fs::read(&file).expect("a proof") == bytes);
}

/// Four blocks, proved and joined.
fn finished() -> World {
    let world = trial("0ms");
    world.run(&[]).with(0);
    world
}

/// Four blocks, killed when the first is proved, with all else ahead.
fn killed_after_a_leaf() -> World {
    let world = trial("300ms");
    let run = world.start(ONE);
    run.await_line(" accepted stage=leaf");
    run.kill();
    world.await_no_process();
    world
}

fn trial(lasts: &str) -> World {
    World::new(&leaf_and_tree(lasts), &blocks(FIRST, 4))
}

fn assert_goes_on_with_a_warning(world: &World) {
    let ended = world.run(&[]).with(0);
    let warnings = ended.said(" WARN ");
    assert!(matches!(warnings.as_slice(), [one] if one.contains("00000001.seg")), "{warnings:?}");
    assert_undisturbed(world);
}

/// The proofs say what they say where nothing was damaged, and the log tells how.
fn assert_undisturbed(world: &World) {
    assert_eq!(world.public_values(&[]), finished().public_values(&[]));
    world.history().complete();
}

/// The log's first segment, and where its frames end.
fn segment(world: &World) -> (PathBuf, usize) {
    let path = world.path("data/log/00000001.seg");
    let bytes = fs::read(&path).expect("a segment");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
    (path, end)
}

fn proof_file(world: &World) -> PathBuf {
    let mut files = fs::read_dir(world.path("data/proofs")).expect("proofs");
    files.next().expect("one").expect("it can be read").path()
}

const FIRST: u64 = 7_654_321;
const ONE: &[&str] = &["--slots", "1"];
