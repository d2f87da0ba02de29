//! The seam between the file log and its disk: the few operations that durability is made of.
//!
//! The file log does everything through [`Disk`], so that a test can stop it between any two of
//! them, and let go of what was not synced. What each operation promises, and no more:
//!
//! - written bytes may be lost, in any part and order, until [`sync_data`](Disk::sync_data)
//!   returns;
//! - a name may be lost until [`sync_dir`](Disk::sync_dir) returns, and a rename is never seen
//!   half;
//! - writing a sector anew with bytes that are partly the same leaves those as they were
//!   (SQLite calls it "powersafe overwrite"): a frame may share a sector with the one before.
//!
//! Not here: what is written (`frame`), and in which order (`file`).

mod directory;

use std::io;
use std::path::PathBuf;

pub use directory::{Directory, make_dir};

/// A directory of files, by name. Clones are the same directory.
pub trait Disk: Clone + Send + Sync + 'static {
    /// A file that is open for writing; it stays the same file when its name changes.
    type File: Send + 'static;
    /// The right to write here; given back when dropped.
    type Lock: Send + 'static;

    /// Makes the directory where it is missing, durably.
    ///
    /// # Errors
    ///
    /// As the disk says.
    fn prepare(&self) -> io::Result<()>;

    /// Takes the right to write; nothing where another process, or another log here, has it.
    ///
    /// # Errors
    ///
    /// As the disk says.
    fn lock(&self) -> io::Result<Option<Self::Lock>>;

    /// The names of all files, in no order.
    ///
    /// # Errors
    ///
    /// As the disk says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// A file's bytes.
    ///
    /// # Errors
    ///
    /// As the disk says.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// An empty file of this name. What had the name is gone.
    ///
    /// # Errors
    ///
    /// As the disk says.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Puts all of `bytes` at `offset`. After an error, any part of them may be there.
    ///
    /// # Errors
    ///
    /// As the disk says.
    fn write_at(&self, file: &Self::File, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the file's bytes durable, and its length.
    ///
    /// # Errors
    ///
    /// As the disk says. What is on disk is unknown then, and repeating it proves nothing.
    fn sync_data(&self, file: &Self::File) -> io::Result<()>;

    /// Gives a file another name, in one step. What had that name is gone.
    ///
    /// # Errors
    ///
    /// As the disk says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file's name.
    ///
    /// # Errors
    ///
    /// As the disk says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes all names durable.
    ///
    /// # Errors
    ///
    /// As the disk says.
    fn sync_dir(&self) -> io::Result<()>;

    /// What to call a file when speaking to people.
    fn path(&self, name: &str) -> PathBuf;
}
