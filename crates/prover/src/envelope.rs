//! The envelope of a final proof: one self-describing file, with a digest over all of it.
//!
//! An envelope has exactly one encoding. Reading it checks the digest, parses, encodes again and
//! compares with the file, so that one flipped bit anywhere is refused. The digest guards against
//! damage, not against a forger, who can compute it too: only key, public values and proof are
//! bound by cryptography, and only once a verifier has checked them.
//!
//! Where a pipeline releases the proofs of several stages, one file holds them all
//! ([`JointEnvelope`]).
//!
//! Not here: what makes a proof valid (`verify`).

mod joint;
mod seal;

use std::io::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use joint::{JointEnvelope, JointProof, ProofFile};

use self::seal::{check_digest, seal};
use crate::wire::{Base64, BundleItem, Digest, Hex, Key, TextError, Vkey};

/// A proof and all that is known of it. The order of the fields is the order in the file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Envelope {
    /// Names the format and its version.
    pub format: EnvelopeFormat,
    /// The pipeline's name.
    pub pipeline: String,
    /// The span that is proved.
    pub key: Key,
    /// Whose word the hashes of its blocks are taken on; absent, each was found to be its header's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_hashes: Option<BlockHashes>,
    /// What made the proof.
    pub program: Program,
    /// Whether this proves nothing.
    pub mock: bool,
    /// What the public values say; null where nobody has derived it.
    #[serde(serialize_with = "seal::claim")]
    pub claim: Option<Value>,
    /// What is proved, in the prover's own encoding.
    pub public_values: Hex,
    /// The proof, in the prover's own encoding.
    pub proof: Base64,
    /// The tasks beneath it, inputs before what was made of them.
    pub history: Vec<HistoryEntry>,
    /// The inputs of the task: only where a verifier is asked whether the result is of exactly
    /// these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Vec<BundleItem>>,
}

/// The versions of [`Envelope`].
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum EnvelopeFormat {
    /// The first.
    #[default]
    #[serde(rename = "push0.proof/1")]
    V1,
}

/// Whose word the hashes of blocks are taken on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockHashes {
    /// The source's: nobody has computed them again.
    Trusted,
}

/// What made a proof: a prover, and the key that its proofs are checked with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Program {
    /// Its name in the pipeline.
    pub name: String,
    /// Null: not pinned.
    pub vkey: Option<Vkey>,
}

/// One task beneath a proof.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// The task's id, in hex.
    pub task: String,
    /// The stage of the pipeline.
    pub stage: String,
    /// The verification key of its program.
    pub vkey: Option<Vkey>,
    /// What it proved.
    pub key: Key,
    /// Its inputs: the hash of a block, or the id of a task.
    pub inputs: Vec<String>,
    /// SHA-256 of what its prover wrote.
    pub output: String,
}

/// Why bytes are not an envelope. Refuse them; the variants say what to look for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Not an envelope, or cut short.
    #[error("does not end with a digest and one newline")]
    Unsealed,
    /// The digest itself is damaged.
    #[error("the digest cannot be read")]
    DigestText(#[source] TextError),
    /// Damaged somewhere: get the file again.
    #[error("the digest is sha256:{stated}, of the bytes it is sha256:{found}")]
    Digest { stated: Digest, found: Digest },
    /// The digest fits, but the fields do not: written by something else, or by a newer version.
    #[error("not a push0.proof/1 envelope")]
    Fields(#[source] serde_json::Error),
    /// The digest and fields fit, but it is not written as push0 writes it.
    #[error("not in canonical form: fields, order or spaces differ from what push0 writes")]
    NotCanonical,
}

impl Envelope {
    /// The one encoding of this envelope.
    ///
    /// # Errors
    ///
    /// Only for a path in `inputs` that is not UTF-8, which JSON cannot hold.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = Vec::with_capacity(self.proof.0.len() / 3 * 4 + ROOM_BYTES);
        seal(self, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes the one encoding of this envelope; of a large proof nothing is held beside it.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode), and those of `out`.
    pub fn write(&self, out: impl Write) -> Result<(), serde_json::Error> {
        seal(self, out)
    }

    /// Reads an envelope, and refuses all but what [`encode`](Self::encode) gives.
    ///
    /// # Errors
    ///
    /// An [`EnvelopeError`], which says what is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        check_digest(bytes)?;
        Self::parse(bytes)
    }

    /// Reads an envelope whose digest is right.
    fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let envelope: Self = serde_json::from_slice(bytes).map_err(EnvelopeError::Fields)?;
        if envelope.encode().map_err(EnvelopeError::Fields)? != bytes {
            return Err(EnvelopeError::NotCanonical);
        }
        Ok(envelope)
    }
}

