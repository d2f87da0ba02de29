//! `push0 artifacts`: what the store holds, and why.
//!
//! Not here: the sweep itself (`run`).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use push0_core::{Digest, Scheduler};
use push0_dispatch::{Access, KeptOutput, ReadError, Store, Stored};
use serde::Serialize;

use super::ArtifactsArgs;
use crate::cluster;
use crate::data::{DataError, Layout};
use crate::exit::Exit;
use crate::facts::FactsError;
use crate::output::{Lines, print, table};
use crate::sweep::{References, Why, grace, references};
use crate::tell::{self, counted};

pub(super) fn artifacts(args: &ArtifactsArgs) -> Exit {
    let opened = match &args.data {
        Some(data) => of_run(data).map_err(FactsError::from),
        None => cluster::recorded(&args.cluster).map_err(FactsError::from),
    };
    let looked = opened.and_then(|(scheduler, store)| {
        let held = Inventory::look(&store, &references(&scheduler), args.verify);
        let unreadable = |source| DataError::Unreadable { path: store.to_string().into(), source };
        Ok((held.map_err(unreadable)?, scheduler))
    });
    let (held, scheduler) = match looked {
        Ok(looked) => looked,
        Err(error) => {
            tell::error(format_args!("{error}"));
            return Exit::from(&error);
        }
    };
    let grace = grace(scheduler.pipeline());
    let printed = match (args.json, args.list) {
        (true, _) => {
            let summary = held.summary(grace);
            print(&serde_json::to_string(&summary).expect("names and numbers are JSON"))
        }
        (false, true) => held.listed(),
        (false, false) => print(&held.shown(grace)),
    };
    let is_whole = held.missing.is_empty() && held.damaged.is_empty();
    let exit = Exit::of_print(printed);
    if exit == Exit::Done && !is_whole { Exit::Unproved } else { exit }
}

/// What a run's log leads to, and its store.
fn of_run(data: &Path) -> Result<(Scheduler, Store), DataError> {
    let layout = Layout::new(data);
    let scheduler = layout.replay()?.scheduler;
    let store = Store::open_as(&layout.store(), Access::Read);
    let store = store.map_err(|error| DataError::Unreadable {
        path: error.path.clone(),
        source: error.source,
    })?;
    Ok((scheduler, store))
}

/// What is there, against what should be.
struct Inventory {
    files: Vec<(Stored, Option<Why>)>,
    outputs: Vec<KeptOutput>,
    missing: Vec<(Digest, Why)>,
    /// Those whose bytes are not what their name says, where that was looked at.
    damaged: BTreeSet<Digest>,
}

/// The same in numbers.
#[derive(Debug, Serialize)]
struct Summary {
    format: &'static str,
    held: Vec<Kind>,
    /// What attempts printed that came to nothing.
    outputs: Kind,
    unreferenced: Kind,
    /// How old what nothing refers to must be before a run removes it.
    grace_seconds: u64,
    missing: Vec<Digest>,
    damaged: Vec<Digest>,
}

#[derive(Debug, Serialize)]
struct Kind {
    why: String,
    artifacts: u64,
    bytes: u64,
}

impl Inventory {
    fn look(store: &Store, references: &References, verify: bool) -> io::Result<Self> {
        let files: Vec<_> = store.list()?.into_iter().collect();
        let there: BTreeSet<Digest> = files.iter().filter_map(|file| file.digest).collect();
        let missing = references.iter().filter(|(digest, _)| !there.contains(digest));
        let missing = missing.map(|(digest, why)| (*digest, why.clone())).collect();
        let mut damaged = BTreeSet::new();
        for digest in there.iter().filter(|_| verify) {
            match store.copy(*digest, &mut io::sink()) {
                Err(ReadError::Damaged { .. }) => {
                    damaged.insert(*digest);
                }
                Err(ReadError::Io { source, .. }) => return Err(source),
                // One that goes meanwhile was swept.
                Ok(_) | Err(_) => {}
            }
        }
        let why = |file: &Stored| references.get(&file.digest?).cloned();
        let files = files.into_iter().map(|file| (why(&file), file)).map(|(why, file)| (file, why));
        Ok(Self { files: files.collect(), outputs: store.outputs()?, missing, damaged })
    }

