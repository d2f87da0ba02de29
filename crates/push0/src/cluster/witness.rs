//! The engine's own look at the store, before it believes that an input is lost.
//!
//! ```text
//!   a dispatcher says "lost" ──▶ does it hold the attempt? ──▶ is it in the store? ──yes──▶ its attempt ends, and no more
//!                                                                       └──no──▶ it is believed
//! ```
//!
//! A dispatcher whose mount is away, or that lies, would have every payload submitted and every
//! result made again. So what it says is tried here, off the engine's thread. One that is wrong
//! again and again is given no work for a while: until then each of its attempts costs the others a
//! moment.
//!
//! Not here: what a loss leads to (`push0_core`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use push0_core::{AttemptId, Digest, DispatcherId, FromDispatcher, Outcome, Report, Scheduler};
use push0_dispatch::{ReadError, Store};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;

use crate::engine::Handle;
use crate::tell;

/// What is held back of what dispatchers say. Clones share it.
#[derive(Clone)]
pub(super) struct Witness {
    claims: mpsc::Sender<Report>,
    known: Arc<Mutex<Lookups>>,
}

#[derive(Default)]
struct Lookups {
    /// What is looked into, and what waits for that: no more than there are seats.
    under_way: BTreeSet<(DispatcherId, AttemptId)>,
    /// Those that were wrong lately.
    wrong: BTreeMap<DispatcherId, Wrong>,
}

struct Wrong {
    times: u32,
    last: Instant,
    told: Option<Instant>,
    rests_until: Option<Instant>,
}

/// What a look at the store came to.
#[derive(Debug)]
enum StoreFinding {
    There,
    Lost,
    Unknown(String),
}

impl Witness {
    /// One that looks into `store` for the engine that leads, on the runtime that calls it.
    pub(super) fn start(store: Store, led: watch::Receiver<Option<Handle>>) -> Self {
        let (claims, claimed) = mpsc::channel(CLAIMS_MAX);
        let known = Arc::new(Mutex::new(Lookups::default()));
        tokio::spawn(look_into(claimed, Looker::new(store), led, Arc::clone(&known)));
        Self { claims, known }
    }

    /// What the engine hears at once of what a dispatcher says. A word on a lost input is looked
    /// into first; where too many are, it is left out, and comes again with the next beat.
    pub(super) fn sift(&self, said: Vec<FromDispatcher>) -> Vec<FromDispatcher> {
        said.into_iter().filter_map(|message| self.pass(message)).collect()
    }

    fn pass(&self, message: FromDispatcher) -> Option<FromDispatcher> {
        match message {
            FromDispatcher::Report(report)
                if matches!(report.outcome, Outcome::InputLost { .. }) =>
            {
                let of = (report.dispatcher.clone(), report.attempt);
                if self.known().seat(&of) && self.claims.try_send(report).is_err() {
                    self.known().under_way.remove(&of);
                }
                None
            }
            FromDispatcher::Beat(mut beat) => {
                if self.known().rests(&beat.dispatcher) {
                    beat.capacity.slots = 0;
                }
                Some(FromDispatcher::Beat(beat))
            }
            report @ FromDispatcher::Report(_) => Some(report),
        }
    }

    fn known(&self) -> MutexGuard<'_, Lookups> {
        lock(&self.known)
    }
}

impl Lookups {
    /// Takes a seat for a look into what a dispatcher says, where there is one for it. It may
    /// invent attempts as it likes.
    fn seat(&mut self, of: &(DispatcherId, AttemptId)) -> bool {
        let (dispatcher, _) = of;
        let its = |attempt| (dispatcher.clone(), AttemptId(attempt));
        let own = self.under_way.range(its(0)..=its(u64::MAX)).count();
        let is_free = self.under_way.len() < CLAIMS_MAX && own < CLAIMS_OF_ONE_MAX;
        is_free && self.under_way.insert(of.clone())
    }

    fn rests(&self, dispatcher: &DispatcherId) -> bool {
        let until = self.wrong.get(dispatcher).and_then(|wrong| wrong.rests_until);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Notes that a dispatcher was wrong; answers what a person is told of it.
    fn was_wrong(&mut self, dispatcher: &DispatcherId, words: String) -> Option<String> {
        let now = Instant::now();
        let wrong = self.of(dispatcher, now)?;
        wrong.times += 1;
        wrong.last = now;
        if let Some(again) = wrong.times.checked_sub(PATIENCE)
            && wrong.rests_until.is_none_or(|until| until <= now)
        {
            let rest = (REST_MIN * 2_u32.saturating_pow(again)).min(REST_MAX);
            wrong.rests_until = Some(now + rest);
            wrong.told = Some(now);
            let (times, rest) = (wrong.times, rest.as_secs());
            return Some(format!("{words}; it was wrong {times} times: no work for {rest} s"));
        }
        wrong.is_due(now).then_some(words)
    }

    /// Whether a person may be told of this dispatcher again.
    fn tells(&mut self, dispatcher: &DispatcherId) -> bool {
        let now = Instant::now();
        self.of(dispatcher, now).is_some_and(|wrong| wrong.is_due(now))
    }

    fn of(&mut self, dispatcher: &DispatcherId, now: Instant) -> Option<&mut Wrong> {
        self.wrong.retain(|_, wrong| now.duration_since(wrong.last) < FORGOTTEN);
        if self.wrong.len() >= WRONG_MAX && !self.wrong.contains_key(dispatcher) {
            return None;
        }
        let none = Wrong { times: 0, last: now, told: None, rests_until: None };
        Some(self.wrong.entry(dispatcher.clone()).or_insert(none))
    }
}

impl Wrong {
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.told.is_none_or(|told| now.duration_since(told) >= TOLD_PAUSE);
        if is_due {
            self.told = Some(now);
        }
        is_due
    }
}

