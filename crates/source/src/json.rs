//! One line: a JSON object, of which only some keys matter.
//!
//! What does not matter is skipped without being kept, so a block with its transactions costs no
//! more memory than its line. A key that matters and comes twice is refused: two readers could
//! disagree on which one counts.
//!
//! Not here: what the values mean.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use super::Lie;

/// The values that matter, by key. A key that is `null` counts as absent.
pub(super) type Object = BTreeMap<String, Value>;

/// An object: the values that matter, and which others it has.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) object: Object,
    /// The first few keys that do not matter.
    pub(super) others: Vec<String>,
}

/// Reads the keys that `matters` of the object that `line` is.
pub(super) fn read(line: &[u8], matters: &dyn Fn(&str) -> bool) -> Result<Line, Lie> {
    // What is skipped below is not looked at, but provers get the line as it is.
    let text = str::from_utf8(line).map_err(|error| match error.error_len() {
        None => cut(),
        Some(_) => {
            let what = format!("not UTF-8 at column {}", error.valid_up_to() + 1);
            Lie::line(what, "save the file as UTF-8; if it was damaged, fetch the block again")
        }
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let object = Wanted(matters).deserialize(&mut deserializer);
    let object = object.and_then(|object| deserializer.end().map(|()| object));
    match object.map_err(|error| refused(&error))? {
        ObjectParts { twice: Some(key), .. } => {
            let what = format!("`{key}` twice in one block");
            Err(Lie::field(
                &key,
                what,
                "two readers could take different ones: leave the right one",
            ))
        }
        ObjectParts { mut object, others, twice: None } => {
            object.retain(|_, value| !value.is_null());
            Ok(Line { object, others })
        }
    }
}

/// What was read, and the first key that is there again.
#[derive(Default)]
struct ObjectParts {
    object: Object,
    others: Vec<String>,
    twice: Option<String>,
}

fn refused(error: &serde_json::Error) -> Lie {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    // It may quote the line, however long that is.
    let reason: String = reason.chars().take(REASON_MAX).collect();
    match error.classify() {
        Category::Eof => cut(),
        Category::Data => Lie::line(
            format!("no block: {reason}"),
            "write one JSON object a line, as eth_getBlockByNumber gives it",
        ),
        Category::Syntax | Category::Io => Lie::line(
            format!("not JSON at column {}: {reason}", error.column()),
            "write one JSON object a line, as eth_getBlockByNumber gives it",
        ),
    }
}

fn cut() -> Lie {
    let remedy =
        "write each block on one line (`jq -c .`); if the file was cut short, copy it again";
    Lie::line("the line ends within the block", remedy)
}

struct Wanted<'a>(&'a dyn Fn(&str) -> bool);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = ObjectParts;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ObjectParts, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = ObjectParts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<ObjectParts, M::Error> {
        let mut read = ObjectParts::default();
        while let Some(key) = map.next_key::<String>()? {
            if !(self.0)(&key) {
                map.next_value::<IgnoredAny>()?;
                if read.others.len() < OTHERS_MAX && key.len() <= OTHER_BYTES_MAX {
                    read.others.push(key);
                }
                continue;
            }
            match read.object.entry(key) {
                Entry::Vacant(place) => _ = place.insert(map.next_value()?),
                Entry::Occupied(place) => {
                    read.twice.get_or_insert_with(|| place.key().clone());
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(read)
    }
}

/// Far more than any node adds to a block.
const OTHERS_MAX: usize = 64;
/// No field of a header has a name this long.
const OTHER_BYTES_MAX: usize = 64;
/// Unit: characters.
const REASON_MAX: usize = 160;
