//! The image and the compose file, as far as they can be read without a container: what they name
//! is there, every command is one that push0 takes, and nothing runs with more than it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::push0;

#[test]
fn the_image_is_built_with_the_toolchain_of_this_repository() {
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = "));
    let tag = format!("FROM rust:{}-bookworm ", channel.expect("it is named").trim_matches('"'));
    assert!(read("Dockerfile").contains(&tag), "{tag}");
}

/// Cargo wants the manifest and the source of every member of the workspace, of what is not built
/// too.
#[test]
fn the_image_is_given_all_that_it_is_built_from() {
    let ignored = read(".dockerignore");
    let (first, let_in) = ignored.split_once('\n').expect("several lines");
    assert_eq!(first, "*", "nothing is let in but what is named");
    let let_in: Vec<_> = let_in.lines().map(|line| line.strip_prefix('!')).collect();
    let is_let_in = |path: &Path| {
        let_in.iter().any(|one| path.starts_with(one.expect("each line lets something in")))
    };

    let metadata = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let ran = Command::new(env!("CARGO")).args(metadata).current_dir(root()).output();
    let workspace: Workspace =
        serde_json::from_slice(&ran.expect("cargo runs").stdout).expect("it is JSON");
    let sources = workspace.packages.iter().flat_map(|package| {
        let sources = package.targets.iter().map(|target| &target.src_path);
        sources.chain([&package.manifest_path])
    });
    let wanted = sources.map(|path| {
        path.strip_prefix(&workspace.workspace_root).expect("members lie in the workspace")
    });
    let image = read("Dockerfile");
    let copied = image.lines().filter_map(|line| line.strip_prefix("COPY "));
    let copied = copied.filter(|line| !line.starts_with("--from=") && !line.starts_with(". "));
    let copied = copied.flat_map(|line| {
        let sources = line.rsplit_once(' ').map_or(line, |(sources, _)| sources);
        sources.split(' ').map(Path::new)
    });
    let wanted: Vec<_> = wanted.chain(copied).collect();
    assert!(wanted.len() > 30, "{wanted:?}");
    let missing: Vec<_> = wanted.into_iter().filter(|path| !is_let_in(path)).collect();
    assert!(missing.is_empty(), ".dockerignore keeps out {missing:?}");
}

/// Licences ask that their words go along with what is handed on.
#[test]
fn the_image_has_the_notices_of_all_that_its_programs_are_made_of() {
    let image = read("Dockerfile");
    let built = image.split_once("--locked -p ").and_then(|(_, rest)| rest.split_once(" \\\n"));
    let (built, _) = built.expect("what is built");
    let packages: Vec<_> = built.split(" -p ").collect();
    let noted = format!("tools/notices {} > /out/THIRD-PARTY-NOTICES", packages.join(" "));
    assert!(image.contains(&noted), "{noted}");
    assert!(image.contains("COPY --from=build /out/THIRD-PARTY-NOTICES "), "it is in the image");

    let ran = Command::new(root().join("tools/notices")).args(&packages).output();
    let ran = ran.expect("python3 is there");
    let notices = String::from_utf8(ran.stdout).expect("it is text");
    for part in ["tokio ", "object_store ", "qp-plonky2 ", "s3s "] {
        assert!(notices.lines().any(|line| line.starts_with(part)), "{part}");
    }
    let (_, words) = notices.split_once("Tokio Contributors").expect("the words of tokio's");
    assert!(words.contains("without restriction"), "of which this is one");
    assert!(!notices.contains("proptest "), "tests are handed on to nobody");
}

