//! Whether a command said what its page shows.
//!
//! On a page `…` stands for any letters of a line, and in a line by itself for any lines, none too.

/// Whether all of `shown` is there, in its order, and nothing else.
pub(crate) fn is_as_shown(shown: &str, said: &str) -> bool {
    let lines = |text: &str| text.trim_end().lines().map(str::to_owned).collect::<Vec<_>>();
    are_lines(&lines(shown), &lines(said))
}

fn are_lines(shown: &[String], said: &[String]) -> bool {
    match (shown, said) {
        ([], said) => said.is_empty(),
        ([any, rest @ ..], said) if any.trim() == ANY => {
            (0..=said.len()).any(|skipped| are_lines(rest, said.get(skipped..).unwrap_or(&[])))
        }
        (_, []) => false,
        ([line, shown @ ..], [found, said @ ..]) => {
            is_line(line.trim_end(), found.trim_end()) && are_lines(shown, said)
        }
    }
}

fn is_line(shown: &str, said: &str) -> bool {
    let Some((before, after)) = shown.split_once(ANY) else { return shown == said };
    let Some(said) = said.strip_prefix(before) else { return false };
    let mut ends = said.char_indices().map(|(at, _)| at).chain([said.len()]);
    ends.any(|at| is_line(after, said.get(at..).unwrap_or_default()))
}

const ANY: &str = "…";

#[test]
fn dots_stand_for_letters_and_for_lines() {
    assert!(is_as_shown("a …c\n", "a bc\n"));
    assert!(is_as_shown("…\nb\n…\n", "b"));
    assert!(is_as_shown("a\n…\nd", "a\nb\nc\nd\n"));
    assert!(!is_as_shown("a\n…\nd", "a\nb\nc\n"));
    assert!(!is_as_shown("a …c", "a bd"));
    assert!(!is_as_shown("a", "a\nb"));
}
