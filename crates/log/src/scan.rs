//! Reading a file log: every frame of every segment, checked against the one before.
//!
//! A segment ends where nothing but zeros follows. Bytes that are no frame are one of two things:
//!
//! - *a torn tail*: the last thing in the last segment, no larger than a frame, and no frame begins
//!   after it. One append is under way at a time and the next waits for its sync, so this is the
//!   one append that was never acknowledged, and may be cut off. It may stand after a closing
//!   frame: then it is the first append after a later opening;
//! - *damage*: anything else. What was durable is not what it was, so the log is refused.
//!
//! A closing frame is an append like any other, so that behind it a damaged turn counts as damage:
//! no turn of a log that ended cleanly is ever cut off. What can be is the closing frame itself,
//! which says nothing that its absence does not.
//!
//! Reading takes no lock. A reader beside a running engine may see its last frame half written, and
//! looks again where what it saw does not add up.
//!
//! Not here: what is done about it (`file`).

use std::io;
use std::path::Path;

use push0_core::{Epoch, Seq, Turn};
use serde::{Deserialize, Serialize};

use crate::boundary;
use crate::frame::{self, Fault, Frame, FrameDigest, Kind};
use crate::{Cut, Directory, Disk, Ending, LogId, ReadError, Report};

/// Reads the log of the data directory `dir` without its lock, and gives `each` every turn that
/// holds an event after `after`, in order.
///
/// What comes before damage is given before the damage is found: read the report first, or drop
/// what was built where [`Report::ending`] is [`Ending::Unreadable`].
///
/// # Errors
///
/// The disk's own. What is wrong with the log itself is in the report.
pub fn scan(dir: &Path, after: Seq, each: &mut dyn FnMut(Turn)) -> io::Result<Report> {
    walk(&Directory::new(&dir.join(LOG)), after, each).map(|walked| walked.report)
}

/// What a walk through all segments leaves.
pub(crate) struct Walked {
    pub(crate) report: Report,
    /// The last segment; none where there is no log.
    pub(crate) tail: Option<Tail>,
}

/// The last segment, and what the next frame must name.
pub(crate) struct Tail {
    /// Its number.
    pub(crate) number: u64,
    /// Its whole frames, without what was torn, without the zeros after.
    pub(crate) frames: Vec<u8>,
    pub(crate) segment_bytes: usize,
    pub(crate) previous: FrameDigest,
    pub(crate) log: LogId,
}

/// The payload of the genesis frame.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Shape {
    /// The size of every segment.
    pub(crate) segment_bytes: usize,
}

/// Where a segment begins, and what stands before it.
#[derive(Clone)]
pub(crate) struct Begin {
    pub(crate) segment: u64,
    place: Option<Place>,
    sums: Sums,
}

impl Begin {
    /// Before the first segment.
    pub(crate) fn of_log() -> Self {
        Self { segment: 1, place: None, sums: Sums::default() }
    }
}

/// Reads every segment on `disk`.
pub(crate) fn walk<D: Disk>(
    disk: &D,
    after: Seq,
    each: &mut dyn FnMut(Turn),
) -> io::Result<Walked> {
    walk_on(disk, &mut Begin::of_log(), after, each)
}

/// Reads the segments from `begin` on, and moves that to the last of them, which may grow.
pub(crate) fn walk_on<D: Disk>(
    disk: &D,
    begin: &mut Begin,
    after: Seq,
    each: &mut dyn FnMut(Turn),
) -> io::Result<Walked> {
    let numbers = segments(disk)?;
    let count = numbers.len() as u64;
    let mut chain = Chain { after, each, place: begin.place.clone() };
    let mut sums = begin.sums.clone();
    let mut end = End::Whole(0);
    let mut bytes = Vec::new();
    let first = begin.segment;
    for (number, expected) in numbers.into_iter().filter(|number| *number >= first).zip(first..) {
        let name = segment_name(expected);
        if number != expected {
            end = End::Unreadable(0, Unreadable::Damaged("the segment is missing".to_owned()));
        } else {
            *begin = Begin { segment: number, place: chain.place.clone(), sums: sums.clone() };
            // Let go of the one before first: two of them would double what an opening needs.
            drop(std::mem::take(&mut bytes));
            bytes = disk.read(&name)?;
            end = chain.segment(disk, &name, &mut bytes, number == count, &mut sums)?;
        }
        if let End::Unreadable(offset, why) = end {
            let error = why.at(disk, &name, offset);
            return Ok(Walked {
                report: sums.report(count, Ending::Unreadable(error)),
                tail: None,
            });
        }
    }
    let Some(place) = chain.place else {
        return Ok(Walked { report: sums.report(0, Ending::Absent), tail: None });
    };
    let (whole, ending) = match end {
        End::Torn { offset, bytes, reason } => {
            let file = disk.path(&segment_name(count));
            (offset, Ending::Torn(Cut { file, offset: offset as u64, bytes, reason }))
        }
        End::Whole(offset) if sums.closed => (offset, Ending::Closed),
        End::Whole(offset) | End::Unreadable(offset, _) => (offset, Ending::Open),
    };
    bytes.truncate(whole);
    let Place { segment_bytes, previous, log } = place;
    let tail = Tail { number: count, frames: bytes, segment_bytes, previous, log };
    Ok(Walked { report: sums.report(count, ending), tail: Some(tail) })
}

