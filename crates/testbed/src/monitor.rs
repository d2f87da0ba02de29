//! What a server says of itself on its monitoring port.
//!
//! Not here: what is done about it (`nats`).

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// The JSON at `path`; nothing where the server does not answer, or says that it is not well.
pub(crate) fn ask(port: u16, path: &str) -> Option<Value> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX).ok()?;
    stream.set_read_timeout(Some(ANSWER_MAX)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let is_well = head.split(' ').nth(1) == Some("200");
    is_well.then(|| serde_json::from_str(body).ok())?
}

/// The name of the server that leads the JetStream cluster, as the one at `port` sees it.
pub(crate) fn meta_leader(port: u16) -> Option<String> {
    let jsz = ask(port, "/jsz")?;
    name(jsz.pointer("/meta_cluster/leader")?)
}

/// The name of the server that leads `stream`, as the one at `port` sees it.
pub(crate) fn stream_leader(port: u16, stream: &str) -> Option<String> {
    let jsz = ask(port, "/jsz?accounts=true&streams=true")?;
    let accounts = jsz.pointer("/account_details")?.as_array()?;
    let streams = accounts.iter().filter_map(|account| account.get("stream_detail")?.as_array());
    let detail = streams.flatten().find(|detail| detail["name"] == stream)?;
    name(detail.pointer("/cluster/leader")?)
}

fn name(value: &Value) -> Option<String> {
    value.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
}

const ANSWER_MAX: Duration = Duration::from_secs(2);
