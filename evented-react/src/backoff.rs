//! Says when an event that failed is tried again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// When an event that failed is tried again, and how often.
///
/// The default is 12 attempts, the second after about one second, and with pauses that double up to 10 minutes.
///
/// ```
/// use std::time::Duration;
/// use evented_react::Retry;
///
/// let patient = Retry::exponential(Duration::from_secs(10), Duration::from_secs(3_600)).attempts(20);
/// let never = Retry::NEVER;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    first: Duration,
    longest: Duration,
    attempts: u32,
}

impl Retry {
    /// One attempt: an event that fails is dead.
    pub const NEVER: Self = Self { first: Duration::ZERO, longest: Duration::ZERO, attempts: 1 };

    /// Pauses that begin with `first`, double after each attempt, and stay at `longest`. Each is longer by a random part
    /// of itself, so that events that failed together are not tried again together. 12 attempts.
    #[must_use]
    pub const fn exponential(first: Duration, longest: Duration) -> Self {
        Self { first, longest, attempts: 12 }
    }

    /// Sets the number of attempts, with the first one. 0 counts as 1. Default: 12.
    #[must_use]
    pub const fn attempts(self, attempts: u32) -> Self {
        Self { attempts: if attempts == 0 { 1 } else { attempts }, ..self }
    }

    /// Returns the pause after this attempt, counted from 1; `None` if it was the last one.
    pub(crate) fn pause_after(&self, attempt: u32) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        if self.first.is_zero() {
            return Some(Duration::ZERO);
        }
        let pauses = ExponentialBuilder::new()
            .with_min_delay(self.first)
            .with_max_delay(self.longest.max(self.first))
            .without_max_times()
            .with_jitter();
        let nth = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX).min(64);
        Some(pauses.build().nth(nth).unwrap_or(self.longest))
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self::exponential(Duration::from_secs(1), Duration::from_secs(600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end() {
        let retry = Retry::exponential(Duration::from_secs(1), Duration::from_secs(3)).attempts(4);
        let within = |attempt, least, most| {
            let pause = retry.pause_after(attempt).unwrap();
            assert!(pause >= Duration::from_secs(least) && pause <= Duration::from_secs(most), "{pause:?}");
        };
        within(1, 1, 2);
        within(2, 2, 4);
        within(3, 3, 6);
        assert_eq!(retry.pause_after(4), None);
        assert_eq!(Retry::NEVER.pause_after(1), None);
    }
}
