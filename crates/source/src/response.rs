//! A line that is a node's answer (JSON-RPC), and not the block itself: the block is in its `result`.
//!
//! What `curl … eth_getBlockByNumber` writes is taken as it comes: one answer a line, or a batch of them. The block
//! is the very bytes that the node wrote.
//!
//! Not here: what makes the block right (`header`).

use std::ops::Range;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Lie;

/// Where in the line its blocks are: the whole line, unless it is an answer, or several.
///
/// An answer that has no block is a lie, with the node's words. A line that is no JSON is passed on as it is.
pub(super) fn blocks(line: &[u8]) -> Result<Vec<Range<usize>>, Lie> {
    let whole = || Ok(std::iter::once(0..line.len()).collect());
    let Ok(text) = str::from_utf8(line) else { return whole() };
    let answers = match text.trim_start().as_bytes().first() {
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(answers) => answers,
            Err(_) => return whole(),
        },
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
    answers.into_iter().map(|answer| block(text, answer.get())).collect()
}

/// The block of one answer; what is no answer is a block.
fn block(line: &str, answer: &str) -> Result<Range<usize>, Lie> {
    // Serde would read a list as well.
    let read = answer.starts_with('{').then(|| serde_json::from_str::<Answer<'_>>(answer).ok());
    let Some(read) = read.flatten() else { return Ok(place(line, answer)) };
    let Answer { result, error, hash } = read;
    if hash.is_some() {
        return Ok(place(line, answer));
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
        (Some(result), None) => Ok(place(line, result.get())),
        (None, None) => Ok(place(line, answer)),
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
