//! SIGINT and SIGTERM, for a command that ends what it began before it ends itself.
//!
//! Not here: what a command does then, and processes of a cluster, which wait for signals beside all else (`cluster`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;

/// Calls `heard` for each of them from here on, until that says that nobody wants to know any more.
///
/// # Errors
///
/// The system's: no thread, or no signals, are to be had.
pub(crate) fn listen(mut heard: impl FnMut() -> bool + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let body = move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    biased;
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if !heard() {
                    break;
                }
            }
        });
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(body).map(drop)
}

/// Counts them from here on. The second ends the process at once: what it has started ends with it.
///
/// # Errors
///
/// As [`listen`].
pub(crate) fn count() -> io::Result<Arc<AtomicU32>> {
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    listen(move || {
        if counted.fetch_add(1, Ordering::Relaxed) > 0 {
            crate::tell::end();
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        true
    })?;
    Ok(count)
}
