//! The findings of a check of checkpoints.

use std::fmt;

use evented_core::{KeyValue, SignatureFault};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// The result of checking a log against its checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CheckpointReport {
    /// The number of checkpoints that were checked.
    pub checkpoints: u64,
    /// The number of events that they cover.
    pub events: u64,
    /// The number of events that no checkpoint covers yet, because they are newer. Whoever removes the last checkpoints
    /// makes their events newer ones: only a copy that was kept elsewhere shows that.
    pub later: u64,
    /// What is wrong; empty if the log is the one that the checkpoints were made of.
    pub findings: Vec<CheckpointFinding>,
}

impl CheckpointReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }
}

/// A fault of a checkpoint, or of the events that it covers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CheckpointFinding {
    /// The number of the checkpoint; `None` if the fault is not that of one.
    pub checkpoint: Option<i64>,
    /// The fault.
    pub issue: CheckpointIssue,
}

/// The kind of a fault. Its serde form has the fields `code` and `message`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum CheckpointIssue {
    /// There is no checkpoint of this number.
    Missing,
    /// The checkpoint does not continue the one before it.
    Disconnected,
    /// The checkpoint is not signed with the key.
    Signature(SignatureFault),
    /// The stored edge of the tree does not have the root of the checkpoint.
    Edge,
    /// The checkpoint is not the one of which a copy was given.
    Replaced,
    /// Events were removed or added.
    Events {
        /// The number of events that the checkpoint added to the tree.
        expected: u64,
        /// The number of events there now.
        found: u64,
    },
    /// An event, its position or its transaction was changed.
    Changed,
    /// Its last event, or its highest position, is not the one that it names.
    Bounds,
    /// No checkpoint covers this event, and none ever will: it was written with a transaction or a position that its
    /// writer chose.
    Outside {
        /// The model's name in the log.
        schema: String,
        /// The key of the record.
        record: KeyValue,
        /// The revision of the event.
        revision: i64,
        /// The transaction that the event names.
        txid: i64,
        /// The position of the event.
        position: i64,
    },
    /// As [`Outside`](Self::Outside), for further events.
    OutsideToo {
        /// The number of events.
        events: u64,
    },
}

impl CheckpointIssue {
    /// Returns a short name of the kind in snake case, for programs: for example `changed`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Disconnected => "disconnected",
            Self::Signature(SignatureFault::Unsigned) => "unsigned",
            Self::Signature(SignatureFault::OtherSigner { .. }) => "other_signer",
            Self::Signature(_) => "signature",
            Self::Edge => "edge",
            Self::Replaced => "replaced",
            Self::Events { .. } => "events",
            Self::Changed => "changed",
            Self::Bounds => "bounds",
            Self::Outside { .. } | Self::OutsideToo { .. } => "outside",
        }
    }
}

impl Serialize for CheckpointIssue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("CheckpointIssue", 2)?;
        fields.serialize_field("code", self.code())?;
        fields.serialize_field("message", &self.to_string())?;
        fields.end()
    }
}

impl fmt::Display for CheckpointIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the checkpoint is missing"),
            Self::Disconnected => f.write_str("it does not continue the checkpoint before it"),
            Self::Signature(fault) => fault.fmt(f),
            Self::Edge => f.write_str("the stored edge of the tree does not have its root"),
            Self::Replaced => f.write_str("it is not the one of which a copy was kept"),
            Self::Events { expected, found } => {
                write!(f, "it was made over {expected} events, and there are {found}")
            }
            Self::Changed => f.write_str("an event that it covers was changed"),
            Self::Bounds => f.write_str("its events end elsewhere than it says"),
            Self::Outside { schema, record, revision, txid, position } => write!(
                f,
                "no checkpoint covers {schema} {record}, revision {revision}: its writer chose its transaction \
                 {txid} or its position {position}"
            ),
            Self::OutsideToo { events } => {
                write!(f, "no checkpoint covers {events} more events: their writers chose where they are")
            }
        }
    }
}

impl fmt::Display for CheckpointFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.checkpoint {
            Some(number) => write!(f, "checkpoint {number}: {}", self.issue),
            None => self.issue.fmt(f),
        }
    }
}
