//! The trait of evented models.

use std::fmt::Debug;
use std::hash::Hash;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    ActionOf, Create, Digest, EventBody, FieldDigests, FieldError, Fields, KeyKind, KeyPartKind, KeySource,
    KeyValue, RawPayload, ScopeKey, Unstorable, ValidationErrors,
};

/// A model whose every change is recorded. `#[derive(Evented)]` implements it. No method accesses a database.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an evented model",
    label = "`#[derive(Evented)]` is missing",
    note = "add `Evented` to the derives of `{Self}`, next to Diesel's own"
)]
pub trait Evented: Sized + Send + Sync + 'static {
    /// The type of a record's key.
    type Key: Clone + Eq + Hash + Debug + Send + Sync + 'static;
    /// The input of an insert.
    type New: Create<Self> + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// The input of an update.
    type Changes: ActionOf<Self>;
    /// The typed events of this model.
    type Event: EventBody<Self>;

    /// The model's name in the log. It must not change.
    const SCHEMA: &'static str;
    /// The current schema version.
    const VERSION: i32;
    /// The form in which the log keeps the key.
    const KEY: KeyKind;
    /// The types of the key's parts: one, or one for each column of a key of several columns.
    const KEY_PARTS: &'static [KeyPartKind];
    /// Who makes the key of a new record for which the caller gives none.
    const KEY_SOURCE: KeySource;
    /// The recorded fields, in the order of the struct: all but the key, the revision, and the fields that the
    /// database generates.
    const FIELDS: &'static [&'static str];
    /// The indices of [`FIELDS`](Self::FIELDS), sorted by field name, so that the digest does not depend on the order
    /// of the struct.
    const DIGEST_ORDER: &'static [usize];
    /// The names of the model's own actions in the log, without the actions that every model has.
    const ACTIONS: &'static [&'static str] = &[];
    /// What a write does if the row was changed without an event.
    const DRIFT: Drift;
    /// The number of revisions after which a savepoint is written, `#[evented(savepoint(every = …))]`. `None`:
    /// savepoints are written only on request.
    const SAVEPOINT_EVERY: Option<i64> = None;
    /// The scopes of the model. Each is a combination of names and the fields they stand for.
    const SCOPES: &'static [&'static [(&'static str, &'static str)]] = &[];

    /// The record's lookup key in a scope, given by the scope's index in [`SCOPES`](Self::SCOPES). `None` if the
    /// record is in no scope of that combination.
    fn scope(&self, combination: usize) -> Option<ScopeKey> {
        let _ = combination;
        None
    }

    /// Returns a copy of the record, field by field: a model needs no `Clone`.
    #[must_use]
    fn copy(&self) -> Self;
    /// The record's key.
    fn key(&self) -> Self::Key;
    /// The key of a new record for which the caller gives none: made from the id of its first event, or a placeholder
    /// until the database makes it. `None` if the caller must give it.
    fn make_key(event_id: Uuid) -> Option<Self::Key>;
    /// Sets the key that the database made.
    fn set_key(&mut self, key: Self::Key);
    /// Converts a key to a [`KeyValue`].
    fn key_value(key: &Self::Key) -> KeyValue;
    /// Converts a [`KeyValue`] to a key; `None` if it is not of the model's kind.
    fn key_from(value: KeyValue) -> Option<Self::Key>;

    /// A recorded field as JSON, given by its index in [`FIELDS`](Self::FIELDS).
    ///
    /// # Errors
    ///
    /// If the value has no JSON form.
    fn field(&self, index: usize) -> Result<Value, FieldError>;
    /// Creates a state from its fields. The fields that the database generates get the default of their type.
    ///
    /// # Errors
    ///
    /// A field that does not decode into its type.
    fn from_fields(key: Self::Key, fields: &mut Fields) -> Result<Self, FieldError>;
    /// The digest of each recorded field, in the order of [`FIELDS`](Self::FIELDS).
    ///
    /// # Errors
    ///
    /// A value that cannot be stored faithfully.
    fn digests(&self) -> Result<FieldDigests, Unstorable>;
    /// Copies the fields that the database generates from another state.
    fn copy_generated(&mut self, from: &Self) {
        let _ = from;
    }
    /// Cuts every field to what a database stores of it.
    fn normalize(&mut self);

    /// Sets the marked timestamps: `inserted_at` and `updated_at` on creation, `updated_at` on every change.
    fn touch(&mut self, created: bool, at: DateTime<Utc>);
    /// The revision in the struct; `None` if no field is marked as the revision.
    fn revision(&self) -> Option<i64>;
    /// Sets the field that is marked as the revision, if there is one.
    fn set_revision(&mut self, revision: i64);

    /// The model's own check of each new state, `#[evented(check = …)]`. Default: `Ok`.
    ///
    /// # Errors
    ///
    /// The errors of the state.
    fn check_state(&self) -> Result<(), ValidationErrors> {
        Ok(())
    }
    /// Converts a payload of an older schema version to the current one, step by step.
    fn upcast(attrs: &mut RawPayload) {
        let _ = attrs;
    }
    /// The payload of a savepoint, `#[evented(savepoint(with = …))]`.
    ///
    /// # Errors
    ///
    /// A field whose value has no JSON form.
    fn savepoint_fields(&self) -> Result<Fields, FieldError> {
        Fields::of(self)
    }

    /// The digest of the state. It covers the digests of the fields, in an order that does not depend on the struct,
    /// and not the key.
    ///
    /// # Errors
    ///
    /// A value that cannot be stored faithfully.
    fn state_digest(&self) -> Result<Digest, Unstorable> {
        Ok(self.digests()?.state(Self::DIGEST_ORDER))
    }
}

/// What a write does if it finds that the row was changed without an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drift {
    /// The write records the difference as an event with the action `external`, and continues from the row's state.
    Adopt,
    /// The log wins: the write continues from the log's state and overwrites the row.
    Heal,
    /// The write fails with an error that names the columns.
    Refuse,
}
