//! JSON patches (RFC 6902) from one value to the next, and the messages that they are sent in.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use evented_core::KeyValue;
use evented_core::live::{List, Step, steps};
use serde::Serialize;
use serde_json::{Map, Value};

/// An object of values that are JSON already.
pub(crate) fn object<'n>(values: impl Iterator<Item = (&'n str, Arc<str>)>) -> String {
    let mut object = String::from("{");
    for (name, json) in values {
        let between = if object.len() > 1 { "," } else { "" };
        let _ = write!(object, "{between}{}:{json}", Value::from(name));
    }
    object.push('}');
    object
}

/// The patch that replaces the whole value.
pub(crate) fn replacement(json: &str) -> Arc<str> {
    format!(r#"[{{"op":"replace","path":"","value":{json}}}]"#).into()
}

/// The patch from one value to the next; `None` if so much changed that the whole value says more, or if an item has no JSON.
pub(crate) fn patch<I: Serialize + Clone + PartialEq>(
    old: &List<I>,
    new: &List<I>,
    is_list: bool,
) -> Option<Arc<str>> {
    let mut patch = Patch(String::from("["));
    if is_list {
        // The items as they are between the steps, to say which fields of one changed.
        let mut items = old.to_vec();
        for step in steps(old, new) {
            match &step {
                Step::Insert { index, item } => {
                    patch.add(&format!("/{index}"), &serde_json::to_string(item).ok()?);
                }
                Step::Update { index, item } => {
                    let before = serde_json::to_string(items.get(*index)?).ok()?;
                    patch.differ(&format!("/{index}"), &before, &serde_json::to_string(item).ok()?)?;
                }
                Step::Move { from, to } => {
                    patch.push(&format!(r#"{{"op":"move","from":"/{from}","path":"/{to}"}}"#));
                }
                Step::Remove { index } => patch.remove(&format!("/{index}")),
                _ => return None,
            }
            step.apply(&mut items);
        }
    } else {
        let before = serde_json::to_string(&old.first()).ok()?;
        patch.differ("", &before, &serde_json::to_string(&new.first()).ok()?)?;
    }
    patch.0.push(']');
    Some(patch.0.into())
}

/// The text of a patch.
struct Patch(String);

impl Patch {
    fn push(&mut self, operation: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(operation);
    }

    fn add(&mut self, path: &str, value: &str) {
        self.push(&operation("add", path, value));
    }

    fn replace(&mut self, path: &str, value: &str) {
        self.push(&operation("replace", path, value));
    }

    fn remove(&mut self, path: &str) {
        self.push(&format!(r#"{{"op":"remove","path":"{path}"}}"#));
    }

    /// Adds what differs of two texts of JSON: what it says of a number is what a page gets, also from a reset.
    fn differ(&mut self, path: &str, before: &str, after: &str) -> Option<()> {
        let (old, new) = (serde_json::from_str(before).ok()?, serde_json::from_str(after).ok()?);
        self.difference(path, &old, &new);
        Some(())
    }

    /// Adds what differs of two values: the fields of objects with the same fields, the items of arrays, or the whole value.
    fn difference(&mut self, path: &str, old: &Value, new: &Value) {
        if old == new {
            return;
        }
        let mut inner = Patch(String::from("["));
        let is_same_kind = match (old, new) {
            (Value::Object(old), Value::Object(new)) => inner.fields(path, old, new),
            (Value::Array(old), Value::Array(new)) => inner.items(path, old, new),
            _ => false,
        };
        let whole = new.to_string();
        if is_same_kind && inner.0.len() < whole.len() + path.len() + REPLACEMENT {
            self.push(inner.0.get(1..).unwrap_or_default());
        } else {
            self.replace(path, &whole);
        }
    }

    /// Returns `false` for objects with different fields.
    fn fields(&mut self, path: &str, old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
        if old.len() != new.len() || !old.keys().all(|field| new.contains_key(field)) {
            return false;
        }
        for (field, after) in new {
            if let Some(before) = old.get(field) {
                let place = format!("{path}/{}", field.replace('~', "~0").replace('/', "~1"));
                self.difference(&place, before, after);
            }
        }
        true
    }

    /// Returns `false` for arrays whose items cannot be told apart, or of which much changed.
    fn items(&mut self, path: &str, old: &[Value], new: &[Value]) -> bool {
        let Some((old, new)) = keyed(old, new) else { return false };
        let mut items = old.to_vec();
        for step in steps(&old, &new) {
            match &step {
                Step::Insert { index, item } => {
                    self.push(&operation("add", &format!("{path}/{index}"), &item.to_string()));
                }
                Step::Update { index, item } => {
                    let Some(before) = items.get(*index) else { return false };
                    self.difference(&format!("{path}/{index}"), before, item);
                }
                Step::Move { from, to } => {
                    let [from, to] = [from, to].map(|index| Value::from(format!("{path}/{index}")));
                    self.push(&format!(r#"{{"op":"move","from":{from},"path":{to}}}"#));
                }
                Step::Remove { index } => {
                    let place = Value::from(format!("{path}/{index}"));
                    self.push(&format!(r#"{{"op":"remove","path":{place}}}"#));
                }
                _ => return false,
            }
            step.apply(&mut items);
        }
        true
    }
}

/// About the length of what a replacement has beside its path and its value.
const REPLACEMENT: usize = 36;

fn operation(op: &str, path: &str, value: &str) -> String {
    format!(r#"{{"op":"{op}","path":{},"value":{value}}}"#, Value::from(path))
}

/// The items of both arrays with what tells them apart: their `id`, that of one of their fields which all of them have, such as
/// the record of a tree, or else what they are. `None` if two items of an array have the same.
fn keyed(old: &[Value], new: &[Value]) -> Option<(List<Value>, List<Value>)> {
    let fields = new.first().and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let of_fields = fields.map(|field| {
        move |item: &Value| item.get(field).and_then(|field| field.get("id")).map(Value::to_string)
    });
    let own = |item: &Value| item.get("id").map(Value::to_string);
    let keys = |key: &dyn Fn(&Value) -> Option<String>| Some((different(old, key)?, different(new, key)?));
    // The field by which most items stay the same.
    let in_both = |(old, new): &(Vec<KeyValue>, Vec<KeyValue>)| {
        let old: HashSet<&KeyValue> = old.iter().collect();
        new.iter().filter(|key| old.contains(key)).count()
    };
    let best = || of_fields.filter_map(|key| keys(&key)).max_by_key(in_both);
    let (of_old, of_new) =
        keys(&own).or_else(best).or_else(|| keys(&|item: &Value| Some(item.to_string())))?;
    Some((List::new(old.to_vec(), of_old), List::new(new.to_vec(), of_new)))
}

/// The keys of the items, if each has another.
fn different(items: &[Value], key: &dyn Fn(&Value) -> Option<String>) -> Option<Vec<KeyValue>> {
    let keys: Vec<_> = items.iter().map(|item| key(item).map(KeyValue::Text)).collect::<Option<_>>()?;
    let different: HashSet<&KeyValue> = keys.iter().collect();
    (different.len() == keys.len()).then(|| keys.clone())
}
