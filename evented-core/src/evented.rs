//! What a model must say about itself.

use std::fmt::Debug;
use std::hash::Hash;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Attrs, Create, Digest, EventBody, FieldDigests, FieldError, Fields, Invalid, KeyKind, KeyValue, ScopeKey,
    Unstorable,
};

/// A model whose every change is recorded. Written by `#[derive(Evented)]`; nothing in it touches a database.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an evented model",
    label = "`#[derive(Evented)]` is missing",
    note = "add `Evented` to the derives of `{Self}`, next to Diesel's own"
)]
pub trait Evented: Sized + Clone + Send + Sync + 'static {
    /// What names a record.
    type Key: Clone + Eq + Hash + Debug + Send + Sync + 'static;
    /// The input of an insert.
    type New: Create<Self> + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Every event of this model, typed.
    type Event: EventBody<Self>;

    /// The stable name in the log.
    const SCHEMA: &'static str;
    /// Today's schema version.
    const VERSION: i32;
    /// Who makes keys, and their type.
    const KEY: KeyKind;
    /// The recorded fields, in the order of the struct: all but the key, the revision, and what belongs to the
    /// database.
    const FIELDS: &'static [&'static str];
    /// The indices of [`FIELDS`](Self::FIELDS) by name, so that the digest does not depend on the struct's order.
    const DIGEST_ORDER: &'static [usize];
    /// The names of its actions in the log, without those that every model has.
    const ACTIONS: &'static [&'static str] = &[];
    /// What happens when a row was changed behind the log's back.
    const DRIFT: Drift;
    /// Each how many revisions a savepoint is written, `#[evented(savepoint(every = …))]`; only by hand if `None`.
    const SAVEPOINT_EVERY: Option<i64> = None;
    /// The scopes by which changes are told apart, each a combination of names and the fields they stand for.
    const SCOPES: &'static [&'static [(&'static str, &'static str)]] = &[];

    /// What the record is found by in a scope, by the scope's place in [`SCOPES`](Self::SCOPES); `None` if it is in none
    /// of that kind.
    fn scope(&self, combination: usize) -> Option<ScopeKey> {
        let _ = combination;
        None
    }

    /// The record's key.
    fn key(&self) -> &Self::Key;
    /// Gives the record the key that the database made.
    fn set_key(&mut self, key: Self::Key);
    /// A key as a value.
    fn key_value(key: &Self::Key) -> KeyValue;
    /// The key of a value, if it is of the model's kind.
    fn key_from(value: KeyValue) -> Option<Self::Key>;

    /// A recorded field as JSON, by its index in [`FIELDS`](Self::FIELDS).
    ///
    /// # Errors
    ///
    /// If the value has no JSON form.
    fn field(&self, index: usize) -> Result<Value, FieldError>;
    /// The state with these fields; fields that belong to the database start as their type's default.
    ///
    /// # Errors
    ///
    /// A field that does not have the form of its type.
    fn from_fields(key: Self::Key, fields: &mut Fields) -> Result<Self, FieldError>;
    /// The digest of each recorded field, in the order of [`FIELDS`](Self::FIELDS).
    ///
    /// # Errors
    ///
    /// A value that cannot be stored faithfully.
    fn digests(&self) -> Result<FieldDigests, Unstorable>;
    /// Takes over the fields that belong to the database.
    fn copy_external(&mut self, from: &Self) {
        let _ = from;
    }
    /// Brings every field to what a database keeps of it.
    fn normalize(&mut self);

    /// Sets the timestamps that are marked so: both on creation, the second on every change.
    fn touch(&mut self, created: bool, at: DateTime<Utc>);
    /// The revision the struct itself carries, if a field is marked so.
    fn revision(&self) -> Option<i64>;
    /// Sets that field.
    fn set_revision(&mut self, revision: i64);

    /// The model's own rule on each new state, `#[evented(check = …)]`.
    ///
    /// # Errors
    ///
    /// The faults of the state.
    fn check_state(&self) -> Result<(), Invalid> {
        Ok(())
    }
    /// Brings a payload of an older version to today's form, step by step.
    fn upcast(attrs: &mut Attrs) {
        let _ = attrs;
    }
    /// The payload of a savepoint, `#[evented(savepoint = …)]`.
    ///
    /// # Errors
    ///
    /// A field whose value has no JSON form.
    fn savepoint_fields(&self) -> Result<Fields, FieldError> {
        Fields::of(self)
    }

    /// The digest of the state: over the digests of its fields, in a fixed order, without the key.
    ///
    /// # Errors
    ///
    /// A value that cannot be stored faithfully.
    fn state_digest(&self) -> Result<Digest, Unstorable> {
        Ok(self.digests()?.state(Self::DIGEST_ORDER))
    }
}

/// What happens when a write finds that the row was changed behind the log's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    /// The difference becomes an event of its own, action `external`, and the write goes on from there.
    Adopt,
    /// The log wins: the write goes on from the log's state, and the row is overwritten.
    Heal,
    /// The write is refused with an error that names the columns.
    Refuse,
}
