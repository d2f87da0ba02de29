//! Two engines are started at the same instant, or one whose claim can be none.

use std::time::UNIX_EPOCH;

use crate::world::{BLOCKS, World, now};

#[test]
fn one_leads_and_one_stands_by() {
    let mut world = World::new(1, "50ms");
    ["e1", "e2"].iter().for_each(|name| world.serve(name));
    world.dispatch("d1");
    world.submit();
    world.wait_accepted(BLOCKS);
    world.finish(BLOCKS);
}

/// Above the last epoch there is none: whoever claims then is refused, and does not end as if all
/// were well.
#[test]
fn a_claim_that_is_refused_is_an_error() {
    let mut world = World::new(1, "20ms");
    world.serve("e1");
    let client = world.connected();
    push0_testbed::until("the beat is not heard", || {
        let at = now().duration_since(UNIX_EPOCH).expect("it is later than that").as_micros();
        let last = u64::MAX;
        world.say_as_leader(
            &client,
            format!(r#"{{"epoch":{last},"engine":"e0","last":0,"store":"","at":{at}}}"#),
        );
        world.said("e1").contains("e0 leads in").then_some(())
    });
    world.wait_for("e1", "e1: leads in epoch-18446744073709551615");
    assert!(world.stop("e1").success());
    world.serve("e2");
    let ended = world.wait_end("e2");
    assert_eq!(ended.code(), Some(5), "{}", world.said("e2"));
    assert!(world.said("e2").contains(" ERROR the log was not taken over"), "{}", world.said("e2"));
}
