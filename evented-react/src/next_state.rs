//! Decides what becomes of a delivery after a failure.

use std::time::Duration;

use crate::failure::{Failure, Verdict};
use crate::store::State;
use crate::subscriber::{OnDead, Subscriber};

/// Returns the state of a delivery after a failure, the number of its attempts so far, and the milliseconds until the next
/// one; `None` if it counts as handled. `before`: the attempts before this one.
pub(crate) fn next_state<C>(
    subscriber: &Subscriber<C>,
    failure: &Failure,
    before: i32,
) -> Option<(State, i32, Option<i64>)> {
    let dead = match subscriber.on_dead {
        OnDead::Block => State::Dead,
        OnDead::PassOver => State::Passed,
    };
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    let attempts = before.saturating_add(1);
    Some(match failure.verdict {
        Verdict::Discard => return None,
        Verdict::Snooze(time) => (State::Retry, before, Some(millis(time))),
        Verdict::Dead => (dead, attempts, None),
        Verdict::Unreadable => (State::Unreadable, before, None),
        Verdict::Retry | Verdict::Conflict => {
            let attempt = u32::try_from(attempts).unwrap_or(u32::MAX);
            match subscriber.retry.pause_after(attempt) {
                Some(pause) => (State::Retry, attempts, Some(millis(pause))),
                None => (dead, attempts, None),
            }
        }
    })
}
