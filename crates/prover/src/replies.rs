//! stdout of a prover that serves, for replies alone, a line each; and stderr, for all else that
//! the SDK says.
//!
//! Not here: what is replied (`serve`, `progress`).

use std::fs::File;
use std::io::{self, Write as _};
use std::process;
use std::sync::{Arc, Mutex, PoisonError};

use crate::wire::Reply;

/// Where replies go: what was stdout when the process started.
#[derive(Clone, Debug)]
pub(crate) struct Replies(Arc<Mutex<File>>);

impl Replies {
    /// Takes stdout for replies, and lets all that prints write to stderr.
    pub(crate) fn take_stdout() -> io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(take_stdout()?))))
    }

    /// Writes one line. If nobody can read it, nobody wants the proof: the process ends.
    pub(crate) fn send(&self, reply: &Reply) {
        let mut line = serde_json::to_vec(reply).expect("a reply is plain values");
        line.push(b'\n');
        let mut stdout = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = stdout.write_all(&line) {
            complain(&format!("error: stdout: {error}"));
            process::exit(1);
        }
    }
}

/// What was file descriptor 1; from here on, 1 is stderr.
pub(crate) fn take_stdout() -> io::Result<File> {
    let stdout = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    Ok(File::from(stdout))
}

/// Writes a line to stderr. A reader that has gone is no reason to stop.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{}", line.trim_end());
}
