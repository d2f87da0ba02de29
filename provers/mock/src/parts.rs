//! Split, step and join: one block's work in parts, each checked for being what it should be.
//!
//! Not here: how long it takes and what goes wrong.

use std::num::NonZeroU64;

use push0_prover::wire::{Digest, Hex};
use push0_prover::{Failure, Input, InputError, Key, ResultFile};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One part of a block; also the public values of its step.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Part {
    /// Always true: whoever reads this should know.
    mock: bool,
    /// The block's number.
    block: u64,
    /// Which part, from 0.
    part: u64,
    /// How many there are.
    of: u64,
}

/// What the input is about: a bundle's key, a block's number, else the digest of the bytes.
pub(crate) fn subject(input: &Input) -> Result<Value, Failure> {
    let subject = match input {
        Input::Bundle(items) => {
            let (Some(first), Some(last)) = (items.first(), items.last()) else {
                return Err(Failure::invalid_input("an empty bundle"));
            };
            let part = if items.len() == 1 { first.key.part } else { None };
            serde_json::to_value(Key { first: first.key.first, part, ..last.key.clone() })
        }
        Input::Raw(bytes) => match number(input) {
            Some(number) => Ok(number.into()),
            None => Ok(format!("sha256:{}", Digest::of(bytes)).into()),
        },
    };
    subject.map_err(|error| Failure::failed(error.to_string()))
}

/// The parts of the block that `input` is about, `count` of them or two to five.
pub(crate) fn split(input: &Input, count: Option<NonZeroU64>) -> Result<Vec<Value>, Failure> {
    let block = number(input).ok_or_else(|| Failure::invalid_input("not a block or its number"))?;
    let of = count.map_or_else(|| 2 + derived(&block.to_le_bytes()) % 4, NonZeroU64::get);
    if of > PARTS_MAX {
        return Err(Failure::unprovable(format!("{of} parts are over the limit of {PARTS_MAX}")));
    }
    let part = |part| serde_json::to_value(Part { mock: true, block, part, of });
    (0..of).map(part).collect::<Result<_, _>>().map_err(|error| Failure::failed(error.to_string()))
}

/// The part that `input` holds, as public values.
pub(crate) fn step(input: &Input) -> Result<Value, Failure> {
    let part: Part = match input {
        Input::Raw(bytes) => json(bytes, "a part")?,
        Input::Bundle(items) => match items.as_slice() {
            [item] => item.json()?,
            _ => return Err(Failure::invalid_input("a step takes one part")),
        },
    };
    serde_json::to_value(part).map_err(|error| Failure::failed(error.to_string()))
}

/// The number of the block whose steps `input` holds: all of them, once each, in order.
pub(crate) fn join(input: &Input) -> Result<Value, Failure> {
    let results = match input {
        Input::Bundle(items) => items.iter().map(|item| item.result()).collect(),
        Input::Raw(bytes) if bytes.trim_ascii_start().starts_with(b"[") => {
            Ok(json(bytes, "an array of results")?)
        }
        Input::Raw(bytes) => Ok(vec![json(bytes, "a result")?]),
    };
    let results: Result<Vec<ResultFile>, InputError> = results;
    let parts: Result<Vec<Part>, Failure> =
        results?.iter().map(|result| json(&result.public_values.0, "a step's result")).collect();
    let parts = parts?;
    let Some(&first) = parts.first() else { return Err(Failure::invalid_input("no steps")) };
    let all = (0..first.of).map(|part| Part { part, ..first });
    if !parts.iter().copied().eq(all) {
        let found: Vec<_> = parts.iter().map(|part| (part.block, part.part)).collect();
        let Part { block, of, .. } = first;
        let message = format!("not the {of} parts of block {block} in order: {found:?}");
        return Err(Failure::invalid_input(message));
    }
    Ok(first.block.into())
}

/// A number that looks drawn and follows from `bytes` alone.
pub(crate) fn derived(bytes: &[u8]) -> u64 {
    let Digest(digest) = Digest::of(bytes);
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn number(input: &Input) -> Option<u64> {
    #[derive(Deserialize)]
    struct Block {
        number: Value,
    }
    match input {
        Input::Bundle(items) => items.first().map(|item| item.key.first),
        Input::Raw(bytes) => input.number().or_else(|| {
            let Block { number } = serde_json::from_slice(bytes).ok()?;
            let hex = || u64::from_str_radix(number.as_str()?.strip_prefix("0x")?, 16).ok();
            number.as_u64().or_else(hex)
        }),
    }
}

fn json<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|error| Failure::invalid_input(format!("not {what}: {error}: {}", shown(bytes))))
}

fn shown(bytes: &[u8]) -> String {
    let start = bytes.get(..80).unwrap_or(bytes);
    str::from_utf8(start).map_or_else(|_| Hex(start.to_vec()).to_string(), str::to_owned)
}

/// More parts than any test needs, and a bound on what one typing error costs.
const PARTS_MAX: u64 = 10_000;