/// Takes what is to be looked into, one after the other; each look goes on beside the next, and has
/// its seat already.
async fn look_into(
    mut claimed: mpsc::Receiver<Report>,
    looker: Looker,
    led: watch::Receiver<Option<Handle>>,
    known: Arc<Mutex<Lookups>>,
) {
    while let Some(report) = claimed.recv().await {
        let (looker, known) = (looker.clone(), Arc::clone(&known));
        let handle = led.borrow().clone();
        tokio::spawn(async move {
            let of = (report.dispatcher.clone(), report.attempt);
            if let Some(handle) = handle {
                judge(&handle, &looker, &known, report).await;
            }
            lock(&known).under_way.remove(&of);
        });
    }
}

/// Hands a report on, as it was or as what it comes to.
async fn judge(handle: &Handle, looker: &Looker, known: &Mutex<Lookups>, mut report: Report) {
    let Outcome::InputLost { artifact } = report.outcome else { return };
    let asked = report.clone();
    let Ok(is_its) = handle.see(move |scheduler, _| is_its(scheduler, &asked, artifact)).await
    else {
        return;
    };
    if is_its {
        let (dispatcher, task) = (&report.dispatcher, report.task.short());
        match looker.look(artifact).await {
            StoreFinding::Lost => {}
            StoreFinding::There => {
                let words = format!(
                    "{dispatcher} says that an input of task {task} is lost ({artifact}), and the engine reads \
                     it in the store: nothing is made again; see to the store as {dispatcher} sees it (is it mounted?)"
                );
                if let Some(words) = lock(known).was_wrong(dispatcher, words) {
                    tell::warn(words);
                }
                let message = format!(
                    "input {artifact} is in the store, and {dispatcher} does not find it there"
                );
                report.outcome = Outcome::NotRun { message };
            }
            StoreFinding::Unknown(why) => {
                let message =
                    format!("input {artifact} was not found; the engine cannot tell: {why}");
                if lock(known).tells(dispatcher) {
                    tell::warn(format_args!("{dispatcher}, task {task}: {message}"));
                }
                report.outcome = Outcome::NotRun { message };
            }
        }
    }
    let _ = handle.try_heard(vec![FromDispatcher::Report(report)]); // or it comes again with a beat
}

/// Whether the attempt is this dispatcher's, and the artifact one that it was given.
fn is_its(scheduler: &Scheduler, report: &Report, artifact: Digest) -> bool {
    let grant = scheduler.is_holders(report).then(|| scheduler.grant(report.attempt)).flatten();
    grant.is_some_and(|grant| grant.inputs.iter().any(|input| input.artifact == artifact))
}

/// Looks at the store, a few at a time, each for no longer than a while.
#[derive(Clone)]
struct Looker {
    store: Store,
    seats: Arc<Semaphore>,
}

impl Looker {
    fn new(store: Store) -> Self {
        Self { store, seats: Arc::new(Semaphore::new(LOOKS_MAX)) }
    }

    async fn look(&self, artifact: Digest) -> StoreFinding {
        let (store, seats) = (self.store.clone(), Arc::clone(&self.seats));
        let looked = timeout(LOOK_MAX, async move {
            let seat = seats.acquire_owned().await.ok()?;
            let looked = tokio::task::spawn_blocking(move || {
                let read = store.copy(artifact, &mut std::io::sink());
                drop(seat); // kept by one that hangs, so that no more than a few do
                read
            });
            looked.await.ok()
        });
        match looked.await {
            Ok(Some(Ok(_))) => StoreFinding::There,
            Ok(Some(Err(ReadError::Missing { .. } | ReadError::Damaged { .. }))) => {
                StoreFinding::Lost
            }
            Ok(Some(Err(error))) => StoreFinding::Unknown(error.to_string()),
            Ok(None) => StoreFinding::Unknown("it is about to end".to_owned()),
            Err(_) => StoreFinding::Unknown(format!(
                "its store gave no answer in {} s",
                LOOK_MAX.as_secs()
            )),
        }
    }
}

