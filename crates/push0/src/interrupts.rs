//! SIGINT, SIGTERM and SIGHUP, for a command that ends what it began before it ends itself.
//!
//! Not here: what a command does then, and processes of a cluster, which wait for signals beside
//! all else (`cluster`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, io};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;

/// That the terminal has gone, or its session has ended: SIGHUP.
pub(crate) struct Hangup(Option<Signal>);

impl Hangup {
    /// Listens from here on; not at all where it was ignored when this process began, as `nohup`
    /// wants it.
    ///
    /// # Errors
    ///
    /// The system's: no signals are to be had.
    pub(crate) fn new() -> io::Result<Self> {
        match ignores_hangup() {
            true => Ok(Self(None)),
            false => Ok(Self(Some(signal(SignalKind::hangup())?))),
        }
    }

    /// The first that comes. A shell and the kernel both send one when a terminal closes, so a
    /// second one says nothing more.
    pub(crate) async fn comes(&mut self) {
        match &mut self.0 {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
        self.0 = None; // what is installed stays, and no other one ends this process
    }
}

/// Whether this process ignores SIGHUP, by the kernel's word; where that says nothing, it does not.
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|it| it & 1 == 1)
}

/// Calls `heard` for each of them from here on, until that says that nobody wants to know any more.
///
/// # Errors
///
/// The system's: no thread, or no signals, are to be had.
pub(crate) fn listen(mut heard: impl FnMut() -> bool + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate, mut hangup) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, Hangup::new()?)
    };
    let body = move || {
        runtime.block_on(async {
            let mut is_first = true;
            loop {
                let counts = tokio::select! {
                    biased;
                    _ = interrupt.recv() => true,
                    _ = terminate.recv() => true,
                    () = hangup.comes() => is_first,
                };
                is_first = false;
                if counts && !heard() {
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
