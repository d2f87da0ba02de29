//! What the attempts of a run print, for a command beside it: a socket in the dispatcher's own
//! directory, which only its user can reach. A question is a line of JSON, and so is the answer.
//!
//! Not here: what is answered (`push0_dispatch`), and how a cluster is asked (`cluster`).

use std::fs::{self, File, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use push0_dispatch::{OutputAnswer, OutputAsk, Outputs};

use crate::tell;

/// A socket that is there. Dropped, it is removed.
#[derive(Debug)]
pub(crate) struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// As [`serve`]; a run goes on without it, and says so.
pub(crate) fn open(dir: &Path, outputs: Outputs) -> Option<Socket> {
    let socket = serve(dir, outputs).inspect_err(|error| {
        tell::warn(format_args!(
            "`push0 logs` cannot show what runs: there is no socket in {} ({error})",
            dir.display()
        ));
    });
    socket.ok()
}

/// Answers from here on, for as long as the process lives, on a thread of its own. The directory is
/// the caller's alone.
///
/// # Errors
///
/// That its directory can hold no socket, or that there is no thread.
fn serve(dir: &Path, outputs: Outputs) -> io::Result<Socket> {
    // One that a killed run has left.
    match fs::remove_file(dir.join(SOCKET)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let (_dir, path) = reachable(dir)?;
    let listener = UnixListener::bind(&path)?;
    let socket = Socket(dir.join(SOCKET));
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    let body = move || {
        // One at a time: each holds it for no longer than it may be silent.
        for asker in listener.incoming() {
            match asker {
                Ok(asker) => drop(answer(&asker, &outputs)), // who asks sees that there is no answer
                Err(_) => thread::sleep(PAUSE),              // no more files may be open, say
            }
        }
    };
    thread::Builder::new().name("outputs".to_owned()).spawn(body)?;
    Ok(socket)
}

/// Asks the run whose dispatcher has this directory.
///
/// # Errors
///
/// Nobody answers there.
pub(crate) fn ask(dir: &Path, ask: OutputAsk) -> io::Result<OutputAnswer> {
    let (_dir, path) = reachable(dir)?;
    let mut stream = UnixStream::connect(path)?;
    for set in [UnixStream::set_read_timeout, UnixStream::set_write_timeout] {
        set(&stream, Some(SILENT_MAX))?;
    }
    stream.write_all((serde_json::to_string(&ask)? + "\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

fn answer(mut asker: &UnixStream, outputs: &Outputs) -> io::Result<()> {
    asker.set_write_timeout(Some(SILENT_MAX))?;
    let (until, mut question) = (Instant::now() + SILENT_MAX, Vec::new());
    // However it comes, a byte at a time, too.
    while !question.ends_with(b"\n") && question.len() < ASK_BYTES_MAX {
        let left = until.saturating_duration_since(Instant::now());
        asker.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut some = [0; 256];
        match asker.read(&mut some)? {
            0 => break,
            read => question.extend(some.get(..read).unwrap_or_default()),
        }
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    let answer = outputs.answer(serde_json::from_slice(&question)?);
    asker.write_all((serde_json::to_string(&answer)? + "\n").as_bytes())
}

/// The socket's path by way of the open directory: a path may be longer than a socket's may be.
fn reachable(dir: &Path) -> io::Result<(File, PathBuf)> {
    let dir = File::open(dir)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd()));
    Ok((dir, path))
}

const SOCKET: &str = "output.sock";

/// How long one side may keep the other waiting.
const SILENT_MAX: Duration = Duration::from_secs(1);

/// A question is some 50 bytes.
const ASK_BYTES_MAX: usize = 1 << 10;

/// Before it is tried again to hear who asks.
const PAUSE: Duration = Duration::from_millis(100);

/// A piece is 8 KiB, before escapes.
const ANSWER_BYTES_MAX: u64 = 256 << 10;
