//! Who looks on: a simulation checks what an engine does as it does it. Whoever only drives it
//! passes `()`.

use push0_core::{
    Beat, Deadline, Epoch, Event, Fleet, Input, Rejection, Report, Scheduler, Seq, Timestamp,
    ToDispatcher,
};

/// Sees what an engine does, at the moment at which it does it. Nothing that it is told has to be
/// noted.
pub trait Audit {
    /// A dispatcher beats, and is to be answered so.
    fn hears(&mut self, _now: Timestamp, _beat: &Beat, _answer: &[ToDispatcher]) {}

    /// What a beat leads to was decided: all of it, or as much as the turn had room for.
    fn heard(&mut self, _beat: &Beat, _is_all_decided: bool) {}

    /// A dispatcher reports.
    fn reported(&mut self, _report: &Report) {}

    /// An input was decided, and is not applied yet.
    fn decided(&mut self, _now: Timestamp, _input: &Input, _outcome: Result<&[Event], &Rejection>) {
    }

    /// So many decisions of what is due were made in this turn; whether there may be another.
    fn may_go_on(&mut self, _times: u32) -> bool {
        true
    }

    /// Nothing more is due.
    fn settled(&mut self, _now: Timestamp) {}

    /// What can be granted is granted next.
    fn assigns(&mut self, _fleet: &Fleet, _scheduler: &Scheduler) {}

    /// A turn has ended that had room for all; the engine sleeps until then, unless it is asked
    /// something.
    fn sleeps(&mut self, _now: Timestamp, _until: Option<Deadline>) {}

    /// A message of an engine in this epoch may leave from here on. It rests on what was decided up
    /// to `cause`.
    fn leaves(&mut self, _message: &ToDispatcher, _epoch: Epoch, _cause: Seq) {}

    /// Somebody who asked is answered. The answer rests on what was decided up to `cause`.
    fn answers(&mut self, _cause: Seq) {}
}

/// Nobody looks on.
impl Audit for () {}
