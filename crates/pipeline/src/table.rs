//! A table's keys, read by type: what does not fit is a fault, and read as absent.
//!
//! Not here: which keys there are (`spec`).

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::Fault as CoreFault;
use toml::de::{DeTable, DeValue};

use super::lines::Lines;
use super::{Fault, unit};

/// The faults found while reading.
pub(super) struct FaultList<'a> {
    lines: &'a Lines<'a>,
    faults: Vec<Fault>,
    /// Paths of which nothing more needs to be told.
    covered: Vec<String>,
}

impl<'a> FaultList<'a> {
    pub(super) fn new(lines: &'a Lines<'a>) -> Self {
        Self { lines, faults: Vec::new(), covered: Vec::new() }
    }

    pub(super) fn into_parts(self) -> (Vec<Fault>, Vec<String>) {
        (self.faults, self.covered)
    }

    fn add(&mut self, offset: usize, key: String, what: String, remedy: String) {
        self.covered.push(key.clone());
        let line = self.lines.line(offset);
        self.faults.push(Fault { line, key: Some(key), what, remedy });
    }
}

/// One table.
pub(super) struct Keys<'t, 'f, 'a> {
    path: Vec<&'t str>,
    table: Option<&'t DeTable<'t>>,
    found: &'f mut FaultList<'a>,
}

impl<'t, 'f, 'a> Keys<'t, 'f, 'a> {
    pub(super) fn root(table: &'t DeTable<'t>, found: &'f mut FaultList<'a>) -> Self {
        Self { path: Vec::new(), table: Some(table), found }
    }

    /// Refuses the keys that are none. Those of `later` are known, and not built.
    pub(super) fn only(&mut self, known: &[&'t str], later: &[&str]) {
        for (key, _) in self.table.into_iter().flatten() {
            let (name, offset) = (key.get_ref().as_ref(), key.span().start);
            if known.contains(&name) {
                continue;
            }
            let path = self.path_of(name);
            if later.contains(&name) {
                let remedy = "remove it, or use a version of push0 that has it".to_owned();
                self.found.add(offset, path, format!("`{name}` is not built yet"), remedy);
                continue;
            }
            let meant = CoreFault::nearest(name, known.iter().copied());
            let remedy = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("remove it; here belong: {}", known.join(", ")),
            };
            self.found.add(offset, path, "unknown key".to_owned(), remedy);
            if let Some(meant) = meant {
                self.covers(meant);
            }
        }
    }

