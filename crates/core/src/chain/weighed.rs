//! How what was weighed stands to limits.
//!
//! Not here: the weighing (`chain`).

/// How a weight stands to limits, of which there may be several.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Weighed {
    /// It is over one of them.
    pub(crate) is_over: bool,
    /// It is at one of them, or over.
    pub(crate) is_reached: bool,
    /// It is under one of them.
    pub(crate) is_under: bool,
}
