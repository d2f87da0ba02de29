//! Frames: how one record stands in a segment, byte by byte (format version 1).
//!
//! ```text
//!   at  bytes
//!    0      8  magic: 89 70 75 73 68 30 0d 0a ("\x89push0\r\n")
//!    8      2  version: 1
//!   10      1  encoding of the payload: 1 = JSON, 2 = MessagePack
//!   11      1  kind: 1 = genesis, 2 = turn, 3 = closing
//!   12      4  length: header and payload, without the padding
//!   16      4  CRC-32C of the whole frame with its padding, these four bytes taken as zero
//!   20      4  events: how many the turn holds; 0 unless a turn
//!   24      8  epoch of the engine that wrote it
//!   32      8  first: the position of the first event, or of the next one where there is none
//!   40     16  identity of the log, random
//!   56     32  SHA-256 of the frame before, padding included; zero in the genesis frame
//!   88      -  payload: the turn; nothing where it is closing; the log's shape where it is genesis
//!    -      -  zeros, to the next multiple of 64
//! ```
//!
//! Integers are little-endian. The first 20 bytes mean the same in every version, so that a frame
//! of a newer one can be told from a damaged one. No payload has the magic at a multiple of 64 of
//! its frame (`payload`): where a reader finds it at one of its segment, a frame began.
//!
//! Not here: whether a frame follows the one before (`scan`).

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};

use push0_core::{Epoch, Seq};
use sha2::{Digest as _, Sha256};

use crate::boundary::{ALIGN, HEADER_BYTES, MAGIC};
use crate::payload::{Encoding, Payload};

/// Which log: drawn at random when it is made, and in every frame of it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct LogId(pub [u8; 16]);

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) events: u32,
    pub(crate) epoch: Epoch,
    pub(crate) first: Seq,
    pub(crate) log: LogId,
    pub(crate) previous: FrameDigest,
}

/// What a frame is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Record 0: names the log, and its shape.
    Genesis,
    /// What one engine turn decided.
    Turn,
    /// A clean end. Turns may follow, from a later engine.
    Closing,
}

/// The SHA-256 of a frame.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct FrameDigest([u8; 32]);

/// A frame that is whole.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) header: Header,
    /// What the payload is written in.
    pub(crate) encoding: Encoding,
    pub(crate) payload: &'a [u8],
    /// All of it.
    pub(crate) bytes: &'a [u8],
}

/// Why no frame could be read.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// These are not the bytes of a frame, for this reason.
    Damaged(&'static str),
    /// It is whole, and says something that is unknown here.
    Newer(String),
}

/// The bytes of a frame.
pub(crate) fn encode(header: &Header, payload: &Payload) -> Vec<u8> {
    let length = HEADER_BYTES + payload.bytes.len();
    let stated = u32::try_from(length).expect("a record is far smaller than 4 GiB");
    let mut frame = Vec::with_capacity(padded(length));
    frame.extend(MAGIC);
    frame.extend(VERSION.to_le_bytes());
    frame.extend([payload.encoding.code(), header.kind.code()]);
    frame.extend(stated.to_le_bytes());
    frame.extend([0; 4]);
    frame.extend(header.events.to_le_bytes());
    frame.extend(header.epoch.0.to_le_bytes());
    frame.extend(header.first.0.to_le_bytes());
    frame.extend(header.log.0);
    frame.extend(header.previous.0);
    frame.extend(&payload.bytes);
    frame.resize(padded(length), 0);
    let checksum = checksum(&frame).expect("it has a header").to_le_bytes();
    frame.iter_mut().skip(CHECKSUM_AT).zip(checksum).for_each(|(byte, check)| *byte = check);
    frame
}

/// The frame that `bytes` begin with.
pub(crate) fn decode(bytes: &[u8]) -> Result<Frame<'_>, Fault> {
    let mut fields = Fields(bytes);
    let short = Fault::Damaged("the file ends within a header");
    let Some(prefix) = Prefix::read(&mut fields) else { return Err(short) };
    if prefix.magic != MAGIC {
        return Err(Fault::Damaged("no frame begins here"));
    }
    let length = usize::try_from(prefix.length).unwrap_or(usize::MAX);
    let frame = match bytes.get(..padded(length)) {
        Some(frame) if length >= PREFIX_BYTES => frame,
        Some(_) | None => return Err(Fault::Damaged("its length cannot be")),
    };
    if checksum(frame) != Some(prefix.checksum) {
        return Err(Fault::Damaged("its checksum does not match"));
    }
    // From here on the bytes are as they were written; what is unknown is not damage.
    let (VERSION, Some(encoding)) = (prefix.version, Encoding::of(prefix.encoding)) else {
        let Prefix { version, encoding, .. } = prefix;
        return Err(Fault::Newer(format!("version {version}, encoding {encoding}")));
    };
    let Some(kind) = Kind::of(prefix.kind) else {
        return Err(Fault::Newer(format!("a frame of kind {}", prefix.kind)));
    };
    let Some(header) = Header::read(kind, &mut fields) else { return Err(short) };
    let (Some(payload), Some(padding)) = (frame.get(HEADER_BYTES..length), frame.get(length..))
    else {
        return Err(Fault::Damaged("its length cannot be"));
    };
    if !is_blank(padding) {
        return Err(Fault::Damaged("its padding is not zero"));
    }
    Ok(Frame { header, encoding, payload, bytes: frame })
}

