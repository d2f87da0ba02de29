//! The environment of a program's processes: made, never push0's own handed on.
//!
//! ```text
//!   what every program has (SHARED, of push0's own)  <  `pass`  <  `env`  <  what push0 sets
//! ```
//!
//! push0's own holds the credentials of the log, of the servers and of the store. A prover, a
//! verifier or a hook is somebody else's program: it is given what programs need to run at all, and
//! what its pipeline names.
//!
//! Not here: whom a process runs as (`user`), and what an attempt adds (`file`, `serve`).

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;

use push0_core::Surroundings;

use crate::user::User;

/// What a process has around it when it starts.
#[derive(Clone, Default)]
pub(crate) struct ProcessContext {
    /// All of its environment.
    pub(crate) env: Environment,
    /// The argv that is put before its own.
    pub(crate) wrap: Vec<String>,
    pub(crate) whom: Whom,
}

/// Whom a program runs as.
#[derive(Clone, Debug, Default)]
pub(crate) enum Whom {
    /// As push0 does: its pipeline names nobody.
    #[default]
    Push0,
    /// The one that its pipeline names.
    User(User),
    /// Nobody: the one that its pipeline names has not been found here.
    Unfound(String),
}

impl Whom {
    /// The one that a pipeline names, where it was found.
    pub(crate) const fn user(&self) -> Option<&User> {
        match self {
            Self::User(user) => Some(user),
            Self::Push0 | Self::Unfound(_) => None,
        }
    }
}

/// Variables with their values.
pub(crate) type Environment = BTreeMap<OsString, OsString>;

/// Without values: what `pass` hands on, and `env` says, may be secret.
impl fmt::Debug for ProcessContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { env, wrap, whom } = self;
        let names: Vec<_> = env.keys().collect();
        f.debug_struct("Around")
            .field("env", &names)
            .field("wrap", wrap)
            .field("whom", whom)
            .finish()
    }
}

impl ProcessContext {
    /// Gives it a variable.
    pub(crate) fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.env.insert(name.into(), value.as_ref().to_owned());
    }
}

/// All that a program which push0 starts finds in its environment: what every program has of
/// push0's own, then what `surroundings` pass on, then what they set. Never a credential of push0's
/// or of its store's.
#[must_use]
pub fn environment(surroundings: &Surroundings) -> BTreeMap<OsString, OsString> {
    made(env::vars_os(), surroundings)
}

/// Whether every program is given this variable of push0's own environment.
pub(crate) fn is_shared(name: &str) -> bool {
    let begins = SHARED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
    SHARED.contains(&name) || begins && !SECRET_WORDS.iter().any(|word| name.contains(word))
}

fn made(own: impl Iterator<Item = (OsString, OsString)>, around: &Surroundings) -> Environment {
    let is_given = |name: &str| {
        let is_named = around.pass.iter().any(|passed| passed == name);
        (is_shared(name) || is_named) && !Surroundings::is_private(name)
    };
    let given = own.filter(|(name, _)| name.to_str().is_some_and(is_given));
    let set = around.env.iter().map(|(name, value)| (name.into(), value.into()));
    given.chain(set).collect()
}

/// Where a program that is named without a `/` is looked for: in `PATH` of this environment.
pub(crate) fn in_path(env: &Environment, name: &str) -> Option<std::path::PathBuf> {
    let path = env.get(OsStr::new("PATH"))?;
    env::split_paths(path).map(|dir| dir.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Whom and where a program runs as, in which language and zone, its libraries, and how loud it is.
const SHARED: [&str; 21] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TZDIR",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "RAYON_NUM_THREADS",
    "OMP_NUM_THREADS",
    "NVIDIA_VISIBLE_DEVICES",
    "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_DISABLE_REQUIRE",
    "NVIDIA_TF32_OVERRIDE",
];

/// The language, and what NVIDIA's and AMD's GPUs are driven by. Not all of `NVIDIA_`: its services
/// have keys there.
const SHARED_BEGINNINGS: [&str; 6] =
    ["LC_", "CUDA_", "NVIDIA_REQUIRE_", "NVIDIA_MIG_", "ROCR_", "HIP_"];

/// A name that begins so, and has one of these in it, may be that of a credential.
const SECRET_WORDS: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "AUTH"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_made_of_what_is_named_and_never_of_push0s_credentials() {
        let own = [
            ("PATH", "/bin"),
            ("HOME", "/root"),
            ("LC_ALL", "C"),
            ("CUDA_VISIBLE_DEVICES", "3"),
            ("NVIDIA_VISIBLE_DEVICES", "all"),
            ("NVIDIA_API_KEY", "hush"),
            ("NVIDIA_NGC", "hush"),
            ("CUDA_X_TOKEN", "hush"),
            ("PUSH0_NATS_PASSWORD", "hush"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
            ("SOMEBODYS_TOKEN", "hush"),
            ("WANTED", "yes"),
            ("TWICE", "push0's"),
        ];
        let own = own.map(|(name, value)| (name.into(), value.into()));
        let around = Surroundings {
            env: [("TWICE".to_owned(), "the file's".to_owned())].into(),
            // The last two no pipeline's file may name; whoever hands them here is not believed
            // either.
            pass: ["WANTED", "PUSH0_NATS_PASSWORD", "AWS_SECRET_ACCESS_KEY"]
                .map(str::to_owned)
                .to_vec(),
            ..Surroundings::default()
        };
        let made = made(own.into_iter(), &around);
        let names: Vec<_> = made.keys().filter_map(|name| name.to_str()).collect();
        assert_eq!(
            names.join(" "),
            "CUDA_VISIBLE_DEVICES HOME LC_ALL NVIDIA_VISIBLE_DEVICES PATH TWICE WANTED"
        );
        assert_eq!(
            made.get(OsStr::new("TWICE")).and_then(|value| value.to_str()),
            Some("the file's")
        );
        let shown = format!("{:?}", ProcessContext { env: made, ..ProcessContext::default() });
        assert!(shown.contains("WANTED") && !shown.contains("yes") && !shown.contains("file's"));
    }
}
