//! A dispatcher in another program, which has children of its own and did not ask to adopt
//! anybody's.
//!
//! It is a program of its own, since who adopts orphans is a fact of the whole process.

#[expect(dead_code, reason = "shared with the tests of a dispatcher, which need more of it")]
#[path = "dispatch/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::process::Command;

use rustix::process::child_subreaper;

use self::world::{RETRY, World, config, mock, name};

#[test]
fn who_does_not_ask_for_it_adopts_nobody_and_keeps_its_own_children() {
    let mut world = World::of(RETRY, |dir| push0_dispatch::Config {
        adopts_orphans: false,
        ..config(dir, 1, BTreeMap::from([(name(), mock(dir, "echo 1 > $out"))]))
    });
    let mut own = Command::new("setsid").args(["sh", "-c", "exit 7"]).spawn().expect("it starts");
    for _ in 0..3 {
        let grant = world.new_grant();
        world.proved(&grant);
    }
    assert_eq!(child_subreaper().expect("the kernel says"), None);
    assert_eq!(own.wait().expect("nobody else has reaped it").code(), Some(7));
}
