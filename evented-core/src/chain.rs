//! The hash of an event: it covers everything that the event records, and the hash of the previous event of the same
//! record, so that the events of a record form a chain.
//!
//! Payload and metadata are hashed byte for byte as the log stores them. So the hash depends on no JSON library, and a
//! program in another language can check it. The chapter *The format* gives the bytes.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::json::hash_of;
use crate::{Digest, ExactKey, Json, KeyValue, Meta, sha256};

mod hash;

pub use hash::{EventHash, NotAHash, TreeHash};

/// The parts of an event that its hash covers.
#[derive(Debug, Clone, Copy)]
pub struct Chained<'a> {
    /// The event's id.
    pub id: Uuid,
    /// Whether the caller chose the id.
    pub given_id: bool,
    /// The model's name in the log; empty in the log of one model, which does not store it.
    pub schema: &'a str,
    /// The record's key.
    pub record: &'a KeyValue,
    /// The event's revision: its number in the record's history, from 1.
    pub revision: i64,
    /// The action's name in the log.
    pub action: &'a str,
    /// The schema version that the event was written under.
    pub version: i32,
    /// When the event was made. The hash covers it to the microsecond.
    pub at: DateTime<Utc>,
    /// The action in its JSON form.
    pub payload: &'a Json,
    /// Actor, cause, correlation and the caller's own entries; `None` if there are none.
    pub meta: Option<&'a Json>,
    /// The digest of the state after the event.
    pub state: &'a Digest,
}

/// A prefix that separates these hashes from all other uses of SHA-256.
const EVENT: &[u8] = b"evented 1 event";

impl Chained<'_> {
    /// The hash of this event. `previous` is the hash of the record's previous event; `None` for its first one.
    #[must_use]
    pub fn hash(&self, previous: Option<&EventHash>) -> EventHash {
        // One buffer and one call: most events are short.
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(EVENT);
        bytes.extend_from_slice(previous.map_or(&[0; EventHash::LEN], EventHash::as_bytes));
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.push(u8::from(self.given_id));
        part(&mut bytes, self.schema.as_bytes());
        key(&mut bytes, self.record);
        bytes.extend_from_slice(&self.revision.to_be_bytes());
        part(&mut bytes, self.action.as_bytes());
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&self.at.timestamp_micros().to_be_bytes());
        // The hash covers the hashes of the documents, so that a document can be erased later and the chain still be
        // checked.
        bytes.extend_from_slice(&hash_of(self.payload.as_str()));
        bytes.extend_from_slice(&hash_of(self.meta.map_or(Meta::NONE, Json::as_str)));
        bytes.extend_from_slice(self.state.as_bytes());
        EventHash(sha256::of(&[&bytes]))
    }
}

/// Appends a part with its length before it, so that two neighbouring parts cannot be confused with one.
fn part(bytes: &mut Vec<u8>, part: &[u8]) {
    // Names and keys are shorter than 4 GB.
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(part);
}

/// Appends a key with its kind before it: the integer 1 is not the text `1`.
fn key(bytes: &mut Vec<u8>, key: &KeyValue) {
    let kind = match key.exact() {
        ExactKey::Uuid(_) => 1,
        ExactKey::Text(_) => 2,
        ExactKey::Int(_) => 3,
        ExactKey::BigInt(_) => 4,
    };
    bytes.push(kind);
    match key.exact() {
        ExactKey::Uuid(key) => part(bytes, key.as_bytes()),
        ExactKey::Text(key) => part(bytes, key.as_bytes()),
        ExactKey::Int(key) => part(bytes, &key.to_be_bytes()),
        ExactKey::BigInt(key) => part(bytes, &key.to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept<T>(value: T) -> &'static T {
        Box::leak(Box::new(value))
    }

    fn json(text: &str) -> &'static Json {
        kept(Json::from_text(text.into()))
    }

    fn hash(payload: &str, change: impl FnOnce(&mut Chained<'static>)) -> EventHash {
        let mut chained = Chained {
            id: Uuid::nil(),
            given_id: false,
            schema: "items",
            record: kept(KeyValue::Text("a".into())),
            revision: 1,
            action: "insert",
            version: 0,
            at: DateTime::UNIX_EPOCH,
            payload: json(payload),
            meta: None,
            state: kept(Digest::NOTHING),
        };
        change(&mut chained);
        chained.hash(None)
    }

    #[test]
    fn the_text_counts_byte_for_byte() {
        let found = hash(r#"{"a":5}"#, |_| {});
        for other in [r#"{"a":5.0}"#, r#"{ "a":5}"#, r#"{"a":5,"a":5}"#, r#"{"\u0061":5}"#] {
            assert_ne!(hash(other, |_| {}), found, "{other}");
        }
        let large = hash(r#"{"a":100000000000000000000001}"#, |_| {});
        assert_ne!(hash(r#"{"a":100000000000000000000999}"#, |_| {}), large);
        let wrapped = r#"{"$serde_json::private::RawValue":"{\"actor\":\"ada\"}"}"#;
        assert_ne!(
            hash("{}", |it| it.meta = Some(json(wrapped))),
            hash("{}", |it| it.meta = Some(json(r#"{"actor":"ada"}"#)))
        );
    }

    #[test]
    fn no_metadata_is_the_empty_object() {
        assert_eq!(hash("{}", |it| it.meta = Some(json("{}"))), hash("{}", |_| {}));
    }

    #[test]
    fn an_erased_document_keeps_its_hash() {
        let payload = r#"{"name":"Ada"}"#;
        let erased = Json::from_text(payload.into()).erased();
        assert_eq!(hash(erased.as_str(), |_| {}), hash(payload, |_| {}));
        assert_eq!(erased.erased(), erased);
        // Another spelling is a document like any other.
        assert_ne!(hash(&erased.as_str().replace(':', ": "), |_| {}), hash(payload, |_| {}));
    }

    #[test]
    fn every_part_counts() {
        let hashes = [
            hash("{}", |_| {}),
            hash("{}", |it| it.id = Uuid::max()),
            hash("{}", |it| it.given_id = true),
            hash("{}", |it| it.schema = "item"),
            hash("{}", |it| it.record = kept(KeyValue::Text("b".into()))),
            hash("{}", |it| it.record = kept(KeyValue::Text("\0\0\0\x01".into()))),
            hash("{}", |it| it.record = kept(KeyValue::Int(1))),
            hash("{}", |it| it.record = kept(KeyValue::BigInt(1))),
            hash("{}", |it| it.revision = 2),
            hash("{}", |it| it.action = "update"),
            hash("{}", |it| it.version = 1),
            hash("{}", |it| it.at += chrono::TimeDelta::microseconds(1)),
            hash("{}", |it| it.meta = Some(json(r#"{"actor":"ada"}"#))),
            hash("{}", |it| it.state = kept(Digest([1; 16]))),
            hash("no json", |_| {}),
            hash("\"\\u0000\"", |_| {}),
        ];
        let different: std::collections::HashSet<_> = hashes.into_iter().collect();
        assert_eq!(different.len(), hashes.len());
    }
}
