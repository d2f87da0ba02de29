//! Opens what a run needs: the pipeline, the data directory, the log, the store, the programs.
//!
//! What can be wrong with the pipeline, its programs and its source's file is looked at before
//! anything is made; what can be wrong with the log, before anything is added to it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use push0_core::{Epoch, Height, Input, PipelineName, Rejection, Scheduler, SourceKind};
use push0_dispatch::mark::{self, Kind};
use push0_dispatch::{Config, Owner, Store, StoreError, TieError};
use push0_log::{Directory, FileLog, Report, Settings};
use push0_pipeline::LoadedPipeline;
use push0_source::{BlockFile, NodeBlocks, Rules};

use super::args::RunArgs;
use super::difference::difference;
use super::error::RunError;
use super::feed::Feed;
use super::ground::Ground;
use crate::data::{Layout, Recorded, Replay};
use crate::engine::Handle;
use crate::gpus::Gpus;
use crate::programs::{self, Programs};
use crate::publish;
use crate::telemetry::Passing;
use crate::tell;

/// What a run starts from.
pub(super) struct RunSetup {
    pub(super) loaded: LoadedPipeline,
    pub(super) source: Feed,
    pub(super) scheduler: Scheduler,
    pub(super) log: FileLog,
    pub(super) store: Store,
    pub(super) config: Config,
    pub(super) programs: Programs,
    pub(super) out: PathBuf,
    /// Where verifiers keep what they use again.
    pub(super) cache: PathBuf,
    pub(super) was_resumed: bool,
    /// What the log has shown in passing, for metrics.
    pub(super) passing: Option<Passing>,
    /// Which directory the log is in, whatever its name.
    pub(super) ground: Ground,
}

pub(super) fn open(args: &RunArgs) -> Result<RunSetup, RunError> {
    let loaded = push0_pipeline::load(&args.pipeline)?;
    let source = feed(args, &loaded)?;
    let programs = resolve(args, &loaded)?;
    let memory_bytes = memory(args, &loaded)?;
    let data = Layout::new(&args.data_dir(&loaded.pipeline.name));
    let (out, dispatch) = (args.out_dir(data.root()), data.dispatch());
    let is_new = !data.root().exists();
    take(&data, &loaded.pipeline.name)?;
    for dir in [&out, &dispatch] {
        make(dir)?;
    }
    match out == data.proofs() {
        true => publish::clear(&out), // the mark of the data directory is its own too
        false => publish::take(&out, &loaded.pipeline.name)?,
    }
    let mut passing = args.telemetry.metrics.map(|_| Passing::default());
    let (log, replayed) = replay(&data, passing.as_mut())?;
    compare(args, &data, &loaded, &replayed)?;
    let store = store(&data, &log, &loaded.pipeline.name)?;
    let config = Config {
        id: "local".parse().expect("it is a name"),
        pipeline: loaded.pipeline.name.clone(),
        dir: absolute(&dispatch),
        store: store.clone(),
        slots: args.machine.slots(),
        memory_bytes,
        gpus: gpus(args, &loaded),
        programs: programs.configs(),
        heartbeat: Config::HEARTBEAT,
        uses_cgroups: true,
        adopts_orphans: true,
        keeps_results: false,
    };
    close(&data, is_new, &config)?;
    let was_resumed = replayed.scheduler.is_configured();
    let scheduler = replayed.scheduler;
    let cache = absolute(&dispatch.join("cache"));
    let ground =
        Ground::of(&data.log(), store.clone()).map_err(|source| unusable(&data.log(), source))?;
    Ok(RunSetup {
        loaded,
        source,
        scheduler,
        log,
        store,
        config,
        programs,
        out,
        cache,
        was_resumed,
        passing,
        ground,
    })
}