/// Whether there is nothing but zeros.
pub(crate) fn is_blank(bytes: &[u8]) -> bool {
    bytes.chunks(BLANK.len()).all(|chunk| BLANK.starts_with(chunk))
}

/// What a frame takes with this payload.
pub(crate) const fn bytes_with(payload: usize) -> usize {
    padded(HEADER_BYTES + payload)
}

impl LogId {
    /// One that no other log has.
    pub(crate) fn draw() -> io::Result<Self> {
        let mut id = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut id)?;
        Ok(Self(id))
    }
}

impl Frame<'_> {
    /// What the next frame must name.
    pub(crate) fn digest(&self) -> FrameDigest {
        FrameDigest::of(self.bytes)
    }
}

impl FrameDigest {
    /// The digest of a whole frame.
    pub(crate) fn of(frame: &[u8]) -> Self {
        Self(Sha256::digest(frame).into())
    }
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Genesis => 1,
            Self::Turn => 2,
            Self::Closing => 3,
        }
    }

    const fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Genesis),
            2 => Some(Self::Turn),
            3 => Some(Self::Closing),
            _ => None,
        }
    }
}

impl Header {
    fn read(kind: Kind, fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            kind,
            events: u32::from_le_bytes(fields.take()?),
            epoch: Epoch(u64::from_le_bytes(fields.take()?)),
            first: Seq(u64::from_le_bytes(fields.take()?)),
            log: LogId(fields.take()?),
            previous: FrameDigest(fields.take()?),
        })
    }
}

/// What every version begins with.
struct Prefix {
    magic: [u8; 8],
    version: u16,
    encoding: u8,
    kind: u8,
    length: u32,
    checksum: u32,
}

impl Prefix {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let magic = fields.take()?;
        let version = u16::from_le_bytes(fields.take()?);
        let [encoding, kind] = fields.take()?;
        let length = u32::from_le_bytes(fields.take()?);
        let checksum = u32::from_le_bytes(fields.take()?);
        Some(Self { magic, version, encoding, kind, length, checksum })
    }
}

/// Bytes, taken from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for FrameDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

fn checksum(frame: &[u8]) -> Option<u32> {
    let before = frame.get(..CHECKSUM_AT)?;
    let after = frame.get(CHECKSUM_AT + 4..)?;
    let checksum = crc32c::crc32c_append(crc32c::crc32c(before), &[0; 4]);
    Some(crc32c::crc32c_append(checksum, after))
}

const fn padded(length: usize) -> usize {
    length.next_multiple_of(ALIGN)
}

const VERSION: u16 = 1;
const CHECKSUM_AT: usize = 16;
const PREFIX_BYTES: usize = 20;
static BLANK: [u8; 4096] = [0; 4096];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_back_as_it_was_written() {
        let frame = encode(&HEADER, &payload(b"{\"a\":1}"));
        let read = decode(&frame).expect("it is whole");
        assert_eq!((read.header, read.payload), (HEADER, &b"{\"a\":1}"[..]));
        assert_eq!((read.bytes.len(), frame.len()), (128, 128));
    }

    #[test]
    fn any_flipped_bit_is_found_even_in_the_padding() {
        let frame = encode(&HEADER, &payload(b"{\"a\":1}"));
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            *flipped.get_mut(bit / 8).expect("within") ^= 1 << (bit % 8);
            assert!(matches!(decode(&flipped), Err(Fault::Damaged(_))), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_of_a_newer_version_is_not_taken_for_damage() {
        let mut frame = encode(&HEADER, &payload(b"{}"));
        *frame.get_mut(8).expect("within") = 2;
        let checksum = checksum(&frame).expect("a header").to_le_bytes();
        frame.splice(CHECKSUM_AT..CHECKSUM_AT + 4, checksum);
        assert!(matches!(decode(&frame), Err(Fault::Newer(_))));
    }

    #[test]
    fn a_frame_says_what_it_is_written_in() {
        for encoding in [Encoding::Json, Encoding::MessagePack] {
            let frame = encode(&HEADER, &Payload { encoding, bytes: vec![0x80] });
            assert_eq!(decode(&frame).expect("it is whole").encoding, encoding);
        }
    }

    fn payload(json: &[u8]) -> Payload {
        Payload { encoding: Encoding::Json, bytes: json.to_vec() }
    }

    pub(crate) const HEADER: Header = Header {
        kind: Kind::Turn,
        events: 3,
        epoch: Epoch(2),
        first: Seq(40),
        log: LogId([7; 16]),
        previous: FrameDigest([9; 32]),
    };
}