    /// Nothing needs to be told of `key`: another fault explains it.
    pub(super) fn covers(&mut self, key: &str) {
        let path = self.path_of(key);
        self.found.covered.push(path);
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// The table at `key`; one without keys, if it is absent or no table.
    pub(super) fn table(&mut self, key: &'t str) -> Keys<'t, '_, 'a> {
        let table = match self.at(key) {
            Some((DeValue::Table(table), _)) => Some(table),
            Some((other, offset)) => {
                let write = match key {
                    "max" => "max = { blocks = 4 }".to_owned(),
                    "retry" => "retry = { transient = 5 }".to_owned(),
                    "env" => "env = { NAME = \"value\" }".to_owned(),
                    _ => format!("[{}]", self.path_of(key)),
                };
                self.wrong(key, offset, other, "a table", &write);
                None
            }
            None => None,
        };
        let path = self.path.iter().copied().chain([key]).collect();
        Keys { path, table, found: self.found }
    }

    /// The names in this table, each meant to be a table.
    pub(super) fn names(&self) -> Vec<&'t str> {
        self.table.into_iter().flatten().map(|(key, _)| key.get_ref().as_ref()).collect()
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.at(key)? {
            (DeValue::String(text), _) => Some(text.to_string()),
            (other, offset) => {
                self.wrong(key, offset, other, "text", &format!("{key} = \"...\""));
                None
            }
        }
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        match self.at(key)? {
            (DeValue::Boolean(flag), _) => Some(*flag),
            (other, offset) => {
                self.wrong(key, offset, other, "true or false", &format!("{key} = true"));
                None
            }
        }
    }

    pub(super) fn number(&mut self, key: &str) -> Option<u64> {
        let (value, offset) = self.at(key)?;
        self.whole(key, value, offset)
    }

    /// A word, or a number as it is written in decimal.
    pub(super) fn word_or_number(&mut self, key: &str) -> Option<String> {
        match self.at(key)? {
            (DeValue::String(word), _) => Some(word.to_string()),
            (value, offset) => self.whole(key, value, offset).map(|number| number.to_string()),
        }
    }

    /// The numbers of the table at `key`, by name.
    pub(super) fn numbers(&mut self, key: &'t str) -> BTreeMap<String, u64> {
        let mut table = self.table(key);
        let mut numbers = BTreeMap::new();
        for name in table.names() {
            numbers.extend(table.number(name).map(|number| (name.to_owned(), number)));
        }
        numbers
    }

    /// The texts of the table at `key`, by name.
    pub(super) fn texts(&mut self, key: &'t str) -> BTreeMap<String, String> {
        let mut table = self.table(key);
        let mut texts = BTreeMap::new();
        for name in table.names() {
            texts.extend(table.text(name).map(|text| (name.to_owned(), text)));
        }
        texts
    }

    pub(super) fn words(&mut self, key: &str) -> Option<Vec<String>> {
        let example = format!("{key} = [\"...\"]");
        let array = match self.at(key)? {
            (DeValue::Array(array), _) => array,
            (other, offset) => {
                self.wrong(key, offset, other, "an array of text", &example);
                return None;
            }
        };
        let mut words = Vec::new();
        for element in array {
            match element.get_ref().as_str() {
                Some(word) => words.push(word.to_owned()),
                None => {
                    let at = element.span().start;
                    self.wrong(key, at, element.get_ref(), "text", &example);
                }
            }
        }
        Some(words)
    }

    pub(super) fn duration(&mut self, key: &str) -> Option<Duration> {
        let (value, offset) = self.at(key)?;
        let duration = value.as_str().and_then(unit::duration);
        if duration.is_none() {
            self.no_unit(
                key,
                offset,
                value,
                "a duration",
                "write a number and a unit, as in \"30m\"",
            );
        }
        duration
    }

    /// A shortest and a longest duration, as in `1s..5m`.
    pub(super) fn durations(&mut self, key: &str) -> Option<(Duration, Duration)> {
        let (value, offset) = self.at(key)?;
        let ends = value.as_str().and_then(|text| text.split_once(".."));
        let ends = ends.and_then(|(from, to)| Some((unit::duration(from)?, unit::duration(to)?)));
        if ends.is_none() {
            self.no_unit(
                key,
                offset,
                value,
                "two durations",
                "write the first and the longest, as in \"1s..5m\"",
            );
        }
        ends
    }

    /// Unit: bytes.
    pub(super) fn size(&mut self, key: &str) -> Option<u64> {
        let (value, offset) = self.at(key)?;
        if value.is_integer() {
            return self.whole(key, value, offset);
        }
        let Some(text) = value.as_str() else {
            self.wrong(key, offset, value, "a size", &format!("{key} = \"16GiB\""));
            return None;
        };
        let size = unit::size(text);
        if size.is_none() {
            let remedy = "write a whole number and one of B, KB, MB, GB, TB, KiB, MiB, GiB, TiB";
            self.no_unit(key, offset, value, "a size", remedy);
        }
        size
    }

    fn at(&self, key: &str) -> Option<(&'t DeValue<'t>, usize)> {
        let value = self.table?.get(key)?;
        Some((value.get_ref(), value.span().start))
    }

    fn whole(&mut self, key: &str, value: &DeValue<'_>, offset: usize) -> Option<u64> {
        let DeValue::Integer(integer) = value else {
            self.wrong(key, offset, value, "a whole number", &format!("{key} = 1"));
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        if number.is_none() {
            let (what, remedy) = match integer.as_str().starts_with('-') {
                true => ("a negative number", "write 0 or more"),
                false => ("a number of more than 64 bits", "write a smaller one"),
            };
            let what = format!("{integer} is {what}");
            self.found.add(offset, self.path_of(key), what, remedy.to_owned());
        }
        number
    }

    fn no_unit(&mut self, key: &str, at: usize, value: &DeValue<'_>, kind: &str, remedy: &str) {
        let what = match value {
            DeValue::String(text) => format!("\"{text}\" is not {kind}"),
            DeValue::Integer(number) => format!("{number} is a number without a unit"),
            DeValue::Float(number) => format!("{number} is a number without a unit"),
            DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                format!("{} is not {kind}", kind_of(value))
            }
        };
        self.found.add(at, self.path_of(key), what, remedy.to_owned());
    }

    fn wrong(&mut self, key: &str, at: usize, value: &DeValue<'_>, kind: &str, example: &str) {
        let what = format!("{} where {kind} belongs", kind_of(value));
        self.found.add(at, self.path_of(key), what, format!("write `{example}`"));
    }

    fn path_of(&self, key: &str) -> String {
        let keys: Vec<_> = self.path.iter().copied().chain([key]).collect();
        CoreFault::path(&keys)
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
