//! A wire between a client and a server that loses what it is told to lose, or takes its time.
//!
//! Bytes that are lost are lost for good, so a connection that lost some is of no more use: cut it
//! when the client is to go on. Connections that are made later pass what the wire then passes.
//!
//! Not here: reordering. TCP has none.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::until;

/// What a wire passes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Wire {
    /// Everything.
    #[default]
    Whole,
    /// Everything, but answers later: each of the server's writes by [`SLOW`].
    SlowAnswers,
    /// What the client says; of what the server answers, nothing.
    NoAnswers,
    /// Nothing of what the client says.
    NoRequests,
    /// Nothing: whoever connects is cut off at once.
    Down,
}

/// A wire to one server. It ends when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy)]
enum Direction {
    Requests,
    Answers,
}

#[derive(Debug, Default)]
struct State {
    wire: Wire,
    has_ended: bool,
    /// Bytes of requests that did not pass.
    lost_requests: u64,
    /// Both ends of every connection that was made since the last cut.
    open: Vec<TcpStream>,
}

impl Proxy {
    /// A whole wire to 127.0.0.1 at `server`.
    #[must_use]
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
        let port = listener.local_addr().expect("it listens").port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { break };
                if lock(&shared).has_ended {
                    break;
                }
                connect(client, server, &shared);
            }
        });
        Self { port, state }
    }

    /// Where a client connects to be behind this wire.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// What passes from here on, on every connection.
    pub fn set(&self, wire: Wire) {
        lock(&self.state).wire = wire;
    }

    /// Waits until so many bytes of requests were lost since the wire was made.
    pub fn wait_lost_requests(&self, bytes: u64) {
        until("no request was lost", || (lock(&self.state).lost_requests >= bytes).then_some(()));
    }

    /// Cuts every connection; what passes on later ones is `wire`.
    pub fn cut(&self, wire: Wire) {
        let mut state = lock(&self.state);
        state.wire = wire;
        for end in state.open.drain(..) {
            // It may have ended by itself.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        lock(&self.state).has_ended = true;
        self.cut(Wire::Down);
        // Wakes the one who waits for connections.
        let _ = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn connect(client: TcpStream, server: u16, shared: &Arc<Mutex<State>>) {
    let mut state = lock(shared);
    if state.wire == Wire::Down {
        return;
    }
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { return };
    let twice = |end: &TcpStream| end.try_clone().expect("there are descriptors");
    for end in [&client, &server] {
        // Small messages are not to wait for each other: the wire is to cost nothing.
        end.set_nodelay(true).expect("it is open");
        state.open.push(twice(end));
    }
    let (answers_from, answers_to) = (twice(&server), twice(&client));
    pump(client, server, shared, Direction::Requests);
    pump(answers_from, answers_to, shared, Direction::Answers);
}

/// Carries bytes until either end is closed, and drops those that do not pass.
fn pump(mut from: TcpStream, mut to: TcpStream, shared: &Arc<Mutex<State>>, direction: Direction) {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let mut bytes = [0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let read = bytes.get(..count).unwrap_or_default();
            let (passes, is_slow) = lock(&shared).pass(direction, count);
            if is_slow {
                thread::sleep(SLOW);
            }
            if passes && to.write_all(read).is_err() {
                break;
            }
        }
        for end in [from, to] {
            // It may have ended by itself.
            let _ = end.shutdown(Shutdown::Both);
        }
    });
}

impl State {
    /// Whether bytes in this direction pass, and whether they do later. Those that do not are
    /// counted.
    const fn pass(&mut self, direction: Direction, bytes: usize) -> (bool, bool) {
        let passes = match direction {
            Direction::Requests => !matches!(self.wire, Wire::NoRequests | Wire::Down),
            Direction::Answers => !matches!(self.wire, Wire::NoAnswers | Wire::Down),
        };
        if !passes && matches!(direction, Direction::Requests) {
            self.lost_requests += bytes as u64;
        }
        let is_slow = matches!((self.wire, direction), (Wire::SlowAnswers, Direction::Answers));
        (passes, is_slow)
    }
}

/// Longer than a short wait for an answer, and shorter than what gives one up.
pub const SLOW: Duration = Duration::from_millis(300);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // A flag and a list are never half changed.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_loses_what_it_is_told_to() {
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
        let proxy = Proxy::to(echo.local_addr().expect("it listens").port());
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).expect("it listens");
        let (mut server, _) = echo.accept().expect("it connects");

        let mut byte = [0];
        client.write_all(b"a").expect("it is open");
        server.read_exact(&mut byte).expect("it passes");
        assert_eq!(&byte, b"a");

        proxy.set(Wire::NoAnswers);
        server.write_all(b"lost").expect("it is open");
        client.write_all(b"b").expect("it is open");
        server.read_exact(&mut byte).expect("it passes");
        assert_eq!(&byte, b"b");

        proxy.cut(Wire::Whole);
        assert_eq!(client.read(&mut byte).unwrap_or(0), 0, "nothing of the answer came");
    }
}
