//! The NATS server of a cluster for trying things out: on loopback, with JetStream, and synced as a
//! log needs it.
//!
//! The system chooses its port at the first start, and the server writes it into a file that has
//! its process' number. It is kept: what a person typed in another terminal names it. Where another
//! program has it by then, the system chooses anew.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::child::Child;
use super::{DevError, Place};
use crate::bounded;
use crate::programs::in_path;

/// A server that was started, and where it will say its ports.
pub(super) struct Started {
    pub(super) child: Child,
    pub(super) ports: Ports,
}

/// The file that it writes, by its directory and its end: what it begins with is the program's
/// name.
pub(super) struct Ports {
    dir: PathBuf,
    end: String,
}

/// The file's content, as far as it matters.
#[derive(Deserialize)]
struct Listens {
    #[serde(default)]
    nats: Vec<String>,
}

/// What `PUSH0_NATS_SERVER` names, else the first in `PATH`.
pub(super) fn find() -> Result<PathBuf, DevError> {
    let no_server = |named: String| DevError::NoServer { named };
    match std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        Some(named) => {
            let path = PathBuf::from(named);
            let absolute = std::path::absolute(&path).unwrap_or(path);
            let shown = format!(", and {VARIABLE} is {}, where none is", absolute.display());
            Some(absolute).filter(|path| path.is_file()).ok_or_else(|| no_server(shown))
        }
        None => in_path("nats-server").ok_or_else(|| no_server(String::new())),
    }
}

pub(super) fn start(place: &Place, binary: &Path) -> Result<Started, DevError> {
    let log = place.path("nats.log");
    let dir = place.path("nats");
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| DevError::Dir { path, source }
    };
    fs::create_dir_all(&dir).map_err(at(&dir))?;
    clear(&dir);
    let config = place.path("nats.conf");
    fs::write(&config, configuration(&dir, &log, former_port(place))).map_err(at(&config))?;
    let mut command = Command::new(binary);
    command.arg("--config").arg(&config).stdout(Stdio::null());
    let child = Child::spawn("nats-server", command, Some(log));
    let child = child.map_err(|source| DevError::Spawn { what: "nats-server", source })?;
    let end = format!("_{}.ports", child.id());
    Ok(Started { child, ports: Ports { dir, end } })
}

/// Where clients connect, once it is there.
pub(super) fn url(ports: &Ports) -> Option<String> {
    let entries = fs::read_dir(&ports.dir).ok()?;
    let names = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let file = names.into_iter().find(|path| is_ports(path, &ports.end))?;
    let listens: Listens =
        serde_json::from_slice(&bounded::read(&file, bounded::TEXT_BYTES_MAX).ok()?).ok()?;
    listens.nats.into_iter().find(|url| url.starts_with("nats://127.0.0.1:"))
}

/// Keeps the port for the next start.
pub(super) fn keep_port(place: &Place, url: &str) {
    if let Some((_, port)) = url.rsplit_once(':') {
        let _ = fs::write(place.path(PORT), port); // at worst the next start has another
    }
}

/// The one of the last start, where it is free.
fn former_port(place: &Place) -> Option<u16> {
    let port = fs::read_to_string(place.path(PORT)).ok()?.trim().parse().ok()?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(port)
}

/// What killed servers have left: another process may get such a number.
fn clear(dir: &Path) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).filter(|path| is_ports(path, ".ports")) {
        let _ = fs::remove_file(path); // at worst the server is not found, and that is told
    }
}

fn is_ports(path: &Path, end: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(end))
}

fn configuration(dir: &Path, log: &Path, port: Option<u16>) -> String {
    let port = port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
    let text =
        |path: PathBuf| path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "# Of `push0 dev`, which writes this anew at each start. For trying things out: whoever is on this machine may use \
         it.\n\
         server_name: push0-dev\n\
         listen: \"127.0.0.1:{port}\"\n\
         ports_file_dir: \"{}\"\n\
         log_file: \"{}\"\n\
         logfile_size_limit: 10MB\n\
         logfile_max_num: 2\n\
         jetstream {{ store_dir: \"{}\", sync_interval: always, max_file_store: {STORE_BYTES} }}\n",
        text(dir.to_owned()),
        text(log.to_owned()),
        text(dir.join("jetstream")),
    )
}

/// The file in which the port is kept.
const PORT: &str = "nats.port";

const VARIABLE: &str = "PUSH0_NATS_SERVER";

/// More than the log's stream takes by default.
const STORE_BYTES: u64 = 20 << 30;
