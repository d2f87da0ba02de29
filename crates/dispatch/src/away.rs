//! A store that does not answer this machine: nothing is begun meanwhile, and what waits for an
//! input is given back.
//!
//! A mount that went away, a bucket out of reach: nobody's fault, and maybe of this machine alone.
//! Another may have the store, so what was granted here and cannot begin is not kept from it for
//! long.
//!
//! Not here: results in hand, which are kept and put again (`attempt/settle`).

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Notice;
use crate::context::Context;

/// Since when the store is away.
#[derive(Debug, Default)]
pub(crate) struct Away(Mutex<Option<Instant>>);

impl Away {
    /// Whether the store is away, and has been for so long that what waits for it is given back.
    /// Blocks; where it is, somebody looks from now on whether it is back.
    pub(crate) fn look(&self, context: &Arc<Context>) -> Option<bool> {
        let Err(error) = context.config.store.be_there() else { return None };
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = *since {
            return Some(since.elapsed() >= WAIT);
        }
        let watch = Arc::downgrade(context);
        let words = error.to_string();
        let watched = thread::Builder::new().name("store".to_owned()).spawn(move || {
            let mut is_told = false;
            loop {
                thread::sleep(PAUSE);
                let Some(context) = watch.upgrade() else { return };
                if context.config.store.be_there().is_ok() {
                    return context.away.back(&context, is_told);
                }
                if !std::mem::replace(&mut is_told, true) {
                    let store = context.config.store.to_string();
                    context.notify(Notice::StoreAway { store, message: words.clone() });
                }
            }
        });
        if watched.is_ok() {
            *since = Some(Instant::now());
            context.board.has_store(false);
            context.beat_now();
        }
        Some(false)
    }

    fn back(&self, context: &Context, is_told: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        context.board.has_store(true);
        if is_told {
            context.notify(Notice::StoreBack);
        }
        context.beat_now();
    }
}

/// From one look to the next: they cost a request, or the reading of a few bytes.
const PAUSE: Duration = Duration::from_secs(1);

/// After so long what waits for an input is given back: longer than a server takes to start again.
const WAIT: Duration = Duration::from_secs(10);
