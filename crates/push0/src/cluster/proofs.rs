//! `push0 proofs`: the release feed of a cluster, as files.
//!
//! A reader is a copy of the state that follows the log; it asks no engine for anything. The feed
//! is read from its first release at every start: a file that is there and right is left alone.
//! What was taken back is read again, and the hook runs for it again.
//!
//! Not here: the hook, and how far it came (`hook`).

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use push0_core::{ReleaseNumber, Scheduler, TaskId, plain};
use push0_dispatch::{Access, Store};
use push0_engine::ReadOutcome;

use super::args::ProofsArgs;
use super::client::Client;
use super::error::{ClusterError, told};
use super::hook::{self, Hook};
use super::owned::owned;
use super::reached;
use super::recalls::Recalls;
use super::replica::Replica;
use super::role::Role;
use super::serve::runtime;
use super::settings::Settings;
use super::threads::Threads;
use super::wire::Ask;
use crate::exit::Exit;
use crate::programs::{self, Programs};
use crate::publish::{self, Publication, PublishError};
use crate::run::due;
use crate::tell::{self, Repeats};
use crate::verifier;

/// Writes the files of all releases there are, or of all there will be.
pub(crate) fn proofs(args: &ProofsArgs) -> Exit {
    told(write_all(args))
}

struct Reader<'a> {
    args: &'a ProofsArgs,
    store: Store,
    programs: Programs,
    /// Where verifiers may keep things.
    cache: Option<PathBuf>,
    out: PathBuf,
    hook: Option<Hook>,
    cursor: ReleaseNumber,
    recalls: Recalls,
    /// The parked task that was told of last.
    told: Option<TaskId>,
    /// Releases in a row that could not be written.
    failures: u32,
    troubles: Repeats,
    settings: Settings,
    runtime: Threads,
}

fn write_all(args: &ProofsArgs) -> Result<(), ClusterError> {
    let loaded = push0_pipeline::load(&args.pipeline)?;
    let settings = args.cluster.settings(Role::Reader, "push0-proofs")?;
    let store = settings.store(Access::Read)?;
    let programs = programs::resolve(&loaded).map_err(ClusterError::missing(&args.pipeline))?;
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("./{}.proofs", loaded.pipeline.name)));
    publish::take(&out, &loaded.pipeline.name)?;
    let words = hook::words(args.hook.as_deref());
    let _alone = reached::lock(&out, !words.is_empty() || hook::is_marked(&out))?;
    let runtime = runtime()?;
    let mut replica = runtime.block_on(Replica::open(&settings.nats))?;
    let log = replica.log.id().to_string();
    owned(&store, &log)?;
    let hook = Hook::open(words, &args.hook_pass, args.hook_timeout, &out, &log)?;
    if !args.follow {
        runtime.block_on(replica.catch_up())?; // one that follows waits for a log that is silent
    }
    let cursor = ReleaseNumber(0);
    let recalls = Recalls::open(&out, &log)?;
    let (told, failures) = (None, 0);
    let mut reader = Reader {
        args,
        store,
        programs,
        cache: verifier::kept(),
        out,
        hook,
        cursor,
        recalls,
        told,
        failures,
        troubles: Repeats::default(),
        settings,
        runtime,
    };
    loop {
        let came = reader.runtime.block_on(replica.go_on(WAIT))?;
        if !reader.agrees(&replica, came)? {
            continue; // the log is read as far as the marks first
        }
        reader.recall(&replica)?;
        let due = due(replica.scheduler(), reader.cursor, BATCH);
        // What was lost is not due until it is made again, and not done either.
        let is_behind = !replica.scheduler().releases(reader.cursor).is_empty();
        if came == ReadOutcome::Nothing && due.is_empty() && is_behind {
            reader.look_for_parked(replica.scheduler())?;
        }
        let mut has_failed = false;
        for (number, publication) in due {
            if !reader.deliver(number, &publication)? {
                has_failed = true;
                break;
            }
        }
        if has_failed {
            std::thread::sleep(PAUSE);
        } else if came == ReadOutcome::Nothing
            && !is_behind
            && (!args.follow || replica.scheduler().is_complete())
        {
            return Ok(());
        }
    }
}

