//! Real nats-servers, one or a cluster, that can be killed, frozen and started again.
//!
//! A server that is started again has the ports and the files that it had. All of them are ended,
//! by their ids, when [`Nats`] is dropped; a test that is itself killed leaves them behind.
//!
//! Not here: faults of the network (`proxy`).

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{free_ports, monitor, until};

/// How the servers are set up.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// How many: one alone, or a cluster of three.
    pub nodes: usize,
    /// Whether they acknowledge before they sync, as servers do by default (`sync_interval` of 2
    /// minutes). Otherwise they sync first, as `deploy/nats.conf` has it.
    pub lazy_sync: bool,
    /// More lines for the configuration of each.
    pub more: String,
    /// What the configuration takes from the environment.
    pub env: Vec<(String, String)>,
}

/// Servers that know each other. Those that run end when this is dropped.
#[derive(Debug)]
pub struct Nats {
    nodes: Vec<Node>,
    env: Vec<(String, String)>,
    dir: TempDir,
}

#[derive(Debug)]
struct Node {
    name: String,
    port: u16,
    monitor: u16,
    route: u16,
    /// None while it is dead.
    process: Option<Child>,
}

impl Nats {
    /// Servers with JetStream that sync before they acknowledge, ready for use.
    #[must_use]
    pub fn start(nodes: usize) -> Self {
        Self::start_with(&Settings { nodes, ..Settings::default() })
    }

    /// Servers with these settings, ready for use.
    #[must_use]
    pub fn start_with(settings: &Settings) -> Self {
        for _ in 0..STARTS_MAX {
            let mut nats = Self::prepare(settings);
            (0..nats.nodes.len()).for_each(|node| nats.spawn(node));
            // Where another process took a port meanwhile, the server ends at once.
            if nats.await_ready() {
                return nats;
            }
        }
        panic!("nats-server ended at every start: {}", binary().display())
    }

    /// Where clients connect, one address for each server.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("nats://127.0.0.1:{}", node.port)).collect()
    }

    /// The port where clients connect to this server.
    #[must_use]
    pub fn port(&self, node: usize) -> u16 {
        self.node(node).port
    }

    /// The port where this server says of itself how it is.
    #[must_use]
    pub fn monitor(&self, node: usize) -> u16 {
        self.node(node).monitor
    }

    /// The process of this server; none while it is dead.
    #[must_use]
    pub fn pid(&self, node: usize) -> Option<u32> {
        self.node(node).process.as_ref().map(Child::id)
    }

    /// Where this server keeps its streams.
    #[must_use]
    pub fn store(&self, node: usize) -> PathBuf {
        self.dir.path().join(&self.node(node).name)
    }

    /// Ends this server as `kill -9` does.
    pub fn kill(&mut self, node: usize) {
        if let Some(mut process) = self.node_mut(node).process.take() {
            process.kill().expect("it is ours");
            process.wait().expect("it is ours");
        }
    }

    /// Starts a server that was killed, with the ports and files that it had. Does not wait for it.
    pub fn restart(&mut self, node: usize) {
        assert!(self.node(node).process.is_none(), "kill it first");
        self.spawn(node);
    }

    /// Has this server take other lines for its configuration than it was started with, and waits
    /// until it has.
    pub fn reload(&self, node: usize, settings: &Settings) {
        let loaded = |port| monitor::ask(port, "/varz")?.get("config_load_time").cloned();
        let monitor = self.node(node).monitor;
        let before = loaded(monitor).expect("it runs");
        self.configure(node, settings);
        self.signal(node, Signal::HUP);
        until("the configuration is not read again", || {
            loaded(monitor).filter(|now| *now != before)
        });
    }

    /// Waits until every server that was not killed says that it is ready.
    pub fn wait_ready(&mut self) {
        assert!(self.await_ready(), "a server ended: {}", self.last_words());
    }

    /// Keeps this server from running, with its connections open.
    pub fn freeze(&self, node: usize) {
        self.signal(node, Signal::STOP);
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self, node: usize) {
        self.signal(node, Signal::CONT);
    }

    /// The server that leads `stream`, once all that run agree on it.
    #[must_use]
    pub fn leader_of(&self, stream: &str) -> usize {
        if self.nodes.len() == 1 {
            return 0;
        }
        until(&format!("no leader of {stream}"), || {
            let running = self.nodes.iter().filter(|node| node.process.is_some());
            let said: Vec<_> =
                running.map(|node| monitor::stream_leader(node.monitor, stream)).collect();
            let leader = said.iter().flatten().next()?;
            let agree = said.iter().flatten().all(|name| name == leader);
            let position = self.nodes.iter().position(|node| node.name == *leader)?;
            (agree && self.nodes.get(position)?.process.is_some()).then_some(position)
        })
    }

    fn prepare(settings: &Settings) -> Self {
        assert!([1, 3].contains(&settings.nodes), "one server, or a cluster of three");
        let dir = TempDir::new().expect("a temporary directory");
        let ports = free_ports(settings.nodes * 3);
        let nodes = ports.chunks(3).zip(1..).map(|(ports, number)| {
            let &[port, monitor, route] = ports else { unreachable!("in threes") };
            Node { name: format!("n{number}"), port, monitor, route, process: None }
        });
        let nats = Self { nodes: nodes.collect(), env: settings.env.clone(), dir };
        (0..settings.nodes).for_each(|node| nats.configure(node, settings));
        nats
    }

    fn configure(&self, node: usize, settings: &Settings) {
        let routes: Vec<_> =
            self.nodes.iter().map(|node| format!("nats://127.0.0.1:{}", node.route)).collect();
        let node = self.node(node);
        let config = configuration(node, self.dir.path(), &routes, settings);
        fs::write(file(self.dir.path(), &node.name, "conf"), config).expect("it is ours");
    }

    fn spawn(&mut self, node: usize) {
        let (dir, env) = (self.dir.path().to_owned(), self.env.clone());
        let node = self.node_mut(node);
        let output = File::options()
            .create(true)
            .append(true)
            .open(file(&dir, &node.name, "out"))
            .expect("the directory is ours");
        let process = Command::new(binary())
            .arg("--config")
            .arg(file(&dir, &node.name, "conf"))
            .envs(env)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("it is open"))
            .stderr(output)
            .spawn()
            .expect("nats-server starts");
        node.process = Some(process);
    }

    /// Whether all that run became ready; not, if one ended.
    fn await_ready(&mut self) -> bool {
        let is_cluster = self.nodes.len() > 1;
        until("nats-server is not ready", || {
            let mut running = self.nodes.iter_mut().filter(|node| node.process.is_some());
            let has_ended = |node: &mut Node| {
                node.process
                    .as_mut()
                    .is_some_and(|process| process.try_wait().expect("it is ours").is_some())
            };
            if running.any(has_ended) {
                return Some(false);
            }
            let mut running = self.nodes.iter().filter(|node| node.process.is_some());
            let is_ready = |node: &Node| {
                monitor::ask(node.monitor, "/healthz").is_some()
                    && (!is_cluster || monitor::meta_leader(node.monitor).is_some())
            };
            running.all(is_ready).then_some(true)
        })
    }

    fn last_words(&self) -> String {
        let said = self
            .nodes
            .iter()
            .filter_map(|node| fs::read_to_string(file(self.dir.path(), &node.name, "out")).ok());
        said.filter_map(|said| said.lines().last().map(str::to_owned))
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn signal(&self, node: usize, signal: Signal) {
        let process = self.node(node).process.as_ref().expect("it runs");
        let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("it is ours");
    }

    fn node(&self, node: usize) -> &Node {
        self.nodes.get(node).expect("there is such a server")
    }

    fn node_mut(&mut self, node: usize) -> &mut Node {
        self.nodes.get_mut(node).expect("there is such a server")
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.kill(node));
    }
}

