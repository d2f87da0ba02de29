//! The hook of `push0 proofs`: a command that is run for each release, in order, with its file;
//! again until it exits 0.
//!
//! How far it came stands in a mark beside the files (`reached`), which is durable before the next
//! release is looked at. So a hook is run at least once for each release, and again only where
//! push0 ended between the hook's end and that.
//!
//! The mark is of one log, and of one history of it: a digest over what was released, up to there.
//! Numbers begin anew in every log, so by another's mark releases would be passed over that no hook
//! has seen. So a mark of another log, one that is missing beside proofs, and one that cannot be
//! read, are errors: from the beginning, a hook that pays or settles would do so twice.
//!
//! Not here: what is released, and in which file (`proofs`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use push0_core::{Digest, Key, Release, ReleaseNumber, Surroundings};

use super::error::ClusterError;
use super::reached::HookMark;
use crate::child::{self, Bounds};
use crate::publish;
use crate::tell::{self, Repeats};

/// A hook, and how far it came. Without a command it runs nothing, and only keeps the mark right
/// that another has made.
pub(super) struct Hook {
    /// The program, then its arguments.
    words: Vec<String>,
    /// What it has around it beside what every program has.
    around: Surroundings,
    timeout: Duration,
    out: PathBuf,
    /// The log's id.
    log: String,
    /// What the mark says, until the log was read as far.
    said: Option<HookMark>,
    done: ReleaseNumber,
    /// Of the releases up to there.
    history: Digest,
    troubles: Repeats,
}

/// The arguments of a command line, after spaces; none where it names nothing.
pub(super) fn words(command: Option<&str>) -> Vec<String> {
    command.unwrap_or_default().split_whitespace().map(ToOwned::to_owned).collect()
}

/// The name of a variable that a hook may be given.
///
/// # Errors
///
/// That it is no name, or one of push0's own.
pub(super) fn passed(name: &str) -> Result<String, String> {
    if !Surroundings::is_name(name) {
        return Err("no variable has this name: write letters, digits and `_`, the first no digit"
            .to_owned());
    }
    if Surroundings::is_private(name) {
        return Err("it may be a credential of push0's own: give the hook's under another name, or in a file".to_owned());
    }
    Ok(name.to_owned())
}

/// Whether a hook was ever named for these proofs.
pub(super) fn is_marked(out: &Path) -> bool {
    out.join(HOOKED).symlink_metadata().is_ok()
}

impl Hook {
    /// The hook of these words for the proofs in `out` of `log`; none where there are no words, and
    /// no mark.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Mark`], where it is not known how far it came.
    pub(super) fn open(
        words: Vec<String>,
        pass: &[String],
        timeout: Duration,
        out: &Path,
        log: &str,
    ) -> Result<Option<Self>, ClusterError> {
        let mut hook = Self {
            words,
            around: Surroundings { pass: pass.to_vec(), ..Surroundings::default() },
            timeout,
            out: out.to_owned(),
            log: log.to_owned(),
            said: None,
            done: ReleaseNumber(0),
            history: BEGINNING,
            troubles: Repeats::default(),
        };
        hook.said = HookMark::read(&hook.mark()).map_err(|what| hook.wrong(what))?;
        match hook.said.as_ref().and_then(|said| said.log.as_ref()) {
            Some(other) if other != log => {
                Err(hook.wrong(format!("the mark is of another log ({other})")))
            }
            None if hook.said.is_none() && hook.words.is_empty() => Ok(None),
            None if hook.said.is_none() && publish::has_any(out) => {
                Err(hook.wrong("there are proofs, and no mark".to_owned()))
            }
            None if hook.said.is_none() => {
                hook.write()?; // else the first proof would stand beside no mark
                Ok(Some(hook))
            }
            Some(_) | None => Ok(Some(hook)),
        }
    }

    /// Compares what the mark says with what was released, once the log was read as far; `false`
    /// before that. `is_all` says that the log has no more.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Mark`], where it is of another history; or it could not be made durable.
    pub(super) fn agrees(
        &mut self,
        released: &[Release],
        is_all: bool,
    ) -> Result<bool, ClusterError> {
        let Some(said) = &self.said else { return Ok(true) };
        let number = said.number;
        let Some(before) = usize::try_from(number).ok().and_then(|number| released.get(..number))
        else {
            let has = released.len();
            return match is_all {
                true => Err(self.wrong(format!(
                    "the hook ran up to release {number}, and the log has {has}: it was put back to an older copy"
                ))),
                false => Ok(false),
            };
        };
        let history = of(before);
        if said.history.as_ref().is_some_and(|said| *said != history.to_string()) {
            return Err(self.wrong(format!(
                "up to release {number} the log has other releases than those that the hook ran for: it was put back to an \
                 older copy, and went on otherwise"
            )));
        }
        if said.log.is_none() {
            if before.last().is_some_and(|last| !publish::has_file(&self.out, last.key)) {
                return Err(self.wrong(format!(
                    "the mark says {number} and not of which log, and there is no proof of release {number} of this one"
                )));
            }
            let mark = self.mark();
            tell::warn(format_args!(
                "{} says not of which log it is, as an older push0 wrote it: it is taken for one of this log, whose release \
                 {number} is there",
                mark.display()
            ));
        }
        (self.done, self.history, self.said) = (ReleaseNumber(number), history, None);
        self.write()?;
        Ok(true)
    }