impl Reader<'_> {
    /// Compares what was seen to with the log; `false` until that was read as far. What came last
    /// tells whether there is more of it.
    fn agrees(&mut self, replica: &Replica, came: ReadOutcome) -> Result<bool, ClusterError> {
        let is_all = match came {
            ReadOutcome::Nothing => self.runtime.block_on(replica.is_at_end()),
            ReadOutcome::Turns | ReadOutcome::Silence => false,
        };
        let released = replica.scheduler().releases(ReleaseNumber(0));
        let is_hooked =
            self.hook.as_mut().map_or(Ok(true), |hook| hook.agrees(released, is_all))?;
        Ok(self.recalls.agrees(replica, is_all) && is_hooked)
    }

    /// Writes a release's file, tells it, and has the hook run; `false` if it must be tried again.
    fn deliver(
        &mut self,
        number: ReleaseNumber,
        publication: &Publication,
    ) -> Result<bool, ClusterError> {
        let cache = self.cache.as_deref();
        let delivered =
            match publish::publish(publication, &self.store, &self.programs, cache, &self.out) {
                Err(
                    error @ (PublishError::Store { .. }
                    | PublishError::NoVerdict { .. }
                    | PublishError::Write { .. }),
                ) => {
                    self.failures += 1;
                    if !self.args.follow && self.failures >= FAILURES_MAX {
                        return Err(error.into());
                    }
                    self.troubles.fails(&format!("{error}; it is tried again"));
                    return Ok(false);
                }
                Err(PublishError::ProofLost { task, stage, source }) => {
                    self.troubles.fails(&format!(
                        "the proof that {stage} made is lost ({source}): it is made again"
                    ));
                    self.remake(task)?;
                    return Ok(false);
                }
                delivered => delivered?,
            };
        self.failures = 0;
        self.troubles.works(&format!("release {} can be handed out", number.0));
        // Several stages share a file, which is told once, and has the hook run once.
        if let Some(path) = delivered.published.first().map(|published| &published.path) {
            if let Some(hook) = &mut self.hook
                && !hook.run(number, publication.key, path)?
            {
                return Ok(false);
            }
            let path = path.to_string_lossy();
            let _ = writeln!(std::io::stdout(), "{} {}", number.0, plain(&path));
        }
        self.cursor = number;
        Ok(true)
    }

    /// Goes back to what was handed out and was taken back since: its file is set aside until it is
    /// made again, and the hook runs for it then, as for all that follow it.
    fn recall(&mut self, replica: &Replica) -> Result<(), ClusterError> {
        let scheduler = replica.scheduler();
        let Some(recalled) = self.recalls.since(scheduler) else { return Ok(()) };
        for number in &recalled.numbers {
            let at = |source| ClusterError::Dir { path: self.out.clone(), source };
            let aside = publish::set_aside(scheduler, *number, &self.out).map_err(at)?;
            let aside = aside.map(|path| format!("; what was written is now {}", path.display()));
            let (number, aside) = (number.0, aside.unwrap_or_default());
            tell::warn(format_args!("release {number} was taken back, and is made again{aside}"));
        }
        self.cursor = self.cursor.min(recalled.before);
        if let Some(hook) = &mut self.hook {
            hook.recall(recalled.before, scheduler.releases(ReleaseNumber(0)))?;
        }
        self.recalls.saw(recalled, replica)
    }

    /// Tells of a result that is to be made again and cannot be.
    ///
    /// # Errors
    ///
    /// That there is one, unless it is waited for.
    fn look_for_parked(&mut self, scheduler: &Scheduler) -> Result<(), ClusterError> {
        let next = scheduler.releases(self.cursor).first();
        let mut tasks = next.into_iter().flat_map(|release| &release.tasks);
        let parked = tasks.find_map(|id| Some((*id, scheduler.task(id)?.parked.as_ref()?)));
        let Some((task, (_, why))) = parked.filter(|(task, _)| self.told != Some(*task)) else {
            return Ok(());
        };
        let (name, why) = (task.short(), why.to_string());
        let error = ClusterError::Unwritten { task: name, why };
        if !self.args.follow {
            return Err(error);
        }
        tell::warn(&error);
        self.told = Some(task);
        Ok(())
    }

    /// Has the engine make a result again; the release can be read once it has.
    fn remake(&self, task: TaskId) -> Result<(), ClusterError> {
        let told = self.runtime.block_on(async {
            let client = Client::connect(&self.settings, ENGINE_WAIT).await?;
            client.have(&Ask::Remake(task)).await
        });
        match told {
            Err(ClusterError::NotDone(reason)) => {
                tell::warn(format_args!("it is not made again: {reason}"));
                Ok(())
            }
            told => told.map(|_| ()),
        }
    }
}

/// How long the log is waited for at once.
const WAIT: Duration = Duration::from_millis(200);

/// Before a release that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Failures in a row after which a reader gives up that does not follow: as a run does.
const FAILURES_MAX: u32 = 5;

/// How long an engine is looked for.
const ENGINE_WAIT: Duration = Duration::from_secs(60);

/// Releases that are taken from the state at once.
const BATCH: usize = 64;
