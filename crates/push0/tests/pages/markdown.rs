//! As much of Markdown as these tests need: fences, headings, links, code within a line.
//!
//! Not here: anything that a page of this repository does not use.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One file.
pub(crate) struct Page {
    /// From the root of the repository.
    pub(crate) path: PathBuf,
    lines: Vec<Line>,
}

/// A block between fences.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fence {
    /// The line of the page that it begins in, from 1.
    pub(crate) line: usize,
    /// What stands behind the fence, as `sh`.
    pub(crate) language: String,
    pub(crate) text: String,
    /// Whether nothing but empty lines is between it and the fence before.
    pub(crate) follows_at_once: bool,
}

enum Line {
    Words(String),
    Opens(String),
    Code(String),
    Closes,
}

impl Page {
    pub(crate) fn read(root: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(root.join(path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Self {
        let mut is_code = false;
        let lines = text.lines().map(|line| {
            let fence = line.trim_start().strip_prefix("```");
            match (is_code, fence) {
                (true, Some(_)) => {
                    is_code = false;
                    Line::Closes
                }
                (false, Some(language)) => {
                    is_code = true;
                    Line::Opens(language.trim().to_owned())
                }
                (true, None) => Line::Code(line.to_owned()),
                (false, None) => Line::Words(line.to_owned()),
            }
        });
        Self { path: path.to_owned(), lines: lines.collect() }
    }

    pub(crate) fn fences(&self) -> Vec<Fence> {
        let mut fences: Vec<Fence> = Vec::new();
        let mut is_quiet = false;
        for (line, number) in self.lines.iter().zip(1..) {
            match line {
                Line::Opens(language) => fences.push(Fence {
                    line: number,
                    language: language.clone(),
                    text: String::new(),
                    follows_at_once: is_quiet,
                }),
                Line::Code(code) => {
                    let fence = fences.last_mut().expect("code is within a fence");
                    fence.text.push_str(code);
                    fence.text.push('\n');
                }
                Line::Closes => is_quiet = true,
                Line::Words(words) => is_quiet = is_quiet && words.trim().is_empty(),
            }
        }
        fences
    }

    /// What is outside of fences, with its lines' numbers.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().zip(1..).filter_map(|(line, number)| match line {
            Line::Words(words) => Some((number, words.as_str())),
            Line::Opens(_) | Line::Code(_) | Line::Closes => None,
        })
    }

    /// What follows `#` in links to this page: headings as GitHub and mdBook name them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let headings = self.words().filter(|(_, words)| words.starts_with('#'));
        headings
            .map(|(_, words)| {
                let slug = slug(words.trim_start_matches('#').trim());
                let before = seen.entry(slug.clone()).or_default();
                *before += 1;
                match *before {
                    1 => slug,
                    more => format!("{slug}-{}", more - 1),
                }
            })
            .collect()
    }

    /// Where links and pictures lead, with the line that they end in.
    pub(crate) fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        for (number, words) in self.words() {
            let words = without_code(words);
            for after in words.split("](").skip(1) {
                if let Some((target, _)) = after.split_once(')') {
                    links.push((number, target.to_owned()));
                }
            }
        }
        links
    }

    /// What is between backticks outside of fences.
    pub(crate) fn code_in_lines(&self) -> Vec<(usize, String)> {
        let spans = self.words().flat_map(|(number, words)| {
            let odd = words.split('`').skip(1).step_by(2);
            odd.map(move |code| (number, code.to_owned())).collect::<Vec<_>>()
        });
        spans.collect()
    }
}

/// All pages of the repository, in the order of their paths.
pub(crate) fn pages(root: &Path) -> Vec<Page> {
    let mut paths = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder)).expect("a readable folder");
        for entry in entries.map(|entry| entry.expect("a readable entry")) {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let path = folder.join(&*name);
            let is_folder = entry.file_type().expect("it is there").is_dir();
            if is_folder && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| Page::read(root, path)).collect()
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
    kept.flat_map(char::to_lowercase).map(|it| if it == ' ' { '-' } else { it }).collect()
}

fn without_code(words: &str) -> String {
    words.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

#[test]
fn a_page_is_taken_apart() {
    let text = "# One `two`: three\n\n[a](b.md#c) `[no](x)`\n\n```sh\nls # ](no)\n```\n\n```output\n…\n```\n## One two three\n";
    let page = Page::parse(Path::new("a.md"), text);
    assert_eq!(page.anchors(), ["one-two-three", "one-two-three-1"]);
    assert_eq!(page.links(), [(3, "b.md#c".to_owned())]);
    let fences = page.fences();
    let [sh, output] = &fences[..] else { panic!("{fences:?}") };
    assert_eq!((sh.line, sh.language.as_str(), sh.text.as_str()), (5, "sh", "ls # ](no)\n"));
    assert!(output.follows_at_once && !sh.follows_at_once);
}
