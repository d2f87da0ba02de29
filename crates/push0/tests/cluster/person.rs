//! The person of a soak: who reads the proofs, takes back what is refused there, and sees to what
//! is parked.
//!
//! Not here: who makes that necessary (`crew`).

use std::fs;

use push0_testbed::until;
use serde_json::Value;

use crate::world::{World, at};

/// What it had to do.
#[derive(Debug, Default)]
pub(crate) struct Person {
    /// Proofs that were refused, and taken back by the command that was named.
    pub(crate) discarded: u64,
    /// Tasks that were parked as a contradiction, and settled.
    pub(crate) settled: u64,
    /// How often others that were parked were tried again.
    pub(crate) retried: u64,
}

impl Person {
    /// Looks once, and does what there is to do.
    pub(crate) fn tend(&mut self, world: &mut World) {
        if world.has_ended("proofs") {
            let said = world.said("proofs");
            let named = said.rsplit_once("`push0 discard ").map(|(_, rest)| rest);
            let task = named.and_then(|rest| rest.split(' ').next());
            let task = task.unwrap_or_else(|| panic!("proofs ended for another reason: {said}"));
            discard(world, task);
            self.discarded += 1;
            world.follow_proofs();
        }
        let parked = until("nobody tells how far it is", || world.status_now());
        let parked = at(&parked, "/parked");
        let parked = parked.as_array().cloned().unwrap_or_default();
        let (settled, others): (Vec<_>, Vec<_>) =
            parked.iter().partition(|it| at(it, "/class") == "contradiction");
        for task in settled.iter().filter_map(|it| it.get("task").and_then(Value::as_str)) {
            discard(world, task);
            self.settled += 1;
        }
        if !others.is_empty() {
            let _ = world.run(&["retry", "--all"]); // an engine may have gone: it is looked at again
            self.retried += 1;
        }
    }

    /// Whether so many proofs are written, and whoever reads them waits for more.
    pub(crate) fn has_all(&mut self, world: &mut World, blocks: usize) -> bool {
        self.tend(world);
        let written = fs::read_to_string(world.path("proofs.txt")).unwrap_or_default();
        written.lines().count() == blocks && !world.has_ended("proofs")
    }
}

/// One that was taken back meanwhile has nothing left to take back.
fn discard(world: &World, task: &str) {
    let _ = world.run(&["discard", task, "--why", "it is not what was proved"]);
}
