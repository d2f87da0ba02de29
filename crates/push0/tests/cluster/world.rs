//! A cluster in a temporary directory: NATS, engines, dispatchers, clients.
//!
//! Everything that was started is ended by its id when the world goes.

mod history;
mod kinds;
mod users;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use push0_testbed::{Nats, S3, Settings, until};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use self::history::Reader;
use self::users::{Users, passwords};
use crate::binaries::{push0, workspace};

/// A cluster.
pub(crate) struct World {
    pub(crate) nats: Nats,
    nodes: usize,
    users: Users,
    /// What the log may hold.
    log_bytes: u64,
    /// None where machines share a directory.
    s3: Option<S3>,
    dir: TempDir,
    running: BTreeMap<String, Child>,
    runtime: tokio::runtime::Runtime,
    reader: RefCell<Option<Reader>>,
    /// What single processes are told otherwise than the others.
    told: BTreeMap<(String, &'static str), String>,
}

impl World {
    /// NATS servers, and a pipeline of one stage whose mock takes `time` for a block.
    pub(crate) fn new(nodes: usize, time: &str) -> Self {
        Self::over(nodes, time, String::new())
    }

    fn over(nodes: usize, time: &str, more: String) -> Self {
        Self::proving(nodes, &format!(r#"args = ["--for", "{time}"]"#), more)
    }

    fn proving(nodes: usize, stage: &str, more: String) -> Self {
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
            prove = {{ inputs = ["blocks"], program = "mock", {stage} }}
            [release]
            inputs = ["prove"]
            "#
        );
        fs::write(dir.path().join("pipeline.toml"), pipeline).expect("a writable directory");
        // As much as the servers of the tests have.
        let settings = format!("[nats]\nmax_bytes = \"16MiB\"\nreplicas = {nodes}\n");
        fs::write(dir.path().join("push0.toml"), settings).expect("a writable directory");
        let (nats, runtime) = (
            Nats::start_with(&Settings { nodes, more, env: passwords(), ..Settings::default() }),
            tokio::runtime::Runtime::new(),
        );
        let (running, reader, told) = (BTreeMap::new(), RefCell::default(), BTreeMap::new());
        let (users, runtime) = (Users::None, runtime.expect("a runtime"));
        Self {
            nats,
            nodes,
            users,
            log_bytes: 16 << 20,
            s3: None,
            dir,
            running,
            runtime,
            reader,
            told,
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
        let ids = if world.users == Users::Roles { ["gpu-1", "gpu-2"] } else { ["d1", "d2"] };
        for id in ids {
            world.dispatch(id);
            world.wait_for(id, "takes work");
        }
        world
    }

    /// Has a process that is started later find this in its environment.
    pub(crate) fn tell(&mut self, process: &str, name: &'static str, value: impl Into<String>) {
        self.told.insert((process.to_owned(), name), value.into());
    }

    pub(crate) fn serve(&mut self, name: &str) {
        let alive = format!("{name}.alive");
        let args = ["serve", "pipeline.toml", "--name", name, "--alive", &alive];
        self.start(name, &args);
    }

    pub(crate) fn dispatch(&mut self, id: &str) {
        self.dispatch_with(id, 2);
    }

    pub(crate) fn dispatch_with(&mut self, id: &str, slots: usize) {
        let (slots, alive) = (slots.to_string(), format!("{id}.alive"));
        let what = ["dispatch", "pipeline.toml", "--id", id, "--slots", &slots, "--memory", "8GiB"];
        self.start(id, &[&what[..], &["--alive", &alive]].concat());
    }

    /// Submits all blocks; the command waits for engines and for room.
    pub(crate) fn submit(&self) {
        assert!(self.run(&["submit", "pipeline.toml", &blocks()]).success());
    }

    /// The same, not waited for: work begins before the command ends. `wait_end` waits for
    /// `submit`.
    pub(crate) fn start_submit(&mut self) {
        self.start("submit", &["submit", "pipeline.toml", &blocks()]);
    }

    pub(crate) fn drain(&self) {
        assert!(self.run(&["finish", "--yes"]).success());
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

    /// Waits until a process has ended by itself. One that does not is ended with the world.
    pub(crate) fn wait_end(&mut self, name: &str) -> ExitStatus {
        let child = self.running.get_mut(name).expect("it runs");
        let ended =
            until(&format!("{name} does not end"), || child.try_wait().expect("it is ours"));
        self.running.remove(name);
        ended
    }

    /// Whether a process has ended by itself.
    pub(crate) fn has_ended(&mut self, name: &str) -> bool {
        let child = self.running.get_mut(name).expect("it was started");
        child.try_wait().expect("it is ours").is_some()
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
            assert!(!said.contains(" ERROR "), "{said}");
            said.contains(words).then_some(())
        });
    }

    pub(crate) fn said(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(format!("{name}.err"))).unwrap_or_default()
    }

