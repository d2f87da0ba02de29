//! The two notations of the JSON-RPC specification: data (`0x` and pairs of digits) and quantities
//! (`0x` and a number in hexadecimal).
//!
//! Leading zeros of a quantity are let pass, as some nodes write them: the header's hash is of the
//! number, so nothing can hide in them.
//!
//! Not here: which field has which.

use serde_json::Value;

use super::Lie;
use super::json::Object;

/// The text of a field that must be there.
pub(super) fn required<'a>(object: &'a Object, field: &str) -> Result<&'a Value, Lie> {
    let remedy = "write the whole block, as eth_getBlockByNumber gives it";
    object.get(field).ok_or_else(|| Lie::field(field, format!("no `{field}`"), remedy))
}

/// The bytes of data.
pub(super) fn data(field: &str, value: &Value) -> Result<Vec<u8>, Lie> {
    let digits = digits(field, value)?;
    if !digits.len().is_multiple_of(2) {
        let what = format!("{} hexadecimal digits, which are no bytes", digits.len());
        return Err(Lie::field(field, what, "two digits make a byte: write the block again"));
    }
    hex::decode(digits).map_err(|_| no_digits(field, digits))
}

/// Data of exactly this many bytes.
pub(super) fn fixed<const N: usize>(field: &str, value: &Value) -> Result<[u8; N], Lie> {
    let bytes = data(field, value)?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| {
        let what = format!("{length} bytes, where {N} belong");
        Lie::field(field, what, "fetch the block again")
    })
}

/// The big-endian bytes of a quantity, without leading zeros.
pub(super) fn quantity(field: &str, value: &Value, bytes_max: usize) -> Result<Vec<u8>, Lie> {
    let digits = digits(field, value)?;
    if digits.is_empty() {
        return Err(Lie::field(field, "a quantity without digits", "write zero as \"0x0\""));
    }
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(no_digits(field, digits));
    }
    let digits = digits.trim_start_matches('0');
    if digits.len() > bytes_max * 2 {
        let what = format!("a number of more than {} bits", bytes_max * 8);
        return Err(Lie::field(field, what, "no chain has one: fetch the block again"));
    }
    let even =
        if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
    hex::decode(&even).map_err(|_| no_digits(field, digits))
}

/// A number that a quantity or, in fields that are added to a block, a JSON number gives.
pub(super) fn number(field: &str, value: &Value) -> Result<u64, Lie> {
    match value {
        Value::Number(number) => number.as_u64().ok_or_else(|| {
            let what = format!("{number} is no whole number of 64 bits");
            Lie::field(field, what, "write a whole number, 0 or more")
        }),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            let bytes = quantity(field, value, 8)?;
            Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
        }
    }
}

fn digits<'a>(field: &str, value: &'a Value) -> Result<&'a str, Lie> {
    let kind = match value {
        Value::String(text) => {
            return text.strip_prefix("0x").ok_or_else(|| {
                Lie::field(field, format!("{} has no 0x", shown(text)), "write it in hexadecimal")
            });
        }
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    let what = format!("{kind}, where text belongs");
    Err(Lie::field(field, what, "write it in hexadecimal, as in \"0x1a\""))
}

fn no_digits(field: &str, digits: &str) -> Lie {
    let bad = digits.chars().find(|digit| !digit.is_ascii_hexdigit()).unwrap_or(' ');
    let what = format!("`{}` is no hexadecimal digit", bad.escape_debug());
    Lie::field(field, what, "fetch the block again")
}

fn shown(text: &str) -> String {
    let start: String = text.chars().take(SHOWN_MAX).collect();
    let rest = if start.len() < text.len() { "…" } else { "" };
    format!("`{}{rest}`", start.escape_debug())
}

/// Enough of a value to find it. Unit: characters.
const SHOWN_MAX: usize = 24;
