//! Checks of the source itself: what neither rustc, clippy nor rustfmt can say.
//!
//! A limit here only goes down. To break one, change this file in the same commit and say why.

mod rooms;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[test]
fn every_source_file_is_tidy() {
    let complaints: Vec<_> = sources().iter().flat_map(|path| complaints(path)).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// What a crate could call, it could come to depend on. The core must stay a function of its
/// inputs; a source knows no engine, and a pipeline's file no arguments.
#[test]
fn a_crate_depends_on_what_it_may_know_alone() {
    for (name, may) in MAY_KNOW {
        let manifest = read(&root().join(name).join("Cargo.toml"));
        let (_, rest) = manifest.split_once("[dependencies]").expect("a section");
        let lines = rest.lines().map(str::trim).skip(1).take_while(|line| !line.is_empty());
        let names: Vec<_> = lines.filter_map(|line| line.split([' ', '=', '.']).next()).collect();
        assert_eq!(names, *may, "{name}");
    }
}

#[test]
fn tokio_is_where_it_may_be() {
    let with_tokio: BTreeSet<_> = manifests()
        .into_iter()
        .filter(|path| read(path).lines().any(|line| line.starts_with("tokio")))
        .filter_map(|path| Some(path.parent()?.file_name()?.to_str()?.to_owned()))
        .collect();
    // The testbed's S3 server is one of crates that need it; the bench's clients of NATS and
    // Postgres are others, and so is the source's client of nodes.
    let may: BTreeSet<_> =
        ["bench", "dispatch", "log", "push0", "source", "testbed"].map(str::to_owned).into();
    assert!(with_tokio.is_subset(&may), "{with_tokio:?}");
}

/// A file is read without a runtime.
#[test]
fn within_the_source_tokio_is_under_node_alone() {
    let others = below(&root().join("crates/source/src"), "rs").into_iter().filter(|path| {
        let is_node = path.components().any(|part| part.as_os_str() == "node");
        !is_node && !path.ends_with("node.rs") && read(path).contains("tokio")
    });
    let found: Vec<_> = others.collect();
    assert!(found.is_empty(), "{found:?}");
}

/// The log in files and in memory is driven by a simulation, which has no runtime.
#[test]
fn within_the_log_tokio_is_under_nats_alone() {
    let others = below(&root().join("crates/log/src"), "rs").into_iter().filter(|path| {
        let is_nats = path.components().any(|part| part.as_os_str() == "nats");
        !is_nats && !path.ends_with("nats.rs") && read(path).contains("tokio")
    });
    let found: Vec<_> = others.collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_prover_in_the_readme_is_the_one_that_is_built() {
    let example = read(&root().join("crates/prover/examples/root.rs"));
    let (_, code) = example.split_once("\n\n").expect("a header, then code");
    assert!(read(&root().join("README.md")).contains(code.trim_end()));
}

#[test]
fn the_pipeline_in_the_readme_is_the_example() {
    let keys = |text: &str| {
        let lines = text.lines().map(|line| line.split(" #").next().unwrap_or(line).trim());
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(str::to_owned).collect::<Vec<_>>().join("\n")
    };
    let example = keys(&read(&root().join("examples/scroll/pipeline.toml")));
    assert!(keys(&read(&root().join("README.md"))).contains(&example), "{example}");
}

#[test]
fn the_architecture_stays_short() {
    assert!(read(&root().join("ARCHITECTURE.md")).lines().count() <= 300);
}

/// What is linked in must be free to be handed on under this project's own licences. `./test` has
/// the same list held by cargo-deny, which knows more; this needs nothing that is not here.
#[test]
fn every_dependency_has_a_licence_that_fits() {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", &platform])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&cargo.stdout).expect("cargo metadata is JSON");
    let packages = metadata.get("packages").and_then(Value::as_array).expect("packages");
    let deny = read(&root().join("deny.toml"));
    let (_, rest) = deny.split_once("\nallow = [").expect("a list of licences");
    let (list, _) = rest.split_once(']').expect("its end");
    let allowed: Vec<_> = list.split('"').skip(1).step_by(2).collect();
    let has_fit = |package: &&Value| fits(&allowed, package["license"].as_str().unwrap_or("none"));
    let unfit = packages.iter().filter(|package| !has_fit(package));
    let names = unfit.map(|package| format!("{}: {}", package["name"], package["license"]));
    let names: Vec<_> = names.collect();
    assert!(names.is_empty(), "{names:#?}");
}

/// A store in a bucket needs a client of S3. Who wants none of that builds push0 without.
#[test]
fn without_its_feature_push0_has_no_client_of_s3() {
    let has_client = |features: &[&str]| {
        let cargo = Command::new(env!("CARGO"))
            .args(["tree", "-p", "push0", "--edges", "normal", "--locked", "--offline"])
            .args(["--prefix", "none"])
            .args(features)
            .current_dir(root())
            .output()
            .expect("cargo runs");
        let tree = String::from_utf8(cargo.stdout).expect("names are text");
        assert!(tree.starts_with("push0 v"), "{}", String::from_utf8_lossy(&cargo.stderr));
        tree.lines().any(|line| line.starts_with("object_store "))
    };
    assert!(has_client(&[]) && !has_client(&["--no-default-features"]));
}

/// Whether all of it fits, or one of the choices it gives.
fn fits(allowed: &[&str], licence: &str) -> bool {
    let licence = licence.replace('/', " OR ").replace(['(', ')'], "");
    let is_known = |words: &str| allowed.contains(&words.trim());
    licence.split(" AND ").all(|all| all.split(" OR ").any(is_known))
}

fn complaints(path: &Path) -> Vec<String> {
    let text = read(path);
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(&text);
    let mut found = Vec::new();
    let mut complain = |what: String| found.push(format!("{}: {what}", path.display()));

    let is_submodule_of_a_test = path.file_name().is_some_and(|name| name == "tests.rs");
    if !text.starts_with("//! ") && !is_submodule_of_a_test {
        complain("starts without a module doc: say what it is for, and what it is not".into());
    }
    let lines = code.lines().count();
    if lines > FILE_LINES_MAX {
        complain(format!("{lines} lines, the limit is {FILE_LINES_MAX}: split it by meaning"));
    }
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("//")
            && line.chars().count() > COMMENT_COLUMNS_MAX
            && !is_drawn(line)
        {
            complain(format!(
                "line {}: a comment goes past column {COMMENT_COLUMNS_MAX}",
                number + 1
            ));
        }
        for (banned, instead) in BANNED {
            let is_exempt = path.ends_with("tests/tidy/main.rs")
                || (*banned == BOXED
                    && path.components().any(|part| part.as_os_str() == "examples"));
            if line.contains(banned) && !is_exempt {
                complain(format!("line {}: `{banned}`: {instead}", number + 1));
            }
        }
    }
    found
}

/// Whether a comment is a table, a drawing or aligned, and not a sentence; or one word.
fn is_drawn(line: &str) -> bool {
    let text = line.trim_start().trim_start_matches(['/', '!']);
    let is_wide = text.contains("   ") || text.trim_start().starts_with('|');
    is_wide || text.contains(['─', '│', '▼', '┤']) || text.split_whitespace().count() == 1
}

fn sources() -> Vec<PathBuf> {
    ["crates", "provers"].iter().flat_map(|folder| below(&root().join(folder), "rs")).collect()
}

fn manifests() -> Vec<PathBuf> {
    ["crates", "provers"].iter().flat_map(|folder| below(&root().join(folder), "toml")).collect()
}

fn below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a readable folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    paths.sort();
    let within = paths.into_iter().flat_map(|path| match path.is_dir() {
        true if path.ends_with("target") => Vec::new(),
        true => below(&path, extension),
        false if path.extension().is_some_and(|found| found == extension) => vec![path],
        false => Vec::new(),
    });
    within.collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a crate depends on, of those whose worth is in what they do not know.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("crates/core", &["serde", "sha2", "thiserror"]),
    ("crates/engine", &["push0-core"]),
    ("crates/pipeline", &["humantime", "push0-core", "thiserror", "toml"]),
    (
        "crates/source",
        &[
            "alloy-consensus",
            "alloy-primitives",
            "futures-util",
            "hex",
            "push0-core",
            "reqwest",
            "rustls",
            "secrecy",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
        ],
    ),
];

/// Lines of one file above its tests.
const FILE_LINES_MAX: usize = 400;

/// What two editors show side by side.
const COMMENT_COLUMNS_MAX: usize = 100;

const BANNED: &[(&str, &str)] = &[
    ("FIXME", "finish it, or file an issue and delete the line"),
    ("TODO", "finish it, or file an issue and delete the line"),
    ("protocol.md", "name a document that is in this repository"),
    ("design.md", "name a document that is in this repository"),
    ("mod utils", "name it after what it does"),
    ("serde(untagged)", "tag it: a message's kind is not its shape"),
    ("serde(flatten)", "list the fields: errors then name the right one"),
    (BOXED, "an enum whose variants say what to do"),
];

/// The `main` of an example has nobody to tell apart its errors for.
const BOXED: &str = "Box<dyn Error";
