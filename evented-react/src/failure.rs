//! Says what happens to an event whose handler did not succeed.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use evented_diesel::Error;

/// The type that the errors of handlers are converted to.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// The reason why a handler did not handle an event, and what happens next.
///
/// `?` on any error makes a failure that is tried again. The effects of the handler in the database are rolled back in
/// every case.
///
/// ```
/// use std::time::Duration;
/// use evented_react::Failure;
///
/// fn reserve(stock: i32) -> Result<(), Failure> {
///     let count: i32 = "12".parse()?;                        // tried again
///     if stock < count {
///         return Err(Failure::dead("there are not enough")); // kept until somebody decides
///     }
///     if stock == count {
///         return Err(Failure::snooze(Duration::from_secs(60)));
///     }
///     Ok(())
/// }
/// # assert!(reserve(20).is_ok() && reserve(3).is_err());
/// ```
pub struct Failure {
    pub(crate) verdict: Verdict,
    pub(crate) error: BoxError,
}

/// What happens to an event after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The event is tried again later, and the attempt counts.
    Retry,
    /// The event is tried again after this time, and the attempt does not count.
    Snooze(Duration),
    /// The event is kept until somebody decides.
    Dead,
    /// The event counts as handled.
    Discard,
    /// This program cannot read the event.
    Unreadable,
    /// Another transaction was in the way: the event is tried again at once, and the attempt does not count.
    Conflict,
}

impl Failure {
    /// The event is tried again, as the subscriber's [`Retry`](crate::Retry) says.
    pub fn retry(error: impl Into<BoxError>) -> Self {
        Self { verdict: Verdict::Retry, error: error.into() }
    }

    /// The event is tried again after `time`. The attempt does not count.
    #[must_use]
    pub fn snooze(time: Duration) -> Self {
        Self { verdict: Verdict::Snooze(time), error: format!("snoozed for {time:?}").into() }
    }

    /// The event is not tried again until somebody says so: see [`retry`](crate::retry) and [`skip`](crate::skip).
    pub fn dead(error: impl Into<BoxError>) -> Self {
        Self { verdict: Verdict::Dead, error: error.into() }
    }

    /// The event counts as handled, without effect.
    pub fn discard(why: impl Into<BoxError>) -> Self {
        Self { verdict: Verdict::Discard, error: why.into() }
    }

    /// Returns a failure with the same text.
    pub(crate) fn copy(&self) -> Self {
        Self { verdict: self.verdict, error: self.error.to_string().into() }
    }

    /// Returns the text of the reason as it is stored: databases keep no NUL, and nobody reads more than this.
    pub(crate) fn text(&self) -> String {
        const LONGEST: usize = 4_000;
        self.error.to_string().chars().take(LONGEST).filter(|char| *char != '\0').collect()
    }

    /// The reason.
    #[must_use]
    pub fn error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self.error.as_ref()
    }
}

// Not an error itself: otherwise the conversion from every error would include it.
impl<E: StdError + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let verdict = if is_conflict(&error) { Verdict::Conflict } else { Verdict::Retry };
        Self { verdict, error: Box::new(error) }
    }
}

/// Returns whether another transaction caused an error: a deadlock, a serialization failure, a lock.
fn is_conflict(error: &(dyn Any + Send + Sync)) -> bool {
    match (error.downcast_ref::<Error>(), error.downcast_ref::<diesel::result::Error>()) {
        (Some(error), _) => error.is_retryable(),
        (_, Some(error)) => Error::is_of_lock(error),
        _ => false,
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure").field("verdict", &self.verdict).field("error", &self.error).finish()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_tried_again_and_a_conflict_at_once() {
        let failure = Failure::from("x".parse::<i32>().unwrap_err());
        assert_eq!(failure.verdict, Verdict::Retry);
        let failure = Failure::from(diesel::result::Error::NotFound);
        assert_eq!(failure.verdict, Verdict::Retry);
        let serialization = diesel::result::DatabaseErrorKind::SerializationFailure;
        let failure =
            Failure::from(diesel::result::Error::DatabaseError(serialization, Box::new(String::new())));
        assert_eq!(failure.verdict, Verdict::Conflict);
    }
}
