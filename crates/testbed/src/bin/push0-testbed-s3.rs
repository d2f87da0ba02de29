//! A server that speaks S3 over a directory: for demonstrations and tests on one machine.
//!
//! Its keys are `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` of its environment. It is no store
//! for production: nothing is synced.

use std::env;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use push0_testbed::{Keys, serve_s3};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    match Arguments::read(env::args().skip(1)).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            say(&format!("error: {what}\n{USAGE}"));
            ExitCode::from(2)
        }
    }
}

struct Arguments {
    listen: SocketAddr,
    dir: PathBuf,
    bucket: String,
}

impl Arguments {
    fn read(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut listen, mut dir, mut bucket) = (None, None, None);
        while let Some(name) = given.next() {
            let value = given.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--listen" => {
                    let address = value.parse();
                    listen = Some(address.map_err(|_| format!("--listen {value}: no address"))?);
                }
                "--dir" => dir = Some(value.into()),
                "--bucket" => bucket = Some(value),
                _ => return Err(format!("unknown argument {name}")),
            }
        }
        let missing = |name: &str| format!("{name} is not given");
        Ok(Self {
            listen: listen.ok_or_else(|| missing("--listen"))?,
            dir: dir.ok_or_else(|| missing("--dir"))?,
            bucket: bucket.ok_or_else(|| missing("--bucket"))?,
        })
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let Arguments { listen, dir, bucket } = arguments;
    let key = |name: &str| {
        let key = env::var(name).ok().filter(|key| !key.is_empty());
        key.ok_or_else(|| format!("{name} is not set"))
    };
    let keys = Keys {
        access_key_id: key("AWS_ACCESS_KEY_ID")?,
        secret_access_key: key("AWS_SECRET_ACCESS_KEY")?,
    };
    std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let listener = TcpListener::bind(listen).map_err(|error| format!("{listen}: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let server = serve_s3(listener, dir, bucket, keys, Arc::default());
    say(&format!("bucket {bucket} at http://{address}"));
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
        tokio::select! {
            () = server => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}

fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}"); // nobody may be there to read it
}

const USAGE: &str = "push0-testbed-s3 --listen ADDR --dir DIR --bucket NAME, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
