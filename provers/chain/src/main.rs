//! The program: speaks push0's contracts for [`Chain`], which does the work.
//!
//! Not here: the mathematics (the library) and the contracts (push0-prover).

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use push0_prover::wire::Hash32;
use push0_prover::{Failure, Item, Key, Output, Progress, Prover, Refusal, Task, Vkey};
use push0_prover_chain::{Block, Chain, Proof, ProveError, Stage, Statement};
use serde::Serialize;
use serde_json::Value;

fn main() -> ExitCode {
    push0_prover::main::<ChainProver>()
}

struct ChainProver {
    chain: Chain,
}

/// What a proof says, for people and programs.
#[derive(Serialize)]
struct Claim {
    says: String,
    chain: u64,
    first: u64,
    last: u64,
    blocks: u64,
    gas: u64,
    parent: Hash32,
    tip: Hash32,
    pre_root: Hash32,
    post_root: Hash32,
    commitment: String,
    #[serde(skip)]
    statement: Statement,
}

impl Prover for ChainProver {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const ABOUT: &'static str = "\
Proves that a span of blocks is known, each linked to the one before, with plonky2.
Not that they were executed rightly, nor that a hash is the hash of a header.

Arguments:
  leaf     one block from the source
  range    two earlier results of neighbouring spans, the lower first

Threads: all cores, or as many as RAYON_NUM_THREADS says.";
    type Claim = Claim;

    fn load(cache: &Path) -> Result<Self, Failure> {
        Ok(Self { chain: Chain::new(Some(cache.to_owned())) })
    }

    fn vkey(&self) -> Option<Vkey> {
        Some(key().vkey())
    }

    fn prove(&self, task: &Task, progress: &Progress) -> Result<Output, Failure> {
        let args: Vec<&str> = task.args.iter().map(String::as_str).collect();
        let proof = match (args.as_slice(), task.input.items()?) {
            (["leaf"], [item]) => self.leaf(item, progress)?,
            (["range"], [left, right]) => self.range(left, right, progress)?,
            (["leaf"], items) => return Err(wrong_count("leaf", "one block", items.len())),
            (["range"], items) => return Err(wrong_count("range", "two results", items.len())),
            (args, _) => {
                let args = args.join(" ");
                return Err(Failure::failed(format!(
                    "args {args:?}: one of leaf, range is needed"
                )));
            }
        };
        let public_values = proof.statement.encode();
        Ok(Output::Proof { public_values, proof: proof.bytes })
    }

    fn verify(&self, public_values: &[u8], proof: &[u8]) -> Result<Claim, Refusal> {
        let statement = Statement::decode(public_values).map_err(refuse)?;
        let proof = Proof { statement, bytes: proof.to_vec() };
        key().verify(&proof).map_err(refuse)?;
        Ok(Claim::from(statement))
    }

    fn fits(&self, claim: &Claim, key: &Key, inputs: Option<&[Item]>) -> Result<(), Refusal> {
        let Statement { chain, first, last, tip, .. } = claim.statement;
        let proved = Key { chain, first, last, part: None, tip };
        if proved != *key {
            return Err(Refusal(format!("it proves {}, not {}", shown(&proved), shown(key))));
        }
        let expected = match inputs {
            None => return Ok(()),
            Some([block]) if block.task.is_none() => leaf_of(block).map(|(_, statement)| statement),
            Some([left, right]) => join_of(left, right),
            Some(items) => Err(wrong_count("a proof", "one block or two results", items.len())),
        };
        if expected.map_err(refuse)? == claim.statement {
            Ok(())
        } else {
            Err(Refusal::new("it proves this span, but of other inputs"))
        }
    }
}

impl ChainProver {
    fn leaf(&self, item: &Item, progress: &Progress) -> Result<Proof, Failure> {
        let (block, statement) = leaf_of(item)?;
        self.set_up(Stage::Leaf, progress)?;
        self.chain.prove_block(statement.chain, &block).map_err(failure)
    }

    fn range(&self, left: &Item, right: &Item, progress: &Progress) -> Result<Proof, Failure> {
        let (left, right) = (proof_of(left)?, proof_of(right)?);
        self.set_up(Stage::Range, progress)?;
        self.chain.prove_range(&left, &right).map_err(failure)
    }

