//! `push0 check`: all that is wrong with a pipeline file, or its stages in a table; with `--try`,
//! its programs too.
//!
//! Not here: what is wrong (`push0_pipeline`, `push0_core`), and how programs are tried (`trial`).

use std::path::Path;

use push0_core::{
    Believes, BlockHashing, Bounds, Canonical, Collect, Finality, Inflow, Output, Pipeline,
    Program, ProgramName, SourceKind, Stage, StageIndex, Weights, plain,
};
use push0_dispatch::{can_run_as, environment, unstartable};
use push0_pipeline::LoadedPipeline;
use push0_source::{NodeBlocks, Rules};

use super::CheckArgs;
use crate::exit::Exit;
use crate::finding::{FindingsOut, Standing};
use crate::interrupts;
use crate::output::{print, table};
use crate::programs;
use crate::tell::{self, counted};
use crate::trial::Trial;

pub(super) fn check(args: &CheckArgs) -> Exit {
    let loaded = match push0_pipeline::load(&args.pipeline) {
        Ok(loaded) => loaded,
        Err(error) => {
            tell::errors(error.lines());
            return Exit::from(&error);
        }
    };
    let file = args.pipeline.display().to_string();
    for warning in source(&file, &loaded).into_iter().chain(missing(&file, &loaded)) {
        tell::warn(warning);
    }
    for warning in passed(&file, &loaded).into_iter().chain(guessed(&file, &loaded)) {
        tell::warn(warning);
    }
    let printed = Exit::of_print(print(&shown(&loaded.pipeline)));
    match args.is_tried && printed == Exit::Done {
        true => {
            let _ = print(""); // a line between; what can be printed is told of below
            tried(args, &loaded)
        }
        false => printed,
    }
}

/// Tries its programs, and tells of each finding as it is found.
fn tried(args: &CheckArgs, loaded: &LoadedPipeline) -> Exit {
    let interrupts = match interrupts::count() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            tell::error(format_args!("no thread to be had ({error}): try again"));
            return Exit::OutOfReach;
        }
    };
    let trial = Trial {
        loaded,
        file: &args.pipeline,
        blocks: args.blocks.as_deref(),
        within: args.within,
        interrupts,
    };
    let mut out = FindingsOut::new(false);
    trial.run(&mut |finding| out.tell(finding));
    let worst = out.worst();
    match (out.finish(|findings| findings), worst) {
        _ if trial.is_interrupted() => Exit::Interrupted,
        (Exit::Done, Standing::Fail) => Exit::Usage,
        (exit, _) => exit,
    }
}

/// What stands between the pipeline and its blocks.
fn source(file: &str, loaded: &LoadedPipeline) -> Option<String> {
    let path = match &loaded.pipeline.source.kind {
        SourceKind::File { path } => path,
        SourceKind::Node(_) => {
            let source = (&loaded.pipeline.source, Rules::of(&loaded.pipeline));
            return NodeBlocks::open(source, None, None).err().map(|error| error.to_string());
        }
        SourceKind::Submit => {
            return Some(format!(
                "its blocks come from `push0 submit` ({file}, source.kind): push0 run needs kind = \"file\" and a path, or \
                 \"node\""
            ));
        }
    };
    let path = loaded.dir.join(path);
    let error = path.metadata().err()?;
    let path = path.display();
    Some(format!("{path}: {error} ({file}, source.path): put it there, or correct the path"))
}

/// A line for each word that looks like a file beside the pipeline, which is not where a program
/// looks.
fn passed(file: &str, loaded: &LoadedPipeline) -> Vec<String> {
    let mut words = Vec::new();
    for (name, program) in &loaded.spec.programs {
        let verifier = program.verifier.iter().flatten().skip(1);
        words.extend(
            program.command.iter().skip(1).map(|word| (format!("programs.{name}.command"), word)),
        );
        words.extend(verifier.map(|word| (format!("programs.{name}.verifier"), word)));
    }
    for (name, stage) in &loaded.spec.stages {
        words.extend(stage.args.iter().map(|word| (format!("stages.{name}.args"), word)));
    }
    let is_beside = |word: &str| {
        let word = Path::new(word);
        word.is_relative() && loaded.dir.join(word).is_file()
    };
    let beside = words.into_iter().filter(|(_, word)| is_beside(word));
    let warning = |(key, word): (String, &String)| {
        format!(
            "{} is passed as it is, and an attempt's working directory is its own ({file}, {key}): \
             write the file's absolute path",
            plain(word)
        )
    };
    beside.map(warning).collect()
}

/// A line for each verifier that is a guess: of a program that comes without the SDK it may well be
/// wrong.
fn guessed(file: &str, loaded: &LoadedPipeline) -> Vec<String> {
    let stages = || loaded.pipeline.stages.iter();
    let is_judged = |name: &ProgramName| {
        stages().any(|stage| stage.program == *name && stage.output == Output::Proof)
    };
    let programs = loaded.pipeline.programs.iter().filter(|(name, program)| {
        let file = program.command.first().map(Path::new).and_then(Path::file_name);
        let is_shipped = file.is_some_and(|file| file.to_string_lossy().starts_with(SHIPPED));
        let is_guess = program.asking.believes == Believes::LineOfGuess && !program.is_mock;
        is_guess && !is_shipped && is_judged(name)
    });
    let warning = |(name, program): (&ProgramName, &Program)| {
        let verifier = program.verifier.join(" ");
        format!(
            "nobody names the verifier of program {name}, so it is `{}`, which must print \
             {{\"vkey\":…,\"claim\":…}} ({file}, programs.{name}): if it does not know that word, name one by `verifier`",
            plain(&verifier)
        )
    };
    programs.map(warning).collect()
}

