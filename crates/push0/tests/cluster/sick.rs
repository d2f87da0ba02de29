//! A machine on which every attempt fails at once, beside one that proves.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use push0_core::Event;

use crate::world::{BLOCKS, World, at};

/// By name the sick one comes first, or last: whoever is named first is granted first.
#[test]
fn it_is_set_aside_by_name_and_no_block_is_parked_for_it() {
    for (sick, well) in [("a-sick", "b-well"), ("z-sick", "b-well")] {
        let mut world = World::new(1, "300ms");
        let tools = world.path("tools");
        fs::create_dir(&tools).expect("a writable directory");
        let program = tools.join("push0-prover-mock");
        fs::write(&program, "#!/bin/sh\necho 'no device' >&2\nexit 1\n").expect("it is writable");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        world.serve("e1");
        world.wait_for("e1", "leads in");
        let path = std::env::var("PATH").unwrap_or_default();
        world.tell(sick, "PATH", format!("{}:{path}", tools.display()));
        for id in [sick, well] {
            world.dispatch(id);
            world.wait_for(id, "takes work");
        }
        world.submit();
        world.wait_for("e1", "set_aside");
        let status = world.status();
        let aside = at(&status, "/trouble/set_aside/0");
        assert_eq!(at(&aside, "/dispatcher"), sick, "{status}");
        assert!(at(&aside, "/message").to_string().contains("no device"), "{status}");
        world.wait_accepted(BLOCKS);
        let events: Vec<_> = world.history().into_iter().flat_map(|turn| turn.events).collect();
        let parked = events.iter().filter(|event| matches!(event, Event::Parked { .. })).count();
        let failed = events.iter().filter(|event| matches!(event, Event::Failed { .. })).count();
        assert_eq!(parked, 0);
        assert!((3..20).contains(&failed), "{failed} attempts were wasted on it"); // a slow day has more probes
        world.finish(BLOCKS);
    }
}
