//! Ports that nobody listens on.
//!
//! Not here: keeping them. Another process may take one before it is used; who starts a server
//! tries again with others then.

use std::net::{Ipv4Addr, TcpListener};

/// So many different free ports on 127.0.0.1.
#[must_use]
pub fn free_ports(count: usize) -> Vec<u16> {
    // All are held until all are found, or one would be found twice.
    let held: Vec<_> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports"))
        .collect();
    held.iter().map(|port| port.local_addr().expect("it listens").port()).collect()
}
