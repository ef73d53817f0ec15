//! An input that no value has.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Action, Context, Create, Evented};

/// The input of a command that a model does not have. It has no values, so nobody can run the command.
///
/// With `#[evented(update = Never)]` the fields of a model change by its actions alone; with `insert = Never` nothing
/// creates a record but a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Never {}

impl<M: Evented> Create<M> for Never {
    fn create(&self, _: M::Key, _: &Context) -> M {
        match *self {}
    }
}

impl<M> Action<M> for Never {
    fn apply(&self, _: &mut M, _: &Context) {
        match *self {}
    }
}

impl Serialize for Never {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(
            "the model has no such command; an event of it needs a `retired` action",
        ))
    }
}
