//! What Prometheus scrapes: `--metrics ADDR` of `push0 run`, `serve` and `dispatch`.
//!
//! ```text
//!   engine ──durable turns──▶ EngineMetrics ◀──look── scrape (GET /metrics)
//!             (bounded; what finds no room is counted, the engine never waits)
//! ```
//!
//! Everything is derived: from turns of the log, from looks at the state, from what a dispatcher
//! says of itself. The core and the engine know nothing of it.
//!
//! Not here: what people are shown (`status`).

mod dispatcher;
mod endpoint;
mod engine;
mod look;
mod metric;
mod passing;
mod sheet;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use push0_dispatch::Room;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(crate) use self::dispatcher::DispatcherMetrics;
pub(crate) use self::engine::EngineMetrics;
use self::metric as m;
pub(crate) use self::passing::Passing;
use self::sheet::Sheet;
use crate::clock::wall;
use crate::engine::Handle;

/// Where metrics are to be had.
#[derive(Args, Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TelemetryArgs {
    /// Answer scrapes of Prometheus at this address, as in 127.0.0.1:9464 (docs/metrics.md)
    #[arg(long, value_name = "ADDR", env = "PUSH0_METRICS")]
    pub metrics: Option<SocketAddr>,
}

/// Why no metrics can be had.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be served at {address} ({source}): name another address (--metrics)")]
pub(crate) struct NoEndpoint {
    address: SocketAddr,
    source: io::Error,
}

/// What is scraped of a process.
#[derive(Default)]
pub(crate) struct Scrape {
    /// Of an engine, and who leads here at this moment.
    pub(crate) engine: Option<(EngineMetrics, watch::Receiver<Option<Handle>>)>,
    pub(crate) dispatcher: Option<DispatcherMetrics>,
    /// A directory on the disk that matters.
    pub(crate) disk: Option<PathBuf>,
    /// What the log takes, where no engine says so.
    pub(crate) log: Option<PathBuf>,
    /// What the store of a cluster holds, as it was counted last.
    pub(crate) store_bytes: Option<Arc<AtomicU64>>,
    /// A look at the disks that is under way: one that hangs is waited for, and none is begun
    /// beside it.
    pub(crate) disks: Mutex<Option<DiskLook>>,
}

/// What is left on a disk, and what a log takes of it in bytes.
type DiskLook = JoinHandle<(Option<Room>, Option<u64>)>;

impl Scrape {
    /// Answers scrapes at `address` from here on.
    ///
    /// # Errors
    ///
    /// [`NoEndpoint`]: the address is taken, or is not this machine's.
    pub(crate) fn serve(self, address: SocketAddr) -> Result<(), NoEndpoint> {
        let fault = |source| NoEndpoint { address, source };
        let listener = endpoint::bind(address).map_err(fault)?;
        let at = listener.local_addr().map_err(fault)?;
        let began = wall();
        let scrape = Arc::new(self);
        let fill: endpoint::Fill = Arc::new(move |sheet| {
            let scrape = Arc::clone(&scrape);
            Box::pin(async move {
                sheet.gauge(&m::BUILD, &[env!("CARGO_PKG_VERSION")], 1.0);
                sheet.gauge(&m::STARTED, &[], Duration::from_micros(began.0).as_secs_f64());
                scrape.write(sheet).await;
            })
        });
        endpoint::serve(listener, fill).map_err(fault)?;
        crate::tell::info(format_args!("metrics are at http://{at}/metrics"));
        Ok(())
    }

    async fn write(&self, sheet: &mut Sheet) {
        sheet.total(&m::RECONNECTS, &[], CONNECTIONS_LOST.load(Ordering::Relaxed));
        if let Some((metrics, leads)) = &self.engine {
            let leads = leads.borrow().clone();
            metrics.write(sheet, leads).await;
        }
        if let Some(metrics) = &self.dispatcher {
            metrics.write(sheet);
        }
        if let Some(bytes) = self.store_bytes.as_ref().map(|bytes| bytes.load(Ordering::Relaxed))
            && bytes != UNCOUNTED
        {
            sheet.count(&m::STORE, &[], bytes);
        }
        self.write_disks(sheet).await;
    }

    /// A disk that hangs holds one thread, and has no sample.
    async fn write_disks(&self, sheet: &mut Sheet) {
        let Ok(mut under_way) = self.disks.try_lock() else { return };
        let looks = under_way.get_or_insert_with(|| {
            let (disk, log) = (self.disk.clone(), self.log.clone());
            tokio::task::spawn_blocking(move || {
                let room = disk.and_then(|dir| Room::look(&dir).ok());
                (room, log.map(|dir| push0_dispatch::taken_bytes(&dir)))
            })
        });
        let Ok(looked) = timeout(DISK_MAX, looks).await else { return };
        *under_way = None;
        drop(under_way);
        let Ok((room, log)) = looked else { return };
        if let Some(room) = room {
            sheet.count(&m::DISK_FREE, &[], room.free_bytes);
            sheet.count(&m::DISK, &[], room.total_bytes);
        }
        log.into_iter().for_each(|bytes| sheet.count(&m::LOG, &[], bytes));
    }
}

/// Notes that this process has lost a connection to a NATS server.
pub(crate) fn lost_a_connection() {
    CONNECTIONS_LOST.fetch_add(1, Ordering::Relaxed);
}

/// Of this process: a connection knows nothing of who scrapes.
static CONNECTIONS_LOST: AtomicU64 = AtomicU64::new(0);

/// The store was not counted yet.
pub(crate) const UNCOUNTED: u64 = u64::MAX;

/// How long a disk is waited for.
const DISK_MAX: Duration = Duration::from_millis(500);