    /// Runs it for a release that it has not seen; `false` if it must be run again.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Dir`]: it ran, and the mark of that could not be made durable.
    pub(super) fn run(
        &mut self,
        number: ReleaseNumber,
        key: Key,
        file: &Path,
    ) -> Result<bool, ClusterError> {
        let Some((program, arguments)) = self.words.split_first() else { return Ok(true) };
        if number <= self.done {
            return Ok(true);
        }
        let mut command = Command::new(program);
        command.args(arguments).arg(file);
        let bounds = Bounds { timeout: self.timeout, memory_bytes: None, output_bytes: u64::MAX };
        let shown = file.display();
        match child::run(command, &self.around, bounds) {
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
        (self.done, self.history) = (number, next(self.history, key));
        self.write()?;
        Ok(true)
    }

    /// What it has seen after `before` was taken back in part: it is run for all of that again.
    pub(super) fn recall(
        &mut self,
        before: ReleaseNumber,
        released: &[Release],
    ) -> Result<(), ClusterError> {
        if self.done <= before {
            return Ok(());
        }
        let first = usize::try_from(before.0).ok().and_then(|before| released.get(..before));
        (self.done, self.history) = (before, of(first.unwrap_or_default()));
        self.write()
    }

    fn write(&self) -> Result<(), ClusterError> {
        let (log, history) = (Some(self.log.clone()), Some(self.history.to_string()));
        HookMark { log, number: self.done.0, history }.write(&self.mark())
    }

    fn mark(&self) -> PathBuf {
        self.out.join(HOOKED)
    }

    fn wrong(&self, what: String) -> ClusterError {
        ClusterError::Mark { path: self.mark(), log: self.log.clone(), what }
    }
}

/// The history of these releases, the first ones of a log.
fn of(released: &[Release]) -> Digest {
    released.iter().fold(BEGINNING, |before, release| next(before, release.key))
}

/// The history with one release more: what each proves, in order. By whom and when it was proved is
/// no part of it.
fn next(before: Digest, key: Key) -> Digest {
    let Key { chain, first, last, part, tip } = key;
    let part = part.map(|part| format!(" {part}")).unwrap_or_default();
    Digest::of(format!("{before} {} {} {} {tip}{part}\n", chain.0, first.0, last.0).as_bytes())
}

/// The history of no release.
const BEGINNING: Digest = Digest([0; 32]);

/// How far the hook has come, in the directory of the proofs.
const HOOKED: &str = ".hooked";

#[cfg(test)]
mod tests {
    use std::fs;

    use push0_core::{BlockHash, ChainId, Height};

    use super::*;

    #[test]
    fn it_is_run_once_for_each_release_across_lives() {
        let dir = tempfile::tempdir().expect("a directory");
        let (out, ran) = (dir.path().join("out"), dir.path().join("ran"));
        fs::create_dir(&out).expect("a directory");
        let script = script(dir.path(), &format!("echo \"$1\" >> {}", ran.display()));
        let released: Vec<_> = (1..=2).map(release).collect();
        for _ in 0..2 {
            let mut hook = open(&script, &out, LOG).expect("a mark").expect("a hook");
            assert!(hook.agrees(&released, false).expect("it is this log's"));
            for release in released.iter().chain(&released) {
                let file = out.join(release.number.0.to_string());
                assert!(hook.run(release.number, release.key, &file).expect("run"));
            }
        }
        assert_eq!(fs::read_to_string(ran).expect("it ran").lines().count(), 2);
        assert_eq!(marked(&out), format!("{LOG} 2 {}\n", of(&released)));
    }

