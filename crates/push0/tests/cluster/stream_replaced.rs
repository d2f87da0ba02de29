//! The stream is deleted and made again under a live engine: a loud stop, and no append to what
//! takes its place.

use std::process::Stdio;

use crate::world::World;

#[test]
fn the_engine_ends_and_says_why() {
    let mut world = World::usual(1, "50ms");
    world.delete_stream();
    assert!(world.history().is_empty(), "reading makes it again");
    assert_eq!(world.wait_end("e1").code(), Some(4), "{}", world.said("e1"));
    assert!(world.said("e1").contains(" ERROR "), "{}", world.said("e1"));
    assert!(world.history().is_empty(), "nothing was appended to another log");
    // Two dispatchers are there still, and have heard an engine before.
    let status = world.command(&["status"]).stdout(Stdio::piped()).output().expect("it starts");
    let text = String::from_utf8(status.stdout).expect("it is text");
    assert_eq!(status.status.code(), Some(4), "{text}");
    assert!(text.starts_with("the log is empty, and yet these answer: "), "{text}");
    assert!(text.contains("d1") && !text.contains("nothing has run here"), "{text}");
}
