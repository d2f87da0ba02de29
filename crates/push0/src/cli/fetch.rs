//! `push0 fetch`: writes final blocks of a node as a block file, a line each.
//!
//! A file that is there is gone on with: its blocks are read, and checked as any reader would, and
//! the next one follows the last. A line that was cut short by a kill is cut off.
//!
//! Not here: what a node is asked (`push0_source`).

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use push0_core::{
    BlockHash, BlockHashing, Canonical, ChainId, Finality, Height, NodePayload, NodeSource, Source,
    SourceKind,
};
use push0_pipeline::unit;
use push0_source::{BlockFile, NodeBlocks, Rules, SourceError, Step};

use crate::exit::Exit;
use crate::output::print;
use crate::tell::{self, Repeats, counted};

/// Writes final blocks of an Ethereum node as a block file
///
/// Each block's hash is computed again, and each is the child of the one before. With several
/// nodes, the last of each few blocks is compared with a second one. Nodes that do not answer are
/// asked again. The same command goes on behind the last whole line of its file.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct FetchArgs {
    /// A node's address, or $NAME of the variable that holds it; more of them with commas between
    #[arg(long, value_name = "URLS", env = "PUSH0_ETH_HTTP", hide_env_values = true)]
    #[arg(value_delimiter = ',', required = true)]
    http: Vec<push0_core::Named>,
    /// The chain's id
    #[arg(long, value_name = "ID")]
    chain: u64,
    /// The first block [default: the last that is final]
    #[arg(long, value_name = "HEIGHT")]
    from: Option<u64>,
    /// The last block [default: none, it goes on as blocks become final]
    #[arg(long, value_name = "HEIGHT")]
    to: Option<u64>,
    /// When a block is final: finalized, safe, or so many blocks above it
    #[arg(long, value_name = "WHEN", value_parser = finality, default_value = "finalized")]
    finality: Finality,
    /// What of a block is written
    #[arg(long, value_enum, default_value_t = PayloadArg::Block)]
    payload: PayloadArg,
    /// From one question for a new block to the next
    #[arg(long, value_name = "TIME", value_parser = poll, default_value = "1s")]
    poll: Duration,
    /// Take the hashes on the node's word: the chain hashes its blocks otherwise than Ethereum
    #[arg(long = "trust-hashes")]
    is_trusted: bool,
    /// The file [default: stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What of a block is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum PayloadArg {
    /// Its header, and the hashes of its transactions
    Header,
    /// Its transactions too
    Block,
    /// Its receipts too, as `receipts`
    #[value(name = "block+receipts")]
    BlockAndReceipts,
    /// Its transactions, and the state before it, as `preStateRoot`
    #[value(name = "block+prestate")]
    BlockAndPreState,
}

fn finality(text: &str) -> Result<Finality, &'static str> {
    match text {
        "finalized" => Ok(Finality::Finalized),
        "safe" => Ok(Finality::Safe),
        _ => match text.parse() {
            Ok(depth) if depth > 0 => Ok(Finality::Depth(depth)),
            Ok(_) | Err(_) => Err("write finalized, safe, or how many blocks must be above"),
        },
    }
}

fn poll(text: &str) -> Result<Duration, &'static str> {
    let range = Duration::from_millis(50)..=Duration::from_secs(3_600);
    unit::duration(text).filter(|time| range.contains(time)).ok_or("write a time from 50ms to 1h")
}

/// Why it ends before its end.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0}")]
    Source(#[from] SourceError),
    #[error("{source} ({}): see to that, and give the same command again", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} begins with block {first}, and --from says {from}: name another file", path.display())]
    OtherStart { path: PathBuf, first: Height, from: Height },
}

pub(super) fn fetch(args: &FetchArgs) -> Exit {
    match run(args) {
        Ok(exit) => exit,
        Err(error) => {
            tell::error(&error);
            match error {
                FetchError::Source(_) => Exit::Source,
                FetchError::File { .. } => Exit::OutOfReach,
                FetchError::OtherStart { .. } => Exit::Usage,
            }
        }
    }
}

