//! Real proofs of real blocks.
//!
//! `PUSH0_TEST_BLOCKS` and `PUSH0_TEST_KILLS` make it all twenty blocks and many kills; that takes
//! minutes.

use std::fs;

use crate::support::{Chance, Ended, World, flip, kills};

#[test]
fn blocks_become_one_verified_proof_though_push0_is_killed_on_the_way() {
    let world = World::real(real_blocks());
    let mut chance = Chance::new();
    for kill in 0..kills(1) {
        let run = world.start(&[]);
        // The first kill falls within the work, on a fast machine too.
        let most = if kill == 0 { 1_000 } else { 12_000 };
        if kill == 0 {
            run.await_line(" accepted stage=leaf");
        }
        if run.ends_within(chance.millis(most)) {
            assert!(kill > 0, "it was never killed");
            run.end().with(0);
            break;
        }
        run.kill();
        world.await_no_process();
    }
    let run = world.run(&["--json"]).with(0).json();
    world.history().complete();
    let [proof, vkey] = ["path", "vkey"].map(|name| run["proofs"][0][name].as_str().expect("text"));
    let verified = world.push0(&["verify", proof, "--vkey", vkey, "--json"]).with(0).json();
    assert_eq!(verified["proofs"][0]["claim"]["first"], 16_525_000);
    assert_every_flip_is_refused(&world, &["verify", proof, "--vkey", vkey], &mut chance);
}

fn assert_every_flip_is_refused(world: &World, verify: &[&str; 4], chance: &mut Chance) {
    let proof = world.path(verify[1]);
    let length = fs::read(&proof).expect("a proof").len();
    for part in 0..FLIPS {
        let at = part * length / FLIPS + chance.below(length / FLIPS);
        flip(&proof, at);
        let Ended { code, stderr, .. } = world.push0(verify);
        assert!(matches!(code, Some(1 | 2)) && !stderr.is_empty(), "byte {at}: {code:?} {stderr}");
        flip(&proof, at);
    }
    world.push0(verify).with(0);
}

fn real_blocks() -> usize {
    std::env::var("PUSH0_TEST_BLOCKS").map_or(4, |blocks| blocks.parse().expect("a number"))
}

const FLIPS: usize = 40;
