//! What an operator says of dispatchers: that they leave, and who gets no new work.
//!
//! A dispatcher is asked to leave again and again, until it says in a beat that it does. Nothing of
//! it is a fact: it is the dispatcher that leaves, whichever engine leads then. A cordon is one,
//! for it is to hold when nobody is there.
//!
//! Not here: how a dispatcher leaves (`dispatch`).

use std::time::{Duration, Instant};

use push0_core::{DispatcherId, Input, Life};

use super::bus::Bus;
use super::lives::Lives;
use super::wire::{Answer, Unnamed};
use crate::engine::Handle;

/// Asks those of these names to leave, or all that are heard, until each says that it does, or for
/// [`LEAVE_MAX`]. What was said before may be of a life that has gone.
pub(super) async fn asked(
    handle: &Handle,
    (bus, lives): (&Bus, &Lives),
    named: Option<&[DispatcherId]>,
    by: String,
) -> Option<Answer> {
    let (epoch, _) = handle.probe().await.ok()?;
    let by: String = by.chars().take(BY_MAX).collect();
    let began = Instant::now();
    loop {
        let heard = lives.heard((began, Instant::now()), named);
        let says_so = |at: &Option<Instant>| at.is_some_and(|at| at >= began);
        let (leaving, others): (Vec<_>, Vec<_>) = heard.iter().partition(|(_, at)| says_so(at));
        if others.is_empty() || began.elapsed() >= LEAVE_MAX {
            let unheard = unheard(&heard, named.unwrap_or_default());
            let there = match unheard.is_empty() {
                true => Vec::new(),
                false => lives.heard((began, Instant::now()), None),
            };
            let (silent, more_silent) = names(others.iter().map(|(life, _)| &life.dispatcher));
            let (there, more_there) = names(there.iter().map(|(life, _)| &life.dispatcher));
            let unnamed = Unnamed { silent: more_silent, there: more_there };
            let leaving = leaving.len();
            return Some(Answer::Leaving { leaving, silent, unheard, there, unnamed });
        }
        for (life, _) in others {
            bus.ask_to_leave(epoch, life, &by).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Has something recorded of each of these dispatchers; what is so already is no fault.
pub(super) async fn kept_from_work(
    handle: &Handle,
    lives: &Lives,
    dispatchers: Vec<DispatcherId>,
    input: impl Fn(DispatcherId) -> Input,
) -> Option<Answer> {
    for dispatcher in dispatchers.iter().take(NAMES_MAX) {
        if let Err(refused) = handle.decide(vec![input(dispatcher.clone())]).await.ok()?
            && !matches!(refused, push0_core::Rejection::NotCordoned(_))
        {
            return Some(Answer::Refused { taken: 0, reason: refused.to_string() });
        }
    }
    let now = Instant::now();
    let heard = lives.heard((now, now), Some(&dispatchers));
    Some(Answer::Cordoned { unheard: unheard(&heard, &dispatchers) })
}

fn unheard(heard: &[(Life, Option<Instant>)], named: &[DispatcherId]) -> Vec<String> {
    let is_heard = |id: &&DispatcherId| heard.iter().any(|(life, _)| life.dispatcher == **id);
    names(named.iter().filter(|id| !is_heard(id))).0 // a question has no more
}

/// As many as an answer has room for, and how many more there are.
fn names<'a>(mut of: impl Iterator<Item = &'a DispatcherId>) -> (Vec<String>, usize) {
    let named = of.by_ref().take(NAMES_MAX).map(ToString::to_string).collect();
    (named, of.count())
}

/// Less than a client waits for an answer.
const LEAVE_MAX: Duration = Duration::from_millis(1_500);

/// From one asking to the next: a dispatcher that lives says at once that it leaves.
const PAUSE: Duration = Duration::from_millis(100);

/// Names in one question, and in its answer: they fit into the least that a server takes (64 KiB).
pub(super) const NAMES_MAX: usize = 256;

/// Enough to know who asked. Unit: characters.
const BY_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_an_answer_has_no_room_for_is_counted() {
        let all: Vec<DispatcherId> =
            (0..1_000).map(|number| format!("gpu-{number}").parse().expect("a name")).collect();
        let (named, more) = names(all.iter());
        assert_eq!((named.len(), more), (NAMES_MAX, 1_000 - NAMES_MAX));
        let few = all.iter().take(2);
        assert_eq!(names(few), (vec!["gpu-0".to_owned(), "gpu-1".to_owned()], 0));
    }
}