/// A line for each program that could not be run here.
fn missing(file: &str, loaded: &LoadedPipeline) -> Vec<String> {
    let mut warnings = Vec::new();
    for (name, program) in &loaded.pipeline.programs {
        if !loaded.pipeline.stages.iter().any(|stage| stage.program == *name) {
            warnings.push(format!(
                "program {name} is used by no stage ({file}, programs.{name}): name it in one"
            ));
        }
        let around = &program.surroundings;
        let env = environment(around);
        let argvs = [&around.wrap, &program.command, &program.verifier];
        let mut words = argvs.map(|argv| argv.first()).to_vec();
        words.dedup();
        for word in words.into_iter().flatten() {
            match programs::find(&loaded.dir, word) {
                Err((what, remedy)) => {
                    warnings.push(format!("{what} ({file}, programs.{name}): {remedy}"));
                }
                Ok(path) => warnings.extend(
                    unstartable(&path, &env)
                        .map(|fault| format!("{fault} ({file}, programs.{name})")),
                ),
            }
        }
        if let Some(user) = &around.user
            && let Err(error) = can_run_as(user, None)
        {
            let remedy = error.remedy();
            warnings.push(format!("{error} ({file}, programs.{name}.user): {remedy}"));
        }
    }
    warnings
}

fn shown(pipeline: &Pipeline) -> String {
    let head = ["stage", "from", "collect", "program", "closes", "released"];
    let mut rows = vec![head.map(ToOwned::to_owned)];
    for (index, stage) in pipeline.stages.iter().enumerate() {
        let is_released = pipeline.release.contains(&StageIndex(index));
        rows.push([
            stage.name.to_string(),
            from(pipeline, stage),
            collect(stage),
            stage.program.to_string(),
            closes(pipeline, stage),
            if is_released { "yes" } else { "" }.to_owned(),
        ]);
    }
    let chain = pipeline.source.chain.0;
    let says_heads = pipeline.source.canonical == Canonical::ByHead;
    let source = match &pipeline.source.kind {
        SourceKind::File { path } => format!("blocks of chain {chain} from {path}"),
        SourceKind::Submit if says_heads => format!(
            "blocks of chain {chain} as they are submitted, with heads; proofs go out once they are called final"
        ),
        SourceKind::Submit => format!("blocks of chain {chain} as they are submitted"),
        SourceKind::Node(node) => {
            let nodes = counted(node.http.len(), "node");
            let final_ = match node.finality {
                Finality::Finalized => "once they are finalised".to_owned(),
                Finality::Safe => "once they are safe".to_owned(),
                Finality::Depth(depth) => format!("once {} are above", counted(depth, "block")),
            };
            match says_heads {
                true => format!(
                    "blocks of chain {chain} from {nodes}, as they come; proofs go out {final_}"
                ),
                false => format!("blocks of chain {chain} from {nodes}, {final_}"),
            }
        }
    };
    let hashes = match pipeline.source.hash {
        BlockHashing::OfHeader => "",
        BlockHashing::Trusted => ", their hashes on the source's word",
    };
    format!("pipeline {}: valid; {source}{hashes}\n\n{}", pipeline.name, table(&rows))
}

fn from(pipeline: &Pipeline, stage: &Stage) -> String {
    match stage.input {
        Inflow::Blocks => "blocks".to_owned(),
        Inflow::Stage(index) => pipeline.stage(index).name.to_string(),
    }
}

fn collect(stage: &Stage) -> String {
    match &stage.collect {
        Collect::Each => "each".to_owned(),
        Collect::Parts => "parts".to_owned(),
        Collect::Sequence(_) => "sequence".to_owned(),
        Collect::Tree(arity, _) => format!("tree of {arity}"),
    }
}

/// What closes a batch, in words.
fn closes(pipeline: &Pipeline, stage: &Stage) -> String {
    let (Collect::Sequence(bounds) | Collect::Tree(_, bounds)) = &stage.collect else {
        return match stage.collect {
            Collect::Parts => "with its last part",
            Collect::Each | Collect::Sequence(_) | Collect::Tree(..) => "at once",
        }
        .to_owned();
    };
    let Bounds { max, min, age } = bounds;
    let mut ways: Vec<String> = Vec::new();
    let (max, min) = (weights(pipeline, max), weights(pipeline, min));
    if !max.is_empty() {
        ways.push(format!("at {}", max.join(" or ")));
    }
    if let Some(age) = age {
        let age = humantime::format_duration(*age);
        match min.is_empty() {
            true => ways.push(format!("{age} old")),
            false => ways.push(format!("{age} old with {}", min.join(" and "))),
        }
    }
    ways.push(match pipeline.source.kind {
        SourceKind::File { .. } => "end of source".to_owned(),
        SourceKind::Submit => "finish".to_owned(),
        SourceKind::Node(_) => "--until".to_owned(),
    });
    ways.join(", ")
}

fn weights(pipeline: &Pipeline, weights: &Weights) -> Vec<String> {
    let Weights { items, blocks, bytes, fields } = weights;
    let fixed = [(items, "items"), (blocks, "blocks"), (bytes, "bytes")];
    let fixed = fixed.into_iter().filter_map(|(max, name)| Some(format!("{} {name}", (*max)?)));
    let fields = fields.iter().filter_map(|(index, max)| {
        let name = pipeline.fields.get(*index)?;
        Some(format!("{max} {name}"))
    });
    fixed.chain(fields).collect()
}

/// What the names of provers that come with push0 begin with; the SDK has them know `verify`.
const SHIPPED: &str = "push0-prover-";
