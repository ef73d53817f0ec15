//! Scopes: subsets of a model's records that a subscriber may follow, such as the records of one organisation.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;

use crate::{Digest, Evented, Unstorable};

/// A lookup key for a scope: the digest of its values' canonical form, so that scopes of any type share one map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScopeKey(Digest);

impl ScopeKey {
    /// The key of a combination of values, in the order in which the model declares it. `None` if one of the values
    /// is null: a record without an organisation is in no organisation's scope.
    #[must_use]
    pub fn of(values: &[ScopeValue]) -> Option<Self> {
        if let [value] = values {
            return value.0.map(Self);
        }
        let mut bytes = Vec::with_capacity(values.len() * Digest::LEN);
        for value in values {
            bytes.extend_from_slice(value.0?.as_bytes());
        }
        Some(Self(Digest::of(&bytes)))
    }
}

/// The scopes that a record is in, by their index in [`Evented::SCOPES`]. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScopeKeys(Option<Arc<[Option<ScopeKey>]>>);

impl ScopeKeys {
    /// The scopes of no record.
    pub(crate) const NONE: Self = Self(None);

    /// The record's lookup key in the scope with this index; `None` if the record is in no scope of that combination.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<ScopeKey> {
        self.0.as_ref()?.get(index).copied().flatten()
    }
}

/// One value of a scope: its digest, or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeValue(Option<Digest>);

impl ScopeValue {
    /// Digests the value of a field.
    ///
    /// # Errors
    ///
    /// A value that cannot be stored faithfully.
    pub fn of<T: Serialize + ?Sized>(field: &'static str, value: &T) -> Result<Self, Unstorable> {
        Digest::of_value(field, value).map(Self)
    }
}

/// One name of a model's scopes, such as `Item::ORG` of `scopes(org = org_id)`. The derive generates it.
pub struct ScopeName<M, T, const N: usize> {
    name: &'static str,
    field: &'static str,
    types: PhantomData<fn() -> (M, T)>,
}

impl<M, T, const N: usize> ScopeName<M, T, N> {
    /// Creates a name that stands for a field.
    #[must_use]
    pub const fn new(name: &'static str, field: &'static str) -> Self {
        Self { name, field, types: PhantomData }
    }
}

impl<M, T: Serialize, const N: usize> ScopeName<M, T, N> {
    /// The scope of the records whose field has this value.
    pub fn eq(self, value: impl Into<T>) -> ScopePart<M, N> {
        let value = value.into();
        ScopePart {
            value: ScopeValue::of(self.field, &value),
            name: self.name,
            shown: serde_json::to_value(&value).unwrap_or_default(),
            model: PhantomData,
        }
    }
}

impl<M, T, const N: usize> fmt::Debug for ScopeName<M, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeName").field("name", &self.name).field("field", &self.field).finish()
    }
}

/// One name of a scope with its value.
#[derive(Debug)]
pub struct ScopePart<M, const N: usize> {
    value: Result<ScopeValue, Unstorable>,
    name: &'static str,
    shown: serde_json::Value,
    model: PhantomData<fn() -> M>,
}

/// A scope with its values: one of the model's combinations, and its lookup key.
#[derive(Debug)]
pub struct Scope<M> {
    combination: usize,
    key: Option<ScopeKey>,
    shown: Vec<(&'static str, serde_json::Value)>,
    model: PhantomData<fn() -> M>,
}

impl<M> Clone for Scope<M> {
    fn clone(&self) -> Self {
        Self { combination: self.combination, key: self.key, shown: self.shown.clone(), model: PhantomData }
    }
}

impl<M: Evented> Scope<M> {
    /// Creates a scope from its parts, in the order in which the model declares the combination. The derived code
    /// calls it.
    ///
    /// # Errors
    ///
    /// A value that cannot be stored faithfully. No record has such a value.
    pub fn declared<const N: usize>(
        combination: usize,
        parts: [(Result<ScopeValue, Unstorable>, &'static str, serde_json::Value); N],
    ) -> Result<Self, Unstorable> {
        let mut values = Vec::with_capacity(N);
        let mut shown = Vec::with_capacity(N);
        for (value, name, json) in parts {
            values.push(value?);
            shown.push((name, json));
        }
        Ok(Self { combination, key: ScopeKey::of(&values), shown, model: PhantomData })
    }

    /// The scope of a declared combination with these values, names and values as JSON.
    pub(crate) fn of_values(
        combination: usize,
        parts: Vec<(ScopeValue, &'static str, serde_json::Value)>,
    ) -> Self {
        let values: Vec<ScopeValue> = parts.iter().map(|(value, ..)| *value).collect();
        let shown = parts.into_iter().map(|(_, name, json)| (name, json)).collect();
        Self { combination, key: ScopeKey::of(&values), shown, model: PhantomData }
    }

    /// The scopes that a record is in, by their index in [`Evented::SCOPES`].
    #[must_use]
    pub fn keys_of(record: &M) -> ScopeKeys {
        if M::SCOPES.is_empty() {
            return ScopeKeys::default();
        }
        ScopeKeys(Some((0..M::SCOPES.len()).map(|combination| record.scope(combination)).collect()))
    }

    /// The index of the scope's combination in [`Evented::SCOPES`].
    #[must_use]
    pub fn combination(&self) -> usize {
        self.combination
    }

    /// The lookup key; `None` if a value is null, in which case no record is in the scope.
    #[must_use]
    pub fn key(&self) -> Option<ScopeKey> {
        self.key
    }

    /// The names and values of the scope, in the order in which the model declares them.
    #[must_use]
    pub fn values(&self) -> &[(&'static str, serde_json::Value)] {
        &self.shown
    }
}

impl<M> fmt::Display for Scope<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.shown.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{name} = {value}")?;
        }
        Ok(())
    }
}

impl<M, const N: usize> ScopePart<M, N> {
    /// The arguments of [`Scope::declared`] for this part.
    #[doc(hidden)]
    pub fn into_declared(self) -> (Result<ScopeValue, Unstorable>, &'static str, serde_json::Value) {
        (self.value, self.name, self.shown)
    }
}

/// A scope that the model declares: `Item::ORG.eq(org)`, or `(Item::ORG.eq(org), Item::POST.eq(post))` in any order.
/// The derive implements it for the combinations in `scopes(…)` only.
#[diagnostic::on_unimplemented(
    message = "this is not a scope of `{M}`",
    label = "not declared in `scopes(…)`",
    note = "add the combination to the model: `#[evented(scopes(org = org_id, (org = org_id, post = post_id)))]`"
)]
pub trait IntoScope<M: Evented> {
    /// Converts this to a scope.
    ///
    /// # Errors
    ///
    /// A value that cannot be stored faithfully. No record has such a value.
    fn into_scope(self) -> Result<Scope<M>, Unstorable>;
}
