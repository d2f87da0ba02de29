//! Which life of a dispatcher is heard: one at a time of each name, so that two machines of one
//! name do not take turns.
//!
//! ```text
//!   first heard ──▶ at work ──silent for 3 s──▶ the other is at work
//!                      │
//!        another is heard ──it says that it follows this one──▶ is at work at once
//!                      │
//!                   waits ──this one speaks again──▶ is refused: it ends, and says why
//! ```
//!
//! A dispatcher that is started again in its own directory, whose lock it has, knows the life
//! before it, and says so: nothing is waited for. One without that directory waits until the other
//! is silent. One that comes while the other lives is refused, however often it is started, so the
//! two never take turns. One that was cut off for so long that another took its place is refused
//! when it comes back.
//!
//! Not here: what a life is believed to run (`push0_core::Fleet`), and its silence.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use push0_core::{Beat, DispatcherId, FromDispatcher, Life, Report};

use super::bound::LeftOut;
use super::bus::heard;

/// What a dispatcher says of itself beside each beat.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Origin {
    /// Drawn by this process, and in the name of its connection: nobody else can end it in its
    /// name.
    pub(super) connection: Option<u64>,
    /// The life before this one in the same directory.
    pub(super) after: Option<u64>,
}

impl Origin {
    pub(super) fn of_headers(headers: Option<&HeaderMap>) -> Self {
        let number = |name: &str, radix| {
            let text = headers?.get(name)?;
            u64::from_str_radix(text.as_str(), radix).ok()
        };
        Self { connection: number(CONNECTION, 16), after: number(AFTER, 10) }
    }

    pub(super) fn write(&self, headers: &mut HeaderMap) {
        if let Some(connection) = self.connection {
            headers.insert(CONNECTION, format!("{connection:016x}"));
        }
        if let Some(after) = self.after {
            headers.insert(AFTER, after.to_string());
        }
    }
}

/// The lives that are heard.
#[derive(Debug, Default)]
pub(super) struct Lives(Mutex<BTreeMap<DispatcherId, LiveName>>);

#[derive(Debug)]
struct LiveName {
    life: u64,
    connection: Option<u64>,
    heard: Instant,
    /// When it last said that it leaves, if its last beat did.
    leaves: Option<Leaves>,
    /// By their lives.
    others: BTreeMap<u64, Other>,
    refused: LeftOut,
    refused_at: Option<Instant>,
}

/// That one leaves, by its last beat.
#[derive(Clone, Copy, Debug)]
struct Leaves {
    at: Instant,
    /// Whether it ran and held nothing any more, and so has gone since.
    has_ended: bool,
}

/// Another life of the name, which waits or is refused.
#[derive(Clone, Copy, Debug)]
struct Other {
    since: Instant,
    answered: Option<Instant>,
}

/// What is made of a message.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Admitted {
    /// What is to be heard of it.
    pub(super) said: Vec<FromDispatcher>,
    /// Who is to be told that it is refused.
    pub(super) refused: Option<Life>,
    /// So many were refused since a person was told last.
    pub(super) tell: Option<u64>,
}

impl Lives {
    /// Takes what a dispatcher says, if it is the one that is heard.
    pub(super) fn admit(&self, now: Instant, message: &async_nats::Message) -> Admitted {
        let said = heard(message);
        match said.first() {
            None => Admitted::default(),
            Some(_) => self.judge(now, said, Origin::of_headers(message.headers.as_ref())),
        }
    }