    /// Loads a circuit. That the cache is of no use costs time alone, so it is only said.
    fn set_up(&self, stage: Stage, progress: &Progress) -> Result<(), Failure> {
        let set_up = self.chain.set_up(stage).map_err(failure)?;
        if let Some(problem) = set_up.and_then(|set_up| set_up.problem) {
            // Nobody may be reading.
            let _ = writeln!(io::stderr(), "warning: {problem}");
        }
        progress.fraction(SET_UP_SHARE);
        progress.check()
    }
}

impl From<Statement> for Claim {
    fn from(statement: Statement) -> Self {
        let Statement { chain, first, last, gas, parent, tip, pre_root, post_root, commitment } =
            statement;
        let blocks = statement.blocks();
        let says = format!(
            "{blocks} block{s} of chain {chain}, {first} to {last}, {are} known: numbered, linked by \
             hash and by state root without a gap, none over its gas limit, {gas} gas in all. Not \
             said: that they were executed rightly, or that a hash is that of its header.",
            s = if blocks == 1 { "" } else { "s" },
            are = if blocks == 1 { "is" } else { "are" },
        );
        let commitment = commitment.to_string();
        #[rustfmt::skip]
        let claim = Self {
            says, chain, first, last, blocks, gas, parent, tip, pre_root, post_root, commitment, statement,
        };
        claim
    }
}

/// The block in an item, and what a proof of it says.
fn leaf_of(item: &Item) -> Result<(Block, Statement), Failure> {
    let Key { chain, first, last, part, tip } = &item.key;
    if item.task.is_some() || part.is_some() {
        return Err(Failure::invalid_input(format!("item {first} is no block from the source")));
    }
    let json: Value = item.json()?;
    let block = Block::parse(&json)
        .map_err(|error| Failure::invalid_input(format!("block {first}: {error}")))?;
    if (block.number, block.number, block.hash) != (*first, *last, *tip) {
        let found = format!("block {} with hash {}", block.number, block.hash);
        return Err(Failure::invalid_input(format!("the item {} is {found}", shown(&item.key))));
    }
    Ok((block, Statement::of_block(*chain, &block)))
}

/// The earlier result in an item.
fn proof_of(item: &Item) -> Result<Proof, Failure> {
    let wrong = |what: &dyn std::fmt::Display| {
        Failure::invalid_input(format!("the result for {}: {what}", shown(&item.key)))
    };
    let result = item.result()?;
    if result.mock {
        return Err(wrong(&"it is a mock, which proves nothing"));
    }
    if result.vkey != Some(key().vkey()) {
        return Err(wrong(&"it was made under another verification key"));
    }
    let statement = Statement::decode(&result.public_values.0).map_err(|error| wrong(&error))?;
    let Statement { chain, first, last, tip, .. } = statement;
    let proved = Key { chain, first, last, part: None, tip };
    if proved != item.key {
        return Err(wrong(&format!("it proves {}", shown(&proved))));
    }
    Ok(Proof { statement, bytes: result.proof.0 })
}

/// What a proof of two earlier results says.
fn join_of(left: &Item, right: &Item) -> Result<Statement, Failure> {
    let (left, right) = (proof_of(left)?, proof_of(right)?);
    Statement::join(&left.statement, &right.statement)
        .map_err(|error| Failure::invalid_input(error.to_string()))
}

fn failure(error: ProveError) -> Failure {
    let message = error.to_string();
    match error {
        ProveError::Block(_)
        | ProveError::Chain(_)
        | ProveError::Join(_)
        | ProveError::Child { .. } => Failure::invalid_input(message),
        ProveError::Circuit(_) | ProveError::Build => Failure::failed(message),
    }
}

fn wrong_count(what: &str, wanted: &str, found: usize) -> Failure {
    Failure::invalid_input(format!("{what} takes {wanted}, the input holds {found} items"))
}

fn refuse(error: impl std::fmt::Display) -> Refusal {
    Refusal(error.to_string())
}

fn shown(key: &Key) -> String {
    let Key { chain, first, last, part, tip } = key;
    let part = part.map_or_else(String::new, |part| format!(" part {part}"));
    format!("blocks {first} to {last}{part} of chain {chain} with tip {tip}")
}

fn key() -> &'static push0_prover_chain::Key {
    push0_prover_chain::Key::pinned()
}

/// How far a proof is when its circuit is there.
const SET_UP_SHARE: f64 = 0.1;
