//! The example that follows a chain, with the prover that proves, over a reorg.

use std::fs;

use push0_testbed::Anvil;

use crate::support::{World, workspace};

#[test]
fn four_blocks_make_a_proof_of_the_chain_that_is_left() {
    let node = Anvil::with_epochs(2, &["--no-mining"]);
    node.mine(4);
    let example = workspace().join("examples/live/pipeline.toml");
    let own = fs::read_to_string(example).expect("an example");
    let world = World::new(&own.replace("http://127.0.0.1:8545", &node.url()), "");
    let run = world.start(&["--until", "4"]);
    run.await_lines(" accepted ", 1);
    node.reorg(2);
    node.mine(5);
    run.end().with(0);
    let proofs: Vec<_> = fs::read_dir(world.path("data/proofs")).expect("it is there").collect();
    assert_eq!(proofs.len(), 1, "{proofs:?}");
    let name = proofs.into_iter().flatten().next().expect("one").file_name();
    let name = name.to_string_lossy().into_owned();
    let tip = node.hash_of(4);
    let digits = tip.get(2..10).expect("a hash");
    assert_eq!(name, format!("1-4-{digits}.proof.json"));
    let file = format!("data/proofs/{name}");
    world.push0(&["verify", &file, "--pipeline", "pipeline.toml"]).with(0);
}