    fn judge(&self, now: Instant, said: Vec<FromDispatcher>, origin: Origin) -> Admitted {
        let Some(life) = said.first().map(life_of) else { return Admitted::default() };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut known, now);
        let begins = LiveName {
            life: life.incarnation,
            connection: origin.connection,
            heard: now,
            leaves: last_beat(&said).and_then(|beat| Leaves::of(now, beat)),
            others: BTreeMap::new(),
            refused: LeftOut::default(),
            refused_at: None,
        };
        let Some(at_work) = known.get_mut(&life.dispatcher) else {
            if known.len() < KNOWN_MAX {
                known.insert(life.dispatcher, begins);
            }
            return Admitted { said, ..Admitted::default() };
        };
        if at_work.life == life.incarnation {
            at_work.heard = now;
            if let Some(beat) = last_beat(&said) {
                at_work.leaves = Leaves::of(now, beat);
            }
            at_work.connection = origin.connection.or(at_work.connection);
            return Admitted { said, ..Admitted::default() };
        }
        let follows = origin.after == Some(at_work.life);
        if follows || now.saturating_duration_since(at_work.heard) >= SILENCE {
            *at_work = begins;
            return Admitted { said, ..Admitted::default() };
        }
        let heard = at_work.heard;
        let other = other_of(&mut at_work.others, life.incarnation, now);
        let is_alive = heard > other.since + OVERLAP;
        let is_told = other.answered.is_some_and(|at| now.saturating_duration_since(at) < OVERLAP);
        if !is_alive || is_told {
            return Admitted::default();
        }
        let is_first = other.answered.replace(now).is_none();
        at_work.refused_at = Some(now);
        at_work.refused.add(u64::from(is_first));
        let tell = at_work.refused.tell(now);
        Admitted { said: Vec::new(), refused: Some(life), tell }
    }

    /// Whether it is the connection of the life that is heard.
    pub(super) fn is_heard_over(&self, of: &DispatcherId, connection: Option<u64>) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(of).is_some_and(|known| known.connection == connection)
    }

    /// Those of these names that were heard a moment ago, or all of them, but for those that had
    /// left by `since`: which life of each, and when it last said that it leaves. One that has gone
    /// since says it no more.
    pub(super) fn heard(
        &self,
        (since, now): (Instant, Instant),
        named: Option<&[DispatcherId]>,
    ) -> Vec<(Life, Option<Instant>)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_meant = |id: &DispatcherId| named.is_none_or(|named| named.contains(id));
        let has_left = |leaves: Leaves| leaves.has_ended && leaves.at < since;
        let heard = known.iter().filter(|(id, known)| {
            is_meant(id)
                && now.saturating_duration_since(known.heard) < SILENCE
                && !known.leaves.is_some_and(has_left)
        });
        let life = |(id, known): (&DispatcherId, &LiveName)| {
            let life = Life { dispatcher: id.clone(), incarnation: known.life };
            (life, known.leaves.map(|leaves| leaves.at))
        };
        heard.map(life).collect()
    }

    /// Whether this one took its leave, left nothing undone, and was not heard of since.
    pub(super) fn has_left(&self, dispatcher: &str) -> bool {
        let Ok(dispatcher) = dispatcher.parse::<DispatcherId>() else { return false };
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&dispatcher).and_then(|known| known.leaves).is_some_and(|leaves| leaves.has_ended)
    }

    /// The names that more than one had a moment ago.
    pub(super) fn doubled(&self, now: Instant) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: Instant| now.saturating_duration_since(at) < DOUBLED_FOR;
        let doubled = known.iter().filter(|(_, known)| known.refused_at.is_some_and(is_recent));
        doubled.map(|(name, _)| name.to_string()).collect()
    }
}

fn life_of(said: &FromDispatcher) -> Life {
    let (FromDispatcher::Beat(Beat { dispatcher, incarnation, .. })
    | FromDispatcher::Report(Report { dispatcher, incarnation, .. })) = said;
    Life { dispatcher: dispatcher.clone(), incarnation: *incarnation }
}

impl Leaves {
    fn of(now: Instant, beat: &Beat) -> Option<Self> {
        let has_ended = beat.running.is_empty() && beat.held.is_empty();
        beat.leaving.then_some(Self { at: now, has_ended })
    }
}

/// The last beat among what a dispatcher says.
fn last_beat(said: &[FromDispatcher]) -> Option<&Beat> {
    said.iter().rev().find_map(|said| match said {
        FromDispatcher::Beat(beat) => Some(beat),
        FromDispatcher::Report(_) => None,
    })
}

/// What is known of another life of a name. Where too many are, the oldest is forgotten.
fn other_of(others: &mut BTreeMap<u64, Other>, life: u64, now: Instant) -> &mut Other {
    if others.len() >= OTHERS_MAX && !others.contains_key(&life) {
        let oldest = others.iter().min_by_key(|(_, other)| other.since).map(|(life, _)| *life);
        oldest.map(|oldest| others.remove(&oldest));
    }
    others.entry(life).or_insert(Other { since: now, answered: None })
}

