//! Ctrl-C and SIGTERM, as news.

use std::io;
use std::sync::mpsc::SyncSender;

use tokio::signal::unix::{SignalKind, signal};

use super::News;

/// Tells of every SIGINT and SIGTERM from here on.
pub(super) fn listen(teller: SyncSender<News>) -> io::Result<()> {
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
                if teller.send(News::Interrupted).is_err() {
                    break;
                }
            }
        });
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(body).map(drop)
}
