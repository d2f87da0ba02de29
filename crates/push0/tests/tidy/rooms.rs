//! Rooms: the modules at the top of a crate. Which uses which is read from the source, and must
//! have no circle.
//!
//! A room that two others make a circle with cannot be read alone, nor moved out. The crate's root
//! is no room: it only names them. Tests are left out, and may use what they like.
//!
//! Not here: what one crate must not know of another, which its dependencies say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{below, read, root};

/// Which room uses which.
type Uses = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_rooms_make_a_circle() {
    let untold: Vec<_> = crates()
        .into_iter()
        .flat_map(|name| circles(&uses(&name)).into_iter().map(move |it| (name.clone(), it)))
        .filter(|(name, circle)| !told(name).contains(circle))
        .map(|(name, circle)| {
            let within =
                |of: &BTreeSet<String>| of.intersection(&circle).cloned().collect::<Vec<_>>();
            let uses = uses(&name);
            let lines = circle.iter().filter_map(|room| {
                Some(format!("  {room} uses {}", within(uses.get(room)?).join(", ")))
            });
            format!("{name}:\n{}", lines.collect::<Vec<_>>().join("\n"))
        })
        .collect();
    assert!(
        untold.is_empty(),
        "rooms in a circle: let one of them know less\n{}",
        untold.join("\n")
    );
}

#[test]
fn a_circle_that_is_gone_is_told_no_more() {
    for (name, circle, _) in CIRCLES {
        let circle: BTreeSet<_> = circle.iter().map(|room| (*room).to_owned()).collect();
        assert!(
            circles(&uses(name)).contains(&circle),
            "take it out of CIRCLES: {name} {circle:?}"
        );
    }
}

/// It is the last of the rooms: all that it does is to use the others.
#[test]
fn nobody_uses_the_command_line() {
    let uses = uses("crates/push0");
    let users: Vec<_> = uses.iter().filter(|(_, used)| used.contains("cli")).collect();
    assert!(users.is_empty(), "{users:?}");
    assert!(uses.get("cli").is_some_and(|used| used.len() > 10), "the source is read");
}

#[test]
fn a_circle_is_found_whichever_way_a_room_is_named() {
    let names = |text: &str| names(text, true, &BTreeMap::from([("Exit".into(), "exit".into())]));
    assert_eq!(names("use crate::{\n a::B,\n c::{D, e::F},\n Exit};"), set(&["a", "c", "exit"]));
    assert_eq!(names("let x = crate::lines::time(super::wall::now());"), set(&["lines", "wall"]));
    assert_eq!(names("// crate::cli\n/// [`crate::cli`]\n"), set(&[]));
    let uses = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"), ("c", "e"), ("f", "g"), ("g", "f")];
    let mut by_room = Uses::new();
    for (room, used) in uses {
        by_room.entry(room.to_owned()).or_default().insert(used.to_owned());
    }
    assert_eq!(circles(&by_room), [set(&["a", "b", "c"]), set(&["f", "g"])]);
}

/// The rooms that can reach each other, each such set once.
fn circles(uses: &Uses) -> Vec<BTreeSet<String>> {
    let reach = |from: &str| {
        let mut found = BTreeSet::new();
        let mut next = vec![from.to_owned()];
        while let Some(room) = next.pop() {
            let used = uses.get(&room).into_iter().flatten();
            next.extend(used.filter(|used| found.insert((*used).clone())).cloned());
        }
        found
    };
    let reached: BTreeMap<_, _> = uses.keys().map(|room| (room, reach(room))).collect();
    let around = |room: &String| {
        let back = |other: &&String| reached.get(other).is_some_and(|found| found.contains(room));
        reached.get(room).into_iter().flatten().filter(back).cloned().collect::<BTreeSet<_>>()
    };
    let all: BTreeSet<_> = uses.keys().map(around).filter(|circle| circle.len() > 1).collect();
    all.into_iter().collect()
}

/// Which room of a crate uses which.
fn uses(name: &str) -> Uses {
    let src = root().join(name).join("src");
    let files = below(&src, "rs").into_iter().filter_map(|path| {
        let within = path.strip_prefix(&src).ok()?.to_owned();
        Some((room(&within)?, within.components().count() == 1, code(&read(&path))))
    });
    let files: Vec<_> = files.collect();
    let rooms: BTreeSet<_> = files.iter().map(|(room, ..)| room.clone()).collect();
    let handed_on = handed_on(&src, &rooms);
    let mut uses = Uses::new();
    for (room, is_top, code) in &files {
        let mut used = names(code, *is_top, &handed_on);
        used.retain(|used| used != room && rooms.contains(used));
        uses.entry(room.clone()).or_default().extend(used);
    }
    uses
}

