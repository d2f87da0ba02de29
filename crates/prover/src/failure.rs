//! How a prover's methods end when there is nothing to show: a failure of a class, or a refusal.
//!
//! Not here: what push0 does about each class (the README of this crate).

use crate::wire::FailureClass;

/// Why there is no result.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What should be done about it.
    pub class: FailureClass,
    /// What happened, for people.
    pub message: String,
}

impl Failure {
    /// A failure of any class.
    #[must_use]
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// It may well work another time.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Transient, message)
    }

    /// Out of memory or disk.
    #[must_use]
    pub fn resource(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Resource, message)
    }

    /// The input is not what it should be.
    #[must_use]
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(FailureClass::InvalidInput, message)
    }

    /// There is no proof of this, or it is over a limit of this prover.
    #[must_use]
    pub fn unprovable(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Unprovable, message)
    }

    /// Anything else.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Failed, message)
    }

    /// It was told to stop.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::new(FailureClass::Cancelled, "cancelled")
    }
}

/// Why a proof is not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

impl Refusal {
    /// A refusal with its reason.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
