//! Positions in a stream of changes, from which a reader can resume.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Identifies the stream of a position: a log, or the WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u32);

impl StreamId {
    /// The stream with this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        // FNV-1a, written out: clients store positions, so the hash must not change with a new version of a crate.
        let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        Self(name.bytes().fold(0x811c_9dc5, step))
    }
}

/// The position of a change in its stream.
///
/// In a log it consists of the transaction and the event's number. In the WAL it consists of the position of the
/// commit and the index of the change in its transaction. Positions of one stream are ordered; positions of different
/// streams are not comparable.
///
/// If known, a position also identifies the database of the stream and the event at that position. A reader thereby
/// detects a position from before the database was copied or restored. A position is displayed as a short text for a
/// cookie or the event id of server-sent events, and is parsed from that text.
///
/// ```
/// # use evented_core::{Position, StreamId};
/// let position = Position::new(StreamId::named("items_events"), 731, 12);
/// let text = position.to_string();
/// assert_eq!(text.parse::<Position>().unwrap(), position);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Position {
    stream: StreamId,
    major: u64,
    minor: u64,
    epoch: u64,
    anchor: u64,
}

impl Position {
    /// Creates a position in a stream, without epoch and anchor.
    #[must_use]
    pub fn new(stream: StreamId, major: u64, minor: u64) -> Self {
        Self { stream, major, minor, epoch: 0, anchor: 0 }
    }

    /// Sets the epoch, which distinguishes the database from a copy of it. 0: unknown.
    #[must_use]
    pub fn in_epoch(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        self
    }

    /// Sets the anchor, which distinguishes the event at this position from another one. 0: unknown.
    #[must_use]
    pub fn anchored(mut self, anchor: u64) -> Self {
        self.anchor = anchor;
        self
    }

    /// The stream of the position.
    #[must_use]
    pub fn stream(self) -> StreamId {
        self.stream
    }

    /// The number of the transaction, or the position of its commit in the WAL.
    #[must_use]
    pub fn major(self) -> u64 {
        self.major
    }

    /// The number of the event, or the index of the change within its transaction.
    #[must_use]
    pub fn minor(self) -> u64 {
        self.minor
    }

    /// The epoch, which distinguishes the database from a copy of it. 0 if unknown.
    #[must_use]
    pub fn epoch(self) -> u64 {
        self.epoch
    }

    /// The anchor, which distinguishes the event at this position from another one. 0 if unknown.
    #[must_use]
    pub fn anchor(self) -> u64 {
        self.anchor
    }

    /// Whether a reader at this position has reached another position: both are of the same stream, they are not
    /// known to be of different databases, and this one is not before the other.
    ///
    /// The position of a write has no epoch.
    #[must_use]
    pub fn has_reached(self, other: Self) -> bool {
        let same_database = self.epoch == other.epoch || self.epoch == 0 || other.epoch == 0;
        self.stream == other.stream && same_database && (self.major, self.minor) >= (other.major, other.minor)
    }
}

impl PartialEq for Position {
    fn eq(&self, other: &Self) -> bool {
        (self.stream, self.epoch, self.major, self.minor)
            == (other.stream, other.epoch, other.major, other.minor)
    }
}
impl Eq for Position {}

impl Hash for Position {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.stream, self.epoch, self.major, self.minor).hash(state);
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let same = (self.stream, self.epoch) == (other.stream, other.epoch);
        same.then(|| (self.major, self.minor).cmp(&(other.major, other.minor)))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, major, minor, epoch, anchor } = self;
        write!(f, "{:x}-{major:x}-{minor:x}-{epoch:x}-{anchor:x}", stream.0)
    }
}

/// The error for text that is not a position.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a position of a stream of changes")]
pub struct NotAPosition(String);

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let read = || {
            let mut parts = text.split('-');
            let mut next = || u64::from_str_radix(parts.next()?, 16).ok();
            let stream = StreamId(u32::try_from(next()?).ok()?);
            let position = Self { stream, major: next()?, minor: next()?, epoch: next()?, anchor: next()? };
            parts.next().is_none().then_some(position)
        };
        read().ok_or_else(|| NotAPosition(text.to_owned()))
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_two_databases_are_neither_equal_nor_ordered() {
        let log = StreamId::named("a");
        let (here, there) = (Position::new(log, 1, 1).in_epoch(7), Position::new(log, 1, 1).in_epoch(8));
        assert_ne!(here, there);
        assert_eq!(here.partial_cmp(&there), None);
        assert!(!here.has_reached(there));
        // The position of a write, which has no epoch.
        let write = Position::new(log, 1, 1);
        assert!(here.has_reached(write) && there.has_reached(write));
        assert!(!here.has_reached(Position::new(log, 1, 2)));
    }

    #[test]
    fn it_is_ordered_within_its_stream_alone() {
        let (log, other) = (StreamId::named("a"), StreamId::named("b"));
        assert!(Position::new(log, 1, 9) < Position::new(log, 2, 1));
        assert!(Position::new(log, 1, 1) < Position::new(log, 1, 2));
        assert_eq!(Position::new(log, 1, 1).partial_cmp(&Position::new(other, 1, 1)), None);
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in ["", "1-2-3", "1-2-3-4-5-6", "x-1-1-1-1", "1ffffffff-1-1-1-1"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
        let position = Position::new(StreamId::named("a"), u64::MAX, 0).in_epoch(7).anchored(u64::MAX);
        let again: Position = position.to_string().parse().unwrap_or(Position::new(StreamId(0), 0, 0));
        assert_eq!((again, again.epoch(), again.anchor()), (position, 7, u64::MAX));
    }
}
