//! A cluster in a temporary directory: NATS, engines, dispatchers, clients.
//!
//! Everything that was started is ended by its id when the world goes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use push0_core::{Event, Seq, TaskId, Turn};
use push0_log::{Log as _, NatsConfig, NatsLog};
use push0_testbed::{Nats, S3, Settings, until};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::binaries::{push0, workspace};

/// A cluster.
pub(crate) struct World {
    pub(crate) nats: Nats,
    nodes: usize,
    has_accounts: bool,
    /// None where machines share a directory.
    s3: Option<S3>,
    dir: TempDir,
    running: BTreeMap<String, Child>,
    runtime: tokio::runtime::Runtime,
    reader: RefCell<Option<NatsLog>>,
}

impl World {
    /// NATS servers, and a pipeline of one stage whose mock takes `time` for a block.
    pub(crate) fn new(nodes: usize, time: &str) -> Self {
        Self::over(nodes, time, String::new())
    }

    /// One server with accounts, one of them the system's, for `push0` and for what it may hear of others.
    pub(crate) fn with_accounts(time: &str) -> Self {
        let accounts = r#"
            accounts {
                SYS { users: [{ user: sys, password: s }] }
                PUSH0 { jetstream: enabled, users: [{ user: push0, password: p }] }
            }
            system_account: SYS
        "#;
        let mut world = Self::over(1, time, accounts.to_owned());
        world.has_accounts = true;
        world
    }

    /// One server, and a bucket in the place of the shared directory; of each block provers read what `give` says.
    pub(crate) fn over_s3(time: &str, give: &str) -> Self {
        let mut world = Self::over(1, time, String::new());
        let path = world.path("pipeline.toml");
        let pipeline = fs::read_to_string(&path).expect("it is there");
        fs::write(&path, pipeline.replace("number", give)).expect("writable");
        let s3 = S3::start();
        let table = format!(
            "[store]\ns3 = \"s3://{}/cluster\"\nendpoint = \"{}\"\naccess_key_id = \"{}\"\n",
            S3::BUCKET,
            s3.endpoint(),
            S3::ACCESS_KEY_ID,
        );
        let path = world.path("push0.toml");
        let settings = fs::read_to_string(&path).expect("it is there");
        fs::write(path, settings + &table).expect("writable");
        world.s3 = Some(s3);
        world
    }

    /// The server of the bucket.
    pub(crate) fn bucket(&mut self) -> &mut S3 {
        self.s3.as_mut().expect("this world has one")
    }

    fn over(nodes: usize, time: &str, more: String) -> Self {
        let dir = TempDir::new().expect("a directory");
        let pipeline = format!(
            r#"
            push0 = 1
            name = "cluster"
            allow_mock = true
            source = {{ kind = "submit", chain = 534352 }}
            [programs]
            mock = {{ command = ["push0-prover-mock"], contract = "file", give = "number", memory = "64MiB", mock = true }}
            [stages]
            prove = {{ inputs = ["blocks"], program = "mock", args = ["--for", "{time}"] }}
            [release]
            inputs = ["prove"]
            "#
        );
        fs::write(dir.path().join("pipeline.toml"), pipeline).expect("a writable directory");
        // As much as the servers of the tests have.
        let settings = format!("[nats]\nmax_bytes = \"16MiB\"\nreplicas = {nodes}\n");
        fs::write(dir.path().join("push0.toml"), settings).expect("a writable directory");
        let (nats, runtime) = (
            Nats::start_with(&Settings { nodes, more, ..Settings::default() }),
            tokio::runtime::Runtime::new(),
        );
        let (running, reader) = (BTreeMap::new(), RefCell::default());
        let has_accounts = false;
        let s3 = None;
        Self {
            nats,
            nodes,
            has_accounts,
            s3,
            dir,
            running,
            runtime: runtime.expect("a runtime"),
            reader,
        }
    }

    /// Two engines, of which `e1` leads, and two dispatchers with two slots each.
    pub(crate) fn usual(nodes: usize, time: &str) -> Self {
        Self::new(nodes, time).peopled()
    }

