//! Cuts: the moments at which live values change.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use evented_core::Position;

/// A place between transactions, up to which the hub has delivered every change of its models.
///
/// A value changes at a cut and at no other time. A cut has a [`Position`] for each stream that the hub reads. Two cuts are
/// ordered if one has reached all that the other has.
#[derive(Clone, Default)]
pub struct Cut {
    positions: Arc<[Position]>,
    /// The number of the cut in its store.
    number: u64,
}

impl Cut {
    pub(crate) fn new(number: u64, positions: Vec<Position>) -> Self {
        Self { positions: positions.into(), number }
    }

    /// The number of the cut in its store.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The positions, one of each stream.
    #[must_use]
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Whether the hub has delivered everything up to a position; `None` if it is of a stream that the hub does not read.
    #[must_use]
    pub fn reaches(&self, position: Position) -> Option<bool> {
        let mine = self.positions.iter().find(|mine| mine.stream() == position.stream())?;
        Some(mine.has_reached(position))
    }
}

impl PartialEq for Cut {
    fn eq(&self, other: &Self) -> bool {
        self.positions == other.positions
    }
}

impl PartialOrd for Cut {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self.positions.len() != other.positions.len() {
            return None;
        }
        let mut order = Ordering::Equal;
        for (mine, other) in self.positions.iter().zip(&*other.positions) {
            match (order, mine.partial_cmp(other)?) {
                (_, Ordering::Equal) => {}
                (Ordering::Equal, next) => order = next,
                (order, next) if order == next => {}
                _ => return None,
            }
        }
        Some(order)
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, position) in self.positions.iter().enumerate() {
            write!(f, "{}{:x}.{:x}", if index == 0 { "" } else { "-" }, position.major(), position.minor())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cut({self})")
    }
}
