//! A dispatcher with scripts for provers, and the engine's part played by the test.
//!
//! Not here: any claim.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use push0_core::{
    Asking, AttemptId, Beat, Believes, BlockHash, Bound, ChainId, Contract, Digest, FailureClass,
    FromDispatcher, Give, Grant, Height, InputId, Key, Outcome, Output, ProgramName, Report,
    ResultRef, Surroundings, TaskId, ToDispatcher, Verdict,
};
use push0_dispatch::{
    Config, Dispatcher, Gpus, Notice, ProgramConfig, Retry, Started, Store, Visible, start_with,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) dispatcher: Dispatcher,
    to: mpsc::Sender<ToDispatcher>,
    from: mpsc::Receiver<FromDispatcher>,
    pub(crate) notices: mpsc::Receiver<Notice>,
    next: u64,
    runtime: Runtime,
    pub(crate) dir: TempDir,
}

impl World {
    /// One slot, and a mock under the file contract that runs `script`, with `$in`, `$out`, `$args`
    /// set.
    pub(crate) fn of_mock(script: &str) -> Self {
        Self::with(1, |dir| BTreeMap::from([(name(), mock(dir, script))]))
    }

    /// One slot, and a mock under the serve contract.
    pub(crate) fn of_server(script: &str) -> Self {
        Self::with(1, |dir| BTreeMap::from([(name(), server(dir, script))]))
    }

    pub(crate) fn with(
        slots: u32,
        programs: impl FnOnce(&Path) -> BTreeMap<ProgramName, ProgramConfig>,
    ) -> Self {
        Self::patient(slots, RETRY, programs)
    }

    pub(crate) fn patient(
        slots: u32,
        retry: Retry,
        programs: impl FnOnce(&Path) -> BTreeMap<ProgramName, ProgramConfig>,
    ) -> Self {
        Self::of(retry, |dir| config(dir, slots, programs(dir)))
    }

    pub(crate) fn of(retry: Retry, config: impl FnOnce(&Path) -> Config) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let started = start_with(config(dir.path()), retry).expect("a dispatcher");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let Started { dispatcher, to, from, notices } = started;
        let builder = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = builder.expect("a runtime");
        Self { store, dispatcher, to, from, notices, next: 0, runtime, dir }
    }

    /// A grant of a task without inputs.
    pub(crate) fn new_grant(&mut self) -> Grant {
        self.next += 1;
        Grant {
            attempt: AttemptId(self.next),
            task: TaskId([7; 32]),
            stage: "leaf".parse().expect("a name"),
            program: name(),
            key: key(16_525_000),
            args: Vec::new(),
            timeout: LONG,
            grace: LONG,
            output: Output::Proof,
            inputs: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, message: ToDispatcher) {
        self.to.try_send(message).expect("room in the channel");
    }

    pub(crate) fn grant(&mut self, grant: &Grant) {
        self.send(ToDispatcher::Grant(Box::new(grant.clone())));
    }

    /// Grants, and waits for the report.
    pub(crate) fn outcome(&mut self, grant: &Grant) -> Outcome {
        self.grant(grant);
        self.outcome_of(grant)
    }

    /// Waits for the report of an attempt, and lets go of it.
    pub(crate) fn outcome_of(&mut self, grant: &Grant) -> Outcome {
        let report = self.report_of(grant);
        // One that ends after its last report hears no more.
        let _ = self.to.try_send(ToDispatcher::Verdict(grant.attempt, Verdict::Recorded));
        report.outcome
    }

    pub(crate) fn report_of(&mut self, grant: &Grant) -> Report {
        loop {
            match self.next() {
                FromDispatcher::Report(report) if report.attempt == grant.attempt => return report,
                FromDispatcher::Report(_) | FromDispatcher::Beat(_) => {}
            }
        }
    }

    pub(crate) fn proved(&mut self, grant: &Grant) -> ResultRef {
        let outcome = self.outcome(grant);
        let Outcome::Proved(result) = outcome else { panic!("{outcome:?}") };
        result
    }

    pub(crate) fn failed(&mut self, grant: &Grant) -> (FailureClass, String) {
        let outcome = self.outcome(grant);
        let Outcome::Failed { class, message } = outcome else { panic!("{outcome:?}") };
        (class, message)
    }

    /// Runs a task without inputs.
    pub(crate) fn try_once(&mut self) -> (FailureClass, String) {
        let grant = self.new_grant();
        self.failed(&grant)
    }

    /// What it proved, as text.
    pub(crate) fn text(&self, result: &ResultRef) -> String {
        let bytes = self.store.read(result.output).expect("an artifact");
        String::from_utf8(bytes).expect("text")
    }

    pub(crate) fn beat(&mut self) -> Beat {
        loop {
            if let FromDispatcher::Beat(beat) = self.next() {
                return beat;
            }
        }
    }

    /// The next beat that is as wanted.
    pub(crate) fn beat_with(&mut self, is_wanted: impl Fn(&Beat) -> bool) -> Beat {
        let give_up = Instant::now() + LONG;
        loop {
            let beat = self.beat();
            if is_wanted(&beat) {
                return beat;
            }
            assert!(Instant::now() < give_up, "{beat:?}");
        }
    }

    pub(crate) fn next(&mut self) -> FromDispatcher {
        let next = tokio::time::timeout;
        let message = self.runtime.block_on(async { next(LONG, self.from.recv()).await });
        message.expect("a message in time").expect("a dispatcher")
    }

    /// The next thing that an operator should know.
    pub(crate) fn notice(&mut self) -> Notice {
        let next = tokio::time::timeout;
        let notice = self.runtime.block_on(async { next(LONG, self.notices.recv()).await });
        notice.expect("a notice in time").expect("a dispatcher")
    }

    /// Ends the dispatcher, and leaves its directory.
    pub(crate) fn end(self) -> TempDir {
        let Self { dispatcher, dir, .. } = self;
        dispatcher.shutdown(Duration::ZERO);
        dir
    }

    pub(crate) fn put(&self, first: u64, bytes: &[u8]) -> Bound {
        Bound {
            input: InputId::Block(BlockHash([1; 32])),
            key: key(first),
            program: None,
            artifact: self.store.put(bytes).expect("put"),
        }
    }

    /// Waits until a script has written a file, and reads it.
    pub(crate) fn written(&self, name: &str) -> String {
        written(&self.dir.path().join(name))
    }

    /// Waits until nothing is left in the dispatcher's working directory.
    pub(crate) fn await_no_leftovers(&self) {
        let work = self.dir.path().join("dispatch/work");
        until(|| (fs::read_dir(&work).expect("a directory").count() == 0).then_some(()));
    }
}

