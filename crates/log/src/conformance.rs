//! What every log must keep, whatever it is made of.
//!
//! A place that holds logs implements [`Place`] and runs [`all`] in a test. A new promise is
//! written here first.
//!
//! Not here: what is one place's own, such as a torn tail.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use push0_core::{Epoch, Event, ParkedBy, Seq, TaskId, Timestamp, Turn};

use crate::payload::Payload;
use crate::{AppendError, Log};

/// Where one log is kept.
pub trait Place {
    /// The logs that are opened here.
    type Log: Log;

    /// Opens the log, or makes it. Nothing, where an open log keeps others from being opened.
    fn open(&self) -> Option<Self::Log>;
}

/// Checks every promise, each in an empty place.
///
/// # Panics
///
/// If one is broken.
pub async fn all<P: Place>(empty: impl Fn() -> P) {
    an_empty_log_has_no_history(&empty()).await;
    turns_are_read_in_the_order_of_their_appends(&empty()).await;
    an_append_that_does_not_follow_changes_nothing(&empty()).await;
    a_repeated_append_is_refused_and_can_be_read(&empty()).await;
    what_is_begun_lands_in_order(&empty()).await;
    a_second_writer_is_fenced(&empty()).await;
    a_probe_tells_of_another_writer(&empty()).await;
    a_read_begins_after_its_position(&empty()).await;
    a_log_goes_on_where_it_was_left(&empty()).await;
    the_largest_record_is_taken_and_no_larger(&empty()).await;
}

/// Waits for a future that needs no runtime, as those of the logs in memory and in files.
pub fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

async fn an_empty_log_has_no_history<P: Place>(place: &P) {
    let log = opened(place);
    assert_eq!(log.last(), Seq(0));
    assert_eq!(history(&log, Seq(0)).await, []);
}

async fn turns_are_read_in_the_order_of_their_appends<P: Place>(place: &P) {
    let mut log = opened(place);
    let turns = append_some(&mut log).await;
    assert_eq!(history(&log, Seq(0)).await, turns);
    assert_eq!(Some(log.last()), turns.last().map(Turn::last));
}

async fn an_append_that_does_not_follow_changes_nothing<P: Place>(place: &P) {
    let mut log = opened(place);
    let turns = append_some(&mut log).await;
    let last = log.last();
    for first in [Seq(1), last, last.next().next()] {
        let refused = log.append(&turn(first, 1)).await;
        let Err(AppendError::Fenced { expected, found }) = refused else {
            panic!("an append at {first} after {last}: {refused:?}")
        };
        assert_eq!((expected, found), (last.next(), first));
    }
    assert_eq!((log.last(), history(&log, Seq(0)).await), (last, turns));
    log.append(&turn(last.next(), 1)).await.expect("it follows");
}

async fn a_repeated_append_is_refused_and_can_be_read<P: Place>(place: &P) {
    let mut log = opened(place);
    let turn = turn(Seq(1), 2);
    log.append(&turn).await.expect("it follows");
    let repeated = log.append(&turn).await;
    assert!(matches!(repeated, Err(AppendError::Fenced { .. })), "{repeated:?}");
    assert_eq!(history(&log, Seq(0)).await, [turn]);
}

async fn what_is_begun_lands_in_order<P: Place>(place: &P) {
    let mut log = opened(place);
    assert_eq!(log.landed().await.expect("nothing is under way"), Seq(0));
    let (mut turns, mut next) = (Vec::new(), Seq(1));
    for events in [1, 3, 2, 1] {
        let turn = turn(next, events);
        log.begin(&turn).await.expect("it follows what was begun");
        next = turn.last().next();
        turns.push(turn);
    }
    let again = log.begin(&turn(Seq(1), 1)).await;
    assert!(matches!(again, Err(AppendError::Fenced { .. })), "{again:?}");
    let mut landed = log.last();
    while landed.next() < next {
        landed = log.landed().await.expect("nothing is in its way");
        assert_eq!(log.last(), landed);
        let durable: Vec<_> = turns.iter().filter(|turn| turn.last() <= landed).cloned().collect();
        assert!(history(&log, Seq(0)).await.starts_with(&durable), "{landed} is durable");
    }
    assert_eq!(history(&log, Seq(0)).await, turns);
}

