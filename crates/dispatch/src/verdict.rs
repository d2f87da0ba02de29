//! What a verifier says of a proof, read from how it ended: one contract, for dispatchers, for
//! delivery and for `push0 verify` alike.
//!
//! | it ends by itself | and says on stdout | that is |
//! |---|---|---|
//! | with any code | a line `{"refused":"why"}` | a refusal |
//! | with 196 | | a refusal |
//! | with any code | a line `{"undecided":"why"}` | no verdict, by one who knows the contract |
//! | with any code | a line of more than 1 MiB that may be one of these | no verdict |
//! | with 0 | a line `{"vkey":…,"claim":…}` | an acceptance |
//! | with 0 | nothing of these | an acceptance, if the pipeline says `verdict = "exit"`; else no verdict |
//! | otherwise | | no verdict |
//!
//! Nothing that happens by accident is a verdict: an uncaught exception ends a program of Python
//! with 1, a wrong flag with 2, a script that knows no `verify` may well end with 0. Where both an
//! acceptance and a refusal are said, the refusal counts, however much is printed behind it: a
//! prover whose words a verifier repeats can add lines, and gains nothing by it.
//!
//! Not here: how a verifier is run, and how often.

mod heard;

use push0_core::{Believes, Vkey};
use push0_prover::wire;
use serde_json::Value;

pub use self::heard::VerdictReader;

use self::heard::Words;

/// What a verifier says of a proof.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is good.
    Accepted {
        /// The key it was checked with, where the verifier names one.
        vkey: Option<wire::Vkey>,
        /// What the public values say, where the verifier says it.
        claim: Option<Value>,
    },
    /// It is not.
    Refused {
        /// In the verifier's words.
        words: String,
    },
    /// It says itself that it cannot tell.
    Undecided {
        /// In the verifier's words.
        why: String,
    },
    /// It said nothing that the contract knows: it failed, or it is no verifier.
    None {
        /// What it did, and what to do about it.
        why: String,
    },
}

/// How a verifier ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// Its exit code; none where it did not end by itself.
    pub code: Option<i32>,
    /// How it ended, in words.
    pub how: &'a str,
    /// What it said on stdout.
    pub heard: &'a VerdictReader,
    /// The end of all that it printed, for a person.
    pub output: &'a str,
}

impl Verdict {
    /// What an ending says, of a verifier that is believed so far. A proof that verifies under
    /// another key than `pinned` is refused.
    #[must_use]
    pub fn read(believes: Believes, pinned: Option<Vkey>, ending: &Ending<'_>) -> Self {
        let Words { refused, undecided, accepted, has_unread } = ending.heard.words();
        match (ending.code, refused, undecided, accepted) {
            (Some(_), Some(words), ..) => Self::Refused { words },
            (Some(wire::REFUSED), ..) => Self::Refused { words: ending.output.trim().to_owned() },
            (Some(_), None, Some(why), _) => Self::Undecided { why },
            (Some(_), ..) if has_unread => Self::None { why: format!("{UNREAD}{}", ending.how) },
            (Some(0), None, None, Some(verdict)) => accept(pinned, verdict),
            (Some(0), None, None, None) if believes == Believes::Exit => {
                Self::Accepted { vkey: None, claim: None }
            }
            (code, ..) => Self::None { why: silent(believes, code, ending) },
        }
    }
}

fn accept(pinned: Option<Vkey>, verdict: wire::Verdict) -> Verdict {
    let wire::Verdict { vkey, claim } = verdict;
    match (pinned, vkey) {
        (Some(pinned), Some(own)) if own.0.0 != pinned.0 => Verdict::Refused {
            words: format!("it verifies under key {own}, the pipeline pins {pinned}"),
        },
        (_, vkey) => {
            Verdict::Accepted { vkey, claim: Some(claim).filter(|claim| !claim.is_null()) }
        }
    }
}

/// What was no verdict, and what to do.
fn silent(believes: Believes, code: Option<i32>, ending: &Ending<'_>) -> String {
    let remedy = match (believes, code) {
        (Believes::LineOfGuess, _) => format!(", and no verdict line{NAME_ONE}"),
        (Believes::Line, Some(0)) => SAY_IT.to_owned(),
        (Believes::Line | Believes::Exit, Some(1)) => NO_REFUSAL.to_owned(),
        (Believes::Line | Believes::Exit, _) => String::new(),
    };
    let output = match ending.output.trim() {
        "" => "; it printed nothing".to_owned(),
        lines => format!("; the end of its output:\n{lines}"),
    };
    format!("the verifier gave no verdict: {}{remedy}{output}", ending.how)
}

/// What to do about a guess that never gave a verdict.
pub(crate) const NAME_ONE: &str = ". It is the prover's command with the word `verify`, which the program may not know: \
                                   name a verifier by the key `verifier` of the program";

const UNREAD: &str = "the verifier gave no verdict: a line on its stdout that may be its word is longer than 1 MiB; ";

