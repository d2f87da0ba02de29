//! What a process prints on one pipe, read while it prints: its end, and a verifier's words
//! wherever they are.
//!
//! Not here: what it means.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use push0_dispatch::VerdictReader;

/// What one pipe has brought so far.
///
/// The thread that reads ends with the pipe. Something that left the process group may hold that
/// open; then the thread is let go, and holds no more than its bounded text and words.
pub(super) struct Output {
    kept: Arc<Mutex<KeptText>>,
    /// All that came.
    bytes: Arc<AtomicU64>,
    ended: Receiver<()>,
}

/// What is kept of it.
#[derive(Default)]
struct KeptText {
    text: Vec<u8>,
    heard: VerdictReader,
}

impl Output {
    /// Reads `pipe` from now on.
    pub(super) fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(KeptText::default()));
        let (end, ended) = sync_channel(1);
        let bytes = Arc::new(AtomicU64::new(0));
        let (into, came) = (Arc::clone(&kept), Arc::clone(&bytes));
        let read = move || {
            let mut buffer = vec![0; CHUNK_BYTES];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                came.fetch_add(count as u64, Ordering::Relaxed);
                let printed = buffer.get(..count).unwrap_or_default();
                let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
                let KeptText { text, heard } = &mut *kept;
                heard.push(printed);
                text.extend_from_slice(printed);
                let over = text.len().saturating_sub(KEPT_BYTES_MAX);
                text.drain(..over);
            }
            drop(end);
        };
        // Without a thread there is no text, and the process blocks at a full pipe until its
        // deadline.
        let _ = thread::Builder::new().name("output".to_owned()).spawn(read);
        Self { kept, bytes, ended }
    }

    /// How much has come so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Its end, and what of it a verifier's words are, once the process has ended.
    pub(super) fn close(self) -> (String, VerdictReader) {
        // Only the end of the channel is waited for: nothing is ever sent.
        let _ = self.ended.recv_timeout(PATIENCE);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (String::from_utf8_lossy(&kept.text).into_owned(), kept.heard.clone())
    }
}

/// What is kept of a pipe's end.
const KEPT_BYTES_MAX: usize = 64 << 10;
const CHUNK_BYTES: usize = 8 << 10;
/// How long a pipe is waited for that something still holds open.
const PATIENCE: Duration = Duration::from_secs(1);