    /// The same, in a world of any kind.
    pub(crate) fn peopled(self) -> Self {
        let mut world = self;
        world.serve("e1");
        world.wait_for("e1", "leads in");
        world.serve("e2");
        world.wait_for("e2", "stands by");
        for id in ["d1", "d2"] {
            world.dispatch(id);
            world.wait_for(id, "takes work");
        }
        world
    }

    pub(crate) fn serve(&mut self, name: &str) {
        let args = ["serve", "pipeline.toml", "--name", name];
        self.start(name, &args);
    }

    pub(crate) fn dispatch(&mut self, id: &str) {
        let args = ["dispatch", "pipeline.toml", "--id", id, "--slots", "2", "--memory", "1GiB"];
        self.start(id, &args);
    }

    /// Submits all blocks; the command waits for engines and for room.
    pub(crate) fn submit(&self) {
        let blocks = workspace().join("examples/scroll/scroll-mainnet-16525000-20.jsonl");
        let blocks = blocks.to_string_lossy().into_owned();
        assert!(self.run(&["submit", "pipeline.toml", &blocks]).success());
    }

    pub(crate) fn drain(&self) {
        assert!(self.run(&["drain"]).success());
    }

    /// Ends a process as `kill -9` does.
    pub(crate) fn kill(&mut self, name: &str) -> SystemTime {
        let mut child = self.running.remove(name).expect("it runs");
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        now()
    }

    /// Ends a process as an operator does, and waits for it.
    pub(crate) fn stop(&mut self, name: &str) -> ExitStatus {
        self.signal(name, Signal::TERM);
        self.wait_end(name)
    }

    /// Waits until a process has ended by itself.
    pub(crate) fn wait_end(&mut self, name: &str) -> ExitStatus {
        let mut child = self.running.remove(name).expect("it runs");
        until(&format!("{name} does not end"), || child.try_wait().expect("it is ours"))
    }

    pub(crate) fn freeze(&self, name: &str) -> SystemTime {
        self.signal(name, Signal::STOP);
        now()
    }

    pub(crate) fn thaw(&self, name: &str) {
        self.signal(name, Signal::CONT);
    }

    /// Waits until a process has said these words.
    pub(crate) fn wait_for(&self, name: &str, words: &str) {
        until(&format!("{name} does not say {words:?}"), || {
            let said = self.said(name);
            assert!(!said.contains("error: "), "{said}");
            said.contains(words).then_some(())
        });
    }

