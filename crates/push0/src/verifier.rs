//! Asks a verifier about a final proof, as a stranger would, and takes its word.
//!
//! It gets a copy of the envelope that nobody else writes to, and the limits that its pipeline
//! gives it. What its end says is read by the same rule as within a run
//! (`push0_dispatch::Verdict`).
//!
//! Not here: results within a run, which their dispatcher has verified (`push0_dispatch`).

mod scratch;

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use push0_core::{Asking, Believes, Surroundings};
use push0_dispatch::{Ending, Verdict};
use push0_prover::Envelope;

pub(crate) use self::scratch::sweep;

use self::scratch::Scratch;
use crate::child::{self, Bounds, ChildEnd};

/// How a verifier is asked that no pipeline speaks of, within so much memory.
#[must_use]
pub const fn by_hand(believes: Believes, memory_bytes: u64) -> Asking {
    Asking { believes, memory_bytes, timeout: TIMEOUT }
}

/// A verifier: its argv, how it is asked, and what it has around it.
#[derive(Clone, Debug)]
pub struct Verifier {
    /// The first word is its file.
    pub argv: Vec<String>,
    /// Its limits, and what of it is believed.
    pub asking: Asking,
    /// Its environment, and a wrapper.
    pub surroundings: Surroundings,
}

/// Directories of push0's that a verifier may use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places<'a> {
    /// In which it may keep things between runs; where none is named, they go with its envelope.
    pub cache: Option<&'a Path>,
    /// In which it finds its envelope; where none is named, the system's for what is temporary.
    pub scratch: Option<&'a Path>,
}

/// Asks the verifier about `envelope`.
#[must_use]
pub fn ask(verifier: &Verifier, envelope: &Envelope, places: Places<'_>) -> Verdict {
    match try_ask(verifier, envelope, places) {
        Ok(ended) => read(&verifier.asking, &ended),
        Err(why) => Verdict::None { why },
    }
}

fn try_ask(
    verifier: &Verifier,
    envelope: &Envelope,
    places: Places<'_>,
) -> Result<ChildEnd, String> {
    let Verifier { argv, asking, surroundings } = verifier;
    if argv.is_empty() {
        return Err("there is no verifier".to_owned());
    }
    let words: Vec<&String> = surroundings.wrap.iter().chain(argv).collect();
    let (program, arguments) = words.split_first().ok_or("there is no verifier")?;
    if let Some(wrapped) = argv.first().filter(|_| !surroundings.wrap.is_empty()) {
        // Its wrapper would say it in its own words, and who knows with which code.
        push0_dispatch::startable(wrapped, &push0_dispatch::environment(surroundings))
            .map_err(|fault| format!("`{wrapped}` could not be run: {fault}"))?;
    }
    // Another user cannot come by what push0 keeps closed.
    let dir = Scratch::make(places.scratch.filter(|_| surroundings.user.is_none()));
    let dir = dir.map_err(|error| format!("no directory for the envelope: {error}"))?;
    let path = dir.path().join("envelope.json");
    let written =
        File::create(&path).and_then(|file| envelope.write(file).map_err(io::Error::from));
    written.map_err(|error| format!("the envelope could not be written: {error}"))?;

    let mut command = Command::new(program);
    command.args(arguments).arg("--input-path").arg(&path);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // What push0 keeps is not another user's to write.
    let cache = places.cache.filter(|_| surroundings.user.is_none()).unwrap_or_else(|| dir.path());
    command.env("TMPDIR", dir.path()).env("PUSH0_CACHE", cache);
    if let Some(user) = &surroundings.user {
        push0_dispatch::run_as(&mut command, user, dir.path())
            .map_err(|error| format!("{error}: {}", error.remedy()))?;
    }
    let memory_bytes = Some(asking.memory_bytes).filter(|bytes| *bytes > 0);
    let bounds = Bounds { timeout: asking.timeout, memory_bytes, output_bytes: OUTPUT_BYTES_MAX };
    child::run(command, surroundings, bounds)
        .map_err(|error| format!("`{program}` could not be run: {error}"))
}

/// Where verifiers may keep things beside a run: what `PUSH0_CACHE` of push0's own environment
/// names, else a directory in the user's cache. None where neither can be had.
pub(crate) fn kept() -> Option<PathBuf> {
    kept_by(|name| std::env::var_os(name))?.make()
}

/// A directory where verifiers may keep things.
#[derive(Debug, Eq, PartialEq)]
enum CacheDir {
    /// The user's, who says what others may do in it.
    Named(PathBuf),
    /// push0's own.
    Own(PathBuf),
}

impl CacheDir {
    fn make(self) -> Option<PathBuf> {
        match self {
            Self::Named(path) => {
                let mut builder = DirBuilder::new();
                builder.recursive(true).mode(0o700).create(&path).is_ok().then_some(path)
            }
            Self::Own(path) => push0_dispatch::own_dir(&path).is_ok().then_some(path),
        }
    }
}

