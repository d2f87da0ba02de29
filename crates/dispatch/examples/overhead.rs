//! Measures what a dispatcher adds to a prover's own time, under both contracts.
//!
//! ```text
//! cargo run --release -p push0-dispatch --example overhead [ATTEMPTS [DIR [PAUSE_MS]]]
//! ```
//!
//! The prover is this program itself; it makes a file of a number, another one each time. Compared
//! are the time from a grant to its report, and the time that the same prover takes when it is
//! merely spawned and waited for (file), or asked and answered over a pipe (serve); each time it
//! makes a new file. Storing the result is part of the first: two syncs of the disk at DIR, which
//! are named apart. From one attempt to the next is a pause: none shows a busy dispatcher, some
//! milliseconds one whose threads must be woken each time.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io};

use push0_core::{
    Asking, AttemptId, Believes, BlockHash, ChainId, Contract, FromDispatcher, Give, Grant, Height,
    Key, Outcome, Output, ProgramName, TaskId, ToDispatcher, Verdict,
};
use push0_dispatch::{Config, ProgramConfig, Started, Store, start};
use push0_prover::wire::{Reply, Request};

fn main() -> io::Result<()> {
    if env::var_os("PUSH0_CONTRACT").is_some() {
        return serve();
    }
    let args: Vec<String> = env::args().skip(1).collect();
    if let Some(output) = args.iter().skip_while(|arg| *arg != "--output-path").nth(1) {
        return fs::write(output, std::process::id().to_string());
    }
    let attempts = args.first().and_then(|count| count.parse().ok()).unwrap_or(500);
    let dir = args.get(1).map_or_else(|| env::temp_dir().join("push0-overhead"), PathBuf::from);
    let pause = args.get(2).and_then(|ms| ms.parse().ok()).unwrap_or(3);
    let run = Run { attempts, pause: Duration::from_millis(pause) };
    let own = env::current_exe()?.to_string_lossy().into_owned();
    let store = Store::open(&dir.join("store")).expect("a store");
    let disk = run.median(|at| put(&store, at));
    for (contract, bare) in [
        (Contract::File, run.timed(|at| spawn(&own, &bare(&dir, at)), |at| clear(&dir, at))),
        (Contract::Serve, pipe(&own, &dir, run)?),
    ] {
        let whole = dispatch(&own, &dir, contract, run);
        let added = whole.saturating_sub(bare);
        let rest = added.saturating_sub(disk);
        writeln!(
            io::stdout(),
            "{contract:?}: grant to report {whole:?}, the prover alone {bare:?}, added {added:?}: \
             {disk:?} to store the result, {rest:?} for all else (medians of {attempts})"
        )?;
    }
    fs::remove_dir_all(&dir)
}

fn dispatch(own: &str, dir: &Path, contract: Contract, run: Run) -> Duration {
    let name: ProgramName = "echo".parse().expect("a name");
    let program = ProgramConfig {
        argv: vec![own.to_owned()],
        contract,
        give: Give::Number,
        memory_bytes: 1 << 30,
        gpus: 0,
        verifier: Vec::new(),
        asking: Asking { believes: Believes::Line, memory_bytes: 0, timeout: Duration::ZERO },
        start: Duration::from_secs(60),
        is_mock: true,
        vkey: None,
        surroundings: Default::default(),
    };
    let config = Config {
        id: "here".parse().expect("a name"),
        pipeline: "overhead".parse().expect("a name"),
        dir: dir.join("dispatch"),
        store: Store::open(&dir.join("store")).expect("a store"),
        slots: 1,
        memory_bytes: 1 << 30,
        gpus: push0_dispatch::Gpus::default(),
        programs: BTreeMap::from([(name.clone(), program)]),
        heartbeat: Config::HEARTBEAT,
        uses_cgroups: true,
        adopts_orphans: true,
        keeps_results: false,
    };
    let Started { to, mut from, dispatcher, .. } = start(config).expect("a dispatcher");
    let whole = run.median(|at| {
        let grant = grant(&name, at + 1);
        to.blocking_send(ToDispatcher::Grant(Box::new(grant))).expect("a dispatcher");
        let report = loop {
            match from.blocking_recv().expect("a dispatcher") {
                FromDispatcher::Report(report) if report.attempt.0 == at + 1 => break report,
                FromDispatcher::Report(_) | FromDispatcher::Beat(_) => {}
            }
        };
        assert!(matches!(report.outcome, Outcome::Proved(_)), "{:?}", report.outcome);
        let verdict = ToDispatcher::Verdict(report.attempt, Verdict::Recorded);
        to.blocking_send(verdict).expect("a dispatcher");
    });
    dispatcher.shutdown(Duration::from_secs(1));
    whole
}

