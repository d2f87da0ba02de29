//! What a prover has written: read within bounds, and told apart from garbage.
//!
//! | the stage's output | what is taken |
//! |---|---|
//! | proof | a result file of the SDK; else any JSON; else, where a verifier will judge it, any bytes but none |
//! | parts | a JSON array of 1 to 4096 elements; each is an artifact with the bytes that the prover wrote |
//!
//! A result that names no public values has empty ones, so its statement is the digest of nothing.
//! The statement of parts is the digest of the whole array: a split that is made again must be the
//! same.
//!
//! Not here: whether it proves anything (`verify`).

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use push0_core::{Digest, Output};
use push0_prover::wire;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What a prover has written, as far as it is understood.
#[derive(Clone, Debug)]
pub(crate) struct ProverOutput {
    /// All of it.
    pub(crate) bytes: Vec<u8>,
    pub(crate) form: Form,
}

#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// A result in the form of the SDK.
    Result(wire::ResultFile),
    /// Anything else that may be a proof, and whether it says itself, at its top, that it is a
    /// mock.
    Other { is_mock: bool },
    /// Elements, each an item of its own: where they are in all of it.
    Parts(Vec<Range<usize>>),
}

impl Form {
    /// Whether it says itself that it proves nothing.
    pub(crate) const fn says_mock(&self) -> bool {
        match self {
            Self::Result(result) => result.mock,
            Self::Other { is_mock } => *is_mock,
            Self::Parts(_) => false,
        }
    }
}

