//! A file of blocks: one JSON object a line, each the child of the one before; or a node's answers
//! with them.
//!
//! Read as a stream: memory holds one line, and its blocks. Blank lines are skipped, a carriage
//! return before the end of a line is not part of it. The first fault ends the stream, for what
//! follows it cannot be linked.
//!
//! Not here: what makes a header right (`header`), and what an answer is (`response`).

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use push0_core::{Block, BlockHash, BlockHashing, Digest, Height, Pipeline};

use super::header::{self, Header, NoHeader};
use super::unlike::{self, Others};
use super::value::{fixed, number};
use super::{Lie, SourceBlock, SourceError, json, response};

/// The blocks of a file, in order.
#[derive(Debug)]
pub struct BlockFile {
    path: PathBuf,
    reader: BufReader<File>,
    rules: Rules,
    line: u64,
    /// Blocks of the line that were not given out yet.
    waiting: VecDeque<Vec<u8>>,
    before: Option<Header>,
    has_ended: bool,
}

/// What a pipeline wants of its blocks.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The numeric fields that each block must have.
    pub fields: Vec<String>,
    /// Whether its hash is computed again.
    pub hashing: BlockHashing,
}

impl Rules {
    /// Those of a pipeline.
    #[must_use]
    pub fn of(pipeline: &Pipeline) -> Self {
        Self { fields: pipeline.fields.clone(), hashing: pipeline.source.hash }
    }
}

impl BlockFile {
    /// Opens the file at `path`, whose blocks must be as the `rules` say.
    ///
    /// # Errors
    ///
    /// [`SourceError::Unreadable`]: it cannot be opened, or is no file that can be read again.
    pub fn open(path: &Path, rules: &Rules) -> Result<Self, SourceError> {
        let open = || {
            // A pipe would be waited for by the opening itself.
            let kind = path.metadata()?.file_type();
            if kind.is_file() || kind.is_dir() { File::open(path) } else { Err(NO_FILE.into()) }
        };
        let file = open().map_err(|source| unreadable(path, source))?;
        Ok(Self::over(path, file, rules))
    }

