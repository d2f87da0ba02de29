//! A panic is a bug in push0: the process says so plainly and ends, whichever thread it was.
//!
//! Nothing is lost by it: what was durable is in the log, and the same command goes on from there.
//!
//! Not here: panics of provers, which are other processes.

use std::panic::PanicHookInfo;

use crate::exit::Exit;
use crate::tell;

/// From here on a panic in any thread ends the process as [`Exit::Bug`].
pub(super) fn exit_as_a_bug() {
    std::panic::set_hook(Box::new(|panic| {
        tell::last(&told(panic));
        std::process::exit(Exit::Bug.code().into());
    }));
}

fn told(panic: &PanicHookInfo<'_>) -> String {
    let words = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map_or_else(|| "no place".to_owned(), ToString::to_string);
    format!(
        "a bug in push0: {words} ({place}): report it with this line; what is in the log is \
         safe, and the same command goes on from it"
    )
}
