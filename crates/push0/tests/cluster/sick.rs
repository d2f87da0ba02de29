//! A machine on which every attempt fails at once, beside one that proves.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use push0_core::Event;

use crate::binaries::push0;
use crate::world::{BLOCKS, World, at};

/// By name the sick one comes first, or last: whoever is named first is granted first.
#[test]
fn it_is_set_aside_by_name_and_no_block_is_parked_for_it() {
    for sick in ["a-sick", "z-sick"] {
        let well = "b-well";
        let mut world = World::new(1, "300ms");
        // Each dispatcher has a directory of its name, where its attempts write.
        let (program, mock) = (world.path("prove"), push0().with_file_name("push0-prover-mock"));
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *sick*) echo 'no device' >&2; exit 1;; esac\nexec {} \"$@\"\n",
            mock.display()
        );
        fs::write(&program, script).expect("it is writable");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let path = world.path("pipeline.toml");
        let pipeline = fs::read_to_string(&path).expect("it was written");
        let command = program.display().to_string();
        fs::write(&path, pipeline.replace("push0-prover-mock", &command)).expect("writable");
        world.serve("e1");
        world.wait_for("e1", "leads in");
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
        assert!((3..20).contains(&failed), "{failed} attempts were wasted on it"); // probes too
        world.stop(sick);
        let said = world.said(sick);
        let told: Vec<_> = said.lines().filter(|line| line.contains(" came to nothing ")).collect();
        let [first] = told.as_slice() else { panic!("told once, then counted: {said}") };
        assert!(first.contains(" WARN  prove 16525") && first.contains(": failed: "), "{first}");
        assert!(first.ends_with("no device"), "{first}");
        assert!(said.contains("no device (the same "), "{said}");
        world.finish(BLOCKS);
    }
}
