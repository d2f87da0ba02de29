//! What a dispatcher is asked by a scrape.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use push0_dispatch::{Doing, Notice, View};

use super::metric as m;
use super::sheet::Sheet;

/// The metrics of a dispatcher. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct DispatcherMetrics(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    slots: u32,
    memory_bytes: u64,
    gpus: u32,
    /// Of the life that runs.
    view: Option<View>,
    kept: u64,
    failed: BTreeMap<String, u64>,
    has_store: bool,
    is_connected: bool,
}

impl DispatcherMetrics {
    /// Of one that has so many slots, so much memory in bytes, and so many GPUs.
    pub(crate) fn new(slots: u32, memory_bytes: u64, gpus: u32) -> Self {
        Self(Arc::new(Mutex::new(State {
            slots,
            memory_bytes,
            gpus,
            view: None,
            kept: 0,
            failed: BTreeMap::new(),
            has_store: true,
            is_connected: true,
        })))
    }

    /// Another life of it begins.
    pub(crate) fn begin(&self, view: View) {
        let mut state = self.lock();
        (state.view, state.has_store) = (Some(view), true);
    }

    /// How it stands: results kept, and whether it has a connection.
    pub(crate) fn stands(&self, kept: usize, is_connected: bool) {
        let mut state = self.lock();
        (state.kept, state.is_connected) = (kept as u64, is_connected);
    }

    /// Takes what it says of itself.
    pub(crate) fn notice(&self, notice: &Notice) {
        match notice {
            Notice::AttemptFailed(failed) => {
                *self.lock().failed.entry(failed.how.clone()).or_default() += 1;
            }
            Notice::StoreAway { .. } => self.lock().has_store = false,
            Notice::StoreBack => self.lock().has_store = true,
            Notice::ProgramGone { .. }
            | Notice::ProgramBack { .. }
            | Notice::LeftoversEnded { .. }
            | Notice::NoRoom { .. }
            | Notice::RoomAgain
            | Notice::DiskSilent { .. }
            | Notice::DiskAgain
            | Notice::ProofThere { .. }
            | Notice::GpuElsewhere { .. }
            | Notice::GpuFree { .. }
            | Notice::Trouble { .. }
            | _ => {}
        }
    }

    pub(super) fn write(&self, sheet: &mut Sheet) {
        let state = self.lock();
        let running = state.view.as_ref().map(View::running).unwrap_or_default();
        sheet.count(&m::OWN_SLOTS, &["offered"], u64::from(state.slots));
        sheet.count(&m::OWN_SLOTS, &["used"], running.len() as u64);
        for (doing, word) in DOING {
            let count = running.iter().filter(|attempt| attempt.doing == doing).count();
            sheet.count(&m::OWN_DOING, &[word], count as u64);
        }
        sheet.count(&m::OWN_MEMORY, &[], state.memory_bytes);
        sheet.count(&m::OWN_GPUS, &[], u64::from(state.gpus));
        sheet.count(&m::OWN_KEPT, &[], state.kept);
        sheet.count(&m::OWN_CONNECTED, &[], u64::from(state.is_connected));
        sheet.count(&m::OWN_STORE, &[], u64::from(state.has_store));
        for (how, count) in &state.failed {
            sheet.total(&m::OWN_FAILED, &[how], *count);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As the label has them.
const DOING: [(Doing, &str); 7] = [
    (Doing::Starting, "starting"),
    (Doing::Proving, "proving"),
    (Doing::Verifying, "verifying"),
    (Doing::Unjudged, "unjudged"),
    (Doing::Storing, "storing"),
    (Doing::Unstored, "unstored"),
    (Doing::Ending, "ending"),
];
