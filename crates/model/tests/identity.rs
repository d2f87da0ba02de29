//! What a state is told apart by is honest: worlds of one print, however they came about, hold the
//! same and go on alike.

use std::collections::{BTreeMap, VecDeque};

use push0_model::{Print, SMALL, Setting, World};

/// Goes so many states far, and answers how often one was come to by another way.
fn meets(setting: &Setting, states_max: usize) -> usize {
    let first = World::new(setting);
    let mut known: BTreeMap<Print, World> = BTreeMap::from([(first.print(), first.clone())]);
    let mut next = VecDeque::from([first]);
    let mut met = 0;
    while let Some(world) = next.pop_front() {
        for after in steps(setting, &world) {
            if let Some(before) = known.get(&after.print()) {
                met += 1;
                assert_eq!(after.differs_from(before), None, "{}", after.words());
                let prints = |world: &World| -> Vec<_> {
                    steps(setting, world).iter().map(World::print).collect()
                };
                // All that either leads to, of some: each costs as much as a dozen steps.
                if met % SAMPLED == 0 {
                    assert_eq!(prints(&after), prints(before), "{}", after.words());
                }
            } else if known.len() < states_max {
                known.insert(after.print(), after.clone());
                next.push_back(after);
            }
        }
    }
    met
}

/// All worlds that may come next, in order.
fn steps(setting: &Setting, world: &World) -> Vec<World> {
    let mut actions = Vec::new();
    world.may_happen(setting, &mut actions);
    actions.iter().map(|action| world.after(setting, action)).collect()
}

#[test]
fn worlds_of_one_print_hold_the_same_and_go_on_alike() {
    for setting in SMALL {
        let met = meets(setting, STATES_MAX);
        assert!(met > 50, "few ways meet in {}: {met}", setting.name);
    }
}

/// States of each world.
const STATES_MAX: usize = 1_500;

/// Of so many meetings, one is gone on from.
const SAMPLED: usize = 9;
