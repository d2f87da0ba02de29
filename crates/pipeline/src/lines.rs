//! Which line a key stands on.
//!
//! Not here: what is wrong with it.

use std::collections::BTreeMap;

use push0_core::Fault;
use toml::de::{DeTable, DeValue};

/// Where the lines of a text start.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let after = text.match_indices('\n').map(|(end, _)| end + 1);
        Self { text, starts: std::iter::once(0).chain(after).collect() }
    }

    /// The line, counted from 1, that holds the byte at `offset`; at the text's end, its last line.
    pub(super) fn line(&self, offset: usize) -> usize {
        let last = self.text.trim_end().len().saturating_sub(1);
        self.starts.partition_point(|start| *start <= offset.min(last)).max(1)
    }

    /// The lines of all keys in `table`, however deep.
    pub(super) fn places(&self, table: &DeTable<'_>) -> Places {
        let mut places = Places(BTreeMap::new());
        self.walk(table, &mut Vec::new(), &mut places);
        places
    }

    fn walk<'t>(&self, table: &'t DeTable<'_>, keys: &mut Vec<&'t str>, places: &mut Places) {
        for (key, value) in table {
            keys.push(key.get_ref());
            places.0.insert(Fault::path(keys), self.line(key.span().start));
            if let DeValue::Table(inner) = value.get_ref() {
                self.walk(inner, keys, places);
            }
            keys.pop();
        }
    }
}

/// The lines of a file's keys, by path.
pub(super) struct Places(BTreeMap<String, usize>);

impl Places {
    /// The line of the key at `path`, or else of the nearest table around it.
    pub(super) fn line(&self, path: &str) -> usize {
        let around = self.0.iter().filter(|(known, _)| is_within(path, known));
        around.max_by_key(|(known, _)| known.len()).map_or(1, |(_, line)| *line)
    }
}

/// Whether `path` is the key `table`, or lies under it.
pub(super) fn is_within(path: &str, table: &str) -> bool {
    path.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
