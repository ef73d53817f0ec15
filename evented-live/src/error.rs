//! Why a live value cannot be read or opened.

use std::sync::Arc;

use evented_core::{Denied, KeyValue, Position};

/// Why a live value is not there, or is not kept up.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The hub of the store does not read the model.
    #[error("the hub does not read `{schema}`: start it with `.and::<…>()`")]
    NotRead {
        /// The model's name in the log.
        schema: &'static str,
    },
    /// The policy does not allow the query, or the query names a value that no record can have.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The rows could not be read. The store tries again.
    #[error("the rows of `{schema}` could not be read: {error}")]
    Read {
        /// The model's name in the log.
        schema: &'static str,
        /// The error of the database or of the connection.
        error: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The query has too many rows to be kept in memory.
    #[error(
        "the query of `{schema}` has more than {most} rows: narrow it with `.limit(…)` or `.filter(…)`, or raise \
         `max_rows` of the store"
    )]
    TooManyRows {
        /// The model's name in the log.
        schema: &'static str,
        /// How many rows a value has at most.
        most: usize,
    },
    /// A list with a limit read too many rows that its policy hides.
    #[error(
        "more than {most} rows of `{schema}` were read that the policy hides: write `Policy::filter`, so that the database \
         leaves them out"
    )]
    TooManyHidden {
        /// The model's name in the log.
        schema: &'static str,
        /// How many hidden rows a read passes over at most.
        most: usize,
    },
    /// More changes waited in a subscription than it holds. Subscribe again, and read the values again.
    #[error("more than {most} changes waited: subscribe again, and read the values again")]
    Lagged {
        /// How many changes wait at most.
        most: usize,
    },
    /// A tree is deeper than trees may be: it may contain itself through others.
    #[error(
        "the tree has more than {most} levels: one that contains itself, also through another, needs a `depth` where it does"
    )]
    TooDeep {
        /// How many levels a tree has at most.
        most: usize,
    },
    /// The database and memory disagree on a row: on whether it is in the query, or on its place in the order. The column
    /// may have a type or a collation that compares otherwise than its Rust type.
    #[error(
        "the database and memory disagree on record {key} of `{schema}`: a column of the filter or of the order compares \
         otherwise than its Rust type"
    )]
    Differs {
        /// The model's name in the log.
        schema: &'static str,
        /// The key of the record.
        key: KeyValue,
    },
    /// Changes are missing, or could not be read. The store reads the rows again.
    #[error("changes of `{schema}` are missing: {reason}")]
    Gap {
        /// The model's name in the log.
        schema: &'static str,
        /// Why.
        reason: Arc<str>,
    },
    /// A model without a table has no list, because its records are found by their keys alone.
    #[error("`{schema}` has no table: open records of it with `.one(key)` or `.many(keys)`")]
    NoTable {
        /// The model's name in the log.
        schema: &'static str,
    },
    /// Another label of the set has values of another type.
    #[error("the label `{label}` has values of another type: cancel it first, or take another label")]
    OtherType {
        /// The label.
        label: String,
    },
    /// The set has a callback with this name.
    #[error("there is a callback `{name}`: use `replace`, or `detach` it first")]
    SecondCallback {
        /// The name of the callback.
        name: String,
    },
    /// The position is of a stream that the hub does not read.
    #[error(
        "{position} is of a stream that the hub does not read; for a hub on the write-ahead log, wait for the position of a \
         `wal::mark()` that is run after the write"
    )]
    OtherStream {
        /// The position.
        position: Position,
    },
    /// The value was not there, or did not reach the position, in time.
    #[error("it took longer than was waited for")]
    TimedOut,
    /// The store or its hub has stopped.
    #[error("the store has stopped{}", .reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Stopped {
        /// Why the hub could not continue; `None` if it or the store was stopped.
        reason: Option<String>,
    },
}
