//! What a pipeline file may say, and what is said of one that is wrong.

use std::time::Duration;

use super::*;

#[test]
fn one_machine_is_a_pipeline() {
    let (spec, pipeline) = parse(SCROLL).expect("a pipeline");
    assert_eq!(pipeline.stages.len(), 2);
    assert_eq!(spec.programs.get("chain").and_then(|chain| chain.memory), Some(1 << 30));
}

#[test]
fn the_five_topologies_are_pipelines() {
    for stages in [
        r#"
        sp1   = { inputs = ["blocks"], program = "mock", args = ["--for", "3s"] }
        risc0 = { inputs = ["blocks"], program = "mock", args = ["--for", "1s..4s"] }
        zisk  = { inputs = ["blocks"], program = "mock", args = ["--for", "2s"] }
        [release]
        inputs = ["sp1", "risc0", "zisk"]"#,
        r#"
        prove = { inputs = ["blocks"], program = "mock" }
        [release]
        inputs = ["prove"]"#,
        r#"
        split = { inputs = ["blocks"], program = "mock", args = ["split"], output = "parts" }
        step  = { inputs = ["split"], program = "merge", args = ["step"] }
        join  = { inputs = ["step"], collect = "parts", program = "merge", args = ["join"] }
        [release]
        inputs = ["join"]"#,
        r#"
        zisk  = { inputs = ["blocks"], program = "mock", args = ["--for", "2s"] }
        split = { inputs = ["blocks"], program = "mock", args = ["split"], output = "parts" }
        step  = { inputs = ["split"], program = "merge", args = ["step"] }
        join  = { inputs = ["step"], collect = "parts", program = "merge", args = ["join"] }
        [release]
        inputs = ["join", "zisk"]"#,
    ] {
        parse(&format!("{DEMO}{stages}\n")).expect("a pipeline");
    }
}

#[test]
fn a_rollup_is_a_pipeline_but_for_what_is_not_built() {
    let told = told(ROLLUP);
    assert_eq!(
        told,
        [
            "8, programs.range-v2.from: `from` is not built yet",
            "8, programs.range-v2.replaces: `replaces` is not built yet",
            "12, stages.range.stall: `stall` is not built yet",
        ]
    );
    let (spec, _) = parse(
        &ROLLUP
            .replace(", replaces = \"range\", from = 15_000_000", "")
            .replace(", stall = \"15m\"", ""),
    )
    .expect("a pipeline");
    let range = spec.stages.get("range").expect("a stage");
    assert_eq!(range.timeout, Some(Duration::from_secs(5400)));
}

#[test]
fn real_time_is_refused_by_what_is_not_built() {
    let told = told(REALTIME);
    assert_eq!(
        told,
        [
            "3, order: `newest-first` is not built yet",
            "5, deadline: `deadline` is not built yet",
            "6, late: `late` is not built yet",
            "9, programs.zisk.url: `url` is not built yet",
            "9, programs.zisk.contract: `ere` is not built yet",
            "14, stages.agree.k: `k` is not built yet",
            "14, stages.agree.collect: `quorum` is not built yet",
        ]
    );
}

#[test]
fn tables_may_be_written_out() {
    let text = "\u{feff}push0 = 1\r\nname = \"x\"\r\n[source]\r\nkind = \"submit\"\r\nchain = 1\r\n\
                [programs.a]\r\ncommand = [\"a\"]\r\nmemory = 1_000\r\n[stages.s]\r\ninputs = [\r\n\
                \"blocks\"]\r\nprogram = \"a\"\r\nretry.lost = 3\r\n[release]\r\ninputs = [\"s\"]\r\n";
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("pipeline.toml");
    std::fs::write(&path, text).expect("a file");
    let loaded = load(&path).expect("a pipeline");
    assert_eq!(loaded.dir, dir.path());
    assert_eq!(loaded.pipeline.stages.first().map(|stage| stage.retry.lost), Some(3));
}

#[test]
fn a_type_that_does_not_fit_is_told_with_its_line() {
    for (from, to, expected) in [
        ("push0  = 1", "push0 = \"1\"", "1, push0: text where a whole number belongs"),
        ("push0  = 1", "push0 = 1\nwindow = -5", "2, window: -5 is a negative number"),
        (
            "push0  = 1",
            "push0 = 1\nwindow = 1.5",
            "2, window: a fraction where a whole number belongs",
        ),
        (
            "push0  = 1",
            "push0 = 1\nallow_mock = 1",
            "2, allow_mock: a number where true or false belongs",
        ),
        ("\"1GiB\"", "\"1 gig\"", "5, programs.chain.memory: \"1 gig\" is not a size"),
        ("\"1GiB\"", "true", "5, programs.chain.memory: true or false where a size belongs"),
        ("\"1GiB\"", "-1", "5, programs.chain.memory: -1 is a negative number"),
        ("arity = 2", "timeout = 60", "8, stages.range.timeout: 60 is a number without a unit"),
        ("arity = 2", "age = \"soon\"", "8, stages.range.age: \"soon\" is not a duration"),
        ("arity = 2", "max = 5", "8, stages.range.max: a number where a table belongs"),
        (
            "arity = 2",
            "max = { gasUsed = \"5\" }",
            "8, stages.range.max.gasUsed: text where a whole number belongs",
        ),
        ("[\"range\"]\n", "\"range\"\n", "10, release.inputs: text where an array of text belongs"),
        ("[\"range\"]\n", "[\n\"range\",\n3]\n", "12, release.inputs: a number where text belongs"),
    ] {
        assert_eq!(told(&SCROLL.replacen(from, to, 1)), [expected]);
    }
}

