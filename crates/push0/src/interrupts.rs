//! SIGINT and SIGTERM as a count, for a command that ends what it began before it ends itself.
//!
//! Not here: runs, which hear of them as news (`run`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Exit;

/// Counts them from here on. The second ends the process at once: what it has started ends with it.
///
/// # Errors
///
/// The system's: no thread, or no signals, are to be had.
pub(crate) fn count() -> io::Result<Arc<AtomicU32>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let body = move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    biased;
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if counted.fetch_add(1, Ordering::Relaxed) > 0 {
                    std::process::exit(i32::from(Exit::Interrupted.code()));
                }
            }
        });
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(body)?;
    Ok(count)
}
