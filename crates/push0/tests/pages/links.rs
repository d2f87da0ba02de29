//! Where links lead, and what the book has.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::binaries::workspace;
use crate::markdown::{Page, pages};

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let (root, mut dead) = (workspace(), Vec::new());
    for page in pages(&root) {
        for (line, link) in page.links() {
            if !leads_somewhere(&root, &page, &link) {
                dead.push(format!("{}:{line}: {link}", page.path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}\n", dead.join("\n"));
}

#[test]
fn every_page_of_docs_is_in_the_book_once() {
    let root = workspace();
    let summary = Page::read(&root, Path::new(SUMMARY));
    let mut listed: Vec<_> =
        summary.links().iter().map(|(_, link)| Path::new("docs").join(link)).collect();
    listed.sort();
    let there = pages(&root).into_iter().map(|page| page.path);
    let there: Vec<_> =
        there.filter(|path| path.starts_with("docs") && *path != Path::new(SUMMARY)).collect();
    assert_eq!(listed, there, "what {SUMMARY} lists, and what is in docs");
}

/// The numbers must be seen at a glance; how they came about is in the history.
#[test]
fn the_page_of_results_is_short() {
    let text = std::fs::read_to_string(workspace().join("docs/benchmarks.md")).expect("a page");
    assert!(text.lines().count() <= 120, "{} lines", text.lines().count());
}

/// A page that has commands is run by a test, or it says nothing that a shell would take.
#[test]
fn every_page_with_commands_is_run() {
    let has_commands = |page: &Page| page.fences().iter().any(|fence| fence.language == "sh");
    let with: BTreeSet<_> = pages(&workspace())
        .into_iter()
        .filter(has_commands)
        .map(|page| page.path.to_string_lossy().into_owned())
        .collect();
    let run = crate::commands::RUN.iter().map(|path| (*path).to_owned());
    let not_run = crate::commands::NOT_RUN.iter().map(|(path, _)| (*path).to_owned());
    assert_eq!(with, run.chain(not_run).collect());
}

fn leads_somewhere(root: &Path, page: &Page, link: &str) -> bool {
    if ["https://", "http://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
        return true;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, it)| (file, Some(it)));
    let target = match file {
        "" => page.path.clone(),
        file => plain(&page.path.parent().unwrap_or_else(|| Path::new("")).join(file)),
    };
    let is_there = root.join(&target).exists();
    let is_page = target.extension().is_some_and(|ext| ext == "md");
    is_there
        && anchor.is_none_or(|anchor| {
            is_page && Page::read(root, &target).anchors().iter().any(|found| found == anchor)
        })
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{} leaves it", path.display()),
            Component::CurDir => {}
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => plain.push(part),
        }
    }
    plain
}

const SUMMARY: &str = "docs/SUMMARY.md";
