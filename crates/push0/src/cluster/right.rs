//! What may be asked, by the subject it is asked on: a subject is a right, which the servers give
//! to a user or keep from it.
//!
//! | right   | subject                 | who                       | what                                              |
//! |---------|-------------------------|---------------------------|---------------------------------------------------|
//! | read    | `PREFIX.engine.read`    | readers                   | how far it is; a result that the store has lost   |
//! | submit  | `PREFIX.engine.submit`  | clients                   | blocks, heads, their end, parked tasks tried again |
//! | operate | `PREFIX.engine.operate` | operators                 | another pipeline, who works, all of the above     |
//!
//! Nothing in a question says who asks it, so nothing in it can widen the right that its subject
//! is.
//!
//! Not here: how much of it is taken (`asked`), what is answered (`lead`).

use super::wire::Ask;

/// A right to ask.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Right {
    Read,
    Submit,
    Operate,
}

impl Right {
    pub(super) const ALL: [Self; 3] = [Self::Read, Self::Submit, Self::Operate];

    /// Where whoever has it asks; what all subjects begin with is left out.
    pub(super) const fn subject(self) -> &'static str {
        match self {
            Self::Read => "engine.read",
            Self::Submit => "engine.submit",
            Self::Operate => "engine.operate",
        }
    }

    /// As people are told of it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Operate => "operate",
        }
    }

    /// The least that `ask` needs.
    pub(super) const fn for_asking(ask: &Ask) -> Self {
        match ask {
            Ask::Status | Ask::Explain(_) | Ask::Remake(_) => Self::Read,
            Ask::Submit(_)
            | Ask::Add(_)
            | Ask::Reads(_)
            | Ask::Head { .. }
            | Ask::Final(_)
            | Ask::Finish
            | Ask::Unfinish { .. }
            | Ask::Retry(_)
            | Ask::RetryAll => Self::Submit,
            Ask::Apply(_)
            | Ask::Position
            | Ask::Discard { .. }
            | Ask::Unpin { .. }
            | Ask::Leave { .. }
            | Ask::Cordon { .. }
            | Ask::Uncordon { .. } => Self::Operate,
        }
    }

    /// Whether who has this may ask that: operators may ask whatever there is, and nobody else what
    /// is another's.
    pub(super) fn allows(self, ask: &Ask) -> bool {
        self == Self::Operate || self == Self::for_asking(ask)
    }
}

/// Where everything was asked before rights were told apart. Who asks there is told so, and nothing
/// else.
pub(super) const FORMER: &str = "engine.ask";

#[cfg(test)]
mod tests {
    use push0_core::{BlockHash, TaskId};

    use super::*;

    const READS: &str = r#"{"pipeline":"any","chain":1,"trusts_hashes":false}"#;

    #[test]
    fn a_subject_allows_what_is_its_own_and_operators_everything() {
        let asks = [
            Ask::Apply(Box::default()),
            Ask::Status,
            Ask::Explain(crate::status::Subject::Task(TaskId([7; 32]))),
            Ask::Remake(TaskId([7; 32])),
            Ask::Submit(vec![]),
            Ask::Add(vec![]),
            Ask::Reads(serde_json::from_str(READS).expect("its wire form")),
            Ask::Head { block: BlockHash([7; 32]), head: None },
            Ask::Final(BlockHash([7; 32])),
            Ask::Finish,
            Ask::Unfinish { by: String::new(), why: String::new() },
            Ask::Leave { dispatchers: vec![], all: true, by: String::new() },
            Ask::Cordon { dispatchers: vec![], by: String::new(), why: String::new() },
            Ask::Uncordon { dispatchers: vec![], by: String::new(), why: String::new() },
            Ask::Retry(vec![]),
            Ask::RetryAll,
            Ask::Position,
            Ask::Discard { tasks: vec![], by: String::new(), why: String::new(), seen: None },
            Ask::Unpin {
                program: "any".parse().expect("a name"),
                by: String::new(),
                why: String::new(),
                seen: None,
            },
        ];
        for ask in &asks {
            let may: Vec<_> = Right::ALL.into_iter().filter(|right| right.allows(ask)).collect();
            let is_for_operators = matches!(
                ask,
                Ask::Apply(_)
                    | Ask::Position
                    | Ask::Discard { .. }
                    | Ask::Unpin { .. }
                    | Ask::Leave { .. }
                    | Ask::Cordon { .. }
                    | Ask::Uncordon { .. }
            );
            let others = [Right::Read, Right::Submit].into_iter().filter(|_| !is_for_operators);
            let others = others.filter(|right| *right == Right::for_asking(ask));
            let wanted: Vec<_> = others.chain([Right::Operate]).collect();
            assert_eq!(may, wanted, "{ask:?}");
        }
    }
}
