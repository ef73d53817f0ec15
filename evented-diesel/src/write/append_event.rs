//! Builds the event that a write appends after the last event of its record.

use evented_core::{Chained, Context, Digest, EventHash, Json, KeyValue};

use crate::model::{EventLog, Model};
use crate::statements::{Append, HeadRow};

/// The last event of a record's history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// The revision of the last event; 0 if there is no event.
    pub(crate) revision: i64,
    /// The hash of the last event, in a log that chains its events.
    pub(crate) hash: Option<EventHash>,
    /// The transaction that orders the last event; `None` if it is not known.
    pub(crate) txid: Option<i64>,
}

impl Head {
    /// The head of a record without events.
    pub(crate) const NONE: Self = Self { revision: 0, hash: None, txid: Some(0) };

    /// The head after an event is appended.
    pub(crate) fn after(append: &Append<'_>) -> Self {
        // The transaction that orders the event is this one, or that of the event before it.
        Self { revision: append.revision, hash: append.hash, txid: append.txid_before }
    }
}

impl From<&HeadRow> for Head {
    fn from(row: &HeadRow) -> Self {
        Self { revision: row.revision, hash: row.hash, txid: Some(row.txid) }
    }
}

/// The parts of an event that depend on the kind of write.
#[derive(Clone, Copy)]
pub(crate) struct EventContent<'a> {
    pub(crate) action: &'a str,
    pub(crate) payload: &'a Json,
    pub(crate) state: &'a Digest,
    /// Whether the caller chose the event's id.
    pub(crate) given_id: bool,
}

/// Builds the event to append after a head.
pub(crate) fn next_event<'a, M: Model>(
    cx: &Context,
    record: &'a KeyValue,
    head: Head,
    content: EventContent<'a>,
    meta: Option<&'a Json>,
) -> Append<'a> {
    let revision = head.revision.saturating_add(1);
    let chained = Chained {
        id: cx.event_id,
        given_id: content.given_id,
        schema: if M::Log::SHARED { M::SCHEMA } else { "" },
        record,
        revision,
        action: content.action,
        version: M::VERSION,
        at: cx.at,
        payload: content.payload,
        meta,
        state: content.state,
    };
    Append {
        table: M::event_table(record),
        hash: M::Log::HASHED.then(|| chained.hash(head.hash.as_ref())),
        record,
        event_id: cx.event_id,
        given_id: content.given_id,
        revision,
        action: content.action,
        version: M::VERSION,
        payload: content.payload,
        meta,
        at: cx.at,
        state: content.state,
        txid_before: head.txid,
        makes_key: false,
        fresh: false,
        placed: true,
        published: &[],
    }
}

/// The payload of an event without data: `{}`.
pub(crate) fn empty_payload() -> Json {
    Json::from_text("{}".to_owned())
}

/// Sorts events by the tables of their logs. Events of one table keep their order.
///
/// Not generic: a sort is much code to compile for each model.
pub(crate) fn sort_by_table(events: &mut [Append<'_>]) {
    events.sort_by_key(|event| event.table.name.table);
}
