//! A disk in memory that keeps what `push0_log::Disk` promises and nothing more.
//!
//! Unsynced writes are lost by sectors, in any combination; names are lost from the newest back; a
//! sync that fails keeps a part and forgets that there was more, as Linux does.
//!
//! Not here: when any of it happens (`world`).

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use push0_log::Disk;

use crate::chance::Chance;

/// A disk. Clones are the same disk.
#[derive(Clone, Debug)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// The names after each step that is not durable.
    renames: Vec<BTreeMap<String, usize>>,
    /// What happens after so many more operations.
    mishap: Option<(u64, Mishap)>,
    has_stopped: bool,
    is_full: bool,
    is_locked: bool,
    /// Whether syncs are only said to have happened: a broken disk, for the simulator's own tests.
    is_lying: bool,
    chance: Chance,
    sector: usize,
}

/// What goes wrong at one operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mishap {
    /// It happens as far as anything unsynced does, and its caller is gone.
    Stops,
    /// It fails.
    Fails,
}

/// A file's bytes as they are read, and as they are on the platter.
#[derive(Clone, Debug, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// Offsets and lengths of what was written since the last sync.
    unsynced: Vec<(usize, Vec<u8>)>,
    /// Where the last write began that was not of zeros: what is before it was durable before.
    stable: usize,
}