/// Forgets those that are silent, where there are too many to keep.
fn make_room(known: &mut BTreeMap<DispatcherId, LiveName>, now: Instant) {
    if known.len() >= KNOWN_MAX {
        known.retain(|_, known| now.saturating_duration_since(known.heard) < SILENCE);
    }
}

const CONNECTION: &str = "Push0-Connection";
const AFTER: &str = "Push0-After";

/// Three beats: a dispatcher that has said nothing for so long makes way for another of its name.
const SILENCE: Duration = Duration::from_secs(3);

/// What a killed process has sent comes within this, and shows no life.
const OVERLAP: Duration = Duration::from_millis(300);

/// Names that are kept. A hostile user of a fleet's may say as many as it likes.
const KNOWN_MAX: usize = 16_384;

/// Other lives of a name that are kept: more machines of one name than anybody starts by mistake.
const OTHERS_MAX: usize = 8;

/// How long `push0 status` shows that a name is taken twice.
const DOUBLED_FOR: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use push0_core::Capacity;

    use super::*;

    /// What becomes of a beat of life `life` of `gpu-1`, so many milliseconds after the beginning.
    struct Fleet(Lives, Instant);

    impl Fleet {
        fn new() -> Self {
            Self(Lives::default(), Instant::now())
        }

        fn beat(&self, at_ms: u64, life: u64, after: Option<u64>) -> Admitted {
            let beat = Beat { incarnation: life, ..idle() };
            self.0.judge(self.at(at_ms), vec![FromDispatcher::Beat(beat)], origin(life, after))
        }

        fn at(&self, at_ms: u64) -> Instant {
            self.1 + Duration::from_millis(at_ms)
        }

        /// How many are heard at this moment, of whom those that had left by `since_ms` are not.
        fn heard(&self, since_ms: u64, at_ms: u64) -> usize {
            self.0.heard((self.at(since_ms), self.at(at_ms)), None).len()
        }

        fn is_heard(&self, at_ms: u64, life: u64) -> bool {
            !self.beat(at_ms, life, None).said.is_empty()
        }
    }

    fn origin(life: u64, after: Option<u64>) -> Origin {
        Origin { connection: Some(life), after }
    }

    fn idle() -> Beat {
        Beat {
            dispatcher: "gpu-1".parse().expect("a name"),
            incarnation: 1,
            capacity: Capacity::default(),
            running: [].into(),
            held: [].into(),
            leaving: false,
        }
    }

    #[test]
    fn one_that_has_left_is_not_there_and_one_that_ends_what_it_runs_is() {
        let fleet = Fleet::new();
        let says = |at_ms, beat| {
            fleet.0.judge(fleet.at(at_ms), vec![FromDispatcher::Beat(beat)], origin(1, None));
        };
        let (attempt, task) = (push0_core::AttemptId(3), push0_core::TaskId([1; 32]));
        let has_left = || fleet.0.has_left("gpu-1");
        says(0, Beat { leaving: true, running: [(attempt, task)].into(), ..idle() });
        assert_eq!(fleet.heard(100, 100), 1);
        says(200, Beat { leaving: true, held: [(attempt, task)].into(), ..idle() });
        assert_eq!((fleet.heard(300, 300), has_left()), (1, false));
        says(400, Beat { leaving: true, ..idle() });
        assert_eq!(fleet.heard(400, 500), 1, "it was asked to leave, and says that it does");
        assert_eq!((fleet.heard(500, 500), has_left()), (0, true));
        says(600, idle());
        assert_eq!((fleet.heard(700, 700), has_left()), (1, false), "it is there again");
    }

    #[test]
    fn a_life_that_follows_the_one_at_work_is_heard_at_once() {
        let fleet = Fleet::new();
        assert!(fleet.is_heard(0, 1));
        assert!(!fleet.beat(1, 2, Some(1)).said.is_empty());
        assert!(fleet.is_heard(1_000, 2));
    }

    #[test]
    fn one_that_comes_while_another_lives_is_refused_each_time_and_told_once() {
        let fleet = Fleet::new();
        assert!(fleet.is_heard(0, 1));
        assert_eq!(
            fleet.beat(100, 2, None),
            Admitted::default(),
            "it may be that the first is dead"
        );
        assert!(fleet.is_heard(1_000, 1));
        let told = fleet.beat(1_100, 2, Some(7));
        assert_eq!((told.refused.map(|life| life.incarnation), told.tell), (Some(2), Some(1)));
        for round in 1..10 {
            let at = 2_000 * round;
            assert!(fleet.is_heard(at, 1) && fleet.is_heard(at + 1_000, 1));
            assert!(!fleet.is_heard(at + 1_100, 2 + round), "it is started again");
            assert!(fleet.is_heard(at + 1_900, 1));
            assert!(fleet.beat(at + 1_950, 2 + round, None).refused.is_some());
        }
        assert_eq!(fleet.0.doubled(fleet.1 + Duration::from_secs(30)), ["gpu-1"]);
        assert!(fleet.0.doubled(fleet.1 + Duration::from_secs(3_600)).is_empty());
    }

    #[test]
    fn each_of_several_that_come_later_is_refused() {
        let fleet = Fleet::new();
        assert!(fleet.is_heard(0, 1));
        for later in [2, 3, 4] {
            assert!(!fleet.is_heard(100, later));
        }
        assert!(fleet.is_heard(1_000, 1));
        for later in [2, 3, 4] {
            let refused = fleet.beat(1_100, later, None).refused;
            assert_eq!(refused.map(|life| life.incarnation), Some(later));
        }
        for later in 10..1_000 {
            fleet.beat(1_200, later, None);
        }
        let known = fleet.0.0.lock().expect("no panic");
        assert!(known.values().all(|known| known.others.len() <= OTHERS_MAX));
    }

    #[test]
    fn one_that_is_silent_makes_way_and_is_refused_when_it_comes_back() {
        let fleet = Fleet::new();
        assert!(fleet.is_heard(0, 1));
        for at in [1_000, 2_000, 2_999] {
            assert!(!fleet.is_heard(at, 2), "{at}");
        }
        assert!(fleet.is_heard(3_000, 2));
        assert!(!fleet.is_heard(3_500, 1));
        assert!(fleet.is_heard(4_000, 2));
        assert_eq!(fleet.beat(4_100, 1, None).refused.map(|life| life.incarnation), Some(1));
        let gpu: DispatcherId = "gpu-1".parse().expect("a name");
        let heard_over = |connection| fleet.0.is_heard_over(&gpu, connection);
        assert!(heard_over(Some(2)) && !heard_over(Some(1)) && !heard_over(None));
    }

    #[test]
    fn what_a_dead_life_had_sent_is_no_sign_of_life() {
        let fleet = Fleet::new();
        assert!(fleet.is_heard(0, 1));
        assert!(!fleet.is_heard(50, 2));
        assert!(fleet.is_heard(100, 1), "it was on its way");
        assert_eq!(fleet.beat(1_050, 2, None), Admitted::default());
        assert!(fleet.is_heard(3_100, 2));
    }

    #[test]
    fn names_without_end_take_no_room_without_end() {
        let fleet = Fleet::new();
        let mut known = fleet.0.0.lock().expect("no panic");
        let old = |at| LiveName {
            life: 1,
            connection: None,
            heard: at,
            leaves: None,
            others: BTreeMap::new(),
            refused: LeftOut::default(),
            refused_at: None,
        };
        for number in 0..KNOWN_MAX {
            known.insert(format!("gpu-{number}").parse().expect("a name"), old(fleet.1));
        }
        drop(known);
        assert!(!fleet.beat(10, 1, None).said.is_empty(), "it is heard, if not kept");
        assert!(fleet.0.0.lock().expect("no panic").len() <= KNOWN_MAX);
        assert!(!fleet.beat(10_000, 1, None).said.is_empty());
        assert_eq!(fleet.0.0.lock().expect("no panic").len(), 1, "the silent are forgotten");
    }

    #[test]
    fn an_origin_is_read_as_it_was_written() {
        let origin = Origin { connection: Some(7 << 40), after: Some(1_790_000_000_000) };
        let mut headers = HeaderMap::new();
        origin.write(&mut headers);
        assert_eq!(Origin::of_headers(Some(&headers)), origin);
        assert_eq!(Origin::of_headers(None), Origin::default());
    }
}
