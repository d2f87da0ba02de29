//! How facts are read: in one pass, and without a copy of what is only looked at.
//!
//! A log is opened by reading all of it, so what is done here for each word is done millions of
//! times.
//!
//! Not here: what facts there are (`event`).

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, Unexpected, VariantAccess,
    Visitor, value::MapAccessDeserializer,
};
use serde::forward_to_deserialize_any;

/// Reads what is written as a word.
pub(crate) fn word<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_str(Word(PhantomData))
}

/// Reads so many bytes, from what is not for people.
pub(crate) fn bytes<'de, const N: usize, D>(deserializer: D) -> Result<[u8; N], D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_bytes(Bytes)
}

/// Reads an enum from objects that begin with a field named by `.1`, which says the variant; the
/// fields after it are the variant's. A tag that could stand anywhere would have all of the object
/// kept until it is seen.
pub(crate) struct TagFirst<D>(pub(crate) D, pub(crate) &'static str);

struct Word<T>(PhantomData<T>);

impl<T: FromStr<Err: Display>> Visitor<'_> for Word<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<T, E> {
        word.parse().map_err(Error::custom)
    }
}

struct Bytes<const N: usize>;

impl<const N: usize> Visitor<'_> for Bytes<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<[u8; N], E> {
        bytes.try_into().map_err(|_| Error::invalid_length(bytes.len(), &self))
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for TagFirst<D> {
    type Error = D::Error;

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Tagged { tag: self.1, visitor })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Tagged<V> {
    tag: &'static str,
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Tagged<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object that begins with `{}`", self.tag)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<V::Value, A::Error> {
        match fields.next_key_seed(IsWord(self.tag))? {
            Some(true) => self.visitor.visit_enum(Variant(fields)),
            Some(false) | None => Err(Error::invalid_type(Unexpected::Map, &self)),
        }
    }
}

/// Whether a word is this one.
struct IsWord(&'static str);

impl<'de> DeserializeSeed<'de> for IsWord {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsWord {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<bool, E> {
        Ok(word == self.0)
    }
}

/// The value of the tag comes next, then the fields.
struct Variant<A>(A);

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Variant<A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
    ) -> Result<(S::Value, Self), A::Error> {
        let variant = self.0.next_value_seed(seed)?;
        Ok((variant, self))
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Variant<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        Err(Error::invalid_type(Unexpected::Map, &"a word"))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        seed.deserialize(MapAccessDeserializer::new(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, A::Error> {
        Err(Error::invalid_type(Unexpected::Map, &"an array"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Epoch, Event};

    #[test]
    fn a_field_that_is_not_known_is_passed_over() {
        let text = r#"{"event":"claimed","later":[{"epoch":1}],"epoch":3,"event":"again"}"#;
        assert_eq!(
            serde_json::from_str::<Event>(text).ok(),
            Some(Event::Claimed { epoch: Epoch(3), ids_hold_it: false })
        );
    }

    #[test]
    fn what_does_not_begin_with_the_name_of_a_known_fact_is_refused() {
        for (text, why) in [
            (r#"{"epoch":3,"event":"claimed"}"#, "an object that begins with `event`"),
            (r#"{"event":"dreamt","epoch":3}"#, "unknown variant `dreamt`"),
            (r#"{"event":"claimed"}"#, "missing field `epoch`"),
            (r#"{}"#, "an object that begins with `event`"),
            (r#"["claimed",3]"#, "an object that begins with `event`"),
        ] {
            let error = serde_json::from_str::<Event>(text).expect_err(text).to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
