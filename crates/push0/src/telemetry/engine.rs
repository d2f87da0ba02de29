//! What an engine is asked by a scrape: how it stands, and what it has seen while it led.
//!
//! Turns are handed on after they are durable, on a thread beside the engine's. Turns that find no
//! room on the way are counted, and the engine never waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::look::EngineLook;
use super::metric as m;
use super::passing::{Passing, Seen};
use super::sheet::{Histograms, Sheet, histograms, named};
use crate::clock::wall;
use crate::engine::{Handle, TurnReport};

/// The metrics of an engine. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct EngineMetrics(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    passing: Passing,
    retries: u64,
    dropped: u64,
    proving: Histograms,
    queue: Histograms,
    overhead: Histograms,
    append: Histograms,
    /// The last look, and when it was asked for: many scrapers cost the engine no more than one.
    look: Option<(Instant, EngineLook)>,
}

impl EngineMetrics {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            passing: Passing::default(),
            retries: 0,
            dropped: 0,
            proving: histograms(&m::PROVING),
            queue: histograms(&m::QUEUE),
            overhead: histograms(&m::OVERHEAD),
            append: histograms(&m::APPEND),
            look: None,
        })))
    }

    /// It leads from here on, behind what was followed before.
    pub(crate) fn lead(&self, passing: Passing) {
        let mut state = self.lock();
        (state.passing, state.look) = (passing, None);
    }

    /// Takes what a durable turn shows.
    pub(crate) fn turn(&self, report: &TurnReport) {
        let mut state = self.lock();
        state.dropped += report.missed;
        let overhead = state.overhead.get_or_create(&vec![]).clone();
        report.overheads.iter().for_each(|took| overhead.observe(took.as_secs_f64()));
        if let Some(took) = report.append {
            state.append.get_or_create(&vec![]).observe(took.as_secs_f64());
        }
        let seen = report.turn.as_ref().map(|turn| state.passing.follow(turn));
        for seen in seen.into_iter().flatten() {
            match seen {
                Seen::Retried => state.retries += 1,
                Seen::Queued(stage, waited) => {
                    let labels = named(&m::QUEUE, &[stage.as_str()]);
                    state.queue.get_or_create(&labels).observe(waited.as_secs_f64());
                }
                Seen::Proved(stage, program, ran) => {
                    let labels = named(&m::PROVING, &[stage.as_str(), program.as_str()]);
                    state.proving.get_or_create(&labels).observe(ran.as_secs_f64());
                }
            }
        }
    }

    /// Writes what is known at this moment, of the engine that leads here, if one does.
    pub(super) async fn write(&self, sheet: &mut Sheet, leads: Option<Handle>) {
        let look = match &leads {
            Some(handle) => self.look(handle).await,
            None => None,
        };
        sheet.count(&m::LEADER, &[], u64::from(leads.is_some()));
        sheet.count(&m::ANSWERS, &[], u64::from(look.is_some()));
        let state = self.lock();
        sheet.total(&m::RETRIES, &[], state.retries);
        sheet.total(&m::DROPPED, &[], state.dropped);
        sheet.histograms(&m::PROVING, &state.proving);
        sheet.histograms(&m::QUEUE, &state.queue);
        sheet.histograms(&m::OVERHEAD, &state.overhead);
        sheet.histograms(&m::APPEND, &state.append);
        if let Some(look) = look {
            let oldest =
                look.tip().and_then(|tip| state.passing.oldest(tip)).map(|at| wall().since(at));
            sheet.gauge(&m::OLDEST, &[], oldest.unwrap_or_default().as_secs_f64());
            look.write(sheet);
        }
        drop(state);
        if let Some(room) = leads.and_then(|handle| handle.room()) {
            sheet.count(&m::LOG, &[], room.bytes);
            sheet.count(&m::LOG_MAX, &[], room.bytes_max);
        }
    }

    /// How the engine stands, as it was within the last half second; none where it has no time.
    async fn look(&self, handle: &Handle) -> Option<EngineLook> {
        let recent = |state: &State| {
            let (at, look) = state.look.as_ref()?;
            (at.elapsed() < LOOK_EACH).then(|| look.clone())
        };
        if let Some(look) = recent(&self.lock()) {
            return Some(look);
        }
        let asked = Instant::now();
        let look = timeout(LOOK_MAX, handle.see(EngineLook::of)).await.ok()?.ok()?;
        self.lock().look = Some((asked, look.clone()));
        Some(look)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From one look at the engine to the next.
const LOOK_EACH: Duration = Duration::from_millis(500);

/// How long a look is waited for: a scraper waits 10 s by default.
const LOOK_MAX: Duration = Duration::from_secs(2);
