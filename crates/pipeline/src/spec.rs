//! The keys of a pipeline file, table by table.
//!
//! Not here: their defaults, and which values make sense (`push0_core`).

use push0_core::{PipelineSpec, ProgramSpec, ReleaseSpec, SourceSpec, StageSpec};

use super::table::Keys;

pub(super) fn read(keys: &mut Keys<'_, '_, '_>) -> PipelineSpec {
    let known = [
        "push0",
        "name",
        "order",
        "window",
        "allow_mock",
        "source",
        "programs",
        "stages",
        "release",
    ];
    keys.only(&known, &["finality", "deadline", "late"]);
    let mut spec = PipelineSpec {
        push0: keys.number("push0"),
        name: keys.text("name").unwrap_or_default(),
        order: keys.text("order"),
        window: keys.number("window"),
        // One that is no flag is told as such; that its mocks are not allowed would only follow.
        allow_mock: keys.flag("allow_mock").unwrap_or_else(|| keys.has("allow_mock")),
        source: source(&mut keys.table("source")),
        release: release(&mut keys.table("release")),
        ..PipelineSpec::default()
    };
    let mut programs = keys.table("programs");
    for name in programs.names() {
        spec.programs.insert(name.to_owned(), program(&mut programs.table(name)));
    }
    let mut stages = keys.table("stages");
    for name in stages.names() {
        spec.stages.insert(name.to_owned(), stage(&mut stages.table(name)));
    }
    spec
}

fn source(keys: &mut Keys<'_, '_, '_>) -> SourceSpec {
    let known = [
        "kind", "path", "chain", "hash", "start", "http", "from", "finality", "poll", "payload",
        "heads",
    ];
    keys.only(&known, &["ws", "witness"]);
    SourceSpec {
        kind: keys.text("kind").unwrap_or_default(),
        path: keys.text("path"),
        chain: keys.number("chain"),
        hash: keys.text("hash"),
        start: keys.number("start"),
        http: keys.words("http").unwrap_or_default(),
        from: keys.word_or_number("from"),
        finality: keys.word_or_number("finality"),
        poll: keys.duration("poll"),
        payload: keys.text("payload"),
        heads: keys.flag("heads").unwrap_or_default(),
    }
}

fn program(keys: &mut Keys<'_, '_, '_>) -> ProgramSpec {
    let known = [
        "command",
        "contract",
        "give",
        "memory",
        "gpus",
        "verifier",
        "verdict",
        "verifier_memory",
        "verifier_timeout",
        "start",
        "mock",
        "vkey",
        "env",
        "pass",
        "user",
        "wrap",
    ];
    keys.only(&known, &["url", "replaces", "from"]);
    if keys.has("url") {
        // It stands in for both, and is refused.
        keys.covers("command");
        keys.covers("memory");
    }
    ProgramSpec {
        command: keys.words("command").unwrap_or_default(),
        contract: keys.text("contract"),
        give: keys.text("give"),
        memory: keys.size("memory"),
        gpus: keys.number("gpus").unwrap_or(0),
        verifier: keys.words("verifier"),
        verdict: keys.text("verdict"),
        verifier_memory: keys.size("verifier_memory"),
        verifier_timeout: keys.duration("verifier_timeout"),
        start: keys.duration("start"),
        mock: keys.flag("mock").unwrap_or(false),
        vkey: keys.text("vkey"),
        env: keys.texts("env"),
        pass: keys.words("pass").unwrap_or_default(),
        user: keys.text("user"),
        wrap: keys.words("wrap").unwrap_or_default(),
    }
}

fn stage(keys: &mut Keys<'_, '_, '_>) -> StageSpec {
    let known = [
        "inputs", "collect", "max", "min", "age", "arity", "output", "program", "args", "timeout",
        "grace", "retry", "verify",
    ];
    keys.only(&known, &["counts", "k", "rest", "use", "stall", "hedge"]);
    let mut retry = keys.table("retry");
    let times = retry.names().into_iter().filter(|name| !["backoff", "patience"].contains(name));
    let times: Vec<_> = times.collect();
    let times = times.into_iter().filter_map(|name| Some((name.to_owned(), retry.number(name)?)));
    let times = times.collect();
    let (backoff, patience) = (retry.durations("backoff"), retry.duration("patience"));
    StageSpec {
        inputs: keys.words("inputs").unwrap_or_default(),
        collect: keys.text("collect"),
        max: keys.numbers("max"),
        min: keys.numbers("min"),
        age: keys.duration("age"),
        arity: keys.number("arity"),
        output: keys.text("output"),
        program: keys.text("program"),
        args: keys.words("args").unwrap_or_default(),
        timeout: keys.duration("timeout"),
        grace: keys.duration("grace"),
        retry: times,
        backoff,
        patience,
        verify: keys.text("verify"),
    }
}

fn release(keys: &mut Keys<'_, '_, '_>) -> ReleaseSpec {
    keys.only(&["inputs", "order"], &[]);
    ReleaseSpec { inputs: keys.words("inputs").unwrap_or_default(), order: keys.text("order") }
}
