//! A directory with a pipeline and its blocks, and the processes that push0 starts over it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::binaries;
use super::child::{Ended, Push0};
use super::history::History;
use super::processes::{self, MARK, Process};

/// A directory of its own. When it is dropped, its processes are killed and it is removed.
pub(crate) struct World {
    dir: TempDir,
}

impl World {
    /// With this pipeline, and these lines as its source.
    pub(crate) fn new(pipeline: &str, blocks: &str) -> Self {
        // On a disk: what is in memory is never torn, and syncs in no time.
        let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let world = Self { dir };
        world.write("pipeline.toml", pipeline);
        world.write("blocks.jsonl", blocks);
        world
    }

    /// The pipeline over the first `count` of the example's blocks, by the prover that proves.
    pub(crate) fn real(count: usize) -> Self {
        let example = binaries::workspace().join("examples/scroll");
        let read = |name: &str| fs::read_to_string(example.join(name)).expect("an example");
        let blocks = read(SCROLL);
        let first: String = blocks.lines().take(count).flat_map(|line| [line, "\n"]).collect();
        Self::new(&read("pipeline.toml").replace(SCROLL, "blocks.jsonl"), &first)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("room on the disk");
    }

    /// A program in a shell.
    pub(crate) fn write_program(&self, name: &str, body: &str) {
        push0_testbed::program(&self.path(name), body);
    }

    /// A world whose mocks begin once the gate is open.
    pub(crate) fn gated(pipeline: &str, blocks: &str) -> Self {
        let world = Self::new(&pipeline.replace("push0-prover-mock", "./gated"), blocks);
        let (gate, mock) = (world.path(GATE), binaries::mock());
        let wait = format!("until [ -e '{}' ]; do sleep 0.02; done", gate.display());
        world.write_program("gated", &format!("{wait}\nexec '{}' \"$@\"", mock.display()));
        world
    }

    pub(crate) fn open_gate(&self) {
        self.write(GATE, "");
    }

    /// Runs it until so many attempts are granted, and only then lets them end.
    pub(crate) fn run_once_granted(&self, attempts: usize, words: &[&str]) {
        let run = self.start(words);
        run.await_lines(" granted ", attempts);
        self.open_gate();
        run.end().with(0);
    }

    /// Starts `push0 run` on the pipeline.
    pub(crate) fn start(&self, words: &[&str]) -> Push0 {
        let words = [&["run", "pipeline.toml", "--data", "data"], words].concat();
        self.start_bare(&words)
    }

    /// The same, though whoever runs the tests ignores SIGHUP.
    pub(crate) fn start_hearing_hangups(&self, words: &[&str]) -> Push0 {
        let own = self.command(&[&["run", "pipeline.toml", "--data", "data"], words].concat());
        let mut command = Command::new("env");
        command.arg("--default-signal=HUP").arg(own.get_program()).args(own.get_args());
        command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(own.get_current_dir().expect("it has one"));
        Push0::start(&mut command)
    }

    /// The same, to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        self.start(words).end()
    }

    /// Starts push0 in the directory, with no words but these.
    pub(crate) fn start_bare(&self, words: &[&str]) -> Push0 {
        Push0::start(&mut self.command(words))
    }

    /// The same, not yet started.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binaries::push0());
        command.args(words).current_dir(self.dir.path()).env(MARK, self.dir.path());
        command
    }

    /// The same, to its end.
    pub(crate) fn push0(&self, words: &[&str]) -> Ended {
        self.start_bare(words).end()
    }

    /// All that the log says, checked for what must always hold.
    pub(crate) fn history(&self) -> History {
        let cat = self.push0(&["log", "cat", "--json", "--data", "data"]).with(0);
        History::checked(&cat.stdout)
    }

    /// What a run to the end says its proofs say.
    pub(crate) fn public_values(&self, words: &[&str]) -> Vec<String> {
        let run = self.run(&[&["--json"], words].concat()).with(0).json();
        assert_eq!(run["complete"], true, "{run}");
        let proofs = run["proofs"].as_array().expect("a list");
        proofs.iter().map(|proof| proof["public_values"].to_string()).collect()
    }

    pub(crate) fn processes(&self) -> Vec<Process> {
        processes::of(self.dir.path())
    }

    /// Waits until nothing that push0 started lives.
    pub(crate) fn await_no_process(&self) {
        if let Err(left) = processes::wait(self.dir.path(), <[Process]>::is_empty) {
            panic!("left over: {left:?}");
        }
    }

    /// Waits until there is such a process.
    pub(crate) fn await_process(&self, is_it: impl Fn(&Process) -> bool) {
        if let Err(others) = processes::wait(self.dir.path(), |found| found.iter().any(&is_it)) {
            panic!("not among {others:?}");
        }
    }

    /// The store's file of an artifact.
    pub(crate) fn artifact(&self, digest: &str) -> PathBuf {
        let shard = digest.get(..2).expect("a digest");
        self.path("data/store").join(shard).join(digest)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for process in self.processes() {
            process.kill();
        }
        let _ = processes::wait(self.dir.path(), <[Process]>::is_empty);
    }
}

/// Flips a bit of a file.
pub(crate) fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).expect("a file");
    *bytes.get_mut(at).expect("within the file") ^= 1;
    fs::write(file, bytes).expect("room on the disk");
}

const GATE: &str = "gate";

const SCROLL: &str = "scroll-mainnet-16525000-20.jsonl";