/// The name of the segment with this number.
pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:08}.seg")
}

/// The numbers of the segments on `disk`, in order. Other files are not the log's.
pub(crate) fn segments<D: Disk>(disk: &D) -> io::Result<Vec<u64>> {
    let names = disk.list()?;
    let number = |name: &String| {
        let number = name.strip_suffix(".seg")?.parse().ok()?;
        (segment_name(number) == *name).then_some(number)
    };
    let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Where the frames of a segment end, and what is there.
enum End {
    /// Only zeros follow.
    Whole(usize),
    /// A frame that was never acknowledged follows.
    Torn { offset: usize, bytes: u64, reason: &'static str },
    /// What follows makes the log useless.
    Unreadable(usize, Unreadable),
}

/// Why a frame is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unreadable {
    /// It is not what it was, or does not come next.
    Damaged(String),
    /// A newer push0 wrote it.
    Newer(String),
}

/// What the next frame is checked against, and who takes its turn.
struct Chain<'a> {
    after: Seq,
    each: &'a mut dyn FnMut(Turn),
    /// None before the genesis frame.
    place: Option<Place>,
}

#[derive(Clone)]
struct Place {
    log: LogId,
    segment_bytes: usize,
    previous: FrameDigest,
}

/// What was read.
#[derive(Clone, Default)]
struct Sums {
    log: Option<LogId>,
    last: Seq,
    epoch: Epoch,
    turns: u64,
    frames: u64,
    bytes: u64,
    closed: bool,
}