/// The room that a file is in; none for the root, and for files of tests.
fn room(within: &Path) -> Option<String> {
    let is_test = |part: &str| part == "tests" || part == "tests.rs";
    let parts: Option<Vec<_>> = within.iter().map(|part| part.to_str()).collect();
    let parts = parts?;
    let room = parts.first()?.trim_end_matches(".rs");
    let is_room = !["lib", "main", "bin"].contains(&room) && !parts.iter().any(|it| is_test(it));
    is_room.then(|| room.to_owned())
}

/// What a file says, without its tests.
fn code(text: &str) -> String {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text).to_owned()
}

/// What the root hands on as its own, and the room that it is from.
fn handed_on(src: &Path, rooms: &BTreeSet<String>) -> BTreeMap<String, String> {
    let lib = src.join("lib.rs");
    let text = if lib.exists() { code(&read(&lib)) } else { String::new() };
    let mut from = BTreeMap::new();
    for statement in text.split(';').filter_map(|it| it.split_once("use ").map(|(_, what)| what)) {
        let statement = statement.trim_start_matches("self::").trim_start_matches("crate::");
        let Some((room, what)) = statement.split_once("::") else { continue };
        for item in what.trim_matches(['{', '}']).split(',').filter(|_| rooms.contains(room)) {
            let name = item.rsplit([' ', ':']).find(|word| !word.is_empty()).unwrap_or_default();
            from.insert(name.trim().to_owned(), room.to_owned());
        }
    }
    from
}

/// What a text names of the crate's root: rooms, and things that the root hands on from one.
fn names(text: &str, is_top: bool, handed_on: &BTreeMap<String, String>) -> BTreeSet<String> {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let text = lines.collect::<Vec<_>>().join("\n");
    let mut found: Vec<&str> = Vec::new();
    for root in ["crate::", "super::"].into_iter().filter(|root| is_top || *root == "crate::") {
        found.extend(text.split(root).skip(1).flat_map(heads));
    }
    let named = |name: &str| handed_on.get(name).cloned().unwrap_or_else(|| name.to_owned());
    found.into_iter().filter(|name| !name.is_empty()).map(named).collect()
}

/// The first name of a path, or of each path of a list in braces.
fn heads(path: &str) -> Vec<&str> {
    let word = |text| {
        let text = str::trim_start(text);
        let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        text.split_at(end.unwrap_or(text.len())).0
    };
    let Some(list) = path.strip_prefix('{') else { return vec![word(path)] };
    let (mut heads, mut depth) = (vec![word(list)], 1_usize);
    for (at, letter) in list.char_indices() {
        depth = match letter {
            '{' => depth + 1,
            '}' => depth - 1,
            _ => depth,
        };
        match letter {
            _ if depth == 0 => break,
            ',' if depth == 1 => heads.push(word(list.split_at(at + 1).1)),
            _ => {}
        }
    }
    heads
}

/// All crates that have rooms.
fn crates() -> Vec<String> {
    let folders = ["crates", "provers"].into_iter().flat_map(|folder| {
        let entries = std::fs::read_dir(root().join(folder)).expect("a readable folder");
        entries.map(move |entry| {
            let name = entry.expect("a readable entry").file_name();
            format!("{folder}/{}", name.to_str().expect("a name in UTF-8"))
        })
    });
    folders.filter(|name| root().join(name).join("src").is_dir()).collect()
}

fn told(name: &str) -> Vec<BTreeSet<String>> {
    let told = CIRCLES.iter().filter(|(of, ..)| *of == name);
    told.map(|(_, circle, _)| set(circle)).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Circles that are there, each with what it is made of. `push0` has none, and a new crate begins
/// with none.
const CIRCLES: &[(&str, &[&str], &str)] = &[
    (
        "crates/dispatch",
        &[
            "attempt",
            "away",
            "context",
            "desk",
            "dispatcher",
            "file",
            "judges",
            "pool",
            "rooms",
            "serve",
            "users",
            "verify",
        ],
        "the context holds the parts, and the parts are given the context",
    ),
    (
        "crates/bench",
        &[
            "baseline",
            "cli",
            "interleave",
            "leash",
            "limits",
            "load",
            "memory",
            "overhead",
            "page",
            "place",
            "recovery",
            "replay",
            "report",
            "results",
            "scaling",
            "system",
            "target",
            "throughput",
        ],
        "what is asked, and how it is told, stand in `cli`",
    ),
    ("provers/chain", &["block", "circuit", "statement"], "circuits, and what they state"),
    ("provers/chain", &["cache", "chain", "key"], "keys, and what is kept of them"),
];