#[test]
fn a_table_that_is_short_is_shown_as_it_is_written() {
    for (to, write) in [
        ("max = 5", "write `max = { blocks = 4 }`"),
        ("retry = 5", "write `retry = { transient = 5 }`"),
    ] {
        let faults = parse(&SCROLL.replace("arity = 2", to)).expect_err("a faulty pipeline");
        let remedies: Vec<_> = faults.iter().map(|fault| fault.remedy.as_str()).collect();
        assert!(remedies.contains(&write), "{remedies:?}");
    }
}

#[test]
fn a_command_asks_for_both_paths_in_one_place_or_for_none() {
    let with = |command: &str, args: &str| {
        let text = SCROLL.replace("[\"push0-prover-chain\"]", command);
        text.replace("\"serve\"", "\"file\"").replace(", args = [\"leaf\"]", args)
    };
    for (command, args) in [
        (r#"["p", "-i", "--fast", "-o"]"#, ""),
        (r#"["p", "--output-path", "-i"]"#, ""),
        (r#"["p"]"#, r#", args = ["--input-path", "-o"]"#),
    ] {
        parse(&with(command, args)).expect("a pipeline");
    }
    let alone =
        |flag: &str, other| format!("`{flag}` asks for a path, and no `{other}` for the other");
    for (command, args, expected) in [
        (r#"["p", "-i"]"#, "", format!("5, programs.chain.command: {}", alone("-i", "-o"))),
        (
            r#"["p", "--output-path"]"#,
            "",
            format!("5, programs.chain.command: {}", alone("--output-path", "--input-path")),
        ),
        (r#"["p", "-i", "-o", "-i"]"#, "", "5, programs.chain.command: `-i` twice".to_owned()),
        (
            r#"["p", "-i", "-o", "--output-path"]"#,
            "",
            "5, programs.chain.command: `-o` and `--output-path`, which ask for the same path"
                .to_owned(),
        ),
        (r#"["p"]"#, r#", args = ["-o"]"#, format!("7, stages.leaf.args: {}", alone("-o", "-i"))),
        (
            r#"["p", "-i", "-o"]"#,
            r#", args = ["-i", "-o"]"#,
            "7, stages.leaf.args: the paths are asked for here, and in the program's command"
                .to_owned(),
        ),
    ] {
        assert_eq!(told(&with(command, args)), [expected]);
    }
}

#[test]
fn a_misspelt_key_is_told_with_what_was_meant() {
    let text = SCROLL.replace("program = \"chain\", args = [\"leaf\"]", "progam = \"chain\"");
    let faults = parse(&text).expect_err("a misspelt key");
    let [fault] = faults.as_slice() else { panic!("{faults:?}") };
    assert_eq!(
        fault.clone().of(Path::new("p.toml")).to_string(),
        "unknown key (p.toml:7, stages.leaf.progam): did you mean `program`?"
    );
}

#[test]
fn a_missing_key_has_the_line_of_its_table() {
    let text = SCROLL.replace(", memory = \"1GiB\"", "").replace("inputs = [\"range\"]", "");
    assert_eq!(
        told(&text),
        ["5, programs.chain.memory: no memory", "9, release.inputs: nothing is released"]
    );
}

#[test]
fn an_empty_file_is_told_all_it_lacks() {
    assert!(told("").iter().all(|fault| fault.starts_with("1, ")));
    assert_eq!(told("").len(), 7);
}

#[test]
fn broken_toml_is_told_alone() {
    let told = told(&SCROLL.replace("[release]", "[release"));
    let [fault] = told.as_slice() else { panic!("{told:?}") };
    assert!(fault.starts_with("9, -: not TOML: "), "{fault}");
}

#[test]
fn a_key_written_twice_is_told() {
    let told = told(&format!("push0 = 1\n{SCROLL}"));
    assert_eq!(told, ["2, -: not TOML: duplicate key: `push0`"]);
}

#[test]
fn what_broken_toml_has_wrong_is_told_in_the_order_of_the_file_and_once() {
    let text = SCROLL.replace("\"scroll\"", "\"scroll").replace("[release]", "[release");
    let lines: Vec<_> =
        told(&text).iter().map(|fault| fault.split(',').next() == Some("2")).collect();
    assert_eq!(lines, [true, false]);
    assert_eq!(told(&format!("a = {}", "[".repeat(1_000))).len(), 2);
}

#[test]
fn what_only_follows_from_another_fault_is_not_told() {
    let mock = SCROLL.replace("\"1GiB\"", "\"1GiB\", mock = true");
    let text = mock.replacen("push0  = 1", "push0  = 1\nallow_mock = \"yes\"", 1);
    assert_eq!(told(&text), ["2, allow_mock: text where true or false belongs"]);
    let text =
        SCROLL.replace("leaf  = {", "blocks = {").replace("[\"leaf\"], coll", "[\"leav\"], coll");
    assert_eq!(
        told(&text),
        ["7, stages.blocks: a stage named `blocks`", "8, stages.range.inputs: no stage `leav`"]
    );
}

#[test]
fn a_name_with_a_dot_keeps_its_line() {
    let told = told(&SCROLL.replace("leaf  =", "\"le.af\" ="));
    assert!(told.contains(&"7, stages.\"le.af\": the name `le.af`".to_owned()), "{told:?}");
}

#[test]
fn what_is_no_file_of_text_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("pipeline.toml");
    let shown = |path: &Path| load(path).expect_err("no pipeline").to_string();
    assert!(shown(&path).starts_with("no such file ("));
    assert!(shown(dir.path()).starts_with("a directory ("));
    std::fs::write(&path, b"push0 = 1\nname = \"\xff\"\n").expect("a file");
    assert!(shown(&path).ends_with("pipeline.toml:2): save the file as UTF-8"));
    let file = std::fs::File::create(&path).expect("a file");
    file.set_len(100 << 20).expect("a long file");
    assert!(shown(&path).starts_with("more than 1048576 bytes ("));
}

#[test]
fn a_fault_is_one_line_whatever_the_file_holds() {
    let order = format!("push0 = 1\norder = \"a\\nb{}\"", "x".repeat(10_000));
    let text = SCROLL.replacen("push0  = 1", &order, 1);
    let faults = parse(&text).expect_err("a wrong order");
    let lines: Vec<_> = faults.into_iter().map(|f| f.of(Path::new("p")).to_string()).collect();
    assert!(lines.iter().all(|line| !line.contains('\n') && line.len() < 600), "{lines:?}");
}

/// `LINE, KEY: WHAT` of every fault.
fn told(text: &str) -> Vec<String> {
    let faults = parse(text).expect_err("a faulty pipeline");
    let line = |fault: &Fault| {
        format!("{}, {}: {}", fault.line, fault.key.as_deref().unwrap_or("-"), fault.what)
    };
    faults.iter().map(line).collect()
}

const SCROLL: &str = r#"push0  = 1
name   = "scroll"
source = { kind = "file", path = "scroll-mainnet-16525000-20.jsonl", chain = 534352 }
[programs]
chain = { command = ["push0-prover-chain"], contract = "serve", memory = "1GiB" }
[stages]
leaf  = { inputs = ["blocks"], program = "chain", args = ["leaf"] }
range = { inputs = ["leaf"], collect = "tree", arity = 2, program = "chain", args = ["range"] }
[release]
inputs = ["range"]
"#;

const DEMO: &str = r#"push0      = 1
name       = "demo"
allow_mock = true
source     = { kind = "file", path = "blocks.jsonl", chain = 534352 }
[programs]
mock  = { command = ["push0-prover-mock"], contract = "file", give = "number", memory = "64MiB", mock = true }
merge = { command = ["push0-prover-mock"], contract = "file", give = "raw", memory = "64MiB", mock = true }
[stages]"#;

const ROLLUP: &str = r#"push0  = 1
name   = "rollup"
window = 20_000
source = { kind = "submit", chain = 48900 }

[programs]
range     = { command = ["sp1-range"], contract = "serve", memory = "64GiB", gpus = 1 }
range-v2  = { command = ["sp1-range-v2"], contract = "serve", memory = "64GiB", gpus = 1, replaces = "range", from = 15_000_000 }
aggregate = { command = ["sp1-aggregate"], contract = "serve", memory = "64GiB", gpus = 1 }
wrap      = { command = ["groth16-wrap"], contract = "file", memory = "32GiB" }
[stages]
range     = { inputs = ["blocks"], collect = "sequence", max = { blocks = 100 }, age = "10m", program = "range", timeout = "90m", stall = "15m" }
aggregate = { inputs = ["range"], collect = "sequence", min = { blocks = 1500 }, max = { blocks = 2000 }, age = "2h", program = "aggregate", timeout = "20m" }
wrap      = { inputs = ["aggregate"], program = "wrap", timeout = "20m" }
[release]
inputs = ["wrap"]
"#;

const REALTIME: &str = r#"push0    = 1
name     = "realtime"
order    = "newest-first"
window   = 8
deadline = "10s"
late     = "drop"
source   = { kind = "submit", chain = 1 }
[programs]
zisk   = { url = "http://127.0.0.1:3001", contract = "ere" }
sp1    = { command = ["sp1-prover"], contract = "serve", memory = "16GiB", gpus = 4 }
[stages]
zisk   = { inputs = ["blocks"], program = "zisk" }
sp1    = { inputs = ["blocks"], program = "sp1" }
agree  = { inputs = ["zisk", "sp1"], collect = "quorum", k = 2 }
[release]
inputs = ["agree"]
"#;
