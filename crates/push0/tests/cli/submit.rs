//! `push0 submit`, as far as no cluster is there: `dev` has the rest.

use std::fs;

use crate::world::push0;

#[test]
fn a_block_file_that_is_not_there_is_told_before_any_server_is_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    let pipeline = dir.path().join("pipeline.toml");
    let text = crate::world::PAIRS
        .replace("kind = \"file\", path = \"blocks.jsonl\"", "kind = \"submit\"");
    fs::write(&pipeline, text).expect("a writable directory");
    let pipeline = pipeline.to_str().expect("UTF-8");
    let ran = push0(&["submit", pipeline, "no-blocks.jsonl", "--nats", "nats://127.0.0.1:9"]);
    assert_eq!(ran.code, Some(3));
    let (time, told) = ran.stderr.trim_end().split_once(' ').expect("a time");
    humantime::parse_rfc3339(time).expect("a time");
    assert_eq!(
        told,
        "ERROR no such block file (no-blocks.jsonl): name a file that is there, or - to read blocks from stdin"
    );
}
