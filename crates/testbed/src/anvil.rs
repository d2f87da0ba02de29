//! Ethereum nodes: a real `anvil` each, which makes blocks of its own.

use std::env;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{free_ports, until};

/// A node. Dropped, it is ended by its id.
pub struct Anvil {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl Anvil {
    /// The id of its chain.
    pub const CHAIN: u64 = 31_337;

    /// A node that makes a block each 100 ms; the last but one is final.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&["--block-time", "0.1"])
    }

    /// A node with these flags; the last but one of its blocks is final.
    ///
    /// # Panics
    ///
    /// As [`with_epochs`](Self::with_epochs).
    #[must_use]
    pub fn with(flags: &[&str]) -> Self {
        Self::with_epochs(1, flags)
    }

    /// A node with these flags, whose blocks are final once two epochs of so many are above them.
    ///
    /// # Panics
    ///
    /// If there is no `anvil`, or it does not answer.
    #[must_use]
    pub fn with_epochs(slots: u64, flags: &[&str]) -> Self {
        let slots = slots.to_string();
        let flags = [&["--slots-in-an-epoch", &slots][..], flags].concat();
        let (port, dir) = (free_ports(1).remove(0), TempDir::new().expect("a directory"));
        let child = spawn(port, dir.path(), &flags);
        let node = Self { child, port, dir };
        node.wait();
        node
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Freezes it: it answers nothing, and closes nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Thaws it.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Has its last so many blocks replaced by others.
    ///
    /// # Panics
    ///
    /// If it refuses.
    pub fn reorg(&self, depth: u64) {
        let answer = self.ask("anvil_reorg", &format!("{depth},[]"));
        assert!(!answer.contains("\"error\""), "{answer}");
    }

    /// Makes so many blocks.
    ///
    /// # Panics
    ///
    /// If it refuses.
    pub fn mine(&self, blocks: u64) {
        let answer = self.ask("anvil_mine", &format!("\"0x{blocks:x}\""));
        assert!(!answer.contains("\"error\""), "{answer}");
    }

    /// The hash of its block of a height, as it writes it.
    ///
    /// # Panics
    ///
    /// If it has none.
    #[must_use]
    pub fn hash_of(&self, height: u64) -> String {
        let answer = self.ask("eth_getBlockByNumber", &format!("\"0x{height:x}\",false"));
        let (_, rest) = answer.split_once("\"hash\":\"").expect("it has that block");
        rest.split('"').next().unwrap_or_default().to_owned()
    }

    /// What it answers.
    fn ask(&self, method: &str, params: &str) -> String {
        let body = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{method}\",\"params\":[{params}]}}"
        );
        let question = format!(
            "POST / HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.write_all(question.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is ours");
    }

    fn wait(&self) {
        until("anvil does not listen", || {
            TcpStream::connect(("127.0.0.1", self.port)).ok().map(drop)
        });
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = &self.dir; // goes with it
    }
}

fn spawn(port: u16, dir: &Path, flags: &[&str]) -> Child {
    let log = File::create(dir.join("anvil.log")).expect("a writable directory");
    let mut command = Command::new(anvil());
    command
        .args(["--port", &port.to_string(), "--chain-id", &Anvil::CHAIN.to_string()])
        .arg("--silent")
        .args(flags)
        .current_dir(dir)
        .env("HOME", dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command.spawn().expect("anvil starts")
}

/// The `anvil` that tests run.
///
/// # Panics
///
/// If there is none.
fn anvil() -> PathBuf {
    let binary = env::var_os("PUSH0_ANVIL").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(INSTALLED),
        PathBuf::from,
    );
    let missing = "there is no anvil: run tools/anvil, which puts one there";
    assert!(binary.is_file(), "{}: {missing}", binary.display());
    binary
}

/// Where `tools/anvil` puts it.
const INSTALLED: &str = "target/tools/anvil-1.7.1/bin/anvil";
