//! A payload of an older schema version, on its way to today's form.

use std::ops::{Range, RangeInclusive};

use serde_json::{Map, Value};

use crate::{Fields, names};

/// The payload of one event, as a JSON object that an upcast step may change, with the action and the schema
/// version it was written under.
///
/// ```
/// use evented_core::Attrs;
///
/// fn v0_to_v1(attrs: &mut Attrs) {
///     attrs.rename("title", "name");
///     if attrs.action() == "insert" {
///         attrs.set("value", 1);
///     }
/// }
/// let mut attrs = Attrs::new("insert", 0, serde_json::json!({"title": "Lamp"}));
/// v0_to_v1(&mut attrs);
/// assert_eq!(attrs.get("name"), Some(&"Lamp".into()));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Attrs {
    action: String,
    version: i32,
    map: Map<String, Value>,
    /// The payload of an action that is no struct with named fields: kept as it is while no step sets a key.
    plain: Option<Value>,
}

impl Attrs {
    /// The payload of an event. That of a unit or tuple struct has no keys; it stays as it is, unless a step sets some.
    #[must_use]
    pub fn new(action: impl Into<String>, version: i32, payload: Value) -> Self {
        let (map, plain) = match payload {
            Value::Object(map) => (map, None),
            plain => (Map::new(), Some(plain)),
        };
        Self { action: action.into(), version, map, plain }
    }

    /// The payload of an action that is no struct with named fields, such as `struct Add(i32)`.
    #[must_use]
    pub fn plain(&self) -> Option<&Value> {
        self.plain.as_ref()
    }

    /// The event's action, by its name in the log.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The schema version the event was written under.
    #[must_use]
    pub fn version(&self) -> i32 {
        self.version
    }

    /// Whether the event was written under this version.
    #[must_use]
    pub fn version_is(&self, version: i32) -> bool {
        self.version == version
    }

    /// Whether the event was written under one of these versions: `0..=2`, `0..3` or `[0, 2]`.
    #[must_use]
    pub fn version_in(&self, versions: impl Versions) -> bool {
        versions.have(self.version)
    }

    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key)
    }

    /// Whether there is something under the key, `null` included.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// Sets the value under a key.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.map.insert(key.into(), value.into());
    }

    /// Takes the value under a key out.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.map.remove(key)
    }

    /// Moves a value to another key, if it is there.
    pub fn rename(&mut self, from: &str, to: impl Into<String>) {
        if let Some(value) = self.map.remove(from) {
            self.map.insert(to.into(), value);
        }
    }

    /// Moves a field to its new name, if the payload is made of fields: that of an insert, an update, a savepoint or an
    /// external change. A custom action may use the same word for something else. The derive calls it for `renamed`.
    pub fn rename_field(&mut self, from: &str, to: impl Into<String>) {
        let of_fields = [names::INSERT, names::UPDATE, names::SAVEPOINT, names::EXTERNAL];
        if of_fields.contains(&self.action.as_str()) {
            self.rename(from, to);
        }
    }

    /// All keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.map.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The payload as it stands.
    #[must_use]
    pub fn into_value(self) -> Value {
        match self.plain {
            Some(plain) if self.map.is_empty() => plain,
            _ => Value::Object(self.map),
        }
    }

    pub(crate) fn from_fields(action: &str, version: i32, fields: Fields) -> Self {
        Self { action: action.to_owned(), version, map: fields.0, plain: None }
    }

    pub(crate) fn into_fields(self) -> Fields {
        Fields(self.map)
    }
}

/// A set of schema versions, for [`Attrs::version_in`].
pub trait Versions {
    /// Whether the version is one of them.
    fn have(&self, version: i32) -> bool;
}

impl Versions for Range<i32> {
    fn have(&self, version: i32) -> bool {
        self.contains(&version)
    }
}
impl Versions for RangeInclusive<i32> {
    fn have(&self, version: i32) -> bool {
        self.contains(&version)
    }
}
impl<const N: usize> Versions for [i32; N] {
    fn have(&self, version: i32) -> bool {
        self.contains(&version)
    }
}
impl Versions for &[i32] {
    fn have(&self, version: i32) -> bool {
        self.contains(&version)
    }
}
