//! One file for several proofs of one span, each by a program of its own.
//!
//! It is an envelope in all but this: what belongs to a single proof stands in a list.
//!
//! Not here: what makes them valid. Each is verified by itself, in an envelope of its own
//! ([`JointEnvelope::split`]).

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    BlockHashes, Envelope, EnvelopeError, EnvelopeFormat, HistoryEntry, Program, check_digest, seal,
};
use crate::wire::{Base64, Hex, Key};

/// Several proofs and all that is known of them. The order of the fields is the order in the file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct JointEnvelope {
    /// Names the format and its version.
    pub format: EnvelopeFormat,
    /// The pipeline's name.
    pub pipeline: String,
    /// The span that each of them proves.
    pub key: Key,
    /// As in an [`Envelope`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_hashes: Option<BlockHashes>,
    /// In the order of the pipeline's release.
    pub proofs: Vec<JointProof>,
    /// The tasks beneath them, inputs before what was made of them.
    pub history: Vec<HistoryEntry>,
}

/// One of the proofs of a [`JointEnvelope`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct JointProof {
    /// The stage of the pipeline that made it.
    pub stage: String,
    /// What made it.
    pub program: Program,
    /// Whether it proves nothing.
    pub mock: bool,
    /// What the public values say; null where nobody has derived it.
    #[serde(serialize_with = "super::seal::claim")]
    pub claim: Option<Value>,
    /// What is proved, in the prover's own encoding.
    pub public_values: Hex,
    /// The proof, in the prover's own encoding.
    pub proof: Base64,
}

/// A final proof as it lies in a file: one, or several of the same span.
#[derive(Clone, Debug, PartialEq)]
pub enum ProofFile {
    /// The proof of the one stage that is released.
    One(Envelope),
    /// A proof of each of the stages that are.
    Joint(JointEnvelope),
}

impl JointEnvelope {
    /// The one encoding of these.
    ///
    /// # Errors
    ///
    /// None that is known: all of it is text and numbers.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = Vec::new();
        seal(self, &mut bytes)?;
        Ok(bytes)
    }

    /// Each proof in an envelope of its own, as its verifier takes it.
    #[must_use]
    pub fn split(&self) -> Vec<Envelope> {
        let alone = |proof: &JointProof| Envelope {
            format: self.format,
            pipeline: self.pipeline.clone(),
            key: self.key.clone(),
            block_hashes: self.block_hashes,
            program: proof.program.clone(),
            mock: proof.mock,
            claim: proof.claim.clone(),
            public_values: proof.public_values.clone(),
            proof: proof.proof.clone(),
            history: self.history.clone(),
            inputs: None,
        };
        self.proofs.iter().map(alone).collect()
    }

    fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let envelope: Self = serde_json::from_slice(bytes).map_err(EnvelopeError::Fields)?;
        if envelope.encode().map_err(EnvelopeError::Fields)? != bytes {
            return Err(EnvelopeError::NotCanonical);
        }
        Ok(envelope)
    }
}

impl ProofFile {
    /// Reads either kind, and refuses all but what `encode` gives.
    ///
    /// # Errors
    ///
    /// An [`EnvelopeError`], which says what is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        check_digest(bytes)?;
        let kind: Kind = serde_json::from_slice(bytes).map_err(EnvelopeError::Fields)?;
        match kind.proofs {
            None => Envelope::parse(bytes).map(Self::One),
            Some(IgnoredAny) => JointEnvelope::parse(bytes).map(Self::Joint),
        }
    }

    /// The one encoding of it.
    ///
    /// # Errors
    ///
    /// As [`Envelope::encode`].
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Self::One(envelope) => envelope.encode(),
            Self::Joint(envelope) => envelope.encode(),
        }
    }
}

/// What tells the kinds apart.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    proofs: Option<IgnoredAny>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::Hash32;

    #[test]
    fn both_kinds_decode_to_themselves() {
        let joint = joint();
        let alone = joint.split().pop().expect("there are two");
        for file in [ProofFile::One(alone), ProofFile::Joint(joint)] {
            let bytes = file.encode().expect("plain values");
            assert_eq!(ProofFile::decode(&bytes).expect("what was encoded"), file);
        }
    }

    #[test]
    fn a_joint_envelope_is_written_as_the_formats_say() {
        let text = String::from_utf8(joint().encode().expect("plain values")).expect("text");
        let tip = "01".repeat(32);
        let proof = |stage: &str| {
            format!(
                r#"{{"stage":"{stage}","program":{{"name":"p","vkey":null}},"mock":true,"claim":{{"a":1,"b":2}},"public_values":"0x05","proof":"AA=="}}"#
            )
        };
        let body = format!(
            r#"{{"format":"push0.proof/1","pipeline":"demo","key":{{"chain":1,"first":5,"last":6,"tip":"0x{tip}"}},"proofs":[{},{}],"history":[],"digest":"sha256:"#,
            proof("zisk"),
            proof("sp1")
        );
        assert!(text.starts_with(&body), "{text}");
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused() {
        let bytes = joint().encode().expect("plain values");
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                *flipped.get_mut(at).expect("in range") ^= 1 << bit;
                assert!(ProofFile::decode(&flipped).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn the_two_kinds_do_not_mix() {
        let bytes = joint().encode().expect("plain values");
        assert!(matches!(Envelope::decode(&bytes), Err(EnvelopeError::Fields(_))));
    }

    fn joint() -> JointEnvelope {
        let proof = |stage: &str| JointProof {
            stage: stage.into(),
            program: Program { name: "p".into(), vkey: None },
            mock: true,
            claim: Some(json!({"b": 2, "a": 1})),
            public_values: Hex(vec![5]),
            proof: Base64(vec![0]),
        };
        JointEnvelope {
            format: EnvelopeFormat::V1,
            pipeline: "demo".into(),
            key: Key { chain: 1, first: 5, last: 6, part: None, tip: Hash32([1; 32]) },
            block_hashes: None,
            proofs: vec![proof("zisk"), proof("sp1")],
            history: Vec::new(),
        }
    }
}
