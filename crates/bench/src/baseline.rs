//! What push0 is measured against, in the same run: the floor of the machine, and designs that
//! others ship.

pub(crate) mod floor;
pub(crate) mod poll;
pub(crate) mod postgres;
pub(crate) mod pull;

use tokio::sync::mpsc;

use crate::fault::Fault;
use crate::system::{Submit, Told};

/// Runs a part beside the others. What ends it early is told to who waits for results.
fn spawn(told: &Told, part: impl Future<Output = Result<(), Fault>> + Send + 'static) {
    let told = told.clone();
    tokio::spawn(async move {
        if let Err(fault) = part.await {
            let _ = told.send(Err(fault)); // nobody waits once it is over
        }
    });
}

/// Hands on the number of each task that is submitted.
fn hand_on(tasks: mpsc::UnboundedSender<u64>) -> Submit {
    Box::new(move |numbers| numbers.for_each(|number| _ = tasks.send(number)))
}

/// Some dispatchers, and slots that share them.
#[cfg(test)]
const SHAPE: crate::system::Shape = crate::system::Shape {
    dispatchers: 2,
    slots: 16,
    prover: crate::system::Prover::Sleep(std::time::Duration::from_millis(5)),
    payload: crate::system::Payload::Reference,
    has_backlog: false,
};

/// Has so many tasks go through, and nothing come twice.
#[cfg(test)]
fn exactly_once(running: &mut crate::system::Running, tasks: u64) {
    use std::time::Duration;

    (running.submit)(0..tasks);
    let mut came: Vec<_> = (0..tasks)
        .map(|_| crate::load::next(&running.done).expect("each has a result").task)
        .collect();
    came.sort_unstable();
    assert!(came.into_iter().eq(0..tasks), "one came twice, or another than was submitted");
    let more = running.done.recv_timeout(Duration::from_millis(500));
    assert!(more.is_err(), "more came than was submitted: {more:?}");
}
