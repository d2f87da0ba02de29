//! The configuration that ships is one that a server takes, and says what it must.

use std::fs;
use std::path::Path;
use std::process::Command;

use push0_log::NatsConfig;
use push0_testbed::binary;

#[test]
fn the_configuration_that_ships_is_taken_and_syncs_first() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nats.conf");
    let users = ["ENGINE", "GPU_1", "GPU_2", "CLIENT", "READER", "SYSTEM"];
    let passwords = users.map(|user| (format!("PUSH0_{user}_PASSWORD"), "x"));
    let checked = Command::new(binary())
        .args(["-t", "-c"])
        .arg(&path)
        .envs(passwords)
        .output()
        .expect("nats-server runs");
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");

    let text = fs::read_to_string(path).expect("it is there");
    assert!(text.lines().any(|line| line.trim() == "sync_interval: always"));
    assert!(text.lines().any(|line| line.trim() == "max_file_store: 20GB"));
    assert!(NatsConfig::default().max_bytes < 20_000_000_000, "a log fits");
}