    /// What a process has printed since it was started last.
    pub(crate) fn printed(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("{name}.out"))).unwrap_or_default()
    }

    /// Waits until a process shows that it lives, or that it does not.
    pub(crate) fn wait_alive(&self, name: &str, is_alive: bool) {
        let (file, code) = (format!("{name}.alive"), if is_alive { 0 } else { 1 });
        until(&format!("{name} is alive: not {is_alive}"), || {
            let mut alive = self.command(&["alive", &file, "--within", "2s"]);
            let ended = alive.stderr(Stdio::null()).status().expect("it starts");
            (ended.code() == Some(code)).then_some(())
        });
    }

    /// Runs what a test does to the servers itself.
    pub(crate) fn block_on<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
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

    /// A connection of the test's own.
    pub(crate) fn connected(&self) -> async_nats::Client {
        self.runtime.block_on(async_nats::connect(&self.nats.urls()[..])).expect("it runs")
    }

    /// Publishes what a leader might.
    pub(crate) fn say_as_leader(&self, client: &async_nats::Client, beat: impl Into<String>) {
        self.runtime.block_on(async {
            client.publish("push0.engine.beat", beat.into().into()).await.expect("it is connected");
            client.flush().await.expect("it is connected");
        });
    }

    pub(crate) fn start(&mut self, name: &str, args: &[&str]) {
        let path = self.dir.path().join(format!("{name}.err"));
        let said = File::options().create(true).append(true).open(path).expect("writable");
        let mut command = self.command(args);
        let told = self.told.iter().filter(|((process, _), _)| process == name);
        command.envs(told.map(|((_, name), value)| (*name, value)));
        let printed = File::create(self.path(&format!("{name}.out"))).expect("writable");
        let child = command.stdout(printed).stderr(said).spawn().expect("it starts");
        self.running.insert(name.to_owned(), child);
    }

    /// The same, by a program that starts it in its place.
    pub(crate) fn start_by(&mut self, by: &[&str], name: &str, args: &[&str]) {
        let (own, (by, words)) = (self.command(args), by.split_first().expect("a program"));
        let mut command = Command::new(by);
        command.args(words).arg(own.get_program()).args(own.get_args());
        command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let said = File::create(self.path(&format!("{name}.err"))).expect("writable");
        command
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said);
        self.running.insert(name.to_owned(), command.spawn().expect("it starts"));
    }

    /// What `push0 status --json` says.
    pub(crate) fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.output(&["status", "--json"])).expect("it is JSON")
    }

    /// The same, where there is somebody to ask.
    pub(crate) fn status_now(&self) -> Option<serde_json::Value> {
        let mut command = self.command(&["status", "--json"]);
        let ran = command.stdout(Stdio::piped()).stderr(Stdio::null()).output();
        serde_json::from_slice(&ran.expect("it starts").stdout).ok()
    }

    /// The same, once all of these answer and one engine leads: who takes too long to answer is
    /// left out.
    pub(crate) fn status_of(&self, engines: &[&str], dispatchers: &[&str]) -> serde_json::Value {
        let names = |status: &serde_json::Value, list: &str, name: &str| {
            let there = at(status, &format!("/cluster/{list}"));
            let there = there.as_array().cloned().unwrap_or_default();
            there.iter().map(|it| at(it, name)).collect::<Vec<_>>()
        };
        until("not all answer", || {
            let status = self.status_now()?;
            let leads = names(&status, "engines", "/leads").iter().any(|leads| !leads.is_null());
            let are_there = names(&status, "engines", "/engine") == engines
                && names(&status, "dispatchers", "/dispatcher") == dispatchers;
            (leads && are_there).then_some(status)
        })
    }

    /// What a command prints.
    pub(crate) fn output(&self, args: &[&str]) -> String {
        let ran = self.command(args).stdout(Stdio::piped()).output().expect("it starts");
        assert!(ran.status.success(), "{args:?}");
        String::from_utf8(ran.stdout).expect("it is text")
    }

    /// The provers that run under a dispatcher.
    pub(crate) fn provers_of(&self, dispatcher: &str) -> Vec<Pid> {
        let dispatcher = Pid::from_child(self.running.get(dispatcher).expect("it runs"));
        let name = |pid: &Pid| fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero()));
        let is_prover = |pid: &Pid| name(pid).is_ok_and(|name| name.starts_with("push0-prover"));
        push0_dispatch::children(dispatcher).into_iter().filter(is_prover).collect()
    }

    /// Waits until so many provers run: what was granted may be on its way.
    pub(crate) fn wait_running(&self, dispatcher: &str, provers: usize) {
        until(&format!("{dispatcher} does not run {provers}"), || {
            (self.provers_of(dispatcher).len() == provers).then_some(())
        });
    }

    pub(crate) fn run(&self, args: &[&str]) -> ExitStatus {
        let mut child = self.command(args).spawn().expect("it starts");
        until(&format!("{args:?} does not end"), || child.try_wait().expect("it is ours"))
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(push0());
        command.args(args).current_dir(self.dir.path()).env("PUSH0_CONFIG", "push0.toml");
        command.env("PUSH0_NATS", self.nats.urls().join(","));
        match self.s3 {
            // Half of it from the environment, as one would have it.
            Some(_) => command.env("AWS_SECRET_ACCESS_KEY", S3::SECRET_ACCESS_KEY),
            None => command.env("PUSH0_STORE", self.path("store")),
        };
        let role = args.iter().skip_while(|it| **it != "--id").nth(1).or_else(|| args.first());
        if let Some(user) = role.and_then(|role| self.users.of(role)) {
            command.env("PUSH0_NATS_USER", user).env("PUSH0_NATS_PASSWORD", PASSWORD);
        }
        if args.first() == Some(&"serve") && matches!(self.users, Users::One | Users::Roles) {
            command.env("PUSH0_NATS_SYSTEM_USER", "system");
            command.env("PUSH0_NATS_SYSTEM_PASSWORD", PASSWORD);
        }
        let is_reader = role.and_then(|role| self.users.of(role)) == Some("reader");
        let is_operator = role.and_then(|role| self.users.of(role)) == Some("operator");
        if is_reader || is_operator {
            command.env("PUSH0_CONFIG", "reader.toml");
        }
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn signal(&self, name: &str, signal: Signal) {
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

#[expect(clippy::disallowed_methods, reason = "the log's time is the wall's")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// What JSON holds at `pointer`; null where it holds nothing.
pub(crate) fn at(json: &serde_json::Value, pointer: &str) -> serde_json::Value {
    json.pointer(pointer).cloned().unwrap_or_default()
}

/// The file of all blocks.
pub(crate) fn blocks() -> String {
    let blocks = workspace().join("examples/scroll/scroll-mainnet-16525000-20.jsonl");
    blocks.to_string_lossy().into_owned()
}

/// Prints a time of recovery.
pub(crate) fn tell(what: &str, took: Duration) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "recovery: {what}: {took:.0?}");
}

/// Of every user.
pub(crate) const PASSWORD: &str = "pass";

pub(crate) const BLOCKS: usize = 20;