    /// As [`open`](Self::open), for a file that a command names: `-` is stdin, which is read once.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn named(path: &Path, rules: &Rules) -> Result<Self, SourceError> {
        if path == Path::new(STDIN) {
            let path = Path::new("stdin");
            let own = io::stdin().as_fd().try_clone_to_owned();
            let own = own.map_err(|source| unreadable(path, source))?;
            return Ok(Self::over(path, own.into(), rules));
        }
        Self::open(path, rules).map_err(|error| match error {
            SourceError::Unreadable { file, what, source, .. }
                if matches!(source.kind(), io::ErrorKind::NotFound | NO_FILE) =>
            {
                let remedy = "name a file that is there, or - to read blocks from stdin";
                SourceError::Unreadable { file, what, remedy, source }
            }
            error @ (SourceError::Unreadable { .. }
            | SourceError::Lies { .. }
            | SourceError::Node { .. }) => error,
        })
    }

    fn over(path: &Path, file: File, rules: &Rules) -> Self {
        Self {
            path: path.to_owned(),
            reader: BufReader::with_capacity(BUFFER_BYTES, file),
            rules: rules.clone(),
            line: 0,
            waiting: VecDeque::new(),
            before: None,
            has_ended: false,
        }
    }

    /// The next line that is not blank, without its end; `None` at the end of the file.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        loop {
            let mut line = Vec::new();
            let mut bounded = self.reader.by_ref().take(LINE_BYTES_MAX + 2);
            let read = bounded.read_until(b'\n', &mut line);
            if read.map_err(|source| unreadable(&self.path, source))? == 0 {
                return Ok(None);
            }
            self.line += 1;
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = match line.strip_prefix(BYTE_ORDER_MARK) {
                Some(rest) if self.line == 1 => rest,
                Some(_) | None => line,
            };
            if line.len() as u64 > LINE_BYTES_MAX {
                let what = format!("a line of more than {LINE_BYTES_MAX} bytes");
                return Err(self.lies(Lie::line(what, "leave out what no prover needs")));
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(line.to_vec()));
            }
        }
    }

    /// The next block as it came.
    fn next_payload(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        while self.waiting.is_empty() {
            let Some(line) = self.next_line()? else { return Ok(None) };
            let places = response::blocks(&line).map_err(|lie| self.lies(lie))?;
            self.waiting
                .extend(places.into_iter().filter_map(|at| line.get(at)).map(<[u8]>::to_vec));
        }
        Ok(self.waiting.pop_front())
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceError> {
        match self.next_payload()? {
            Some(payload) => {
                let read = block(&payload, &self.rules, self.before);
                let (block, header) = read.map_err(|fault| self.fault(fault))?;
                self.before = Some(header);
                Ok(Some(SourceBlock { block, payload }))
            }
            None if self.before.is_none() => {
                self.line = self.line.max(1);
                let remedy = "write one block a line, as eth_getBlockByNumber gives it";
                Err(self.lies(Lie::line("no blocks in the file", remedy)))
            }
            None => Ok(None),
        }
    }

    /// What is wrong with the last block that was read.
    fn fault(&mut self, fault: Fault) -> SourceError {
        match fault {
            Fault::Lie(lie) => self.lies(lie),
            Fault::Unlike { hash, claimed, unknown } => {
                let line = self.line;
                let lie = unlike::lie(hash, claimed, self.others(), &unknown);
                self.line = line; // others were looked at behind it
                self.lies(lie)
            }
        }
    }

    /// Whether other blocks of the file have the hashes of their headers. What is read here is not
    /// given out: a fault ends the file.
    fn others(&mut self) -> Others {
        if self.before.is_some() {
            return Others::Hash;
        }
        let mut others = Others::Absent;
        for _ in 0..unlike::OTHERS_MAX {
            let Ok(Some(payload)) = self.next_payload() else { break };
            match block(&payload, &self.rules, None) {
                Ok(_) => return Others::Hash,
                Err(Fault::Unlike { .. }) => others = Others::Differ,
                Err(Fault::Lie(_)) => {}
            }
        }
        others
    }

    fn lies(&self, lie: Lie) -> SourceError {
        let Lie { field, what, remedy } = lie;
        SourceError::Lies { file: self.path.clone(), line: self.line, field, what, remedy }
    }
}