fn kept_by(variable: impl Fn(&str) -> Option<OsString>) -> Option<CacheDir> {
    let named = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    named("PUSH0_CACHE").map(CacheDir::Named).or_else(|| {
        let cache = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))?;
        Some(CacheDir::Own(cache.join("push0/verifiers")))
    })
}

fn read(asking: &Asking, ended: &ChildEnd) -> Verdict {
    let ChildEnd { code, how, stdout, stderr, heard } = ended;
    let said = if stderr.trim().is_empty() { stdout } else { stderr };
    let output = last_lines(said.trim());
    let ending = Ending { code: *code, how, heard, output: &output };
    Verdict::read(asking.believes, None, &ending)
}

/// The end of what it printed, short enough for an error.
fn last_lines(words: &str) -> String {
    let lines: Vec<&str> = words.lines().collect();
    let from = lines.len().saturating_sub(LINES_SHOWN_MAX);
    lines.get(from..).unwrap_or_default().join("\n")
}

/// How long one may take that no pipeline speaks of; it may have to load keys first. As
/// `docs/formats.md` has it.
const TIMEOUT: Duration = Duration::from_secs(120);
/// What it may print; as within a run.
const OUTPUT_BYTES_MAX: u64 = 16 << 20;
/// Lines of its output that an error shows.
const LINES_SHOWN_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use push0_prover::wire::{Base64, Hash32, Hex, Key};
    use push0_prover::{EnvelopeFormat, Program};

    use super::*;

    #[test]
    fn exit_0_accepts_with_the_key_and_claim_that_it_prints() {
        let key = format!("sha256:{}", "ab".repeat(32));
        let script = format!("echo chatter; echo '{{\"vkey\":\"{key}\",\"claim\":{{\"a\":1}}}}'");
        let expected =
            Verdict::Accepted { vkey: key.parse().ok(), claim: Some(serde_json::json!({"a": 1})) };
        assert_eq!(say(&script), expected);
    }

    #[test]
    fn exit_0_without_a_word_is_believed_of_one_that_is_said_to_speak_so() {
        let accepted = Verdict::Accepted { vkey: None, claim: None };
        let ask = |believes| {
            ask(&verifier("exit 0", by_hand(believes, AMPLE)), &envelope(), Places::default())
        };
        assert_eq!(ask(Believes::Exit), accepted);
        for believes in [Believes::Line, Believes::LineOfGuess] {
            assert!(matches!(ask(believes), Verdict::None { .. }));
        }
    }

    #[test]
    fn a_refusal_is_in_its_words() {
        let words = "bad pairing".to_owned();
        let refused = Verdict::Refused { words };
        assert_eq!(say(r#"echo '{"refused":"bad pairing"}'; exit 1"#), refused);
        assert_eq!(say("echo bad pairing >&2; exit 196"), refused);
    }

    #[test]
    fn a_refusal_counts_however_much_is_printed_behind_it() {
        let script =
            "echo '{\"refused\":\"bad pairing\"}'; yes | head -c 300000; echo '{\"claim\":1}'";
        assert_eq!(say(script), Verdict::Refused { words: "bad pairing".to_owned() });
    }

    #[test]
    fn any_other_end_is_no_verdict() {
        for script in ["exit 1", "exit 2", "kill -9 $$"] {
            assert!(matches!(say(script), Verdict::None { .. }), "{script}");
        }
        let argv = vec!["/no/such/verifier".to_owned()];
        let gone = Verifier { argv, ..verifier("", by_hand(Believes::Exit, AMPLE)) };
        let gone = ask(&gone, &envelope(), Places::default());
        assert!(matches!(gone, Verdict::None { .. }), "{gone:?}");
    }

    #[test]
    fn what_is_no_program_is_never_run_as_lines_of_a_shell() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("verifier");
        fs::write(&path, format!("touch {}/ran\n", dir.path().display())).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("its own");
        let argv = vec![path.display().to_string()];
        let text = Verifier { argv, ..verifier("", by_hand(Believes::Exit, AMPLE)) };
        let Verdict::None { why } = ask(&text, &envelope(), Places::default()) else {
            panic!("a verdict")
        };
        assert!(why.contains("names its interpreter"), "{why}");
        let mut wrapped = text;
        wrapped.surroundings.wrap = vec!["sh".to_owned()];
        let Verdict::None { why } = ask(&wrapped, &envelope(), Places::default()) else {
            panic!("a verdict")
        };
        assert!(why.contains("names its interpreter"), "{why}");
        assert!(!dir.path().join("ran").exists());
    }

    #[test]
    fn it_runs_as_its_programs_user() {
        if !rustix::process::geteuid().is_root() {
            return; // nobody else can switch
        }
        let mut own = verifier(
            "[ $(id -u) = 65534 ] && grep -q push0 \"$2\" || exit 1",
            by_hand(Believes::Exit, AMPLE),
        );
        own.surroundings.user = Some("nobody".to_owned());
        assert_eq!(
            ask(&own, &envelope(), Places::default()),
            Verdict::Accepted { vkey: None, claim: None }
        );
        own.surroundings.user = Some("no-such-user".to_owned());
        let Verdict::None { why } = ask(&own, &envelope(), Places::default()) else {
            panic!("a verdict")
        };
        assert!(why.contains("no user no-such-user"), "{why}");
    }

    #[test]
    fn it_has_a_directory_of_its_own_and_one_that_is_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let cache = dir.path().join("cache");
        fs::create_dir(&cache).expect("a directory");
        let script =
            "[ -e \"$TMPDIR/envelope.json\" ] && echo so > $PUSH0_CACHE/kept && echo $TMPDIR";
        let verifier = verifier(script, by_hand(Believes::Exit, AMPLE));
        for (kept, is_kept) in [(None, false), (Some(&*cache), true)] {
            let places = Places { cache: kept, scratch: Some(dir.path()) };
            let verdict = ask(&verifier, &envelope(), places);
            assert!(matches!(verdict, Verdict::Accepted { .. }), "{verdict:?}");
            assert_eq!(cache.join("kept").exists(), is_kept);
        }
        assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 1, "its own are gone");
    }

    #[test]
    fn what_is_kept_beside_a_run_is_where_the_user_keeps_such() {
        let kept = |given: &[(&str, &str)]| {
            let value = |name: &str| given.iter().find(|(of, _)| *of == name).map(|it| it.1.into());
            kept_by(value)
        };
        let (home, xdg, own) = (("HOME", "/h"), ("XDG_CACHE_HOME", "/x"), ("PUSH0_CACHE", "/c"));
        let in_cache = |cache: &str| Some(CacheDir::Own(Path::new(cache).join("push0/verifiers")));
        assert_eq!(kept(&[home, xdg, own]), Some(CacheDir::Named("/c".into())));
        assert_eq!(kept(&[home, xdg]), in_cache("/x"));
        assert_eq!(kept(&[home, ("PUSH0_CACHE", "")]), in_cache("/h/.cache"));
        assert_eq!(kept(&[]), None);
    }

    #[test]
    fn what_is_kept_is_closed_to_others_unless_the_user_has_made_its_place() {
        let dir = tempfile::tempdir().expect("a directory");
        let (own, named) = (dir.path().join("x/own"), dir.path().join("named"));
        for path in [&own, &named] {
            fs::create_dir_all(path).expect("a directory");
            fs::set_permissions(path, Permissions::from_mode(0o755)).expect("it is ours");
        }
        let made = dir.path().join("y/made");
        for (kept, mode) in [
            (CacheDir::Own(own), 0o700),
            (CacheDir::Named(named), 0o755),
            (CacheDir::Own(made.clone()), 0o700),
            (CacheDir::Named(made.join("z")), 0o700),
        ] {
            let path = kept.make().expect("it can be made");
            let found = fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
            assert_eq!(found, mode, "{}", path.display());
        }
    }

    #[test]
    fn it_reads_the_envelope() {
        let script = "grep -q push0.proof/1 \"$2\" || exit 1";
        assert!(matches!(say(script), Verdict::Accepted { .. }));
    }

    #[test]
    fn much_output_is_bounded_and_its_end_is_kept() {
        let Verdict::Refused { words } =
            say("yes | head -c 5000000 >&2; echo the end >&2; exit 196")
        else {
            panic!("not refused")
        };
        assert!(words.ends_with("the end") && words.len() < 1000, "{words}");
    }

    #[test]
    fn its_limits_are_those_it_was_given() {
        let short =
            Asking { timeout: Duration::from_millis(200), ..by_hand(Believes::Exit, AMPLE) };
        let verdict = ask(&verifier("sleep 1000", short), &envelope(), Places::default());
        assert!(matches!(&verdict, Verdict::None { why } if why.contains("200ms")), "{verdict:?}");
    }

    fn say(script: &str) -> Verdict {
        ask(&verifier(script, by_hand(Believes::Exit, AMPLE)), &envelope(), Places::default())
    }

    fn verifier(script: &str, asking: Asking) -> Verifier {
        let argv = ["sh", "-c", script, "sh"].map(ToOwned::to_owned).to_vec();
        Verifier { argv, asking, surroundings: Surroundings::default() }
    }

    fn envelope() -> Envelope {
        Envelope {
            format: EnvelopeFormat::V1,
            pipeline: "demo".into(),
            key: Key { chain: 1, first: 5, last: 6, part: None, tip: Hash32([1; 32]) },
            block_hashes: None,
            program: Program { name: "p".into(), vkey: None },
            mock: false,
            claim: None,
            public_values: Hex(vec![5]),
            proof: Base64(vec![0]),
            history: Vec::new(),
            inputs: None,
        }
    }

    /// More than a verifier of a test takes. Unit: bytes.
    const AMPLE: u64 = 1 << 30;
}
