//! Upcasting: the payload of an event of an older schema version, as the upcast steps change it.

use std::ops::{Range, RangeInclusive};

use serde_json::{Map, Value};

use crate::{Fields, names};

/// The payload of one event as a JSON object that an upcast step may change, with the event's action and the schema
/// version that the event was written under.
///
/// ```
/// use evented_core::RawPayload;
///
/// fn v0_to_v1(attrs: &mut RawPayload) {
///     attrs.rename("title", "name");
///     if attrs.action() == "insert" {
///         attrs.set("value", 1);
///     }
/// }
/// let mut attrs = RawPayload::new("insert", 0, serde_json::json!({"title": "Lamp"}));
/// v0_to_v1(&mut attrs);
/// assert_eq!(attrs.get("name"), Some(&"Lamp".into()));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RawPayload {
    action: String,
    version: i32,
    map: Map<String, Value>,
    /// Whether the fields are a part of a state: one side of an external change that changed some fields.
    partial: bool,
    /// The payload of an action that is not a struct with named fields. It stays unchanged unless a step sets a key.
    plain: Option<Value>,
}

impl RawPayload {
    /// Creates a payload from an event's JSON. The payload of a unit or tuple struct has no keys; it stays unchanged
    /// unless a step sets one.
    #[must_use]
    pub fn new(action: impl Into<String>, version: i32, payload: Value) -> Self {
        let (map, plain) = match payload {
            Value::Object(map) => (map, None),
            plain => (Map::new(), Some(plain)),
        };
        Self { action: action.into(), version, map, partial: false, plain }
    }

    /// The payload, if the action is not a struct with named fields, such as `struct Add(i32)`; `None` if it is one.
    #[must_use]
    pub fn plain(&self) -> Option<&Value> {
        self.plain.as_ref()
    }

    /// The name of the event's action in the log.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The schema version that the event was written under.
    #[must_use]
    pub fn version(&self) -> i32 {
        self.version
    }

    /// Whether the event was written under this schema version.
    #[must_use]
    pub fn version_is(&self, version: i32) -> bool {
        self.version == version
    }

    /// Whether the event was written under one of these schema versions: `0..=2`, `0..3` or `[0, 2]`.
    #[must_use]
    pub fn version_in(&self, versions: impl VersionSet) -> bool {
        versions.have(self.version)
    }

    /// Whether the payload is made of all fields of a state: an insert, a savepoint, or an external change of a record
    /// that the log did not know, which is the first event of a record from before the log. A step that adds a field sets
    /// it in these payloads.
    #[must_use]
    pub fn is_whole_state(&self) -> bool {
        let of_states = [names::INSERT, names::SAVEPOINT, names::EXTERNAL];
        of_states.contains(&self.action.as_str()) && !self.partial
    }

    /// The value of a key; `None` if the payload does not have the key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key)
    }

    /// Whether the payload has the key. A key whose value is `null` counts.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// Sets the value of a key.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.map.insert(key.into(), value.into());
    }

    /// Removes a key and returns its value; `None` if the payload does not have the key.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.map.remove(key)
    }

    /// Moves a value to another key. Does nothing if the payload does not have the key `from`.
    pub fn rename(&mut self, from: &str, to: impl Into<String>) {
        if let Some(value) = self.map.remove(from) {
            self.map.insert(to.into(), value);
        }
    }

    /// Renames a field, if the payload consists of fields: the payload of an insert, an update, a savepoint or an
    /// external change. Leaves the payload of a custom action unchanged, which may use the same key for something
    /// else. The derive calls this for `renamed`.
    pub fn rename_field(&mut self, from: &str, to: impl Into<String>) {
        let of_fields = [names::INSERT, names::UPDATE, names::SAVEPOINT, names::EXTERNAL];
        if of_fields.contains(&self.action.as_str()) {
            self.rename(from, to);
        }
    }

    /// Iterates over all keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.map.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The payload as JSON, with the changes made so far.
    #[must_use]
    pub fn into_value(self) -> Value {
        match self.plain {
            Some(plain) if self.map.is_empty() => plain,
            _ => Value::Object(self.map),
        }
    }

    /// Creates the payload of one side of an external change.
    pub(crate) fn of_external(version: i32, fields: Fields, partial: bool) -> Self {
        Self { action: names::EXTERNAL.to_owned(), version, map: fields.0, partial, plain: None }
    }

    pub(crate) fn into_fields(self) -> Fields {
        Fields(self.map)
    }
}

/// A set of schema versions, for [`RawPayload::version_in`].
pub trait VersionSet {
    /// Whether the set contains the version.
    fn have(&self, version: i32) -> bool;
}

impl VersionSet for Range<i32> {
    fn have(&self, version: i32) -> bool {
        self.contains(&version)
    }
}
impl VersionSet for RangeInclusive<i32> {
    fn have(&self, version: i32) -> bool {
        self.contains(&version)
    }
}
impl<const N: usize> VersionSet for [i32; N] {
    fn have(&self, version: i32) -> bool {
        self.contains(&version)
    }
}
impl VersionSet for &[i32] {
    fn have(&self, version: i32) -> bool {
        self.contains(&version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_state_is_not_whole() {
        let external = |partial| RawPayload::of_external(0, Fields::new(), partial);
        assert!(external(false).is_whole_state() && !external(true).is_whole_state());
        let whole = |action: &str| RawPayload::new(action, 0, serde_json::json!({})).is_whole_state();
        assert!(whole("insert") && whole("savepoint") && !whole("update") && !whole("close"));
    }
}
