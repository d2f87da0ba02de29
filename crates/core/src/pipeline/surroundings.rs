//! What a program's processes have around them: variables, a user, a wrapper. Policy, and no part
//! of what is proved.
//!
//! Not here: the environment that is made of it, and the user's number (`push0_dispatch`).

use std::collections::BTreeMap;

/// What a prover and its verifier have around them, beside what every program has.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Surroundings {
    /// Variables of their environment, as the pipeline's file says them.
    pub env: BTreeMap<String, String>,
    /// Variables that they are given from push0's own environment, where it has them.
    pub pass: Vec<String>,
    /// Whom they run as; absent, as push0 itself.
    pub user: Option<String>,
    /// The argv that is put before theirs: a sandbox, which runs it.
    pub wrap: Vec<String>,
}

impl Surroundings {
    /// Whether a variable of push0's own environment is never handed on: it may hold a credential
    /// of push0's, or of its store's.
    #[must_use]
    pub fn is_private(name: &str) -> bool {
        Self::is_own(name) || name.starts_with("AWS_")
    }

    /// Whether a variable is part of what push0 and its programs have agreed on.
    #[must_use]
    pub fn is_own(name: &str) -> bool {
        name.starts_with("PUSH0_")
    }

    /// Whether it can be the name of a variable.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        !name.starts_with(|first: char| first.is_ascii_digit())
            && (1..=NAME_MAX).contains(&name.len())
            && name.chars().all(is_plain)
    }
}

/// Far more than any variable's name has. Unit: bytes.
const NAME_MAX: usize = 128;
