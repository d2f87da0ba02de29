//! Reading on in a file log beside whoever writes it.
//!
//! Only the last segment that was read is read again, and those that came behind it. Whether
//! anything has changed is asked of the names and dates of the files first.
//!
//! Not here: what a frame must be (`scan`).

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use push0_core::{Seq, Turn};

use crate::scan::{Begin, LOG, segment_name, segments, walk_on};
use crate::{Directory, Disk as _, Report};

/// A log that is read as it grows, without its lock.
pub struct FileFollower {
    directory: Directory,
    begin: Begin,
    after: Seq,
    /// How the last segment looked before it was read last.
    seen: Option<Stamp>,
    /// How often it has looked so since.
    quiet: u32,
}

/// The last segment, and when it was written to.
type Stamp = (u64, SystemTime);

impl FileFollower {
    /// Of the log of the data directory `dir`, from its beginning.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        let directory = Directory::new(&dir.join(LOG));
        Self { directory, begin: Begin::of_log(), after: Seq(0), seen: None, quiet: 0 }
    }

    /// Gives `each` the turns that have come since it was last asked; none where nothing has
    /// changed.
    ///
    /// What comes before damage is given before the damage is found, as by [`scan`](crate::scan()).
    ///
    /// # Errors
    ///
    /// The disk's own. What is wrong with the log itself is in the report.
    pub fn next(&mut self, each: &mut dyn FnMut(Turn)) -> io::Result<Option<Report>> {
        let stamp = self.stamp()?;
        match stamp.is_some() && stamp == self.seen {
            // A date is no finer than a tick of the kernel: what is written in the same tick does
            // not change it.
            true if self.quiet >= QUIET => return Ok(None),
            true => self.quiet += 1,
            false => self.quiet = 0,
        }
        let mut last = self.after;
        let walked = walk_on(&self.directory, &mut self.begin, self.after, &mut |turn| {
            last = turn.last();
            each(turn);
        })?;
        (self.after, self.seen) = (last, stamp);
        Ok(Some(walked.report))
    }

    fn stamp(&self) -> io::Result<Option<Stamp>> {
        let Some(last) = segments(&self.directory)?.last().copied() else { return Ok(None) };
        match fs::metadata(self.directory.path(&segment_name(last))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None), // it is being put in order
            found => Ok(Some((last, found?.modified()?))),
        }
    }
}

/// How often what has not changed is read again.
const QUIET: u32 = 8;

#[cfg(test)]
mod tests {
    use push0_core::{Epoch, Event, Timestamp};

    use super::*;
    use crate::{FileLog, Log as _, Settings};

    #[test]
    fn every_turn_is_given_once_across_segments_and_openings() {
        let dir = tempfile::tempdir().expect("a directory");
        let settings = Settings { segment_bytes: 4_096, ..Settings::default() };
        let mut follower = FileFollower::new(dir.path());
        let (mut seen, mut first) = (Vec::new(), 1);
        for _ in 0..3 {
            let disk = Directory::new(&dir.path().join(LOG));
            let (mut log, _) = FileLog::open_on(disk, settings, &mut |_| ()).expect("a log");
            for _ in 0..40 {
                let events = vec![Event::Claimed { epoch: Epoch(1), ids_hold_it: true }];
                let (epoch, at) = (Epoch(1), Timestamp(first));
                now(log.append(&Turn { epoch, first: Seq(first), at, events })).expect("durable");
                first += 1;
                if first % 7 == 0 {
                    follower.next(&mut |turn| seen.push(turn.first.0)).expect("it is read");
                }
            }
            // As a kill leaves it.
        }
        let report = follower.next(&mut |turn| seen.push(turn.first.0)).expect("it is read");
        let report = report.expect("it has changed");
        assert_eq!(seen, (1..first).collect::<Vec<_>>());
        assert!(report.segments > 2 && report.last == Seq(first - 1), "{report:?}");
        for _ in 0..QUIET {
            follower.next(&mut |_| panic!("nothing came")).expect("it is read");
        }
        assert!(follower.next(&mut |_| ()).expect("it is read").is_none(), "nothing has changed");
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(done) => done,
            std::task::Poll::Pending => panic!("a disk does not pend"),
        }
    }
}
