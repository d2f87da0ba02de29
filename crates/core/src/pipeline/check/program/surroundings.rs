//! A program's `env`, `pass`, `user` and `wrap`.
//!
//! Not here: whether there is such a user, or such a wrapper, which only a machine knows.

use super::At;
use crate::{ProgramSpec, Surroundings};

pub(super) fn check(at: &mut At<'_>, spec: &ProgramSpec) -> Surroundings {
    for (name, value) in &spec.env {
        variable(at, "env", name);
        if Surroundings::is_own(name) {
            let what = format!("`{}`, which push0 itself sets", name.escape_debug());
            at.fault("env", what, "remove it: names that begin with PUSH0_ are push0's");
        }
        if value.contains('\0') {
            at.fault("env", "a value with a NUL in it", "no program can be given one: remove it");
        }
    }
    for name in &spec.pass {
        variable(at, "pass", name);
        if Surroundings::is_private(name) {
            let what = format!("`{}`, which may be a credential of push0's", name.escape_debug());
            let remedy = "remove it; if the program needs a credential of its own, give it under another name, or \
                          in a file";
            at.fault("pass", what, remedy);
        }
        if spec.env.contains_key(name) {
            let what = format!("`{}`, which stands in `env` too", name.escape_debug());
            at.fault("pass", what, "leave one of them");
        }
    }
    if spec.env.len() + spec.pass.len() > VARIABLES_MAX {
        let what = format!("{} variables", spec.env.len() + spec.pass.len());
        at.fault("env", what, format!("write {VARIABLES_MAX} or fewer, `pass` included"));
    }
    if spec.user.as_deref().is_some_and(|user| !is_user(user)) {
        at.fault("user", "no user's name", "write one as in `user = \"prover\"`");
    }
    if spec.wrap.first().is_some_and(String::is_empty) {
        at.fault("wrap", "a wrapper without a name", "name its binary, or remove the key");
    }
    at.faults.argv(&["programs", at.name, "wrap"], &spec.wrap);
    let (env, pass) = (spec.env.clone(), spec.pass.clone());
    Surroundings { env, pass, user: spec.user.clone(), wrap: spec.wrap.clone() }
}

fn variable(at: &mut At<'_>, key: &str, name: &str) {
    if !Surroundings::is_name(name) {
        let what = format!("`{}` is no variable's name", name.escape_debug());
        at.fault(key, what, "write letters, digits and `_`, the first no digit");
    }
}

/// As every system takes one; longer or other names are some system's own, and their number can
/// stand for them.
fn is_user(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-@".contains(letter);
    (1..=USER_MAX).contains(&name.len()) && !name.starts_with('-') && name.chars().all(is_plain)
}

/// They are in the log, and in each process.
const VARIABLES_MAX: usize = 256;
/// The longest name of a user that Linux's tools take. Unit: bytes.
const USER_MAX: usize = 32;
