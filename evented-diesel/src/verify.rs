//! Checks whether a log, its rows and today's code still agree.
//!
//! Each check reads pages of bounded size while other connections write. It returns a [`Finding`] for each faulty
//! record, with the first event or the columns at fault, and then continues with the next record.
//!
//! | check | what it checks |
//! |---|---|
//! | `Item::verify(id)` | one record: its chain, its replay, its row |
//! | `Item::verify_table()` | every row against its log |
//! | `Item::verify_replay()` | every event's recorded state against today's code |
//! | `Item::verify_savepoints(id)` | every savepoint as a start of replay |
//! | `Events::verify_chain()` | every event of a hashed log against its hash and the event before it |

use std::fmt;

use evented_core::KeyValue;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

mod chain;
mod comparison;
mod exact_keys;
mod log_methods;
mod verify_record;
mod verify_replay;
mod verify_savepoints;
mod verify_table;

pub use chain::{ChainPage, VerifyChain};
pub(crate) use comparison::{Comparison, Difference};
pub(crate) use exact_keys::keys_are_exact;
pub use log_methods::LogChecks;
pub use verify_record::Verify;
pub use verify_replay::{ReplayPage, VerifyReplay};
pub use verify_savepoints::VerifySavepoints;
pub use verify_table::{TablePage, VerifyTable};

/// A fault of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The model's name in the log.
    pub schema: String,
    /// The key of the record.
    pub record: KeyValue,
    /// The revision of the first event at fault; `None` if the fault is in the row.
    pub revision: Option<i64>,
    /// The fault.
    pub issue: Issue,
}

/// The kind of a fault. Its serde form has the fields `code`, `columns` and `message`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Issue {
    /// The event is not the one that was written, or it does not follow the event before it.
    Hash,
    /// Events are missing before this one.
    Gap {
        /// The last revision before the gap; 0 if the first event is missing.
        after: i64,
    },
    /// The event's offset in the log is not after that of an earlier event.
    Order,
    /// A column of the event cannot be read; contains the reason.
    Unreadable(String),
    /// The event cannot be replayed; contains the reason.
    Replay(String),
    /// Replay leads to a different state than the event recorded.
    State,
    /// The savepoint leads to a different state than the events before it.
    Savepoint {
        /// The fields that differ, if both states exist.
        columns: Vec<String>,
    },
    /// The row differs from the log.
    Row {
        /// The columns that differ.
        columns: Vec<String>,
    },
    /// The log has the record as live, and the table has no row.
    RowMissing,
    /// The table has a row, and the log does not know the record or has it as deleted.
    RowWithoutEvents,
}

impl Issue {
    /// Returns a short name of the kind in snake case, for programs: for example `row_missing`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Gap { .. } => "gap",
            Self::Order => "order",
            Self::Unreadable(_) => "unreadable",
            Self::Replay(_) => "replay",
            Self::State => "state",
            Self::Savepoint { .. } => "savepoint",
            Self::Row { .. } => "row",
            Self::RowMissing => "row_missing",
            Self::RowWithoutEvents => "row_without_events",
        }
    }

    /// Returns the columns at fault; empty if the check does not know them.
    pub fn columns(&self) -> &[String] {
        match self {
            Self::Savepoint { columns } | Self::Row { columns } => columns,
            _ => &[],
        }
    }
}

impl Serialize for Issue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Issue", 3)?;
        fields.serialize_field("code", self.code())?;
        fields.serialize_field("columns", self.columns())?;
        fields.serialize_field("message", &self.to_string())?;
        fields.end()
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash => {
                f.write_str("the event is not the one that was written, or the one before it is not")
            }
            Self::Gap { after: 0 } => f.write_str("the first events are missing"),
            Self::Gap { after } => write!(f, "events are missing after revision {after}"),
            Self::Order => f.write_str("its position in the log precedes that of an earlier event"),
            Self::Unreadable(reason) => write!(f, "it cannot be read: {reason}"),
            Self::Replay(reason) => write!(f, "it cannot be replayed: {reason}"),
            Self::State => f.write_str("replay leads to another state than was recorded"),
            Self::Savepoint { columns } if columns.is_empty() => {
                f.write_str("the savepoint leads to another state than the events before it")
            }
            Self::Savepoint { columns } => {
                write!(f, "the savepoint differs from the events before it in {}", columns.join(", "))
            }
            Self::Row { columns } => write!(f, "the row differs from the log in {}", columns.join(", ")),
            Self::RowMissing => f.write_str("the row is missing"),
            Self::RowWithoutEvents => f.write_str("there is a row, and the log has no such record"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.schema, self.record)?;
        if let Some(revision) = self.revision {
            write!(f, ", revision {revision}")?;
        }
        write!(f, ": {}", self.issue)
    }
}

/// The result of one page of a check.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CheckPage {
    /// The number of events or rows that the page checked.
    pub examined: u64,
    /// The faults that the page found.
    pub findings: Vec<Finding>,
}