    #[test]
    fn a_mark_of_another_log_or_of_another_history_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let released: Vec<_> = (1..=3).map(release).collect();
        let (short, other): (Vec<_>, Vec<_>) =
            ((1..=2).map(release).collect(), [1, 9, 3].map(release).into());
        let mark = |text: String| fs::write(dir.path().join(HOOKED), text).expect("writable");
        mark(format!("{} 2 {}\n", "f".repeat(32), of(&released)));
        for words in ["/bin/true", ""] {
            let refused = open(words, dir.path(), LOG).err().expect("another log's");
            let told = refused.to_string();
            assert!(told.contains("of another log (ffff") && told.contains(LOG), "{told}");
            assert!(told.contains("(--out)"), "{told}");
        }
        mark(format!("{LOG} 3 {}\n", of(&released)));
        let mut hook = open("/bin/true", dir.path(), LOG).expect("a mark").expect("a hook");
        assert!(!hook.agrees(&short, false).expect("more may come"));
        let told = hook.agrees(&short, true).expect_err("it went back").to_string();
        assert!(told.contains("up to release 3, and the log has 2"), "{told}");
        let told = hook.agrees(&other, false).expect_err("another history").to_string();
        assert!(told.contains("other releases than those that the hook ran for"), "{told}");
        assert!(hook.agrees(&released, false).expect("this one"));
    }

    #[test]
    fn proofs_beside_no_mark_are_never_the_beginning() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("5-6-01.proof.json"), "{").expect("a writable directory");
        assert!(open(" ", dir.path(), LOG).expect("no hook is named").is_none());
        let told = open("/bin/true", dir.path(), LOG).err().expect("no mark").to_string();
        assert!(told.contains("there are proofs, and no mark"), "{told}");
        let remedy = format!("write `{LOG} N` and an end of line");
        assert!(told.contains(&remedy), "{told}");
        fs::write(dir.path().join(HOOKED), format!("{LOG} 0\n")).expect("writable");
        assert!(open("/bin/true", dir.path(), LOG).expect("it is said").is_some());
    }

    #[test]
    fn a_mark_of_before_is_taken_where_its_release_is_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let released: Vec<_> = (1..=2).map(release).collect();
        fs::write(dir.path().join(HOOKED), "2\n").expect("writable");
        let mut hook = open("/bin/true", dir.path(), LOG).expect("a mark").expect("a hook");
        let told = hook.agrees(&released, true).expect_err("of which log?").to_string();
        assert!(told.contains("no proof of release 2 of this one"), "{told}");
        let name = publish::file_name(release(2).key);
        fs::write(dir.path().join(name), "{").expect("writable");
        assert!(hook.agrees(&released, true).expect("it is there"));
        assert_eq!(marked(dir.path()), format!("{LOG} 2 {}\n", of(&released)));
    }

    #[test]
    fn what_was_taken_back_sets_it_back_also_where_no_hook_is_named() {
        for words in ["/bin/true", ""] {
            let dir = tempfile::tempdir().expect("a directory");
            let released: Vec<_> = (1..=3).map(release).collect();
            let mark = format!("{LOG} 3 {}\n", of(&released));
            fs::write(dir.path().join(HOOKED), mark).expect("writable");
            let mut hook = open(words, dir.path(), LOG).expect("a mark").expect("a mark is there");
            assert!(hook.agrees(&released, false).expect("it is this log's"));
            hook.recall(ReleaseNumber(1), &released).expect("written");
            assert_eq!(marked(dir.path()), format!("{LOG} 1 {}\n", of(&[release(1)])));
        }
    }

    #[test]
    fn one_that_fails_or_hangs_is_to_be_run_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let Release { number, key, .. } = release(1);
        for text in ["exit 3", "sleep 1000 & wait"] {
            let script = words(Some(&script(dir.path(), text)));
            let timeout = Duration::from_millis(300);
            let hook = Hook::open(script, &[], timeout, dir.path(), LOG).expect("a mark");
            let mut hook = hook.expect("a hook");
            assert!(hook.agrees(&[], false).expect("nothing is done"));
            assert!(!hook.run(number, key, dir.path()).expect("run"), "{text}");
            assert_eq!(marked(dir.path()), format!("{LOG} 0 {BEGINNING}\n"));
        }
    }

    fn open(command: &str, out: &Path, log: &str) -> Result<Option<Hook>, ClusterError> {
        Hook::open(words(Some(command)), &[], Duration::from_secs(60), out, log)
    }

    fn marked(out: &Path) -> String {
        fs::read_to_string(out.join(HOOKED)).expect("a mark")
    }

    fn release(number: u64) -> Release {
        let tip = BlockHash([u8::try_from(number).expect("a few"); 32]);
        let key =
            Key { chain: ChainId(1), first: Height(number), last: Height(number), part: None, tip };
        Release { number: ReleaseNumber(number), key, tasks: Vec::new() }
    }

    /// A command that runs a script.
    fn script(dir: &Path, words: &str) -> String {
        let path = dir.join("hook.sh");
        fs::write(&path, words).expect("a script");
        format!("sh {}", path.display())
    }

    const LOG: &str = "0123456789abcdef0123456789abcdef";
}
