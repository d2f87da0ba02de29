//! `push0 doctor`: what this machine has of what push0 relies on, each with what to do where it is
//! short of it.
//!
//! ```text
//!   machine ─▶ disk ─▶ clock ─▶ NATS ─▶ store ─▶ programs
//! ```
//!
//! Everything is looked at from outside, each within a time of its own: what hangs is told of, and
//! the rest looked at. Nothing is left behind, but for the object `probe` in a bucket, which every
//! process that writes there puts.
//!
//! Not here: how a program is tried (`trial`).

mod args;
mod disk;
mod machine;
mod nats;

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use push0_core::SourceKind;
use push0_dispatch::Access;
use push0_pipeline::LoadedPipeline;
use serde::Serialize;

pub(crate) use self::args::DoctorArgs;
use crate::cluster::{ClusterError, Role};
use crate::exit::Exit;
use crate::finding::{Finding, FindingsOut, Standing};
use crate::interrupts;
use crate::tell;
use crate::trial::Trial;

/// Looks at everything, and tells of each thing as it is seen.
pub(crate) fn doctor(args: &DoctorArgs) -> Exit {
    let loaded = match args.pipeline.as_deref().map(push0_pipeline::load).transpose() {
        Ok(loaded) => loaded,
        Err(error) => {
            tell::error(&error);
            return Exit::from(&error);
        }
    };
    let interrupts = match interrupts::count() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            tell::error(format_args!("no thread to be had ({error}): try again"));
            return Exit::OutOfReach;
        }
    };
    let mut out = FindingsOut::new(args.json);
    let is_interrupted = || interrupts.load(std::sync::atomic::Ordering::Relaxed) > 0;
    let pipeline = loaded.as_ref().map(|loaded| &loaded.pipeline);
    let looks: [&dyn Fn() -> Vec<Finding>; 5] = [
        &|| machine::look(pipeline),
        &|| disk::look(&data_dir(args, loaded.as_ref())),
        &|| vec![machine::clock()],
        &|| nats::look(args, pipeline),
        &|| store(args),
    ];
    for look in looks {
        if is_interrupted() {
            return Exit::Interrupted;
        }
        look().into_iter().for_each(|finding| out.tell(finding));
    }
    if let Some((loaded, file)) = loaded.as_ref().zip(args.pipeline.as_deref()) {
        let (within, interrupts) = (args.within, std::sync::Arc::clone(&interrupts));
        let trial = Trial { loaded, file, blocks: args.blocks.as_deref(), within, interrupts };
        trial.run(&mut |finding| out.tell(finding));
    }
    if is_interrupted() {
        return Exit::Interrupted;
    }
    let worst = out.worst();
    match (
        out.finish(|findings| Report { format: "push0.doctor/1", standing: worst, findings }),
        worst,
    ) {
        (Exit::Done, Standing::Fail) => Exit::Unproved,
        (exit, _) => exit,
    }
}

/// All of it, with `--json`.
#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    /// Of the worst of them.
    standing: Standing,
    findings: &'a [Finding],
}

/// The directory that a run or a dispatcher would use.
fn data_dir(args: &DoctorArgs, loaded: Option<&LoadedPipeline>) -> PathBuf {
    args.data.clone().unwrap_or_else(|| match loaded.map(|loaded| &loaded.pipeline) {
        Some(pipeline) => match pipeline.source.kind {
            SourceKind::File { .. } | SourceKind::Node(_) => {
                PathBuf::from(format!("./{}.push0", pipeline.name))
            }
            SourceKind::Submit => PathBuf::from("."),
        },
        None => PathBuf::from("."),
    })
}

/// The store that all machines share, tried as every process tries it at its start.
fn store(args: &DoctorArgs) -> Vec<Finding> {
    const ABOUT: &str = "store";
    let settings = match args.cluster.settings(Role::Reader, "push0-doctor") {
        Ok(settings) => settings,
        // Told of where NATS is looked at.
        Err(_) if args.cluster.is_given() => return Vec::new(),
        Err(error) => return vec![setting(ABOUT, &error)],
    };
    if !settings.has_store() {
        return match args.cluster.is_given() {
            true => vec![Finding::warn(
                ABOUT,
                "none is named: engines, dispatchers, submit and proofs need one",
                "name the directory or bucket that all machines share (--store)",
            )],
            false => Vec::new(),
        };
    }
    let opened = bounded(ABOUT, STORE_MAX, move || {
        let store = settings.store(Access::Write)?;
        let owner = store.owner();
        Ok::<_, ClusterError>((store.to_string(), owner))
    });
    vec![match opened {
        Err(finding) => finding,
        Ok(Ok((place, Ok(Some(owner))))) => Finding::ok(
            ABOUT,
            format!(
                "{place} answers, and does what is relied on; it belongs to log {} of pipeline {}",
                owner.log, owner.pipeline
            ),
        ),
        Ok(Ok((place, Ok(None)))) => Finding::warn(
            ABOUT,
            format!("{place} answers, and belongs to no log yet"),
            "start an engine with it (push0 serve) before blocks are submitted",
        ),
        Ok(Ok((place, Err(error)))) => {
            Finding::fail(ABOUT, format!("{place}: {error}"), "see to that; then try again")
        }
        Ok(Err(ClusterError::Store(error))) => {
            Finding::fail(ABOUT, error.to_string(), error.remedy())
        }
        Ok(Err(error)) => setting(ABOUT, &error),
    }]
}

/// What is wrong with what this process was told; its words have what to do.
fn setting(about: &str, error: &ClusterError) -> Finding {
    let words = error.to_string();
    let (said, remedy) = words.rsplit_once(": ").unwrap_or((&words, "correct it"));
    Finding::fail(about, said, remedy)
}

/// Looks on a thread of its own, which is left to itself where it does not come back.
fn bounded<T: Send + 'static>(
    about: &str,
    within: Duration,
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Finding> {
    let (teller, told) = sync_channel(1);
    let body = move || {
        let _ = teller.send(look()); // nobody waits for it any more
    };
    let thread = thread::Builder::new().name("look".to_owned()).spawn(body);
    thread.map_err(|error| Finding::fail(about, format!("no thread: {error}"), "try again"))?;
    told.recv_timeout(within).map_err(|_| {
        let said = format!("no answer within {} s", within.as_secs());
        Finding::fail(about, said, "see to its disk, its mount or its server")
    })
}

/// A bucket is asked several things, each of which may be tried again.
const STORE_MAX: Duration = Duration::from_secs(45);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_told_of_in_time() {
        let began = std::time::Instant::now();
        let (hold, held) = sync_channel::<()>(1);
        let hung = bounded("disk", Duration::from_millis(100), move || held.recv());
        assert!(hung.is_err_and(|finding| finding.standing == Standing::Fail));
        assert!(began.elapsed() < Duration::from_secs(30));
        drop(hold);
        assert_eq!(bounded("disk", Duration::from_secs(30), || 7), Ok(7));
    }
}
