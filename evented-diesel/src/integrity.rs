//! Whether a log, its rows and the code of today still agree.
//!
//! Each check reads in pages of bounded size, beside live writers, and gives a [`Finding`] for each record that is not as
//! it should be: the first event or the columns at fault. Then it goes on with the next record.
//!
//! | check | holds |
//! |---|---|
//! | `Item::verify(id)` | one record: its chain, its replay, its row |
//! | `Item::verify_table()` | every row against its log |
//! | `Item::verify_replay()` | every event's state against today's code |
//! | `Item::verify_savepoints(id)` | every savepoint as a start of replay |
//! | `Events::verify_chain()` | every event of a hashed log against its hash and the event before it |
//! | `Events::verify_checkpoints()` | parts of a hashed log against the roots that were written down |

use std::fmt;

use evented_core::KeyValue;

mod chain;
mod checkpoint;
mod record;
mod replay;
mod savepoints;
mod table;

pub use chain::{ChainPage, VerifyChain};
pub use checkpoint::{Checkpoint, Checkpoints, MakeCheckpoint, Verdict, VerifyCheckpoint, VerifyCheckpoints};
pub use record::Verify;
pub(crate) use replay::replays;
pub use replay::{ReplayPage, VerifyReplay};
pub use savepoints::VerifySavepoints;
pub(crate) use table::{Comparison, Difference};
pub use table::{TablePage, VerifyTable};

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The model's name in the log.
    pub schema: String,
    /// The record.
    pub record: KeyValue,
    /// The first event at fault, where it is one.
    pub revision: Option<i64>,
    /// What is wrong.
    pub damage: Damage,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Damage {
    /// The event is not the one that was written, or does not follow on the one before it.
    Hash,
    /// Events are missing before this one.
    Gap {
        /// The last revision that is there; 0 if it is the first that is missing.
        after: i64,
    },
    /// The event's place in the log is before that of an earlier one.
    Order,
    /// A column of the event cannot be read.
    Unreadable(String),
    /// The event cannot be replayed.
    Replay(String),
    /// Replay leads to another state than the event says.
    State,
    /// The savepoint leads to another state than the events before it.
    Savepoint {
        /// The fields that differ, where both states are there.
        columns: Vec<String>,
    },
    /// The row differs from the log.
    Row {
        /// Its columns that differ.
        columns: Vec<String>,
    },
    /// The log says that the record is there, and it has no row.
    RowMissing,
    /// There is a row, and the log knows no such record, or says that it was deleted.
    RowSurplus,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash => {
                f.write_str("the event is not the one that was written, or the one before it is not")
            }
            Self::Gap { after: 0 } => f.write_str("the first events are missing"),
            Self::Gap { after } => write!(f, "events are missing after revision {after}"),
            Self::Order => f.write_str("its place in the log is before that of an earlier event"),
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
            Self::RowSurplus => f.write_str("there is a row, and the log has no such record"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.schema, self.record)?;
        if let Some(revision) = self.revision {
            write!(f, ", revision {revision}")?;
        }
        write!(f, ": {}", self.damage)
    }
}

/// What a page of a check has seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checked {
    /// How many events or rows it looked at.
    pub seen: u64,
    /// What it found.
    pub findings: Vec<Finding>,
}
