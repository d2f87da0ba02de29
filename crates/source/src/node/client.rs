//! One node: a question and its answer, by JSON-RPC over HTTP, within a bound of time and bytes.
//!
//! `reqwest` is the client that is linked in anyway; alloy's own would bring some hundred crates
//! more, and read blocks where provers want them as they came.
//!
//! Not here: which node is asked, and when again (`node`).

use std::time::Duration;

use push0_core::{BlockHash, ChainId, Finality, Height, NodePayload};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::address::Address;
use super::{SourceError, Trouble, fault};
use crate::value::fixed;

/// A node.
pub(super) struct Node {
    address: Address,
    client: Client,
    /// Whether it has said that it is of the chain.
    is_of_chain: bool,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<Value>,
}

impl Node {
    pub(super) fn new(address: Address) -> Result<Self, SourceError> {
        // An error: another was chosen for this process already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().connect_timeout(CONNECT_MAX).timeout(ANSWER_MAX);
        let client = client.redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(|error| {
            fault(
                address.shown(),
                format!("no HTTP client to be had ({error})"),
                "see to its TLS settings",
            )
        })?;
        Ok(Self { address, client, is_of_chain: false })
    }

    pub(super) fn name(&self) -> &str {
        self.address.shown()
    }

    /// Makes sure once that it is of this chain.
    pub(super) async fn be_of(&mut self, chain: ChainId) -> Result<(), Trouble> {
        if self.is_of_chain {
            return Ok(());
        }
        let answer = self.ask("eth_chainId", json!([])).await?;
        let told = self.quantity("eth_chainId", &answer)?;
        if told != chain.0 {
            return Err(Trouble::Final(SourceError::Node {
                node: self.name().to_owned(),
                what: format!("it is of chain {told}, and the pipeline of chain {}", chain.0),
                remedy: "name a node of that chain (source.http), or correct source.chain"
                    .to_owned(),
            }));
        }
        self.is_of_chain = true;
        Ok(())
    }

    /// The last height that is final.
    pub(super) async fn final_height(&self, finality: Finality) -> Result<Height, Trouble> {
        let tag = match finality {
            Finality::Finalized => "finalized",
            Finality::Safe => "safe",
            Finality::Depth(depth) => {
                let answer = self.ask("eth_blockNumber", json!([])).await?;
                let tip = self.quantity("eth_blockNumber", &answer)?;
                return tip.checked_sub(depth).map(Height).ok_or_else(|| {
                    Trouble::Passing(format!(
                        "{} has {tip} blocks, and {depth} must be above a final one",
                        self.name()
                    ))
                });
            }
        };
        let answer = self.ask(BLOCK, json!([tag, false])).await?;
        let number = field(&answer, "number").ok_or_else(|| {
            Trouble::Passing(format!("{} knows no block that is {tag}", self.name()))
        })?;
        self.quantity(tag, &number).map(Height)
    }

    /// The block that its chain ends in.
    pub(super) async fn head(&self) -> Result<(Height, BlockHash), Trouble> {
        let answer = self.ask(BLOCK, json!(["latest", false])).await?;
        let number = field(&answer, "number").ok_or_else(|| self.unread(BLOCK))?;
        let number = self.quantity(BLOCK, &number).map(Height)?;
        let hash = self.hash_of(&answer)?.ok_or_else(|| self.unread(BLOCK))?;
        Ok((number, hash))
    }

    /// The hash of its block of a height; none where it has none.
    pub(super) async fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, Trouble> {
        let answer = self.ask(BLOCK, json!([hex(height), false])).await?;
        self.hash_of(&answer)
    }

    fn hash_of(&self, block: &str) -> Result<Option<BlockHash>, Trouble> {
        let Some(hash) = field(block, "hash") else { return Ok(None) };
        let hash = serde_json::from_str::<Value>(&hash).ok();
        let hash = hash.and_then(|hash| fixed("hash", &hash).ok()).map(BlockHash);
        hash.map(Some).ok_or_else(|| self.unread(BLOCK))
    }

