//! Every sentence of `docs/nats.md` on what a role can or cannot do, and what holds it:
//! `sentences.txt` has each as the page has it, and under it the tests (`= FILE::TEST`), or why
//! there is none (`~ WHY`).
//!
//! Not here: whether a test holds what it is named for. That is for who reads both.

use std::collections::BTreeSet;
use std::fs;

use crate::binaries::workspace;

/// A sentence that is new on the page, or says something else than it did, has nothing that holds
/// it until somebody looks.
#[test]
fn each_sentence_of_the_page_is_listed_in_its_place() {
    let page = fs::read_to_string(workspace().join("docs/nats.md")).expect("it is there");
    let said = sentences(&page);
    let listed: Vec<_> = listed().into_iter().map(|(sentence, _)| sentence).collect();
    for (at, sentence) in said.iter().enumerate() {
        assert_eq!(listed.get(at), Some(sentence), "what {LIST} has in its place");
    }
    assert_eq!(listed.len(), said.len(), "{LIST} has more than the page");
    assert!(said.len() > 100, "{} sentences", said.len());
}

#[test]
fn what_holds_each_sentence_is_there() {
    let (mut looked, mut without) = (BTreeSet::new(), 0);
    for (sentence, held) in listed() {
        assert!(!held.is_empty(), "nothing holds it: {sentence}");
        for by in held {
            if let Some(why) = by.strip_prefix("~ ") {
                assert!(!why.is_empty(), "{sentence}");
                without += 1;
                continue;
            }
            let named = by.strip_prefix("= ").and_then(|by| by.split_once("::"));
            let (file, test) = named.unwrap_or_else(|| panic!("neither a test nor why: {by}"));
            if looked.insert(by.clone()) {
                let code = fs::read_to_string(workspace().join("crates").join(file));
                let code = code.unwrap_or_else(|error| panic!("{file}: {error}"));
                assert!(is_test(&code, test), "{file} has no test {test}");
            }
        }
    }
    assert!(without < 20, "{without} sentences that nothing holds");
}

/// Whether a function of that name is one that is run.
fn is_test(code: &str, name: &str) -> bool {
    let mut attributes = Vec::new();
    for line in code.lines().map(str::trim) {
        if line.starts_with("#[") {
            attributes.push(line);
            continue;
        }
        let is_it = ["fn ", "async fn "].iter().any(|it| line.starts_with(&format!("{it}{name}(")));
        if is_it {
            // A property's is within a macro, which is given the attribute likewise.
            return attributes
                .iter()
                .any(|it| it.starts_with("#[test]") || it.starts_with("#[tokio::test"));
        }
        attributes.clear();
    }
    false
}

fn listed() -> Vec<(String, Vec<String>)> {
    let list = fs::read_to_string(workspace().join(LIST)).expect("it is there");
    let mut listed: Vec<(String, Vec<String>)> = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with("## ")) {
        match line.strip_prefix("    ") {
            Some(by) => {
                let (_, held) = listed.last_mut().expect("a sentence comes first");
                held.push(by.to_owned());
            }
            None => listed.push((line.to_owned(), Vec::new())),
        }
    }
    listed
}

/// What the sections say: a row of a table is a sentence, and so is what ends in a full stop.
fn sentences(page: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    for section in SECTIONS {
        let (_, text) = page.split_once(&format!("\n## {section}\n")).expect("a section");
        let text = text.split("\n## ").next().unwrap_or(text);
        let (mut words, mut rows) = (String::new(), 0);
        for line in text.lines().map(str::trim).chain([""]) {
            let is_row = line.starts_with('|');
            rows = if is_row { rows + 1 } else { 0 };
            if is_row || line.is_empty() || line.starts_with("- ") {
                sentences.extend(cut(&std::mem::take(&mut words)));
            }
            if is_row {
                // The first names its columns, the second rules them off.
                sentences.extend((rows > 2).then(|| line.to_owned()));
                continue;
            }
            let line = line.strip_prefix("- ").unwrap_or(line);
            words = if words.is_empty() { line.to_owned() } else { format!("{words} {line}") };
        }
    }
    sentences
}

fn cut(words: &str) -> Vec<String> {
    let (mut sentences, mut from) = (Vec::new(), 0);
    for (at, _) in words.match_indices('.') {
        let rest = words.get(at + 1..).unwrap_or_default();
        let marks = rest.len() - rest.trim_start_matches('*').len();
        let behind = rest.get(marks..).unwrap_or_default();
        let begins = behind.strip_prefix(' ').and_then(|it| it.chars().next());
        let is_end = begins.is_some_and(|it| it.is_ascii_uppercase() || it == '*' || it == '`');
        if is_end && marks <= 2 {
            let end = at + 1 + marks;
            sentences.extend(words.get(from..end).map(|it| it.trim().to_owned()));
            from = end;
        }
    }
    sentences.extend(words.get(from..).map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()));
    sentences
}

const SECTIONS: [&str; 2] = ["Roles", "What each can do if it turns"];

/// From the root of the repository.
const LIST: &str = "crates/push0/tests/cluster/hostile/sentences.txt";
