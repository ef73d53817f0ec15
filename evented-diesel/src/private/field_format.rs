//! Fields with `#[evented(with = module)]`, whose form in the log is that of the module's functions.

use std::borrow::Borrow;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The form of a model's field with this number in the log, from `#[evented(with = module)]`.
pub trait FieldFormat<const FIELD: usize> {
    /// The field's type.
    type Value;

    /// Serializes the field.
    ///
    /// # Errors
    ///
    /// The errors of the module's `serialize`.
    fn serialize<S: Serializer>(value: &Self::Value, serializer: S) -> Result<S::Ok, S::Error>;

    /// Deserializes the field.
    ///
    /// # Errors
    ///
    /// The errors of the module's `deserialize`.
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error>;
}

/// A field's value, or a reference to it, which serde reads and writes in the form of the log.
#[derive(Debug)]
pub struct Formatted<V, M, const FIELD: usize>(V, PhantomData<M>);

impl<V, M: FieldFormat<FIELD>, const FIELD: usize> Formatted<V, M, FIELD> {
    /// Wraps a value.
    pub fn new(value: V) -> Self {
        Self(value, PhantomData)
    }

    /// Returns the value.
    pub fn into_value(self) -> V {
        self.0
    }
}

impl<V: Borrow<M::Value>, M: FieldFormat<FIELD>, const FIELD: usize> Serialize for Formatted<V, M, FIELD> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        M::serialize(self.0.borrow(), serializer)
    }
}

impl<'de, M: FieldFormat<FIELD>, const FIELD: usize> Deserialize<'de> for Formatted<M::Value, M, FIELD> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        M::deserialize(deserializer).map(Self::new)
    }
}

/// Serializes a field of an update. A field that the update leaves out is skipped before.
///
/// # Errors
///
/// The errors of the module's `serialize`.
pub fn serialize_changed<M: FieldFormat<FIELD>, const FIELD: usize, S: Serializer>(
    value: &Option<M::Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => M::serialize(value, serializer),
        None => serializer.serialize_none(),
    }
}

/// Deserializes a field that an update has.
///
/// # Errors
///
/// The errors of the module's `deserialize`.
pub fn deserialize_changed<'de, M: FieldFormat<FIELD>, const FIELD: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<M::Value>, D::Error> {
    M::deserialize(deserializer).map(Some)
}