    /// Its block of a height, as a payload; none where it has none.
    pub(super) async fn block(
        &self,
        height: Height,
        payload: NodePayload,
    ) -> Result<Option<Vec<u8>>, Trouble> {
        let is_whole = payload != NodePayload::Header;
        let block = self.ask(BLOCK, json!([hex(height), is_whole])).await?;
        if block == "null" {
            return Ok(None);
        }
        let mut line = on_one_line(&block);
        if payload == NodePayload::BlockAndReceipts {
            // By its hash: the receipts of another block of that height are of no use.
            let hash = field(&block, "hash").ok_or_else(|| self.unread(BLOCK))?;
            let hash: Value = serde_json::from_str(&hash).map_err(|_| self.unread(BLOCK))?;
            let receipts = self.ask("eth_getBlockReceipts", json!([hash])).await?;
            if receipts == "null" {
                return Err(Trouble::Passing(format!(
                    "{} has no receipts of block {height}",
                    self.name()
                )));
            }
            line = with(&line, "receipts", &receipts).ok_or_else(|| self.unread(BLOCK))?;
        }
        if payload == NodePayload::BlockAndPreState {
            let parent = field(&block, "parentHash").ok_or_else(|| self.unread(BLOCK))?;
            let parent: Value = serde_json::from_str(&parent).map_err(|_| self.unread(BLOCK))?;
            let before = self.ask("eth_getBlockByHash", json!([parent, false])).await?;
            let state = field(&before, "stateRoot").ok_or_else(|| {
                Trouble::Passing(format!("{} has no state before block {height}", self.name()))
            })?;
            line = with(&line, "preStateRoot", &state).ok_or_else(|| self.unread(BLOCK))?;
        }
        Ok(Some(line.into_bytes()))
    }

    /// The text of the result.
    async fn ask(&self, method: &str, params: Value) -> Result<String, Trouble> {
        let question = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let bytes = self.post(&question).await.map_err(|why| {
            Trouble::Passing(format!("{} does not answer ({method}): {why}", self.name()))
        })?;
        let answer: Answer<'_> = serde_json::from_slice(&bytes).map_err(|_| self.unread(method))?;
        if let Some(error) = answer.error.filter(|error| !error.is_null()) {
            let words = error.get("message").and_then(Value::as_str).unwrap_or_default();
            let words: String = words.chars().take(WORDS_MAX).collect();
            let code = error.get("code").map(ToString::to_string).unwrap_or_default();
            return Err(Trouble::Passing(format!(
                "{} refuses {method}: {} ({code})",
                self.name(),
                words.escape_debug()
            )));
        }
        // An absent result and one that is null are told alike by serde.
        Ok(answer.result.map_or("null", RawValue::get).to_owned())
    }

    async fn post(&self, question: &Value) -> Result<Vec<u8>, String> {
        let told = |error: reqwest::Error| {
            let error = error.without_url();
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            format!("{error}{}", cause.unwrap_or_default())
        };
        let body = serde_json::to_vec(question).map_err(|error| error.to_string())?;
        let post = self.client.post(self.address.url()).header("content-type", "application/json");
        let mut answer = post.body(body).send().await.map_err(told)?;
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err("it is asked too often (429)".to_owned());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(told)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > BYTES_MAX {
                return Err(format!("its answer has more than {} MiB", BYTES_MAX >> 20));
            }
        }
        // Some nodes say what is wrong in the body, whatever the status.
        match status.is_success() || bytes.first() == Some(&b'{') {
            true => Ok(bytes),
            false => Err(format!("status {status}")),
        }
    }

    fn quantity(&self, of: &str, json: &str) -> Result<u64, Trouble> {
        let text: Option<String> = serde_json::from_str(json).ok();
        let digits = text.as_deref().and_then(|text| text.strip_prefix("0x"));
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        number.ok_or_else(|| self.unread(of))
    }

    fn unread(&self, of: &str) -> Trouble {
        Trouble::Passing(format!("{} answers what is no answer ({of})", self.name()))
    }
}

/// A field of an object, as it is written.
fn field(object: &str, name: &str) -> Option<String> {
    let object: std::collections::BTreeMap<&str, &RawValue> = serde_json::from_str(object).ok()?;
    object.get(name).map(|value| value.get().to_owned()).filter(|value| value != "null")
}

/// An object with one more field at its end.
fn with(object: &str, name: &str, value: &str) -> Option<String> {
    let body = object.trim_end().strip_suffix('}')?;
    Some(format!("{body},\"{name}\":{}}}", on_one_line(value)))
}

/// JSON without ends of lines. They stand between tokens alone: in a string they would be escaped.
fn on_one_line(json: &str) -> String {
    json.replace(['\n', '\r'], " ")
}

fn hex(height: Height) -> String {
    format!("0x{:x}", height.0)
}

const BLOCK: &str = "eth_getBlockByNumber";

/// How long a node may take to be reached, and to answer.
const CONNECT_MAX: Duration = Duration::from_secs(5);
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Twice what a line of a block file may have: a block and its receipts. Unit: bytes.
const BYTES_MAX: usize = 16 << 20;

/// Of a node's own words. Unit: characters.
const WORDS_MAX: usize = 160;
