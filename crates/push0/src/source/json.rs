//! One line: a JSON object, of which only some keys matter.
//!
//! What does not matter is skipped without being kept, so a block with its transactions costs no more
//! memory than its line. A key that matters and comes twice is refused: two readers could disagree on
//! which one counts.
//!
//! Not here: what the values mean.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use super::Lie;

/// The values that matter, by key. A key that is `null` counts as absent.
pub(super) type Object = BTreeMap<String, Value>;

/// Reads the keys that `matters` of the object that `line` is.
pub(super) fn read(line: &[u8], matters: &dyn Fn(&str) -> bool) -> Result<Object, Lie> {
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    let object = Wanted(matters).deserialize(&mut deserializer);
    object.and_then(|object| deserializer.end().map(|()| object)).map_err(|error| refused(&error))
}

fn refused(error: &serde_json::Error) -> Lie {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    // It may quote the line, however long that is.
    let reason: String = reason.chars().take(REASON_MAX).collect();
    match error.classify() {
        Category::Eof => Lie::line(
            "the line ends within the block",
            "write each block on one line; if the file was cut short, copy it again",
        ),
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

struct Wanted<'a>(&'a dyn Fn(&str) -> bool);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Object;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Object, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object, M::Error> {
        let mut object = Object::new();
        while let Some(key) = map.next_key::<String>()? {
            if !(self.0)(&key) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            match object.entry(key) {
                Entry::Vacant(place) => _ = place.insert(map.next_value()?),
                Entry::Occupied(place) => {
                    return Err(M::Error::custom(format_args!("`{}` twice", place.key())));
                }
            }
        }
        object.retain(|_, value| !value.is_null());
        Ok(object)
    }
}

/// Unit: characters.
const REASON_MAX: usize = 160;
