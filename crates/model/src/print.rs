//! Prints: what two states are told apart by, as a number of 128 bits.
//!
//! A print is taken of a text that says all that the state's future depends on. Which texts these
//! are is said where they are made: of the log by `truth`, of an engine by `node`, of a dispatcher
//! by `member`, of what is under way by `net`.

use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};

/// Of two things with one print, one is as good as the other.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Print(u128);

impl Print {
    /// That of what a thing says of itself.
    pub(crate) fn of(what: impl fmt::Debug) -> Self {
        let mut halves = Halves::new();
        let written = write!(halves, "{what:?}");
        written.expect("a hash takes everything");
        halves.print()
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let mut halves = Halves::new();
        halves.write(bytes);
        halves.print()
    }

    /// A short one, for whoever keeps millions.
    pub(crate) const fn short(self) -> u64 {
        (self.0 >> 64) as u64
    }
}

/// Two hashes of 64 bits, of which one has another beginning: the same in every process.
struct Halves(DefaultHasher, DefaultHasher);

impl Halves {
    fn new() -> Self {
        let mut other = DefaultHasher::new();
        other.write_u8(1);
        Self(DefaultHasher::new(), other)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.1.write(bytes);
    }

    fn print(&self) -> Print {
        Print(u128::from(self.0.finish()) << 64 | u128::from(self.1.finish()))
    }
}

impl fmt::Write for Halves {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes());
        Ok(())
    }
}

impl fmt::Debug for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
