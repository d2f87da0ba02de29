//! `push0 log step`: walks through a log event by event, with what each changed.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use push0_core::{Event, IllegalEvent, Limits, Scheduler, Seq, TaskId, TaskState, Turn, plain};

use super::cat::plain_line;
use super::complain;
use super::picked::{begins, task_of};
use crate::cli::LogStepArgs;
use crate::exit::Exit;
use crate::facts::Facts;
use crate::lines::{time, word};
use crate::tell;

/// Walks through the log, from the first event wanted to the last, the end, or the person's.
pub(super) fn step(args: &LogStepArgs) -> Exit {
    let mut facts = match Facts::of(args.data.as_deref(), &args.cluster) {
        Ok(facts) => facts,
        Err(error) => return complain(error),
    };
    let mut walk = Walk::new(args);
    let read = facts.read(&mut |turn| walk.turn(&turn));
    if let Some(source) = walk.illegal {
        return complain(facts.illegal(source));
    }
    match walk.failed {
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => return Exit::Done,
        Some(error) => return Exit::of_print(Err(error)),
        None => {}
    }
    match read {
        Ok(()) => {
            if !walk.has_shown {
                tell::info("nothing matches: no event of the log fits --task, --from and --to");
            }
            Exit::Done
        }
        // Whoever has seen what was wanted does not care for what comes after.
        Err(_) if walk.has_ended => Exit::Done,
        Err(error) => complain(error),
    }
}

/// The state so far, and what is to be told of it.
struct Walk<'a> {
    args: &'a LogStepArgs,
    scheduler: Scheduler,
    /// Whether a person goes on by enter.
    waits: bool,
    has_ended: bool,
    /// Whether any event was wanted.
    has_shown: bool,
    illegal: Option<IllegalEvent>,
    failed: Option<io::Error>,
}

/// A part of the state, for people: its name, and how it is.
type Lines = BTreeMap<String, String>;

impl<'a> Walk<'a> {
    fn new(args: &'a LogStepArgs) -> Self {
        let waits = io::stdin().is_terminal() && io::stdout().is_terminal();
        if waits {
            tell::info("enter: the next event; q and enter: the end");
        }
        let scheduler = Scheduler::new(Limits::default());
        let (has_ended, has_shown) = (false, false);
        Self { args, scheduler, waits, has_ended, has_shown, illegal: None, failed: None }
    }

    fn turn(&mut self, turn: &Turn) {
        for (seq, event) in (turn.first.0..).zip(&turn.events) {
            if self.has_ended || self.illegal.is_some() || self.failed.is_some() {
                return;
            }
            let task = task_of(event);
            let before = self.state(task);
            if let Err(illegal) = self.scheduler.apply_all(turn.at, std::slice::from_ref(event)) {
                self.illegal = Some(illegal);
                return;
            }
            while self.scheduler.poll_effect(Seq(seq)).is_some() {}
            if !self.is_wanted(seq, task) {
                continue;
            }
            self.has_shown = true;
            self.failed = self.tell(seq, turn, event, &before).err();
            self.has_ended = self.args.to == Some(seq) || self.waits && has_had_enough();
        }
    }

    fn is_wanted(&self, seq: u64, task: Option<&TaskId>) -> bool {
        let LogStepArgs { from, to, task: wanted, .. } = self.args;
        let is_of_task =
            wanted.as_ref().is_none_or(|wanted| task.is_some_and(|task| begins(task, wanted)));
        from.is_none_or(|from| seq >= from) && to.is_none_or(|to| seq <= to) && is_of_task
    }

    /// The event, and each part of the state that is not as it was.
    fn tell(&self, seq: u64, turn: &Turn, event: &Event, before: &Lines) -> io::Result<()> {
        let after = self.state(task_of(event));
        let mut out = io::stdout().lock();
        let about = |id: &TaskId| {
            let task = self.scheduler.task(id)?;
            Some((&self.scheduler.pipeline().stage(task.stage).name, task.key))
        };
        writeln!(out, "{}", plain(&plain_line(seq, turn.at, event, &about)))?;
        for (name, was) in before.iter().filter(|(name, was)| after.get(*name) != Some(*was)) {
            writeln!(out, "       - {name}: {}", plain(was))?;
        }
        for (name, is) in after.iter().filter(|(name, is)| before.get(*name) != Some(*is)) {
            writeln!(out, "       + {name}: {}", plain(is))?;
        }
        out.flush()
    }

    /// What an event of this task may change.
    fn state(&self, task: Option<&TaskId>) -> Lines {
        let scheduler = &self.scheduler;
        let mut lines = Lines::new();
        let totals = scheduler.totals();
        let (blocks, released) = (scheduler.chain().len(), totals.blocks_released);
        lines.insert("epoch".to_owned(), scheduler.epoch().0.to_string());
        lines.insert("blocks".to_owned(), format!("{blocks}, {released} of them released"));
        if scheduler.is_configured() {
            for stage in scheduler.stages() {
                let counts = format!(
                    "{} waiting, {} ready, {} running, {} accepted, {} parked",
                    stage.waiting, stage.ready, stage.leased, stage.accepted, stage.parked
                );
                lines.insert(format!("stage {}", stage.name), counts);
            }
        }
        if let Some((id, task)) = task.and_then(|id| Some((id, scheduler.task(id)?))) {
            let stage = &scheduler.pipeline().stage(task.stage).name;
            let state = match &task.state {
                TaskState::Ready { at } => format!("ready, to be tried from {}", time(*at)),
                TaskState::Leased { .. } => {
                    let runs = scheduler.attempts_at(*id).map(|attempt| {
                        let (id, until) = (attempt.id.position(), time(attempt.until));
                        format!("attempt {id} on {} until {until}", attempt.dispatcher)
                    });
                    format!("running, {}", runs.collect::<Vec<_>>().join(", "))
                }
                TaskState::Accepted => match &task.result {
                    Some(result) => format!("accepted, result {}", result.what.output.short()),
                    None => "accepted".to_owned(),
                },
                TaskState::Superseded => "superseded: the chain has left its blocks".to_owned(),
                TaskState::Parked => match &task.parked {
                    Some((class, _)) => format!("parked as {}", word(class)),
                    None => "parked".to_owned(),
                },
            };
            lines.insert(format!("task {} ({stage} {})", id.short(), task.key), state);
        }
        lines
    }
}

/// Waits for a person, who may have seen enough.
fn has_had_enough() -> bool {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.is_ok_and(|read| read == 0) || line.trim() == "q"
}
