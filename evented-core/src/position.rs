//! Places in a stream of changes, from which reading can go on.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Which stream a position is of: a log, or a slot of the WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u32);

impl StreamId {
    /// The stream of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        // FNV-1a: positions are kept by clients, so that no crate's next version may change it.
        let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        Self(name.bytes().fold(0x811c_9dc5, step))
    }
}

/// The place of a change in its stream.
///
/// In a log: the transaction and the event's position. In the WAL: the place of the commit and the change's index in its
/// transaction. Positions of one stream are ordered; those of different ones are not comparable.
///
/// It also says, where that is known, which database the stream is of and which event stands there, so that a position
/// of a database that was copied or restored since is noticed. Printed, it is a short text for a cookie or an event id of
/// server-sent events, and it is read from that again.
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
    /// A place in a stream.
    #[must_use]
    pub fn new(stream: StreamId, major: u64, minor: u64) -> Self {
        Self { stream, major, minor, epoch: 0, anchor: 0 }
    }

    /// With what tells the database apart from a copy of it; 0 if that is not known.
    #[must_use]
    pub fn in_epoch(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        self
    }

    /// With what tells the event at this place apart from another one; 0 if that is not known.
    #[must_use]
    pub fn anchored(mut self, anchor: u64) -> Self {
        self.anchor = anchor;
        self
    }

    /// The stream.
    #[must_use]
    pub fn stream(self) -> StreamId {
        self.stream
    }

    /// The transaction, or the place of its commit.
    #[must_use]
    pub fn major(self) -> u64 {
        self.major
    }

    /// The place within it.
    #[must_use]
    pub fn minor(self) -> u64 {
        self.minor
    }

    /// What tells the database apart; 0 if that is not known.
    #[must_use]
    pub fn epoch(self) -> u64 {
        self.epoch
    }

    /// What tells the event at this place apart; 0 if that is not known.
    #[must_use]
    pub fn anchor(self) -> u64 {
        self.anchor
    }
}

impl PartialEq for Position {
    fn eq(&self, other: &Self) -> bool {
        (self.stream, self.major, self.minor) == (other.stream, other.major, other.minor)
    }
}
impl Eq for Position {}

impl Hash for Position {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.stream, self.major, self.minor).hash(state);
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let place = |it: &Self| (it.major, it.minor);
        (self.stream == other.stream).then(|| place(self).cmp(&place(other)))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, major, minor, epoch, anchor } = self;
        write!(f, "{:x}-{major:x}-{minor:x}-{epoch:x}-{anchor:x}", stream.0)
    }
}

/// A text that is no position.
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