fn lock(known: &Mutex<Lookups>) -> MutexGuard<'_, Lookups> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Words on lost inputs that are looked into or wait for that; what is over comes again with a
/// beat.
const CLAIMS_MAX: usize = 64;

/// Of those, the ones of one dispatcher: a few wrong ones leave room for the others.
const CLAIMS_OF_ONE_MAX: usize = 8;

/// Looks at once.
const LOOKS_MAX: usize = 4;

/// For one look: the largest output, 256 MiB, at less than 10 MiB/s.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// So often a dispatcher may be wrong before it rests: a mount may go away under all of its slots
/// at once.
const PATIENCE: u32 = 3;

/// How long it rests; twice as long each time it is wrong again.
const REST_MIN: Duration = Duration::from_secs(60);
const REST_MAX: Duration = Duration::from_secs(600);

/// One that was not wrong for so long starts anew.
const FORGOTTEN: Duration = Duration::from_secs(1_200);

/// From one time that a person is told of a dispatcher to the next.
const TOLD_PAUSE: Duration = Duration::from_secs(60);

/// Dispatchers that are remembered to have been wrong.
const WRONG_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use push0_core::{Beat, Capacity, TaskId};

    use super::*;

    #[test]
    fn who_is_wrong_again_and_again_gets_no_work_and_a_person_is_told_why() {
        let (witness, _claimed) = witness();
        let (liar, other) = (name("gpu-1"), name("gpu-2"));
        let mut told = Vec::new();
        for _ in 0..PATIENCE {
            assert_eq!(slots(&witness, &liar), 2);
            told.extend(witness.known().was_wrong(&liar, "it is there".to_owned()));
        }
        assert_eq!((slots(&witness, &liar), slots(&witness, &other)), (0, 2));
        assert_eq!(told, ["it is there", "it is there; it was wrong 3 times: no work for 60 s"]);
        witness.known().was_wrong(&liar, "it is there".to_owned());
        assert_eq!(slots(&witness, &liar), 0);
    }

    #[test]
    fn a_word_on_a_lost_input_is_looked_into_once_and_no_more_than_so_many_are() {
        let (witness, mut claimed) = witness();
        for _ in 0..2 {
            assert!(witness.sift(vec![lost(1)]).is_empty());
        }
        assert!(claimed.try_recv().is_ok() && claimed.try_recv().is_err(), "it was taken twice");
        let mut taken = || std::iter::from_fn(|| claimed.try_recv().ok()).count();
        for attempt in 2..=CLAIMS_MAX as u64 + 9 {
            witness.sift(vec![lost(attempt)]);
        }
        assert_eq!(taken(), CLAIMS_OF_ONE_MAX - 1, "one has no more, whatever attempts it invents");
        for number in 2..=CLAIMS_MAX {
            witness.sift(vec![lost_by(&format!("gpu-{number}"), 1)]);
        }
        assert_eq!(taken(), CLAIMS_MAX - CLAIMS_OF_ONE_MAX, "nor have all of them");
        assert_eq!(witness.known().under_way.len(), CLAIMS_MAX);
        witness.known().under_way.pop_first();
        assert!(witness.sift(vec![lost_by("gpu-x", 1)]).is_empty());
        assert_eq!(taken(), 1, "where one is over, another has its seat");
    }

    fn witness() -> (Witness, mpsc::Receiver<Report>) {
        let (claims, claimed) = mpsc::channel(CLAIMS_MAX);
        (Witness { claims, known: Arc::default() }, claimed)
    }

    fn slots(witness: &Witness, dispatcher: &DispatcherId) -> u32 {
        let capacity =
            Capacity { programs: [].into_iter().collect(), slots: 2, memory_bytes: 1, gpus: 0 };
        let beat = Beat {
            dispatcher: dispatcher.clone(),
            incarnation: 1,
            capacity,
            running: [].into(),
            held: [].into(),
            leaving: false,
        };
        match witness.sift(vec![FromDispatcher::Beat(beat)]).pop() {
            Some(FromDispatcher::Beat(beat)) => beat.capacity.slots,
            Some(FromDispatcher::Report(_)) | None => panic!("no beat"),
        }
    }

    fn lost(attempt: u64) -> FromDispatcher {
        lost_by("gpu-1", attempt)
    }

    fn lost_by(dispatcher: &str, attempt: u64) -> FromDispatcher {
        FromDispatcher::Report(Report {
            dispatcher: name(dispatcher),
            incarnation: 1,
            attempt: AttemptId(attempt),
            task: TaskId([1; 32]),
            outcome: Outcome::InputLost { artifact: Digest::of(b"a") },
            ran: Duration::ZERO,
        })
    }

    fn name(text: &str) -> DispatcherId {
        text.parse().expect("a name")
    }
}
