//! Parked tasks tried again, as somebody asks for it: as many as are parked, a turn's worth at a
//! time.
//!
//! To try a contradiction again takes an accepted result back: for that it takes the right to
//! operate.
//!
//! Not here: what a parked task is opened to (`push0_core`), and taking results back (`lead`).

use push0_core::{Input, ParkedBy, Rejection, Scheduler, Task, TaskId, TaskState};
use tokio::sync::Mutex;

use super::right::Right;
use super::wire::Answer;
use crate::engine::Handle;

/// Has parked tasks tried again. All of them are by one question at a time.
#[derive(Debug, Default)]
pub(super) struct Retries {
    all: Mutex<()>,
}

impl Retries {
    /// Those that are named by the first digits of their ids.
    pub(super) async fn named(
        &self,
        handle: &Handle,
        right: Right,
        names: Vec<String>,
    ) -> Option<Answer> {
        if names.len() > NAMED_MAX {
            let reason = format!(
                "a question names {NAMED_MAX} parked tasks at the most, and this one names {}: ask for the others after them",
                names.len()
            );
            return Some(Answer::Refused { taken: 0, reason });
        }
        let found = handle.see(move |scheduler, _| {
            names.iter().map(|name| find(scheduler, right, name)).collect()
        });
        let found: Result<Vec<TaskId>, String> = found.await.ok()?;
        match found {
            Ok(tasks) => open(handle, tasks).await,
            Err(reason) => Some(Answer::Refused { taken: 0, reason }),
        }
    }

    /// All that `right` is enough for. No answer while another question has them opened: who asks
    /// asks again.
    pub(super) async fn all(&self, handle: &Handle, right: Right) -> Option<Answer> {
        let _one = self.all.try_lock().ok()?;
        let (tasks, left): (Vec<_>, Vec<_>) = handle
            .see(move |scheduler, _| {
                let parked = scheduler.parked().map(|(id, task)| (*id, may(right, task)));
                parked.partition(|(_, may)| *may)
            })
            .await
            .ok()?;
        match left.first() {
            Some((id, _)) if tasks.is_empty() => {
                let reason = contradiction(&id.to_string());
                Some(Answer::Refused { taken: 0, reason })
            }
            Some(_) | None => open(handle, tasks.into_iter().map(|(id, _)| id).collect()).await,
        }
    }
}

/// Whether `right` is enough to try a parked task again.
const fn may(right: Right, task: &Task) -> bool {
    match right {
        Right::Operate => true,
        Right::Read | Right::Submit => !matches!(task.parked, Some((ParkedBy::Contradiction, _))),
    }
}

/// The parked task that is meant by the first digits of its id.
fn find(scheduler: &Scheduler, right: Right, name: &str) -> Result<TaskId, String> {
    let mut found = scheduler.parked_named(name).filter(|_| name.len() >= NAME_MIN);
    match (found.next(), found.next()) {
        (Some((id, task)), None) if may(right, task) => Ok(*id),
        (Some(_), None) => Err(contradiction(name)),
        (Some(_), Some(_)) => Err(format!("more than one parked task begins with {name}")),
        (None, _) => Err(format!(
            "no parked task begins with {name} (of 4 digits at least); to take back a result: push0 discard {name}"
        )),
    }
}

fn contradiction(name: &str) -> String {
    format!(
        "task {name} is parked as a contradiction: made again, it said something else than its accepted result; that is \
         taken back by who has the right to operate: push0 discard {name} --why TEXT"
    )
}

/// Opens parked tasks again; one that was opened meanwhile needs it no more.
async fn open(handle: &Handle, tasks: Vec<TaskId>) -> Option<Answer> {
    let (mut opened, mut refused) = (0, None);
    for some in tasks.chunks(TOGETHER) {
        let inputs = some.iter().copied().map(Input::Retry).collect();
        let Err(reason) = handle.decide(inputs).await.ok()? else {
            opened += some.len();
            continue;
        };
        let some = some.to_vec();
        let is_open = |scheduler: &Scheduler, id: &TaskId| {
            scheduler.task(id).is_none_or(|task| task.state != TaskState::Parked)
        };
        let count =
            move |scheduler: &Scheduler| some.iter().filter(|id| is_open(scheduler, id)).count();
        opened += handle.see(move |scheduler, _| count(scheduler)).await.ok()?;
        refused =
            Some(reason).filter(|reason| !matches!(reason, Rejection::NotParked(_))).or(refused);
    }
    Some(match refused {
        Some(reason) if opened == 0 => Answer::Refused { taken: 0, reason: reason.to_string() },
        Some(_) | None => Answer::Done(opened),
    })
}

/// Tasks that one question may name: each is looked for on the engine's thread.
pub(super) const NAMED_MAX: usize = 64;

/// Tasks that are opened in one request: about what shares a turn.
const TOGETHER: usize = 256;

/// Digits that name a task.
const NAME_MIN: usize = 4;
