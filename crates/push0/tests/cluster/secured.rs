//! Servers that ask for certificates and a token, which come from the settings file.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use push0_testbed::{Nats, Settings, certificates, until};
use tempfile::TempDir;

use crate::binaries::{push0, workspace};

#[test]
fn the_settings_file_brings_certificates_and_a_token() {
    let dir = TempDir::new().expect("a directory");
    let [ca, server, server_key, client, client_key] = certificates(dir.path());
    let more = format!(
        "tls {{ cert_file: \"{server}\", key_file: \"{server_key}\", ca_file: \"{ca}\", verify: true }}\n\
         authorization {{ token: secret }}"
    );
    let nats = Nats::start_with(&Settings { nodes: 1, more, ..Settings::default() });
    let pipeline = r#"
        push0 = 1
        name = "cluster"
        allow_mock = true
        source = { kind = "submit", chain = 534352 }
        [programs]
        mock = { command = ["push0-prover-mock"], memory = "64MiB", mock = true }
        [stages]
        prove = { inputs = ["blocks"], program = "mock" }
        [release]
        inputs = ["prove"]
    "#;
    fs::write(dir.path().join("pipeline.toml"), pipeline).expect("there is room");
    let secured = format!(
        "[nats]\nurls = [\"tls://127.0.0.1:{}\"]\ntls_ca = \"{ca}\"\ntls_cert = \"{client}\"\n\
         tls_key = \"{client_key}\"\nmax_bytes = \"16MiB\"\ntoken = ",
        nats.port(0)
    );
    for (name, token) in [("known", "secret"), ("stranger", "guessed")] {
        fs::write(dir.path().join(name), format!("{secured}{token:?}\n")).expect("there is room");
    }

    let refused = Running::start(dir.path(), "stranger", &["finish", "--yes"]).end();
    assert_eq!(refused.0, Some(6), "{}", refused.1);
    assert!(refused.1.contains("does not let push0 in"), "{}", refused.1);

    let engine =
        Running::start(dir.path(), "known", &["serve", "pipeline.toml", "--store", "store"]);
    until("it does not lead", || engine.said().contains("leads in").then_some(()));
    let blocks = workspace().join("examples/scroll/scroll-mainnet-16525000-20.jsonl");
    let blocks = blocks.to_string_lossy().into_owned();
    let submit = ["submit", "pipeline.toml", &blocks, "--store", "store"];
    let submitted = Running::start(dir.path(), "known", &submit).end();
    assert_eq!(submitted.0, Some(0), "{}", submitted.1);
    let drained = Running::start(dir.path(), "known", &["finish", "--yes"]).end();
    assert_eq!(drained.0, Some(0), "{}", drained.1);
}

/// A process of push0. It ends with this.
struct Running<'a> {
    child: Child,
    dir: &'a Path,
    said: String,
}

impl<'a> Running<'a> {
    fn start(dir: &'a Path, config: &str, args: &[&str]) -> Self {
        let said = format!("{config}.{}", args.first().copied().unwrap_or_default());
        let file = fs::File::create(dir.join(&said)).expect("there is room");
        let mut command = Command::new(push0());
        command.args(args).current_dir(dir).env("PUSH0_CONFIG", config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        Self { child: command.spawn().expect("it starts"), dir, said }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.dir.join(&self.said)).unwrap_or_default()
    }

    fn end(mut self) -> (Option<i32>, String) {
        let status = until("it does not end", || self.child.try_wait().expect("it is ours"));
        (status.code(), self.said())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
