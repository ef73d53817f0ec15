//! The canonical form of lists, maps and structs: each item has its form before the whole is written.

use serde::Serialize;
use serde::ser::{self, SerializeMap, Serializer};
use serde_json::Value;

use super::{Canonical, Refused, Rules, tag};
use crate::json::PRIVATE_KEY;

/// A sequence. Its length is known only at its end.
pub(in crate::digest) struct Sequence<'a> {
    to: Canonical<'a>,
    within: Rules,
    variant: Option<&'static str>,
    /// The number of items in `items`, or the items themselves if they are sorted at the end.
    count: usize,
    items: Vec<u8>,
    apart: Vec<Vec<u8>>,
}

impl<'a> Sequence<'a> {
    pub(super) fn new(to: Canonical<'a>, variant: Option<&'static str>) -> Result<Self, Refused> {
        let within = to.rules.within()?;
        Ok(Self { to, within, variant, count: 0, items: Vec::new(), apart: Vec::new() })
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.count += 1;
        if !self.within.unordered {
            return value.serialize(Canonical { out: &mut self.items, rules: self.within });
        }
        let mut item = Vec::new();
        value.serialize(Canonical { out: &mut item, rules: self.within })?;
        self.apart.push(item);
        Ok(())
    }

    fn finish(mut self) -> Result<(), Refused> {
        if let Some(variant) = self.variant {
            self.to.length(tag::MAP, 1);
            self.to.reborrow().serialize_str(variant)?;
        }
        self.to.length(tag::SEQUENCE, self.count);
        self.to.out.extend_from_slice(&self.items);
        self.apart.sort();
        for item in &self.apart {
            self.to.out.extend_from_slice(item);
        }
        Ok(())
    }
}

/// What a map or a struct stands for.
pub(in crate::digest) enum Shape {
    Object,
    /// The content of an enum's variant.
    Variant(&'static str),
    /// A number of serde_json with its feature `arbitrary_precision`: a struct with the number's text.
    Number,
    /// A `RawValue` of serde_json: a struct with JSON text.
    Raw,
}

/// A map. Its keys are sorted at its end.
pub(in crate::digest) struct Map<'a> {
    to: Canonical<'a>,
    within: Rules,
    shape: Shape,
    key: Option<Vec<u8>>,
    entries: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'a> Map<'a> {
    pub(super) fn new(to: Canonical<'a>, shape: Shape) -> Result<Self, Refused> {
        let within = match shape {
            Shape::Object | Shape::Variant(_) => to.rules.within()?,
            // These stand for their content.
            Shape::Number | Shape::Raw => to.rules,
        };
        Ok(Self { to, within, shape, key: None, entries: Vec::new() })
    }

    fn form<T: Serialize + ?Sized>(&self, value: &T) -> Result<Vec<u8>, Refused> {
        let mut out = Vec::new();
        value.serialize(Canonical { out: &mut out, rules: self.within })?;
        Ok(out)
    }

    fn finish(mut self) -> Result<(), Refused> {
        match self.shape {
            Shape::Object => {}
            Shape::Variant(variant) => {
                self.to.length(tag::MAP, 1);
                self.to.reborrow().serialize_str(variant)?;
            }
            Shape::Number => {
                let text = self.only_text()?;
                return number(self.to, &text);
            }
            Shape::Raw => {
                let text = self.only_text()?;
                let value: Value = serde_json::from_str(&text).map_err(ser::Error::custom)?;
                return value.serialize(self.to);
            }
        }
        self.entries.sort();
        self.to.length(tag::MAP, self.entries.len());
        for (key, value) in &self.entries {
            self.to.out.extend_from_slice(key);
            self.to.out.extend_from_slice(value);
        }
        Ok(())
    }

    /// The text that is the only value.
    fn only_text(&self) -> Result<String, Refused> {
        let text = self.entries.first().and_then(|(_, value)| text_of(value));
        text.map(str::to_owned).ok_or_else(|| Refused("a struct of serde_json has another form".to_owned()))
    }
}

/// Writes a number of JSON. It is an integer if 64 bits hold it, and the nearest float otherwise: that is what serde_json
/// reads without `arbitrary_precision`.
fn number(to: Canonical<'_>, text: &str) -> Result<(), Refused> {
    if let Ok(number) = text.parse::<i64>() {
        return to.serialize_i64(number);
    }
    if let Ok(number) = text.parse::<u64>() {
        return to.serialize_u64(number);
    }
    to.serialize_f64(text.parse().map_err(|_| Refused(format!("`{text}` is no number")))?)
}

/// Returns the text that these bytes are the canonical form of; `None` if they are not that of a text.
fn text_of(form: &[u8]) -> Option<&str> {
    let (tag, rest) = form.split_first()?;
    let text = rest.get(size_of::<u64>()..)?;
    (*tag == tag::TEXT).then(|| std::str::from_utf8(text).ok()).flatten()
}

impl SerializeMap for Map<'_> {
    type Ok = ();
    type Error = Refused;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        let key = self.form(key)?;
        if !self.within.finite_alone && text_of(&key).is_some_and(|key| key.starts_with(PRIVATE_KEY)) {
            return Err(Refused(format!("a key begins with `{PRIVATE_KEY}`, which serde_json reserves")));
        }
        self.key = Some(key);
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let key = self.key.take().ok_or_else(|| Refused("a map gave a value before its key".to_owned()))?;
        let value = self.form(value)?;
        self.entries.push((key, value));
        Ok(())
    }
    fn end(self) -> Result<(), Refused> {
        self.finish()
    }
}

macro_rules! structs {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Map<'_> {
            type Ok = ();
            type Error = Refused;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Refused> {
                let entry = (self.form(key)?, self.form(value)?);
                self.entries.push(entry);
                Ok(())
            }
            fn end(self) -> Result<(), Refused> {
                self.finish()
            }
        }
    )*};
}
structs!(SerializeStruct, SerializeStructVariant);

macro_rules! sequences {
    ($($trait:ident: $method:ident),*) => {$(
        impl ser::$trait for Sequence<'_> {
            type Ok = ();
            type Error = Refused;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
                self.item(value)
            }
            fn end(self) -> Result<(), Refused> {
                self.finish()
            }
        }
    )*};
}
sequences!(
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field
);
