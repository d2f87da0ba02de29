//! NATS servers that are started end with this process, however it ends.
//!
//! The kernel sees to it (`PR_SET_PDEATHSIG`), at a process's own word, and the testbed starts
//! servers that do not say it. So this program takes their place: what the testbed starts is this
//! program again, which says it and becomes the server. Whoever starts servers must be the thread
//! that lives longest: the main one.
//!
//! ```text
//!   push0-bench ──▶ push0-bench, of the same id, with SERVER set ──testbed──▶ push0-bench --config ──▶ nats-server
//! ```
//!
//! Not here: other children, which this program starts itself (`push0_dispatch::die_with_parent`).

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::cli::say;

/// Becomes the server, if this was started for one. Comes back only where that fails.
pub(crate) fn became_server() -> Option<ExitCode> {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let server = server().filter(|_| args.first().is_some_and(|first| first == "--config"))?;
    let fault = match set_parent_process_death_signal(Some(Signal::KILL)) {
        // It may have ended before the line above.
        Ok(()) if getppid().map(|id| id.as_raw_nonzero().to_string()) != env::var(OWNER).ok() => {
            io::Error::other("who started it has ended")
        }
        Ok(()) => Command::new(server).args(args).exec(),
        Err(error) => error.into(),
    };
    say(&format!("error: no nats-server: {fault}"));
    Some(ExitCode::FAILURE)
}

/// Starts this program anew in its own place, so that servers are started through it. Where that
/// cannot be, servers are started as ever.
pub(crate) fn put_on() {
    let own = std::process::id().to_string();
    let is_on = env::var(OWNER).is_ok_and(|owner| owner == own);
    let Ok(program) = env::current_exe() else { return };
    if is_on {
        return;
    }
    // Without one it panics, which says where it looks.
    let Ok(server) = std::panic::catch_unwind(push0_testbed::binary) else { return };
    let mut again = Command::new(&program);
    again.args(env::args_os().skip(1));
    let fault = again.env(SERVER, server).env(OWNER, own).env(TESTBED, program).exec();
    say(&format!("warning: if this is killed, NATS servers are left behind: {fault}"));
}

/// The nats-server that is started, if one was found.
pub(crate) fn server() -> Option<PathBuf> {
    env::var_os(SERVER).map(PathBuf::from)
}

/// What the testbed starts for a server.
const TESTBED: &str = "PUSH0_NATS_SERVER";

/// The server itself.
const SERVER: &str = "PUSH0_BENCH_NATS_SERVER";

/// The id of the process that servers end with.
const OWNER: &str = "PUSH0_BENCH_OWNER";
