//! A whole prover in one file: proves that a block's number is a sum of three squares.
//!
//! The proof is the three roots, so it is sound (whoever cannot name them cannot prove it) and
//! hides nothing. What is real about it is the shape: public values, a proof, a verifier that
//! refuses.
//!
//! ```text
//! cargo build -p push0-prover --example squares
//! printf 16525000 > in && target/debug/examples/squares -i in -o out && cat out
//! ```
//!
//! In a pipeline: `squares = { command = ["./squares"], contract = "serve", memory = "16MiB" }`.

use std::path::Path;
use std::process::ExitCode;

use push0_prover::{Failure, Input, Item, Key, Output, Progress, Prover, Refusal, Task, Vkey};
use serde::Serialize;

struct Squares;

/// What the public values say: this number is a sum of three squares.
#[derive(Serialize)]
struct Claim {
    number: u64,
}

impl Prover for Squares {
    const NAME: &'static str = "squares";
    const ABOUT: &'static str = "Proves that a block's number is a sum of three squares.";
    type Claim = Claim;

    // Keys and circuits would be built here, once a process, and kept in the cache directory.
    fn load(_cache: &Path) -> Result<Self, Failure> {
        Ok(Self)
    }

    // Changes when what is proved changes, so that old and new proofs are never mixed.
    fn vkey(&self) -> Option<Vkey> {
        Some(Vkey::of(b"squares/1: three u64 roots, little-endian"))
    }

    fn prove(&self, task: &Task, progress: &Progress) -> Result<Output, Failure> {
        let number = match &task.input {
            Input::Bundle(items) => block(items).map_err(Failure::invalid_input)?,
            raw @ Input::Raw(_) => {
                raw.number().ok_or_else(|| Failure::invalid_input("not a block number"))?
            }
        };
        let root = number.isqrt();
        for a in 0..=root {
            progress.check()?; // the proof may be unwanted by now
            progress.fraction(a as f64 / root.max(1) as f64);
            let rest = number - a * a;
            let pair = (0..=rest.isqrt()).map(|b| (b, (rest - b * b).isqrt()));
            let fits = |&(b, c): &(u64, u64)| b * b + c * c == rest;
            if let Some((b, c)) = pair.into_iter().find(fits) {
                let proof = [a, b, c].iter().flat_map(|root| root.to_le_bytes()).collect();
                return Ok(Output::Proof { public_values: number.to_le_bytes().to_vec(), proof });
            }
        }
        Err(Failure::unprovable(format!("{number} is not a sum of three squares")))
    }

    fn verify(&self, public_values: &[u8], proof: &[u8]) -> Result<Claim, Refusal> {
        let integer = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_le_bytes);
        let number = integer(public_values).ok_or_else(|| Refusal::new("not one integer"))?;
        let roots: Vec<u64> = proof.chunks(8).filter_map(integer).collect();
        if proof.len() != 24 || roots.len() != 3 {
            return Err(Refusal::new("not three integers"));
        }
        let squares =
            roots.iter().try_fold(0_u64, |sum, root| sum.checked_add(root.checked_mul(*root)?));
        match squares {
            Some(sum) if sum == number => Ok(Claim { number }),
            _ => Err(Refusal::new(format!("the squares do not add up to {number}"))),
        }
    }

    // The proof is good; but is it of this block, and was it made of this input?
    fn fits(&self, claim: &Claim, key: &Key, inputs: Option<&[Item]>) -> Result<(), Refusal> {
        let asked = inputs.map_or(Ok(claim.number), block).map_err(Refusal::new)?;
        match (key.first, key.last) == (claim.number, claim.number) && asked == claim.number {
            true => Ok(()),
            false => Err(Refusal::new(format!("it is about block {}", claim.number))),
        }
    }
}

/// The number of the one block that a task of this prover is about.
fn block(items: &[Item]) -> Result<u64, &'static str> {
    match items {
        [item] if item.task.is_none() => Ok(item.key.last),
        _ => Err("not one block"),
    }
}

fn main() -> ExitCode {
    push0_prover::main::<Squares>()
}