/// Where blocks come from: what can be wrong with it before any is read is found here.
fn feed(args: &RunArgs, loaded: &LoadedPipeline) -> Result<Feed, RunError> {
    let pipeline = args.pipeline.clone();
    match &loaded.pipeline.source.kind {
        SourceKind::File { .. } if args.until.is_some() => Err(RunError::Until { pipeline }),
        SourceKind::File { path } => {
            let source = loaded.dir.join(path);
            BlockFile::open(&source, &Rules::of(&loaded.pipeline))?;
            Ok(Feed::File(source))
        }
        SourceKind::Node(_) => {
            let until = args.until.map(Height);
            let source = (&loaded.pipeline.source, Rules::of(&loaded.pipeline));
            NodeBlocks::open(source, None, until)?;
            Ok(Feed::Nodes(Box::new(loaded.pipeline.clone()), until))
        }
        SourceKind::Submit => Err(RunError::Submitted { pipeline }),
    }
}

/// Takes the log over: claims it, configures it, and ends what the engine before it had granted.
/// Provers die with their process, so none of them runs any more; no attempt is to blame.
pub(super) fn begin(
    args: &RunArgs,
    handle: &Handle,
    loaded: &LoadedPipeline,
) -> Result<(), RunError> {
    let (epoch, leases, parked) = handle.look(|scheduler, _| {
        let leases: Vec<_> = scheduler.attempts().map(|attempt| attempt.id).collect();
        let parked: Vec<_> = scheduler.parked().map(|(task, _)| *task).collect();
        (scheduler.epoch(), leases, parked)
    })?;
    let message = "the engine was started again".to_owned();
    let withdraw = |attempt| Input::Withdraw { attempt, message: message.clone(), cause: None };
    let taking_over = [Input::Claim(Epoch(epoch.0 + 1))].into_iter();
    let taking_over = taking_over.chain(leases.into_iter().map(withdraw));
    let configure = Input::Configure(Box::new(loaded.spec.clone()));
    handle.ask_all(taking_over.chain([configure]).collect())?.map_err(RunError::Begin)?;
    for task in parked.into_iter().filter(|_| args.retry_parked) {
        // One that was opened meanwhile needs no retry.
        let _: Result<(), Rejection> = handle.ask(Input::Retry(task))?;
    }
    Ok(())
}

/// Opens the log, and replays it; `passing` follows it, where somebody wants that.
pub(super) fn replay(
    data: &Layout,
    mut passing: Option<&mut Passing>,
) -> Result<(FileLog, Recorded), RunError> {
    let disk = Directory::new(&data.log());
    let (opened, replay) = Replay::of(|each| {
        FileLog::open_on(disk, Settings::default(), &mut |turn| {
            if let Some(passing) = &mut passing {
                passing.follow(&turn);
            }
            each(turn);
        })
    });
    let (log, report) = opened.map_err(RunError::Log)?;
    warn_of_cut(&report);
    let recorded = replay.end(report).map_err(RunError::Illegal)?;
    Ok((log, recorded))
}

fn warn_of_cut(report: &Report) {
    if let Some(cut) = report.cut() {
        tell::warn(format_args!("{cut}; it was never acknowledged, and is cut off"));
    }
}

/// Whether this pipeline may go on with what the data directory holds.
fn compare(
    args: &RunArgs,
    data: &Layout,
    loaded: &LoadedPipeline,
    replayed: &Recorded,
) -> Result<(), RunError> {
    let Some(was) = &replayed.spec else { return Ok(()) };
    let (running, wanted) = (replayed.scheduler.pipeline(), &loaded.pipeline);
    let data = data.root().to_owned();
    if !running.proves_as(wanted) {
        let difference = difference(was, &loaded.spec);
        return Err(RunError::OtherPipeline { data, difference });
    }
    if running != wanted && !args.apply {
        return Err(RunError::Changed { data, difference: difference(was, &loaded.spec) });
    }
    Ok(())
}

