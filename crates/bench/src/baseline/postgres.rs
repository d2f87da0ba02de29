//! A server of Postgres, for `poll`: Debian's, with its defaults. It syncs before it answers.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;
use tokio::time::sleep;
use tokio_postgres::{Client, Config, NoTls};

use crate::fault::Fault;
use crate::system::cluster::Process;

/// A server that runs, in a directory of its own. Ended when it is dropped, and with this process.
pub(crate) struct Postgres {
    process: Process,
    dir: TempDir,
}

/// Where Postgres is installed, if it is.
pub(crate) fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<_> = versions.flatten().map(|version| version.path().join("bin")).collect();
    found.sort();
    found.into_iter().rev().find(|bin| bin.join("postgres").is_file())
}

impl Postgres {
    /// Starts one that listens on a socket in its own directory. To be called on a thread that
    /// outlives it.
    ///
    /// # Errors
    ///
    /// That it is not installed, or does not start within 20 s.
    pub(crate) fn start() -> Result<Self, Fault> {
        let bin = installed().ok_or_else(|| Fault::new(NOT_INSTALLED))?;
        let dir = tempfile::Builder::new().prefix("push0-bench-pg-").tempdir()?;
        let data = dir.path().join("data");
        // It refuses to be root.
        let user = getuid().is_root().then_some(NOBODY);
        if let Some(user) = user {
            chown(dir.path(), Some(user), Some(user))?;
        }
        let run = |program: &str| {
            let mut command = Command::new(bin.join(program));
            command.current_dir(dir.path()).stdin(Stdio::null());
            if let Some(user) = user {
                command.uid(user).gid(user);
            }
            // The user is changed before, so that this holds.
            push0_dispatch::die_with_parent(&mut command);
            command
        };
        let made = run("initdb")
            .args(["--auth=trust", "--username=bench", "--no-instructions", "-D"])
            .arg(&data)
            .output()?;
        if !made.status.success() {
            return Err(Fault::new(String::from_utf8_lossy(&made.stderr).trim()));
        }
        let mut command = run("postgres");
        command
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "max_connections=60", "-k"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Process(command.spawn()?);
        let started = Self { process, dir };
        let give_up = Instant::now() + START_MAX;
        while !started.dir.path().join(SOCKET).exists() {
            if Instant::now() > give_up {
                return Err(Fault::new("postgres did not start within 20 s"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(started)
    }

    /// Where it listens.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGQUIT: it ends its own processes at once, and takes back the memory that they share.
        if let Some(pid) = i32::try_from(self.process.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::QUIT);
            let _ = self.process.0.wait();
        }
    }
}

/// A connection to the server that listens in `dir`.
///
/// # Errors
///
/// That it takes none within 20 s.
pub(crate) async fn connect(dir: &Path) -> Result<Client, Fault> {
    let mut config = Config::new();
    // Plans are made while the table is empty, and kept: they must be those of a table that is
    // full.
    let options = "-c enable_seqscan=off -c enable_bitmapscan=off";
    config.host_path(dir).user("bench").dbname("postgres").options(options);
    let give_up = Instant::now() + START_MAX;
    loop {
        match config.connect(NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                return Ok(client);
            }
            Err(error) if Instant::now() > give_up => return Err(error.into()),
            Err(_) => sleep(Duration::from_millis(20)).await, // it is starting
        }
    }
}

/// What a row says where there is none.
pub(crate) const NOT_INSTALLED: &str =
    "postgresql is not installed (Debian: apt-get install postgresql)";

/// In its directory, as every Postgres names it that has the default port.
const SOCKET: &str = ".s.PGSQL.5432";

const START_MAX: Duration = Duration::from_secs(20);

/// Debian's `nobody`.
const NOBODY: u32 = 65_534;
