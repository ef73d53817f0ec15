//! Reports to [`tracing`]: a span around each operation, and an event for each unusual situation.
//!
//! The names and fields are stable. The fields contain the key of a record, but none of its values.
//!
//! | name | kind and level | fields | when |
//! |---|---|---|---|
//! | `evented.command` | span, debug | `schema`, `action`, `record`, `revision`, `event`, `error` | a command runs; `event` is the id of the event that it wrote |
//! | `evented.batch` | span, debug | `schema`, `commands`, `error` | a batch runs; its commands have spans of their own only if they run one by one |
//! | `evented.many_rows` | span, debug | `schema`, `action`, `records`, `error` | all rows that a filter matches, or a chunk of them, are changed or deleted |
//! | `evented.replay` | span, debug | `schema`, `record`, `events`, `error` | a read query replays a record |
//! | `evented.history` | span, debug | `schema`, `record`, `events`, `error` | a read query reads a record's history |
//! | `evented.conflict` | event, debug | `schema`, `record`, `expected`, `found` | a command expected another revision |
//! | `evented.overtaken` | event, debug | `schema`, `record` | another writer was first; the command reads and decides again |
//! | `evented.savepoint` | event, debug | `schema`, `record`, `revision` | a command writes a savepoint that is due |
//! | `evented.savepoint.passed_over` | event, warn | `schema`, `record`, `revision` | a savepoint cannot be used; replay starts earlier |
//! | `evented.drift.adopted` | event, warn | `schema`, `record`, `columns` | a command records a change made by other SQL as an event |
//! | `evented.drift.healed` | event, warn | `schema`, `record`, `columns` | a command overwrites such a change from the log |
//! | `evented.drift.refused` | event, warn | `schema`, `record`, `columns` | a command refuses to write because of such a change |
//! | `evented.drift.after_write` | event, warn | `schema`, `record`, `columns` | the database stored different values than the command wrote |
//! | `evented.drift.lost` | event, warn | `schema`, `record`, `error` | a deleted row contained a change that the log cannot represent |

use std::fmt::Display;
use std::pin::Pin;

use evented_core::KeyValue;

use tracing::field::{Empty, display};
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::error::Error;

/// Creates the span of a command.
pub(crate) fn command(schema: &'static str, action: &str) -> Span {
    tracing::debug_span!(
        "evented.command",
        schema,
        action,
        record = Empty,
        revision = Empty,
        event = Empty,
        error = Empty
    )
}

/// Creates the span of a batch.
pub(crate) fn batch(schema: &'static str, commands: usize) -> Span {
    tracing::debug_span!("evented.batch", schema, commands, error = Empty)
}

/// Creates the span of a change of many rows.
pub(crate) fn many_rows(schema: &'static str, action: &str) -> Span {
    tracing::debug_span!("evented.many_rows", schema, action, records = Empty, error = Empty)
}

/// Creates the span of a replay.
pub(crate) fn replay(schema: &'static str, record: &KeyValue) -> Span {
    tracing::debug_span!("evented.replay", schema, %record, events = Empty, error = Empty)
}

/// Creates the span of a query for a history.
pub(crate) fn history(schema: &'static str, record: &KeyValue) -> Span {
    tracing::debug_span!("evented.history", schema, %record, events = Empty, error = Empty)
}

/// Runs an operation in its span and records its error there. The future is boxed because it is large: moving it around
/// took a fifth of the time of an insert.
pub(crate) async fn within<T, F>(span: Span, operation: Pin<Box<F>>) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>> + Send,
{
    let result = operation.instrument(span.clone()).await;
    if let Err(error) = &result {
        span.record("error", display(error));
    }
    result
}

/// Records a field in the current span once its value is known.
pub(crate) fn record(field: &'static str, value: impl Display) {
    Span::current().record(field, display(value));
}

/// Records in the span of a command which event it wrote. The span of a handler of that event has it as its `cause`.
pub(crate) fn written(span: &Span, event: Uuid, revision: i64) {
    span.record("revision", revision);
    span.record("event", display(event));
}

/// Reports that a command expected another revision.
pub(crate) fn conflict(schema: &'static str, record: &KeyValue, expected: i64, found: i64) {
    tracing::debug!(
        name: "evented.conflict", schema, %record, expected, found,
        "the record is not at the revision that was expected"
    );
}

/// Reports that another writer was first.
pub(crate) fn overtaken(schema: &'static str, record: &KeyValue) {
    tracing::debug!(name: "evented.overtaken", schema, %record, "another writer was first");
}

/// Reports that a savepoint was due.
pub(crate) fn savepoint(schema: &'static str, record: &KeyValue, revision: i64) {
    tracing::debug!(name: "evented.savepoint", schema, %record, revision, "a savepoint was due");
}

/// Reports that a savepoint cannot be used.
pub(crate) fn passed_over(schema: &'static str, record: &KeyValue, revision: i64) {
    tracing::warn!(
        name: "evented.savepoint.passed_over", schema, %record, revision,
        "a savepoint cannot be used, and replay starts at the first event"
    );
}

/// What the library did about a change that was made by other SQL.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Drifted {
    Adopted,
    Healed,
    Refused,
    AfterWrite,
}

/// Reports a change that was made by other SQL.
pub(crate) fn drift(what: Drifted, schema: &'static str, record: &KeyValue, columns: &[impl AsRef<str>]) {
    let columns: Vec<&str> = columns.iter().map(AsRef::as_ref).collect();
    match what {
        Drifted::Adopted => tracing::warn!(
            name: "evented.drift.adopted", schema, %record, ?columns,
            "a change made behind the log's back becomes an event"
        ),
        Drifted::Healed => tracing::warn!(
            name: "evented.drift.healed", schema, %record, ?columns,
            "a change made behind the log's back is overwritten from the log"
        ),
        Drifted::Refused => tracing::warn!(
            name: "evented.drift.refused", schema, %record, ?columns,
            "a change made behind the log's back is in the way of a write"
        ),
        Drifted::AfterWrite => tracing::warn!(
            name: "evented.drift.after_write", schema, %record, ?columns,
            "the database holds something else than was written; mark the field `generated` if the database makes it"
        ),
    }
}

/// Reports that a deleted row contained a change that the log cannot represent.
pub(crate) fn lost(schema: &'static str, record: &KeyValue, error: impl Display) {
    tracing::warn!(
        name: "evented.drift.lost", schema, %record, %error,
        "the deleted row held a change made behind the log's back, which no log can keep"
    );
}
