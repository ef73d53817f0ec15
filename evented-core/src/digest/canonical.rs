//! The canonical form of a value: values with the same meaning have the same bytes, whatever spelling a database or a
//! JSON library gives them.
//!
//! The form has the structure of JSON, with these rules: numbers are compared by value (`1` is `1.0`, `0` is `-0.0`),
//! the keys of maps and structs are sorted, and each text and collection has its length before it. NaN, the
//! infinities and NUL bytes are refused, because not every database stores them. So are nesting that serde_json cannot
//! read back and keys that it reserves.
//!
//! The form does not depend on the features of serde_json. With some of them, a [`Number`](serde_json::Number) and a
//! `RawValue` serialize as structs with reserved names, which are recognised here.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{self, Serializer};

use crate::json::{MAX_DEPTH, PRIVATE_KEY};

mod collections;

use collections::{Map, Sequence, Shape};

/// The byte before each value, which states its type.
pub(super) mod tag {
    pub(in crate::digest) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const INTEGER: u8 = 3;
    pub(super) const FLOAT: u8 = 4;
    pub(super) const TEXT: u8 = 5;
    pub(super) const BYTES: u8 = 6;
    pub(super) const SEQUENCE: u8 = 7;
    pub(super) const MAP: u8 = 8;
}

/// Appends the canonical form of a value.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Refused> {
    value.serialize(Canonical { out, rules: Rules::STRICT })
}

/// Appends the canonical form of a value whose lists have no order, such as a `HashSet`: their items are sorted.
pub(crate) fn write_unordered<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Refused> {
    value.serialize(Canonical { out, rules: Rules { unordered: true, ..Rules::STRICT } })
}

/// Checks that every number of a value is finite.
pub(crate) fn check_finite<T: Serialize + ?Sized>(value: &T) -> Result<(), Refused> {
    value.serialize(Canonical { out: &mut Vec::new(), rules: Rules { finite_alone: true, ..Rules::STRICT } })
}

/// Why a value has no canonical form.
#[derive(Debug)]
pub(crate) struct Refused(String);

impl Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Refused {}
impl ser::Error for Refused {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Canonical<'a> {
    out: &'a mut Vec<u8>,
    rules: Rules,
}

/// How a value is written, and where.
#[derive(Clone, Copy)]
struct Rules {
    /// Whether only the numbers are checked.
    finite_alone: bool,
    /// Whether the items of lists are sorted.
    unordered: bool,
    /// The number of lists and objects around the value.
    depth: usize,
}

impl Rules {
    const STRICT: Self = Self { finite_alone: false, unordered: false, depth: 0 };

    /// The rules for the content of a list or an object.
    fn within(self) -> Result<Self, Refused> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH && !self.finite_alone {
            return Err(Refused(format!("it is nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { depth, ..self })
    }
}

impl Canonical<'_> {
    fn length(&mut self, tag: u8, length: usize) {
        self.out.push(tag);
        self.out.extend_from_slice(&(length as u64).to_be_bytes());
    }

    fn integer(self, value: i128) {
        self.out.push(tag::INTEGER);
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    fn reborrow(&mut self) -> Canonical<'_> {
        Canonical { out: self.out, rules: self.rules }
    }
}

/// Floats above this are not treated as integers. Their neighbours are more than one apart long before this value.
const LARGEST_INTEGRAL: f64 = 1e30;

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, value: $type) -> Result<(), Refused> {
            self.integer(i128::from(value));
            Ok(())
        }
    )*};
}

impl<'a> Serializer for Canonical<'a> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Sequence<'a>;
    type SerializeTuple = Sequence<'a>;
    type SerializeTupleStruct = Sequence<'a>;
    type SerializeTupleVariant = Sequence<'a>;
    type SerializeMap = Map<'a>;
    type SerializeStruct = Map<'a>;
    type SerializeStructVariant = Map<'a>;

    integers!(
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    );

    fn serialize_u128(self, value: u128) -> Result<(), Refused> {
        match i128::try_from(value) {
            Ok(value) => self.serialize_i128(value),
            Err(_) => self.serialize_str(&value.to_string()),
        }
    }

    fn serialize_bool(self, value: bool) -> Result<(), Refused> {
        self.out.push(if value { tag::TRUE } else { tag::FALSE });
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Refused> {
        self.serialize_f64(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Refused> {
        if !value.is_finite() {
            return Err(Refused(format!("{value} is no finite number, and has no form in JSON")));
        }
        if value.fract() == 0.0 && value.abs() < LARGEST_INTEGRAL {
            #[expect(clippy::cast_possible_truncation, reason = "integral and far below the largest i128")]
            let integral = value as i128;
            self.integer(integral);
        } else {
            self.out.push(tag::FLOAT);
            self.out.extend_from_slice(&value.to_bits().to_be_bytes());
        }
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Refused> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(mut self, value: &str) -> Result<(), Refused> {
        if !self.rules.finite_alone && value.as_bytes().contains(&0) {
            return Err(Refused("its text holds a NUL byte".to_owned()));
        }
        self.length(tag::TEXT, value.len());
        self.out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(mut self, value: &[u8]) -> Result<(), Refused> {
        self.length(tag::BYTES, value.len());
        self.out.extend_from_slice(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Refused> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Refused> {
        self.out.push(tag::NULL);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Refused> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Refused> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.length(tag::MAP, 1);
        self.reborrow().serialize_str(variant)?;
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Sequence<'a>, Refused> {
        Sequence::new(self, None)
    }

    fn serialize_tuple(self, _: usize) -> Result<Sequence<'a>, Refused> {
        Sequence::new(self, None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Sequence<'a>, Refused> {
        Sequence::new(self, None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Sequence<'a>, Refused> {
        Sequence::new(self, Some(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Map<'a>, Refused> {
        Map::new(self, Shape::Object)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Map<'a>, Refused> {
        let shape = match name.strip_prefix(PRIVATE_KEY) {
            Some("Number") => Shape::Number,
            Some("RawValue") => Shape::Raw,
            _ => Shape::Object,
        };
        Map::new(self, shape)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Map<'a>, Refused> {
        Map::new(self, Shape::Variant(variant))
    }
}