/// Why there is no result, after all. The attempt failed; the message is for a person.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoResult {
    #[error("but wrote no output")]
    Absent,
    #[error("but its output is not a file")]
    NotAFile,
    #[error("but its output is a link to a file of another user")]
    NotItsOwn,
    #[error("but its output is empty")]
    Empty,
    #[error("but its output is larger than {} MiB", OUTPUT_BYTES_MAX >> 20)]
    TooLarge,
    #[error("but its output cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    #[error("but its output is not JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    #[error("but its output is not a push0.result/1 file: {0}")]
    NotAResult(#[source] serde_json::Error),
    #[error("but its output is not a JSON array of parts: {0}")]
    NotParts(#[source] serde_json::Error),
    #[error("but its output is an array of {0} parts, not of 1 to {PARTS_MAX}")]
    PartCount(usize),
}

/// What an artifact that was accepted as a proof says of itself, for who hands it out.
#[derive(Clone, Debug)]
pub struct Artifact(ProverOutput);

impl Artifact {
    /// Reads the bytes of a proof's artifact.
    ///
    /// # Errors
    ///
    /// In words: it says that it is a result of the SDK, and is none.
    pub fn read(bytes: Vec<u8>) -> Result<Self, String> {
        let form = proof(&bytes, true).map_err(|error| format!("it is there, {error}"))?;
        Ok(Self(ProverOutput { bytes, form }))
    }

    /// Whether it says that it proves nothing.
    #[must_use]
    pub fn says_mock(&self) -> bool {
        self.0.says_mock()
    }

    /// The key that it says it was made under.
    #[must_use]
    pub fn vkey(&self) -> Option<wire::Vkey> {
        self.0.vkey()
    }

    /// What the log keeps of its public values.
    #[must_use]
    pub fn statement(&self) -> Digest {
        self.0.statement()
    }

    /// Its public values, and its proof.
    #[must_use]
    pub fn into_parts(self) -> (wire::Hex, wire::Base64) {
        match self.0.form {
            Form::Result(result) => (result.public_values, result.proof),
            Form::Other { .. } | Form::Parts(_) => {
                (wire::Hex::default(), wire::Base64(self.0.bytes))
            }
        }
    }
}

impl ProverOutput {
    /// Reads what is at `path`. `is_judged`: a verifier will see it before anybody believes it.
    pub(crate) fn read(path: &Path, output: Output, is_judged: bool) -> Result<Self, NoResult> {
        let bytes = read(path)?;
        let form = match output {
            Output::Proof => proof(&bytes, is_judged)?,
            Output::Parts => parts(&bytes)?,
        };
        Ok(Self { bytes, form })
    }

    /// What must be the same if it is made again.
    pub(crate) fn statement(&self) -> Digest {
        match &self.form {
            Form::Result(result) => Digest::of(&result.public_values.0),
            Form::Other { .. } => Digest::of(&[]),
            Form::Parts(_) => Digest::of(&self.bytes),
        }
    }

    /// Whether nothing of it shows that it was cut short: what begins as JSON also ends as such.
    pub(crate) fn is_whole(&self) -> bool {
        let begins = self.bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        match &self.form {
            Form::Other { .. } if matches!(begins, Some(b'{' | b'[' | b'"')) => {
                serde_json::from_slice::<IgnoredAny>(&self.bytes).is_ok()
            }
            Form::Other { .. } | Form::Result(_) | Form::Parts(_) => true,
        }
    }

    /// The bytes of each part; none where it is no split.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let places: &[_] = match &self.form {
            Form::Parts(places) => places,
            Form::Result(_) | Form::Other { .. } => &[],
        };
        places.iter().filter_map(|place| self.bytes.get(place.clone()))
    }

    /// Whether it says itself that it proves nothing.
    pub(crate) fn says_mock(&self) -> bool {
        self.form.says_mock()
    }

    /// The key that it says it was made under.
    pub(crate) fn vkey(&self) -> Option<wire::Vkey> {
        match &self.form {
            Form::Result(result) => result.vkey,
            Form::Other { .. } | Form::Parts(_) => None,
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, NoResult> {
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    // Not to block: it may be a pipe that nobody writes to.
    let opened = OpenOptions::new().read(true).custom_flags(nonblock).open(path);
    let file = opened.map_err(|error| match error.kind() == io::ErrorKind::NotFound {
        true => NoResult::Absent,
        false => NoResult::Unreadable(error),
    })?;
    let metadata = file.metadata().map_err(NoResult::Unreadable)?;
    if !metadata.is_file() {
        return Err(NoResult::NotAFile);
    }
    // After it was opened: a prover with a user of its own must not have push0 read for it what it
    // cannot.
    let named = fs::symlink_metadata(path).map_err(NoResult::Unreadable)?;
    if named.uid() != metadata.uid() {
        return Err(NoResult::NotItsOwn);
    }
    if metadata.len() > OUTPUT_BYTES_MAX {
        return Err(NoResult::TooLarge);
    }
    let mut bytes = Vec::new();
    file.take(OUTPUT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(NoResult::Unreadable)?;
    match bytes.len() as u64 {
        0 => Err(NoResult::Empty),
        1..=OUTPUT_BYTES_MAX => Ok(bytes),
        _ => Err(NoResult::TooLarge),
    }
}

/// What is taken as a proof.
pub(crate) fn proof(bytes: &[u8], is_judged: bool) -> Result<Form, NoResult> {
    let said = said(bytes);
    if said.is_result {
        return serde_json::from_slice(bytes).map(Form::Result).map_err(NoResult::NotAResult);
    }
    match serde_json::from_slice::<IgnoredAny>(bytes) {
        Err(error) if !is_judged => Err(NoResult::NotJson(error)),
        Ok(_) | Err(_) => Ok(Form::Other { is_mock: said.is_mock }),
    }
}

fn parts(bytes: &[u8]) -> Result<Form, NoResult> {
    let elements: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(NoResult::NotParts)?;
    match elements.len() {
        1..=PARTS_MAX => {
            let place = |element: &&RawValue| {
                let text = element.get();
                let start = text.as_ptr().addr() - bytes.as_ptr().addr();
                start..start + text.len()
            };
            Ok(Form::Parts(elements.iter().map(place).collect()))
        }
        count => Err(NoResult::PartCount(count)),
    }
}

/// What an object says of itself at its top.
#[derive(Default)]
struct OfItself {
    is_result: bool,
    is_mock: bool,
}

/// Whether any `format` at the top says that it is a result, and any `mock` that it is one, however
/// many there are: which of them counts is for each reader to choose, and for none of them may it
/// be a result that was not read as one here. What comes after it may be broken.
fn said(bytes: &[u8]) -> OfItself {
    let mut said = OfItself::default();
    // Only the names matter here, and they are ASCII.
    let text = String::from_utf8_lossy(bytes);
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let _ = deserializer.deserialize_map(Sniff(&mut said));
    said
}

/// Looks for a `format` and a `mock`; raw, so that no other name or value can end the search.
struct Sniff<'a>(&'a mut OfItself);

impl<'de> Visitor<'de> for Sniff<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).ok();
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let Some(name) = text(name) else { continue };
            let is_result = || text(value).is_some_and(|format| format.starts_with(RESULT));
            self.0.is_result |= name == "format" && is_result();
            self.0.is_mock |= name == "mock" && value.get() == "true";
        }
        Ok(())
    }
}

