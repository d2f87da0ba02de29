//! The hook of `push0 proofs`: a command that is run for each release, in order, with its file; again until it exits 0.
//!
//! How far it came stands in a mark beside the files. The mark is durable before the next release is looked at: it is
//! written anew, synced, put in place, and its directory synced. So a hook is run at least once for each release, and
//! again only where push0 ended between the hook's end and that. A mark that cannot be read is an error: from the
//! beginning, a hook that pays or settles would do so twice.
//!
//! Not here: what is released, and in which file (`proofs`).

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use push0_core::{ReleaseNumber, Surroundings};

use super::error::ClusterError;
use crate::child::{self, Bounds};
use crate::tell::Repeats;
use crate::temporary;

/// A hook, and how far it came.
pub(super) struct Hook {
    /// The program, then its arguments.
    words: Vec<String>,
    timeout: Duration,
    mark: PathBuf,
    done: Option<ReleaseNumber>,
    troubles: Repeats,
}

impl Hook {
    /// The hook that a command line names, its arguments after spaces; none where it names nothing.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Mark`], where it is not known how far it came.
    pub(super) fn open(
        command: Option<&str>,
        timeout: Duration,
        out: &Path,
    ) -> Result<Option<Self>, ClusterError> {
        let words: Vec<String> =
            command.unwrap_or_default().split_whitespace().map(ToOwned::to_owned).collect();
        if words.is_empty() {
            return Ok(None);
        }
        let mark = out.join(HOOKED);
        let done = read_mark(&mark);
        let done = done.map_err(|what| ClusterError::Mark { path: mark.clone(), what })?;
        Ok(Some(Self {
            words,
            timeout,
            mark,
            done: done.map(ReleaseNumber),
            troubles: Repeats::default(),
        }))
    }

    /// Runs it for a release that it has not seen; `false` if it must be run again.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Dir`]: it ran, and the mark of that could not be made durable.
    pub(super) fn run(&mut self, number: ReleaseNumber, file: &Path) -> Result<bool, ClusterError> {
        if self.done.is_some_and(|done| number <= done) {
            return Ok(true);
        }
        let Some((program, arguments)) = self.words.split_first() else { return Ok(true) };
        let mut command = Command::new(program);
        command.args(arguments).arg(file);
        let bounds = Bounds { timeout: self.timeout, memory_bytes: None, output_bytes: u64::MAX };
        let shown = file.display();
        match child::run(command, &Surroundings::default(), bounds) {
            Ok(ended) if ended.code == Some(0) => {
                self.troubles.works(&format!("the hook for {shown} ended well"));
            }
            Ok(ended) => {
                let how = ended.how;
                let words =
                    format!("the hook for {shown} did not end well ({how}); it is run again");
                self.troubles.fails(&words);
                return Ok(false);
            }
            Err(error) => {
                self.troubles
                    .fails(&format!("the hook cannot be run ({error}); it is tried again"));
                return Ok(false);
            }
        }
        let path = self.mark.clone();
        write_mark(&self.mark, number.0).map_err(|source| ClusterError::Dir { path, source })?;
        self.done = Some(number);
        Ok(true)
    }

    /// What it has seen after `before` was taken back in part: it is run for all of that again.
    pub(super) fn recall(&mut self, before: ReleaseNumber) -> Result<(), ClusterError> {
        if self.done.is_some_and(|done| done > before) {
            let path = self.mark.clone();
            let written = write_mark(&self.mark, before.0);
            written.map_err(|source| ClusterError::Dir { path, source })?;
            self.done = Some(before);
        }
        Ok(())
    }
}

/// The number that a mark holds; none where there is no mark.
pub(super) fn read_mark(mark: &Path) -> Result<Option<u64>, String> {
    let mut text = String::new();
    let read = File::open(mark).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    }
    let digits =
        text.strip_suffix('\n').filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok());
    let number = number.ok_or("it holds no number, on a line of its own")?;
    Ok(Some(number))
}

/// Has a mark hold a number, durably.
pub(super) fn write_mark(mark: &Path, number: u64) -> io::Result<()> {
    let new = mark.with_extension("new");
    temporary::write(&new, |file| {
        file.write_all(format!("{number}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, mark)
    })?;
    let folder = mark.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// How far the hook has come, in the directory of the proofs.
const HOOKED: &str = ".hooked";

/// More than any number and the end of its line.
const BYTES_MAX: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_run_once_for_each_release_across_lives() {
        let dir = tempfile::tempdir().expect("a directory");
        let ran = dir.path().join("ran");
        let script = script(dir.path(), &format!("echo \"$1\" >> {}", ran.display()));
        for _ in 0..2 {
            let mut hook = open(&script, dir.path()).expect("a mark").expect("a hook");
            for number in 1..=2 {
                let file = dir.path().join(format!("{number}"));
                assert!(hook.run(ReleaseNumber(number), &file).expect("run"));
                assert!(hook.run(ReleaseNumber(number), &file).expect("run again"));
            }
        }
        assert_eq!(fs::read_to_string(ran).expect("it ran").lines().count(), 2);
        assert_eq!(fs::read_to_string(dir.path().join(HOOKED)).expect("a mark"), "2\n");
        assert!(!dir.path().join(".hooked.new").exists());
    }

    #[test]
    fn a_mark_that_says_nothing_is_an_error_and_never_the_beginning() {
        let dir = tempfile::tempdir().expect("a directory");
        let mark = dir.path().join(HOOKED);
        for damaged in
            ["", "\n", "12", "x\n", "-1\n", "+1\n", "1\n2\n", " 1\n", "99999999999999999999\n"]
        {
            fs::write(&mark, damaged).expect("a file");
            let opened = open("/bin/true", dir.path());
            assert!(matches!(opened, Err(ClusterError::Mark { .. })), "{damaged:?}");
        }
        fs::remove_file(&mark).expect("removed");
        fs::create_dir(&mark).expect("a directory in its place");
        assert!(matches!(open("/bin/true", dir.path()), Err(ClusterError::Mark { .. })));
    }

    #[test]
    fn one_that_fails_or_hangs_is_to_be_run_again() {
        let dir = tempfile::tempdir().expect("a directory");
        for words in ["exit 3", "sleep 1000 & wait"] {
            let script = script(dir.path(), words);
            let timeout = Duration::from_millis(300);
            let hook = Hook::open(Some(&script), timeout, dir.path()).expect("a mark");
            let mut hook = hook.expect("a hook");
            assert!(!hook.run(ReleaseNumber(1), dir.path()).expect("run"), "{words}");
            assert!(!dir.path().join(HOOKED).exists());
        }
    }

    #[test]
    fn no_words_are_no_hook() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(open(" ", dir.path()).expect("no mark").is_none());
    }

    fn open(command: &str, out: &Path) -> Result<Option<Hook>, ClusterError> {
        Hook::open(Some(command), Duration::from_secs(60), out)
    }

    /// A command that runs a script.
    fn script(dir: &Path, words: &str) -> String {
        let path = dir.join("hook.sh");
        fs::write(&path, words).expect("a script");
        format!("sh {}", path.display())
    }
}
