//! Decides how long a reader waits before it polls for changes that no hint announced.

use std::time::{Duration, Instant};

use crate::hints::hints_come_from_other_processes;

/// The interval right after an unannounced change, and while a subscriber is catching up.
pub(crate) const SHORTEST: Duration = Duration::from_millis(4);
/// The interval right after a hint or a change, while an open transaction delays changes. Most transactions are short: a
/// hint is a transaction, too.
const SHORTEST_BEHIND_TRANSACTION: Duration = Duration::from_millis(1);
/// The longest interval without hints from other processes.
const LONGEST: Duration = Duration::from_millis(100);
/// The longest interval with hints from other processes.
const LONGEST_WITH_HINTS: Duration = Duration::from_secs(1);
/// The interval is this part of the time since the last sign of an unannounced change.
const PART: u32 = 8;

/// What a reader waits for, apart from new changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// Nothing else.
    Nothing,
    /// The end of an open transaction that delays changes, which no hint announces.
    OpenTransaction,
    /// Room in the buffer of a subscriber that is catching up.
    Subscriber,
}

/// The interval between two polls. Unless it is fixed, it is short after an unannounced change, and grows while none
/// comes: writers that send hints cost no polls, and others are found as fast as they write.
#[derive(Debug)]
pub struct PollInterval {
    fixed: Option<Duration>,
    /// When a poll last found a change that no hint had announced.
    unannounced: Instant,
    /// When a hint last arrived, or a poll found a change.
    sign: Instant,
}

impl PollInterval {
    /// `fixed` is the interval that the user chose.
    #[must_use]
    pub fn new(fixed: Option<Duration>, now: Instant) -> Self {
        Self { fixed, unannounced: now, sign: now }
    }

    /// Takes note of a poll: whether a hint caused it, and whether it found a change.
    pub fn polled(&mut self, hinted: bool, found: bool, now: Instant) {
        if hinted || found {
            self.sign = now;
        }
        if found && !hinted {
            self.unannounced = now;
        }
    }

    /// Returns how long to wait for a hint until the next poll.
    #[must_use]
    pub fn next(&self, waits_for: WaitsFor, now: Instant) -> Duration {
        let longest = if hints_come_from_other_processes() { LONGEST_WITH_HINTS } else { LONGEST };
        let since =
            |sign: Instant, shortest| (now.saturating_duration_since(sign) / PART).clamp(shortest, longest);
        let at_most = self.fixed.unwrap_or(Duration::MAX);
        match waits_for {
            WaitsFor::Nothing => self.fixed.unwrap_or_else(|| since(self.unannounced, SHORTEST)),
            WaitsFor::OpenTransaction => since(self.sign, SHORTEST_BEHIND_TRANSACTION).min(at_most),
            WaitsFor::Subscriber => SHORTEST.min(at_most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// An adapting interval, and the time of its last sign.
    fn adapting() -> (PollInterval, Instant) {
        let now = Instant::now();
        (PollInterval::new(None, now), now)
    }

    #[test]
    fn polls_are_rare_where_nothing_comes() {
        let (interval, start) = adapting();
        assert_eq!(interval.next(WaitsFor::Nothing, start), SHORTEST);
        assert_eq!(
            interval.next(WaitsFor::Nothing, start + Duration::from_millis(400)),
            Duration::from_millis(50)
        );
        assert_eq!(interval.next(WaitsFor::Nothing, start + MINUTE), LONGEST);
    }

    #[test]
    fn an_unannounced_change_makes_polls_frequent() {
        let (mut interval, start) = adapting();
        let now = start + MINUTE;
        interval.polled(true, true, now);
        assert_eq!(interval.next(WaitsFor::Nothing, now), LONGEST, "after a hint");
        interval.polled(false, false, now);
        assert_eq!(interval.next(WaitsFor::Nothing, now), LONGEST, "without a change");
        interval.polled(false, true, now);
        assert_eq!(interval.next(WaitsFor::Nothing, now), SHORTEST);
    }

    #[test]
    fn the_end_of_an_open_transaction_is_found_soon_after_a_hint() {
        let (mut interval, start) = adapting();
        let now = start + MINUTE;
        assert_eq!(interval.next(WaitsFor::OpenTransaction, now), LONGEST);
        interval.polled(true, false, now);
        assert_eq!(interval.next(WaitsFor::OpenTransaction, now), SHORTEST_BEHIND_TRANSACTION);
        assert_eq!(interval.next(WaitsFor::Subscriber, now), SHORTEST);
    }

    #[test]
    fn a_fixed_interval_stays() {
        let now = Instant::now();
        let mut interval = PollInterval::new(Some(MINUTE), now);
        interval.polled(false, true, now);
        assert_eq!(interval.next(WaitsFor::Nothing, now), MINUTE);
        assert_eq!(interval.next(WaitsFor::OpenTransaction, now + MINUTE), LONGEST);
        let short = PollInterval::new(Some(Duration::from_millis(1)), now);
        assert_eq!(short.next(WaitsFor::OpenTransaction, now + MINUTE), Duration::from_millis(1));
    }
}
