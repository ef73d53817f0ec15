//! The JSON of live values, and JSON patches (RFC 6902) from one to the next.

use std::fmt::Write as _;
use std::sync::Arc;

use evented_core::live::{List, Step, steps};
use serde::Serialize;
use serde_json::Value;

/// The value as JSON: an array, or an object or null. A value that has no JSON form is null.
pub(crate) fn value<I: Serialize>(list: &List<I>, is_list: bool) -> Arc<str> {
    let json = if is_list { serde_json::to_string(list) } else { serde_json::to_string(&list.first()) };
    json.unwrap_or_else(|_| "null".to_owned()).into()
}

/// The patch that replaces the whole value.
pub(crate) fn replacement(json: &str) -> Arc<str> {
    format!(r#"[{{"op":"replace","path":"","value":{json}}}]"#).into()
}

/// The patch from one value to the next; `None` if the whole value is as short.
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
                    patch.add(&format!("/{index}"), &serde_json::to_value(item).ok()?)
                }
                Step::Update { index, item } => {
                    let before = serde_json::to_value(items.get(*index)?).ok()?;
                    patch.differ(&format!("/{index}"), &before, &serde_json::to_value(item).ok()?);
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
        let before = serde_json::to_value(old.first()).ok()?;
        patch.differ("", &before, &serde_json::to_value(new.first()).ok()?);
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

    fn add(&mut self, path: &str, value: &Value) {
        self.push(&format!(r#"{{"op":"add","path":"{path}","value":{value}}}"#));
    }

    fn replace(&mut self, path: &str, value: &Value) {
        self.push(&format!(r#"{{"op":"replace","path":{},"value":{value}}}"#, Value::from(path)));
    }

    fn remove(&mut self, path: &str) {
        self.push(&format!(r#"{{"op":"remove","path":"{path}"}}"#));
    }

    /// Adds what differs: the fields of two objects with the same fields, or the whole value.
    fn differ(&mut self, path: &str, before: &Value, after: &Value) {
        let (Value::Object(old), Value::Object(new)) = (before, after) else {
            if before != after {
                self.replace(path, after);
            }
            return;
        };
        if old.len() != new.len() || !old.keys().all(|field| new.contains_key(field)) {
            return self.replace(path, after);
        }
        for (field, after) in new {
            if let Some(before) = old.get(field)
                && before != after
            {
                let mut place = path.to_owned();
                let _ = write!(place, "/{}", field.replace('~', "~0").replace('/', "~1"));
                self.replace(&place, after);
            }
        }
    }
}
