//! How the effect of a delivery ended.

use crate::failure::Failure;
use crate::next_state::next_state;
use crate::store::State;
use crate::subscriber::Subscriber;

/// How a delivery of a subscriber of effects ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The effect was had.
    Done,
    /// It failed.
    Failed(Failure),
    /// It was not tried: an earlier delivery of its key is set aside.
    Behind,
    /// It was not tried: this program cannot read the event.
    Unread,
}

impl Outcome {
    pub(crate) fn copy(&self) -> Self {
        match self {
            Self::Done => Self::Done,
            Self::Failed(failure) => Self::Failed(failure.copy()),
            Self::Behind => Self::Behind,
            Self::Unread => Self::Unread,
        }
    }

    /// Returns the state in which the delivery is set aside; `None` if it is done.
    pub(crate) fn next_state<C>(&self, subscriber: &Subscriber<C>) -> Option<State> {
        match self {
            Self::Done => None,
            Self::Failed(failure) => next_state(subscriber, failure, 0).map(|(state, ..)| state),
            Self::Behind => Some(State::Behind),
            Self::Unread => Some(State::Unreadable),
        }
    }
}
