//! Why the system cannot start a program's file, in words: which file is missing, or whose machine
//! it is for.
//!
//! The system's own word is often about another file ("not found" of a script whose interpreter is
//! missing), or about none ("exec format error"). So the file is looked at as the kernel looks: its
//! first line, or its ELF header.
//!
//! Not here: who asks, and what becomes of the program (`process`, `programs`).

mod elf;
mod foreign;

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::bounded;
use crate::environment::{self, Environment};

/// Why the program at `path` cannot be started here, and what to do, as far as its file tells;
/// `None` where nothing is wrong with it. `env` is what it would be started with: `/usr/bin/env`
/// looks there.
///
/// Reads at most 4 KiB of each file that takes part.
#[must_use]
pub fn unstartable(path: &Path, env: &Environment) -> Option<String> {
    look(path, env, 0)
}

/// The file of the program that is called `name`, which can be started here, as far as that tells:
/// as it is named, or found in `PATH` of `env` where it is named without a `/`.
///
/// # Errors
///
/// Why not, and what to do.
pub fn startable(name: &str, env: &Environment) -> Result<PathBuf, String> {
    let path = match name.contains('/') {
        true => PathBuf::from(name),
        false => environment::in_path(env, name).ok_or_else(|| {
            format!("`{name}` is nowhere in PATH: install it, or name it with its path")
        })?,
    };
    unstartable(&path, env).map_or(Ok(path), Err)
}

fn look(path: &Path, env: &Environment, depth: usize) -> Option<String> {
    let shown = path.display();
    if let Err(error) = there(path) {
        return Some(error);
    }
    let head = match head(path) {
        Ok(head) => head,
        // One that may be run and not be read; the kernel can.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
        Err(error) => return Some(format!("{shown} cannot be read: {error}")),
    };
    if let Some(line) = head.strip_prefix(b"#!") {
        return script(path, line, env, depth);
    }
    if foreign::is_registered(path, &head) {
        return None;
    }
    if head.starts_with(elf::MAGIC) {
        return elf::fault(&head).map(|fault| format!("{shown} {fault}"));
    }
    Some(format!("{shown} {}", not_a_program(&head)))
}

/// What there is at `path`: a file that may be run.
fn there(path: &Path) -> Result<(), String> {
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("{shown} is not there"))
        }
        Err(error) => Err(format!("{shown}: {error}")),
        Ok(found) if !found.is_file() => Err(format!("{shown} is not a file")),
        Ok(_) if access(path, Access::EXEC_OK).is_err() => {
            Err(format!("{shown} is not executable: chmod +x it"))
        }
        Ok(_) => Ok(()),
    }
}

/// What is wrong with the interpreter that a script's first line names.
fn script(path: &Path, line: &[u8], env: &Environment, depth: usize) -> Option<String> {
    let shown = path.display();
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.get(..LINE_BYTES_MAX).unwrap_or(line);
    let line = String::from_utf8_lossy(line).trim_matches([' ', '\t']).to_owned();
    if let Some(named) = line.strip_suffix('\r') {
        return Some(format!(
            "{shown} has line ends of Windows: the system looks for `{}\\r`, and there is no such interpreter: \
             convert the file (dos2unix, or sed -i 's/\\r$//')",
            named.escape_debug()
        ));
    }
    let (interpreter, argument) = match line.split_once([' ', '\t']) {
        Some((interpreter, argument)) => (interpreter, argument.trim()),
        None => (line.as_str(), ""),
    };
    if interpreter.is_empty() {
        return Some(format!(
            "{shown} names no interpreter after `#!` in its first line: write one"
        ));
    }
    if depth == SCRIPTS_MAX {
        return Some(format!("{shown} is a script of a script of a script: name the last one"));
    }
    let interpreter = Path::new(interpreter);
    if interpreter.is_relative() {
        let named = interpreter.display();
        return Some(format!(
            "{shown} names its interpreter `{named}` without a path: write all of it"
        ));
    }
    if let Some(fault) = look(interpreter, env, depth + 1) {
        return Some(format!(
            "{shown} is a script, and the interpreter in its first line cannot be run: {fault}"
        ));
    }
    let is_env = interpreter.file_name().is_some_and(|name| name == "env");
    let searched =
        argument.split_whitespace().find(|word| !word.starts_with('-') && !word.contains('='));
    match searched.filter(|word| is_env && !word.contains('/')) {
        Some(name) if environment::in_path(env, name).is_none() => Some(format!(
            "{shown} is a script for `{name}`, which is nowhere in PATH: install it, or name it with its path in the \
             first line"
        )),
        Some(_) | None => None,
    }
}

fn not_a_program(head: &[u8]) -> String {
    let other = |what: &str| format!("is {what}: build it for Linux on this machine");
    let is_text = str::from_utf8(head).is_ok_and(|text| !text.contains('\0'))
        || str::from_utf8(head).is_err_and(|error| error.error_len().is_none());
    match head {
        [] => "is empty".to_owned(),
        [b'M', b'Z', ..] => other("a program for Windows"),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => other("a program for macOS"),
        [0xef, 0xbb, 0xbf, b'#', b'!', ..] => {
            "has a byte order mark before its `#!`, which the system does not read: remove it (save it as UTF-8 \
             without BOM)"
                .to_owned()
        }
        _ if is_text => {
            "is text without a first line that names its interpreter: write one, as in `#!/bin/sh`".to_owned()
        }
        _ => "is not a program: its bytes are no format that this system runs".to_owned(),
    }
}

fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    bounded::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// Looked at of each file. Unit: bytes.
const HEAD_BYTES: u64 = 4096;

/// The kernel reads no more of a script's first line. Unit: bytes.
const LINE_BYTES_MAX: usize = 254;

/// As many scripts as the kernel follows.
const SCRIPTS_MAX: usize = 4;

#[cfg(test)]
mod tests;