    fn summary(&self, grace: Duration) -> Summary {
        let mut kinds: BTreeMap<Option<&Why>, (u64, u64)> = BTreeMap::new();
        for (file, why) in &self.files {
            let (artifacts, bytes) = kinds.entry(why.as_ref()).or_default();
            *artifacts += 1;
            *bytes += file.bytes;
        }
        let (artifacts, bytes) = kinds.remove(&None).unwrap_or_default();
        let held = kinds.into_iter().filter_map(|(why, (artifacts, bytes))| {
            Some(Kind { why: words(why?), artifacts, bytes })
        });
        Summary {
            format: "push0.artifacts/1",
            held: held.collect(),
            outputs: Kind {
                why: OUTPUTS.to_owned(),
                artifacts: self.outputs.len() as u64,
                bytes: self.outputs.iter().map(|output| output.bytes).sum(),
            },
            unreferenced: Kind { why: UNREFERENCED.to_owned(), artifacts, bytes },
            grace_seconds: grace.as_secs(),
            missing: self.missing.iter().map(|(digest, _)| *digest).collect(),
            damaged: self.damaged.iter().copied().collect(),
        }
    }

    fn shown(&self, grace: Duration) -> String {
        let summary = self.summary(grace);
        let row =
            |kind: &Kind| [kind.why.clone(), kind.artifacts.to_string(), kind.bytes.to_string()];
        let head = ["held as", "artifacts", "bytes"].map(ToOwned::to_owned);
        let outputs = [&summary.outputs].into_iter().filter(|outputs| outputs.artifacts > 0);
        let kinds = summary.held.iter().chain(outputs).chain([&summary.unreferenced]);
        let rows: Vec<_> = std::iter::once(head).chain(kinds.map(row)).collect();
        let mut sections = vec![table(&rows)];
        let grace = humantime::format_duration(grace);
        sections
            .push(format!("what nothing refers to goes once it is {grace} old, while push0 runs"));
        let some = |what: &str, digests: Vec<String>| {
            let shown = digests.iter().take(SHOWN_MAX).map(|line| format!("\n  {line}"));
            let more = digests.len().saturating_sub(SHOWN_MAX);
            let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
            let lines = shown.collect::<String>();
            format!("{what}: {}; it is made again when it is needed{lines}{more}", digests.len())
        };
        if !self.missing.is_empty() {
            let missing =
                self.missing.iter().map(|(digest, why)| format!("{digest}  {}", words(why)));
            sections.push(some("missing", missing.collect()));
        }
        if !self.damaged.is_empty() {
            sections.push(some("damaged", self.damaged.iter().map(ToString::to_string).collect()));
        }
        sections.join("\n\n")
    }

    fn listed(&self) -> io::Result<()> {
        let mut lines = Lines::new();
        for (file, why) in &self.files {
            let name = file.digest.map_or_else(
                || file.path.to_string_lossy().into_owned(),
                |digest| digest.to_string(),
            );
            let put = humantime::format_rfc3339_seconds(file.put);
            let why = why.as_ref().map_or_else(|| UNREFERENCED.to_owned(), words);
            let damaged = file.digest.is_some_and(|digest| self.damaged.contains(&digest));
            let damaged = if damaged { ", damaged" } else { "" };
            lines.line(&format!(
                "{name}  {}  put {put}  {why}{damaged}",
                counted(file.bytes, "byte")
            ));
        }
        for (digest, why) in &self.missing {
            lines.line(&format!("{digest}  missing  {}", words(why)));
        }
        lines.finish()
    }
}

fn words(why: &Why) -> String {
    match why {
        Why::Payload => "payload of a block that is not released".to_owned(),
        Why::Result(stage) => format!("result of stage {stage}, not released"),
        Why::Part(stage) => format!("part of a result of stage {stage}, not released"),
        Why::Final(stage) => format!("final proof of stage {stage}"),
        Why::Released => "what went into released proofs".to_owned(),
    }
}

const OUTPUTS: &str = "what failed attempts printed";
const UNREFERENCED: &str = "nothing refers to it";

/// Artifacts that are named; --list has all.
const SHOWN_MAX: usize = 10;
