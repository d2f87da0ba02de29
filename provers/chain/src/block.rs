//! The fields of a block that a leaf is about, read from the JSON of `eth_getBlockByNumber`.
//!
//! Not here: the other fields, and whether the hash fits the header; the source of blocks checks
//! that.

use push0_prover::wire::Hash32;
use serde_json::Value;

use crate::statement::NUMBER_BITS;

/// What is known of a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Block {
    /// `number`.
    pub number: u64,
    /// `hash`.
    pub hash: Hash32,
    /// `parentHash`.
    pub parent: Hash32,
    /// `preStateRoot`: the state before the block.
    pub pre_root: Hash32,
    /// `stateRoot`: the state after it.
    pub post_root: Hash32,
    /// `gasUsed`.
    pub gas_used: u64,
    /// `gasLimit`.
    pub gas_limit: u64,
}

impl Block {
    /// Reads a block's JSON. Fields that are not used may be anything.
    ///
    /// # Errors
    ///
    /// [`BlockError`], with the name of the first field that is wrong.
    pub fn parse(json: &Value) -> Result<Self, BlockError> {
        let block = Self {
            number: number(json, "number")?,
            hash: hash(json, "hash")?,
            parent: hash(json, "parentHash")?,
            pre_root: hash(json, "preStateRoot")?,
            post_root: hash(json, "stateRoot")?,
            gas_used: number(json, "gasUsed")?,
            gas_limit: number(json, "gasLimit")?,
        };
        block.check()?;
        Ok(block)
    }

    /// Checks what the circuit demands of a block, so that a fault has a name.
    ///
    /// # Errors
    ///
    /// [`BlockError::TooLarge`] and [`BlockError::OverLimit`].
    pub fn check(&self) -> Result<(), BlockError> {
        let &Self { number, gas_used, gas_limit, .. } = self;
        for (field, number) in [("number", number), ("gasUsed", gas_used), ("gasLimit", gas_limit)]
        {
            if number >> NUMBER_BITS != 0 {
                return Err(BlockError::TooLarge { field, number });
            }
        }
        if gas_used > gas_limit {
            return Err(BlockError::OverLimit { gas_used, gas_limit });
        }
        Ok(())
    }
}

/// Why a block cannot be proved. Mend the block.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// Add the field.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Write it as a string `0x…`.
    #[error("{0} is not a string")]
    NotText(&'static str),
    /// Write `0x` and hex digits.
    #[error("{field}: {text:?} is not a number in hex")]
    NotNumber { field: &'static str, text: String },
    /// Write `0x` and 64 hex digits.
    #[error("{field}: {text:?} is not 32 bytes in hex")]
    NotHash { field: &'static str, text: String },
    /// No chain gets there; larger numbers would not fit the circuit.
    #[error("{field}: {number} is not below 2^{NUMBER_BITS}")]
    TooLarge { field: &'static str, number: u64 },
    /// No block uses more than it may.
    #[error("gasUsed: {gas_used} is over gasLimit {gas_limit}")]
    OverLimit { gas_used: u64, gas_limit: u64 },
}

fn number(json: &Value, field: &'static str) -> Result<u64, BlockError> {
    let text = text(json, field)?;
    let digits = text.strip_prefix("0x").filter(|digits| is_hex(digits));
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.ok_or_else(|| BlockError::NotNumber { field, text: shown(text) })
}

fn hash(json: &Value, field: &'static str) -> Result<Hash32, BlockError> {
    let text = text(json, field)?;
    text.parse().map_err(|_| BlockError::NotHash { field, text: shown(text) })
}

fn text<'a>(json: &'a Value, field: &'static str) -> Result<&'a str, BlockError> {
    let value = json.get(field).filter(|value| !value.is_null());
    value.ok_or(BlockError::Missing(field))?.as_str().ok_or(BlockError::NotText(field))
}

/// `from_str_radix` takes a sign, too.
fn is_hex(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// As much of a wrong value as a message needs.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

const SHOWN_CHARS_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_block_is_read_from_its_json() {
        let block = Block::parse(&sound()).expect("a sound block");
        assert_eq!(
            (block.number, block.gas_used, block.gas_limit),
            (16_525_000, 480_395, 20_000_000)
        );
        assert_eq!(block.parent, Hash32([0x22; 32]));
    }

    #[test]
    fn a_field_that_is_wrong_is_named() {
        let cases = [
            ("number", json!("16525000"), "number: \"16525000\" is not a number in hex"),
            ("number", json!("0x+1"), "number: \"0x+1\" is not a number in hex"),
            ("hash", json!("0x12"), "hash: \"0x12\" is not 32 bytes in hex"),
            ("preStateRoot", json!(null), "preStateRoot is missing"),
            ("stateRoot", json!(7), "stateRoot is not a string"),
            (
                "gasLimit",
                json!("0x4000000000000000"),
                "gasLimit: 4611686018427387904 is not below 2^62",
            ),
            ("gasUsed", json!("0x1312d01"), "gasUsed: 20000001 is over gasLimit 20000000"),
        ];
        for (field, value, message) in cases {
            let mut json = sound();
            json.as_object_mut().expect("an object").insert(field.into(), value);
            assert_eq!(Block::parse(&json).expect_err(field).to_string(), message);
        }
    }

    fn sound() -> Value {
        let hash = |byte: &str| format!("0x{}", byte.repeat(32));
        json!({
            "number": "0xfc26c8", "hash": hash("11"), "parentHash": hash("22"),
            "preStateRoot": hash("33"), "stateRoot": hash("44"),
            "gasUsed": "0x7548b", "gasLimit": "0x1312d00", "miner": 7,
        })
    }
}
