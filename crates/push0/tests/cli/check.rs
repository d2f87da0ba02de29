//! `push0 check`.

use std::fs;

use crate::world::{PAIRS, Ran, World, push0};

#[test]
fn a_valid_pipeline_is_shown_as_a_table() {
    let world = World::new(PAIRS);
    insta::assert_snapshot!(check(&world).shown(&world), @r"
    pipeline demo: valid; blocks of chain 534352 from blocks.jsonl

    stage  from    collect   program  closes                      released
    leaf   blocks  each      mock     at once
    range  leaf    sequence  mock     at 2 blocks, end of source  yes
    --- stderr
    --- exit 0
    ");
}

#[test]
fn every_fault_is_told_with_its_line() {
    let world = World::new(PAIRS);
    let faulty = PAIRS.replace("\"leaf\"]", "\"leav\"]").replace("64MiB", "much");
    fs::write(world.pipeline(), faulty).expect("a faulty file");
    insta::assert_snapshot!(check(&world).shown(&world), @r#"
    --- stderr
    error: "much" is not a size (DIR/pipeline.toml:7, programs.mock.memory): write a whole number and one of B, KB, MB, GB, TB, KiB, MiB, GiB, TiB
    error: no stage `leav` (DIR/pipeline.toml:10, stages.range.inputs): did you mean `leaf`?
    --- exit 2
    "#);
}

#[test]
fn a_program_that_is_not_there_is_a_warning() {
    let world = World::new(PAIRS);
    let text = PAIRS.replace("[\"sh\"]", "[\"./no-such-prover\"]");
    fs::write(world.pipeline(), text).expect("a file");
    let told = check(&world).stderr.replace(world.path().to_str().expect("UTF-8"), "DIR");
    assert_eq!(
        told.trim_end(),
        "warning: DIR/no-such-prover: No such file or directory (os error 2) (DIR/pipeline.toml, programs.mock): build or install it, or correct the path"
    );
}

#[test]
fn a_program_that_cannot_start_is_a_warning_that_says_why() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::new(PAIRS);
    fs::write(world.pipeline(), PAIRS.replace("[\"sh\"]", "[\"./prover\"]")).expect("a file");
    let prover = world.path().join("prover");
    for (bytes, said) in [
        ("#!/opt/nowhere/python3.12\n", "/opt/nowhere/python3.12 is not there"),
        ("#!/bin/sh\r\n", "line ends of Windows"),
        ("echo 1\n", "names its interpreter"),
    ] {
        fs::write(&prover, bytes).expect("written");
        fs::set_permissions(&prover, fs::Permissions::from_mode(0o755)).expect("its own");
        let told = check(&world).stderr;
        assert!(told.starts_with("warning: ") && told.contains(said), "{told}");
        assert!(told.contains("programs.mock"), "{told}");
    }
}

#[test]
fn a_verifier_that_nobody_names_is_a_warning_unless_its_program_is_known() {
    let world = World::new(PAIRS);
    let real = |command: &str| {
        let text = PAIRS.replace("[\"sh\"]", command).replace(", mock = true", "");
        fs::write(world.pipeline(), text).expect("a file");
        check(&world).stderr
    };
    let told = real("[\"sh\"]");
    assert!(
        told.contains("it is `sh verify`") && told.contains("name one by `verifier`"),
        "{told}"
    );
    for quiet in ["[\"sh\"], verifier = [\"true\"]", "[\"push0-prover-mock\"]"] {
        assert!(!real(quiet).contains("nobody names"), "{quiet}");
    }
}

#[test]
fn a_program_is_never_passed_a_credential_of_push0s() {
    let world = World::new(PAIRS);
    let text = PAIRS.replace("mock = true }", "mock = true, pass = [\"PUSH0_NATS_PASSWORD\"] }");
    fs::write(world.pipeline(), text).expect("a file");
    let ran = check(&world);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("may be a credential of push0's"), "{}", ran.stderr);
}

#[test]
fn every_way_to_close_a_batch_is_named() {
    let world = World::new(PAIRS);
    let text = PAIRS
        .replace(
            "max = { blocks = 2 }",
            "max = { blocks = 9, gasUsed = 100 }, min = { blocks = 3 }, age = \"2h\"",
        )
        .replace("kind = \"file\", path = \"blocks.jsonl\"", "kind = \"submit\"");
    fs::write(world.pipeline(), text).expect("a file");
    insta::assert_snapshot!(check(&world).shown(&world), @r#"
    pipeline demo: valid; blocks of chain 534352 as they are submitted

    stage  from    collect   program  closes                                                    released
    leaf   blocks  each      mock     at once
    range  leaf    sequence  mock     at 9 blocks or 100 gasUsed, 2h old with 3 blocks, finish  yes
    --- stderr
    warning: its blocks come from `push0 submit` (DIR/pipeline.toml, source.kind): push0 run needs kind = "file" and a path, or "node"
    --- exit 0
    "#);
}

#[test]
fn what_a_run_would_trip_over_is_a_warning() {
    let world = World::new(PAIRS);
    fs::write(world.path().join("prove.py"), "pass").expect("a file");
    let text = PAIRS.replace("[\"sh\"]", "[\"sh\", \"prove.py\", \"leaf\"]");
    fs::write(world.pipeline(), text).expect("a file");
    insta::assert_snapshot!(check_bare(&world).shown(&world), @r"
    pipeline demo: valid; blocks of chain 534352 from blocks.jsonl

    stage  from    collect   program  closes                      released
    leaf   blocks  each      mock     at once
    range  leaf    sequence  mock     at 2 blocks, end of source  yes
    --- stderr
    warning: DIR/blocks.jsonl: No such file or directory (os error 2) (DIR/pipeline.toml, source.path): put it there, or correct the path
    warning: prove.py is passed as it is, and an attempt's working directory is its own (DIR/pipeline.toml, programs.mock.command): write the file's absolute path
    --- exit 0
    ");
}

/// With blocks.
fn check(world: &World) -> Ran {
    fs::write(world.path().join("blocks.jsonl"), "").expect("a file");
    check_bare(world)
}

fn check_bare(world: &World) -> Ran {
    push0(&["check", world.pipeline().to_str().expect("UTF-8")])
}
