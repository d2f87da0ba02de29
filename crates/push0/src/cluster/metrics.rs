//! What is scraped of an engine of a cluster.
//!
//! Not here: what a scrape shows (`telemetry`).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use push0_dispatch::Store;
use tokio::sync::watch;

use super::args::ServeArgs;
use super::count::Count;
use super::error::ClusterError;
use super::settings::Settings;
use super::threads::Threads;
use crate::engine::Handle;
use crate::telemetry::{EngineMetrics, Scrape, UNCOUNTED};

/// Answers scrapes of this engine from here on, where it is told to.
pub(super) fn scraped(
    args: &ServeArgs,
    settings: &Settings,
    (store, led): (&Store, &watch::Receiver<Option<Handle>>),
    aside: &Threads,
) -> Result<Option<EngineMetrics>, ClusterError> {
    let Some(address) = args.telemetry.metrics.or(settings.telemetry.metrics) else {
        return Ok(None);
    };
    let metrics = EngineMetrics::new();
    let bytes = Arc::new(AtomicU64::new(UNCOUNTED));
    let scrape = Scrape {
        engine: Some((metrics.clone(), led.clone())),
        disk: store.dir().map(Path::to_owned),
        store_bytes: Some(Arc::clone(&bytes)),
        ..Scrape::default()
    };
    scrape.serve(address)?;
    let (store, led) = (store.clone(), led.clone());
    aside.spawn(async move {
        let mut count = Count::default();
        loop {
            if led.borrow().is_some()
                && let Some(counted) = count.look(Instant::now(), &store).await
            {
                bytes.store(counted.bytes, Ordering::Relaxed);
            }
            tokio::time::sleep(COUNT_LOOK).await;
        }
    });
    Ok(Some(metrics))
}

/// From one look at how much the store holds to the next; it is counted more seldom (`count`).
const COUNT_LOOK: Duration = Duration::from_secs(5);
