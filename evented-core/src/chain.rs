//! Hashes that reveal changed events: a hash chain for each record, and a root over a range of a log.
//!
//! The hash of an event covers everything that the event records, and the hash of the previous event of the same
//! record. JSON is hashed in its canonical form, so that a database may store it in another spelling. JSON without a
//! canonical form is hashed as it is.
//!
//! A root is the root of a Merkle tree over events in log order. Unlike a chain, it also reveals that events were
//! removed at the end of the log, or that a record was removed with all of its events.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::digest::canonical;
use crate::{Digest, Json, KeyValue};

mod hash;
mod merkle;

pub use hash::{EventHash, NotAHash, Root};
pub use merkle::{Leaf, RootBuilder};

/// The parts of an event that its hash covers.
#[derive(Debug, Clone, Copy)]
pub struct Chained<'a> {
    /// The event's id.
    pub id: Uuid,
    /// The model's name in the log.
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

/// A prefix that separates these hashes from all other uses of BLAKE3.
const EVENT: &[u8] = b"evented 1 event";

impl Chained<'_> {
    /// The hash of this event. `previous` is the hash of the record's previous event; `None` for its first one.
    #[must_use]
    pub fn hash(&self, previous: Option<&EventHash>) -> EventHash {
        // One buffer and one call: most events are short, and BLAKE3 is fastest this way.
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(EVENT);
        part(&mut bytes, previous.map_or(&[], EventHash::as_bytes));
        part(&mut bytes, self.id.as_bytes());
        part(&mut bytes, self.schema.as_bytes());
        match self.record {
            KeyValue::Uuid(key) => part(&mut bytes, key.as_bytes()),
            KeyValue::Text(key) => part(&mut bytes, key.as_bytes()),
            KeyValue::Int(key) => part(&mut bytes, &i64::from(*key).to_le_bytes()),
            KeyValue::BigInt(key) => part(&mut bytes, &key.to_le_bytes()),
        }
        bytes.extend_from_slice(&self.revision.to_le_bytes());
        part(&mut bytes, self.action.as_bytes());
        bytes.extend_from_slice(&self.version.to_le_bytes());
        bytes.extend_from_slice(&self.at.timestamp_micros().to_le_bytes());
        // The hash covers the digests of the documents, so that a document can be erased later and the chain still be
        // checked.
        bytes.extend_from_slice(digest_of(self.payload).as_bytes());
        match self.meta {
            Some(meta) => bytes.extend_from_slice(digest_of(meta).as_bytes()),
            None => bytes.push(0),
        }
        part(&mut bytes, self.state.as_bytes());
        EventHash(*blake3::hash(&bytes).as_bytes())
    }
}

/// Appends a part with its length before it, so that two neighbouring parts cannot be confused with one.
fn part(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
    bytes.extend_from_slice(part);
}

fn digest_of(json: &Json) -> blake3::Hash {
    const CANONICAL: u8 = 1;
    const AS_IT_STANDS: u8 = 0;
    let mut bytes = Vec::with_capacity(256);
    bytes.push(CANONICAL);
    let canonical = json.read::<Value>().is_ok_and(|value| canonical::write(&value, &mut bytes).is_ok());
    if !canonical {
        bytes.clear();
        bytes.push(AS_IT_STANDS);
        bytes.extend_from_slice(json.as_str().as_bytes());
    }
    blake3::hash(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept<T>(value: T) -> &'static T {
        Box::leak(Box::new(value))
    }

    fn hash(payload: &str, change: impl FnOnce(&mut Chained<'static>)) -> EventHash {
        let mut chained = Chained {
            id: Uuid::nil(),
            schema: "items",
            record: kept(KeyValue::Text("a".into())),
            revision: 1,
            action: "insert",
            version: 0,
            at: DateTime::UNIX_EPOCH,
            payload: kept(Json::from_text(payload.into())),
            meta: None,
            state: kept(Digest::NOTHING),
        };
        change(&mut chained);
        chained.hash(None)
    }

    /// Logs store these hashes for years, so the bytes must never change.
    #[test]
    fn the_hash_of_an_event_never_changes() {
        let found = hash(r#"{"name":"Lamp","value":3}"#, |_| {});
        assert_eq!(found.to_string(), "76d6a7f359e6bb6ec0135f9776472d18629c309bdf8bca8dd4f3d2253be73998");
        assert_eq!(found.to_string().parse(), Ok(found));
    }

    #[test]
    fn the_spelling_of_json_does_not_matter_and_its_meaning_does() {
        let found = hash(r#"{"name":"Lamp","value":3}"#, |_| {});
        assert_eq!(hash("{ \"value\": 3.0,\n \"name\": \"\\u004camp\" }", |_| {}), found);
        assert_ne!(hash(r#"{"name":"Lamp","value":4}"#, |_| {}), found);
        assert_ne!(hash(r#"{"name":"Lamp","value":3,"more":null}"#, |_| {}), found);
    }

    #[test]
    fn every_part_counts() {
        let hashes = [
            hash("{}", |_| {}),
            hash("{}", |it| it.id = Uuid::max()),
            hash("{}", |it| it.schema = "item"),
            hash("{}", |it| it.record = kept(KeyValue::Text("b".into()))),
            hash("{}", |it| it.revision = 2),
            hash("{}", |it| it.action = "update"),
            hash("{}", |it| it.version = 1),
            hash("{}", |it| it.at += chrono::TimeDelta::microseconds(1)),
            hash("{}", |it| it.meta = Some(kept(Json::from_text("{}".into())))),
            hash("{}", |it| it.state = kept(Digest([1; 16]))),
            hash("no json", |_| {}),
            hash("\"\\u0000\"", |_| {}),
        ];
        let different: std::collections::HashSet<_> = hashes.into_iter().collect();
        assert_eq!(different.len(), 12);
    }
}
