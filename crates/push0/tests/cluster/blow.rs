//! What happens to a cluster.

use std::thread::sleep;

use rustix::process::{Signal, kill_process};

use crate::chance::Chance;
use crate::world::World;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Blow {
    EngineKilled(&'static str),
    EnginesKilled,
    EngineFrozen(&'static str),
    EngineStopped(&'static str),
    DispatcherKilled(&'static str),
    DispatcherFrozen(&'static str),
    DispatcherStopped(&'static str),
    ProverKilled(&'static str),
    ServerKilled(usize),
    ServerFrozen(usize),
    ServersKilled,
}

impl Blow {
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let mut one = |of: [&'static str; 2]| of.into_iter().nth(chance.below(2)).expect("of two");
        let (engine, dispatcher) = (one(ENGINES), one(DISPATCHERS));
        let server = chance.below(SERVERS);
        match chance.below(14) {
            0 | 1 => Self::EngineKilled(engine),
            2 => Self::EnginesKilled,
            3 => Self::EngineFrozen(engine),
            4 => Self::EngineStopped(engine),
            5 | 6 => Self::DispatcherKilled(dispatcher),
            7 => Self::DispatcherFrozen(dispatcher),
            8 => Self::DispatcherStopped(dispatcher),
            9 | 10 => Self::ProverKilled(dispatcher),
            11 => Self::ServerKilled(server),
            12 => Self::ServerFrozen(server),
            _ => Self::ServersKilled,
        }
    }

    /// Lets it happen, and puts right what somebody would.
    pub(crate) fn strike(self, world: &mut World, chance: &mut Chance) {
        match self {
            Self::EngineKilled(name) => {
                world.kill(name);
                sleep(chance.millis(1_000));
                world.serve(name);
            }
            Self::EnginesKilled => {
                for name in ENGINES {
                    world.kill(name);
                }
                sleep(chance.millis(1_000));
                ENGINES.iter().for_each(|name| world.serve(name));
            }
            Self::EngineFrozen(name) | Self::DispatcherFrozen(name) => {
                world.freeze(name);
                sleep(chance.millis(3_000));
                world.thaw(name);
            }
            Self::EngineStopped(name) => {
                assert!(world.stop(name).success());
                world.serve(name);
            }
            Self::DispatcherKilled(name) => {
                world.kill(name);
                sleep(chance.millis(1_500));
                world.dispatch(name);
            }
            Self::DispatcherStopped(name) => {
                assert!(world.stop(name).success());
                world.dispatch(name);
            }
            Self::ProverKilled(name) => {
                for prover in world.provers_of(name) {
                    // It may have ended by itself.
                    let _ = kill_process(prover, Signal::KILL);
                }
            }
            Self::ServerKilled(server) => {
                world.nats.kill(server);
                sleep(chance.millis(2_000));
                world.nats.restart(server);
                world.nats.wait_ready();
            }
            Self::ServerFrozen(server) => {
                world.nats.freeze(server);
                sleep(chance.millis(3_000));
                world.nats.thaw(server);
            }
            Self::ServersKilled => {
                (0..SERVERS).for_each(|server| world.nats.kill(server));
                sleep(chance.millis(1_000));
                (0..SERVERS).for_each(|server| world.nats.restart(server));
                world.nats.wait_ready();
            }
        }
    }
}

const ENGINES: [&str; 2] = ["e1", "e2"];
const DISPATCHERS: [&str; 2] = ["gpu-1", "gpu-2"];
const SERVERS: usize = 3;