impl SimDisk {
    pub(crate) fn new(chance: Chance, sector: usize, is_lying: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            renames: Vec::new(),
            mishap: None,
            has_stopped: false,
            is_full: false,
            is_locked: false,
            is_lying,
            chance,
            sector,
        })))
    }

    /// Has something go wrong at the operation after `operations` more.
    pub(crate) fn plan(&self, operations: u64, mishap: Mishap) {
        self.state().mishap = Some((operations, mishap));
    }

    /// What was planned does not happen.
    pub(crate) fn forget_plan(&self) {
        self.state().mishap = None;
    }

    /// Whether it stopped, and took its process with it.
    pub(crate) fn has_stopped(&self) -> bool {
        self.state().has_stopped
    }

    pub(crate) fn fill(&self, is_full: bool) {
        self.state().is_full = is_full;
    }

    /// The process is gone: nothing is lost but its lock.
    pub(crate) fn kill(&self) {
        let mut state = self.state();
        (state.mishap, state.has_stopped, state.is_locked) = (None, false, false);
    }

    /// The power goes: of what was not synced, a part is there afterwards.
    pub(crate) fn power_loss(&self) {
        self.kill();
        let state = &mut *self.state();
        let kept = state.chance.below(state.renames.len() as u64 + 1);
        state.renames.truncate(usize::try_from(kept).unwrap_or_default());
        if let Some(names) = state.renames.pop() {
            state.durable_names = names;
        }
        state.renames.clear();
        state.names = state.durable_names.clone();
        // All, none, or any part.
        let mode = state.chance.below(4);
        for file in &mut state.files {
            file.settle(&mut state.chance, state.sector, mode);
            file.seen.clone_from(&file.durable);
        }
    }

    /// Damages a byte of the log for good; answers how to undo it. The last frame is spared: nobody
    /// can tell one that was damaged from one that was never whole.
    pub(crate) fn damage(&self) -> Option<Damage> {
        let state = &mut *self.state();
        let names: Vec<_> = state.names.keys().filter(|name| name.ends_with(".seg")).collect();
        let name = (*state.chance.pick(&names)?).clone();
        let is_last = names.last().is_some_and(|last| **last == name);
        let file = state.files.get_mut(*state.names.get(&name)?)?;
        let before = file.seen.clone();
        let most = if is_last { file.stable } else { before.len() };
        if most == 0 {
            return None;
        }
        let offset = usize::try_from(state.chance.below(most as u64)).ok()?;
        let mask = 1 + u8::try_from(state.chance.below(255)).unwrap_or_default();
        *file.seen.get_mut(offset)? ^= mask;
        if let Some(byte) = file.durable.get_mut(offset) {
            *byte ^= mask;
        }
        Some(Damage { name, offset, before })
    }

    /// Puts back what was damaged, as from a copy.
    pub(crate) fn restore(&self, damage: &Damage) {
        let state = &mut *self.state();
        let file = state.names.get(&damage.name).and_then(|index| state.files.get_mut(*index));
        if let Some(file) = file {
            file.seen.clone_from(&damage.before);
            file.durable.clone_from(&damage.before);
            file.unsynced.clear();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was damaged, and what the file was before.
#[derive(Debug)]
pub(crate) struct Damage {
    pub(crate) name: String,
    pub(crate) offset: usize,
    before: Vec<u8>,
}

impl State {
    /// Counts an operation. `Ok(false)`: it happens, and its caller does not hear of it.
    fn begin(&mut self) -> io::Result<bool> {
        if self.has_stopped {
            return Err(io::Error::other("the machine has stopped"));
        }
        match self.mishap {
            Some((0, Mishap::Stops)) => {
                self.has_stopped = true;
                Ok(false)
            }
            Some((0, Mishap::Fails)) => {
                self.mishap = None;
                Err(io::Error::other("the disk fails"))
            }
            Some((left, mishap)) => {
                self.mishap = Some((left - 1, mishap));
                Ok(true)
            }
            None => Ok(true),
        }
    }

    fn content(&mut self, file: usize) -> io::Result<&mut Content> {
        self.files.get_mut(file).ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Content {
    /// Writes a part of what was not synced to the platter.
    fn settle(&mut self, chance: &mut Chance, sector: usize, mode: u64) {
        for (offset, bytes) in std::mem::take(&mut self.unsynced) {
            let mut at = offset;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(sector - at % sector));
                let is_kept = match mode {
                    0 => false,
                    1 => true,
                    _ => chance.flip(),
                };
                if is_kept {
                    put(&mut self.durable, at, now);
                }
                at += now.len();
                rest = later;
            }
        }
    }
}

impl Disk for SimDisk {
    type File = usize;
    type Lock = Held;

    fn prepare(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<Option<Held>> {
        let is_free = !std::mem::replace(&mut self.state().is_locked, true);
        Ok(is_free.then(|| Held(self.clone())))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.state();
        let index = *state.names.get(name).ok_or(ErrorKind::NotFound)?;
        Ok(state.files.get(index).ok_or(ErrorKind::NotFound)?.seen.clone())
    }

    fn create(&self, name: &str) -> io::Result<usize> {
        let mut state = self.state();
        let is_heard = state.begin()?;
        let index = state.files.len();
        state.files.push(Content::default());
        state.names.insert(name.to_owned(), index);
        let names = state.names.clone();
        state.renames.push(names);
        heard(is_heard, index)
    }

    fn write_at(&self, file: &usize, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let is_heard = state.begin()?;
        let (is_full, offset) = (state.is_full, usize::try_from(offset).unwrap_or_default());
        let content = state.content(*file)?;
        if is_full && content.seen.len() < offset + bytes.len() {
            return Err(ErrorKind::StorageFull.into());
        }
        put(&mut content.seen, offset, bytes);
        content.unsynced.push((offset, bytes.to_vec()));
        if bytes.first().is_some_and(|byte| *byte != 0) {
            content.stable = offset;
        }
        heard(is_heard, ())
    }

    fn sync_data(&self, file: &usize) -> io::Result<()> {
        let state = &mut *self.state();
        let is_heard = state.begin();
        if state.is_lying {
            return is_heard.map(drop);
        }
        let (sector, chance) = (state.sector, &mut state.chance);
        let content = state.files.get_mut(*file).ok_or(ErrorKind::NotFound)?;
        match is_heard {
            Ok(true) => {
                for (offset, bytes) in std::mem::take(&mut content.unsynced) {
                    put(&mut content.durable, offset, &bytes);
                }
                Ok(())
            }
            Ok(false) => heard(false, ()),
            Err(error) => {
                // The pages count as clean from here on, written or not.
                content.settle(chance, sector, 2);
                Err(error)
            }
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let is_heard = state.begin()?;
        let index = state.names.remove(from).ok_or(ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), index);
        let names = state.names.clone();
        state.renames.push(names);
        heard(is_heard, ())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let is_heard = state.begin()?;
        state.names.remove(name).ok_or(ErrorKind::NotFound)?;
        let names = state.names.clone();
        state.renames.push(names);
        heard(is_heard, ())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.state();
        if !state.begin()? {
            return heard(false, ());
        }
        state.durable_names = state.names.clone();
        state.renames.clear();
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }
}

/// The right to write.
#[derive(Debug)]
pub(crate) struct Held(SimDisk);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.state().is_locked = false;
    }
}

fn heard<T>(is_heard: bool, value: T) -> io::Result<T> {
    match is_heard {
        true => Ok(value),
        false => Err(io::Error::other("the machine has stopped")),
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(there) = content.get_mut(offset..end) {
        there.copy_from_slice(bytes);
    }
}
