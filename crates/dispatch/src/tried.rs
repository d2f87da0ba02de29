//! How a prover's try ended, whichever contract it speaks, before anybody looks at its output.
//!
//! Not here: what is reported (`attempt`).

use std::time::Duration;

use push0_core::FailureClass;

use crate::reins::Pull;
use crate::tail::Output;

/// A prover's try.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    pub(crate) ended: TryEnd,
    /// How long the prover itself ran.
    pub(crate) ran: Duration,
    /// The end of what it printed meanwhile.
    pub(crate) output: Output,
}

/// How a try ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum TryEnd {
    /// It says that it has written a result.
    #[default]
    Written,
    /// It has none.
    Failed { class: FailureClass, what: String },
    /// It was ended from outside; it may have written a result all the same.
    Pulled { pull: Pull, how: String, may_have_result: bool },
    /// There was no try: its time was over before the program was started.
    Unstarted { what: String },
    /// There was no try: the program cannot be run here.
    Misconfigured { what: String },
}
