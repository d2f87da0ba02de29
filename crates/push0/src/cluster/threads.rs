//! The threads of a process on which others are waited for. They end with whoever has them,
//! whatever one of them waits for: a store that is away, or a disk that hangs, holds no process
//! that is told to stop.
//!
//! What must have ended before is waited for by whoever began it.

use std::io;
use std::ops::Deref;

use tokio::runtime::{Builder, Runtime};

/// A runtime whose end waits for nothing.
#[derive(Debug)]
pub(crate) struct Threads(Option<Runtime>);

impl Threads {
    pub(super) fn new(of: &mut Builder) -> io::Result<Self> {
        of.enable_all().build().map(|runtime| Self(Some(runtime)))
    }
}

impl Deref for Threads {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect("it is there until this is dropped")
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_hangs_on_them_is_not_waited_for() {
        for mut of in [Builder::new_multi_thread(), Builder::new_current_thread()] {
            let threads = Threads::new(&mut of).expect("threads");
            let (answers, answer) = mpsc::channel::<()>();
            let (began, begins) = mpsc::channel();
            let hangs = threads.spawn_blocking(move || {
                let _ = began.send(());
                answer.recv()
            });
            begins.recv().expect("it begins");
            let (has_ended, ended) = mpsc::channel();
            std::thread::spawn(move || {
                drop(threads);
                let _ = has_ended.send(());
            });
            ended.recv_timeout(Duration::from_secs(20)).expect("its end waits for nothing");
            drop((answers, hangs));
        }
    }
}