/// For all of an envelope but its proof, roughly.
const ROOM_BYTES: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::Hash32;

    #[test]
    fn an_envelope_is_written_as_the_formats_say() {
        let (tip, vkey) = ("01".repeat(32), "02".repeat(32));
        let key = format!(r#"{{"chain":534352,"first":5,"last":6,"tip":"0x{tip}"}}"#);
        let body = format!(
            r#"{{"format":"push0.proof/1","pipeline":"scroll","key":{key},"program":{{"name":"chain","vkey":"sha256:{vkey}"}},"mock":false,"claim":{{"a":0.1,"b":"x"}},"public_values":"0x05","proof":"AAEC","history":[{{"task":"2a","stage":"leaf","vkey":null,"key":{key},"inputs":["0x01"],"output":"03"}}]"#
        );
        let digest = Digest::of(format!("{body}}}").as_bytes());
        let text = format!("{body},\"digest\":\"sha256:{digest}\"}}\n");
        assert_eq!(String::from_utf8(encoded(&envelope())).expect("text"), text);
    }

    #[test]
    fn that_block_hashes_are_trusted_stands_behind_the_key() {
        let trusted = Envelope { block_hashes: Some(BlockHashes::Trusted), ..envelope() };
        let text = String::from_utf8(encoded(&trusted)).expect("text");
        assert!(text.contains(r#"},"block_hashes":"trusted","program":"#), "{text}");
        assert!(!String::from_utf8(encoded(&envelope())).expect("text").contains("block_hashes"));
    }

    #[test]
    fn what_was_encoded_decodes_to_itself() {
        let plain = envelope();
        let bare = Envelope { claim: None, history: Vec::new(), ..envelope() };
        let item = BundleItem {
            key: plain.key.clone(),
            task: Some("2a".into()),
            program: None,
            path: "/in".into(),
            sha256: Digest::of(b""),
            public_values: None,
        };
        let bound = Envelope { inputs: Some(vec![item]), ..envelope() };
        let trusted = Envelope { block_hashes: Some(BlockHashes::Trusted), ..envelope() };
        for envelope in [plain, bare, bound, trusted] {
            let read = Envelope::decode(&encoded(&envelope)).expect("what was encoded");
            assert_eq!(read, envelope);
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused() {
        let bytes = encoded(&envelope());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                *flipped.get_mut(at).expect("in range") ^= 1 << bit;
                assert!(Envelope::decode(&flipped).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_cut_or_longer_file_is_refused() {
        let bytes = encoded(&envelope());
        let longer = [bytes.as_slice(), b"\n"].concat();
        assert!(matches!(Envelope::decode(&longer), Err(EnvelopeError::Unsealed)));
        for (length, _) in bytes.iter().enumerate() {
            let cut = bytes.get(..length).expect("in range");
            assert!(Envelope::decode(cut).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn each_fault_has_its_own_error() {
        let text = String::from_utf8(encoded(&envelope())).expect("text");
        let decode = |text: &str| Envelope::decode(text.as_bytes()).expect_err("a fault");
        assert!(matches!(decode("{}"), EnvelopeError::Unsealed));
        let damaged = text.replace("scroll", "scrawl");
        assert!(matches!(decode(&damaged), EnvelopeError::Digest { .. }));
        let digest = text.replace("sha256:\"", "").len() - 10;
        let unreadable: String =
            text.char_indices().map(|(at, c)| if at == digest { 'x' } else { c }).collect();
        assert!(matches!(decode(&unreadable), EnvelopeError::DigestText(_)));
        assert!(matches!(
            decode(&resealed(&text, "push0.proof/1", "push0.proof/2")),
            EnvelopeError::Fields(_)
        ));
        let spaced = resealed(&text, "\"mock\":false", "\"mock\": false");
        assert!(matches!(decode(&spaced), EnvelopeError::NotCanonical));
        let added = resealed(&text, "\"mock\":false", "\"mock\":false,\"more\":1");
        assert!(matches!(decode(&added), EnvelopeError::NotCanonical));
    }

    /// `text` changed by someone who knows how the digest is made.
    fn resealed(text: &str, from: &str, to: &str) -> String {
        let (body, _) = text.split_once(seal::PREFIX).expect("a digest");
        let body = body.replace(from, to);
        let digest = Digest::of(format!("{body}}}").as_bytes());
        [&body, seal::PREFIX, &digest.to_string(), seal::SUFFIX].concat()
    }

    fn encoded(envelope: &Envelope) -> Vec<u8> {
        envelope.encode().expect("UTF-8 paths")
    }

    fn envelope() -> Envelope {
        let key = Key { chain: 534_352, first: 5, last: 6, part: None, tip: Hash32([1; 32]) };
        Envelope {
            format: EnvelopeFormat::V1,
            pipeline: "scroll".into(),
            key: key.clone(),
            block_hashes: None,
            program: Program { name: "chain".into(), vkey: Some(Vkey(Digest([2; 32]))) },
            mock: false,
            claim: Some(json!({"b": "x", "a": 0.1})),
            public_values: Hex(vec![5]),
            proof: Base64(vec![0, 1, 2]),
            history: vec![HistoryEntry {
                task: "2a".into(),
                stage: "leaf".into(),
                vkey: None,
                key,
                inputs: vec!["0x01".into()],
                output: "03".into(),
            }],
            inputs: None,
        }
    }
}
