//! A beat: what is known of a dispatcher by it, which of its leases it does not know, and what is
//! sent to it again.
//!
//! Not here: silence, which is a beat that does not come (`fleet`).

use std::collections::{BTreeMap, BTreeSet};

use super::claims::{TrackRecord, believable};
use super::members::Member;
use super::{Fleet, lose_all};
use crate::{
    Attempt, AttemptId, Beat, Input, Scheduler, TaskId, Timestamp, ToDispatcher, WithdrawnBy,
};

/// The leases of a dispatcher.
type Leases<'a> = BTreeMap<AttemptId, &'a Attempt>;

/// What must be asked of the scheduler, and sent to the dispatcher again.
type Asked = (Vec<Input>, Vec<ToDispatcher>);

impl Fleet {
    /// Takes a beat: answers what must be asked of the scheduler, and sent to the dispatcher again.
    ///
    /// A beat of a life before the one last heard came late, and says nothing.
    pub fn beat(&mut self, now: Timestamp, beat: &Beat, scheduler: &Scheduler) -> Asked {
        if self.is_of_the_past(&beat.dispatcher, beat.incarnation) {
            return (Vec::new(), Vec::new());
        }
        let leases = scheduler.attempts_of(&beat.dispatcher);
        let leases: Leases<'_> = leases.map(|attempt| (attempt.id, attempt)).collect();
        let was = self.members.remove(&beat.dispatcher);
        self.unheard.remove(&beat.dispatcher);
        let mut member = heard(now, beat, was.as_ref(), &leases, scheduler);
        let mut again = unwanted(beat, &leases);
        let inputs = match was {
            Some(was) if was.incarnation != beat.incarnation => started_again(beat, &leases),
            was => {
                let before = was.map(|was| was.absent).unwrap_or_default();
                let (inputs, grants) = missing(now, beat, leases, &before, &mut member, scheduler);
                again.extend(grants);
                inputs
            }
        };
        self.members.insert(&beat.dispatcher, member);
        (inputs, again)
    }
}

/// What is known of a dispatcher by its beat, and by what it `was` before.
fn heard(
    now: Timestamp,
    beat: &Beat,
    was: Option<&Member>,
    leases: &Leases<'_>,
    scheduler: &Scheduler,
) -> Member {
    let program = |attempt: &AttemptId| match leases.get(attempt) {
        Some(lives) => Some(scheduler.pipeline().stage(lives.stage).program.clone()),
        // What its lease was lost of is what its task says.
        None => {
            let task = beat.running.get(attempt).and_then(|task| scheduler.task(task));
            let stage = task.map(|task| scheduler.pipeline().stage(task.stage));
            let before = || was?.running().get(attempt).cloned().flatten();
            stage.map(|stage| stage.program.clone()).or_else(before)
        }
    };
    let capacity = believable(&beat.capacity, scheduler.pipeline());
    let mut member = Member::new(now, beat, capacity, program);
    member.strays = was.map(|was| was.strays.clone()).unwrap_or_default();
    member.strays.retain(|attempt, _| beat.held.contains_key(attempt));
    member.shown = shown(now, beat, was, leases);
    member
}

/// What it runs and nobody waits for is cancelled.
fn unwanted(beat: &Beat, leases: &Leases<'_>) -> Vec<ToDispatcher> {
    let is_wanted =
        |attempt: &AttemptId, task: &TaskId| leases.get(attempt).is_some_and(|of| *task == of.task);
    let unwanted = beat.running.iter().filter(|(attempt, task)| !is_wanted(attempt, task));
    unwanted.map(|(attempt, _)| ToDispatcher::Cancel(*attempt)).collect()
}

/// The first beat of another life: what that does not know is lost.
fn started_again(beat: &Beat, leases: &Leases<'_>) -> Vec<Input> {
    let is_known = |(lease, of): &(&AttemptId, &&Attempt)| knows(beat, lease, &of.task);
    let known = leases.iter().filter(is_known).map(|(lease, _)| *lease);
    let but: BTreeSet<_> = known.collect();
    let gone = leases.len() - but.len();
    let why = "its dispatcher was started again";
    lose_all(&beat.dispatcher, but, why, gone).collect()
}

/// A beat that does not know a lease: its grant may be on its way, or lost on it. It is sent again
/// while there is time, and withdrawn after some beats.
fn missing(
    now: Timestamp,
    beat: &Beat,
    leases: Leases<'_>,
    before: &BTreeMap<AttemptId, u32>,
    member: &mut Member,
    scheduler: &Scheduler,
) -> Asked {
    let (mut inputs, mut again) = (Vec::new(), Vec::new());
    for (attempt, of) in leases {
        if knows(beat, &attempt, &of.task) {
            continue;
        }
        let beats = before.get(&attempt).copied().unwrap_or_default() + 1;
        member.absent.insert(attempt, beats);
        if beats >= ABSENT_MAX {
            let message = format!("its dispatcher knew nothing of it in {beats} beats");
            let cause = Some(WithdrawnBy::NotTaken);
            inputs.push(Input::Withdraw { attempt, message, cause });
        } else if !scheduler.has_time_for(now, of) {
            let message = "too late to start it: it could not end in time".to_owned();
            inputs.push(Input::Withdraw { attempt, message, cause: None });
        } else if let Some(grant) = scheduler.grant(attempt) {
            again.push(ToDispatcher::Grant(Box::new(grant)));
        }
    }
    (inputs, again)
}

/// What a dispatcher has shown by a beat, which knows of some of its leases.
fn shown(now: Timestamp, beat: &Beat, was: Option<&Member>, leases: &Leases<'_>) -> TrackRecord {
    let (known, unknown): (Vec<_>, Vec<_>) =
        leases.iter().partition(|(lease, of)| knows(beat, lease, &of.task));
    let mut shown = was.map_or_else(|| TrackRecord::new(now, known.len()), |was| was.shown);
    if unknown.is_empty() {
        shown.beat(now);
    }
    shown
}

/// Whether a beat knows of a lease. What it has by the lease's number, at another task, is a ghost.
fn knows(beat: &Beat, lease: &AttemptId, of: &TaskId) -> bool {
    beat.running.get(lease).or_else(|| beat.held.get(lease)) == Some(of)
}

/// How many beats in a row may leave out a lease before it counts as never taken.
const ABSENT_MAX: u32 = 3;
