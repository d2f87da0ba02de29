//! Peers that mean harm, each with the credentials of one role and nothing of push0 in between:
//! every sentence of `docs/nats.md` that says what a role can or cannot do (`sentences` has which
//! test holds which). A file for each role.
//!
//! Not here: that each role can do its part (`roles`).

mod bounds;
mod client;
mod commands;
mod dispatcher;
mod engine;
mod fleet;
mod operator;
mod permissions;
mod prover;
mod reader;
mod sentences;
mod stranger;
mod system;

use push0_core::{Block, BlockHash, Digest, Event, Height, PipelineSpec};
use serde_json::Value;

use crate::peer::Peer;
use crate::user::User;
use crate::world::World;

/// Two engines, of which `e1` leads.
fn engines(time: &str) -> World {
    engines_in(World::with_roles(time))
}

/// The same, in a world of any kind.
fn engines_in(world: World) -> World {
    let mut world = world;
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.serve("e2");
    world.wait_for("e2", "stands by");
    world
}

/// How often anything of this kind is in the log.
fn count(world: &World, is_it: impl Fn(&Event) -> bool) -> usize {
    world.history().iter().flat_map(|turn| &turn.events).filter(|event| is_it(event)).count()
}

/// The pipeline that runs, as the log has it.
fn spec(world: &World) -> PipelineSpec {
    let history = world.history();
    let mut configured = history.iter().flat_map(|turn| &turn.events).filter_map(|event| {
        let Event::Configured { pipeline } = event else { return None };
        Some((**pipeline).clone())
    });
    configured.next_back().expect("one runs")
}

/// Has a peer at work as this user and dispatcher, which says this of each grant for as long as the
/// world is there.
fn at_work(
    world: &World,
    user: &'static str,
    slots: u32,
    says: impl FnMut(&Value) -> Option<Value> + Send + 'static,
) {
    let mut says = says;
    world.block_on(async {
        let client = User::new(world, user).await.client;
        let mut peer = Peer::new(client, user, 7, slots).await.expect("it may hear");
        tokio::spawn(async move { while peer.go_on(&mut says).await {} });
    });
}

/// A block of nobody's chain, whose parent nobody has.
fn block(height: u64, salt: u16) -> Block {
    let own = [&height.to_be_bytes()[..], &salt.to_be_bytes()].concat();
    let (mut hash, mut parent) = ([0xbb; 32], [0xcc; 32]);
    for bytes in [&mut hash, &mut parent] {
        bytes.iter_mut().zip(&own).for_each(|(byte, own)| *byte = *own);
    }
    Block {
        number: Height(height),
        hash: BlockHash(hash),
        parent: BlockHash(parent),
        payload: Digest(hash),
        bytes: 1,
        fields: std::collections::BTreeMap::new(),
    }
}
