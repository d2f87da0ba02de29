//! A URL that stands where it does not belong: whoever reads what push0 says of it does not see who
//! it says is asking.

use std::process::Command;

use crate::world::{push0, run};

/// By every flag that takes a value, every positional argument, the environment and the settings
/// file.
#[test]
fn no_place_that_may_hold_a_url_shows_its_secret() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("there"), "").expect("a writable directory");
    let silent = |words: &[&str], env: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_push0"));
        // Nobody is connected to: an address of no server is refused first, or this one is.
        command.args(words).env("PUSH0_NATS", "http://").envs(env.iter().copied());
        let ran = run(command.current_dir(dir.path()));
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains("S3cret"), "{words:?} {env:?}: {said}");
        assert!(!said.is_empty(), "{words:?} {env:?}");
    };
    for (words, arguments) in COMMANDS {
        let words: Vec<_> = words.split(' ').collect();
        let flags = flags(&words);
        assert!(!flags.is_empty(), "{words:?}");
        for url in URLS {
            let by_flags = [WHOLE, WITHOUT_HOST].contains(&url);
            for flag in flags.iter().filter(|_| by_flags) {
                silent(&[&words[..], arguments, &[flag, url]].concat(), &[]);
            }
            for place in 0..arguments.len() {
                let in_place =
                    |(index, argument): (usize, _)| if index == place { url } else { argument };
                let placed = arguments.iter().copied().enumerate().map(in_place);
                silent(&words.iter().copied().chain(placed).collect::<Vec<_>>(), &[]);
            }
        }
    }
    for url in URLS {
        for name in ["PUSH0_NATS", "PUSH0_STORE", "PUSH0_CONFIG"] {
            silent(&["status"], &[(name, url)]);
        }
        for table in tables(url) {
            std::fs::write(dir.path().join("push0.toml"), &table).expect("writable");
            let own = if table.contains("urls") { &[("PUSH0_NATS", "")][..] } else { &[] };
            for words in [["status"].as_slice(), &["dispatch", PIPELINE]] {
                silent(&[words, &["--config", "push0.toml"]].concat(), own);
            }
        }
    }
    for name in ["PUSH0_NATS", "PUSH0_STORE", "PUSH0_CONFIG"] {
        for words in [&["doctor"][..], &["doctor", "--json"]] {
            silent(words, &[(name, WHOLE)]);
        }
    }
}

/// Settings files with the URL at each key that may have one by mistake.
fn tables(url: &str) -> Vec<String> {
    let nats = ["credentials", "tls_ca", "stream", "prefix", "api", "max_bytes", "user"];
    let nats = nats.map(|key| format!("[nats]\n{key} = {url:?}"));
    let store = ["path", "s3"].map(|key| format!("[store]\n{key} = {url:?}"));
    let dispatch = ["notice", "id", "dir", "memory", "drain"];
    let dispatch = dispatch.map(|key| format!("[dispatch]\n{key} = {url:?}"));
    let urls = [format!("[nats]\nurls = [{url:?}]"), format!("[nats]\nurls = {url:?}")];
    let keys = "access_key_id = \"k\"\nsecret_access_key = \"s\"";
    let endpoint = format!("[store]\ns3 = \"s3://bucket\"\n{keys}\nendpoint = {url:?}");
    [&nats[..], &store, &dispatch, &urls, &[endpoint]].concat()
}

/// Those of a command's flags that take a value.
fn flags(words: &[&str]) -> Vec<String> {
    let command: Vec<_> = words.iter().copied().take_while(|word| !word.starts_with('-')).collect();
    let help = push0(&[&command[..], &["--help"]].concat()).stdout;
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let flags = lines.filter_map(|line| {
        let (flag, _) = line.split_once(" <")?;
        flag.split(' ').next_back().map(ToOwned::to_owned)
    });
    flags.filter(|flag| !words.contains(&flag.as_str())).collect()
}

/// Each command, and what it needs beside flags: no file of these is of use, so it ends.
const COMMANDS: &[(&str, &[&str])] = &[
    ("run", &["there"]),
    ("dev", &["there"]),
    ("serve", &["there"]),
    ("dispatch", &["there"]),
    ("submit", &["there", "there"]),
    ("finish --yes", &[]),
    ("drain", &["d1"]),
    ("cordon", &["d1"]),
    ("uncordon", &["d1"]),
    ("apply --yes", &["there"]),
    ("retry", &["3f9a01c2"]),
    ("discard --why x", &["3f9a01c2"]),
    ("unpin --why x", &["demo"]),
    ("proofs", &["there"]),
    ("alive", &["there"]),
    ("check", &["there"]),
    ("verify", &["there"]),
    ("verify --json", &["there"]),
    ("status", &[]),
    ("log cat", &[]),
    ("log step", &[]),
    ("logs", &["3f9a01c2"]),
    ("artifacts", &[]),
];

/// A scheme that no place takes, so that nobody is connected to.
const URLS: [&str; 4] = [
    WHOLE,
    "http://S3cret@127.0.0.1:1",
    "http://127.0.0.1:1/?X-Amz-Signature=S3cret",
    WITHOUT_HOST,
];

const PIPELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/scroll/pipeline.toml");

const WHOLE: &str = "http://k:S3cret@127.0.0.1:1/b?key=S3cret";
const WITHOUT_HOST: &str = "gs://k:S3cret/b";