const SAY_IT: &str = ", and no line {\"vkey\":…,\"claim\":…}: if its exit code alone is its word, say so by `verdict = \
                      \"exit\"` beside `verifier` (--verdict exit beside --verifier)";

const NO_REFUSAL: &str =
    ", as any crash does: a refusal is a line {\"refused\":\"why\"} on stdout, or exit 196";

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Believes; 3] = [Believes::LineOfGuess, Believes::Line, Believes::Exit];
    const LINE: &str = r#"{"vkey":null,"claim":null}"#;

    #[test]
    fn a_line_and_exit_0_accept_whoever_says_it() {
        for believes in ALL {
            let stdout = format!("loading\n{LINE}\nbye");
            assert_eq!(read(believes, Some(0), &stdout), accepted(None));
        }
    }

    #[test]
    fn exit_0_alone_accepts_only_where_the_pipeline_says_so() {
        for stdout in ["", "ok", r#"{"vkey":"sha256:zz","claim":null}"#, r#"["claim"]"#] {
            assert!(is_none(&read(Believes::LineOfGuess, Some(0), stdout), "`verifier`"));
            assert!(is_none(&read(Believes::Line, Some(0), stdout), "verdict = \"exit\""));
            assert_eq!(read(Believes::Exit, Some(0), stdout), accepted(None));
        }
    }

    #[test]
    fn a_refusal_is_a_word_or_a_code_and_nothing_else() {
        let words = || Verdict::Refused { words: "bad pairing".to_owned() };
        for believes in ALL {
            for code in [0, 1, 2, 196] {
                let stdout = format!("{LINE}\n{{\"refused\":\"bad pairing\"}}\n{LINE}");
                assert_eq!(read(believes, Some(code), &stdout), words());
            }
            let heard = &VerdictReader::default();
            let ended = Ending { code: Some(196), how: "", heard, output: "bad pairing\n" };
            assert_eq!(Verdict::read(believes, None, &ended), words());
        }
    }

    #[test]
    fn a_refusal_counts_however_much_is_printed_behind_it() {
        let stdout =
            format!("{{\"refused\":\"bad pairing\"}}\n{}{LINE}", "chatter\n".repeat(20_000));
        for believes in ALL {
            let words = "bad pairing".to_owned();
            assert_eq!(read(believes, Some(0), &stdout), Verdict::Refused { words });
        }
    }

    #[test]
    fn no_acceptance_counts_beside_a_line_that_was_too_long_to_read() {
        let long = "a".repeat(1 << 20);
        for believes in ALL {
            let stdout = format!("{{\"refused\":\"{long}\"}}\n{LINE}");
            assert!(is_none(&read(believes, Some(0), &stdout), "longer than 1 MiB"));
            let chatter = format!("{long}a\n{LINE}");
            assert_eq!(read(believes, Some(0), &chatter), accepted(None));
        }
    }

    #[test]
    fn a_crash_is_no_verdict_whatever_was_said_before_it() {
        for believes in ALL {
            for code in [Some(1), Some(2), Some(101), Some(134), Some(255), None] {
                assert!(is_none(&read(believes, code, LINE), "no verdict"), "{code:?}");
            }
            let refusal = "{\"refused\":\"no\"}";
            assert!(is_none(&read(believes, None, refusal), "no verdict"));
        }
        assert!(is_none(&read(Believes::Line, Some(1), ""), "exit 196"));
    }

    #[test]
    fn one_that_cannot_tell_may_say_so() {
        let why = "no keys".to_owned();
        for code in [0, 2] {
            let stdout = format!("{{\"undecided\":\"no keys\"}}\n{LINE}");
            let read = read(Believes::LineOfGuess, Some(code), &stdout);
            assert_eq!(read, Verdict::Undecided { why: why.clone() });
        }
    }

    #[test]
    fn another_key_than_the_pinned_one_is_a_refusal() {
        let own = wire::Vkey(wire::Digest([5; 32]));
        let stdout = format!("{{\"vkey\":\"{own}\",\"claim\":{{}}}}");
        let ended =
            Ending { code: Some(0), how: "", heard: &VerdictReader::from(&*stdout), output: "" };
        let read = |pinned| Verdict::read(Believes::Line, pinned, &ended);
        assert!(matches!(read(Some(Vkey([4; 32]))), Verdict::Refused { .. }));
        assert!(matches!(read(Some(Vkey([5; 32]))), Verdict::Accepted { vkey: Some(_), .. }));
    }

    fn read(believes: Believes, code: Option<i32>, stdout: &str) -> Verdict {
        let heard = &VerdictReader::from(stdout);
        Verdict::read(believes, None, &Ending { code, how: "it ended", heard, output: stdout })
    }

    const fn accepted(vkey: Option<wire::Vkey>) -> Verdict {
        Verdict::Accepted { vkey, claim: None }
    }

    fn is_none(verdict: &Verdict, told: &str) -> bool {
        matches!(verdict, Verdict::None { why } if why.contains(told))
    }
}
