//! The names that push0 gives to files of a store. It lists, sweeps and empties nothing of another
//! name.
//!
//! Not here: an artifact's, which is its digest's (`dir`).

use super::{IDENTITY, OWNER, TMP};
use crate::mark;
use crate::store::outputs::OUTPUT;

/// Whether a store has something of this name at its root.
pub(super) fn is_own_name(name: &str) -> bool {
    let is_folder = name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_folder || [TMP, IDENTITY, OWNER, OUTPUT].contains(&name) || mark::is_mark(name)
}

/// Whether a name in `tmp` is one of push0's.
pub(super) fn is_temporary(name: &str) -> bool {
    let name = name.strip_suffix(".probe").unwrap_or(name);
    let Some((first, last)) = name.split_once('-') else { return false };
    let is_number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    (is_hex_32(first) && is_number) || ([IDENTITY, OWNER].contains(&first) && is_hex_32(last))
}

fn is_hex_32(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a name is of what [`identity`] writes before it is in place.
pub(crate) fn is_identity_to_be(name: &str) -> bool {
    name.strip_prefix("identity-").is_some_and(is_hex_32)
}