fn grant(program: &ProgramName, attempt: u64) -> Grant {
    let height = Height(attempt);
    Grant {
        attempt: AttemptId(attempt),
        task: TaskId([0; 32]),
        stage: "echo".parse().expect("a name"),
        program: program.clone(),
        key: Key {
            chain: ChainId(1),
            first: height,
            last: height,
            part: None,
            tip: BlockHash([0; 32]),
        },
        args: Vec::new(),
        timeout: Duration::from_secs(60),
        grace: Duration::from_secs(1),
        output: Output::Proof,
        inputs: Vec::new(),
    }
}

/// The prover under the serve contract: reads a line, writes a number, answers.
fn serve() -> io::Result<()> {
    let mut stdout = io::stdout();
    let mut say = |reply: &Reply| writeln!(stdout, "{}", serde_json::to_string(reply)?);
    say(&Reply::Ready { vkey: None })?;
    for line in io::stdin().lines() {
        if let Request::Prove(request) = serde_json::from_str(&line?)? {
            fs::write(&request.output, request.attempt.to_string())?;
            say(&Reply::Done { attempt: request.attempt })?;
        }
    }
    Ok(())
}

/// Where a prover that no dispatcher runs writes: each time to a new file, as under a dispatcher.
fn bare(dir: &Path, attempt: u64) -> PathBuf {
    dir.join(format!("bare-{attempt}"))
}

/// Removes it, as a dispatcher does.
fn clear(dir: &Path, attempt: u64) {
    fs::remove_file(bare(dir, attempt)).expect("it was made");
}

fn spawn(own: &str, output: &Path) {
    let mut command = Command::new(own);
    command.arg("--input-path").arg("/").arg("--output-path").arg(output);
    let status = command.stdout(Stdio::null()).status().expect("a process");
    assert!(status.success());
}

fn pipe(own: &str, dir: &Path, run: Run) -> io::Result<Duration> {
    let mut command = Command::new(own);
    command.env("PUSH0_CONTRACT", "serve").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let _ready = lines.next();
    let ask = |at| {
        let output = bare(dir, at).display().to_string();
        let request = format!(
            r#"{{"prove":{{"task":"00","attempt":{at},"stage":"echo","input":"/","output":"{output}"}}}}"#
        );
        writeln!(stdin, "{request}").expect("a pipe");
        lines.next().expect("an answer").expect("a pipe");
    };
    let bare = run.timed(ask, |at| clear(dir, at));
    drop(stdin);
    child.wait()?;
    Ok(bare)
}

/// What every attempt does with its result: one that the store does not have.
fn put(store: &Store, at: u64) {
    store.put((PUT + at).to_string().as_bytes()).expect("put");
}

/// No process and no attempt has such a number.
const PUT: u64 = 1 << 40;

/// How often something is done, and the rest before each time.
#[derive(Clone, Copy)]
struct Run {
    attempts: u64,
    pause: Duration,
}

impl Run {
    fn median(self, what: impl FnMut(u64)) -> Duration {
        self.timed(what, |_| {})
    }

    /// The median, and what is done after each time is not in it.
    fn timed(self, mut what: impl FnMut(u64), mut after: impl FnMut(u64)) -> Duration {
        let mut took: Vec<Duration> = (0..self.attempts)
            .map(|at| {
                std::thread::sleep(self.pause);
                let began = Instant::now();
                what(at);
                let took = began.elapsed();
                after(at);
                took
            })
            .collect();
        took.sort();
        took.get(took.len() / 2).copied().unwrap_or_default()
    }
}