fn resolve(args: &RunArgs, loaded: &LoadedPipeline) -> Result<Programs, RunError> {
    programs::resolve(loaded).map_err(|missing| RunError::Program {
        pipeline: args.pipeline.clone(),
        program: missing.program.to_string(),
        what: missing.to_string(),
    })
}

/// The memory that provers share. A program that needs more than that could never run.
fn memory(args: &RunArgs, loaded: &LoadedPipeline) -> Result<u64, RunError> {
    let bytes = args.machine.memory_bytes().map_err(|error| RunError::Memory {
        what: format!("the memory of this machine is not known ({error})"),
        remedy: "say how much provers may use",
    })?;
    let needs = loaded.pipeline.programs.iter().find(|(_, program)| program.memory_bytes > bytes);
    match needs {
        None => Ok(bytes),
        Some((name, program)) => Err(RunError::Memory {
            what: format!(
                "program {name} reserves {} MiB, and there are {} MiB",
                program.memory_bytes >> 20,
                bytes >> 20
            ),
            remedy: "lower its `memory`, or raise --memory if the machine has more",
        }),
    }
}

/// The GPUs that provers share.
fn gpus(args: &RunArgs, loaded: &LoadedPipeline) -> push0_dispatch::Gpus {
    let found = Gpus::find(args.machine.gpus, Gpus::wanted(&loaded.pipeline));
    found.warning.iter().for_each(tell::warn);
    found.devices
}

/// Takes the data directory: one that holds something else is not written into.
fn take(data: &Layout, pipeline: &PipelineName) -> Result<(), RunError> {
    make(data.root())?;
    mark::take(data.root(), Kind::Data, pipeline.as_str(), |_| data.is_older())?;
    // The store is made after the log: where it is, the log was.
    match !data.has_segment() && data.store().join("identity").exists() {
        true => Err(RunError::LogGone { log: data.log(), store: data.store() }),
        false => Ok(()),
    }
}

/// Opens the store, as this log's.
fn store(data: &Layout, log: &FileLog, pipeline: &PipelineName) -> Result<Store, RunError> {
    let store = Store::open_own(&data.store(), &data.log())?;
    let owner = Owner { log: log.id().to_string(), pipeline: pipeline.to_string() };
    store.tie(&owner).map_err(|error| match error {
        TieError::Other { owner } => RunError::StoreOfOther { store: data.store(), owner },
        error @ (TieError::Io(_) | _) => {
            StoreError { path: data.store(), source: io::Error::other(error) }.into()
        }
    })?;
    Ok(store)
}

fn make(dir: &Path) -> Result<(), RunError> {
    push0_log::make_dir(dir).map_err(|source| unusable(dir, source))
}

fn unusable(dir: &Path, source: io::Error) -> RunError {
    let remedy = "it cannot be made or used; name another directory, or mend this one";
    RunError::Dir { path: dir.to_owned(), source, remedy }
}

/// Keeps others out of what is push0's own, whatever the umask: a new data directory whole, and of
/// an old one the log and the artifacts. The dispatcher keeps its own.
fn close(data: &Layout, is_new: bool, config: &Config) -> Result<(), RunError> {
    // A user that provers run as passes through, to where it works.
    let is_passed = config.programs.values().any(|program| program.surroundings.user.is_some());
    let root = if is_passed { 0o711 } else { 0o700 };
    let dirs = [(data.log(), 0o700), (data.store(), 0o700)].into_iter();
    let new = is_new.then(|| (data.root().to_owned(), root));
    for (path, mode) in dirs.chain(new) {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(&path, permissions).map_err(|source| RunError::Dir {
            path,
            source,
            remedy: "others cannot be kept out of it; name another directory, or mend this one",
        })?;
    }
    Ok(())
}

fn absolute(dir: &Path) -> PathBuf {
    let absolute: io::Result<PathBuf> = std::path::absolute(dir);
    absolute.unwrap_or_else(|_| dir.to_owned())
}
