//! Programs: which file a pipeline's `command` means on this machine.
//!
//! With a `/` it is relative to the pipeline's file; else it is looked for beside push0, then in
//! `PATH`.

use std::collections::BTreeMap;
use std::env;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use push0_core::{Pipeline, Program, ProgramName, Surroundings};
use push0_dispatch::{ProgramConfig, can_run_as};

use push0_pipeline::LoadedPipeline;

/// A pipeline's programs, as this machine runs them.
#[derive(Clone, Debug)]
pub struct Programs {
    configs: BTreeMap<ProgramName, ProgramConfig>,
    allows_mock: bool,
}

impl Programs {
    /// For a dispatcher.
    #[must_use]
    pub fn configs(&self) -> BTreeMap<ProgramName, ProgramConfig> {
        self.configs.clone()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: &ProgramName) -> Option<&ProgramConfig> {
        self.configs.get(name)
    }

    /// Whether their pipeline lets results pass that prove nothing.
    #[must_use]
    pub const fn allows_mock(&self) -> bool {
        self.allows_mock
    }
}

/// A program whose file is not on this machine.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what}: {remedy}")]
pub struct MissingProgram {
    /// Which.
    pub program: ProgramName,
    what: String,
    remedy: &'static str,
}

/// What a person is told of programs whose verification key no one has written down: then
/// dispatchers say what it is.
pub(crate) fn without_key(pipeline: &Pipeline) -> Option<String> {
    let programs = pipeline.programs.iter();
    let open = programs.filter(|(_, program)| program.vkey.is_none() && !program.is_mock);
    let names: Vec<_> = open.map(|(name, _)| name.to_string()).collect();
    (!names.is_empty()).then(|| {
        let has = if names.len() == 1 { "has" } else { "have" };
        format!(
            "{} {has} no vkey in the pipeline: push0 accepts the key that two dispatchers agree on. Set vkey to decide it \
             yourself",
            names.join(", ")
        )
    })
}

/// Finds every program of a pipeline that some stage uses.
///
/// # Errors
///
/// [`MissingProgram`]: the first that is not to be found.
pub fn resolve(loaded: &LoadedPipeline) -> Result<Programs, MissingProgram> {
    let used =
        |name: &ProgramName| loaded.pipeline.stages.iter().any(|stage| stage.program == *name);
    let programs = loaded.pipeline.programs.iter().filter(|(name, _)| used(name));
    let resolved = programs.map(|(name, program)| {
        let missing = |(what, remedy)| MissingProgram { program: name.clone(), what, remedy };
        Ok((name.clone(), config(&loaded.dir, program).map_err(missing)?))
    });
    let configs = resolved.collect::<Result<_, _>>()?;
    Ok(Programs { configs, allows_mock: loaded.pipeline.allow_mock })
}

/// The file that the first word of a command means.
///
/// # Errors
///
/// What is wrong, and what to do.
pub fn find(dir: &Path, word: &str) -> Result<PathBuf, (String, &'static str)> {
    if word.contains('/') {
        return runnable(dir.join(word).components().collect()); // without `/./`
    }
    let here = env::current_exe().ok().and_then(|file| file.parent().map(Path::to_owned));
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = here.into_iter().chain(env::split_paths(&path));
    let mut last = None;
    for file in dirs.map(|dir| dir.join(word)).filter(|file| file.is_file()) {
        match runnable(file) {
            Ok(file) => return Ok(file),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        let what = format!("there is no `{word}` beside push0, nor in PATH");
        (what, "build or install it, or give its path with a `/` (relative to the pipeline's file)")
    }))
}

/// The first program of this name in `PATH`.
pub(crate) fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let files = env::split_paths(&path).map(|dir| dir.join(name));
    files.filter(|file| file.is_file()).find_map(|file| runnable(file).ok())
}

fn config(dir: &Path, program: &Program) -> Result<ProgramConfig, (String, &'static str)> {
    let located = |argv: &[String]| match argv {
        [] => Ok(Vec::new()),
        [word, arguments @ ..] => {
            let file = find(dir, word)?.to_string_lossy().into_owned();
            Ok(std::iter::once(file).chain(arguments.iter().cloned()).collect())
        }
    };
    if let Some(user) = &program.surroundings.user {
        can_run_as(user, None).map_err(|error| (error.to_string(), error.remedy()))?;
    }
    Ok(ProgramConfig {
        argv: located(&program.command)?,
        contract: program.contract,
        give: program.give,
        memory_bytes: program.memory_bytes,
        gpus: program.gpus,
        verifier: located(&program.verifier)?,
        asking: program.asking,
        start: program.start,
        is_mock: program.is_mock,
        vkey: program.vkey,
        surroundings: Surroundings {
            wrap: located(&program.surroundings.wrap)?,
            ..program.surroundings.clone()
        },
    })
}

fn runnable(file: PathBuf) -> Result<PathBuf, (String, &'static str)> {
    let shown = file.display();
    match file.metadata() {
        Err(error) => {
            Err((format!("{shown}: {error}"), "build or install it, or correct the path"))
        }
        Ok(found) if found.is_dir() => {
            Err((format!("{shown} is a directory"), "name the program in it"))
        }
        Ok(found) if found.permissions().mode() & 0o111 == 0 => {
            Err((format!("{shown} is not executable"), "make it so with chmod +x"))
        }
        Ok(_) => Ok(std::path::absolute(&file).unwrap_or(file)),
    }
}
