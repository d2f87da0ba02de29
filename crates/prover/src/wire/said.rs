//! The lines by which a verifier says what it finds.
//!
//! Not here: what its exit code adds (`docs/formats.md`).

use serde_json::{Value, json};

use super::Verdict;

/// A line that a verifier prints on stdout.
#[derive(Clone, Debug, PartialEq)]
pub enum VerifierLine {
    /// The proof is good: `{"vkey":…,"claim":…}`, with exit 0.
    Verdict(Verdict),
    /// The proof is not: `{"refused":"why"}`.
    Refused { refused: String },
    /// The verifier itself is in trouble, and the proof may be either: `{"undecided":"why"}`.
    Undecided { undecided: String },
}

impl VerifierLine {
    /// Reads a line; none where it is anything else.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let words = |of: &Value| of.as_str().map_or_else(|| of.to_string(), ToOwned::to_owned);
        if let Some(why) = value.get("refused") {
            return Some(Self::Refused { refused: words(why) });
        }
        if let Some(why) = value.get("undecided") {
            return Some(Self::Undecided { undecided: words(why) });
        }
        serde_json::from_value(value).ok().map(Self::Verdict)
    }

    /// The line, with its end.
    ///
    /// # Errors
    ///
    /// Only for a claim that JSON cannot hold.
    pub fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = match self {
            Self::Verdict(verdict) => serde_json::to_vec(verdict)?,
            Self::Refused { refused } => serde_json::to_vec(&json!({ "refused": refused }))?,
            Self::Undecided { undecided } => {
                serde_json::to_vec(&json!({ "undecided": undecided }))?
            }
        };
        line.push(b'\n');
        Ok(line)
    }
}

/// The exit code of a verifier that refuses a proof and prints no line.
///
/// Nothing ends so by accident: languages and shells take 1 to 165, each signal 128 and its number
/// (to 192), systemd 200 and more, and a negative result of `main` comes from the other end.
pub const REFUSED: i32 = 196;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_again() {
        for said in [
            VerifierLine::Verdict(Verdict { vkey: None, claim: json!({"a": 1}) }),
            VerifierLine::Refused { refused: "bad\npairing".to_owned() },
            VerifierLine::Undecided { undecided: "no keys".to_owned() },
        ] {
            let line = String::from_utf8(said.line().expect("JSON")).expect("text");
            assert!(line.ends_with('\n') && line.lines().count() == 1, "{line}");
            assert_eq!(VerifierLine::parse(line.trim_end()), Some(said));
        }
    }

    #[test]
    fn what_is_no_verdict_is_none() {
        for line in ["", "ok", "null", "[]", "{}", r#"{"vkey":null}"#, r#"{"vkey":1,"claim":1}"#] {
            assert_eq!(VerifierLine::parse(line), None, "{line}");
        }
        assert_eq!(
            VerifierLine::parse(r#"{"refused":1}"#),
            Some(VerifierLine::Refused { refused: "1".into() })
        );
    }
}
