//! What the library tells [`tracing`]: spans around operations, and events where something is out of the ordinary.
//!
//! The names and fields are stable. Nothing of a record's values is told, only its key.
//!
//! | name | kind and level | fields | when |
//! |---|---|---|---|
//! | `evented.command` | span, debug | `schema`, `action`, `record`, `revision`, `error` | a command runs |
//! | `evented.batch` | span, debug | `schema`, `commands`, `error` | a batch runs; without spans for its commands, unless they are run one by one |
//! | `evented.replay` | span, debug | `schema`, `record`, `events`, `error` | a record is replayed for a reading |
//! | `evented.history` | span, debug | `schema`, `record`, `events`, `error` | a record's history is read |
//! | `evented.conflict` | event, debug | `schema`, `record`, `expected`, `found` | a command expected another revision |
//! | `evented.overtaken` | event, debug | `schema`, `record` | another writer was first; the command reads and decides again |
//! | `evented.savepoint` | event, debug | `schema`, `record`, `revision` | a savepoint was due and is written |
//! | `evented.savepoint.passed_over` | event, warn | `schema`, `record`, `revision` | a savepoint cannot be used; replay starts earlier |
//! | `evented.drift.adopted` | event, warn | `schema`, `record`, `columns` | a change made behind the log's back becomes an event |
//! | `evented.drift.healed` | event, warn | `schema`, `record`, `columns` | it is overwritten from the log |
//! | `evented.drift.refused` | event, warn | `schema`, `record`, `columns` | the write is refused because of it |
//! | `evented.drift.after_write` | event, warn | `schema`, `record`, `columns` | the database holds something else than was written |
//! | `evented.drift.lost` | event, warn | `schema`, `record`, `error` | a deleted row held a change that no log can keep |
//! | `evented.listen.failed` | event, warn | `error` | a hub could not read, and tries again |
//! | `evented.listen.relay` | event, warn | `error` | a relay of hints lost its connection, and tries again |
//! | `evented.listen.ended` | event, warn | `error` | a hub cannot read the write-ahead log any more, and stops |
//! | `evented.listen.delayed` | event, warn | `txid`, `pid`, `holder` | an open transaction has kept changes back for a second |
//! | `evented.listen.lagged` | event, debug | `schema`, `subscription` | a subscriber fell behind, and its subscription ends |
//! | `evented.wal.waiting` | event, debug | `slot`, `failure` | a tail cannot be opened yet, and tries again |
//! | `evented.wal.disconnected` | event, warn | `slot`, `failure` | the connection of a tail broke |
//! | `evented.wal.unreachable` | event, warn | `slot`, `failure` | it could not be made again yet |
//! | `evented.wal.reconnected` | event, info | `slot` | it is back |
//! | `evented.wal.ended` | event, error | `slot`, `error` | a tail has ended |

use std::fmt::Display;
use std::pin::Pin;

use evented_core::KeyValue;

use tracing::field::{Empty, display};
use tracing::{Instrument, Span};

use crate::error::Error;
use crate::listen::Holder;

/// The span of a command.
pub(crate) fn command(schema: &'static str, action: &str) -> Span {
    tracing::debug_span!("evented.command", schema, action, record = Empty, revision = Empty, error = Empty)
}

/// The span of a batch.
pub(crate) fn batch(schema: &'static str, commands: usize) -> Span {
    tracing::debug_span!("evented.batch", schema, commands, error = Empty)
}

/// The span of a replay.
pub(crate) fn replay(schema: &'static str, record: &KeyValue) -> Span {
    tracing::debug_span!("evented.replay", schema, %record, events = Empty, error = Empty)
}

/// The span of the reading of a history.
pub(crate) fn history(schema: &'static str, record: &KeyValue) -> Span {
    tracing::debug_span!("evented.history", schema, %record, events = Empty, error = Empty)
}

/// Runs an operation in its span, and records in it how it failed. It comes in a box, as it is large: moved about, it
/// cost a fifth of an insert.
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

/// Records in the present span what became known on the way.
pub(crate) fn record(field: &'static str, value: impl Display) {
    Span::current().record(field, display(value));
}

/// A command expected another revision.
pub(crate) fn conflict(schema: &'static str, record: &KeyValue, expected: i64, found: i64) {
    tracing::debug!(
        name: "evented.conflict", schema, %record, expected, found,
        "the record is not at the revision that was expected"
    );
}

/// Another writer was first.
pub(crate) fn overtaken(schema: &'static str, record: &KeyValue) {
    tracing::debug!(name: "evented.overtaken", schema, %record, "another writer was first");
}

/// A savepoint that was due is written.
pub(crate) fn savepoint(schema: &'static str, record: &KeyValue, revision: i64) {
    tracing::debug!(name: "evented.savepoint", schema, %record, revision, "a savepoint was due");
}

/// A savepoint cannot be used.
pub(crate) fn passed_over(schema: &'static str, record: &KeyValue, revision: i64) {
    tracing::warn!(
        name: "evented.savepoint.passed_over", schema, %record, revision,
        "a savepoint cannot be used, and replay starts at the first event"
    );
}

/// What happens to a change that was made behind the log's back.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Drifted {
    Adopted,
    Healed,
    Refused,
    AfterWrite,
}

/// A change that was made behind the log's back.
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
            "the database holds something else than was written; mark the field `external` if the database makes it"
        ),
    }
}

/// A hub lost its connection, or could not read.
pub(crate) fn listen_failed(error: &Error) {
    tracing::warn!(name: "evented.listen.failed", %error, "a hub could not read, and tries again");
}

/// A relay of hints has no connection.
#[cfg(feature = "async-postgres")]
pub(crate) fn relay_failed(error: &dyn Display) {
    tracing::warn!(name: "evented.listen.relay", %error, "a relay of hints lost its connection, and tries again");
}

/// The write-ahead log cannot be read any more.
#[cfg(feature = "wal")]
pub(crate) fn tail_ended(error: &crate::wal::WalError) {
    tracing::warn!(name: "evented.listen.ended", %error, "a hub cannot read the write-ahead log any more, and stops");
}

/// A transaction that is open keeps changes back.
pub(crate) fn listen_delayed(txid: i64, holder: Option<&Holder>) {
    let (pid, name) = (holder.and_then(|it| it.pid), holder.map(|it| it.name.as_str()));
    tracing::warn!(
        name: "evented.listen.delayed", txid, pid, holder = name,
        "an open transaction keeps changes back"
    );
}

/// A subscriber was too slow.
pub(crate) fn listen_lagged(schema: &'static str, subscription: u64) {
    tracing::debug!(name: "evented.listen.lagged", schema, subscription, "a subscriber fell behind");
}

/// A deleted row held what no log can keep.
pub(crate) fn lost(schema: &'static str, record: &KeyValue, error: impl Display) {
    tracing::warn!(
        name: "evented.drift.lost", schema, %record, %error,
        "the deleted row held a change made behind the log's back, which no log can keep"
    );
}
