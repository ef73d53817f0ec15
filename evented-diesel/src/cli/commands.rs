//! What the command does: for each part of it one file, written once over a [`Driver`](crate::Driver), and what it gives.

use evented_core::KeyValue;

pub(super) mod bring_up;
pub(super) mod checkpoint;
pub(super) mod diff;
pub(super) mod log;
pub(super) mod migrations;
pub(super) mod rebuild;
pub(super) mod show;
pub(super) mod verify;
#[cfg(feature = "wal")]
pub(super) mod wal;

/// A key as JSON: an integer where it is one.
pub(super) fn key_json(key: &KeyValue) -> serde_json::Value {
    match key {
        KeyValue::Uuid(key) => key.to_string().into(),
        KeyValue::Text(key) => key.as_str().into(),
        KeyValue::Int(key) => (*key).into(),
        KeyValue::BigInt(key) => (*key).into(),
    }
}
