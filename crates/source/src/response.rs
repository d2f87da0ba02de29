//! A line that is a node's answer (JSON-RPC), and not the block itself: the block is in its
//! `result`.
//!
//! What `curl … eth_getBlockByNumber` writes is taken as it comes: one answer a line, or a batch of
//! them, or one with a list of blocks. A node may answer a batch in any order (JSON-RPC 2.0, 6), so
//! blocks of one line are sorted by their number. The block is the very bytes that the node wrote.
//!
//! Not here: what makes the block right (`header`).

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::Lie;

/// Where in the line its blocks are: the whole line, unless it is an answer, or several.
///
/// An answer that has no block is a lie, with the node's words. A line that is no JSON is passed on
/// as it is.
pub(super) fn blocks(line: &[u8]) -> Result<Vec<Range<usize>>, Lie> {
    let whole = || Ok(std::iter::once(0..line.len()).collect());
    let Ok(text) = str::from_utf8(line) else { return whole() };
    let answers = match text.trim_start().as_bytes().first() {
        Some(b'[') => list(text)?,
        // Most lines are blocks, and need not be read twice.
        _ if !["\"result\"", "\"error\""].iter().any(|key| text.contains(key)) => return whole(),
        _ => match serde_json::from_str::<&RawValue>(text) {
            Ok(answer) => vec![answer],
            Err(_) => return whole(),
        },
    };
    if answers.is_empty() {
        return Err(Lie::line("an empty batch of answers", "remove the line"));
    }
    let blocks = answers.into_iter().map(|answer| of_answer(answer.get()));
    let mut blocks = blocks.collect::<Result<Vec<_>, _>>()?.concat();
    let numbers: Option<Vec<_>> = blocks.iter().map(|block| number(block)).collect();
    if numbers.is_some() {
        blocks.sort_by_key(|block| number(block));
    }
    Ok(blocks.into_iter().map(|block| place(text, block)).collect())
}

/// What is in a list.
fn list(text: &str) -> Result<Vec<&RawValue>, Lie> {
    serde_json::from_str(text).map_err(|error| {
        let what = match error.classify() {
            Category::Eof => "a list that goes on in the next line".to_owned(),
            Category::Io | Category::Syntax | Category::Data => {
                format!("a list that is no JSON (column {})", error.column())
            }
        };
        Lie::line(what, "write one answer, or one block, a line, as `jq -c '.[]' FILE` does")
    })
}

/// The number that a block says it has.
fn number(block: &str) -> Option<u64> {
    let Numbered { number } = serde_json::from_str(block).ok()?;
    u64::from_str_radix(number.strip_prefix("0x")?, 16).ok()
}

#[derive(Deserialize)]
struct Numbered<'a> {
    #[serde(borrow)]
    number: Cow<'a, str>,
}

/// The blocks of one answer; what is no answer is a block.
fn of_answer(answer: &str) -> Result<Vec<&str>, Lie> {
    // Serde would read a list as well.
    let read = answer.starts_with('{').then(|| serde_json::from_str::<Answer<'_>>(answer).ok());
    let Some(read) = read.flatten() else { return Ok(vec![answer]) };
    let Answer { result, error, hash } = read;
    if hash.is_some() {
        return Ok(vec![answer]);
    }
    match (result, error) {
        (_, Some(error)) => Err(Lie::line(
            format!("a node's error, and no block: {}", words(&error)),
            "ask the node again for this block, and write its answer here",
        )),
        (Some(result), None) if result.get() == "null" => Err(Lie::line(
            "the answer of a node that has no such block: its `result` is null",
            "ask a node that has it, and write its answer here",
        )),
        (Some(result), None) if result.get().starts_with('[') => {
            let blocks: Vec<_> = list(result.get())?.into_iter().map(RawValue::get).collect();
            match blocks.is_empty() {
                true => Err(Lie::line("an answer without blocks", "remove the line")),
                false => Ok(blocks),
            }
        }
        (Some(result), None) => Ok(vec![result.get()]),
        (None, None) => Ok(vec![answer]),
    }
}

/// As much of an answer as tells it from a block.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<Value>,
    /// A block has one, whatever else it has.
    #[serde(default)]
    hash: Option<IgnoredAny>,
}

/// A `null` that is there is not the same as nothing.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// Where `part`, a slice of `line`, is in it.
fn place(line: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - line.as_ptr() as usize;
    start..start + part.len()
}

/// What a node says of its error, on one line of bounded length.
fn words(error: &Value) -> String {
    let message = error.get("message").and_then(Value::as_str).or_else(|| error.as_str());
    let message = message.map_or_else(|| error.to_string(), ToOwned::to_owned);
    let said: String = message.chars().take(WORDS_MAX).flat_map(char::escape_debug).collect();
    let rest = if message.chars().nth(WORDS_MAX).is_some() { "…" } else { "" };
    match error.get("code").and_then(Value::as_i64) {
        Some(code) => format!("\"{said}{rest}\" (code {code})"),
        None => format!("\"{said}{rest}\""),
    }
}

/// Enough of a node's words to know what it means. Unit: characters.
const WORDS_MAX: usize = 160;
