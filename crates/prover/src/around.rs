//! What stands around a prover's own code, whatever the contract: it is loaded, a panic in it is a
//! failure, and each failure has its words and its exit code.
//!
//! Not here: which contract is spoken (`cli`), and what each does (`file`, `serve`, `verify`).

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs, panic};

use crate::replies::complain;
use crate::wire::FailureClass;
use crate::{Failure, Prover};

/// Loads the prover with its cache directory, which is made if need be.
pub(crate) fn load<P: Prover>() -> Result<P, Failure> {
    let cache = cache_dir(P::NAME);
    fs::create_dir_all(&cache)
        .map_err(|error| Failure::transient(format!("cache {}: {error}", cache.display())))?;
    P::load(&cache)
}

/// Runs a prover's code; a panic in it is a failure like another.
pub(crate) fn catch<T>(run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // What the prover left half done is its own; the SDK's state is not touched in there.
    panic::catch_unwind(panic::AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        Err(Failure::failed(format!("panicked: {}", text.unwrap_or("with no message"))))
    })
}

/// Says what went wrong on stderr, and gives the exit code of its class.
pub(crate) fn fail(failure: &Failure) -> ExitCode {
    complain(&format!("error: {failure}"));
    ExitCode::from(match failure.class {
        FailureClass::Transient => 75,
        FailureClass::Unprovable => 77,
        FailureClass::Resource => 137,
        FailureClass::Timeout
        | FailureClass::Failed
        | FailureClass::InvalidInput
        | FailureClass::Cancelled => 1,
    })
}

fn cache_dir(name: &str) -> PathBuf {
    let given = |variable| env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(cache) = given("PUSH0_CACHE") {
        return cache;
    }
    let users = given("XDG_CACHE_HOME").or_else(|| Some(given("HOME")?.join(".cache")));
    users.unwrap_or_else(env::temp_dir).join("push0").join(name)
}

/// The exit code for a command line that makes no sense, and for a verifier that cannot tell.
pub(crate) const USAGE: u8 = 2;