/// The nats-server that tests run: what `PUSH0_NATS_SERVER` names, or what `tools/nats-server` put
/// into this checkout.
#[must_use]
pub fn binary() -> PathBuf {
    let binary = env::var_os("PUSH0_NATS_SERVER").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(INSTALLED),
        PathBuf::from,
    );
    let missing = "there is no nats-server: run tools/nats-server, which puts one there";
    assert!(binary.is_file(), "{}: {missing}", binary.display());
    binary
}

fn configuration(node: &Node, dir: &Path, routes: &[String], settings: &Settings) -> String {
    let Node { name, port, monitor, route, .. } = node;
    let store = dir.join(name);
    // Without its quotes that would be two million seconds.
    let sync = if settings.lazy_sync { "\"2m\"" } else { "always" };
    let mut config = format!(
        "server_name: {name}\nlisten: 127.0.0.1:{port}\nhttp: 127.0.0.1:{monitor}\n\
         jetstream {{ store_dir: \"{}\", sync_interval: {sync}, max_file_store: 1GB }}\n{}\n",
        store.display(),
        settings.more,
    );
    if settings.nodes > 1 {
        // Clients are told of no other server, so that one behind a proxy stays behind it.
        let routes = routes.join(", ");
        let written = writeln!(
            config,
            "cluster {{ name: push0, listen: 127.0.0.1:{route}, no_advertise: true, routes: [{routes}] }}",
        );
        written.expect("a string takes everything");
    }
    config
}

fn file(dir: &Path, name: &str, extension: &str) -> PathBuf {
    dir.join(name).with_extension(extension)
}

/// Where `tools/nats-server` puts it; the version is written there too.
const INSTALLED: &str = "target/tools/nats-server-2.15.1/bin/nats-server";

/// How often servers are started whose ports another process took.
const STARTS_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_server_comes_back_where_it_was() {
        let mut nats = Nats::start(1);
        let (url, pid) = (nats.urls(), nats.pid(0));
        nats.kill(0);
        assert_eq!(nats.pid(0), None);
        nats.restart(0);
        nats.wait_ready();
        assert_eq!(nats.urls(), url);
        assert_ne!(nats.pid(0), pid);
    }

    #[test]
    fn three_servers_elect_one_and_another_when_it_freezes() {
        let nats = Nats::start(3);
        let leader = |asked: &Node| monitor::meta_leader(asked.monitor);
        let first = leader(nats.node(0)).expect("it is ready");
        let frozen = nats.nodes.iter().position(|node| node.name == first).expect("one of them");
        nats.freeze(frozen);
        let asked = nats.node((frozen + 1) % 3);
        until("no other leader", || leader(asked).filter(|name| *name != first));
        nats.thaw(frozen);
    }
}