impl Chain<'_> {
    /// Follows the frames of one segment to their end.
    fn segment<D: Disk>(
        &mut self,
        disk: &D,
        name: &str,
        bytes: &mut Vec<u8>,
        is_last: bool,
        sums: &mut Sums,
    ) -> io::Result<End> {
        let mut offset = 0;
        let mut looks = 0;
        let fault = loop {
            let rest = bytes.get(offset..).unwrap_or_default();
            match frame::decode(rest) {
                Ok(frame) => match self.follow(&frame, sums) {
                    Ok(()) => offset += frame.bytes.len(),
                    Err(why) => return Ok(End::Unreadable(offset, why)),
                },
                Err(_) if self.place.is_some() && frame::is_blank(rest) => break None,
                Err(fault) if !is_last || looks == LOOKS_MAX => break Some(fault),
                Err(fault) => {
                    let again = disk.read(name)?;
                    if again == *bytes {
                        break Some(fault);
                    }
                    *bytes = again;
                    looks += 1;
                }
            }
        };
        let expected = self.place.as_ref().map_or(bytes.len(), |place| place.segment_bytes);
        if bytes.len() != expected {
            let reason = format!("the file has {} bytes, not {expected}", bytes.len());
            return Ok(End::Unreadable(offset, Unreadable::Damaged(reason)));
        }
        let rest = bytes.get(offset..).unwrap_or_default();
        Ok(fault.map_or(End::Whole(offset), |fault| self.judge(fault, offset, rest, is_last)))
    }

    /// Checks that `frame` comes next, and gives its turn away.
    fn follow(&mut self, frame: &Frame<'_>, sums: &mut Sums) -> Result<(), Unreadable> {
        let damaged = |reason: &str| Err(Unreadable::Damaged(reason.to_owned()));
        let header = &frame.header;
        let Some(place) = &mut self.place else {
            return match header.kind {
                Kind::Genesis => self.begin(frame, sums),
                Kind::Turn | Kind::Closing => damaged("the log does not begin here"),
            };
        };
        if header.log != place.log {
            return damaged(&format!("it is of log {}, not of {}", header.log, place.log));
        }
        if header.previous != place.previous || header.first != sums.last.next() {
            return damaged("it does not follow the frame before it");
        }
        match header.kind {
            Kind::Genesis => return damaged("the log begins a second time"),
            Kind::Closing => {}
            Kind::Turn if header.events == 0 => return damaged("its turn is empty"),
            Kind::Turn => {
                sums.last = Seq(sums.last.0 + u64::from(header.events));
                sums.turns += 1;
                if sums.last > self.after {
                    (self.each)(turn(frame)?);
                }
            }
        }
        place.previous = frame.digest();
        sums.epoch = header.epoch;
        sums.closed = header.kind == Kind::Closing;
        sums.count(frame);
        Ok(())
    }

    fn begin(&mut self, frame: &Frame<'_>, sums: &mut Sums) -> Result<(), Unreadable> {
        let shape: Shape = serde_json::from_slice(frame.payload)
            .map_err(|error| Unreadable::Newer(error.to_string()))?;
        let log = frame.header.log;
        let (segment_bytes, previous) = (shape.segment_bytes, frame.digest());
        self.place = Some(Place { log, segment_bytes, previous });
        sums.log = Some(log);
        sums.count(frame);
        Ok(())
    }

    /// What `rest`, which begins with no frame and is not blank, means for the log.
    fn judge(&self, fault: Fault, offset: usize, rest: &[u8], is_last: bool) -> End {
        let reason = match fault {
            Fault::Damaged(reason) => reason,
            Fault::Newer(reason) => return End::Unreadable(offset, Unreadable::Newer(reason)),
        };
        let bytes = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let later = rest.get(boundary::ALIGN..).unwrap_or_default();
        // The first segment gets its name with its genesis frame in it, synced: that frame is never
        // torn, and a segment without it (empty, or zeros alone) was not left so by any crash.
        let Some(place) = &self.place else {
            let blank = "it is empty, or zeros alone: a log begins with a frame that names it";
            let reason = if bytes == 0 { blank } else { reason };
            return End::Unreadable(offset, Unreadable::Damaged(reason.to_owned()));
        };
        if is_last && bytes <= frame_max(place.segment_bytes) && !boundary::begins_in(later) {
            return End::Torn { offset, bytes: bytes as u64, reason };
        }
        End::Unreadable(offset, Unreadable::Damaged(reason.to_owned()))
    }
}

impl Sums {
    const fn count(&mut self, frame: &Frame<'_>) {
        self.frames += 1;
        self.bytes += frame.bytes.len() as u64;
    }

    const fn report(&self, segments: u64, ending: Ending) -> Report {
        let Self { log, last, epoch, turns, frames, bytes, .. } = *self;
        Report { log, last, epoch, turns, frames, bytes, segments, ending }
    }
}

impl Unreadable {
    fn at<D: Disk>(self, disk: &D, name: &str, offset: usize) -> ReadError {
        let (file, offset) = (disk.path(name), offset as u64);
        match self {
            Self::Damaged(reason) => ReadError::Damaged { file, offset, reason },
            Self::Newer(reason) => ReadError::Newer { file, offset, reason },
        }
    }
}

/// The turn in a frame. Its bytes are as they were written, so what cannot be read is newer.
pub(crate) fn turn(frame: &Frame<'_>) -> Result<Turn, Unreadable> {
    let turn = frame.encoding.turn(frame.payload).map_err(Unreadable::Newer)?;
    let header = &frame.header;
    let events = turn.events.len() as u64;
    if (turn.first, turn.epoch, events) == (header.first, header.epoch, header.events.into()) {
        return Ok(turn);
    }
    Err(Unreadable::Damaged("its header and its turn disagree".to_owned()))
}

/// The largest frame of a log with such segments: so that little is lost where one does not fit.
pub(crate) const fn frame_max(segment_bytes: usize) -> usize {
    segment_bytes / 4
}

/// How often a reader looks again at a tail that changes while it reads.
const LOOKS_MAX: u32 = 16;

/// Where in a data directory the log is.
pub(crate) const LOG: &str = "log";
