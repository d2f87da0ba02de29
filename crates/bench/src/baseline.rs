//! What push0 is measured against, in the same run: the floor of the machine, and designs that others ship.

pub(crate) mod floor;
pub(crate) mod poll;
pub(crate) mod pull;
