//! The JSON of live values.

use std::sync::Arc;

use evented_core::live::List;
use serde::Serialize;

#[cfg(feature = "axum")]
mod patch;

#[cfg(feature = "axum")]
pub(crate) use patch::{object, patch, replacement};

/// The value as JSON: an array, or an object or null. A value that has no JSON form is null.
pub(crate) fn value<I: Serialize>(list: &List<I>, is_list: bool) -> Arc<str> {
    let json = if is_list { serde_json::to_string(list) } else { serde_json::to_string(&list.first()) };
    json.unwrap_or_else(|_| "null".to_owned()).into()
}
