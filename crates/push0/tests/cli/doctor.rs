//! `push0 doctor`.

use std::fs;

use crate::world::{at, push0};

#[test]
fn every_thing_has_a_line_and_what_is_wrong_has_a_remedy() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("not-there");
    let nowhere = dir.path().join("no-store");
    let words = ["doctor", "--json", "--data", text(&data), "--nats", "nats://127.0.0.1:9"];
    let ran = push0(&[&words[..], &["--store", text(&nowhere)]].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{}", ran.stdout);
    assert_eq!(
        [at(&ran.stdout, "/format"), at(&ran.stdout, "/standing")],
        ["push0.doctor/1", "fail"]
    );
    let findings = at(&ran.stdout, "/findings");
    let findings = findings.as_array().expect("a list");
    let disk = format!("disk of {}", text(&data));
    for about in
        ["cores", "memory", "processes", "control groups", "GPUs", &disk, "clock", "NATS", "store"]
    {
        assert!(findings.iter().any(|finding| finding["about"] == about), "{about}: {findings:#?}");
    }
    for finding in findings {
        assert_eq!(finding["standing"] == "ok", finding["remedy"].is_null(), "{finding}");
    }
    let failed = |about: &str| {
        let found = findings.iter().find(|finding| finding["about"] == about);
        found.is_some_and(|finding| finding["standing"] == "fail")
    };
    assert!(failed("NATS") && failed("store"), "{findings:#?}");
    assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 0, "it leaves nothing");
}

#[test]
fn programs_of_a_pipeline_are_tried() {
    let dir = tempfile::tempdir().expect("a directory");
    assert_eq!(push0(&["init", text(dir.path()), "--prover", "bash"]).code, Some(0));
    let pipeline = dir.path().join("pipeline.toml");
    let words = ["doctor", text(&pipeline), "--data", text(dir.path())];
    let well = push0(&words);
    assert_eq!((well.code, well.stderr.as_str()), (Some(0), ""), "{}", well.stdout);
    assert!(
        well.stdout.contains("ok    stage root: its verifier refuses 3 of 3"),
        "{}",
        well.stdout
    );
    assert!(!well.stdout.contains("NATS"), "nobody named one: {}", well.stdout);
    fs::remove_file(dir.path().join("prover.sh")).expect("it was written");
    let broken = push0(&words);
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(broken.stdout.contains("FAIL  program root: "), "{}", broken.stdout);
}

#[test]
fn nats_is_told_of_as_it_is_set_up() {
    let dir = tempfile::tempdir().expect("a directory");
    for (lazy_sync, said) in [
        (false, "ok    NATS: a record is on disk before it is acknowledged"),
        (true, "warn  NATS: it acknowledges what is not on disk yet, and syncs every 120 s"),
    ] {
        let settings = push0_testbed::Settings { nodes: 1, lazy_sync, ..Default::default() };
        let nats = push0_testbed::Nats::start_with(&settings);
        let url = nats.urls().concat();
        let monitor = format!("127.0.0.1:{}", nats.monitor(0));
        let words = ["doctor", "--data", text(dir.path()), "--nats", &url];
        let ran = push0(&[&words[..], &["--monitor", &monitor]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for said in [
            said,
            "is reached, and has JetStream",
            "messages of up to 1024 KiB (max_payload)",
            "there is no stream push0 yet",
            "warn  store: none is named",
        ] {
            assert!(ran.stdout.contains(said), "{said}\n{}", ran.stdout);
        }
        let unnamed = push0(&words).stdout;
        assert!(
            unnamed.contains("do not tell clients") && unnamed.contains("--monitor"),
            "{unnamed}"
        );
    }
}

/// Servers tell nobody who may not ask; and their monitoring port is looked at without a cluster,
/// too.
#[test]
fn a_user_who_may_not_ask_and_a_port_that_is_none_are_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let more = "authorization { users: [{ user: a, password: b, permissions: { publish: [x], subscribe: [\">\"] } }] }";
    let settings =
        push0_testbed::Settings { nodes: 1, more: more.to_owned(), ..Default::default() };
    let nats = push0_testbed::Nats::start_with(&settings);
    let url = nats.urls().concat();
    let config = dir.path().join("push0.toml");
    let text_of = format!("[nats]\nurls = [\"{url}\"]\nuser = \"a\"\npassword = \"b\"\n");
    fs::write(&config, text_of).expect("a writable directory");
    let data = ["doctor", "--data", text(dir.path())];
    let refused = push0(&[&data[..], &["--config", text(&config)]].concat());
    assert_eq!(refused.code, Some(0), "{refused:?}");
    let told = "warn  NATS: this user may not ask about the stream: Permissions Violation";
    assert!(refused.stdout.contains(told), "{}", refused.stdout);
    let monitor = format!("127.0.0.1:{}", nats.port(0));
    let none = push0(&[&data[..], &["--monitor", &monitor]].concat());
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.stdout.contains("FAIL  NATS: its monitoring port"), "{}", none.stdout);
}

#[test]
fn a_store_that_cannot_be_is_told_without_a_cluster() {
    let dir = tempfile::tempdir().expect("a directory");
    let ran = push0(&["doctor", "--data", text(dir.path()), "--store", "gs://bucket"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let told = ran.stdout.lines().find(|line| line.starts_with("FAIL  store: "));
    assert!(told.is_some_and(|told| told.contains("gs://bucket")), "{}", ran.stdout);
}

#[test]
fn what_is_no_pipeline_is_told_as_elsewhere() {
    let refused = push0(&["doctor", "/nowhere/pipeline.toml"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    let short = push0(&["doctor", "p", "--within", "0s"]);
    assert!(short.stderr.contains("a time from 1ms to 24h is needed"), "{}", short.stderr);
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("UTF-8")
}
