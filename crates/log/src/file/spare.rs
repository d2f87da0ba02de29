//! The spare: a segment of zeros, filled ahead of its use.
//!
//! It is no part of the log until it is renamed, so nothing that happens to it can harm one: a
//! spare that failed is made again, from an empty file.
//!
//! Not here: when one is needed (`file`).

use std::io;
use std::thread::{self, JoinHandle};

use crate::Disk;

/// The next segment, made by a thread or on demand.
pub(super) struct Spare<D: Disk> {
    disk: D,
    segment_bytes: usize,
    fills_ahead: bool,
    filling: Option<JoinHandle<io::Result<D::File>>>,
}

impl<D: Disk> Spare<D> {
    pub(super) const fn new(disk: D, segment_bytes: usize, fills_ahead: bool) -> Self {
        Self { disk, segment_bytes, fills_ahead, filling: None }
    }

    /// Begins to make one, unless one is begun.
    pub(super) fn fill(&mut self) {
        if !self.fills_ahead || self.filling.is_some() {
            return;
        }
        let (disk, segment_bytes) = (self.disk.clone(), self.segment_bytes);
        let thread = thread::Builder::new().name("log-spare".to_owned());
        // Without a thread to be had, the append that needs the spare makes it.
        self.filling = thread.spawn(move || make(&disk, segment_bytes)).ok();
    }

    /// The one that was made; or makes one, where none was or it failed.
    pub(super) fn take(&mut self) -> io::Result<D::File> {
        match self.filling.take().map(JoinHandle::join) {
            Some(Ok(Ok(file))) => Ok(file),
            Some(Ok(Err(_)) | Err(_)) | None => make(&self.disk, self.segment_bytes),
        }
    }
}

impl<D: Disk> Drop for Spare<D> {
    fn drop(&mut self) {
        // Nobody else may write the directory while the thread does.
        if let Some(thread) = self.filling.take() {
            let _ = thread.join();
        }
    }
}

/// Writes zeros from `offset` to `end`.
pub(super) fn fill<D: Disk>(disk: &D, file: &D::File, offset: usize, end: usize) -> io::Result<()> {
    let zeros = vec![0; CHUNK_BYTES.min(end - offset)];
    for at in (offset..end).step_by(CHUNK_BYTES) {
        let chunk = zeros.get(..CHUNK_BYTES.min(end - at)).unwrap_or(&zeros);
        disk.write_at(file, at as u64, chunk)?;
    }
    Ok(())
}

fn make<D: Disk>(disk: &D, segment_bytes: usize) -> io::Result<D::File> {
    let made = disk.create(NAME).and_then(|file| {
        fill(disk, &file, 0, segment_bytes)?;
        disk.sync_data(&file)?;
        Ok(file)
    });
    if made.is_err() {
        let _ = disk.remove(NAME); // on a full disk half a spare helps nobody
    }
    made
}

/// The spare's name.
pub(super) const NAME: &str = "spare";

const CHUNK_BYTES: usize = 1 << 20;