/// How the name of a result's format begins.
const RESULT: &str = "push0.result/";

/// The largest output that is read. Proofs are kilobytes to a few megabytes; execution traces more.
const OUTPUT_BYTES_MAX: u64 = 256 << 20;

/// The most parts of one split: they are all named in one record of the log.
const PARTS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_a_result_only_where_a_verifier_judges_it() {
        assert!(matches!(proof(b"\xff\x00", false), Err(NoResult::NotJson(_))));
        assert!(matches!(proof(b"\xff\x00", true), Ok(Form::Other { .. })));
        assert!(matches!(proof(b"{\"any\":1}", false), Ok(Form::Other { .. })));
    }

    #[test]
    fn json_that_is_cut_short_is_not_whole() {
        let whole = |bytes: &[u8]| {
            let form = proof(bytes, true).expect("it is judged");
            ProverOutput { bytes: bytes.to_vec(), form }.is_whole()
        };
        for bytes in [&b"{\"a\":[1,2]}\n"[..], b" [1]", b"\x00\xff", b"0xab"] {
            assert!(whole(bytes), "{bytes:?}");
        }
        for bytes in [&b"{\"a\":[1,2"[..], b" [1", b"\"ab", b"{", b"{\"a\":1}{\"a\""] {
            assert!(!whole(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn what_says_result_must_be_one() {
        let broken = br#"{"format":"push0.result/1","mock":false}"#;
        assert!(matches!(proof(broken, true), Err(NoResult::NotAResult(_))));
        let later = br#"{"format":"push0.result/9","vkey":null,"mock":false,"public_values":"0x","proof":""}"#;
        assert!(matches!(proof(later, true), Err(NoResult::NotAResult(_))));
    }

    #[test]
    fn what_says_result_anywhere_must_be_one() {
        for broken in [
            &br#"{"format":"push0.result/1","format":"x","mock":true}"#[..],
            br#"{"format":1,"format":"push0.result/1"}"#,
            br#"{"format":"\ud800","\u0066ormat":"push0.result\/1"}"#,
            br#"{"\ud800":[[]],"format":"push0.result/1"}"#,
            b"{\"format\":\"\xff\",\"format\":\"push0.result/1\"}",
            br#"{"format":"push0.result/1","vkey":nul"#,
        ] {
            let text = String::from_utf8_lossy(broken);
            assert!(matches!(proof(broken, true), Err(NoResult::NotAResult(_))), "{text}");
        }
        let inner = br#"{"a":{"format":"push0.result/1"},"format":["push0.result/1"]}"#;
        assert!(matches!(proof(inner, true), Ok(Form::Other { .. })));
    }

    #[test]
    fn a_mock_that_says_so_at_its_top_is_one_in_any_form() {
        let says_mock = |bytes: &[u8]| {
            let form = proof(bytes, true).expect("a form");
            ProverOutput { bytes: bytes.to_vec(), form }.says_mock()
        };
        assert!(says_mock(br#"{"a":1,"mock":true}"#) && says_mock(br#"{"mock":true,"mock":0}"#));
        for other in [&br#"{"mock":false}"#[..], br#"{"a":{"mock":true}}"#, br#"["mock"]"#, b"\xff"]
        {
            assert!(!says_mock(other));
        }
    }

    #[test]
    fn parts_keep_the_bytes_that_the_prover_wrote() {
        let all = b" [ {\"b\": 1.50, \"a\":2} ,3]\n";
        let Ok(form @ Form::Parts(_)) = parts(all) else { panic!("not parts") };
        let made = ProverOutput { bytes: all.to_vec(), form };
        let parts: Vec<_> = made.parts().collect();
        assert_eq!(parts, [&b"{\"b\": 1.50, \"a\":2}"[..], b"3"]);
    }

    #[test]
    fn there_is_at_least_one_part_and_not_too_many() {
        assert!(matches!(parts(b"[]"), Err(NoResult::PartCount(0))));
        assert!(matches!(parts(b"{}"), Err(NoResult::NotParts(_))));
        let many = format!("[{}0]", "0,".repeat(PARTS_MAX));
        assert!(matches!(parts(many.as_bytes()), Err(NoResult::PartCount(_))));
    }
}
