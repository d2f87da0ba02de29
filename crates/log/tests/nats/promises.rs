//! What every log must keep, on one server and on three.

use push0_log::conformance::{self, Place};
use push0_log::{NatsConfig, NatsLog};
use push0_testbed::Nats;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::world::{another, config, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_keeps_what_every_log_must() {
    let nats = Nats::start(1);
    conformance::all(|| Stream(another(&config(&nats)))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_keep_what_every_log_must() {
    let nats = Nats::start(3);
    conformance::all(|| Stream(another(&config(&nats)))).await;
}

struct Stream(NatsConfig);

impl Place for Stream {
    type Log = NatsLog;

    fn open(&self) -> Option<NatsLog> {
        Some(block_in_place(|| Handle::current().block_on(open(&self.0))))
    }
}