impl Iterator for BlockFile {
    type Item = Result<SourceBlock, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let next = self.next_block().transpose();
        self.has_ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// What is wrong with a block.
enum Fault {
    Lie(Lie),
    /// Its hash is not that of its header.
    Unlike {
        hash: BlockHash,
        claimed: BlockHash,
        /// Its fields that nothing here knows.
        unknown: Vec<String>,
    },
}

impl From<Lie> for Fault {
    fn from(lie: Lie) -> Self {
        Self::Lie(lie)
    }
}

/// Reads a block that came by itself, as one of a file is read.
///
/// # Errors
///
/// What is wrong with it, in words.
pub(super) fn block_of(
    payload: Vec<u8>,
    rules: &Rules,
    before: Option<Header>,
) -> Result<SourceBlock, String> {
    if payload.len() as u64 > LINE_BYTES_MAX {
        return Err(format!("more than {LINE_BYTES_MAX} bytes"));
    }
    match block(&payload, rules, before) {
        Ok((block, _)) => Ok(SourceBlock { block, payload }),
        Err(Fault::Lie(Lie { field: Some(field), what, .. })) => {
            Err(format!("{what} ({})", field.escape_debug()))
        }
        Err(Fault::Lie(Lie { field: None, what, .. })) => Err(what),
        Err(Fault::Unlike { hash, claimed, .. }) => Err(format!(
            "its header's hash is {hash}, and not {claimed} (a chain that hashes its blocks otherwise needs source.hash = \
             \"trusted\")"
        )),
    }
}

fn block(line: &[u8], rules: &Rules, before: Option<Header>) -> Result<(Block, Header), Fault> {
    let Rules { fields, hashing } = rules;
    let is_asked = |key: &str| fields.iter().any(|field| field == key);
    let matters = |key: &str| key == PRE_STATE_ROOT || header::has(key) || is_asked(key);
    let json::Line { object, others } = json::read(line, &matters)?;
    let object = header::renamed(object)?;
    let header = header::read(&object, *hashing).map_err(|error| match error {
        NoHeader::Lie(lie) => Fault::Lie(lie),
        NoHeader::Unlike { hash, claimed } => {
            let mut unknown = others;
            unknown.retain(|key| !OF_BODIES.contains(&key.as_str()));
            unknown.truncate(UNKNOWN_MAX);
            Fault::Unlike { hash, claimed, unknown }
        }
    })?;
    let pre_state_root = object.get(PRE_STATE_ROOT);
    let pre_state_root = pre_state_root.map(|value| fixed(PRE_STATE_ROOT, value)).transpose()?;
    if let Some(before) = before {
        follows(&header, &before)?;
        if let (Some(root), Some(left)) = (pre_state_root, before.state_root)
            && root != left
        {
            let (root, other) = (hex::encode::<[u8; 32]>(root), hex::encode(left));
            let what = format!("0x{root}, but the block before leaves 0x{other}");
            return Err(
                Lie::field(PRE_STATE_ROOT, what, "it must be the parent's `stateRoot`").into()
            );
        }
    }
    let mut numbers = BTreeMap::new();
    for field in fields {
        let value = object.get(field).ok_or_else(|| {
            let what = format!("no `{}`, by which the pipeline weighs", field.escape_debug());
            Lie::field(field, what, "add it to each block, or take it out of `max` and `min`")
        })?;
        numbers.insert(field.clone(), number(field, value)?);
    }
    let block = Block {
        number: Height(header.number),
        hash: header.hash,
        parent: header.parent,
        payload: Digest::of(line),
        bytes: line.len() as u64,
        fields: numbers,
    };
    Ok((block, header))
}

/// Whether a block is the child of the one before.
fn follows(header: &Header, before: &Header) -> Result<(), Lie> {
    let (number, last) = (header.number, before.number);
    if header.hash == before.hash {
        return Err(Lie::field("number", format!("block {number} twice"), "remove the line"));
    }
    if number == last {
        let what = format!("another block {number}");
        return Err(Lie::field("number", what, "keep the blocks of one branch"));
    }
    if number < last {
        let what = format!("block {number}, after block {last}");
        return Err(Lie::field("number", what, "sort the lines by number"));
    }
    if number > last + 1 {
        let what = format!("block {number}, after block {last}: {} missing", number - last - 1);
        return Err(Lie::field("number", what, "add the blocks between"));
    }
    if header.parent != before.hash {
        let what = format!("{}, but the block before is {}", header.parent, before.hash);
        return Err(Lie::field("parentHash", what, "keep the blocks of one branch"));
    }
    Ok(())
}

fn unreadable(file: &Path, source: io::Error) -> SourceError {
    let (what, remedy) = if source.kind() == io::ErrorKind::NotFound {
        ("no such block file".to_owned(), "put it there, or correct `source.path`")
    } else if source.kind() == io::ErrorKind::IsADirectory {
        ("a directory".to_owned(), "name the block file in it")
    } else if source.kind() == NO_FILE {
        let remedy = "write the blocks to a file: it is read again by a run that goes on";
        ("a pipe, socket or device".to_owned(), remedy)
    } else if source.kind() == io::ErrorKind::PermissionDenied {
        ("not allowed to read".to_owned(), "give this user the right to read it")
    } else {
        (format!("cannot read: {source}"), "run the same command again once it can be read")
    };
    SourceError::Unreadable { file: file.to_owned(), what, remedy, source }
}

/// What stands for stdin.
const STDIN: &str = "-";
/// What is neither a file nor a directory.
const NO_FILE: io::ErrorKind = io::ErrorKind::Unsupported;
/// Added to a block: the state root that its parent leaves.
const PRE_STATE_ROOT: &str = "preStateRoot";
/// What a block has beside its header, of Ethereum's nodes.
const OF_BODIES: [&str; 5] = ["size", "totalDifficulty", "transactions", "uncles", "withdrawals"];
/// Enough of them to be told.
const UNKNOWN_MAX: usize = 4;
/// Some editors put it before the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// A block with all its transactions is some 2 MB. Unit: bytes.
const LINE_BYTES_MAX: u64 = 8 << 20;
/// Blocks are a few kilobytes each.
const BUFFER_BYTES: usize = 64 << 10;
