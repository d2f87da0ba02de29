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

    stage  from    collect   program  closes                                                   released
    leaf   blocks  each      mock     at once
    range  leaf    sequence  mock     at 9 blocks or 100 gasUsed, 2h old with 3 blocks, drain  yes
    --- stderr
    warning: push0 run needs a file source (DIR/pipeline.toml, source.kind): write kind = "file" and a path
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
