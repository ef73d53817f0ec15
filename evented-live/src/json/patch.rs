//! JSON patches (RFC 6902) from one value to the next, and the messages that they are sent in.

use std::fmt::Write as _;
use std::sync::Arc;

use evented_core::live::{List, Step, steps};
use serde::Serialize;
use serde_json::Value;

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
        self.push(&format!(r#"{{"op":"add","path":"{path}","value":{value}}}"#));
    }

    fn replace(&mut self, path: &str, value: &str) {
        self.push(&format!(r#"{{"op":"replace","path":{},"value":{value}}}"#, Value::from(path)));
    }

    fn remove(&mut self, path: &str) {
        self.push(&format!(r#"{{"op":"remove","path":"{path}"}}"#));
    }

    /// Adds what differs: the fields of two objects with the same fields, or the whole value. Both are JSON: what it says of a
    /// number is what a page gets, also from a reset.
    fn differ(&mut self, path: &str, before: &str, after: &str) -> Option<()> {
        let (old, new): (Value, Value) =
            (serde_json::from_str(before).ok()?, serde_json::from_str(after).ok()?);
        let (Value::Object(old), Value::Object(new)) = (&old, &new) else {
            if old != new {
                self.replace(path, after);
            }
            return Some(());
        };
        if old.len() != new.len() || !old.keys().all(|field| new.contains_key(field)) {
            self.replace(path, after);
            return Some(());
        }
        for (field, after) in new {
            if let Some(before) = old.get(field)
                && before != after
            {
                let mut place = path.to_owned();
                let _ = write!(place, "/{}", field.replace('~', "~0").replace('/', "~1"));
                self.replace(&place, &after.to_string());
            }
        }
        Some(())
    }
}