#[test]
fn every_file_that_a_container_is_given_is_there() {
    let compose = read("deploy/compose.yml");
    let words = compose.split(|letter: char| letter.is_whitespace() || "\"[],".contains(letter));
    let mounts: Vec<_> = words
        .filter(|word| word.starts_with("./") || word.starts_with("../"))
        .map(|word| word.split(':').next().unwrap_or(word))
        .collect();
    assert!(mounts.len() > 10, "{mounts:?}");
    let missing: Vec<_> =
        mounts.iter().filter(|mount| !root().join("deploy").join(mount).is_file()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_command_of_a_container_is_one_that_push0_takes() {
    let compose = read("deploy/compose.yml");
    let commands: Vec<Vec<String>> = ["command: ", "test: "]
        .iter()
        .flat_map(|key| compose.split(key).skip(1))
        .filter_map(|after| serde_json::from_str(after.get(..=after.find(']')?)?).ok())
        .collect();
    let mut checked = 0;
    for command in &commands {
        let words: Vec<_> =
            command.iter().map(String::as_str).skip_while(|it| *it == "CMD").collect();
        let [first, args @ ..] = &words[..] else { continue };
        if *first == "push0" {
            let ended = push0(&[args, &["--help"]].concat());
            assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.stderr);
            checked += 1;
        }
    }
    assert_eq!(checked, 7, "serve twice, dispatch, submit, finish, proofs, alive: {commands:?}");
    let faulty = push0(&["finish", "--no-such-flag", "--help"]);
    assert_eq!(faulty.code, Some(2), "this finds faults");
}

/// Read by lines: what is at two spaces below `services:` is a service, and it takes what its part
/// has.
#[test]
fn no_container_has_more_than_it_needs() {
    let compose = read("deploy/compose.yml");
    let part = |name: &str| {
        let begin = format!("\nx-{name}: &{name}\n");
        let (_, rest) = compose.split_once(&begin).unwrap_or_else(|| panic!("no {name}"));
        let lines = rest.lines().take_while(|line| line.starts_with(' '));
        lines.map(str::trim).collect::<Vec<_>>()
    };
    let has = |lines: &[&str], what: &str| lines.iter().any(|line| line.starts_with(what));
    let all = part("part");
    for what in ["user: \"10001:10001\"", "read_only: true", "cap_drop: [ALL]", "pids_limit: "] {
        assert!(has(&all, what), "{what}");
    }
    assert!(has(&all, "security_opt: [\"no-new-privileges:true\"]"));
    let parts = ["bucket", "nats", "engine", "dispatcher", "tool"];
    for name in parts {
        let lines = part(name);
        for what in ["<<: *part", "mem_limit: ", "healthcheck:"] {
            assert!(has(&lines, what), "{name} without {what}");
        }
    }
    assert!(has(&part("dispatcher"), "init: true"));
    let (_, services) = compose.split_once("\nservices:\n").expect("there are services");
    let services = services.lines().take_while(|line| line.is_empty() || line.starts_with(' '));
    let services: Vec<_> = services.filter(|line| !line.is_empty()).collect();
    let starts = |line: &str| line.starts_with("  ") && !line.starts_with("   ");
    let found: Vec<_> =
        services.iter().zip(services.iter().skip(1)).filter(|(line, _)| starts(line)).collect();
    assert_eq!(found.len(), 12, "{found:?}");
    for (service, next) in found {
        let known = parts.iter().any(|name| next.trim() == format!("<<: *{name}"));
        assert!(known, "{service} is no part of the above");
    }
    let given_back =
        ["cap_add", "privileged", "read_only: false", "user: root", "docker.sock", "ports:"];
    for what in given_back {
        assert!(!compose.contains(what), "{what}");
    }
}

#[test]
fn the_pipeline_is_the_example_with_blocks_that_are_submitted() {
    let stages = |path: &str| {
        let text = read(path);
        let lines =
            text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("source"));
        let open_ended = |line: &str| line.replace(" max = { blocks = 20 },", "");
        lines.filter(|line| !line.is_empty()).map(open_ended).collect::<Vec<_>>()
    };
    assert_eq!(stages("deploy/pipeline.toml"), stages("examples/scroll/pipeline.toml"));
    let checked = push0(&["check", &root().join("deploy/pipeline.toml").to_string_lossy()]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
}

/// Of `cargo metadata`.
#[derive(serde::Deserialize)]
struct Workspace {
    workspace_root: PathBuf,
    packages: Vec<Package>,
}

#[derive(serde::Deserialize)]
struct Package {
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(serde::Deserialize)]
struct Target {
    src_path: PathBuf,
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
