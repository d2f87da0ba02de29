//! What a large artifact takes of a process's memory: pieces of it, in a directory and in a bucket.
//!
//! Another life of this program stores and copies, for the server's memory is not the store's. What
//! the kernel has counted at most (`VmHWM`) is compared, before and after; nothing is timed.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode};

use push0_dispatch::{Access, S3Config, Store};
use push0_testbed::S3;

fn main() -> ExitCode {
    let given: Vec<_> = env::args().skip(1).collect();
    match given.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [LIFE, dir, endpoint] => live(Path::new(dir), endpoint),
        // Whoever asks for a list of tests finds none that could run alone.
        [.., "--list"] => ExitCode::SUCCESS,
        _ => {
            let server = S3::start();
            let took = [String::new(), server.endpoint()].map(|endpoint| measure(&endpoint));
            let fits = took.iter().all(|mib| *mib <= GROWTH_MIB_MAX);
            let (directory, bucket) = (took[0], took[1]);
            let _ = writeln!(
                io::stdout(),
                "an artifact of {MIB} MiB took {directory} MiB of memory in a directory, {bucket} MiB in a bucket; \
                 at most {GROWTH_MIB_MAX} are right"
            );
            if fits { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

/// Unit: MiB.
fn measure(endpoint: &str) -> u64 {
    let dir = tempfile::tempdir().expect("a directory");
    let own = env::current_exe().expect("it runs");
    let ended = Command::new(own).args([LIFE, &dir.path().to_string_lossy(), endpoint]).output();
    let ended = ended.expect("it starts");
    let said = String::from_utf8_lossy(&ended.stdout);
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{errors}");
    said.trim().parse().expect("a number")
}

/// Stores a large file, finds it there, and copies it; says how much the most that it held has
/// grown.
fn live(dir: &Path, endpoint: &str) -> ExitCode {
    let store = match endpoint {
        "" => Store::open(&dir.join("store")),
        _ => Store::open_s3(&config(endpoint), Access::Make),
    };
    let store = store.expect("it opens");
    let (source, copy) = (dir.join("source"), dir.join("copy"));
    fill(&source);
    // What any use takes is not what a large artifact takes.
    let small = store.put(b"small").expect("put");
    store.read(small).expect("read");
    let before = most_kib();
    let digest = store.put_file(&source).expect("put");
    assert_eq!(store.put_file(&source).expect("found"), digest);
    let mut file = File::create(&copy).expect("writable");
    let length = store.copy(digest, &mut file).expect("copied");
    assert_eq!(length, fs::metadata(&source).expect("it is there").len());
    let _ = writeln!(io::stdout(), "{}", (most_kib() - before).div_ceil(1 << 10));
    ExitCode::SUCCESS
}

fn fill(path: &Path) {
    let mut file = File::create(path).expect("writable");
    for number in 0..MIB {
        let piece = number.to_le_bytes().repeat((1 << 20) / size_of_val(&number));
        file.write_all(&piece).expect("room");
    }
}

/// The most memory that this process has held. Unit: KiB.
fn most_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn config(endpoint: &str) -> S3Config {
    S3Config {
        bucket: format!("s3://{}/memory", S3::BUCKET).parse().expect("it names one"),
        endpoint: Some(endpoint.to_owned()),
        region: "us-east-1".to_owned(),
        access_key_id: S3::ACCESS_KEY_ID.to_owned(),
        secret_access_key: S3::SECRET_ACCESS_KEY.into(),
        session_token: None,
        path_style: true,
    }
}

const LIFE: &str = "life";

/// Ten times what a witness takes.
const MIB: u64 = 200;

/// A few pieces of an upload, of 8 MiB each, and what is on the wire.
const GROWTH_MIB_MAX: u64 = 48;