async fn a_second_writer_is_fenced<P: Place>(place: &P) {
    let mut first = opened(place);
    let mut turns = append_some(&mut first).await;
    let Some(mut second) = place.open() else { return };
    let next = turn(second.last().next(), 1);
    second.append(&next).await.expect("it follows");
    turns.push(next);
    for first_event in [first.last().next(), second.last().next()] {
        let refused = first.append(&turn(first_event, 1)).await;
        assert!(matches!(refused, Err(AppendError::Fenced { .. })), "{refused:?}");
    }
    assert_eq!(history(&second, Seq(0)).await, turns);
}

async fn a_probe_tells_of_another_writer<P: Place>(place: &P) {
    let mut first = opened(place);
    first.probe().await.expect("it is empty, as it was");
    let turns = append_some(&mut first).await;
    first.probe().await.expect("it is as long as it was");
    assert_eq!(history(&first, Seq(0)).await, turns);
    let Some(mut second) = place.open() else { return };
    let next = turn(second.last().next(), 1);
    second.append(&next).await.expect("it follows");
    let deposed = first.probe().await;
    assert!(matches!(deposed, Err(AppendError::Fenced { .. })), "{deposed:?}");
    second.probe().await.expect("it wrote last");
}

async fn a_read_begins_after_its_position<P: Place>(place: &P) {
    let mut log = opened(place);
    let turns = append_some(&mut log).await;
    for after in (0..=log.last().0).map(Seq) {
        let expected: Vec<_> = turns.iter().filter(|turn| turn.last() > after).cloned().collect();
        assert_eq!(history(&log, after).await, expected, "after {after}");
    }
}

async fn a_log_goes_on_where_it_was_left<P: Place>(place: &P) {
    let mut log = opened(place);
    let mut turns = append_some(&mut log).await;
    drop(log);
    for _ in 0..2 {
        let mut log = opened(place);
        assert_eq!(Some(log.last()), turns.last().map(Turn::last));
        assert_eq!(history(&log, Seq(0)).await, turns);
        let next = turn(log.last().next(), 2);
        log.append(&next).await.expect("it follows");
        turns.push(next);
        log.close().await.expect("nothing is in its way");
    }
    assert_eq!(history(&opened(place), Seq(0)).await, turns);
}

async fn the_largest_record_is_taken_and_no_larger<P: Place>(place: &P) {
    let mut log = opened(place);
    let bytes_max = log.record_bytes_max();
    let long = 1 << 17; // shorter ones take fewer bytes to say how long they are
    let empty = Payload::of(&said("x".repeat(long))).bytes.len() - long;
    let large = said("x".repeat(bytes_max - empty));
    let refused = log.append(&said("x".repeat(bytes_max - empty + 1))).await;
    let Err(AppendError::TooLarge { bytes, bytes_max: stated }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((bytes, stated), (bytes_max + 1, bytes_max));
    assert_eq!(history(&log, Seq(0)).await, []);
    log.append(&large).await.expect("as large as any");
    assert_eq!(history(&log, Seq(0)).await, [large]);
}

fn opened<P: Place>(place: &P) -> P::Log {
    place.open().expect("no log is open here")
}

async fn history<L: Log>(log: &L, after: Seq) -> Vec<Turn> {
    log.read(after).await.expect("the log is sound")
}

/// Some turns of one, two and three events.
async fn append_some<L: Log>(log: &mut L) -> Vec<Turn> {
    let mut turns = Vec::new();
    for events in [1, 3, 2, 1] {
        let turn = turn(log.last().next(), events);
        log.append(&turn).await.expect("it follows");
        turns.push(turn);
    }
    turns
}

fn turn(first: Seq, events: u64) -> Turn {
    let events = (0..events)
        .map(|height| Event::Claimed { epoch: Epoch(height), ids_hold_it: false })
        .collect();
    Turn { epoch: Epoch(1), first, at: Timestamp(first.0), events }
}

/// A first turn as large as `message`.
fn said(message: String) -> Turn {
    let events = vec![Event::Parked { task: TaskId([7; 32]), class: ParkedBy::Lost, message }];
    Turn { events, ..turn(Seq(1), 0) }
}
