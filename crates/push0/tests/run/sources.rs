//! Block files that are not what they should be: each ends the run with its place, and loses
//! nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{World, blocks, leaf_and_tree};

#[test]
fn a_file_that_cannot_be_a_chain_ends_the_run_with_its_place() {
    let good = blocks(500, 1);
    let added = |value: &[u8]| {
        let block = good.trim_end().trim_end_matches('}').as_bytes();
        [block, b",\"added\":\"", value, b"\"}\n"].concat()
    };
    let cases: [(Vec<u8>, &str); 9] = [
        (Vec::new(), "no blocks in the file (FILE:1)"),
        (b"\r\n\n \n".to_vec(), "no blocks in the file (FILE:3)"),
        (added(b"\xff"), "not UTF-8 at column"),
        (added(&vec![b'x'; 10 << 20]), "a line of more than 8388608 bytes (FILE:1)"),
        (vec![b'x'; 10 << 20], "a line of more than 8388608 bytes (FILE:1)"),
        (
            good.replacen('{', "{\"number\":\"0x1f4\",", 1).into(),
            "`number` twice in one block (FILE:1, number)",
        ),
        (format!("[[{}]]", good.trim_end()).into(), "no block: invalid type: sequence"),
        (
            good.replace("0x1f4", &format!("0x{}", "f".repeat(99))).into(),
            "of more than 64 bits (FILE:1, number)",
        ),
        (format!("{good}\u{feff}{}", blocks(501, 1)).into(), "not JSON at column 1"),
    ];
    for (bytes, said) in cases {
        let world = World::new(&leaf_and_tree("1ms"), "");
        fs::write(world.path("blocks.jsonl"), bytes).expect("room on the disk");
        let ended = world.run(&[]).with(3);
        let file = world.path("blocks.jsonl").display().to_string();
        let error = ended.error().replace(&file, "FILE");
        assert!(error.contains(said), "no {said:?} in {error}");
        assert!(error.lines().count() == 1 && error.len() < 1_000, "{error}");
    }
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let replaced = |make: &dyn Fn(&World)| {
        let world = World::new(&leaf_and_tree("1ms"), "");
        fs::remove_file(world.path("blocks.jsonl")).expect("it is there");
        make(&world);
        world.run(&[]).with(3).error().to_owned()
    };
    let pipe = replaced(&|world| {
        let made = Command::new("mkfifo").arg(world.path("blocks.jsonl")).status();
        assert!(made.expect("mkfifo runs").success());
    });
    assert!(pipe.contains("a pipe, socket or device ("), "{pipe}");
    let endless = replaced(&|world| {
        symlink("/dev/zero", world.path("blocks.jsonl")).expect("a link");
    });
    assert!(endless.contains("a pipe, socket or device ("), "{endless}");
    let directory =
        replaced(&|world| fs::create_dir(world.path("blocks.jsonl")).expect("a directory"));
    assert!(directory.contains("a directory ("), "{directory}");
    let itself = replaced(&|world| {
        symlink("blocks.jsonl", world.path("blocks.jsonl")).expect("a link");
    });
    assert!(itself.contains("cannot read: "), "{itself}");
}

#[test]
fn hashes_that_are_trusted_are_said_to_be_in_every_proof_file() {
    // Each is the other's child, under a hash that is not of its header.
    let honest = blocks(500, 2);
    let hashes = honest.split("\"hash\":\"").skip(1).filter_map(|rest| rest.get(..66));
    let otherwise = |hash: &str| format!("0xabababab{}", hash.get(10..).expect("a hash"));
    let blocks = hashes.fold(honest.clone(), |all, hash| all.replace(hash, &otherwise(hash)));
    let world = World::new(&leaf_and_tree("1ms"), &blocks);
    let error = world.run(&[]).with(3).error().to_owned();
    assert!(error.contains("`hash = \"trusted\"` in [source]"), "{error}");
    assert!(!error.contains("fetch the block again"), "{error}");

    let pipeline = leaf_and_tree("1ms");
    let trusting = pipeline.replace("chain = 534352", "chain = 534352, hash = \"trusted\"");
    let world = World::new(&trusting, &blocks);
    world.run(&[]).with(0);
    let proof = fs::read_dir(world.path("data/proofs")).expect("a directory");
    let proof = proof.map(|entry| entry.expect("readable").path()).next().expect("a proof");
    let text = fs::read_to_string(&proof).expect("text");
    assert!(text.contains(r#","block_hashes":"trusted","#), "{text}");
    let proof = proof.to_str().expect("UTF-8");
    let verified = world.push0(&["verify", proof, "--pipeline", "pipeline.toml"]).with(0);
    assert!(
        verified.stdout.contains("hashes    of the blocks: on their source's word"),
        "{}",
        verified.stdout
    );

    // What they are taken on is part of what is proved: it does not change under way.
    world.write("pipeline.toml", &pipeline);
    world.run(&[]).with(4);
}

#[test]
fn a_nodes_answers_are_a_source() {
    let answers: String = blocks(500, 3)
        .lines()
        .map(|block| format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{block}}}\n"))
        .collect();
    let world = World::new(&leaf_and_tree("1ms"), &answers);
    world.run(&[]).with(0);
    let failed =
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"rate limit exceeded"}}"#;
    let world = World::new(&leaf_and_tree("1ms"), &format!("{answers}{failed}\n"));
    let error = world.run(&[]).with(3).error().to_owned();
    assert!(error.contains("\"rate limit exceeded\" (code -32005)"), "{error}");
    assert!(error.contains("blocks.jsonl:4)"), "{error}");
}

#[test]
fn line_ends_blank_lines_and_a_byte_order_mark_are_no_fault() {
    let odd = format!("\u{feff}\r\n{}", blocks(500, 3).replace('\n', "\r\n \r\n"));
    let world = World::new(&leaf_and_tree("1ms"), odd.trim_end());
    world.run(&[]).with(0);
    assert_eq!(world.history().complete().count("block_submitted"), 3);
}

#[test]
fn the_blocks_before_a_fault_are_kept_and_go_on_when_it_is_corrected() {
    let whole = blocks(500, 4);
    let world = World::new(&leaf_and_tree("1ms"), &whole.replacen("\"0x1f6\"", "\"0x1f7\"", 1));
    let ended = world.run(&[]).with(3);
    assert!(ended.error().contains("blocks.jsonl:3"), "{}", ended.stderr);
    assert_eq!(world.history().count("block_submitted"), 2);
    world.write("blocks.jsonl", &whole);
    world.run(&[]).with(0);
    let history = world.history().complete();
    assert_eq!((history.count("block_submitted"), history.count("released")), (4, 1));
}
