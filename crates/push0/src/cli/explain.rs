//! `push0 explain`: why a block or a task is where it is. What happened to it, by its log; what it
//! waits for now, by the word of whoever leads; and what makes it move.
//!
//! Not here: the reasons and their remedies (`status`), and what provers printed (`logs`).

mod story;

use std::fmt::Write as _;
use std::path::Path;

use push0_core::{Height, TaskId, plain};
use serde_json::{Value, json};

use self::story::Story;
use super::ExplainArgs;
use crate::clock::wall;
use crate::cluster::StatusAsker;
use crate::data::Layout;
use crate::exit::Exit;
use crate::facts::{Facts, FactsError};
use crate::output::print;
use crate::status::{Local, Place, Status, Subject, long};
use crate::tell;

pub(super) fn explain(args: &ExplainArgs) -> Exit {
    match show(args) {
        Ok(exit) => exit,
        Err(error) => {
            tell::error(&error);
            Exit::from(&error)
        }
    }
}

fn show(args: &ExplainArgs) -> Result<Exit, FactsError> {
    let mut facts = Facts::of(args.data.as_deref(), &args.cluster)?;
    let mut story = Story::of(&args.what);
    facts.read(&mut |turn| story.turn(&turn))?;
    let subjects = match story.subjects() {
        Ok(subjects) => subjects,
        Err(why) => {
            tell::error(why);
            return Ok(Exit::Usage);
        }
    };
    let asker = Asker::of(args)?;
    let mut shown = Vec::new();
    for subject in subjects {
        let (status, place) = (asker.status(subject)?, asker.place());
        let explained = status.explained(place);
        let name = match subject {
            Subject::Block(height) => format!("block {height}"),
            Subject::Task(task) => story.name(&task),
        };
        let happened = story.lines(subject, wall());
        if args.json {
            let now = explained.map(|it| {
                json!({ "why": it.why, "seconds": it.seconds, "reason": it.reason, "to_do": it.to_do })
            });
            shown.push(object(subject, &name, &happened, now.unwrap_or_default()).to_string());
            continue;
        }
        let mut text = name;
        for line in &happened {
            let _ = write!(text, "\n  {}", plain(line));
        }
        match explained {
            Some(it) => {
                let since = it.seconds.filter(|seconds| *seconds > 0 && !it.why.contains(" for "));
                let since = since.map(|it| format!(" (for {})", long(it))).unwrap_or_default();
                let _ =
                    write!(text, "\nnow: {}{since}\nto do: {}", plain(&it.why), plain(&it.to_do));
            }
            None => {
                let _ = write!(text, "\nnow: {}", story.end(subject));
            }
        }
        shown.push(text);
    }
    let between = if args.json { "\n" } else { "\n\n" };
    Ok(Exit::of_print(print(&shown.join(between))))
}

fn object(subject: Subject, name: &str, happened: &[String], now: Value) -> Value {
    let (block, task) = match subject {
        Subject::Block(Height(height)) => (Some(height), None),
        Subject::Task(task) => (None, Some(task.to_string())),
    };
    json!({
        "format": FORMAT, "what": name, "block": block, "task": task, "happened": happened, "now": now,
    })
}

/// Of whom it is asked what a subject waits for.
enum Asker<'a> {
    Data(&'a Path, Layout),
    Cluster(Box<StatusAsker>),
}

impl<'a> Asker<'a> {
    fn of(args: &'a ExplainArgs) -> Result<Self, FactsError> {
        Ok(match &args.data {
            Some(data) => Self::Data(data, Layout::new(data)),
            None => Self::Cluster(Box::new(StatusAsker::new(&args.cluster, 1)?)),
        })
    }

    const fn place(&self) -> Place<'a> {
        match self {
            Self::Data(data, _) => Place::Data(data),
            Self::Cluster(_) => Place::Cluster,
        }
    }

    fn status(&self, subject: Subject) -> Result<Status, FactsError> {
        match self {
            Self::Cluster(asker) => Ok(asker.read_about(subject)?),
            Self::Data(_, layout) => {
                let scheduler = layout.replay()?.scheduler;
                let (running, local) = (layout.has_writer().ok(), Local::read(&layout.dispatch()));
                let runs = local.as_ref().filter(|_| running == Some(true));
                let fleet = runs.and_then(|local| local.fleet(&scheduler, wall()));
                let mut status = Status::about(&scheduler, fleet.as_ref(), subject);
                status.runs(running);
                local.into_iter().for_each(|local| status.hear_local(local));
                Ok(status)
            }
        }
    }
}

/// The first digits of a task's id, as people are shown them.
fn short(task: &TaskId) -> String {
    task.to_string().chars().take(SHORT).collect()
}

/// The format of its JSON.
const FORMAT: &str = "push0.explain/1";

/// Digits of a task's id that people are shown.
const SHORT: usize = 8;