fn run(args: &FetchArgs) -> Result<Exit, FetchError> {
    let payload = match args.payload {
        PayloadArg::Header => NodePayload::Header,
        PayloadArg::Block => NodePayload::Block,
        PayloadArg::BlockAndReceipts => NodePayload::BlockAndReceipts,
        PayloadArg::BlockAndPreState => NodePayload::BlockAndPreState,
    };
    let hash = if args.is_trusted { BlockHashing::Trusted } else { BlockHashing::OfHeader };
    let rules = Rules { fields: Vec::new(), hashing: hash };
    let http = args.http.iter().map(|url| url.expose().to_owned()).collect();
    let node = NodeSource {
        http,
        begins_at_head: false,
        finality: args.finality,
        poll: args.poll,
        payload,
    };
    let (kind, start) = (SourceKind::Node(node), args.from.map(Height));
    let canonical = Canonical::ByArrival; // only what is final is written
    let source = Source { chain: ChainId(args.chain), kind, hash, start, canonical };
    let mut out = match &args.out {
        Some(path) => Out::open(path, &rules, start)?,
        None => Out::Stdout,
    };
    let until = args.to.map(Height);
    let mut nodes = NodeBlocks::open((&source, rules), out.last(), until)?;
    let (mut troubles, mut count) = (Repeats::default(), 0_u64);
    loop {
        let step = nodes.step()?;
        let is_hindered = matches!(step, Step::Wait { why: Some(_), .. });
        troubles.goes_on(nodes.warning(), is_hindered, "the nodes answer again, and agree");
        match step {
            Step::Block(block) => {
                if !out.line(&block.payload)? {
                    return Ok(Exit::OutOfReach); // nobody reads it any more
                }
                count += 1;
            }
            Step::Wait { time, why } => {
                why.iter().for_each(|why| troubles.fails(&format!("{why}: it is tried again")));
                std::thread::sleep(time);
            }
            Step::End => break,
        }
    }
    out.end()?;
    tell::info(format_args!("{} written", counted(count, "block")));
    Ok(Exit::Done)
}

/// Where blocks go.
enum Out {
    Stdout,
    File { path: PathBuf, file: File, last: Option<(Height, BlockHash)> },
}

impl Out {
    /// Opens a file behind the blocks that it has.
    fn open(path: &Path, rules: &Rules, from: Option<Height>) -> Result<Self, FetchError> {
        let at = |source| FetchError::File { path: path.to_owned(), source };
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = file.map_err(at)?;
        let whole = whole_lines(&file).map_err(at)?;
        file.set_len(whole).map_err(at)?;
        file.seek(SeekFrom::Start(whole)).map_err(at)?;
        let (mut first, mut last) = (None, None);
        if whole > 0 {
            for next in BlockFile::open(path, rules)? {
                let block = next?.block;
                first = first.or(Some(block.number));
                last = Some((block.number, block.hash));
            }
        }
        if let (Some(first), Some(from)) = (first, from)
            && first != from
        {
            return Err(FetchError::OtherStart { path: path.to_owned(), first, from });
        }
        Ok(Self::File { path: path.to_owned(), file, last })
    }

    const fn last(&self) -> Option<(Height, BlockHash)> {
        match self {
            Self::Stdout => None,
            Self::File { last, .. } => *last,
        }
    }

    /// Writes a line; `false` where nobody reads it.
    fn line(&mut self, payload: &[u8]) -> Result<bool, FetchError> {
        match self {
            Self::Stdout => Ok(print(&String::from_utf8_lossy(payload)).is_ok()),
            Self::File { path, file, .. } => {
                let line = [payload, b"\n"].concat();
                let at = |source| FetchError::File { path: path.clone(), source };
                file.write_all(&line).map_err(at)?;
                Ok(true)
            }
        }
    }

    fn end(self) -> Result<(), FetchError> {
        match self {
            Self::Stdout => Ok(()),
            Self::File { path, file, .. } => {
                file.sync_all().map_err(|source| FetchError::File { path, source })
            }
        }
    }
}

/// How many bytes of a file are whole lines.
fn whole_lines(file: &File) -> io::Result<u64> {
    let mut reader = BufReader::new(file);
    let (mut whole, mut read) = (0, 0);
    loop {
        let some = reader.fill_buf()?;
        if some.is_empty() {
            return Ok(whole);
        }
        if let Some(end) = some.iter().rposition(|byte| *byte == b'\n') {
            whole = read + end as u64 + 1;
        }
        let length = some.len();
        read += length as u64;
        reader.consume(length);
    }
}

const EXAMPLES: &str = "\
Examples:
  push0 fetch --http http://127.0.0.1:8545 --chain 1 --from 23000000 --to 23000099 --out blocks.jsonl
  push0 fetch --http '$ETH_A,$ETH_B' --chain 1 | push0 submit pipeline.toml -";
