//! Measures what a dispatcher adds to a prover's own time, under both contracts.
//!
//! ```text
//! cargo run --release -p push0-dispatch --example overhead [ATTEMPTS [DIR]]
//! ```
//!
//! The prover is this program itself; it writes one byte. Compared are the time from a grant to its
//! report, and the time that the same prover takes when it is merely spawned and waited for (file), or
//! asked and answered over a pipe (serve). Storing is part of the first: two syncs of the disk at DIR.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io};

use push0_core::{
    AttemptId, BlockHash, ChainId, Contract, FromDispatcher, Give, Grant, Height, Key, Outcome,
    Output, ProgramName, TaskId, ToDispatcher, Verdict,
};
use push0_dispatch::{Config, ProgramConfig, Started, Store, start};
use push0_prover::wire::{Reply, Request};

fn main() -> io::Result<()> {
    if env::var_os("PUSH0_CONTRACT").is_some() {
        return serve();
    }
    let args: Vec<String> = env::args().skip(1).collect();
    if let Some(output) = args.iter().skip_while(|arg| *arg != "--output-path").nth(1) {
        return fs::write(output, b"1");
    }
    let attempts = args.first().and_then(|count| count.parse().ok()).unwrap_or(500);
    let dir = args.get(1).map_or_else(|| env::temp_dir().join("push0-overhead"), PathBuf::from);
    let own = env::current_exe()?.to_string_lossy().into_owned();
    let store = Store::open(&dir.join("store")).expect("a store");
    let disk = median(attempts, |_| put(&store));
    for (contract, bare) in [
        (Contract::File, median(attempts, |_| spawn(&own, &dir))),
        (Contract::Serve, pipe(&own, &dir, attempts)?),
    ] {
        let whole = dispatch(&own, &dir, contract, attempts);
        let added = whole.saturating_sub(bare);
        writeln!(
            io::stdout(),
            "{contract:?}: grant to report {whole:?}, the prover alone {bare:?}, added {added:?} \
             (medians of {attempts}; storing takes {disk:?} of it)"
        )?;
    }
    fs::remove_dir_all(&dir)
}

fn dispatch(own: &str, dir: &Path, contract: Contract, attempts: u64) -> Duration {
    let name: ProgramName = "echo".parse().expect("a name");
    let program = ProgramConfig {
        argv: vec![own.to_owned()],
        contract,
        give: Give::Number,
        memory_bytes: 1 << 30,
        gpus: 0,
        verifier: Vec::new(),
        is_mock: true,
        vkey: None,
    };
    let config = Config {
        id: "here".parse().expect("a name"),
        pipeline: "overhead".parse().expect("a name"),
        dir: dir.join("dispatch"),
        store: Store::open(&dir.join("store")).expect("a store"),
        slots: 1,
        memory_bytes: 1 << 30,
        gpus: 0,
        programs: BTreeMap::from([(name.clone(), program)]),
        heartbeat: Config::HEARTBEAT,
        uses_cgroups: true,
    };
    let Started { to, mut from, dispatcher, .. } = start(config).expect("a dispatcher");
    let whole = median(attempts, |at| {
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

/// The prover under the serve contract: reads a line, writes a byte, answers.
fn serve() -> io::Result<()> {
    let mut stdout = io::stdout();
    let mut say = |reply: &Reply| writeln!(stdout, "{}", serde_json::to_string(reply)?);
    say(&Reply::Ready { vkey: None })?;
    for line in io::stdin().lines() {
        if let Request::Prove(request) = serde_json::from_str(&line?)? {
            fs::write(&request.output, b"1")?;
            say(&Reply::Done { attempt: request.attempt })?;
        }
    }
    Ok(())
}

fn spawn(own: &str, dir: &Path) {
    let output = dir.join("bare");
    let mut command = Command::new(own);
    command.arg("--input-path").arg(dir).arg("--output-path").arg(output);
    let status = command.stdout(Stdio::null()).status().expect("a process");
    assert!(status.success());
}

fn pipe(own: &str, dir: &Path, attempts: u64) -> io::Result<Duration> {
    let mut command = Command::new(own);
    command.env("PUSH0_CONTRACT", "serve").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let _ready = lines.next();
    let output = dir.join("bare").to_string_lossy().into_owned();
    let request = format!(
        r#"{{"prove":{{"task":"00","attempt":1,"stage":"echo","input":"/","output":"{output}"}}}}"#
    );
    let bare = median(attempts, |_| {
        writeln!(stdin, "{request}").expect("a pipe");
        lines.next().expect("an answer").expect("a pipe");
    });
    drop(stdin);
    child.wait()?;
    Ok(bare)
}

/// What every attempt does with its result, which is there after the first.
fn put(store: &Store) {
    store.put(b"1").expect("put");
}

/// From one attempt to the next: what is cleared up after one is not in the time of the next.
const PAUSE: Duration = Duration::from_millis(3);

fn median(times: u64, mut what: impl FnMut(u64)) -> Duration {
    let mut took: Vec<Duration> = (0..times)
        .map(|at| {
            std::thread::sleep(PAUSE);
            let began = Instant::now();
            what(at);
            began.elapsed()
        })
        .collect();
    took.sort();
    took.get(took.len() / 2).copied().unwrap_or_default()
}
