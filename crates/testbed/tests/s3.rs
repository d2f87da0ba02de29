//! The server of a bucket as a process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

#[test]
fn it_serves_nobody_who_does_not_sign_and_ends_when_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_push0-testbed-s3"));
    command.args(["--listen", "127.0.0.1:0", "--bucket", "artifacts", "--dir"]).arg(dir.path());
    command.env("AWS_ACCESS_KEY_ID", "AKIA").env("AWS_SECRET_ACCESS_KEY", "hush");
    let mut server = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = String::new();
    let errors = server.stderr.take().expect("a pipe");
    BufReader::new(errors).read_line(&mut said).expect("text");
    let (_, address) = said.trim().split_once("http://").expect("it says where");
    let mut client = TcpStream::connect(address).expect("it listens");
    let request =
        format!("GET /artifacts/any HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("text");
    kill_process(Pid::from_child(&server), Signal::TERM).expect("it is ours");
    assert!(server.wait().expect("it is ours").success());
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(dir.path().join("artifacts").is_dir(), "the bucket is there");
}

#[test]
fn it_does_not_start_without_keys() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_push0-testbed-s3"));
    command.args(["--listen", "127.0.0.1:0", "--bucket", "artifacts", "--dir"]).arg(dir.path());
    let ended = command.env_remove("AWS_SECRET_ACCESS_KEY").output().expect("it starts");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("is not set"), "{said}");
}
