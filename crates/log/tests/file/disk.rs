//! A disk in memory that can be stopped at any operation and lose whatever was not synced.
//!
//! It promises what `push0_log::Disk` says and nothing more: unsynced writes are lost by sectors,
//! in any combination; names are lost from the newest back; a sync that fails keeps a part and
//! forgets that there was more, as Linux does.
//!
//! Not here: when to stop (`power_loss`).

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use push0_log::Disk;

/// A disk. Clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct FaultyDisk(Arc<Mutex<State>>);

#[derive(Clone, Default)]
struct State {
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    renames: Vec<BTreeMap<String, usize>>,
    operations: usize,
    stop_at: Option<usize>,
    fault_at: Option<(usize, ErrorKind)>,
    faulted: bool,
    locked: bool,
    random: u64,
}

/// A file's bytes as they are read, and as they are on the platter.
#[derive(Clone, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// Offset and bytes, each within one sector.
    unsynced: Vec<(usize, Vec<u8>)>,
}

impl FaultyDisk {
    /// A disk that stops for good at this operation, counted from 0.
    pub(crate) fn stop_at(&self, operation: usize) {
        let mut state = self.state();
        (state.operations, state.stop_at) = (0, Some(operation));
    }

    /// A disk on which this operation fails once, counted from 0.
    pub(crate) fn fault_at(&self, operation: usize, kind: ErrorKind) {
        let mut state = self.state();
        (state.operations, state.fault_at, state.faulted) = (0, Some((operation, kind)), false);
    }

    /// Operations since the last of these calls.
    pub(crate) fn operations(&self) -> usize {
        self.state().operations
    }

    /// The process is gone: nothing is lost but its lock.
    pub(crate) fn kill(&self) {
        let mut state = self.state();
        (state.stop_at, state.fault_at, state.locked) = (None, None, false);
        state.operations = 0;
    }

    /// The power goes: of what was not synced, a part drawn from `seed` is there afterwards.
    pub(crate) fn power_loss(&self, seed: u64) {
        self.kill();
        let mut state = self.state();
        state.random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let draw = usize::try_from(state.draw()).expect("64 bits");
        let kept = draw % (state.renames.len() + 1);
        state.renames.truncate(kept);
        if let Some(names) = state.renames.pop() {
            state.durable_names = names;
        }
        state.renames.clear();
        state.names = state.durable_names.clone();
        // All, none, or any part.
        let mode = state.draw() % 4;
        for index in 0..state.files.len() {
            state.settle(index, mode);
        }
    }

    /// Another disk with the same bytes on it.
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    /// Flips bits of a file, for good.
    pub(crate) fn flip(&self, name: &str, offset: usize, mask: u8) {
        self.change(name, |content| *content.get_mut(offset).expect("within the file") ^= mask);
    }

    /// Cuts a file short, for good.
    pub(crate) fn truncate(&self, name: &str, bytes: usize) {
        self.change(name, |content| content.truncate(bytes));
    }

    /// Changes a file's bytes, for good.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let index = *state.names.get(name).expect("the file exists");
        let file = state.files.get_mut(index).expect("a name has a file");
        change(&mut file.seen);
        file.durable.clone_from(&file.seen);
    }

    /// A file's size.
    pub(crate) fn size(&self, name: &str) -> usize {
        self.read_now(name).expect("the file exists").len()
    }

    fn read_now(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.state();
        let index = *state.names.get(name).ok_or(ErrorKind::NotFound)?;
        Ok(state.files.get(index).ok_or(ErrorKind::NotFound)?.seen.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics within")
    }
}

impl State {
    /// Counts an operation. `Ok(false)`: it is the one that the disk stops at, so it happens (as
    /// far as anything unsynced happens) and its caller does not hear of it.
    fn begin(&mut self) -> io::Result<bool> {
        let operation = self.operations;
        self.operations += 1;
        if self.stop_at.is_some_and(|stop| operation > stop) {
            return Err(io::Error::other("the disk has stopped"));
        }
        if let Some((at, kind)) = self.fault_at
            && at == operation
        {
            self.faulted = true;
            return Err(kind.into());
        }
        Ok(self.stop_at != Some(operation))
    }

    fn renamed(&mut self) {
        let names = self.names.clone();
        self.renames.push(names);
    }

    fn settle(&mut self, index: usize, mode: u64) {
        let unsynced = match self.files.get_mut(index) {
            Some(file) => std::mem::take(&mut file.unsynced),
            None => return,
        };
        for (offset, bytes) in unsynced {
            let kept = match mode {
                0 => false,
                1 => true,
                _ => self.draw().is_multiple_of(2),
            };
            if let Some(file) = self.files.get_mut(index).filter(|_| kept) {
                put(&mut file.durable, offset, &bytes);
            }
        }
        if let Some(file) = self.files.get_mut(index) {
            file.seen.clone_from(&file.durable);
        }
    }

    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random >> 11
    }
}

impl Disk for FaultyDisk {
    type File = usize;
    type Lock = Held;

    fn prepare(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<Option<Held>> {
        let mut state = self.state();
        let is_free = !std::mem::replace(&mut state.locked, true);
        drop(state);
        Ok(is_free.then(|| Held(self.clone())))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.read_now(name)
    }

    fn create(&self, name: &str) -> io::Result<usize> {
        let mut state = self.state();
        let is_heard = state.begin()?;
        let index = state.files.len();
        state.files.push(Content::default());
        state.names.insert(name.to_owned(), index);
        state.renamed();
        heard(is_heard, index)
    }

    fn write_at(&self, file: &usize, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let is_heard = state.begin()?;
        let content = state.files.get_mut(*file).expect("the file was created");
        let offset = usize::try_from(offset).expect("small");
        put(&mut content.seen, offset, bytes);
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (sector, others) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
            content.unsynced.push((at, sector.to_vec()));
            at += sector.len();
            rest = others;
        }
        heard(is_heard, ())
    }

    fn sync_data(&self, file: &usize) -> io::Result<()> {
        let mut state = self.state();
        match state.begin() {
            Ok(true) => {
                let content = state.files.get_mut(*file).expect("the file was created");
                content.unsynced.clear();
                content.durable.clone_from(&content.seen);
                Ok(())
            }
            Ok(false) => Err(io::Error::other("the disk has stopped")),
            Err(error) if state.faulted => {
                // The pages count as clean from here on, written or not.
                let content = state.files.get_mut(*file).expect("the file was created");
                content.unsynced.clear();
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let is_heard = state.begin()?;
        let index = state.names.remove(from).ok_or(ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), index);
        state.renamed();
        heard(is_heard, ())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let is_heard = state.begin()?;
        state.names.remove(name).ok_or(ErrorKind::NotFound)?;
        state.renamed();
        heard(is_heard, ())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.state();
        if !state.begin()? {
            return Err(io::Error::other("the disk has stopped"));
        }
        state.durable_names = state.names.clone();
        state.renames.clear();
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }
}

/// The disk's lock.
pub(crate) struct Held(FaultyDisk);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}

fn heard<T>(is_heard: bool, value: T) -> io::Result<T> {
    match is_heard {
        true => Ok(value),
        false => Err(io::Error::other("the disk has stopped")),
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if content.len() < offset + bytes.len() {
        content.resize(offset + bytes.len(), 0);
    }
    content.iter_mut().skip(offset).zip(bytes).for_each(|(there, byte)| *there = *byte);
}

/// What a disk writes whole or not at all. Far below 512, so that a small frame can be torn.
const SECTOR: usize = 32;