pub(crate) fn config(
    dir: &Path,
    slots: u32,
    programs: BTreeMap<ProgramName, ProgramConfig>,
) -> Config {
    let gpus = gpus(dir).join(",");
    Config {
        id: "here".parse().expect("a name"),
        pipeline: "test".parse().expect("a name"),
        dir: dir.join("dispatch"),
        store: Store::open(&dir.join("store")).expect("a store"),
        slots,
        memory_bytes: 1 << 30,
        gpus: Gpus::of(2, Some(Visible::listed("CUDA_VISIBLE_DEVICES", &gpus))),
        programs,
        heartbeat: Duration::from_millis(50),
        uses_cgroups: true,
        adopts_orphans: true,
        keeps_results: false,
    }
}

/// Devices of this test's own: tests run side by side, and one dispatcher of a machine has each.
pub(crate) fn gpus(dir: &Path) -> [String; 2] {
    let own = Digest::of(dir.as_os_str().as_encoded_bytes()).short();
    [0, 1].map(|number| format!("GPU-{own}-{number}"))
}

/// A mock under the file contract. The script finds `$dir` (the test's), `$in`, `$out` and `$args`.
pub(crate) fn mock(dir: &Path, script: &str) -> ProgramConfig {
    let prelude = "\
while [ $# -gt 0 ]; do case $1 in
--input-path) in=$2; shift;; --output-path) out=$2; shift;; *) args=\"$args $1\";; esac; shift; done
";
    program(dir, &format!("{prelude}{script}"), Contract::File)
}

/// A mock under the serve contract. The script finds `$dir`, and `next` which reads a line and sets
/// `$line`, `$attempt` and `$out`.
pub(crate) fn server(dir: &Path, script: &str) -> ProgramConfig {
    let prelude = r#"
field() { printf %s "$line" | sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }
next() { read -r line || exit 0; attempt=$(field attempt); out=$(field output); }
ready() { echo '{"ready":{"vkey":null}}'; }
done_() { echo "{\"done\":{\"attempt\":$attempt}}"; }
"#;
    program(dir, &format!("{prelude}{script}"), Contract::Serve)
}

fn program(dir: &Path, script: &str, contract: Contract) -> ProgramConfig {
    let path = dir.join(format!("{:?}-{}", contract, Digest::of(script.as_bytes()).short()));
    fs::write(&path, format!("dir={}\n{script}\n", dir.display())).expect("a script");
    ProgramConfig {
        argv: vec!["/bin/sh".to_owned(), path.to_string_lossy().into_owned()],
        contract,
        give: Give::Raw,
        memory_bytes: 256 << 20,
        gpus: 0,
        verifier: Vec::new(),
        asking: Asking { believes: Believes::Exit, memory_bytes: 256 << 20, timeout: AMPLE },
        start: LONG,
        is_mock: true,
        vkey: None,
        surroundings: Surroundings::default(),
    }
}

pub(crate) fn name() -> ProgramName {
    "prover".parse().expect("a name")
}

pub(crate) fn key(first: u64) -> Key {
    let height = Height(first);
    Key { chain: ChainId(1), first: height, last: height, part: None, tip: BlockHash([9; 32]) }
}

/// Waits until a file is there with a whole line, and reads it.
pub(crate) fn written(path: &Path) -> String {
    until(|| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.ends_with('\n').then(|| text.trim().to_owned())
    })
}

/// Whether a process is there, and not just waiting to be reaped, or being so.
pub(crate) fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Asks again until there is an answer.
pub(crate) fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + LONG;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < give_up, "it never came to be");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Longer than anything takes that goes right.
pub(crate) const LONG: Duration = Duration::from_secs(60);
pub(crate) const SHORT: Duration = Duration::from_millis(100);

/// More than a script takes to begin, on a machine that does much else.
pub(crate) const AMPLE: Duration = Duration::from_secs(5);

/// With short pauses.
pub(crate) const RETRY: Retry =
    Retry { pause: Duration::from_millis(10), pause_max: Duration::from_millis(50), total: LONG };
