//! The subcommands of the admin command. Each file has one subcommand, written once over an
//! [`Executor`](evented_diesel::spi::Executor), and the type of its result.

use evented_core::KeyValue;

pub(super) mod backfill;
pub(super) mod checkpoint;
pub(super) mod diff;
pub(super) mod log;
pub(super) mod migrations;
pub(super) mod rebuild;
pub(super) mod show;
pub(super) mod verify;
#[cfg(feature = "wal")]
#[cfg_attr(not(any(feature = "postgres", feature = "async-postgres")), allow(dead_code))]
pub(super) mod wal;

/// Returns a key as JSON. An integer key is a JSON number.
pub(super) fn key_json(key: &KeyValue) -> serde_json::Value {
    match key {
        KeyValue::Uuid(key) => key.to_string().into(),
        KeyValue::Text(key) => key.as_str().into(),
        KeyValue::Int(key) => (*key).into(),
        KeyValue::BigInt(key) => (*key).into(),
    }
}