    pub(crate) fn said(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(format!("{name}.err"))).unwrap_or_default()
    }

    /// Waits until so many blocks are accepted.
    pub(crate) fn wait_accepted(&self, blocks: usize) {
        until(&format!("fewer than {blocks} are accepted"), || {
            (self.accepted() >= blocks).then_some(())
        });
    }

    pub(crate) fn accepted(&self) -> usize {
        let is_accepted = |event: &&Event| matches!(event, Event::Accepted { .. });
        self.history().iter().flat_map(|turn| &turn.events).filter(is_accepted).count()
    }

    /// How long after `since` the log first has a turn like this.
    pub(crate) fn first_after(
        &self,
        since: SystemTime,
        what: &str,
        is_it: impl Fn(&Turn) -> bool,
    ) -> Duration {
        let since = since.duration_since(UNIX_EPOCH).expect("it is later than that");
        let since_us = u64::try_from(since.as_micros()).expect("not so late");
        until(what, || {
            let history = self.history();
            let found = history.iter().find(|turn| turn.at.0 >= since_us && is_it(turn))?;
            Some(Duration::from_micros(found.at.0 - since_us))
        })
    }

    /// What the log holds; nothing while it cannot be read.
    pub(crate) fn history(&self) -> Vec<Turn> {
        let mut reader = self.reader.borrow_mut();
        let config = NatsConfig {
            urls: self.nats.urls(),
            subject: "push0.log".to_owned(),
            replicas: self.nodes,
            user: self.has_accounts.then(|| "push0".to_owned()),
            password: self.has_accounts.then(|| "p".to_owned()),
            max_bytes: 16 << 20,
            retry_max: Duration::from_millis(500),
            ..NatsConfig::default()
        };
        self.runtime.block_on(async {
            if reader.is_none() {
                *reader = NatsLog::open(&config).await.ok();
            }
            match reader.as_ref() {
                Some(log) => log.read(Seq(0)).await.unwrap_or_default(),
                None => Vec::new(),
            }
        })
    }

    /// Deletes the log's stream, as an operator might by mistake.
    pub(crate) fn delete_stream(&self) {
        self.runtime.block_on(async {
            let client = async_nats::connect(&self.nats.urls()[..]).await.expect("it runs");
            let subject = "$JS.API.STREAM.DELETE.push0";
            let answer = client.request(subject, "".into()).await.expect("it answers");
            let text = String::from_utf8_lossy(&answer.payload).into_owned();
            assert!(text.contains("\"success\":true"), "{text}");
        });
    }

    /// Ends the source, waits for the proofs, and checks that all is as it must be.
    pub(crate) fn finish(self, blocks: usize) {
        self.drain();
        let proofs = self.dir.path().join("proofs.txt");
        let mut command = self.command(&["proofs", "pipeline.toml", "--follow", "--out", "out"]);
        command.stdout(File::create(&proofs).expect("a writable directory"));
        let mut child = command.spawn().expect("it starts");
        let status =
            until("not all proofs were released", || child.try_wait().expect("it is ours"));
        assert!(status.success(), "{status}");
        let lines = fs::read_to_string(&proofs).expect("it was written");
        let expected: Vec<_> = (1..=blocks).zip(16_525_000_u64..).collect();
        let released: Vec<(usize, u64)> = lines.lines().map(release).collect();
        assert_eq!(released, expected, "every block once, in order");
        let mut open: BTreeMap<TaskId, i32> = BTreeMap::new();
        for event in self.history().iter().flat_map(|turn| &turn.events) {
            if let Event::TaskOpened { task, .. } | Event::Reopened { task, .. } = event {
                *open.entry(*task).or_default() += 1;
            } else if let Event::Accepted { task, .. } = event {
                *open.entry(*task).or_default() -= 1;
            }
        }
        assert_eq!(open.len(), blocks);
        assert!(open.values().all(|open| *open == 0), "accepted once for each opening: {open:?}");
    }

    pub(crate) fn start(&mut self, name: &str, args: &[&str]) {
        let path = self.dir.path().join(format!("{name}.err"));
        let said = File::options().create(true).append(true).open(path).expect("writable");
        let child = self.command(args).stderr(said).spawn().expect("it starts");
        self.running.insert(name.to_owned(), child);
    }

    fn run(&self, args: &[&str]) -> ExitStatus {
        let mut child = self.command(args).spawn().expect("it starts");
        until(&format!("{args:?} does not end"), || child.try_wait().expect("it is ours"))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(push0());
        command.args(args).current_dir(self.dir.path()).env("PUSH0_CONFIG", "push0.toml");
        command.env("PUSH0_NATS", self.nats.urls().join(","));
        match self.s3 {
            // Half of it from the environment, as one would have it.
            Some(_) => command.env("AWS_SECRET_ACCESS_KEY", S3::SECRET_ACCESS_KEY),
            None => command.env("PUSH0_STORE", self.path("store")),
        };
        if self.has_accounts {
            command.env("PUSH0_NATS_USER", "push0").env("PUSH0_NATS_PASSWORD", "p");
            command.env("PUSH0_NATS_SYSTEM_USER", "sys").env("PUSH0_NATS_SYSTEM_PASSWORD", "s");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn signal(&self, name: &str, signal: Signal) {
        let child = self.running.get(name).expect("it runs");
        kill_process(Pid::from_child(child), signal).expect("it is ours");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            // A frozen one ends too.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// `NUMBER PATH`, the path being `out/HEIGHT-HEIGHT-TIP.proof.json`.
fn release(line: &str) -> (usize, u64) {
    let (number, path) = line.split_once(' ').expect("two words");
    let name = Path::new(path).file_name().expect("a file").to_string_lossy().into_owned();
    let height = name.split('-').next().and_then(|height| height.parse().ok());
    (number.parse().expect("a number"), height.expect("a height"))
}

#[expect(clippy::disallowed_methods, reason = "the log's time is the wall's")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Prints a time of recovery.
pub(crate) fn tell(what: &str, took: Duration) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "recovery: {what}: {took:.0?}");
}

pub(crate) const BLOCKS: usize = 20;
